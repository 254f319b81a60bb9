"""Registering a member through the API. ``shared.members.enrolment`` makes her; here is who may, and what is answered.

Repeating is safe: the same Apple or Google subject answers the member that is there, and so does the same
``Idempotency-Key`` with the same body.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

from shared.kernel.errors import FieldError, Forbidden, Unprocessable
from shared.kernel.instants import NEVER, SECOND, Instant, parse_rfc3339
from shared.member_state.model import MemberState
from shared.member_state.service import view_member
from shared.members import api, devices, referral_codes
from shared.members.age import check_age
from shared.members.answers import member_answer
from shared.members.claims import Claims, claims_of, verify
from shared.members.double_opt_in import awaiting
from shared.members.enrolment import Enrolment, KeyedCall, enrol
from shared.members.errors import NothingToIdentify
from shared.members.model import ConsentRecord, Fields, checked_zone, merged, normalised
from shared.members.repository import read_fields
from shared.storage import keys
from shared.storage.items import IdentifierItem
from shared.tenants.jwks import JwksSource
from shared.tenants.oidc import VerifiedIdentity
from shared.tenants.scope import TenantScope
from shared.tenants.tokens import LIFETIME, TokenSigner
from shared.wallet.model import Posting

RECORD_KIND: Final = "register"


@dataclass(frozen=True, slots=True)
class Desk:
    """What registering needs beside a scope: our tokens, the providers' keys, the push service."""

    tokens: TokenSigner
    jwks: JwksSource
    push: devices.PushRegistry


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: the key's or member's id, and whether members:write is held."""

    id: str
    may_write: bool = False


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer; ``created`` unless she was a member before."""

    answer: api.RegisterAnswer
    created: bool


def register(
    scope: TenantScope, request: api.RegisterRequest, desk: Desk, actor: Actor, correlation: str = "", idempotency_key: str | None = None
) -> Registered:
    """Enrol a member, or find the one whose identity it is.

    A sign-in of a known member costs 1 read for the identity and those of her view; a new member those of ``enrol``.
    """
    now = scope.clock()
    if request.identity is None and not request.identifiers:
        raise NothingToIdentify("Send an identity token, or at least one identifier.")
    identity = verify(scope.definitions.settings, request.identity, desk.jwks, now) if request.identity is not None else None
    device = devices.prepare(scope, request.device, desk.push, "/device") if request.device is not None else None
    member = _member_of(scope, identity) if identity is not None else None
    if member is None:
        enrolment = enrolment_of(scope, request, actor, identity, correlation)
        if request.referral_code is not None:
            owner = device.owner if device is not None else None
            referrer = referral_codes.referrer_of(scope, request.referral_code, _contacts(enrolment), owner)
            enrolment = replace(enrolment, referrer=referrer)
        if identity is None and idempotency_key is not None:
            enrolment = replace(enrolment, call=_keyed_call(scope, request, actor, idempotency_key))
        enrolled = enrol(scope, enrolment)
        member = enrolled.member
        if enrolled.state is not None and device is None:
            return Registered(_answer(scope, desk, enrolled.state, enrolment.fields, created=True), True)
        created = enrolled.state is not None
    else:
        created = False
    if device is not None:
        devices.attach(scope, member, device, correlation)
    state = view_member(scope, member, now)
    return Registered(_answer(scope, desk, state, read_fields(scope, state.member), created=created), created)


def enrolment_of(
    scope: TenantScope, request: api.RegisterRequest, actor: Actor, identity: VerifiedIdentity | None, correlation: str
) -> Enrolment:
    """A checked request as what is to be stored. Reads nothing but cached definitions and keys."""
    settings, now = scope.definitions.settings, scope.clock()
    claims = claims_of(settings, identity, request.identifiers, may_write=actor.may_write)
    at = _joined_at(request, actor, now)
    return Enrolment(
        at=at,
        mode="live" if request.joined_at is None else "historical",
        source=request.source,
        location=request.location_id or "",
        claims=claims.proven,
        fields=_fields(scope, request, claims, now),
        attributes=request.attributes,
        consents=awaiting(
            settings, consent_records(request.consents, at, request.source, actor), proven=_has_proven_email(identity, request)
        ),
        correlation=correlation,
        tags=tuple(sorted(set(request.tags))),
        opening=_opening(request, actor, now),
        zone=checked_zone(request.time_zone),
    )


