"""Sending an order: claim, hand over, and note what became of it; each member for herself.

At most once: what is claimed is handed to the provider in the same breath, by nobody else, and never a second time. Whoever
meets a claim that is older than any worker lives notes it as unknown, and a person sees it. Only what the provider surely did not
take (it was too busy) is handed over again, after another claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.campaigns.claiming import TAKEN, Claim, Claimed, Claimer, Met, Skipped
from shared.campaigns.deliveries import DeliveryRepository
from shared.campaigns.messages import Order, Queue
from shared.campaigns.model import CHANNELS, SENDABLE, CampaignBody, Delivery, DeliveryState, Step
from shared.campaigns.repository import CampaignRepository
from shared.campaigns.versions import body_of, version_of
from shared.kernel.errors import AppError, Gone, NotFound
from shared.kernel.instants import MINUTE, SECOND, Instant
from shared.member_state.events import DevicesChanged, Effects
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Occasion, change_member
from shared.members.repository import Device, MemberRepository
from shared.messaging.push import PushResult, PushSender, Sent, Throttled, Unclear, Unreachable
from shared.observability.logs import logger
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

TIME_TO_STOP_MS: Final = 8_000
"""With less left than this the rest of an order is a new message, so that no claim is cut short."""
LOST_AFTER: Final = 2 * MINUTE
"""A claim this old has no worker any more: none lives longer than 60 seconds (infra/functions.py)."""
MAX_ATTEMPTS: Final = 8
_FIRST_DELAY: Final = 30
_LONGEST_DELAY: Final = 900


@dataclass(frozen=True, slots=True)
class Means:
    """What sending works with. ``form_key`` is asked for only where a step has a form."""

    push: PushSender
    own: Queue
    form_key: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one member. ``again``: seconds until she is tried again."""

    what: str
    again: int | None = None
    error: Exception | None = None
    """Why she is not tried again in a message of ours: the whole order comes again, or ends in the dead-letter queue."""


def send(scope: TenantScope, order: Order, means: Means) -> Counter[str]:
    """Send an order's step to its members, and order the next step for them; answers how many came to what.

    Members who must be tried again, and those for whom time is too short, go into new messages. Raises only if somebody cannot
    be reached ``MAX_ATTEMPTS`` times in a row, or the queue cannot.
    Cost per message sent: 2 to 5 reads, a transaction of 4 to 6 items, one Publish a device, a transaction of 2 items.
    """
    found = _body(scope, order)
    if found is None:
        return _drop(scope, order, means)
    body, step = found
    form_key = means.form_key() if step.form is not None else None
    outcomes: dict[str, Outcome] = {}
    for index, member in enumerate(order.members):
        if scope.effort().time_left_ms() < TIME_TO_STOP_MS:
            means.own.send(replace(order, members=order.members[index:]).message())
            break
        outcomes[member] = _one(scope, order, body, step, member, form_key, means)
    _again(order, outcomes, means.own)
    done = [member for member, outcome in outcomes.items() if outcome.again is None and outcome.error is None]
    _next_step(order, body, step, done, means.own)
    counts = Counter(outcome.what for outcome in outcomes.values())
    logger().info("order", extra={"campaign": order.campaign, "step": order.step, "attempt": order.attempt, "outcomes": dict(counts)})
    for outcome in outcomes.values():
        if outcome.error is not None:
            raise outcome.error
    return counts


def _body(scope: TenantScope, order: Order) -> tuple[CampaignBody, Step] | None:
    """The campaign and step to send, or ``None`` if there is nothing to send any more. One read."""
    now, definition = scope.clock(), version_of(scope, order.campaign, order.version)
    run = CampaignRepository(scope.tenant, scope.table).run(order.campaign)
    tenant_is_active = scope.definitions.settings.status == "active"
    too_late = order.expires is not None and now > order.expires
    if definition is None or run is None or run.state not in SENDABLE or too_late or not tenant_is_active:
        return None
    was_retired = definition.retired_from is not None and definition.retired_from <= now
    body = body_of(scope.tenant, definition)
    step = body.step(order.step)
    return (body, step) if step is not None and not was_retired else None


def _drop(scope: TenantScope, order: Order, means: Means) -> Counter[str]:
    """Nothing of it is sent any more; but what was claimed before must not be forgotten. One read of the deliveries."""
    deliveries, now = DeliveryRepository(scope.tenant, scope.table, scope.effort), scope.clock()
    parts = (order.campaign, order.step, order.occurrence)
    wanted = [keys.delivery(scope.tenant, member, *parts, channel) for member in order.members for channel in CHANNELS]
    outcomes = {}
    for delivery in deliveries.get_many(wanted):
        if delivery.state == "waiting":
            deliveries.move(delivery, "failed", now, "no_longer_sent")
        elif delivery.state == "claimed":
            outcomes[delivery.member] = _in_flight(deliveries, delivery, now)
    _again(order, outcomes, means.own)
    return Counter({"dropped": len(order.members)})


