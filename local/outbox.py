"""The local outbox: what the push provider would have delivered, as a person can read it."""

from __future__ import annotations

import json
import time
from typing import Any

from local import console
from local.store import Store

_WAIT_SECONDS = 60


def delivered(store: Store, tenant: str, member: str) -> list[dict[str, Any]]:
    """Everything that was delivered to a member, oldest first."""
    s3, bucket = store.client("s3"), store.outputs["DataBucket"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"outbox/{tenant}/{member}/").get("Contents", [])
    bodies = (json.loads(s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()) for each in found)
    return sorted(bodies, key=lambda body: str(body["sent_at"]))


def wait_for(store: Store, tenant: str, member: str, campaign: str) -> dict[str, Any]:
    """The message of a campaign to a member, once it is there."""
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        for message in delivered(store, tenant, member):
            if message["campaign"] == campaign:
                return message
        time.sleep(0.05)
    raise console.Failure(
        f"no message of campaign {campaign} arrived within {_WAIT_SECONDS} s",
        "Look for dead letters (python -m local dlq) and at the functions' logs in .local/demo.",
    )
