"""The claim: the one write that makes a message hers to get, before any provider is called.

One transaction holds the delivery (if there is none by its key), her state under the version that consent, suppression, segment
and cap were read from, her gate, the counter, and the coupon that comes with it. So nothing can be claimed twice, nor after the
campaign was stopped or she said no.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from shared.campaigns.content import Attached, needs_person, write
from shared.campaigns.deliveries import DELIVERY_LABEL, DeliveryRepository, delivery_id
from shared.campaigns.messages import Order
from shared.campaigns.model import CampaignBody, ChosenOffer, Delivery, DeliveryState, Step
from shared.campaigns.repository import GATE_LABEL, CampaignRepository
from shared.campaigns.rules import held_out, not_hers, over_cap
from shared.coupons.errors import NoOffer, TooManyCoupons, UnknownOffer
from shared.coupons.issuing import blind_code, check_member_limit, issued, new_coupon, offer_in_force, printable_code
from shared.coupons.model import Choice, Coupon
from shared.coupons.next_best import NextBest
from shared.coupons.next_offer import choose_for
from shared.coupons.personal import words
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import ConcurrentUpdate
from shared.kernel.instants import DAY, SECOND, Instant
from shared.member_state.events import Effects, MemberEvent, Touched
from shared.member_state.model import MemberState
from shared.member_state.repository import STATE_LABEL, StateRepository
from shared.member_state.service import Change, Done, MemberSession, Occasion, peek
from shared.members.form_links import Invitation, seal_invitation
from shared.members.repository import Device, MemberRepository
from shared.messaging.payloads import MessageTooLarge, sns_message
from shared.messaging.push import Message
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.expressions import Condition, Path
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

FORM_LINK_LIFE: Final = 30 * DAY
IDENTITY: Final = "identity"
"""The group of personal fields that texts use."""
STOPPED: Final = "campaign_stopped"
HELD_OUT: Final = "held_out"
WITHHELD: Final = "next_best"
"""She is in the holdout of the step's choice among offers: the reason of a delivery that is held out."""
TAKEN: Final = "claimed_by_another"
"""A waiting delivery was claimed again by somebody else."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Hers to get: the message, and the devices to send it to."""

    delivery: Delivery
    message: Message
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not hers to get, and nothing was written; or that she is held out was."""

    reason: str


@dataclass(frozen=True, slots=True)
class Met:
    """There is a delivery by this key already."""

    delivery: Delivery


Claim = Claimed | Skipped | Met


class Claimer:
    """Claims one step of an order for one member."""

    def __init__(self, scope: TenantScope, order: Order, body: CampaignBody, step: Step, member: str, form_key: bytes | None) -> None:
        """``form_key`` seals the links of forms; only steps with a form need one."""
        self.scope, self.order, self.body, self.step = scope, order, body, step
        self.now = scope.clock()
        self._form_key = form_key
        # One Query; a merged member leads to her survivor, who is meant from here on.
        self._loaded = StateRepository(scope.tenant, scope.table).load(member)
        self.member = self._loaded.state.member
        self.deliveries = DeliveryRepository(scope.tenant, scope.table, scope.effort)
        self._gates = CampaignRepository(scope.tenant, scope.table)
        self._devices: dict[tuple[str, ...], tuple[Device, ...]] = {}

    def claim(self) -> Claim:
        """Claim it, or say why not. The state was read when this was made; one transaction of 4 to 6 items, or one read.

        What was claimed before is met whatever has changed since, so that nobody loses sight of a claim that got stuck.
        """
        found = MemberSession(self.scope, self.member, self._loaded).change(Occasion(self.now), self._decide)
        if not isinstance(found, Skipped) or found.reason == HELD_OUT:
            return found
        there = self.deliveries.get(self.deliveries.key(self._delivery("claimed", None)))
        return Met(there) if there is not None else found

    def claim_again(self, waiting: Delivery) -> Claim:
        """Claim what the provider was too busy for: everything but the cap is asked again, since her state counts it already."""

        def plan(stale: Stale) -> Plan[Claim]:
            batch = WriteBatch()
            if DELIVERY_LABEL in stale:
                return Plan(batch, Skipped(TAKEN))
            if GATE_LABEL in stale:
                return Plan(batch, Skipped(STOPPED))
            loaded = StateRepository(self.scope.tenant, self.scope.table).load(self.member)
            version = loaded.state.version
            state = peek(self.scope, loaded, self.now)
            reason = not_hers(self.body, self.step, state, self._served) or self._undeliverable(state)
            attached = self._attached_before(waiting)
            if reason is not None or (waiting.coupon is not None and attached is None):
                return Plan(batch, Skipped(reason or "coupon_gone"))
            self.deliveries.add_claim_again(batch, waiting, self.now)
            self._gates.add_gate_check(batch, self.order.campaign, self.member)
            her_state_is_what_was_asked: Condition = Path("version") == version
            batch.check(STATE_LABEL, keys.state(self.scope.tenant, self.member), her_state_is_what_was_asked)
            delivery = self._delivery("claimed", waiting.coupon)
            return Plan(batch, Claimed(delivery, self._message(delivery, attached), self._usable(state)))

        return commit(self.scope.table, plan, effort=self.scope.effort())

    def _decide(self, state: MemberState, stale: Stale) -> Change[Claim] | Done[Claim]:
        if state.member != self.member:
            raise ConcurrentUpdate("She was merged into another member meanwhile.")
        there = stale.get(DELIVERY_LABEL)
        if there is not None:
            return Done(Met(self.deliveries.decode(there)))
        if GATE_LABEL in stale:
            return Done(Skipped(STOPPED))
        reason = not_hers(self.body, self.step, state, self._served) or self._undeliverable(state)
        if reason is None and held_out(self.order.campaign, self.member, self.body.holdout_percent):
            return self._hold_out(None)
        if reason is None and over_cap(self.body, state, self.now):
            reason = "over_cap"
        if reason is not None:
            return Done(Skipped(reason))
        try:
            attached = self._attach(state)
            delivery = self._delivery("claimed", attached.coupon.id if attached is not None else None)
            message = self._message(delivery, attached)
        except NoOffer as none:
            return self._hold_out(WITHHELD) if none.kind == "holdout" else Done(Skipped(none.code))
        except (UnknownOffer, TooManyCoupons, MessageTooLarge) as error:
            return Done(Skipped(error.code))
        return self._change(Claimed(delivery, message, self._usable(state)), attached)

    def _change(self, claimed: Claimed, attached: Attached | None) -> Change[Claim]:
        step, campaign = self.step, self.order.campaign
        events: list[MemberEvent] = [Touched(self.now, campaign, step.id, step.channel)]
        if attached is not None:
            events.append(issued(attached.coupon, self.now, f"campaign:{campaign}"))

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Claim:
            self.deliveries.add_new(batch, claimed.delivery)
            self._gates.add_gate_check(batch, campaign, self.member)
            if attached is not None:
                coupons = CouponRepository(self.scope.tenant, self.scope.table)
                coupons.add_new(batch, attached.coupon, blind_code(self.scope, attached.coupon.code))
            return claimed

        return Change(events, finish)

    def _hold_out(self, reason: str | None) -> Change[Claim]:
        """Record that she would have got it: a delivery that is held out, and a touch that no cap counts."""
        step, campaign = self.step, self.order.campaign
        delivery = replace(self._delivery("held_out", None), reason=reason)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Claim:
            self.deliveries.add_new(batch, delivery)
            self._gates.add_gate_check(batch, campaign, self.member)
            return Skipped(HELD_OUT)

        return Change([Touched(self.now, campaign, step.id, step.channel, held=True)], finish)

    def _delivery(self, state: DeliveryState, coupon: str | None) -> Delivery:
        order = self.order
        return Delivery(
            campaign=order.campaign,
            campaign_version=order.version,
            step=self.step.id,
            occurrence=order.occurrence,
            member=self.member,
            channel=self.step.channel,
            state=state,
            claimed_at=self.now,
            coupon=coupon,
        )

    # -- what it takes to write to her --------------------------------------------------------------------------------

    @cached_property
    def _served(self) -> Mapping[str, int]:
        view = self.scope.definitions.at(self.now)
        return {id_: definition.version for id_, definition in view.served_segments.items()}

    def _undeliverable(self, state: MemberState) -> str | None:
        return None if self._usable(state) else "no_device"

    def _usable(self, state: MemberState) -> tuple[Device, ...]:
        """Her devices with an endpoint. Read once; again only if her devices changed meanwhile."""
        ids = tuple(state.devices)
        if ids not in self._devices:
            repository = MemberRepository(self.scope.tenant, self.scope.table)
            found = (repository.device(self.member, id_) for id_ in ids)
            self._devices[ids] = tuple(device for device in found if device is not None and device.endpoint and device.status == "active")
        return self._devices[ids]

    @cached_property
    def _person(self) -> Mapping[str, str]:
        """Her name and language, opened only where the step uses them: two reads."""
        if not needs_person(self.step):
            return {}
        profile = MemberRepository(self.scope.tenant, self.scope.table).profile(self.member)
        return profile.fields(self.scope.cipher(self.member), IDENTITY) if profile.sealed else {}

    def _attach(self, state: MemberState) -> Attached | None:
        offer, choice = self.step.offer, None
        if isinstance(offer, ChosenOffer):
            choice = self._choice(offer.next_best, state)
            offer = choice.offer
        if offer is None:
            return None
        body, _ = offer_in_force(self.scope, offer, self.now)
        check_member_limit(body, offer, state)
        by = delivery_id(self._delivery("claimed", None))
        coupon, _ = new_coupon(self.scope, offer, state, self.now, by)
        coupon = replace(coupon, choice=choice)
        return Attached(coupon, body, words(coupon.parameters, self.scope.definitions.settings.currency))

    def _choice(self, plan: NextBest, state: MemberState) -> Choice:
        """The same for the same occurrence and state, however often the claim is tried. ``NoOffer`` if it gives none."""
        decision = delivery_id(self._delivery("claimed", None))
        choice = choose_for(self.scope, plan, state, self.now, plan.experiment or self.order.campaign, decision)
        if choice.offer is None:
            raise NoOffer(choice.kind)
        return choice

    def _attached_before(self, waiting: Delivery) -> Attached | None:
        """The coupon that was issued with the first claim, if it can still be used."""
        coupon = CouponRepository(self.scope.tenant, self.scope.table).get(waiting.coupon) if waiting.coupon is not None else None
        offer = self.scope.offer(coupon.offer, coupon.offer_version) if coupon is not None else None
        if coupon is None or offer is None or not _good(coupon, self.now):
            return None
        hers = words(coupon.parameters, self.scope.definitions.settings.currency)
        return Attached(replace(coupon, code=printable_code(self.scope, coupon.id)), offer, hers)

    def _message(self, delivery: Delivery, attached: Attached | None) -> Message:
        settings, id_ = self.scope.definitions.settings, delivery_id(delivery)
        link = self._form_link(settings.app_link)
        text = write(self.step, self._person, attached, link, settings.app_link, settings.time_zone, settings.languages)
        data = {"campaign_id": delivery.campaign, "step": delivery.step, "delivery_id": id_, "deep_link": text.deep_link}
        ttl = DAY // SECOND
        if attached is not None:
            data["coupon_id"] = attached.coupon.id
            ttl = min(ttl, (attached.coupon.expires_at - self.now) // SECOND)
        origin = {"tenant": self.scope.tenant, "member": self.member, "delivery": id_, "campaign": delivery.campaign, "step": delivery.step}
        message = Message(text.title, text.body, data, ttl, origin)
        sns_message(message)
        return message

    def _form_link(self, app_link: str) -> str | None:
        form = self.step.form
        if form is None or self._form_key is None:
            return None
        expires: Instant = self.now + FORM_LINK_LIFE
        invitation = Invitation(self.scope.tenant, self.member, self.order.campaign, self.step.id, form.fields, form.offer, expires)
        return f"{app_link}forms/{seal_invitation(self._form_key, invitation)}"


def _good(coupon: Coupon, now: Instant) -> bool:
    return coupon.state == "active" and coupon.expires_at > now
