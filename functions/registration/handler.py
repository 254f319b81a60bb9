"""Members: enrolment, identification at the till, profile, consents, devices, forms; and the consumer of bulk imports."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from functions.registration.settings import RegistrationSettings, registration_settings
from shared.access import service as accesses
from shared.aws.fetch import Fetcher
from shared.aws.objects import S3Store
from shared.aws.push import SnsPush
from shared.aws.queues import SqsQueue, consume
from shared.aws.runtime import NamedTenant, Runtime
from shared.campaigns.api import FormSubmission
from shared.erasure import service as erasures
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.http.body import parse_model
from shared.jobs import service as jobs
from shared.kernel.errors import Gone, NotFound, Unprocessable
from shared.kernel.ids import is_id
from shared.member_state.errors import UnknownMember
from shared.members import (
    api,
    bulk,
    cards,
    challenges,
    challenges_api,
    changes,
    devices,
    form_page,
    forms,
    inbox,
    lists,
    lookup,
    points,
    points_api,
    profile_api,
    profiles,
    profiling,
    reading,
    referral_codes,
    service,
    silencing,
    why,
)
from shared.members.form_links import KEY_PURPOSE, Invitation, open_invitation
from shared.messaging import pages
from shared.observability.logs import log_context
from shared.privacy.crypto import derive
from shared.rewards import api as rewards_api
from shared.rewards import ending as claim_ending
from shared.rewards import service as rewards
from shared.rewards.catalogue import list_rewards
from shared.tenants import sessions
from shared.tenants.jwks import JwksSource
from shared.tenants.links import UnknownLink
from shared.tenants.refresh import RefreshKeys
from shared.tenants.scope import TenantScope
from shared.tenants.signing import SigningKeys
from shared.tenants.tokens import TokenSigner

WRITE = "members:write"
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


def _scope(request: Request) -> TenantScope:
    return runtime().scope(request.principal)


def _actor(request: Request) -> service.Actor:
    return service.Actor(request.principal.id, WRITE in request.principal.scopes)


def _member(request: Request) -> str:
    """The member that the call is about; a text that is no member's id is nobody's."""
    if not is_id("mbr", request.member_id):
        raise UnknownMember
    return request.member_id


def _both(operation: str, work: Callable[[Request, TenantScope, str], Answer]) -> None:
    """Register a handler for the integrator's route and for its mirror under /v1/me, which only ever reaches the caller."""

    @app.operation(operation, f"{operation}_of_me")
    def handler(request: Request) -> Answer:
        return work(request, _scope(request), _member(request))


@app.operation("register_member")
def register_member(request: Request) -> Answer:
    """POST /v1/members."""
    body, scope = request.parse(api.RegisterRequest), _scope(request)
    registered = service.register(scope, body, desk(), _actor(request), request.correlation_id, request.idempotency_key)
    answer = registered.answer
    if body.remember:
        begun = sessions.begin(scope, answer.member_id, session_desk())
        answer = answer.model_copy(update={"refresh_token": begun.token, "refresh_expires_in": begun.seconds})
    return Answer(201 if registered.created else 200, answer)


@app.operation("identify_member")
def identify_member(request: Request) -> Answer:
    """POST /v1/members/identify."""
    return Answer(body=lookup.identify(_scope(request), request.parse(api.IdentifyRequest)))


@app.operation("import_members")
def import_members(request: Request) -> Answer:
    """POST /v1/members/bulk."""
    body = request.parse(api.BulkMembersRequest)
    queue = SqsQueue(runtime().client("sqs"), settings().queue_url)
    extra = {"actor": request.principal.id, "correlation": request.correlation_id}
    return Answer(body=jobs.accept(_scope(request), JOB_KIND, body.members, extra, _store(), queue))


@app.operation("change_list_members")
def change_list_members(request: Request) -> Answer:
    """POST /v1/lists/{list_id}/members."""
    list_id, body = lists.check_list(request.path["list_id"]), request.parse(profile_api.ListMembersRequest)
    queue = SqsQueue(runtime().client("sqs"), settings().queue_url)
    extra = {"list": list_id, "correlation": request.correlation_id}
    return Answer(body=jobs.accept(_scope(request), lists.JOB_KIND, lists.records_of(body), extra, _store(), queue))


@app.operation("add_identifier")
def add_identifier(request: Request) -> Answer:
    """POST /v1/members/{member_id}/identifiers."""
    body = request.parse(api.IdentifierRequest)
    answer, is_new = changes.add_identifier(_scope(request), _member(request), body, request.correlation_id)
    return Answer(201 if is_new else 200, answer)


@app.operation("lift_suppression")
def lift_suppression(request: Request) -> Answer:
    """DELETE /v1/members/{member_id}/suppressions/{channel}."""
    silencing.lift(_scope(request), _member(request), request.path["channel"], request.correlation_id)
    return Answer()


