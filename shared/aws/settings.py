"""What every function reads from its environment. Read once, when the function is wired; nothing else reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


class MissingSetting(RuntimeError):
    """The deployment did not give the function a variable that it needs."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Common to all functions. A function's own variables are in its ``settings.py``."""

    stage: str
    region: str
    endpoint: str | None
    table: str
    keys_table: str
    master_secret_arn: str
    tenant_key_id: str
    tenant_role_arn: str | None
    definition_seconds: float
    local_clock: bool
    media_url: str = ""
    """Where guests find images, for functions that link any."""
    public_url: str = ""
    """Where links in messages lead, without a slash at the end, for functions that write any; empty: messages have none."""


def variable(name: str, environment: Mapping[str, str] | None = None) -> str:
    """A variable that must be there."""
    value = (os.environ if environment is None else environment).get(name, "")
    if not value:
        raise MissingSetting(f"the environment variable {name} is not set")
    return value


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The common settings. ``AWS_ENDPOINT_URL`` is set on a local stage only, where the local AWS sets it."""
    given = os.environ if environment is None else environment
    return Settings(
        stage=variable("STAGE", given),
        region=given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") or "us-east-1",
        endpoint=given.get("AWS_ENDPOINT_URL") or None,
        table=variable("TABLE_NAME", given),
        keys_table=variable("KEYS_TABLE_NAME", given),
        master_secret_arn=given.get("MASTER_SECRET_ARN", ""),
        tenant_key_id=given.get("TENANT_KEY_ID", ""),
        tenant_role_arn=given.get("TENANT_ROLE_ARN") or None,
        definition_seconds=float(given.get("DEFINITION_CACHE_SECONDS", "60")),
        local_clock=given.get("LOCAL_CLOCK") == "1",
        media_url=_media_url(given),
        public_url=_public_url(given),
    )


def _public_url(given: Mapping[str, str]) -> str:
    """The gateway's address; on a local stage a path below the local AWS."""
    url = given.get("PUBLIC_URL", "")
    return f"{given.get('AWS_ENDPOINT_URL', '')}{url}" if url.startswith("/") else url


def _media_url(given: Mapping[str, str]) -> str:
    """The stage's delivery of images; a local stage has none, and the bucket itself answers."""
    endpoint, bucket = given.get("AWS_ENDPOINT_URL"), given.get("MEDIA_BUCKET")
    return given.get("MEDIA_URL") or (f"{endpoint}/{bucket}" if endpoint and bucket else "")