def _one(scope: TenantScope, order: Order, body: CampaignBody, step: Step, member: str, form_key: bytes | None, means: Means) -> Outcome:
    """One member. Whatever goes wrong with her is hers alone."""
    try:
        claimer = Claimer(scope, order, body, step, member, form_key)
        claim = claimer.claim()
        if isinstance(claim, Met):
            return _met(claimer, claim.delivery, order, means)
        return _hand_over(claimer, claim, order, means)
    except (Gone, NotFound):
        return Outcome("gone")
    except Exception as error:  # the outermost frame of one member: logged, tried again, and the next one goes on
        reason = error.code if isinstance(error, AppError) else type(error).__name__
        logger().warning("not sent", extra={"member": member, "campaign": order.campaign, "reason": reason})
        return Outcome("error", error=error) if order.attempt >= MAX_ATTEMPTS else Outcome("error", _delay(order))


def _met(claimer: Claimer, delivery: Delivery, order: Order, means: Means) -> Outcome:
    """Somebody claimed it before."""
    if delivery.state == "waiting":
        again = claimer.claim_again(delivery)
        if isinstance(again, Skipped) and again.reason != TAKEN:
            return _settle(claimer, delivery, "failed", again.reason)
        return _hand_over(claimer, again, order, means)
    return _in_flight(claimer.deliveries, delivery, claimer.now) if delivery.state == "claimed" else Outcome("already")


def _in_flight(deliveries: DeliveryRepository, delivery: Delivery, now: Instant) -> Outcome:
    """A claim that nobody has settled: its worker may be at it, or is lost."""
    age = now - delivery.claimed_at
    if age < LOST_AFTER:
        return Outcome("in_flight", (LOST_AFTER - age) // SECOND + 1)
    return Outcome("unknown" if deliveries.move(delivery, "unknown", now, "lost_on_the_way") else "already")


def _hand_over(claimer: Claimer, claim: Claim, order: Order, means: Means) -> Outcome:
    """Give a claimed message to the provider, for each device."""
    if not isinstance(claim, Claimed):
        return Outcome("already" if isinstance(claim, Met) else claim.reason)
    results = [(device, means.push.send(device.endpoint, claim.message)) for device in claim.devices]
    state, reason = _became([result for _, result in results])
    if state == "waiting" and order.attempt >= MAX_ATTEMPTS:
        state, reason = "failed", "throttled"
    outcome = _settle(claimer, claim.delivery, state, reason)
    for device, result in results:
        if isinstance(result, Unreachable) and result.dead:
            _forget(claimer, device)
    return replace(outcome, again=_delay(order)) if state == "waiting" else outcome


def _became(results: Sequence[PushResult]) -> tuple[DeliveryState, str | None]:
    """One device that took it is enough; a doubt outweighs a refusal."""
    if any(isinstance(result, Sent) for result in results):
        return "sent", None
    if any(isinstance(result, Unclear) for result in results):
        return "unknown", "provider_unclear"
    if any(isinstance(result, Throttled) for result in results):
        return "waiting", None
    return "failed", next((result.reason for result in results if isinstance(result, Unreachable)), "no_device")


def _settle(claimer: Claimer, delivery: Delivery, state: DeliveryState, reason: str | None) -> Outcome:
    moved = claimer.deliveries.move(delivery, state, claimer.scope.clock(), reason)
    return Outcome(state if moved else "already")


def _forget(claimer: Claimer, device: Device) -> None:
    """A device whose endpoint is dead is hers no longer; the app brings it back with a new token."""
    scope, member, now = claimer.scope, claimer.member, claimer.scope.clock()
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


def _again(order: Order, outcomes: dict[str, Outcome], own: Queue) -> None:
    """One message for all who wait equally long."""
    delays: dict[int, list[str]] = {}
    for member, outcome in outcomes.items():
        if outcome.again is not None:
            delays.setdefault(outcome.again, []).append(member)
    for delay, members in delays.items():
        own.send(replace(order, members=tuple(members), attempt=order.attempt + 1).message(), delay)


def _next_step(order: Order, body: CampaignBody, step: Step, members: Sequence[str], own: Queue) -> None:
    """The steps of an occurrence go in order: the next is ordered when this one is done with."""
    following = body.steps[body.steps.index(step) + 1 :]
    if following and members:
        own.send(replace(order, step=following[0].id, members=tuple(members), attempt=0).message())


def _delay(order: Order) -> int:
    return min(_FIRST_DELAY << order.attempt, _LONGEST_DELAY)