def _contacts(enrolment: Enrolment) -> list[tuple[str, str]]:
    """The phone number and address of a registration, proven or not."""
    return [(kind, value) for kind in ("phone", "email") if (value := enrolment.fields.get(kind)) is not None]


def _opening(request: api.RegisterRequest, actor: Actor, now: Instant) -> tuple[Posting, ...]:
    """Opening balances as lots; those that have expired already bring nothing."""
    if request.opening_balances and not actor.may_write:
        raise Forbidden("Opening balances need the scope members:write.")
    lots = (
        Posting(
            each.wallet,
            "open",
            each.points,
            parse_rfc3339(each.available_at) if each.available_at is not None else 0,
            parse_rfc3339(each.expires_at) if each.expires_at is not None else NEVER,
        )
        for each in request.opening_balances
    )
    return tuple(lot for lot in lots if lot.expires_at > now)


def consent_records(consents: tuple[api.ConsentInput, ...], at: Instant, source: str, actor: Actor) -> tuple[ConsentRecord, ...]:
    """Answers as records, with when, where and by whom they were sent."""
    if any(each.confirmed_at is not None for each in consents) and not actor.may_write:
        raise Forbidden("Vouching for a consent that was confirmed elsewhere needs the scope members:write.")
    return tuple(_record(each, at, source, actor) for each in consents)


def _record(given: api.ConsentInput, at: Instant, source: str, actor: Actor) -> ConsentRecord:
    record = ConsentRecord(given.purpose, given.channel, given.granted, given.document_version, at, source, actor.id, given.text_shown)
    if given.confirmed_at is None:
        return record
    return replace(record, proof=given.confirmed_by or "", state="confirmed", asked_at=parse_rfc3339(given.confirmed_at))


def _has_proven_email(identity: VerifiedIdentity | None, request: api.RegisterRequest) -> bool:
    """Whether she proves her address in this very call: by a code, or by the provider that verified it."""
    by_code = any(each.kind == "email" and each.proof == "otp" for each in request.identifiers)
    return by_code or (identity is not None and identity.email is not None and identity.email_verified)


def _fields(scope: TenantScope, request: api.RegisterRequest, claims: Claims, now: Instant) -> dict[str, str]:
    settings = scope.definitions.settings
    patch = request.profile.model_dump(exclude_none=True)
    fields = merged(claims.contact, normalised(patch, settings.country, now, settings.time_zone, "/profile"))
    check_age(settings, fields, now, "/profile/birth_date")
    return fields


def _joined_at(request: api.RegisterRequest, actor: Actor, now: Instant) -> Instant:
    if request.joined_at is None:
        return now
    if not actor.may_write:
        raise Forbidden("Importing an older membership needs the scope members:write.")
    at = parse_rfc3339(request.joined_at)
    if at > now:
        hint = FieldError("/joined_at", "occurred_in_future", "lies in the future")
        raise Unprocessable("The request does not fit; see errors.", errors=(hint,))
    return at


def _member_of(scope: TenantScope, identity: VerifiedIdentity) -> str | None:
    """Whose identity it is. 1 read unit."""
    raw = scope.table.get(keys.identifier(scope.tenant, identity.provider, scope.blind(identity.provider, identity.subject)))
    return IdentifierItem.read(raw).member if raw is not None else None


def _keyed_call(scope: TenantScope, request: api.RegisterRequest, actor: Actor, key: str) -> KeyedCall:
    """Keyed hashes: the body holds a phone number, and a plain hash of it could be guessed."""
    natural = hashlib.sha256(key.encode()).hexdigest()
    tag = scope.blind(RECORD_KIND, request.model_dump_json(exclude_defaults=True))
    return KeyedCall(keys.request(scope.tenant, RECORD_KIND, actor.id, natural), tag.encode())


def _answer(scope: TenantScope, desk: Desk, state: MemberState, fields: Fields, *, created: bool) -> api.RegisterAnswer:
    return api.RegisterAnswer(
        member_id=state.member,
        status="created" if created else "existing",
        access_token=desk.tokens.issue(scope.tenant, state.member, scope.clock()),
        expires_in=LIFETIME // SECOND,
        member=member_answer(state, fields),
    )
