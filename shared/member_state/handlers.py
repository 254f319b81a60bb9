"""What each event does to the state, one function an event. Each answers its cause: the type that flips are put down to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Instant, local_day
from shared.member_state import (
    activity,
    bonuses,
    challenges,
    contact,
    counter_events,
    erasing,
    journeys,
    own_events,
    points,
    purchases,
    reviews,
    rewards,
    rights_events,
    tiers,
    uniting,
    uniting_events,
)
from shared.member_state import events as happened
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.events import MemberEvent
from shared.member_state.model import (
    MAX_ATTRIBUTES,
    MAX_COUPONS,
    MAX_DEVICES,
    MAX_HOLDS,
    MAX_LISTS,
    MAX_TAGS,
    HeldCoupon,
    MemberState,
    Referred,
)
from shared.member_state.purchases import forget_redeemed
from shared.member_state.usage import count_use
from shared.member_state.view import FoldView
from shared.profile.happenings import add_event, measured
from shared.profile.rules import spill
from shared.wallet.model import Hold, Posting

CAMPAIGN: Final = "campaign:"
"""What the cause of a coupon begins with that a campaign gave."""
CUSTOM: Final = "event."
"""What the types of custom events begin with."""


def handle(state: MemberState, event: MemberEvent, view: FoldView, at: Instant, effects: Effects) -> str:
    """Apply one event at ``at``; answers the type that caused what follows."""
    return _HANDLERS[type(event)](state, event, view, at, effects)


def entry(kind: str, at: Instant, postings: Iterable[Posting], reference: str | None = None) -> LedgerEntry:
    """A ledger entry."""
    return LedgerEntry(kind, at, tuple(postings), reference)


def release_hold(
    state: MemberState, hold_id: str, at: Instant, effects: Effects, type_: str, released: happened.HoldReleased | None = None
) -> None:
    """Points and coupons of a hold are free again."""
    hold = state.holds.pop(hold_id)
    for coupon_id in hold.coupons:
        if coupon_id in state.coupons and state.coupons[coupon_id].state == "held":
            state.coupons[coupon_id].state = "active"
    data: dict[str, object] = {"hold": hold_id, "points": hold.points}
    if released is None:
        effects.tell(type_, at, data)
    else:
        effects.tell(type_, at, data | _by_force(released), _cause_of(released))


def _time_passed(_state: MemberState, _event: happened.TimePassed, _view: FoldView, _at: Instant, _effects: Effects) -> str:
    return "time"


def _registered(state: MemberState, event: happened.Registered, view: FoldView, at: Instant, effects: Effects) -> str:
    state.joined_at, state.join_source, state.join_location = at, event.source, event.location
    state.identifier_kinds, state.known = list(event.identifier_kinds), sorted(event.known)
    state.attributes, state.consents = dict(event.attributes), dict(event.consents)
    state.tags, state.zone = list(event.tags), event.zone
    state.epoch = view.epoch
    if event.referrer is not None:
        state.referred = Referred(event.referrer)
    effects.tell("member.registered", at, {"source": event.source, "location": event.location})
    rights_events.await_confirmation(state, {}, event.pending, at, effects)
    bonuses.on_registration(state, event, view, at, effects)
    tiers.settle_tier(state, view, at, effects)
    return "member.registered"


def _profile_changed(state: MemberState, event: happened.ProfileChanged, view: FoldView, at: Instant, effects: Effects) -> str:
    before = bonuses.known_fields(state)
    state.known = sorted(event.known)
    for name, value in event.attributes.items():
        if value is None:
            state.attributes.pop(name, None)
        else:
            state.attributes[name] = value
    if len(state.attributes) > MAX_ATTRIBUTES:
        raise InvalidValue(f"a member has at most {MAX_ATTRIBUTES} attributes")
    changed = {*event.fields, *event.attributes}
    if event.tags is not None:
        state.tags = sorted(set(event.tags))
        changed.add("tags")
    _check_tags(state)
    if event.zone is not None and event.zone != state.zone:
        state.zone = event.zone
        changed.add("time_zone")
    effects.tell("member.updated", at, {"fields": sorted(changed)}, event.cause or None)
    bonuses.on_profile(state, before, view, event.at, at, effects)
    return "member.updated"


def _tags_changed(state: MemberState, event: happened.TagsChanged, _view: FoldView, at: Instant, effects: Effects) -> str:
    tags = sorted({*state.tags, *event.added} - {*event.removed})
    if tags != sorted(state.tags):
        state.tags = tags
        _check_tags(state)
        effects.tell("member.updated", at, {"fields": ["tags"]}, event.cause or None)
    return "member.updated"


def _check_tags(state: MemberState) -> None:
    if len(state.tags) > MAX_TAGS:
        raise InvalidValue(f"a member has at most {MAX_TAGS} tags")


def _tier_set(state: MemberState, event: happened.TierSet, view: FoldView, at: Instant, effects: Effects) -> str:
    tiers.set_by_hand(state, event, view, at, effects)
    return "tier.set"


def _consents_changed(state: MemberState, event: happened.ConsentsChanged, _view: FoldView, at: Instant, effects: Effects) -> str:
    changed, before = {key: consent.granted for key, consent in event.consents.items()}, dict(state.consents)
    state.consents.update(event.consents)
    effects.tell("consent.changed", at, {"consents": changed})
    rights_events.settle_pending(state, before, event, at, effects)
    return "consent.changed"


def _profiling_changed(state: MemberState, event: happened.ProfilingChanged, _view: FoldView, at: Instant, effects: Effects) -> str:
    state.profiled = event.allowed
    effects.tell("member.profiling_changed", at, {"allowed": event.allowed})
    return "member.profiling_changed"


def _lists_changed(state: MemberState, event: happened.ListsChanged, _view: FoldView, at: Instant, effects: Effects) -> str:
    for name in event.removed:
        state.lists.pop(name, None)
    for name in event.added:
        state.lists.setdefault(name, at)
    if len(state.lists) > MAX_LISTS:
        raise InvalidValue(f"a member is on at most {MAX_LISTS} lists")
    effects.tell("member.lists_changed", at, {"added": list(event.added), "removed": list(event.removed)})
    return "member.lists_changed"


def _devices_changed(state: MemberState, event: happened.DevicesChanged, _view: FoldView, at: Instant, effects: Effects) -> str:
    state.devices = list(event.devices)[-MAX_DEVICES:]
    if state.devices:
        state.suppressed.pop("push", None)
    effects.tell("member.devices_changed", at, {"devices": len(state.devices)})
    return "member.devices_changed"


def _identifier_added(state: MemberState, event: happened.IdentifierAdded, _view: FoldView, at: Instant, effects: Effects) -> str:
    state.identifier_kinds = sorted({*state.identifier_kinds, event.kind})
    effects.tell("member.identifier_added", at, {"kind": event.kind})
    return "member.identifier_added"


def _identifiers_changed(
    state: MemberState, event: counter_events.IdentifiersChanged, _view: FoldView, at: Instant, effects: Effects
) -> str:
    if not event.kept:
        state.identifier_kinds = [kind for kind in state.identifier_kinds if kind != event.kind]
    type_ = f"member.identifier_{event.change}"
    effects.tell(type_, at, {"kind": event.kind, "actor": event.actor})
    return type_


def _coupon_issued(state: MemberState, event: happened.CouponIssued, _view: FoldView, at: Instant, effects: Effects) -> str:
    if len(state.coupons) >= MAX_COUPONS:
        raise InvalidValue(f"a member holds at most {MAX_COUPONS} coupons")
    campaign = event.cause.removeprefix(CAMPAIGN) if event.cause.startswith(CAMPAIGN) else ""
    state.coupons[event.coupon] = HeldCoupon(event.offer, "active", event.active_from, event.expires_at, campaign=campaign)
    why = {} if event.choice is None else {"choice": event.choice}
    effects.tell("coupon.issued", at, {"coupon": event.coupon, "offer": event.offer, **why}, event.cause or None)
    return "coupon.issued"


def _offer_withheld(_state: MemberState, event: happened.OfferWithheld, _view: FoldView, at: Instant, effects: Effects) -> str:
    effects.tell("offer.withheld", at, {"choice": event.choice}, event.cause or None)
    return "offer.withheld"


def _coupon_changed(state: MemberState, event: happened.CouponChanged, view: FoldView, at: Instant, effects: Effects) -> str:
    if event.to == "redeemed":
        if event.use is not None:
            count_use(state, event.use, local_day(event.at, view.zone))
        forget_redeemed(state, event.coupon, at, effects)
        return "coupon.redeemed"
    coupon = state.coupons.get(event.coupon)
    if coupon is not None and event.to == "void":
        del state.coupons[event.coupon]
    elif coupon is not None:
        coupon.state = event.to
    type_ = {"held": "coupon.held", "active": "coupon.released", "void": "coupon.voided"}[event.to]
    effects.tell(type_, at, {"coupon": event.coupon, "offer": coupon.offer if coupon else "", **_by_force(event)}, _cause_of(event))
    return type_


def _hold_placed(state: MemberState, event: happened.HoldPlaced, _view: FoldView, at: Instant, effects: Effects) -> str:
    if event.hold not in state.holds and len(state.holds) >= MAX_HOLDS:
        raise InvalidValue(f"a member has at most {MAX_HOLDS} holds")
    state.holds[event.hold] = Hold(event.wallet, event.points, event.until, event.coupons)
    for coupon_id in event.coupons:
        if coupon_id in state.coupons:
            state.coupons[coupon_id].state = "held"
    effects.tell("hold.placed", at, {"hold": event.hold, "points": event.points})
    return "hold.placed"


def _hold_released(state: MemberState, event: happened.HoldReleased, _view: FoldView, at: Instant, effects: Effects) -> str:
    if event.hold in state.holds:
        release_hold(state, event.hold, at, effects, "hold.released", event)
    return "hold.released"


def _by_force(event: happened.CouponChanged | happened.HoldReleased) -> dict[str, object]:
    """Who ended a hold that was not hers to end."""
    return {"actor": event.actor} if event.actor else {}


def _cause_of(event: happened.CouponChanged | happened.HoldReleased) -> str | None:
    return event.reason or None


def _responded(state: MemberState, event: happened.Responded, view: FoldView, at: Instant, effects: Effects) -> str:
    told = (each for each in state.touches if not each.held)
    touch = next((each for each in told if (each.campaign, each.step) == (event.campaign, event.step)), None)
    if touch is not None and event.type == "message.opened":
        touch.opened_at = touch.opened_at or at
    if touch is not None and event.type == "message.clicked":
        touch.opened_at, touch.clicked_at = touch.opened_at or at, touch.clicked_at or at
    data: dict[str, object] = dict(event.properties)
    if event.campaign:
        data |= {"campaign": event.campaign, "step": event.step}
    effects.tell(event.type, event.at, data)
    _count_event(state, event, view, at, effects)
    bonuses.on_response(state, event, view, at, effects)
    return event.type


def _count_event(state: MemberState, event: happened.Responded, view: FoldView, at: Instant, effects: Effects) -> None:
    """A declared custom event counts in its own local day, like a purchase."""
    name = event.type.removeprefix(CUSTOM)
    settings = view.events.get(name) if event.type.startswith(CUSTOM) else None
    if settings is None:
        return
    amount, part = measured(settings.value, settings.by, event.properties)
    in_history = add_event(state.profile, name, event.at, view.zone, amount, part)
    effects.history_changed |= spill(state.profile, local_day(at, view.zone)) or in_history


_HANDLERS: dict[type, Callable[[MemberState, Any, FoldView, Instant, Effects], str]] = {
    happened.TimePassed: _time_passed,
    happened.Registered: _registered,
    happened.ProfileChanged: _profile_changed,
    happened.TagsChanged: _tags_changed,
    happened.TierSet: _tier_set,
    happened.ConsentsChanged: _consents_changed,
    happened.ProfilingChanged: _profiling_changed,
    happened.ListsChanged: _lists_changed,
    happened.DevicesChanged: _devices_changed,
    happened.IdentifierAdded: _identifier_added,
    counter_events.IdentifiersChanged: _identifiers_changed,
    happened.Purchased: purchases.purchased,
    counter_events.PurchaseReviewed: reviews.reviewed,
    happened.Reversed: purchases.reverse,
    happened.PointsBooked: points.booked,
    happened.PointsConverted: points.converted,
    happened.RewardClaimed: rewards.claimed,
    happened.RewardCancelled: rewards.cancelled,
    happened.RewardHandedOver: rewards.handed_over,
    happened.ReferralEnded: points.referral_ended,
    happened.ChallengeGiven: challenges.given,
    happened.CouponIssued: _coupon_issued,
    happened.OfferWithheld: _offer_withheld,
    happened.CouponChanged: _coupon_changed,
    happened.HoldPlaced: _hold_placed,
    happened.HoldReleased: _hold_released,
    happened.Touched: contact.touched,
    happened.ChannelSuppressed: contact.suppressed,
    happened.JourneyMoved: journeys.moved,
    happened.JourneyEnded: journeys.ended,
    happened.Responded: _responded,
    own_events.RestrictionChanged: rights_events.restriction_changed,
    own_events.SignedIn: activity.signed_in,
    own_events.WarnedOfInactivity: activity.warned,
    erasing.Erased: erasing.erased,
    uniting_events.MergedAway: uniting.merged_away,
    uniting_events.United: uniting.united,
}
