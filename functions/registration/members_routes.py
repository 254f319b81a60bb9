"""Members: enrolment, identification at the till, identifiers, consents, devices, and what she sees of herself."""

from __future__ import annotations

from functools import partial

from functions.registration.wiring import Wiring, actor_of, member_of
from shared.http.app import Answer, Request
from shared.kernel.ids import is_id
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.members import (
    api,
    cards,
    challenges,
    changes,
    devices,
    inbox,
    lookup,
    profile_api,
    profiles,
    profiling,
    reading,
    service,
    silencing,
    why,
)
from shared.members.errors import IdentifierBlocked
from shared.tenants import apple_client, sessions
from shared.tenants.jwks import JwkSet
from shared.tenants.oidc import audience_of
from shared.tenants.principal import require_location
from shared.tenants.scope import TenantScope


def add(wiring: Wiring) -> None:
    """Register the operations of this file."""
    wiring.on("register_member", _register_member)
    wiring.on("identify_member", _identify_member)
    wiring.on("add_identifier", _add_identifier)
    wiring.on("lift_suppression", _lift_suppression)
    wiring.on("explain_membership", _explain_membership)
    wiring.both("update_member", _update)
    wiring.both("set_consents", _set_consents)
    wiring.both("set_profiling", _set_profiling)
    wiring.both("add_device", _add_device)
    wiring.both("remove_device", _remove_device)
    wiring.both("list_ledger", _ledger)
    wiring.both("list_inbox", _inbox)
    wiring.both("read_message", _read_message)
    wiring.both("get_coupon_qr", _coupon_qr)
    wiring.both("get_profile", _profile)
    wiring.both("get_member", lambda _wiring, _request, scope, member: Answer(body=reading.get_member(scope, member)))
    wiring.both("get_wallet", lambda _wiring, _request, scope, member: Answer(body=reading.get_wallet(scope, member)))
    wiring.both("list_member_coupons", lambda _wiring, _request, scope, member: Answer(body=reading.list_coupons(scope, member)))
    wiring.both("list_member_challenges", lambda _wiring, _request, scope, member: Answer(body=challenges.list_challenges(scope, member)))
    wiring.both("get_card", lambda wiring, _request, scope, member: Answer(body=cards.card(scope, member, wiring.desk().tokens)))
    wiring.both("list_member_segments", lambda _wiring, _request, scope, member: Answer(body=reading.list_segments(scope, member)))


def _register_member(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/members."""
    body, scope = request.parse(api.RegisterRequest), wiring.scope(request)
    registered = service.register(scope, body, wiring.desk(), actor_of(request), request.correlation_id, request.idempotency_key)
    answer = registered.answer
    _keep_apples_token(wiring, scope, body, answer.member_id)
    if body.remember:
        begun = sessions.begin(scope, answer.member_id, wiring.session_desk())
        answer = answer.model_copy(update={"refresh_token": begun.token, "refresh_expires_in": begun.seconds})
    return Answer(201 if registered.created else 200, answer)


def _keep_apples_token(wiring: Wiring, scope: TenantScope, body: api.RegisterRequest, member: str) -> None:
    """Where the app sent Apple's authorization code. The identity token was verified, so the audience is one of the tenant's apps."""
    identity = body.identity
    if identity is not None and identity.provider == "apple" and identity.authorization_code is not None:
        apple_client.keep_token(scope, member, identity.authorization_code, audience_of(identity.token), wiring.apple())


def _identify_member(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/members/identify."""
    scope, body, caller = wiring.scope(request), request.parse(api.IdentifyRequest), request.principal.id
    if body.location_id is not None:
        require_location(request.principal, body.location_id, scope.groups_of)
    wiring.lookups.admit(scope, caller, body)
    try:
        answer = lookup.identify(scope, body, caller, partial(_own_keys, wiring))
    except (UnknownMember, ErasedMember, IdentifierBlocked):
        wiring.lookups.note(scope, caller, body, known=False)
        raise
    wiring.lookups.note(scope, caller, body, known=True)
    return Answer(body=answer)


def _own_keys(wiring: Wiring) -> JwkSet:
    return JwkSet.of(wiring.desk().tokens.jwks())


def _add_identifier(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/members/{member_id}/identifiers."""
    body = request.parse(api.IdentifierRequest)
    answer, is_new = changes.add_identifier(wiring.scope(request), member_of(request), body, request.correlation_id)
    return Answer(201 if is_new else 200, answer)


def _lift_suppression(wiring: Wiring, request: Request) -> Answer:
    """DELETE /v1/members/{member_id}/suppressions/{channel}."""
    silencing.lift(wiring.scope(request), member_of(request), request.path["channel"], request.correlation_id)
    return Answer()


def _explain_membership(wiring: Wiring, request: Request) -> Answer:
    """GET /v1/members/{member_id}/segments/{segment_id}/why."""
    return Answer(body=why.explain_membership(wiring.scope(request), member_of(request), request.path["segment_id"]))


def _update(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=changes.update_member(scope, member, request.parse(api.ProfilePatch), request.correlation_id))


def _set_consents(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    body = request.parse(api.ConsentsRequest)
    return Answer(body=changes.set_consents(scope, member, body, actor_of(request), request.correlation_id))


def _set_profiling(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    body = request.parse(profile_api.ProfilingRequest)
    return Answer(body=profiling.set_profiling(scope, member, body, request.correlation_id))


def _add_device(wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=devices.add_device(scope, member, request.parse(api.DeviceRequest), wiring.desk().push, request.correlation_id))


def _remove_device(wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    devices.remove_device(scope, member, request.path["device_id"], wiring.desk().push, request.correlation_id)
    return Answer()


def _ledger(wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=reading.list_ledger(scope, member, request.page_limit(), request.cursor, wiring.derived("cursors")))


def _inbox(wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=inbox.list_inbox(scope, member, request.page_limit(), request.cursor, wiring.derived("cursors")))


def _read_message(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    message = request.path["message_id"]
    if not is_id("inb", message):
        raise inbox.UnknownMessage
    return Answer(body=inbox.read_message(scope, member, message, request.correlation_id))


def _coupon_qr(wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=cards.coupon_qr(scope, member, request.path["coupon_id"], wiring.desk().tokens))


def _profile(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=profiles.get_profile(scope, member, profiles.asked_for(request.query)))
