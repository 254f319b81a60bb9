"""Members: enrolment, identification at the till, profile, consents, devices, forms; and the consumer of bulk imports.

The routes are in the files beside, by subject; here is their wiring. What no till waits for is imported with its first call.
"""

from __future__ import annotations

import time
from functools import cache, partial
from typing import Any

from functions.registration import members_routes, points_routes
from functions.registration.settings import RegistrationSettings, registration_settings
from functions.registration.wiring import Wiring, mirrored
from shared.aws.fetch import Fetcher
from shared.aws.push import SnsPush
from shared.aws.queues import consume
from shared.aws.runtime import Runtime
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.members import service
from shared.privacy.crypto import derive
from shared.tenants import sessions
from shared.tenants.jwks import JwksSource
from shared.tenants.refresh import RefreshKeys
from shared.tenants.signing import SigningKeys
from shared.tenants.tokens import TokenSigner

app = HttpApp("registration")


@cache
def settings() -> RegistrationSettings:
    """This function's settings."""
    return registration_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


app.limit(lambda: runtime())  # noqa: PLW0108 - looked up with each call, as everything here that is wired


@cache
def desk() -> service.Desk:
    """Tokens, providers' keys, push."""
    fetcher = Fetcher(local=settings().common.stage == "local")
    generations = SigningKeys(runtime().table, runtime().now, time.monotonic)
    tokens = TokenSigner(runtime().master_secret, generations=generations)
    return service.Desk(tokens, JwksSource(fetcher, runtime().now), SnsPush(runtime().client("sns")))


@cache
def session_desk() -> sessions.SessionDesk:
    """What members' sessions are kept with."""
    return sessions.SessionDesk(desk().tokens, RefreshKeys(runtime().master_secret))


@cache
def derived(purpose: str) -> bytes:
    """A key of the master secret for one purpose."""
    return derive(runtime().master_secret, purpose)


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway, or a batch of pointers to bulk jobs."""
    runtime().begin(context)
    if "Records" in event:
        from functions.registration import bulk_routes

        work, dead_letters = partial(bulk_routes.work_on_part, WIRING), settings().dead_letter_url
        return consume(event, work, client=runtime().client("sqs"), dead_letters=dead_letters, hopeless=bulk_routes.HOPELESS)
    return app.handle(event, context)


# Looked up by name with every call, since what a function answers may be made anew.
WIRING = Wiring(
    app,
    settings=lambda: settings(),  # noqa: PLW0108
    runtime=lambda: runtime(),  # noqa: PLW0108
    desk=lambda: desk(),  # noqa: PLW0108
    session_desk=lambda: session_desk(),  # noqa: PLW0108
    derived=lambda purpose: derived(purpose),  # noqa: PLW0108
)
members_routes.add(WIRING)
points_routes.add(WIRING)


def _rights() -> None:
    from functions.registration import rights_routes

    rights_routes.add(WIRING)


def _counter() -> None:
    from functions.registration import counter_routes

    counter_routes.add(WIRING)


def _forms() -> None:
    from functions.registration import forms_routes

    forms_routes.add(WIRING)


def _apple() -> None:
    from functions.registration import apple_routes

    apple_routes.add(WIRING)


def _bulk() -> None:
    from functions.registration import bulk_routes

    bulk_routes.add(WIRING)


app.later(_rights, *mirrored("ask_access", "get_access", "erase_member", "get_erasure", "set_restriction"), "merge_member", "get_merge")
app.later(_counter, *mirrored("block_identifier", "remove_identifiers"), "unblock_identifier", "replace_identifier")
app.later(_forms, "get_form", "submit_form")
app.later(_apple, "receive_apple_notice")
app.later(_bulk, "import_members", "change_list_members")


@app.operation("get_jwks")
def get_jwks(_request: Request) -> Answer:
    """GET /.well-known/jwks.json."""
    return Answer(body=desk().tokens.jwks(), headers={"cache-control": "public, max-age=300"})
