"""Members: enrolment, identification at the till, profile, consents, devices, forms; and the consumer of bulk imports.

The routes are in the files beside, by subject; here are their wiring, the imports and the worker.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from functions.registration import apple_routes, counter_routes, forms_routes, members_routes, points_routes, rights_routes
from functions.registration.settings import RegistrationSettings, registration_settings
from functions.registration.wiring import Wiring
from shared.aws.fetch import Fetcher
from shared.aws.push import SnsPush
from shared.aws.queues import consume
from shared.aws.runtime import NamedTenant, Runtime
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.http.body import parse_model
from shared.jobs import service as jobs
from shared.members import api, bulk, lists, profile_api, service
from shared.observability.logs import log_context
from shared.privacy.crypto import derive
from shared.tenants import sessions
from shared.tenants.jwks import JwksSource
from shared.tenants.refresh import RefreshKeys
from shared.tenants.signing import SigningKeys
from shared.tenants.tokens import TokenSigner

JOB_KIND = "members"
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
        dead_letters, hopeless = settings().dead_letter_url, (jobs.NotAPointer,)
        return consume(event, _work_on_part, client=runtime().client("sqs"), dead_letters=dead_letters, hopeless=hopeless)
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
for routes in (members_routes, rights_routes, points_routes, counter_routes, forms_routes, apple_routes):
    routes.add(WIRING)


@app.operation("import_members")
def import_members(request: Request) -> Answer:
    """POST /v1/members/bulk."""
    body = request.parse(api.BulkMembersRequest)
    queue = WIRING.queue(settings().queue_url)
    extra = {"actor": request.principal.id, "correlation": request.correlation_id}
    return Answer(body=jobs.accept(WIRING.scope(request), JOB_KIND, body.members, extra, WIRING.store(), queue, pointer="/members"))


@app.operation("change_list_members")
def change_list_members(request: Request) -> Answer:
    """POST /v1/lists/{list_id}/members."""
    list_id, body = lists.check_list(request.path["list_id"]), request.parse(profile_api.ListMembersRequest)
    queue = WIRING.queue(settings().queue_url)
    extra = {"list": list_id, "correlation": request.correlation_id}
    scope, records = WIRING.scope(request), lists.records_of(body)
    return Answer(body=jobs.accept(scope, lists.JOB_KIND, records, extra, WIRING.store(), queue, pointer="/add"))


@app.operation("get_jwks")
def get_jwks(_request: Request) -> Answer:
    """GET /.well-known/jwks.json."""
    return Answer(body=desk().tokens.jwks(), headers={"cache-control": "public, max-age=300"})


def _work_on_part(message: dict[str, Any]) -> None:
    """One part of a bulk job, under the tenant's own session."""
    jobs.check_pointer(message)
    scope = runtime().scope(NamedTenant(message["tenant"]))
    body = jobs.body_of(message, WIRING.store())
    correlation = body.get("correlation") or ""
    operation = "change_list_members" if "list" in body else "import_members"
    with log_context(tenant=message["tenant"], operation=operation, correlation_id=correlation):
        if "list" in body:
            outcome = lists.change_all(scope, body["list"], body["records"], correlation)
        else:
            outcome = bulk.import_all(scope, body["records"], _parse, body["actor"], correlation)
        jobs.finish(scope, message, outcome)


def _parse(record: Mapping[str, Any]) -> api.RegisterRequest:
    return parse_model(api.RegisterRequest, json.dumps(record).encode())
