"""Coupons that steps give: which one, whether she may have it, and what her message says of it. The caller commits it with her state."""

from __future__ import annotations

from dataclasses import replace

from shared.campaigns.content import Attached
from shared.campaigns.participant import Participant
from shared.campaigns.rules import BY_CAMPAIGN
from shared.campaigns.steps import ChosenOffer
from shared.coupons.errors import NoOffer
from shared.coupons.issuing import blind_code, check_member_limit, issued, new_coupon, offer_in_force, printable_code
from shared.coupons.model import Choice, Coupon
from shared.coupons.next_offer import choose_for
from shared.coupons.personal import words
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import Instant
from shared.member_state.events import CouponIssued
from shared.member_state.model import MemberState
from shared.storage.table import WriteBatch

WITHHELD = "next_best"
"""She is in the holdout of the step's choice among offers: the reason of a delivery that is held out."""


def attach(her: Participant, wanted: str | ChosenOffer | None, state: MemberState, decision: str) -> Attached | None:
    """The coupon that goes with a step; ``decision`` is the delivery's id, which issues it.

    ``NoOffer`` if a choice gives none, ``UnknownOffer`` if the offer is not in force, ``TooManyCoupons`` if she may have no more.
    """
    if wanted is None:
        return None
    choice = _choice(her, wanted, state, decision) if isinstance(wanted, ChosenOffer) else None
    offer = choice.offer if choice is not None else wanted
    assert isinstance(offer, str)
    body, _ = offer_in_force(her.scope, offer, her.now)
    check_member_limit(body, offer, state)
    coupon, _ = new_coupon(her.scope, offer, state, her.now, decision)
    coupon = replace(coupon, choice=choice)
    return Attached(coupon, body, words(coupon.parameters, her.view.settings.currency))


def attached_before(her: Participant, coupon_id: str) -> Attached | None:
    """The coupon that was issued with a claim, if it can still be used. One read."""
    coupon = CouponRepository(her.scope.tenant, her.scope.table).get(coupon_id)
    offer = her.scope.offer(coupon.offer, coupon.offer_version) if coupon is not None else None
    if coupon is None or offer is None or not _good(coupon, her.now):
        return None
    hers = words(coupon.parameters, her.view.settings.currency)
    return Attached(replace(coupon, code=printable_code(her.scope, coupon.id)), offer, hers)


def given(her: Participant, attached: Attached) -> CouponIssued:
    """What happens to her."""
    return issued(attached.coupon, her.now, f"{BY_CAMPAIGN}{her.order.campaign}")


def add_coupon(her: Participant, batch: WriteBatch, attached: Attached) -> None:
    """The coupon's own item."""
    coupons = CouponRepository(her.scope.tenant, her.scope.table)
    coupons.add_new(batch, attached.coupon, blind_code(her.scope, attached.coupon.code))


def _choice(her: Participant, wanted: ChosenOffer, state: MemberState, decision: str) -> Choice:
    """The same for the same occurrence and state, however often the claim is tried."""
    plan = wanted.next_best
    choice = choose_for(her.scope, plan, state, her.now, plan.experiment or her.order.campaign, decision)
    if choice.offer is None:
        raise NoOffer(choice.kind)
    return choice


def _good(coupon: Coupon, now: Instant) -> bool:
    return coupon.state == "active" and coupon.expires_at > now
