"""A person decides about a flagged purchase: its points are hers, or they are taken back. Once; see docs/counter.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from shared.counter.api import FlaggedPage, FlaggedPurchase, ReviewAnswer
from shared.counter.errors import AlreadyReviewed, NotUnderReview
from shared.counter.rules import marks_of
from shared.kernel.instants import format_rfc3339
from shared.kernel.pages import open_cursor, seal_cursor
from shared.member_state.counter_events import PurchaseReviewed
from shared.member_state.effects import Effects
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Done, MemberSession, Occasion
from shared.storage.commit import Plan, Stale, commit
from shared.storage.table import WriteBatch
from shared.tenants.principal import EVERYWHERE, Place
from shared.tenants.scope import TenantScope
from shared.transactions.answer_models import TraceStep
from shared.transactions.bought import bought
from shared.transactions.outcomes import balance_of, is_over
from shared.transactions.repository import Review, SaleRecord, SaleRepository, natural_key
from shared.transactions.returning import plan_return
from shared.wallet.model import Posting

Decision = Literal["approved", "rejected"]
UNDONE = ("returned", "voided")


def review(scope: TenantScope, transaction_id: str, decision: Decision, reason: str, actor: str, correlation: str = "") -> ReviewAnswer:
    """Approve or reject. The same decision again answers what stands; another is ``AlreadyReviewed``, as is one after time approved it.

    ``NotUnderReview``, ``UnknownTransaction``. Two reads and one transaction.
    """
    return _Reviewing(scope, transaction_id, decision, reason, actor, correlation).carry_out()


def waiting(scope: TenantScope, limit: int, cursor: str | None, key: bytes, place: Place = EVERYWHERE) -> FlaggedPage:
    """Purchases that wait for a person, within ``place``: a page may have fewer. One Query and one batch read; ``key`` signs the cursor."""
    context = f"{scope.tenant}|flagged"
    start: dict[str, Any] | None = open_cursor(key, context, cursor)["after"] if cursor else None
    found, last = SaleRepository(scope.tenant, scope.table).under_review(scope.clock(), limit, start)
    more = seal_cursor(key, context, {"after": last}) if last else None
    shown = (each for each in found if each.review is not None and place.covers(each.key.location, scope.groups_of))
    return FlaggedPage(data=tuple(_view(each) for each in shown), next_cursor=more)


class _Reviewing:
    """One decision being carried out."""

    def __init__(self, scope: TenantScope, transaction_id: str, decision: Decision, reason: str, actor: str, correlation: str) -> None:
        self.scope = scope
        self.key = natural_key(transaction_id)
        self.now = scope.clock()
        self.made = Review(decision, 0, actor, reason, self.now)
        self.correlation = correlation
        self.sales = SaleRepository(scope.tenant, scope.table)

    def carry_out(self) -> ReviewAnswer:
        """Once, whoever else decides at the same moment."""
        sale = self.sales.get(self.key)
        if self._stands(sale):
            return _answer(sale, sale.review, None)
        try:
            session = MemberSession(self.scope, sale.member or "")
            return session.change(Occasion(self.now, self.correlation), lambda state, stale: self._decide(sale, state, stale))
        except (UnknownMember, ErasedMember):
            return self._without_member()

    def _decide(self, sale: SaleRecord, _state: MemberState, stale: Stale) -> Change[ReviewAnswer] | Done[ReviewAnswer]:
        if "sale" in stale:
            sale = self.sales.get(self.key)
            if self._stands(sale):
                return Done(_answer(sale, sale.review, None))
        left = left_of(self.scope, sale)

        def finish(after: MemberState, effects: Effects, batch: WriteBatch) -> ReviewAnswer:
            entries = (entry for entry in effects.entries if entry.reference == sale.id)
            booked = -sum(posting.points for entry in entries for posting in entry.postings)
            points = booked if self.made.state == "rejected" else sum(posting.points for posting in left)
            made = replace(self.made, points=points)
            self.sales.add_review(batch, sale, made)
            return _answer(sale, made, balance_of(after))

        event = reviewed(sale, left, self.made)

        return Change([event], finish)

    def _without_member(self) -> ReviewAnswer:
        """She is gone, and her points with her: the decision is noted all the same, so that nobody waits for it."""

        def decide(_stale: Stale) -> Plan[ReviewAnswer]:
            sale, batch = self.sales.get(self.key), WriteBatch()
            if not self._stands(sale):
                self.sales.add_review(batch, sale, self.made)
            return Plan(batch, _answer(sale, sale.review if not batch.actions else self.made, None))

        return commit(self.scope.table, decide, effort=self.scope.effort())

    def _stands(self, sale: SaleRecord) -> bool:
        """Whether it was decided so before; a refusal where it was decided otherwise, or never asked."""
        if sale.review is None:
            raise NotUnderReview("This purchase was not flagged.")
        if sale.review.state == self.made.state:
            return True
        if sale.review.state != "pending":
            raise AlreadyReviewed("It was decided otherwise.")
        if is_over(sale.review, self.now) and self.made.state == "rejected":
            raise AlreadyReviewed("Nobody decided in time: it counts as approved.")
        return False


def left_of(scope: TenantScope, sale: SaleRecord) -> tuple[Posting, ...]:
    """What the returns so far have left of what the sale earned, as it lies in the wallets."""
    if sale.status in UNDONE:
        return ()
    return plan_return(bought(scope, sale).sold, sale.returned, [], {}, voided=True).earned


def reviewed(sale: SaleRecord, left: tuple[Posting, ...], made: Review) -> PurchaseReviewed:
    """The decision as what happens to the member. Pure."""
    outcome: Any = made.state
    return PurchaseReviewed(
        at=made.at,
        transaction=sale.id,
        outcome=outcome,
        awards=tuple(each.posting for each in sale.awards),
        marks=marks_of(sale.id, len(sale.awards)),
        back=left if outcome == "rejected" else (),
        bought_at=sale.visit.at,
        actor=made.by,
        reason=made.reason,
    )


def _answer(sale: SaleRecord, made: Review | None, balance: int | None) -> ReviewAnswer:
    """``api.ReviewAnswer``; its trace says of each award what became of it, and that a review is why."""
    assert made is not None
    decision: Any = made.state
    sign = -1 if decision == "rejected" else 0
    steps = tuple(
        TraceStep(
            programme=each.programme,
            version=each.version,
            rule="review",
            base=each.posting.points,
            points=sign * each.posting.points,
            reason=decision,
        )
        for each in sale.awards
    )
    return ReviewAnswer(transaction_id=sale.id, review=decision, points=made.points, balance=balance, trace=steps)


def _view(sale: SaleRecord) -> FlaggedPurchase:
    assert sale.review is not None
    return FlaggedPurchase(
        transaction_id=sale.id,
        member_id=sale.member,
        location_id=sale.key.location,
        business_date=sale.key.business_date,
        till_id=sale.key.till or None,
        staff_id=sale.basket.get("staff_id"),
        occurred_at=format_rfc3339(sale.visit.at),
        flags=sale.answer["flags"],
        points=sum(each.posting.points for each in sale.awards),
        approved_at=format_rfc3339(sale.review.until) if sale.review.until else None,
    )
