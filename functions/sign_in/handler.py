"""Signing in with one-time codes, and staying signed in: codes, tokens, sessions."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from functions.sign_in.settings import outbox_bucket, sign_in_settings
from shared.aws.objects import S3Store
from shared.aws.runtime import NamedTenant, Runtime
from shared.aws.senders import senders
from shared.counter import confirmations
from shared.counter.api import ConfirmationDecision, ConfirmationRequest, TypedCode
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.kernel.instants import SECOND
from shared.members import one_time_codes, presence, signing_in
from shared.messaging.port import Senders
from shared.tenants import sessions
from shared.tenants.jwks import JwkSet
from shared.tenants.principal import require_location
from shared.tenants.refresh import RefreshKeys
from shared.tenants.scope import TenantScope
from shared.tenants.sessions_api import CodeRequest, CodeSent, ProveRequest, RefreshRequest, TokensAnswer, TokensRequest
from shared.tenants.signing import SigningKeys
from shared.tenants.tokens import TokenSigner

app = HttpApp("sign_in")


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(sign_in_settings())


app.limit(lambda: runtime())  # noqa: PLW0108 - looked up with each call, as everything here that is wired


@cache
def desk() -> sessions.SessionDesk:
    """What members' sessions are kept with."""
    tokens = TokenSigner(runtime().master_secret, generations=SigningKeys(runtime().table, runtime().now, time.monotonic))
    return sessions.SessionDesk(tokens, RefreshKeys(runtime().master_secret))


@cache
def codes() -> one_time_codes.CodeDesk:
    """What one-time codes are made and sent with."""
    return one_time_codes.CodeDesk(runtime().master_secret, _senders)


@cache
def _senders() -> Senders:
    """Made with the first code that is sent."""
    settings, bucket = runtime().settings, outbox_bucket()
    outbox = S3Store(runtime().client("s3"), bucket) if bucket else None
    return senders(settings.region, settings.endpoint, runtime().now, _scope_of, outbox, settings.stage)


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway."""
    runtime().begin(context)
    return app.handle(event, context)


def _scope_of(tenant: str) -> TenantScope:
    return runtime().scope(NamedTenant(tenant))


@app.operation("send_code")
def send_code(request: Request) -> Answer:
    """POST /v1/otp."""
    body = request.parse(CodeRequest)
    otp_id = one_time_codes.send(runtime().scope(request.principal), body.kind, body.value, body.language, codes())
    expires_in, resend_in = one_time_codes.VALID // SECOND, one_time_codes.RESEND // SECOND
    return Answer(body=CodeSent(otp_id=otp_id, expires_in=expires_in, resend_in=resend_in))


@app.operation("get_tokens")
def get_tokens(request: Request) -> Answer:
    """POST /v1/tokens."""
    body, now = request.parse(TokensRequest).root, runtime().now()
    if isinstance(body, RefreshRequest):
        given = desk().keys.open(body.refresh_token, now)
        request.admit_guest(given.tenant, by_address=True)
        return _signed_in(_scope_of(given.tenant), sessions.refresh(_scope_of(given.tenant), given, desk()))
    to = codes().open(body.otp_id, now)
    request.admit_guest(to.tenant, by_address=True)
    return _signed_in(_scope_of(to.tenant), signing_in.sign_in(_scope_of(to.tenant), to, body.code, codes(), desk()))


def _signed_in(scope: TenantScope, answer: TokensAnswer) -> Answer:
    presence.note_sign_in(scope, answer.member_id)
    return Answer(body=answer)


@app.operation("prove_identifier_of_me")
def prove_identifier(request: Request) -> Answer:
    """POST /v1/me/identifiers."""
    body = request.parse(ProveRequest)
    to = codes().open(body.otp_id, runtime().now())
    scope = runtime().scope(request.principal)
    answer, is_new = signing_in.prove(scope, request.member_id, to, body.code, codes(), request.correlation_id)
    return Answer(201 if is_new else 200, answer)


@cache
def confirming() -> confirmations.ConfirmingDesk:
    """What members are asked with to confirm what they spend."""
    codes = confirmations.codes_of_the_counter(runtime().master_secret, _senders)
    return confirmations.ConfirmingDesk(codes, _senders, lambda: JwkSet.of(desk().tokens.jwks()))


@app.operation("ask_confirmation")
def ask_confirmation(request: Request) -> Answer:
    """POST /v1/confirmations."""
    body = request.parse(ConfirmationRequest)
    scope = runtime().scope(request.principal)
    require_location(request.principal, body.location_id, scope.groups_of)
    return Answer(body=confirmations.ask(scope, body, request.principal.id, confirming()))


@app.operation("get_confirmation")
def get_confirmation(request: Request) -> Answer:
    """GET /v1/confirmations/{confirmation_id}."""
    return Answer(body=confirmations.read(runtime().scope(request.principal), request.path["confirmation_id"]))


@app.operation("type_confirmation_code")
def type_confirmation_code(request: Request) -> Answer:
    """POST /v1/confirmations/{confirmation_id}/code."""
    code, id_ = request.parse(TypedCode).code, request.path["confirmation_id"]
    return Answer(body=confirmations.type_code(runtime().scope(request.principal), id_, code, confirming()))


@app.operation("list_confirmations_of_me")
def list_confirmations(request: Request) -> Answer:
    """GET /v1/me/confirmations."""
    return Answer(body=confirmations.open_of(runtime().scope(request.principal), request.member_id))


@app.operation("decide_confirmation_of_me")
def decide_confirmation(request: Request) -> Answer:
    """POST /v1/me/confirmations/{confirmation_id}."""
    body, id_ = request.parse(ConfirmationDecision), request.path["confirmation_id"]
    return Answer(body=confirmations.decide(runtime().scope(request.principal), request.member_id, id_, approve=body.approve))


@app.operation("end_sessions", "end_sessions_of_me")
def end_sessions(request: Request) -> Answer:
    """DELETE /v1/me/sessions, and of any member by an integrator."""
    sessions.end_all(runtime().scope(request.principal), request.member_id)
    return Answer()
