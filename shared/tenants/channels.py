"""A tenant's push applications, whose credential goes to the push service and nowhere else (docs/adr/0008), and webhooks' secrets."""

from __future__ import annotations

from typing import Protocol, get_args

from shared.kernel.errors import NotFound
from shared.messaging.port import webhook_secret_purpose
from shared.messaging.webhooks import shown_secret
from shared.privacy.crypto import derive
from shared.tenants.api import PushAnswer, PushRequest, TenantRequest, WebhookSecretAnswer
from shared.tenants.model import PushPlatform, PushSettings
from shared.tenants.service import Operator, get_tenant, replace_tenant


class UnknownPlatform(NotFound):
    """Not one of apns, apns_sandbox, gcm."""

    code, title = "unknown_platform", "Unknown push platform"


class UnknownWebhook(NotFound):
    """The tenant's settings name no such webhook."""

    code, title = "unknown_webhook", "Unknown webhook"


def webhook_secret(operator: Operator, tenant: str, name: str) -> WebhookSecretAnswer:
    """The secret of a webhook's current version. It is derived and stored nowhere, so whoever may ask is always answered."""
    webhook = get_tenant(operator, tenant).settings.messaging.webhooks.get(name)
    if webhook is None:
        raise UnknownWebhook
    secret = derive(operator.master(), webhook_secret_purpose(tenant, name, webhook.version))
    return WebhookSecretAnswer(name=name, version=webhook.version, secret=shown_secret(secret))


class PlatformApplications(Protocol):
    """What is needed of the push service."""

    def ensure(self, tenant: str, platform: PushPlatform, credential: str, principal: str | None) -> str:
        """The ARN of the tenant's application with this credential; made or changed as needed. Repeating is harmless."""


def set_push(operator: Operator, applications: PlatformApplications, tenant: str, platform: str, request: PushRequest) -> PushAnswer:
    """Make or change the tenant's application on a platform and note its ARN in the settings."""
    if platform not in get_args(PushPlatform):
        raise UnknownPlatform
    named: PushPlatform = platform  # type: ignore[assignment]
    before = get_tenant(operator, tenant)
    arn = applications.ensure(tenant, named, request.credential.get_secret_value(), request.principal)
    push = {**before.settings.push, named: PushSettings(application_arn=arn)}
    if push != before.settings.push:
        settings = before.settings.model_copy(update={"push": push})
        replace_tenant(operator, tenant, TenantRequest(settings=settings), before.etag)
    return PushAnswer(platform=named, application_arn=arn)
