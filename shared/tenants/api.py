"""Bodies of the operator's routes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from shared.kernel.ids import TENANT_PATTERN
from shared.kernel.modes import Mode
from shared.tenants.model import Frozen, PushPlatform, TenantSettings

TenantId = Annotated[str, Field(pattern=TENANT_PATTERN)]


class TenantRequest(Frozen):
    """A tenant's configuration. ``id`` is required to create one; afterwards it is in the path, and if given must agree."""

    id: TenantId | None = None
    settings: TenantSettings


class TenantShown(Frozen):
    """What is seen of a tenant everywhere."""

    id: str
    mode: Mode = Field(description="`test`: a test environment, whose id ends in -test or -test and a number")
    live_tenant: str | None = Field(default=None, description="of a test environment: whose it is")
    test_tenant: str | None = Field(default=None, description="its test environment, if there is one")


class TenantAnswer(TenantShown):
    """A tenant. ``etag`` is what If-Match takes, without its quotes."""

    etag: str
    settings: TenantSettings


class TenantSummary(TenantShown):
    """A tenant in the list."""

    status: str


class TenantPage(Frozen):
    """Tenants by id."""

    data: tuple[TenantSummary, ...]
    next_cursor: str | None = None


class PushRequest(Frozen):
    """A push credential. APNs: the signing key (.p8) and, as ``principal``, its id; FCM: the service account as JSON text."""

    credential: SecretStr = Field(min_length=2, max_length=8192)
    principal: str | None = Field(default=None, min_length=1, max_length=64)


class WebhookSecretAnswer(Frozen):
    """What a receiver verifies signatures with (Standard Webhooks). A higher ``version`` in the settings is a new secret, from then on."""

    name: str
    version: int
    secret: str = Field(description="whsec_ and base64, as receivers' libraries take it")


class PushAnswer(Frozen):
    """The platform application. The credential cannot be read back."""

    platform: PushPlatform
    application_arn: str
