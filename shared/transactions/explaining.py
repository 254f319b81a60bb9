"""Why a sale earned what it earned: the decision is made again from what was stored of it, and compared with what was answered."""

from __future__ import annotations

from typing import Any

from shared.tenants.scope import TenantScope
from shared.transactions.answers import trace
from shared.transactions.api import TransactionRequest
from shared.transactions.given import decode_given
from shared.transactions.model import NaturalKey
from shared.transactions.repository import SaleRecord, SaleRepository
from shared.transactions.rules import decide_again


def explain(scope: TenantScope, key: NaturalKey) -> dict[str, Any]:
    """``api.ExplanationAnswer``. 1 read."""
    sale = SaleRepository(scope.tenant, scope.table).get(key)
    replayed = replay(scope, sale)
    return {
        "transaction_id": sale.id,
        "trace": replayed,
        "refused": sale.answer.get("refused", []),
        "warnings": sale.answer.get("warnings", []),
        "identical": replayed == sale.answer.get("trace", []),
        "programmes": dict(sale.given[2]),
    }


def replay(scope: TenantScope, sale: SaleRecord) -> list[dict[str, Any]]:
    """The trace of the decision made again with the programme versions of then."""
    request = TransactionRequest.model_validate(sale.basket)
    basket, given, applied = decode_given(sale.given, request, sale.member, scope.definitions.programme)
    return trace(decide_again(basket, applied, given).steps)
