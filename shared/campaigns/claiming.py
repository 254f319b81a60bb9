"""The claim: the one write that makes a message hers to get, before any provider is called.

One transaction holds the delivery (if there is none by its key), her state under the version that consent, suppression, segment
and caps were read from, her gate, and the coupon that comes with it. So nothing can be claimed twice, nor after the
campaign was stopped or she said no. Where it may go out later only, the same kind of transaction makes it a journey of her state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from shared.campaigns.content import Attached
from shared.campaigns.deliveries import DELIVERY_LABEL, delivery_id
from shared.campaigns.eligibility import Drop, Go, Policy, Wait, allowed, decide
from shared.campaigns.gifts import WITHHELD, add_coupon, attach, attached_before, given
from shared.campaigns.model import Channel, Delivery, DeliveryState
from shared.campaigns.participant import Address, Participant
from shared.campaigns.policies import policy_of, price_of
from shared.campaigns.repository import GATE_LABEL
from shared.campaigns.rules import variant_at
from shared.campaigns.steps import SendStep, WebhookStep
from shared.campaigns.writing import Keys, Written, kept_links, message_of, sealed_links, webhook_of
from shared.coupons.errors import NoOffer, TooManyCoupons, UnknownOffer
from shared.kernel.instants import MINUTE, Instant
from shared.member_state.effects import Effects
from shared.member_state.events import JourneyMoved, MemberEvent, TimePassed, Touched
from shared.member_state.model import MemberState
from shared.member_state.repository import STATE_LABEL
from shared.member_state.service import Change, Done, peek
from shared.messaging.payloads import MessageTooLarge
from shared.messaging.port import Message
from shared.messaging.sms import size_of as sms_size
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.expressions import Condition, Path
from shared.storage.table import WriteBatch

STOPPED: Final = "campaign_stopped"
HELD_OUT: Final = "held_out"
TAKEN: Final = "claimed_by_another"
"""A waiting delivery was claimed again by somebody else."""
_NOT_MEANT: Final = frozenset({STOPPED, "not_active", "restricted", "not_in_segment", "not_in_audience"})
"""It was not for her, or may be yet: of these there is no record that she did not get it."""
_NOT_HERS: Final = frozenset({"no_consent", "suppressed", "unreachable"})
"""Why she would not get it whoever she is compared with: nobody is held out of what would not be sent."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Hers to get: the message, and where it goes."""

    delivery: Delivery
    message: Message
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not hers to get, and nothing was written; or that she is held out was."""

    reason: str


@dataclass(frozen=True, slots=True)
class Met:
    """There is a delivery already: by this key, or of this rung."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: a journey of her state brings her back."""

    reason: str


Claim = Claimed | Skipped | Met | Deferred


