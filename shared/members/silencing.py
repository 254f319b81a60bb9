"""What tells us to be silent, and what ends that: consents that are withdrawn for her, channels that take no more, and new addresses.

Every one of these is safe to repeat: what is so already writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from shared.kernel.errors import NotFound
from shared.kernel.instants import Instant
from shared.member_state.effects import Effects
from shared.member_state.events import ChannelSuppressed, ConsentsChanged, MemberEvent
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.members.model import ConsentRecord
from shared.members.repository import MemberRepository
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.messaging import CHANNELS, Channel
from shared.tenants.scope import TenantScope

ADDRESSES: Final[Mapping[str, Channel]] = {"email": "email", "phone": "sms"}
"""Profile field -> the channel that it is the address of."""
NEW_ADDRESS: Final = "new_address"
BY_HAND: Final = "by_hand"
Purpose = tuple[str, str]
"""Purpose and channel of a consent."""


class UnknownSuppression(NotFound):
    """Nothing is held back from this member over this channel."""

    code, title = "unknown_suppression", "Channel not suppressed"


def silence(
    scope: TenantScope,
    member: str,
    purposes: Sequence[Purpose] | Callable[[MemberState], Sequence[Purpose]],
    source: str,
    proof: str,
    *,
    suppressed: tuple[Channel, str] | None = None,
    correlation: str = "",
) -> None:
    """Withdraw her consents to purposes, where that is not her answer already, and suppress a channel for a reason. One transaction.

    ``source`` is how we know, ``proof`` the delivery that it came with; the document is the one that she last answered to.
    """
    now, repository = scope.clock(), MemberRepository(scope.tenant, scope.table)

    def decide(state: MemberState, _stale: Stale) -> Change[None] | Done[None]:
        named = purposes(state) if callable(purposes) else purposes
        records = _answers(state, named, source, proof, now)
        events: list[MemberEvent] = []
        if records:
            events.append(ConsentsChanged(now, {each.key: each.current for each in records}))
        if suppressed is not None and suppressed[0] not in state.suppressed:
            events.append(ChannelSuppressed(now, *suppressed))
        if not events:
            return Done(None)

        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> None:
            repository.add_consents(batch, after.member, records, now)

        return Change(events, finish)

    change_member(scope, member, Occasion(now, correlation), decide)


def granted_on(channel: Channel) -> Callable[[MemberState], list[Purpose]]:
    """Every purpose that she has allowed over a channel."""

    def purposes(state: MemberState) -> list[Purpose]:
        allowed = (key.rpartition(":") for key, consent in state.consents.items() if consent.granted)
        return [(purpose, on) for purpose, _, on in allowed if on == channel]

    return purposes


def lift(scope: TenantScope, member: str, channel: str, correlation: str = "", *, only: str | None = None) -> None:
    """Let a channel be used again. ``UnknownSuppression`` if it is not suppressed, or not for the reason ``only``. One transaction."""
    now = scope.clock()

    def decide(state: MemberState, _stale: Stale) -> Change[None]:
        is_another = only is not None and state.suppressed.get(channel) != only
        if channel not in CHANNELS or channel not in state.suppressed or is_another:
            raise UnknownSuppression
        return Change([ChannelSuppressed(now, channel, only or BY_HAND, lifted=True)], lambda *_: None)

    change_member(scope, member, Occasion(now, correlation), decide)


def lifted_by(state: MemberState, changed: Collection[str], fields: Mapping[str, str], now: Instant) -> list[MemberEvent]:
    """A new address ends what was held against the old one. ``changed``: fields of the profile, ``fields`` as they are now."""
    new = [channel for name, channel in ADDRESSES.items() if name in changed and fields.get(name)]
    return [ChannelSuppressed(now, channel, NEW_ADDRESS, lifted=True) for channel in new if channel in state.suppressed]


def _answers(
    state: MemberState, purposes: Sequence[Purpose], source: str, proof: str, now: Instant
) -> tuple[ConsentRecord, ...]:
    records = []
    for purpose, channel in purposes:
        key = f"{purpose}:{channel}"
        before = state.consents.get(key)
        if before is None or before.granted or key in state.pending:
            version = before.version if before is not None else ""
            records.append(ConsentRecord(purpose, channel, False, version, now, source, state.member, proof=proof))
    return tuple(records)
