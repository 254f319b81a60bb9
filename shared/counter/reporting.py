"""What stands out at the counter: by business date, location and cashier. A Query a day."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from shared.counter.api import CounterReport, CounterRow
from shared.kernel.errors import FieldError, InvalidValue, Unprocessable
from shared.kernel.instants import day_of, format_day, local_day
from shared.storage import keys_counter
from shared.storage.items_counter import CountItem
from shared.tenants.principal import Place
from shared.tenants.scope import TenantScope

MAX_DAYS: Final = 31
_USUAL_DAYS: Final = 7


def report(scope: TenantScope, place: Place, first: str | None, until: str | None) -> CounterReport:
    """Business dates, both ends inclusive; the last seven where none are named, 31 at most. ``place``: of what is within alone."""
    today = local_day(scope.clock(), scope.definitions.settings.time_zone)
    last_day = _day(until, "/until") if until is not None else today
    first_day = _day(first, "/from") if first is not None else last_day - _USUAL_DAYS + 1
    if not first_day <= last_day < first_day + MAX_DAYS:
        hint = FieldError("/from", "invalid_value", f"not after until, and at most {MAX_DAYS} days")
        raise Unprocessable("The query does not fit; see errors.", errors=(hint,))
    days = [format_day(day) for day in range(first_day, last_day + 1)]
    rows = tuple(row for day in days for row in _rows(scope, day, place))
    return CounterReport(
        first=days[0],
        until=days[-1],
        data=rows,
        by_location=summed((row.location_id, row) for row in rows),
        by_cashier=summed((f"{row.location_id}/{row.cashier}", row) for row in rows),
    )


def summed(rows: Iterable[tuple[str, CounterRow]]) -> dict[str, dict[str, int]]:
    """How often each rule's thing was done, by name. Pure."""
    sums: dict[str, dict[str, int]] = {}
    for name, row in rows:
        of_name = sums.setdefault(name, {})
        of_name[row.rule] = of_name.get(row.rule, 0) + row.count
    return sums


def _rows(scope: TenantScope, day: str, place: Place) -> list[CounterRow]:
    begins = keys_counter.counts_of(place.location) if place.location is not None else keys_counter.COUNT_PREFIX
    found = scope.table.query_all(keys_counter.counts(scope.tenant, day), begins=begins)
    rows = (_row(day, CountItem.values(raw)) for raw in found)
    return [row for row in rows if place.covers(row.location_id, scope.groups_of)]


def _row(day: str, item: dict[str, Any]) -> CounterRow:
    return CounterRow(
        business_date=day,
        location_id=item["location"],
        cashier=item["cashier"],
        rule=item["rule"],
        count=item["number"],
        points=item["sum"],
        alerted="told" in item,
    )


def _day(text: str, pointer: str) -> int:
    try:
        return day_of(text)
    except InvalidValue as error:
        hint = FieldError(pointer, "invalid_value", "a business date as in 2026-11-21")
        raise Unprocessable("The query does not fit; see errors.", errors=(hint,)) from error
