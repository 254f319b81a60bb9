"""Attach a member to an anonymous sale: once, within the tenant's window, decided as of the purchase."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from shared.counter import counting
from shared.counter.model import AFTER_HOURS
from shared.kernel.instants import DAY
from shared.member_state import challenges
from shared.member_state.effects import Effects
from shared.member_state.errors import UnknownMember
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Done, MemberSession, Occasion
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions import gathering, offline_books, referrals, reversal, waiting
from shared.transactions.answers import decision_fields, standing_of
from shared.transactions.api import MemberReference, TransactionRequest
from shared.transactions.at_the_counter import Noticed, notice
from shared.transactions.budgets import BudgetWalk
from shared.transactions.errors import NotClaimable
from shared.transactions.given import decode_given
from shared.transactions.model import Circumstances, Decided, Recorded
from shared.transactions.offline import after_claim, losses_in
from shared.transactions.outcomes import balance_of, outcome_of, purchased, sale_answer
from shared.transactions.repository import SaleRecord, SaleRepository, natural_key
from shared.transactions.rules import decide_again
from shared.wallet.model import Posting


def claim(scope: TenantScope, transaction_id: str, reference: MemberReference, correlation: str = "", cashier: str = "") -> Recorded:
    """The sale becomes the member's. Claiming again for the same member answers the same; for another it is refused.

    It is counted for the ``cashier`` who claims it, on the sale's business date; a sale after hours for the one who made it.
    """
    key = natural_key(transaction_id)
    sales = SaleRepository(scope.tenant, scope.table)
    sale = sales.get(key)
    member = gathering.member_id(scope, reference)
    if member is None:
        raise UnknownMember
    if sale.waiting:
        # The process that recorded it died before it settled the returns that had come first.
        waiting.settle(scope, sale, reversal.settle_waiting)
        sale = sales.get(key)
    if sale.member is not None:
        return _claimed_before(scope, sale, member)
    _check(scope, sale)
    return _Claim(scope, sale, cashier).carry_out(member, correlation)


class _Claim:
    """One sale being claimed: as it was made, and the budgets that it takes from now."""

    def __init__(self, scope: TenantScope, sale: SaleRecord, cashier: str) -> None:
        self.scope, self.sale, self.key = scope, sale, sale.key
        self.sold = TransactionRequest.model_validate(sale.basket)
        self.at = sale.visit.at
        self.sales = SaleRepository(scope.tenant, scope.table)
        self.budgets = BudgetWalk(scope.tenant, scope.table, sale.id)
        self.claimant = counting.Doer(self.key.business_date, self.key.location, cashier)
        self.seller = replace(self.claimant, cashier=counting.cashier(self.sold.staff_id, self.sold.till_id))

    def carry_out(self, member: str, correlation: str) -> Recorded:
        """One conditional transaction about the member; then the alerts of the day, once they are due."""
        session, occasion = MemberSession(self.scope, member), Occasion(self.at, correlation, "late")
        recorded = self.budgets.giving_way(lambda: session.change(occasion, partial(self._decide, member)))
        counting.alert(self.scope, self.claimant, "claims", correlation)
        if any(flag["code"] == AFTER_HOURS for flag in recorded.answer.get("flags") or ()):
            counting.alert(self.scope, self.seller, "after_hours", correlation)
        return recorded

    def _decide(self, member: str, state: MemberState, stale: Stale) -> Change[Recorded] | Done[Recorded]:
        scope, sale, sold, at = self.scope, self.sale, self.sold, self.at
        if "sale" in stale:
            current = self.sales.get(self.key)
            if current.member is None:
                _check(scope, current)
            return Done(_claimed_before(scope, current, member))
        basket, as_sold, applied = decode_given(sale.given, sold, state.member, scope.definitions.programme)

        def within(exhausted: frozenset[str]) -> tuple[Circumstances, Decided]:
            given = gathering.circumstances(scope, at, basket, as_sold.catalogue, state, exhausted=exhausted)
            # Where it was sold is a fact of the sale, whatever groups the location is in today.
            given = replace(given, scene=replace(given.scene, groups=as_sold.scene.groups))
            return given, decide_again(basket, applied, given)

        given, decided = self.budgets.within(within, stale)
        view = scope.definitions.at(at)
        counts = challenges.counts_of(state, view.fold, decided.lines, given.scene)
        reward = referrals.after_purchase(scope, state, given, decided, sale.id, "late")
        noticed = notice(scope.definitions, state, sold, at)
        happened = purchased(sale.id, sold, decided, given, view.asked, counts=counts, noticed=noticed)
        lost = losses_in(sale.answer)
        decided.losses = after_claim(lost, basket, given, decided)

        def finish(after: MemberState, effects: Effects, batch: WriteBatch) -> Recorded:
            offline_books.book(batch, scope.tenant, self.key, decided.losses, before=lost)
            decision = decision_fields(decided, given.scene.currency, balance_of(after), standing_of(after, view.fold, at))
            answer = noticed.answered(sale_answer(self.key, sold, at, after.member, decision))
            taken = (*sale.budgets, *self.budgets.add(batch))
            outcome = outcome_of(basket, decided, given, answer, _spent(sale.id, effects), taken, noticed)
            self.sales.add_claim(batch, sale, outcome, after.member)
            self._count(batch, noticed, sum(each.points for each in happened.earned))
            return Recorded(answer)

        return Change([happened, *reward.events], finish, companion=reward.companion)

    def _count(self, batch: WriteBatch, noticed: Noticed, points: int) -> None:
        """One more claim and, if it is flagged, flagged sale of who claims it; one after hours is of who made it, when it was made."""
        counting.add(batch, self.scope, self.claimant, "claims")
        if noticed.flags:
            counting.add(batch, self.scope, self.claimant, "flagged", points)
        if any(flag.code == AFTER_HOURS for flag in noticed.flags):
            counting.add(batch, self.scope, self.seller, "after_hours", points)


def _spent(transaction: str, effects: Effects) -> tuple[Posting, ...]:
    """What an offline sale had counted on without knowing whose points: they are hers."""
    booked = (posting for entry in effects.entries if entry.reference == transaction for posting in entry.postings)
    return tuple(posting for posting in booked if posting.kind == "spend")


def _check(scope: TenantScope, sale: SaleRecord) -> None:
    if sale.status != "recorded":
        raise NotClaimable("The sale was returned or voided.")
    days = scope.definitions.settings.claim_days
    if scope.clock() - sale.visit.at > days * DAY:
        raise NotClaimable(f"Sales can be claimed for {days} days.")


def _claimed_before(scope: TenantScope, sale: SaleRecord, member: str) -> Recorded:
    # Another id need not be somebody else: it may lead to her who has the sale.
    if sale.member != member and not StateRepository(scope.tenant, scope.table).load(member).state.was(sale.member):
        raise NotClaimable("The sale has a member already.")
    answer: dict[str, Any] = sale.answer
    return Recorded(answer, replayed=True)
