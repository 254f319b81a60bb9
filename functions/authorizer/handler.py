"""Who calls: an API key, a member's token or one of the staff's becomes a principal in the request's context
(payload 2.0, simple response).
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from functions.authorizer.settings import authorizer_settings
from shared.aws.fetch import Fetcher
from shared.aws.runtime import Runtime
from shared.http.app import LambdaContext
from shared.http.request import lower_headers
from shared.observability.logs import logger
from shared.privacy.crypto import derive
from shared.tenants.access import Access, StaffDoor
from shared.tenants.jwks import JwksSource
from shared.tenants.keys_repository import PEPPER_PURPOSE
from shared.tenants.principal import AuthorizerUnavailable, auth_error_to_context
from shared.tenants.signing import SigningKeys
from shared.tenants.staff_tokens import StaffTokens, staff_pool
from shared.tenants.tokens import TokenSigner


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(authorizer_settings().common)


@cache
def access() -> Access:
    """The keys and secrets that credentials are checked with, read once. A failure is not kept: the next call tries again."""
    home = runtime()
    master = home.master_secret
    operator_secret = home.secret(authorizer_settings().operator_secret_arn).decode()
    tokens = TokenSigner(master, generations=SigningKeys(home.table, home.now, time.monotonic))
    return Access(home.table, tokens, derive(master, PEPPER_PURPOSE), operator_secret, home.now, time.monotonic, _staff())


def _staff() -> StaffDoor:
    """Whose tokens staff sign in with. The pool's keys are fetched with the first of them."""
    found, home = authorizer_settings(), runtime()
    pool = staff_pool(found.common.region, found.staff_pool_id, found.staff_client_id, found.common.endpoint)
    keys = JwksSource(Fetcher(local=found.common.endpoint is not None), home.real_now)
    return StaffDoor(StaffTokens(pool, keys), home.real_now)


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """Always lets the call through, with a principal or an ``auth_error``: the function behind answers the refusal."""
    try:
        runtime().begin(context)
        found = access().context_of(lower_headers(event).get("authorization"))
    except Exception:  # the outermost frame: a missing secret must answer 503, not the gateway's own 500
        logger().exception("authorizer not wired")
        found = auth_error_to_context(AuthorizerUnavailable.code)
    return {"isAuthorized": True, "context": found}
