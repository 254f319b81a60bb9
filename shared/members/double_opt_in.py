"""Double opt-in: a consent to marketing by e-mail counts as no until she follows the link in a mail. Which ones need it; her confirmation.

What needs it is decided here alone. Whoever reads consents sees a no as long as it waits, and need not know of this. Repeating an answer
asks again, a few times; taking it back ends the waiting, and what links from before it say leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.kernel.instants import MINUTE, Instant
from shared.member_state.effects import Effects
from shared.member_state.events import ConsentsChanged
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.member_state.rights_events import CONFIRMABLE
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.members.model import ConsentRecord
from shared.members.objections import SERVICE, is_proven
from shared.members.repository import MemberRepository, read_fields
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.links import UnknownLink, open_token, seal_token
from shared.tenants.model import TenantSettings
from shared.tenants.scope import TenantScope

KEY_PURPOSE: Final = "consent-confirmations"
"""What the key of the links is derived from the master secret for."""
SOURCE: Final = "double_opt_in"
EMAIL: Final = "email"
RESEND: Final = 10 * MINUTE
TIMES: Final = 3
"""Mails about one answer within their time."""
_LINK: Final = "confirm"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a link confirms. ``address``: the beginning of the keyed hash of where it was sent."""

    member: str
    consent: str
    version: str
    since: Instant
    address: str


def awaiting(settings: TenantSettings, records: Iterable[ConsentRecord], *, proven: bool) -> tuple[ConsentRecord, ...]:
    """Answers as they count now: what needs her confirmation is pending. ``proven``: she gives them over an address proven hers."""
    asks = settings.consents.double_opt_in and not proven
    return tuple(replace(each, granted=False, state="pending") if asks and _needs_it(each) else each for each in records)


def _needs_it(record: ConsentRecord) -> bool:
    return record.granted and record.channel == EMAIL and record.purpose != SERVICE and record.state != "confirmed"


def for_member(settings: TenantSettings, records: Iterable[ConsentRecord], state: MemberState, actor: str) -> tuple[ConsentRecord, ...]:
    """Answers of somebody who is a member: what she says herself with a proven address counts at once, and so does a yes that stands."""
    proven = actor == state.member and is_proven(state, EMAIL)
    return tuple(
        settled
        for each in records
        for stands in [state.consents.get(each.key)]
        for settled in awaiting(settings, [each], proven=proven or (stands is not None and stands.granted))
    )


def is_news(state: MemberState, record: ConsentRecord, now: Instant) -> bool:
    """Whether an answer says another thing than the one that stands, or asks once more for a confirmation when it is time for that."""
    stands, waits = state.consents.get(record.key), state.pending.get(record.key)
    as_it_was = stands is not None and stands.version == record.version and stands.granted == record.granted
    if record.state != "pending":
        return waits is not None or not as_it_was
    if waits is None or not as_it_was or now >= waits.asked_at + CONFIRMABLE:
        return True
    return now >= waits.asked_at + RESEND and waits.times < TIMES


def delivery_of(asked_at: Instant) -> str:
    """How the mail that asks is named, in the record of what it brought too."""
    return f"{SOURCE}-{asked_at}"


def address_of(scope: TenantScope, email: str) -> str:
    """What a link says of the address: enough to tell that it is still hers, of no use to anybody else."""
    return scope.blind(EMAIL, email)[:16]


def seal(key: bytes, tenant: str, confirmation: Confirmation, asked_at: Instant) -> str:
    """The token of a link, good for seven days from ``asked_at``."""
    each = confirmation
    payload = {"t": tenant, "m": each.member, "c": each.consent, "v": each.version, "s": each.since, "a": each.address}
    return seal_token(key, _LINK, payload, asked_at + CONFIRMABLE)


def open_confirmation(key: bytes, tenant: str, token: str, now: Instant) -> Confirmation:
    """What the token says. ``UnknownLink`` for any other text, and another tenant's; ``ExpiredLink``."""
    payload: dict[str, Any] = open_token(key, _LINK, token, now)
    if payload["t"] != tenant:
        raise UnknownLink
    return Confirmation(payload["m"], payload["c"], payload["v"], payload["s"], payload["a"])


def confirm(scope: TenantScope, link: Confirmation, correlation: str = "") -> None:
    """She has followed the link: her consent holds from now on. Again changes nothing. One transaction.

    ``UnknownLink`` if she took it back or changed her address meanwhile, or is no member any more.
    """
    now, loaded = scope.clock(), StateRepository(scope.tenant, scope.table).load(link.member)
    hers = loaded.state.member
    email = read_fields(scope, hers, "contact").get(EMAIL)
    if email is None or address_of(scope, email) != link.address or scope.definitions.settings.status != "active":
        raise UnknownLink

    def decide(state: MemberState, _stale: Stale) -> Change[None] | Done[None]:
        stands, waits = state.consents.get(link.consent), state.pending.get(link.consent)
        if stands is not None and stands.granted and stands.version == link.version:
            return Done(None)
        if waits is None or waits.since != link.since:
            raise UnknownLink
        purpose, _, channel = link.consent.rpartition(":")
        record = ConsentRecord(
            purpose, channel, True, link.version, now, SOURCE, hers, proof=delivery_of(waits.asked_at), state="confirmed",
            asked_at=waits.asked_at,
        )  # fmt: skip

        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> None:
            MemberRepository(scope.tenant, scope.table).add_consents(batch, after.member, (record,), now)

        return Change([ConsentsChanged(now, {record.key: record.current})], finish)

    change_member(scope, hers, Occasion(now, correlation), decide, loaded=loaded)
