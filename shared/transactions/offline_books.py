"""A location's offline losses: one item a business date and reason, added to in the very transaction of the sale.

Losses are rare and a location has few tills, so these items are not sharded: 2 write units per loss, on a key of its own location, day
and reason. Two tills that settle at one moment meet at most in such an item; ``commit`` sends the loser's request again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from shared.kernel.errors import FieldError, InvalidValue, Unprocessable
from shared.kernel.instants import day_of, format_day, local_day
from shared.storage import keys
from shared.storage.expressions import Path
from shared.storage.items import OfflineLossItem
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions.errors import UnknownLocation
from shared.transactions.model import NaturalKey, OfflineLoss
from shared.transactions.offline import sums

MAX_DAYS: Final = 366
_USUAL_DAYS: Final = 31
_NUMBERS: Final = ("number", "amount", "unpriced")


def book(batch: WriteBatch, tenant: str, key: NaturalKey, losses: Iterable[OfflineLoss], before: Iterable[OfflineLoss] = ()) -> None:
    """Book a sale's losses in its own transaction, instead of those ``before``. Nothing is written where nothing changes."""
    change = sums(before, sign=-1)
    for reason, numbers in sums(losses).items():
        # ``update`` adds to what is negative; ``+`` would drop it.
        change.setdefault(reason, Counter()).update(numbers)
    for reason, numbers in change.items():
        if any(numbers.values()):
            where = keys.offline_loss(tenant, key.location, key.business_date, reason)
            batch.update(f"loss:{reason}", where, [Path(name).add(numbers[name]) for name in _NUMBERS])


def report(scope: TenantScope, location: str, first: str | None = None, until: str | None = None) -> dict[str, Any]:
    """``answer_models.OfflineLossesAnswer``: business dates, both ends inclusive; the last 31 days where none are named. One Query a MB.

    ``UnknownLocation`` for one that is not the tenant's and has no losses: sales of a location that nobody has set up are stored too.
    """
    last_day = _day(until, "/until") if until is not None else local_day(scope.clock(), scope.definitions.settings.time_zone)
    first_day = _day(first, "/from") if first is not None else last_day - _USUAL_DAYS + 1
    if not first_day <= last_day < first_day + MAX_DAYS:
        hint = FieldError("/from", "invalid_value", f"not after until, and at most {MAX_DAYS} days")
        raise Unprocessable("The query does not fit; see errors.", errors=(hint,))
    span = (f"{keys.LOSS_PREFIX}{format_day(first_day)}#", f"{keys.LOSS_PREFIX}{format_day(last_day)}$")
    _check(scope, location)
    days: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(scope, location, span):
        _, business_date, reason = row["SK"].split("#")
        if row["number"]:
            sum_ = {"reason": reason, "count": row["number"], "amount": row["amount"], "without_amount": row["unpriced"]}
            days.setdefault(business_date, []).append(sum_)
    totals = [{"business_date": day, **_total(reasons), "reasons": reasons} for day, reasons in days.items()]
    answer = {"location_id": location, "first": format_day(first_day), "until": format_day(last_day)}
    return answer | {"currency": scope.definitions.settings.currency, **_total(totals), "days": totals}


def _check(scope: TenantScope, location: str) -> None:
    if location in scope.definitions.at(scope.clock()).locations:
        return
    try:
        partition = keys.offline_losses(scope.tenant, location)
    except InvalidValue:
        raise UnknownLocation from None
    if not scope.table.query(partition, limit=1)[0]:
        raise UnknownLocation


def _rows(scope: TenantScope, location: str, span: tuple[str, str]) -> list[dict[str, Any]]:
    partition = keys.offline_losses(scope.tenant, location)
    raws, start = scope.table.query(partition, between=span)
    while start is not None:
        more, start = scope.table.query(partition, between=span, start=start)
        raws += more
    return [OfflineLossItem.values(raw) for raw in raws]


def _total(of: Iterable[dict[str, Any]]) -> dict[str, int]:
    rows = list(of)
    return {"count": sum(each["count"] for each in rows), "amount": sum(each["amount"] for each in rows)}


def _day(text: str, pointer: str) -> int:
    try:
        return day_of(text)
    except InvalidValue as error:
        hint = FieldError(pointer, "invalid_value", "a business date as in 2026-11-21")
        raise Unprocessable("The query does not fit; see errors.", errors=(hint,)) from error
