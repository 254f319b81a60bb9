"""Attach a member to an anonymous sale: once, within the tenant's window, decided as of the purchase."""

from __future__ import annotations

from typing import Any

from shared.kernel.instants import DAY
from shared.member_state.errors import UnknownMember
from shared.member_state.events import Effects, Purchased
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Done, MemberSession, Occasion
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions import gathering
from shared.transactions.answers import decision_fields
from shared.transactions.api import MemberReference, TransactionRequest
from shared.transactions.errors import NotClaimable
from shared.transactions.repository import Outcome, SaleRecord, SaleRepository, natural_key
from shared.transactions.rules import decide
from shared.transactions.service import Recorded, sale_answer
from shared.wallet.rules import available


def claim(scope: TenantScope, transaction_id: str, reference: MemberReference, correlation: str = "") -> Recorded:
    """The sale becomes the member's. Claiming again for the same member answers the same; for another it is refused."""
    key = natural_key(transaction_id)
    sales = SaleRepository(scope.tenant, scope.table)
    sale = sales.get(key)
    member = gathering.member_id(scope, reference)
    if member is None:
        raise UnknownMember
    if sale.member is not None:
        return _claimed_before(sale, member)
    _check(scope, sale)
    request = TransactionRequest.model_validate(sale.basket)
    catalogue = gathering.catalogue_for(scope, request)

    def decide_claim(state: MemberState, stale: Stale) -> Change[Recorded] | Done[Recorded]:
        if "sale" in stale:
            return Done(_claimed_before(sales.get(key), member))
        given = gathering.circumstances(scope, sale.visit.at, catalogue, state)
        without_coupons = request.model_copy(update={"coupons": (), "points_to_spend": 0})
        decided = decide(without_coupons, [], given)
        event = Purchased(
            at=sale.visit.at,
            transaction=sale.id,
            visit=sale.visit,
            earned=tuple(decided.earned),
            location=request.location_id,
            channel=request.channel,
        )

        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> Recorded:
            balance = sum(available(wallet, after.holds, name) for name, wallet in after.wallets.items())
            decision = decision_fields(decided, given.currency, balance, after.tier.id if after.tier else None)
            answer = sale_answer(key, request, sale.visit.at, after.member, decision)
            sales.add_claim(batch, sale, Outcome(answer, sale.visit, tuple(decided.earned)), after.member)
            return Recorded(answer)

        return Change([event], finish)

    return MemberSession(scope, member).change(Occasion(sale.visit.at, correlation, "late"), decide_claim)


def _check(scope: TenantScope, sale: SaleRecord) -> None:
    if sale.status != "recorded":
        raise NotClaimable("The sale was returned or voided.")
    days = scope.definitions.settings.claim_days
    if scope.clock() - sale.visit.at > days * DAY:
        raise NotClaimable(f"Sales can be claimed for {days} days.")


def _claimed_before(sale: SaleRecord, member: str) -> Recorded:
    if sale.member != member:
        raise NotClaimable("The sale has a member already.")
    answer: dict[str, Any] = sale.answer
    return Recorded(answer, replayed=True)
