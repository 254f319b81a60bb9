"""A decision as what happens to the member, as what is kept of the sale, and as what is answered. Pure."""

from __future__ import annotations

from typing import Any

from shared.challenges.model import Counts
from shared.counter.rules import under_review
from shared.coupons.limits import counted_use
from shared.kernel.instants import Instant, format_rfc3339
from shared.member_state.events import Purchased
from shared.member_state.model import CountedUse, MemberState
from shared.programmes.asking import Asked
from shared.transactions.api import Basket, TransactionRequest
from shared.transactions.at_the_counter import NOTHING, Noticed
from shared.transactions.budgets import applied_of
from shared.transactions.given import encode_given
from shared.transactions.model import Circumstances, Decided, NaturalKey
from shared.transactions.repository import Outcome, Review
from shared.wallet.model import Posting
from shared.wallet.rules import balance


def purchased(
    transaction: str,
    basket: Basket,
    decided: Decided,
    given: Circumstances,
    asked: Asked,
    hold: str | None = None,
    counts: Counts = (),
    noticed: Noticed = NOTHING,
) -> Purchased:
    """The decision as what happens to the member. What a flagged sale earned waits. Pure."""
    assert decided.visit is not None
    wallets = {posting.wallet for posting in decided.earned} | set(decided.spent)
    return Purchased(
        at=given.scene.at,
        transaction=transaction,
        visit=decided.visit,
        earned=under_review(decided.earned, transaction, noticed.until) if noticed.flags else decided.earned,
        spent=decided.spent,
        redeemed=tuple(each.coupon.id for each in decided.discounts if not each.left),
        hold=hold,
        location=basket.location_id,
        channel=basket.channel,
        usage=tuple(used for award in decided.awards for used in award.usage),
        uses=uses_of(decided),
        visit_minutes=asked.visit_minutes,
        idle_days=tuple(each for each in asked.idle_days if each[0] in wallets),
        counts=counts,
        counter=noticed.sale,
        flags=tuple(flag.code for flag in noticed.flags),
    )


def uses_of(decided: Decided) -> tuple[CountedUse, ...]:
    """What counts towards the member's limits of offers and promotions. Pure."""
    counted = (counted_use(each.key, each.terms.limits) for each in applied_of(decided) if each.terms is not None)
    return tuple(use for use in counted if use is not None)


def outcome_of(
    basket: Basket,
    decided: Decided,
    given: Circumstances,
    answer: dict[str, Any],
    spent: tuple[Posting, ...] = (),
    budgets: tuple[tuple[str, int, int], ...] = (),
    noticed: Noticed = NOTHING,
) -> Outcome:
    """What is kept of a sale. Pure."""
    assert decided.visit is not None
    return Outcome(
        answer=answer,
        visit=decided.visit,
        given=encode_given(given, decided, basket.points_to_spend),
        awards=tuple(decided.awards),
        spent=spent,
        coupons=tuple(each.coupon.id for each in decided.discounts),
        budgets=budgets,
        review=Review("pending", noticed.until) if noticed.flags else None,
    )


def sale_answer(
    key: NaturalKey, request: TransactionRequest, at: Instant, member: str | None, decision: dict[str, Any]
) -> dict[str, Any]:
    """``api.TransactionAnswer`` of a recorded sale."""
    answer: dict[str, Any] = {"transaction_id": key.id("txn"), "status": "recorded"}
    if member is not None:
        answer["member_id"] = member
    answer |= {"occurred_at": format_rfc3339(at), "location_id": request.location_id, "receipt_number": request.receipt_number}
    return answer | decision


def balance_of(state: MemberState) -> int:
    """Points over all wallets that are there to be used, less what is owed."""
    return balance(state.wallets, state.holds)


def review_fields(review: Review | None, now: Instant) -> dict[str, Any]:
    """What became of a flagged sale; one that nobody decided about in time counts as approved. Pure."""
    if review is None:
        return {}
    if review.state == "pending":
        return {"review": "approved" if is_over(review, now) else "pending"}
    return {"review": review.state, "reviewed": {"by": review.by, "reason": review.reason, "at": format_rfc3339(review.at)}}


def is_over(review: Review, now: Instant) -> bool:
    """Whether time has approved it."""
    return review.state == "pending" and 0 < review.until <= now