@app.operation("explain_membership")
def explain_membership(request: Request) -> Answer:
    """GET /v1/members/{member_id}/segments/{segment_id}/why."""
    return Answer(body=why.explain_membership(_scope(request), _member(request), request.path["segment_id"]))


@app.operation("get_form")
def get_form(request: Request) -> Answer:
    """GET /v1/forms/{token}: JSON for an app, a page for a browser."""
    if form_page.wanted(request.headers):
        return _form_page(request)
    invitation = _invitation(request)
    return Answer(body=forms.form(_host(invitation), invitation))


@app.operation("submit_form")
def submit_form(request: Request) -> Answer:
    """POST /v1/forms/{token}: JSON by an app, or by the page's own button."""
    if request.headers.get("content-type", "").partition(";")[0].strip() == form_page.FORM_TYPE:
        return _form_page(request, form_page.given(request.body))
    invitation = _invitation(request)
    scope = _host(invitation)
    return Answer(body=forms.submit(scope, invitation, request.parse(FormSubmission), request.correlation_id))


@app.operation("get_jwks")
def get_jwks(_request: Request) -> Answer:
    """GET /.well-known/jwks.json."""
    return Answer(body=desk().tokens.jwks(), headers={"cache-control": "public, max-age=300"})


def _set_consents(request: Request, scope: TenantScope, member: str) -> Answer:
    body = request.parse(api.ConsentsRequest)
    return Answer(body=changes.set_consents(scope, member, body, _actor(request), request.correlation_id))


def _set_profiling(request: Request, scope: TenantScope, member: str) -> Answer:
    body = request.parse(profile_api.ProfilingRequest)
    return Answer(body=profiling.set_profiling(scope, member, body, request.correlation_id))


def _profile(request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=profiles.get_profile(scope, member, profiles.asked_for(request.query)))


def _update(request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=changes.update_member(scope, member, request.parse(api.ProfilePatch), request.correlation_id))


def _add_device(request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=devices.add_device(scope, member, request.parse(api.DeviceRequest), desk().push, request.correlation_id))


def _remove_device(request: Request, scope: TenantScope, member: str) -> Answer:
    devices.remove_device(scope, member, request.path["device_id"], desk().push, request.correlation_id)
    return Answer()


def _ledger(request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=reading.list_ledger(scope, member, request.page_limit(), request.cursor, derived("cursors")))


def _inbox(request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=inbox.list_inbox(scope, member, request.page_limit(), request.cursor, derived("cursors")))


def _read_message(request: Request, scope: TenantScope, member: str) -> Answer:
    message = request.path["message_id"]
    if not is_id("inb", message):
        raise inbox.UnknownMessage
    return Answer(body=inbox.read_message(scope, member, message, request.correlation_id))


def _coupon_qr(request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=cards.coupon_qr(scope, member, request.path["coupon_id"], desk().tokens))


def _erase(request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=erasures.ask(scope, member, request.principal.id, request.correlation_id))


def _ask_access(request: Request, scope: TenantScope, member: str) -> Answer:
    queue = SqsQueue(runtime().client("sqs"), settings().rights_url)
    return Answer(body=accesses.ask(scope, member, request.principal.id, queue, request.correlation_id))


_both("ask_access", _ask_access)
_both("get_access", lambda request, scope, member: Answer(body=accesses.read(scope, member, request.path["access_id"], _store().link)))
_both("erase_member", _erase)
_both("get_erasure", lambda _request, scope, member: Answer(body=erasures.certificate(scope, member)))
_both("get_member", lambda _request, scope, member: Answer(body=reading.get_member(scope, member)))
_both("update_member", _update)
_both("set_consents", _set_consents)
_both("set_profiling", _set_profiling)
_both("add_device", _add_device)
_both("remove_device", _remove_device)
_both("get_wallet", lambda _request, scope, member: Answer(body=reading.get_wallet(scope, member)))
_both("list_ledger", _ledger)
_both("list_inbox", _inbox)
_both("read_message", _read_message)
_both("list_member_coupons", lambda _request, scope, member: Answer(body=reading.list_coupons(scope, member)))
_both("list_member_challenges", lambda _request, scope, member: Answer(body=challenges.list_challenges(scope, member)))
_both("get_coupon_qr", _coupon_qr)
_both("get_card", lambda _request, scope, member: Answer(body=cards.card(scope, member, desk().tokens)))
_both("get_profile", _profile)
_both("list_member_segments", lambda _request, scope, member: Answer(body=reading.list_segments(scope, member)))


def _transfer(request: Request, scope: TenantScope, member: str) -> Answer:
    body = request.parse(points_api.TransferRequest)
    return _moved(points.transfer(scope, member, body, _actor(request), request.idempotency_key, request.correlation_id))


def _convert(request: Request, scope: TenantScope, member: str) -> Answer:
    body = request.parse(points_api.ConversionRequest)
    return _moved(points.convert(scope, member, body, _actor(request), request.idempotency_key, request.correlation_id))


