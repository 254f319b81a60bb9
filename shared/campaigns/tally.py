"""What a delivery counts for in its campaign's report. Pure.

The counters of a delivery are a function of its row. What a change adds to the report is the difference of that function before and after,
and travels with the change; so a recount over the rows (``python -m local verify``) must give the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.campaigns.model import Delivery
from shared.reports.cells import SUPPRESSED, Place

_SETTLED: Final = ("sent", "failed", "unknown")
_FINAL: Final = (*_SETTLED, "given")
_ON_THE_WAY: Final = ("claimed", "waiting", *_SETTLED)


def place_of(delivery: Delivery) -> Place:
    """The cell that a delivery counts in."""
    return Place(delivery.step, delivery.variant or "", delivery.channel, delivery.language or "")


def counts_of(delivery: Delivery) -> dict[str, int]:
    """Its counters. What was done and brought her nothing counts nothing; a message that was deferred is planned once, by the record of
    that.
    """
    if delivery.state == "done":
        return {}
    if delivery.state == "deferred":
        return {"planned": 1, "deferred": 1}
    counts: dict[str, int] = {} if delivery.was_deferred else {"planned": 1}
    if delivery.state == "suppressed":
        return counts | {"suppressed": 1, f"{SUPPRESSED}{delivery.reason}": 1}
    if delivery.state == "held_out":
        return counts | {"held_out": 1} | _exposed(delivery, "held_")
    if delivery.state in _ON_THE_WAY:
        counts["claimed"] = 1
    if delivery.state in _FINAL:
        counts[delivery.state] = 1
    counts |= dict.fromkeys(delivery.responses, 1)
    money = {"cost_e6": delivery.cost_e6, "discount": delivery.discount}
    return counts | {name: value for name, value in money.items() if value} | _exposed(delivery, "") | _attributed(delivery)


def difference(before: Delivery | None, after: Delivery) -> dict[str, int]:
    """What the change adds; empty if it changes no counter."""
    old = counts_of(before) if before is not None else {}
    new = counts_of(after)
    found = {name: new.get(name, 0) - old.get(name, 0) for name in (*new, *(name for name in old if name not in new))}
    return {name: number for name, number in found.items() if number}


def counted(before: Delivery | None, after: Delivery) -> Mapping[str, Any] | None:
    """The data of the event ``delivery.counted``, or ``None`` if there is nothing to count. A delivery's place never changes."""
    counts = difference(before, after)
    return {"campaign": after.campaign, **place_of(after)._asdict(), "counts": counts} if counts else None


def _exposed(delivery: Delivery, prefix: str) -> dict[str, int]:
    if not delivery.exposure:
        return {}
    spent = delivery.revenue
    values = {"exposed": 1, "converted": int(delivery.converted_by is not None), "revenue": spent, "revenue_squared": spent * spent}
    return {prefix + name: value for name, value in values.items() if value}


def _attributed(delivery: Delivery) -> dict[str, int]:
    credits_ = delivery.attributed.values()
    values = {
        "attributed": len(delivery.attributed),
        "attributed_hard": sum(each.hard for each in credits_),
        "attributed_revenue": sum(each.value for each in credits_),
    }
    return {name: value for name, value in values.items() if value}
