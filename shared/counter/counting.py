"""How often a cashier does what rules count: added in the very transaction that does it, so that it is counted once.

An item for each business date, location, cashier and rule, written by what is rare: claims, returns of sales with something redeemed,
adjustments, flagged sales, and of these the ones after hours. No two tills with cashiers of their own share one. After the commit the
sum is read, where the tenant has a rule, and the alert of the day is told with a conditional write of its own: once, and if the
process dies before it, by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.kernel.instants import DAY, SECOND, day_of
from shared.member_state.effects import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.storage import keys_counter
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items_counter import CountItem
from shared.storage.noting import aside
from shared.storage.table import WriteBatch
from shared.tenants.counter import CounterRules
from shared.tenants.scope import TenantScope

Rule = Literal["claims", "returns", "adjustments", "flagged", "after_hours"]
KEPT: Final = 400 * DAY


@dataclass(frozen=True, slots=True)
class Doer:
    """Whose doings of which business date are counted. ``location`` may be empty: adjustments have none."""

    business_date: str
    location: str
    cashier: str


def cashier(staff: str | None, till: str | None) -> str:
    """Under which name a till's doings are counted."""
    return staff or (f"till:{till}" if till else "")


def add(batch: WriteBatch, scope: TenantScope, doer: Doer, rule: Rule, points: int = 0) -> None:
    """One more, where the tenant has the rule. Label ``count:<rule>``; 2 write units."""
    if not _counts(scope.definitions.settings.counter.rules, rule):
        return
    key = keys_counter.count(scope.tenant, doer.business_date, doer.location, doer.cashier, rule)
    ends = (day_of(doer.business_date) * DAY + KEPT) // SECOND
    named = {"rule": rule, "location": doer.location or "-", "cashier": doer.cashier or "-", "expires_at": ends}
    actions = [Path(name).set(value) for name, value in named.items()]
    batch.update(f"count:{rule}", key, [Path("number").add(1), Path("sum").add(points), *actions])


def alert(scope: TenantScope, doer: Doer, rule: Rule, correlation: str = "") -> bool:
    """Tell ``counter.alert`` if it has become too many, once for a rule, cashier and day. A read where there is a rule, then a write."""
    rules = scope.definitions.settings.counter.rules
    if rule == "flagged" or not _counts(rules, rule):
        return False
    key = keys_counter.count(scope.tenant, doer.business_date, doer.location, doer.cashier, rule)
    raw = scope.table.get(key, consistent=True)
    item: dict[str, Any] = CountItem.values(raw) if raw is not None else {}
    if not item or "told" in item or not too_many(rules, rule, item["number"], item["sum"]):
        return False
    now = scope.clock()
    data: dict[str, object] = {
        "rule": rule, "business_date": doer.business_date, "location": item["location"], "cashier": item["cashier"],
        "count": item["number"], "points": item["sum"],
    }  # fmt: skip
    out = envelope([DomainEvent("counter.alert", now, data)], Stamp(now, correlation))
    not_told: Condition = Path("told").does_not_exist()
    try:
        with aside():
            scope.table.update(key, [Path("told").set(now), Path("revision").set(1), Path("out").set(out)], not_told)
    except ConditionFailed:
        return False
    return True


def too_many(rules: CounterRules, rule: Rule, number: int, points: int) -> bool:
    """Whether it is more than the tenant allows. Pure."""
    match rule:
        case "claims":
            return rules.claims is not None and number > rules.claims.more_than
        case "returns":
            return rules.returns is not None and number > rules.returns.more_than
        case "after_hours":
            return rules.after_hours is not None and number > rules.after_hours.more_than
        case "adjustments" if rules.adjustments is not None:
            often = rules.adjustments.more_than is not None and number > rules.adjustments.more_than
            return often or (rules.adjustments.points is not None and points > rules.adjustments.points)
    return False


def _counts(rules: CounterRules, rule: Rule) -> bool:
    return rule == "flagged" or getattr(rules, rule) is not None
