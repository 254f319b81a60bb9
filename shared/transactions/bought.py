"""A sale as it was decided, read from its record: what a return, a void or a review of it starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.counter.rules import under_review
from shared.member_state.tier_windows import VISITS
from shared.programmes.compiled import Programme
from shared.programmes.outcome import Award, Step
from shared.tenants.scope import TenantScope
from shared.transactions.api import TransactionRequest
from shared.transactions.given import decode_given
from shared.transactions.model import Applied, Circumstances
from shared.transactions.repository import SaleRecord
from shared.transactions.return_policy import paid_by_line
from shared.transactions.returning import ReturnPlan, Sold, deducted_by_points
from shared.transactions.rules import decide_again


@dataclass(frozen=True, slots=True)
class Bought:
    """The sale as it was decided, read from its record."""

    sold: Sold
    given: Circumstances
    applied: Applied

    def steps(self, plan: ReturnPlan, *, short: bool, given_back: int) -> list[Step]:
        """The trace of a return: what of each award was taken back, by which policy not all of it, and what was given back."""
        found = [
            replace(step, limit=self._programme(step.programme).body.returns.points_gone) if short else step for step in plan.trace
        ]
        payer = next((each for each in self.given.programmes if each.body.spending is not None), None)
        if self.sold.spent and payer is not None:
            policy = payer.body.returns.give_back
            formula = f"{policy} of {-sum(posting.points for posting in self.sold.spent)}"
            found.append(Step(payer.id, payer.version, "give_back", (), plan.value, formula, "floor", given_back))
        return found

    def _programme(self, id_: str) -> Programme:
        return next(each for each in self.given.programmes if each.id == id_)


def awards_of(sale: SaleRecord) -> tuple[Award, ...]:
    """What the sale earned, as it lies in the wallet: it waits while it is under review, and is gone once it was rejected."""
    if sale.review is None or sale.review.state == "approved":
        return sale.awards
    if sale.review.state == "rejected":
        return ()
    waiting = under_review([each.posting for each in sale.awards], sale.id, sale.review.until)
    return tuple(replace(each, posting=posting) for each, posting in zip(sale.awards, waiting, strict=True))


def bought(scope: TenantScope, sale: SaleRecord) -> Bought:
    """The sale's lines as charged, decided again from what was stored. Reads nothing but cached definitions."""
    request = TransactionRequest.model_validate(sale.basket)
    basket, given, applied = decode_given(sale.given, request, sale.member, scope.definitions.programme)
    decided = decide_again(basket, applied, given)
    sold = Sold(
        at=sale.visit.at,
        location=request.location_id,
        channel=request.channel,
        lines=decided.lines,
        awards=awards_of(sale),
        spent=sale.spent,
        paid_with_points=decided.tendered,
        coupons={each.coupon.id: [line for line, _ in each.lines] for each in applied.coupons},
        paid_with_vouchers=paid_by_line(applied.coupons),
        deducted=deducted_by_points(decided),
        opened_visit=VISITS in sale.visit.by,
        promotions={each.id: [line for line, _ in each.lines] for each in applied.promotions},
        booked=tuple(sale.visit.by),
        counts_units=sale.counts_units,
    )
    return Bought(sold, given, applied)