class Claimer:
    """Claims one rung of one step for one member: of a ladder one channel after another, or (``only``) one of all."""

    def __init__(self, her: Participant, step: SendStep | WebhookStep, keys_: Keys, rung: int = 0, only: Channel | None = None) -> None:
        self.her, self.step, self.rung, self._keys = her, step, rung, keys_
        self.policy = _policy(her, step, only)
        self.is_message = isinstance(step, SendStep)
        self._variant = variant_at(her.body, step, her.order.campaign, her.member)

    def claim(self) -> Claim:
        """Claim it, defer it, or say why not. One transaction of 4 to 7 items, or a read.

        What was claimed before is met whatever has changed since, so that nobody loses sight of a claim that got stuck.
        """
        found = self.her.change(self._decide)
        if not isinstance(found, Skipped) or found.reason == HELD_OUT:
            return found
        before = self.claimed_before()
        if before is not None:
            return Met(before)
        if found.reason not in _NOT_MEANT:
            self.her.deliveries.put_suppressed(self._record("suppressed", self._rung_of(self.rung), self.rung), found.reason)
        return found

    def claimed_before(self) -> Delivery | None:
        """The delivery of this rung or a later one, if there is one: which channel a rung took is not decided twice."""
        rungs = self.policy.rungs
        wanted = [self._key(channel) for channel in rungs]
        found = [each for each in self.her.deliveries.get_many(wanted) if len(rungs) == 1 or each.rung >= self.rung]
        return min(found, key=lambda each: each.rung, default=None)

    def claim_again(self, waiting: Delivery) -> Claim:
        """Claim what the provider was too busy for: everything but cap and time is asked again, since her state counts it already."""
        her = self.her

        def plan(stale: Stale) -> Plan[Claim]:
            batch = WriteBatch()
            if DELIVERY_LABEL in stale:
                return Plan(batch, Skipped(TAKEN))
            if GATE_LABEL in stale:
                return Plan(batch, Skipped(STOPPED))
            loaded = her.load()
            version = loaded.state.version
            state = peek(her.scope, loaded, her.now)
            channel = _channel(waiting)
            addresses = self._addresses(channel, state)
            reason = her.outside(state) or allowed(self.policy, state, channel) or (None if addresses else "unreachable")
            attached = attached_before(her, waiting.coupon) if waiting.coupon is not None else None
            if reason is not None or (waiting.coupon is not None and attached is None):
                return Plan(batch, Skipped(reason or "coupon_gone"))
            her.deliveries.add_claim_again(batch, waiting, her.now)
            her.gates.add_gate_check(batch, her.order.campaign, her.member)
            her_state_is_what_was_asked: Condition = Path("version") == version
            batch.check(STATE_LABEL, keys.state(her.scope.tenant, her.member), her_state_is_what_was_asked)
            delivery = replace(waiting, state="claimed", claimed_at=her.now, seq=waiting.seq + 1)
            known = kept_links(her.scope.cipher(her.member), waiting.data) if waiting.data is not None else ()
            written = self._message(delivery, attached, state, known)
            return Plan(batch, Claimed(delivery, written.message, addresses))

        return commit(her.scope.table, plan, effort=her.scope.effort())

    def next_due(self, at: int) -> Instant | None:
        """When the rung after ``at`` is tried, if there is one."""
        step = self.step
        minutes = step.ladder.next_after_minutes if isinstance(step, SendStep) and step.ladder is not None else None
        return self.her.now + minutes * MINUTE if minutes is not None and at + 1 < len(self.policy.rungs) else None

    # -- the decision -----------------------------------------------------------------------------------------------------

    def _decide(self, state: MemberState, stale: Stale) -> Change[Claim] | Done[Claim]:
        her = self.her
        there = stale.get(DELIVERY_LABEL)
        if there is not None:
            return Done(Met(her.deliveries.decode(there)))
        if GATE_LABEL in stale:
            return Done(Skipped(STOPPED))
        before = self.claimed_before() if len(self.policy.rungs) > 1 else None
        if before is not None:
            return Done(Met(before))
        outside = her.outside(state)
        if outside is not None:
            return Done(Skipped(outside))
        verdict = self._verdict(state)
        if isinstance(verdict, Drop) and verdict.reason in _NOT_HERS:
            return Done(Skipped(verdict.reason))
        if her.held_out:
            return self._hold_out(self._rung_of(self.rung), None)
        if isinstance(verdict, Drop):
            return Done(Skipped(verdict.reason))
        if isinstance(verdict, Wait):
            return self._defer(verdict, state)
        return self._go(verdict, state)

    def _verdict(self, state: MemberState) -> Go | Wait | Drop:
        reachable = self.her.reachable(self.policy.rungs, state)
        return decide(self.policy, state, reachable, self._first_rung, self.her.order.since or self.her.now, self.her.now)

    @property
    def _first_rung(self) -> int:
        """Of the policy's rungs, of which there is one where all channels get it."""
        return self.rung if len(self.policy.rungs) > 1 else 0

    def _go(self, verdict: Go, state: MemberState) -> Change[Claim] | Done[Claim]:
        delivery = self._record("claimed", verdict.channel, verdict.rung if len(self.policy.rungs) > 1 else self.rung)
        addresses = self._addresses(verdict.channel, state)
        if not addresses:
            return Done(Skipped("unreachable"))
        try:
            offer = self.step.offer if isinstance(self.step, SendStep) else None
            attached = attach(self.her, offer, state, delivery_id(delivery))
            written = self._message(delivery, attached, state)
            coupon = attached.coupon.id if attached is not None else None
            delivery = replace(delivery, coupon=coupon, language=written.language, data=sealed_links(self.her, written.links))
            delivery = replace(delivery, cost_e6=self._cost(verdict.channel, written.message, len(addresses)))
        except NoOffer as none:
            return self._hold_out(verdict.channel, WITHHELD) if none.kind == "holdout" else Done(Skipped(none.code))
        except (UnknownOffer, TooManyCoupons, MessageTooLarge) as error:
            return Done(Skipped(error.code))
        return self._change(Claimed(delivery, written.message, addresses), attached, verdict.rung)

    def _change(self, claimed: Claimed, attached: Attached | None, at: int) -> Change[Claim]:
        her = self.her
        events: list[MemberEvent] = [self._touched(claimed.delivery.channel, held=False)]
        if attached is not None:
            events.append(given(her, attached))
        due = self.next_due(at)
        if due is not None:
            events.append(self._journey(due, "rung", at + 1, 0))

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Claim:
            her.deliveries.add_new(batch, claimed.delivery)
            her.gates.add_gate_check(batch, her.order.campaign, her.member)
            if attached is not None:
                add_coupon(her, batch, attached)
            return claimed

        return Change(events, finish)

    def _defer(self, verdict: Wait, state: MemberState) -> Change[Claim] | Done[Claim]:
        """Wait for the time; the gate is asked as for a claim. Who waits for it already goes on waiting."""
        her = self.her
        place = (her.order.campaign, her.order.occurrence, self.step.id, self.rung)
        deferred = Deferred(verdict.reason)
        if any((each.campaign, each.occurrence, each.step, each.rung) == place for each in state.journeys):
            return Done(deferred)
        recorded = her.deliveries.was_deferred(self._delivery("deferred", self._rung_of(self.rung), self.rung))

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Claim:
            her.gates.add_gate_check(batch, her.order.campaign, her.member)
            if not recorded:
                her.deliveries.add_deferred(batch, self._delivery("deferred", self._rung_of(self.rung), self.rung))
            return deferred

        return Change([self._journey(verdict.until, verdict.reason, self.rung, her.order.since)], finish)

    def _hold_out(self, channel: Channel, reason: str | None) -> Change[Claim]:
        """Record that she would have got it: a delivery that is held out, and a touch that no cap counts."""
        her = self.her
        delivery = replace(self._record("held_out", channel, self.rung), reason=reason)
        if reason is not None:
            # Held out of a choice among offers, which is another experiment than the campaign's own.
            delivery = replace(delivery, exposure=False)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Claim:
            her.deliveries.add_new(batch, delivery)
            her.gates.add_gate_check(batch, her.order.campaign, her.member)
            return Skipped(HELD_OUT)

        return Change([self._touched(channel, held=True)], finish)

    # -- its parts --------------------------------------------------------------------------------------------------------

    def _touched(self, channel: str, *, held: bool) -> MemberEvent:
        """What caps count of it; of a webhook nothing."""
        her, is_service = self.her, self.her.body.message_class == "service"
        if not self.is_message:
            return TimePassed(her.now)
        return Touched(her.now, her.order.campaign, self.step.id, channel, held, is_service)

    def _journey(self, due: Instant, reason: str, rung: int, since: Instant) -> JourneyMoved:
        order, priority = self.her.order, self.her.body.priority
        return JourneyMoved(
            self.her.now, order.campaign, order.version, order.occurrence, self.step.id, due,
            reason=reason, priority=priority, rung=rung, since=since,
        )  # fmt: skip

    def _delivery(self, state: DeliveryState, channel: Channel, rung: int) -> Delivery:
        order = self.her.order
        return Delivery(
            campaign=order.campaign,
            campaign_version=order.version,
            step=self.step.id,
            occurrence=order.occurrence,
            member=self.her.member,
            channel=channel,
            state=state,
            claimed_at=self.her.now,
            variant=self._variant,
            rung=rung,
        )

    def _record(self, state: DeliveryState, channel: Channel, rung: int) -> Delivery:
        """A delivery with what the report asks of it: whether it is the first of the occurrence, and whether it waited for its time. Up to
        two reads, where there is more than one message or something was waited for.
        """
        delivery, her = self._delivery(state, channel, rung), self.her
        # Not by when it was deferred: who waited on because the campaign was paused, comes back without that.
        was_deferred = bool(her.order.outcome) and her.deliveries.was_deferred(delivery)
        return replace(delivery, exposure=her.is_first(self.step, rung), was_deferred=was_deferred)

    def _cost(self, channel: Channel, message: Message, addresses: int) -> int:
        """By the tenant's prices: each device is a push, and an SMS is paid by the part. Millionths of a minor unit."""
        settings = self.her.view.settings
        parts = sms_size(message.body).parts if channel == "sms" else addresses
        return parts * price_of(settings.messaging.prices, channel, settings.country)

    def _rung_of(self, rung: int) -> Channel:
        """The channel of a rung, or the only one there is."""
        return self.policy.rungs[min(rung, len(self.policy.rungs) - 1)]

    def _key(self, channel: Channel) -> keys.Key:
        return self.her.deliveries.key(self._delivery("claimed", channel, 0))

    def _addresses(self, channel: Channel, state: MemberState) -> tuple[Address, ...]:
        return (Address(self.step.endpoint),) if isinstance(self.step, WebhookStep) else self.her.addresses(channel, state)

    def _message(
        self, delivery: Delivery, attached: Attached | None, state: MemberState, known: tuple[str, ...] | None = None
    ) -> Written:
        if isinstance(self.step, WebhookStep):
            return Written(webhook_of(self.her, self.step, delivery, self._keys.webhook))
        return message_of(self.her, self.step, delivery, attached, state, self._keys, known)


def _policy(her: Participant, step: SendStep | WebhookStep, only: Channel | None) -> Policy:
    if isinstance(step, WebhookStep):
        return Policy(marketing=False, purpose="", rungs=("webhook",), tenant_zone=her.zone)
    policy = policy_of(her.body, step, her.view.settings)
    return policy.only(only) if only is not None else policy


def _channel(delivery: Delivery) -> Channel:
    channel: Channel = delivery.channel  # type: ignore[assignment]
    return channel
