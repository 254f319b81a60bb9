"""What came of a message: conversions and revenue in its window, and which delivery gets the credit for a purchase. Pure.

Two questions, which are not one. *Did it change anything?* is asked of everybody who was reached and everybody who was held out alike: what
each did within the goal's days after the first message of an occurrence (``convert``). *Which message gets the credit?* gives each purchase
to one delivery at most (``credit``): the one whose coupon it used or whose form was filled, else the one clicked or opened last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.campaigns.model import Credit, Delivery, Goal
from shared.kernel.instants import DAY, Instant

MAX_CREDITED: Final = 40
"""Purchases that one delivery remembers; what comes later within its days is not counted for it."""
GOALS: Final[Mapping[str, str]] = {
    "transaction.recorded": "purchase", "coupon.redeemed": "coupon_redeemed", "form.submitted": "form_submitted",
}  # fmt: skip
RECORDED: Final = "transaction.recorded"
REVERSALS: Final = ("transaction.returned", "transaction.voided")


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a member that may count: its id among hers, type and instant; of sales the transaction and its value in minor units."""

    id: str
    type: str
    at: Instant
    transaction: str = ""
    value: int = 0
    whole: bool = False

    @property
    def goal(self) -> str:
        """The goal that it reaches."""
        return GOALS.get(self.type, self.type)


def happened(event: Mapping[str, Any]) -> Happened | None:
    """An event of an envelope, if it may count for a campaign."""
    type_, data = event["type"], event["data"]
    if type_ not in (*GOALS, *REVERSALS) and not type_.startswith("event."):
        return None
    value = data.get("value", 0) if type_ in (RECORDED, *REVERSALS) else 0
    return Happened(
        id=str(event["id"]).split(":", 2)[-1],
        type=type_,
        at=int(event["occurred_at"]),
        transaction=str(data.get("transaction", "")),
        value=int(value),
        whole=bool(data.get("whole", False)),
    )


def convert(row: Delivery, goal: Goal, event: Happened) -> Delivery:
    """The row of an exposure after an event: a purchase within its days is revenue, and what the goal asks for is its conversion.

    What comes back is taken off again; a conversion whose whole purchase came back is none. The same event twice changes nothing.
    """
    if not row.exposure or row.state == "suppressed":
        return row
    if event.type in REVERSALS:
        return _taken_back(row, event)
    if not within(row, goal, event.at):
        return row
    converted_by = row.converted_by or ((event.transaction or event.id) if event.goal == goal.of else None)
    if event.type == RECORDED and event.transaction not in row.credited and len(row.credited) < MAX_CREDITED:
        row = replace(row, credited={**row.credited, event.transaction: event.value}, seen=(*row.seen, event.id))
    return replace(row, converted_by=converted_by)


def within(row: Delivery, goal: Goal, at: Instant) -> bool:
    """Whether an instant is in the days that count after a delivery."""
    return row.claimed_at <= at < row.claimed_at + goal.days * DAY


def choose(rows: Sequence[tuple[Delivery, Goal]], event: Happened, hard: Delivery | None) -> tuple[Delivery, bool] | None:
    """The one delivery that gets the credit for a purchase or a form, and whether by proof; ``None``: nobody asked for it.

    ``hard``: the delivery whose coupon was used, or whose form was filled. Else, of those in their days, the one that she answered last.
    """
    if hard is not None:
        return hard, True
    if event.type != RECORDED:
        return None
    answered = [(_answered(row, event.at), row.claimed_at, row) for row, goal in rows if within(row, goal, event.at)]
    found = max((each for each in answered if each[0]), key=lambda each: each[:2], default=None)
    return None if found is None else (found[2], False)


def credit(row: Delivery, event: Happened, *, hard: bool) -> Delivery:
    """The row with the credit for a purchase or a form, once."""
    key = event.transaction or event.id
    if key in row.attributed or len(row.attributed) >= MAX_CREDITED:
        return row
    return replace(row, attributed={**row.attributed, key: Credit(hard, event.value)})


def take_credit(row: Delivery, event: Happened) -> Delivery:
    """A return of a purchase that the row has credit for: less value, or none of it."""
    given = row.attributed.get(event.transaction)
    if given is None or f"a{event.id}" in row.seen:
        return row
    rest = {key: each for key, each in row.attributed.items() if key != event.transaction}
    if not event.whole:
        rest = {**row.attributed, event.transaction: replace(given, value=given.value - event.value)}
    return replace(row, attributed=rest, seen=(*row.seen, f"a{event.id}"))


def _answered(row: Delivery, until: Instant) -> Instant:
    """When she last opened or clicked it before an instant; 0: not."""
    return max((at for name, at in row.responses.items() if name in ("opened", "clicked") and at <= until), default=0)


def _taken_back(row: Delivery, event: Happened) -> Delivery:
    if event.transaction not in row.credited or event.id in row.seen:
        return row
    left = 0 if event.whole else row.credited[event.transaction] - event.value
    converted_by = None if event.whole and row.converted_by == event.transaction else row.converted_by
    return replace(row, credited={**row.credited, event.transaction: left}, converted_by=converted_by, seen=(*row.seen, event.id))
