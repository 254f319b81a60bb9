"""A finished sale arrives: it is recorded, and then the returns that came before it are settled."""

from __future__ import annotations

from shared.member_state.service import MemberSession
from shared.tenants.scope import TenantScope
from shared.transactions import gathering, reversal, service, waiting
from shared.transactions.api import TransactionRequest
from shared.transactions.model import Recorded
from shared.transactions.repository import SaleRepository


def ingest(
    scope: TenantScope,
    request: TransactionRequest,
    correlation: str = "",
    session: MemberSession | None = None,
    *,
    caller: str = "",
    blocked: bool = False,
) -> Recorded:
    """``service.record``; where returns waited for the sale, they are settled before it is answered, also when it is sent again."""
    recorded = service.record(scope, request, correlation, session, caller=caller, blocked=blocked)
    if recorded.waited_for:
        sale = SaleRepository(scope.tenant, scope.table).get(gathering.natural_key(request))
        waiting.settle(scope, sale, reversal.settle_waiting)
    return recorded
