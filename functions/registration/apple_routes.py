"""What Apple tells of accounts, server to server."""

from __future__ import annotations

from functions.registration.wiring import Wiring
from shared.aws.runtime import NamedTenant
from shared.http.app import Answer, Request
from shared.kernel.errors import InvalidValue
from shared.kernel.ids import check_tenant
from shared.members import apple_notices
from shared.tenants.oidc import IdentityTokenRefused, signing_key_id


def add(wiring: Wiring) -> None:
    """Register the operations of this file."""
    wiring.on("receive_apple_notice", _receive)


def _receive(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/apple/{tenant_id}/notifications. A tenant that is not here is refused as a token for another."""
    payload = request.parse(apple_notices.AppleNotice).payload
    # Whatever is no token at all is refused before anything is asked for.
    signing_key_id(payload)
    try:
        tenant = check_tenant(request.path["tenant_id"])
    except InvalidValue:
        raise IdentityTokenRefused("wrong_audience") from None
    scope = wiring.runtime().scope(NamedTenant(tenant))
    told = apple_notices.read(scope, payload, wiring.desk().jwks)
    request.admit_guest(tenant, by_address=False)
    apple_notices.deal_with(scope, told, request.correlation_id)
    return Answer()
