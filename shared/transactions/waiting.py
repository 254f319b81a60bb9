"""Returns that arrive before their sale: a till was offline, or two systems report in their own time.

Such a return is stored and answered as waiting; its natural key is kept at the place where the sale will be, which costs the sale
no read. When the sale arrives it takes the list over in its own commit, and the returns are settled right after it, each exactly
once; if that breaks off, whoever asks about the sale next goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from shared.kernel.errors import AppError
from shared.observability.logs import logger
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions.api import ReturnRequest
from shared.transactions.errors import SaleArrived, TooManyWaiting
from shared.transactions.model import NaturalKey, Recorded
from shared.transactions.repository import (
    MAX_WAITING,
    REQUEST_LABEL,
    SaleRecord,
    SaleRepository,
    check_same,
    payload_hash,
)

WAITING: Final = "waiting"
REFUSED: Final = "refused"
Settle = Callable[[TenantScope, NaturalKey, NaturalKey, ReturnRequest, str], Recorded]
"""Settles one return: scope, original, its own key, the request, correlation."""


def park(scope: TenantScope, request: ReturnRequest, original: NaturalKey, own: NaturalKey, correlation: str) -> Recorded:
    """Let the return wait. Two writes; repeating it answers the same. ``SaleArrived`` (409) if the sale came meanwhile."""
    sales = SaleRepository(scope.tenant, scope.table)
    answer = {"transaction_id": original.id("txn"), "reversal_id": own.id("ret"), "kind": "return", "status": WAITING}
    body = pack([answer, request.model_dump(mode="json", exclude_defaults=True), correlation])
    hash_ = payload_hash(request)

    def decide(_stale: Stale) -> Plan[Recorded]:
        found = sales.find(original)
        if isinstance(found, SaleRecord):
            raise SaleArrived
        waits_already = found is not None and own in found.waiting
        if found is not None and not waits_already and len(found.waiting) >= MAX_WAITING:
            raise TooManyWaiting(f"{MAX_WAITING} returns wait for this sale.")
        batch = WriteBatch()
        record = RequestItem.at(_key(scope, own), hash=hash_, body=body, status=WAITING)
        batch.put(REQUEST_LABEL, record, Path("PK").does_not_exist(), old=True)
        sales.add_waiting(batch, original, own, found)
        return Plan(batch, Recorded(answer), REQUEST_LABEL)

    def replay(raw: RawItem) -> Recorded:
        item = RequestItem.read(raw)
        check_same(item.hash, hash_)
        return Recorded(answer_of(unpack(item.body)), replayed=True)

    return commit(scope.table, decide, effort=scope.effort(), replay=replay)


def settle(scope: TenantScope, sale: SaleRecord, settle_one: Settle) -> None:
    """Settle every return that waited for this sale, in the order of their arrival. Nothing is read where none did.

    One that cannot be settled (more came back than was bought) is refused for good, with its reason, and the others go on.
    """
    for own in sale.waiting:
        raw = scope.table.get(_key(scope, own))
        item = RequestItem.read(raw) if raw is not None else None
        if item is None or item.status != WAITING:
            _forget(scope, sale, own, None, {})
            continue
        answer, body, correlation = unpack(item.body)
        try:
            settle_one(scope, sale.key, own, ReturnRequest.model_validate(body), correlation)
        except AppError as refusal:
            if refusal.status >= 500 or refusal.retry_after is not None:
                raise
            logger().warning("a return that waited for its sale is refused", extra={"code": refusal.code})
            _forget(scope, sale, own, item, answer | {"status": REFUSED, "reason": refusal.code})


def answer_of(body: Any) -> dict[str, Any]:
    """The answer in a return's record: alone once it is settled, with its request while it waits."""
    answer: dict[str, Any] = body[0] if isinstance(body, list) else body
    return answer


def _forget(scope: TenantScope, sale: SaleRecord, own: NaturalKey, item: RequestItem | None, answer: dict[str, Any]) -> None:
    """The sale does not wait for this return any more."""
    sales = SaleRepository(scope.tenant, scope.table)

    def decide(_stale: Stale) -> Plan[None]:
        current, batch = sales.get(sale.key), WriteBatch()
        if own not in current.waiting:
            return Plan(batch, None)
        sales.add_change(batch, current, current.status, settled=own)
        if item is not None:
            refused = RequestItem.at(_key(scope, own), hash=item.hash, body=pack(answer), status=REFUSED)
            batch.put("return", refused, Path("s") == WAITING)
        return Plan(batch, None)

    commit(scope.table, decide, effort=scope.effort())


def _key(scope: TenantScope, own: NaturalKey) -> keys.Key:
    return keys.request(scope.tenant, "return", own.source, own.text())