def _moved(moved: points.Moved) -> Answer:
    """A repetition answers 200 and says so."""
    answer, replayed = moved
    return Answer(200, answer, {"idempotent-replayed": "true"}) if replayed else Answer(201, answer)


def _claim_reward(request: Request, scope: TenantScope, member: str) -> Answer:
    body = request.parse(rewards_api.ClaimRequest)
    actor, call = request.principal.id, request.idempotency_key
    answer, replayed = rewards.claim(scope, member, body, actor, call, request.correlation_id)
    return Answer(200, answer, {"idempotent-replayed": "true"}) if replayed else Answer(201, answer)


@app.operation("hand_over_reward")
def hand_over_reward(request: Request) -> Answer:
    """POST /v1/members/{member_id}/rewards/{claim_id}/hand-over."""
    claim, actor = request.path["claim_id"], request.principal.id
    return Answer(body=claim_ending.hand_over(_scope(request), _member(request), claim, actor, request.correlation_id))


@app.operation("cancel_reward")
def cancel_reward(request: Request) -> Answer:
    """POST /v1/members/{member_id}/rewards/{claim_id}/cancel."""
    body, claim, actor = request.parse(rewards_api.CancelClaimRequest), request.path["claim_id"], request.principal.id
    return Answer(body=claim_ending.cancel(_scope(request), _member(request), claim, body, actor, request.correlation_id))


_both("list_member_rewards", lambda request, scope, member: Answer(body=list_rewards(scope, member, request.query.get("location_id"))))
_both("claim_reward", _claim_reward)
_both("transfer_points", _transfer)
_both("convert_points", _convert)
_both("get_referral_code", lambda _request, scope, member: Answer(body=referral_codes.code_of(scope, member)))


@app.operation("give_challenge")
def give_challenge(request: Request) -> Answer:
    """POST /v1/challenges/{challenge_id}/members."""
    body = request.parse(challenges_api.GiveChallengeRequest)
    answer, replayed = challenges.give(
        _scope(request), request.path["challenge_id"], body, request.principal.id, request.correlation_id
    )
    return Answer(200, answer, {"idempotent-replayed": "true"}) if replayed else Answer(201, answer)


@app.operation("adjust_points")
def adjust_points(request: Request) -> Answer:
    """POST /v1/members/{member_id}/adjustments."""
    body = request.parse(points_api.AdjustmentRequest)
    scope, member = _scope(request), _member(request)
    return _moved(points.adjust(scope, member, body, _actor(request), request.idempotency_key, request.correlation_id))


@app.operation("set_tier")
def set_tier(request: Request) -> Answer:
    """PUT /v1/members/{member_id}/tier."""
    body = request.parse(points_api.TierRequest)
    return Answer(body=points.set_tier(_scope(request), _member(request), body, _actor(request), request.correlation_id))


def _form_page(request: Request, typed: dict[str, str] | None = None) -> Answer:
    """The form in a browser. ``typed``: what was sent with its button."""
    languages = pages.accepted(request.headers.get("accept-language", ""))
    language = pages.language_of(languages)
    try:
        invitation = _invitation(request)
        scope = _host(invitation)
        asked, before = forms.form(scope, invitation).fields, forms.taken(scope, invitation)
    except (NotFound, Gone):
        return Answer(404, pages.page("unknown", language), pages.HEADERS)
    settings = scope.definitions.settings
    language = pages.language_of([*languages, *settings.languages])
    if before is None and typed is None:
        return Answer(200, form_page.asking(asked, language, settings.name), pages.HEADERS)
    try:
        # An empty form is no submission of any field: what is missing is said beside each.
        receipt = before or forms.submit(scope, invitation, FormSubmission.model_construct(values=typed or {}), request.correlation_id)
    except Unprocessable as refusal:
        return Answer(422, form_page.asking(asked, language, settings.name, typed, refusal.errors), pages.HEADERS)
    gift = receipt.coupon.title if receipt.coupon is not None else None
    return Answer(200, form_page.thanks(language, settings.name, gift, again=before is not None), pages.HEADERS)


def _host(invitation: Invitation) -> TenantScope:
    """Whose form it is. Of a suspended tenant there is none."""
    scope = runtime().scope(NamedTenant(invitation.tenant))
    if scope.definitions.settings.status != "active":
        raise UnknownLink
    return scope


def _invitation(request: Request) -> Invitation:
    return open_invitation(derived(KEY_PURPOSE), request.path["token"], runtime().now())


def _store() -> S3Store:
    return S3Store(runtime().client("s3"), settings().bucket)


def _work_on_part(message: dict[str, Any]) -> None:
    """One part of a bulk job, under the tenant's own session."""
    jobs.check_pointer(message)
    scope = runtime().scope(NamedTenant(message["tenant"]))
    body = jobs.body_of(message, _store())
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
