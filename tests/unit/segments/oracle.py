"""A slow, obvious reading of the segment language over raw purchases, sharing no code with the evaluator.

It takes rules as JSON, purchases as a list and an instant, and looks at everything again each time.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LETTER = {"category": "c", "tag": "t", "location": "l", "channel": "h"}


@dataclass
class Sale:
    """A purchase as it is after its returns: ``back`` is how many halves of it were brought back (2: all of it)."""

    at: int
    value: int
    quantity: int
    by: dict[str, int]
    back: int = 0

    def left(self, amount: int) -> int:
        return amount if self.back == 0 else amount - amount // 2 if self.back == 1 else 0


@dataclass
class World:
    zone: str
    sales: list[Sale] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    birth_date: date | None = None
    consents: dict[str, bool] = field(default_factory=dict)
    coupons: list[tuple[str, str, int, int]] = field(default_factory=list)
    """Offer, state, active from, expires at."""
    redeemed: set[str] = field(default_factory=set)
    lots: list[tuple[int, int, int]] = field(default_factory=list)
    """Points, available at, expires at."""
    holds: list[tuple[int, int]] = field(default_factory=list)
    """Points, until."""

    def date_of(self, instant: int) -> date:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)).astimezone(ZoneInfo(self.zone)).date()


def compare(left: Any, op: str, right: Any) -> bool:
    return {"eq": left == right, "ne": left != right, "lt": left < right, "le": left <= right, "gt": left > right, "ge": left >= right}[op]


def truth(rule: dict[str, Any], world: World, now: int) -> bool | None:
    kind = rule["kind"]
    if kind in ("all", "any"):
        answers = [truth(child, world, now) for child in rule["rules"]]
        decisive = kind == "any"
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive
    if kind == "not":
        inner = truth(rule["rule"], world, now)
        return None if inner is None else not inner
    return LEAVES[kind](rule, world, now)


def in_window(rule: dict[str, Any], world: World, now: int) -> list[Sale]:
    today = world.date_of(now)
    first = today - timedelta(days=rule["days"] - 1)
    return [sale for sale in world.sales if sale.back < 2 and first <= world.date_of(sale.at) <= today]


def purchases(rule: dict[str, Any], world: World, now: int) -> bool | None:
    sales = in_window(rule, world, now)
    values = [sale.left(sale.value) for sale in sales]
    for dimension, name in (rule.get("filter") or {}).items():
        key = f"{LETTER[dimension]}:{name}"
        sales = [sale for sale in sales if key in sale.by]
        values = [sale.left(sale.by[key]) for sale in sales]
    if rule["metric"] == "average":
        return compare(Fraction(sum(values), len(sales)), rule["op"], rule["value"]) if sales else None
    amount = {"count": len(sales), "value": sum(values), "quantity": sum(sale.left(sale.quantity) for sale in sales)}[rule["metric"]]
    return compare(amount, rule["op"], rule["value"])


def since_last(rule: dict[str, Any], world: World, now: int) -> bool | None:
    if not world.sales:
        return None
    passed = now - max(sale.at for sale in world.sales) >= rule.get("days", 0) * DAY + rule.get("hours", 0) * HOUR
    return passed if rule["op"] == "at_least" else not passed


def tag_share(rule: dict[str, Any], world: World, now: int) -> bool | None:
    sales = in_window(rule, world, now)
    total = sum(sale.left(sale.value) for sale in sales)
    tagged = sum(sale.left(sale.by.get(f"t:{rule['tag']}", 0)) for sale in sales)
    return compare(Fraction(100 * tagged, total), rule["op"], rule["percent"]) if total else None


def favourite(rule: dict[str, Any], world: World, now: int) -> bool | None:
    scores: dict[str, tuple[int, int]] = {}
    for sale in in_window(rule, world, now):
        for key, value in sale.by.items():
            if key[0] == LETTER[rule["of"]]:
                count, worth = scores.get(key[2:], (0, 0))
                scores[key[2:]] = (count + 1, worth + sale.left(value))
    asked = rule["in"] if "in" in rule else [rule["is"]]
    return any(scores.get(name) == max(scores.values()) for name in asked) if scores else None


def attribute(rule: dict[str, Any], world: World, now: int) -> bool | None:
    value = world.attributes.get(rule["name"])
    if rule["name"] == "lifetime_purchases":
        value = len([sale for sale in world.sales if sale.back < 2])
    if rule["op"] in ("exists", "missing"):
        return (value is None) == (rule["op"] == "missing")
    wanted = rule["value"]
    if type(value) is not type(wanted[0] if rule["op"] == "in" else wanted):
        return None
    return value in wanted if rule["op"] == "in" else compare(value, rule["op"], wanted)


def consent(rule: dict[str, Any], world: World, now: int) -> bool | None:
    given = world.consents.get(f"{rule['purpose']}:{rule['channel']}")
    return None if given is None else given is rule["granted"]


def is_birthday(born: date, day: date) -> bool:
    if (born.month, born.day) == (2, 29) and not calendar.isleap(day.year):
        return (day.month, day.day) == (2, 28)
    return (born.month, born.day) == (day.month, day.day)


def birthday(rule: dict[str, Any], world: World, now: int) -> bool | None:
    today, born = world.date_of(now), world.birth_date
    if born is None or today < born:
        return None
    if "month" in rule:
        return born.month == (today.month if rule["month"] == "current" else rule["month"])
    offsets = range(-rule.get("within_days_after", 0), rule.get("within_days_before", 0) + 1)
    return any(is_birthday(born, today + timedelta(days=offset)) for offset in offsets)


def age(rule: dict[str, Any], world: World, now: int) -> bool | None:
    today, born = world.date_of(now), world.birth_date
    if born is None or today < born:
        return None
    day, years = born, 0
    for year in range(born.year + 1, today.year + 1):
        day = date(year, born.month, born.day - (not calendar.isleap(year) and (born.month, born.day) == (2, 29)))
        years += day <= today
    return compare(years, rule["op"], rule["years"])


def coupon(rule: dict[str, Any], world: World, now: int) -> bool | None:
    if rule["state"] == "redeemed":
        return rule["offer"] in world.redeemed
    for offer, state, active_from, expires_at in world.coupons:
        if offer == rule["offer"] and state == rule["state"]:
            usable = active_from <= now < expires_at and expires_at - now <= rule.get("expires_within_days", 10**6) * DAY
            if state == "held" or usable:
                return True
    return False


def balance(rule: dict[str, Any], world: World, now: int) -> bool | None:
    points = sum(points for points, available_at, expires_at in world.lots if available_at <= now < expires_at)
    points -= sum(points for points, until in world.holds if now < until)
    return compare(max(points, 0) if rule["wallet"] == "points" else 0, rule["op"], rule["value"])


LEAVES = {
    "purchases": purchases, "since_last_purchase": since_last, "tag_share": tag_share, "favourite": favourite, "attribute": attribute,
    "consent": consent, "birthday": birthday, "age": age, "coupon": coupon, "balance": balance,
}  # fmt: skip


def moments(world: World, rules: list[dict[str, Any]], now: int) -> list[int]:
    """Instants after ``now`` at which any truth may change, each with the millisecond before it: all midnights of 450 days,
    the midnights around the birthdays of 40 years, and every stored instant with the distances that the rules name."""
    today = world.date_of(now)
    days = [today + timedelta(days=offset) for offset in range(1, 450)]
    if world.birth_date is not None:
        months = [date(today.year + years, world.birth_date.month, 1) for years in range(2, 40)]
        days += [month + timedelta(days=min(world.birth_date.day, 30) - 1 + offset) for month in months for offset in (-1, 0, 1)]
        days += [world.birth_date]
    exact = [midnight(day, world.zone) for day in days]
    stored = [sale.at for sale in world.sales] + [i for _, _, a, e in world.coupons for i in (a, e)]
    stored += [i for _, a, e in world.lots for i in (a, e)] + [until for _, until in world.holds]
    distances = {0} | {d for rule in rules for d in named_distances(rule)}
    exact += [instant + distance for instant in stored for distance in distances]
    return sorted({each for instant in exact for each in (instant - 1, instant) if each > now})


def named_distances(rule: dict[str, Any]) -> list[int]:
    if "rules" in rule:
        return [distance for child in rule["rules"] for distance in named_distances(child)]
    if "rule" in rule:
        return named_distances(rule["rule"])
    if rule["kind"] == "since_last_purchase":
        return [rule.get("days", 0) * DAY + rule.get("hours", 0) * HOUR]
    return [-rule["expires_within_days"] * DAY] if "expires_within_days" in rule else []


@cache
def midnight(day: date, zone: str) -> int:
    """The first instant of a local date: look at every hour round it, then at every quarter of the hour before."""

    def reached(instant: int) -> bool:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)).astimezone(ZoneInfo(zone)).date() >= day

    utc = (day - date(1970, 1, 1)).days * DAY
    hour = next(instant for instant in range(utc - 16 * HOUR, utc + 16 * HOUR, HOUR) if reached(instant))
    return next(instant for instant in range(hour - HOUR, hour + 1, 15 * MINUTE) if reached(instant))
