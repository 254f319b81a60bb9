"""From a claim to what became of it: handed to the provider in the same breath, by nobody else, and never a second time.

Whoever meets a claim that is older than any worker lives notes it as unknown, and a person sees it. Only what the provider surely did
not take (it was too busy) is handed over again, after another claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.campaigns.claiming import TAKEN, Claim, Claimed, Claimer, Deferred, Met, Skipped
from shared.campaigns.deliveries import DeliveryRepository, delivery_id
from shared.campaigns.model import Channel, Delivery, DeliveryState
from shared.campaigns.participant import Participant
from shared.kernel.errors import AppError
from shared.kernel.instants import MINUTE, SECOND, Instant
from shared.member_state.effects import Effects
from shared.member_state.events import DevicesChanged
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Occasion, change_member
from shared.members.repository import Device, MemberRepository
from shared.members.silencing import granted_on, silence
from shared.messaging.port import OPTED_OUT, Result, Senders, Sent, Throttled, Unclear, Unreachable, Withheld
from shared.observability.logs import logger
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch

LOST_AFTER: Final = 2 * MINUTE
"""A claim this old has no worker any more: none lives longer than 60 seconds (infra/functions.py)."""
MAX_ATTEMPTS: Final = 8
_FIRST_DELAY: Final = 30
_LONGEST_DELAY: Final = 900


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one message. ``again``: seconds until it is tried again. ``delivery``: of the claim, if there is one."""

    what: str
    again: int | None = None
    delivery: Delivery | None = None


def retry_delay(attempt: int) -> int:
    """Seconds until the next attempt."""
    return min(_FIRST_DELAY << attempt, _LONGEST_DELAY)


def deliver(claimer: Claimer, senders: Senders) -> Outcome:
    """Claim it and hand it over, or meet what was claimed before."""
    claim = claimer.claim()
    if isinstance(claim, Met):
        return _met(claimer, claim.delivery, senders)
    return _hand_over(claimer, claim, senders)


def in_flight(deliveries: DeliveryRepository, delivery: Delivery, now: Instant) -> Outcome:
    """A claim that nobody has settled: its worker may be at it, or is lost."""
    age = now - delivery.claimed_at
    if age < LOST_AFTER:
        return Outcome("in_flight", (LOST_AFTER - age) // SECOND + 1, delivery)
    moved = deliveries.move(delivery, "unknown", now, "lost_on_the_way")
    return Outcome("unknown" if moved else "already", None, delivery)


def _met(claimer: Claimer, delivery: Delivery, senders: Senders) -> Outcome:
    """Somebody claimed it before."""
    if delivery.state == "waiting":
        again = claimer.claim_again(delivery)
        if isinstance(again, Skipped) and again.reason != TAKEN:
            return _settle(claimer.her, delivery, "failed", again.reason)
        return _hand_over(claimer, again, senders)
    if delivery.state == "claimed":
        return in_flight(claimer.her.deliveries, delivery, claimer.her.now)
    return Outcome("already", None, delivery)


def _hand_over(claimer: Claimer, claim: Claim, senders: Senders) -> Outcome:
    """Give a claimed message to the provider, for each address."""
    if isinstance(claim, Met):
        return Outcome("already", None, claim.delivery)
    if isinstance(claim, Deferred):
        return Outcome("deferred")
    if isinstance(claim, Skipped):
        return Outcome(claim.reason)
    her, sender = claimer.her, senders.get(_channel(claim))
    found: list[tuple[Device | None, Result]] = []
    for address in claim.addresses:
        result = sender.send(address.to, claim.message) if sender is not None else Unreachable("not_configured")
        found.append((address.device, result))
    state, reason = _became([result for _, result in found])
    if state == "waiting" and her.order.attempt >= MAX_ATTEMPTS:
        state, reason = "failed", "throttled"
    outcome = _settle(her, claim.delivery, state, reason)
    for device, result in found:
        if device is not None and isinstance(result, Unreachable) and result.dead:
            _forget(her, device)
        if result == OPTED_OUT:
            _opted_out(her, claim.delivery)
    if state == "waiting":
        return Outcome(outcome.what, retry_delay(her.order.attempt), claim.delivery)
    return outcome


def _channel(claim: Claimed) -> Channel:
    channel: Channel = claim.delivery.channel  # type: ignore[assignment]
    return channel


def _became(results: Sequence[Result]) -> tuple[DeliveryState, str | None]:
    """One address that took it is enough; a doubt outweighs a refusal."""
    if any(isinstance(result, Sent) for result in results):
        return "sent", None
    if any(isinstance(result, Unclear) for result in results):
        return "unknown", "provider_unclear"
    if any(isinstance(result, Throttled) for result in results):
        return "waiting", None
    withheld = next((result.reason for result in results if isinstance(result, Withheld)), None)
    if withheld is not None:
        # Counted as what she was not to get: no response, no cost and no purchase of it follows.
        return "suppressed", withheld
    return "failed", next((result.reason for result in results if isinstance(result, Unreachable)), "unreachable")


def _settle(her: Participant, delivery: Delivery, state: DeliveryState, reason: str | None) -> Outcome:
    moved = her.deliveries.move(delivery, state, her.scope.clock(), reason)
    return Outcome(state if moved else "already", None, delivery)


def _opted_out(her: Participant, delivery: Delivery) -> None:
    """The provider holds her number's STOP: we know of it from here on, whoever asks."""
    try:
        silence(her.scope, her.member, granted_on("sms"), "opt_out", delivery_id(delivery), suppressed=("sms", "opt_out"))
    except AppError as error:
        # The message is settled; the next one meets the same answer.
        logger().warning("opt-out not noted", extra={"member": her.member, "reason": error.code})


def _forget(her: Participant, device: Device) -> None:
    """A device whose endpoint is dead is hers no longer; the app brings it back with a new token."""
    scope, member, now = her.scope, her.member, her.scope.clock()
    repository = MemberRepository(scope.tenant, scope.table)

    def decide(state: MemberState, stale: Stale) -> Change[None]:
        left = tuple(each for each in state.devices if each != device.id)
        still_hers = f"pointer:{device.id}" not in stale

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> None:
            if still_hers:
                repository.add_device_end(batch, member, device.id)

        return Change([DevicesChanged(now, left)], finish)

    try:
        change_member(scope, member, Occasion(now), decide)
    except AppError as error:
        # The message is settled; the next one meets the dead device again.
        logger().warning("dead device kept", extra={"member": member, "reason": error.code})
