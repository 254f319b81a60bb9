"""A slow, obvious reading of the segment language over raw purchases, sharing no code with the evaluator.

It takes rules as JSON, purchases as a list and an instant, and looks at everything again each time.
"""

from __future__ import annotations

import calendar
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LETTER = {"category": "c", "tag": "t", "location": "l", "channel": "h", "item": "i"}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
KEPT = 400
FOREVER = 10**15


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

    def units(self, key: str) -> int:
        """Items of a category, tag or item; all items of a location or channel."""
        return self.by[key] + 1 if key[0] in "cti" else self.quantity


@dataclass
class Message:
    campaign: str
    at: int
    held: bool = False
    opened: int | None = None
    clicked: int | None = None
    redeemed: int | None = None


@dataclass
class Card:
    """A challenge that she has."""

    challenge: str
    start: int
    until: int
    completed_at: int | None = None


@dataclass
class World:
    zone: str
    member: str = "m"
    sales: list[Sale] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    birth_date: date | None = None
    gender: str | None = None
    language: str | None = None
    home: tuple[int, int] | None = None
    joined_at: int = 1
    kinds: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    consents: dict[str, bool] = field(default_factory=dict)
    coupons: list[tuple[str, str, int, int]] = field(default_factory=list)
    """Offer, state, active from, expires at."""
    redeemed: set[str] = field(default_factory=set)
    lots: list[tuple[int, int, int]] = field(default_factory=list)
    """Points, available at, expires at."""
    debt: int = 0
    holds: list[tuple[int, int]] = field(default_factory=list)
    """Points, until."""
    tier_since: int = 1
    events: list[tuple[int, str, str, int]] = field(default_factory=list)
    """Instant, type, value of the property that splits, amount."""
    messages: list[Message] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    profiled: bool = True
    # The tenant's.
    levels: tuple[str, ...] = ("silver", "gold")
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    segments: dict[str, dict[str, Any]] = field(default_factory=dict)
    tag_days: int = 365
    half_life: int = 90
    tag_percent: int = 50
    tag_purchases: int = 3
    rfm_days: int = 365
    sleeping: int = 20
    lost: int = 40
    median2: int = 60
    quintiles: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def date_of(self, instant: int, zone: str | None = None) -> date:
        return local(instant, zone or self.zone).date()


def local(instant: int, zone: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)).astimezone(ZoneInfo(zone))


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
    if kind == "segment":
        return truth(world.segments[rule["segment"]], world, now) if rule["segment"] in world.segments else None
    return LEAVES[kind](rule, world, now)


def member(rule: dict[str, Any], world: World, now: int) -> bool | None:
    """The truth of a definition: who objects to profiling is in none that looks at what she does."""
    return False if not world.profiled and looks_at_behaviour(rule, world) else truth(rule, world, now)


def looks_at_behaviour(rule: dict[str, Any], world: World) -> bool:
    if "rules" in rule:
        return any(looks_at_behaviour(child, world) for child in rule["rules"])
    if "rule" in rule:
        return looks_at_behaviour(rule["rule"], world)
    if rule["kind"] == "segment":
        return rule["segment"] in world.segments and looks_at_behaviour(world.segments[rule["segment"]], world)
    if rule["kind"] == "attribute":
        return rule["name"] in ("lifetime_purchases", "lifetime_value")
    if rule["kind"] == "radius":
        return rule["of"] == "last_location"
    return rule["kind"] in (
        "purchases", "since_last_purchase", "since_first_purchase", "tag_share", "favourite", "tag_strength", "prefers", "lifecycle",
        "usual_interval", "rfm", "event", "since_last_event", "campaign",
    )  # fmt: skip


def bought_in(days: int, world: World, now: int) -> list[Sale]:
    today = world.date_of(now)
    first = today - timedelta(days=days - 1)
    return [sale for sale in world.sales if sale.back < 2 and first <= world.date_of(sale.at) <= today]


def in_window(rule: dict[str, Any], world: World, now: int) -> list[Sale]:
    sales = bought_in(rule["days"], world, now)
    return [sale for sale in sales if WEEKDAYS[world.date_of(sale.at).weekday()] in rule.get("weekdays", WEEKDAYS)]


def in_hours(sale: Sale, hours: dict[str, int], world: World) -> bool:
    hour = hours["from"]
    while local(sale.at, world.zone).hour != hour:
        hour = (hour + 1) % 24
        if hour == hours["until"] % 24:
            return False
    return True


def parts(filter_: dict[str, Any], sales: list[Sale], world: World) -> list[tuple[Sale, int, int]]:
    """Each sale that has something of it, with the value and the quantity of that."""
    if not filter_:
        return [(sale, sale.value, sale.quantity) for sale in sales]
    [(dimension, name)] = filter_.items()
    if dimension == "hours":
        return [(sale, sale.value, sale.quantity) for sale in sales if in_hours(sale, name, world)]
    key = f"{LETTER[dimension]}:{name}"
    return [(sale, sale.by[key], sale.units(key)) for sale in sales if key in sale.by]


def purchases(rule: dict[str, Any], world: World, now: int) -> bool | None:
    found = parts(rule.get("filter") or {}, in_window(rule, world, now), world)
    values = [sale.left(value) for sale, value, _ in found]
    if rule["metric"] == "average":
        return compare(Fraction(sum(values), len(found)), rule["op"], rule["value"]) if found else None
    amount = {
        "count": len(found),
        "value": sum(values),
        "quantity": sum(sale.left(quantity) for sale, _, quantity in found),
        "visits": len({world.date_of(sale.at) for sale, _, _ in found}),
    }[rule["metric"]]
    return compare(amount, rule["op"], rule["value"])


def since(rule: dict[str, Any], instants: list[int], world: World, now: int, pick: Any = max) -> bool | None:
    """How long ago, by 24 hours or by dates."""
    if not instants:
        return None
    if rule.get("day") == "calendar":
        zone = rule.get("time_zone")
        passed = (world.date_of(now, zone) - world.date_of(pick(instants), zone)).days >= rule["days"]
    else:
        passed = now - pick(instants) >= rule.get("days", 0) * DAY + rule.get("hours", 0) * HOUR
    return passed if rule["op"] == "at_least" else not passed


def since_last(rule: dict[str, Any], world: World, now: int) -> bool | None:
    if "filter" not in rule:
        return since(rule, [sale.at for sale in world.sales], world, now)
    found = parts(rule["filter"], bought_in(KEPT, world, now), world)
    return since(rule, [sale.at for sale, _, _ in found], world, now)


def since_first(rule: dict[str, Any], world: World, now: int) -> bool | None:
    return since(rule, [sale.at for sale in world.sales], world, now, min)


def joined(rule: dict[str, Any], world: World, now: int) -> bool | None:
    return since(rule, [world.joined_at], world, now)


def since_event(rule: dict[str, Any], world: World, now: int) -> bool | None:
    return since(rule, [at for at, type_, _, _ in world.events if type_ == rule["event"]], world, now)


def event(rule: dict[str, Any], world: World, now: int) -> bool | None:
    today = world.date_of(now)
    found = [
        amount
        for at, type_, by, amount in world.events
        if type_ == rule["event"] and rule.get("by", by) == by and 0 <= (today - world.date_of(at)).days < rule["days"]
    ]
    return compare(sum(found) if rule.get("metric") == "value" else len(found), rule["op"], rule["value"])


def campaign(rule: dict[str, Any], world: World, now: int) -> bool | None:
    for message in world.messages:
        sent = {"received": None if message.held else message.at, "held_out": message.at if message.held else None}
        at = {**sent, "opened": message.opened, "clicked": message.clicked, "redeemed": message.redeemed}[rule["response"]]
        if message.campaign == rule["campaign"] and at is not None and at <= now < at + rule.get("within_days", FOREVER) * DAY:
            return True
    return False


def tag_share(rule: dict[str, Any], world: World, now: int) -> bool | None:
    sales = in_window(rule, world, now)
    total = sum(sale.left(sale.value) for sale in sales)
    tagged = sum(sale.left(sale.by.get(f"t:{rule['tag']}", 0)) for sale in sales)
    return compare(Fraction(100 * tagged, total), rule["op"], rule["percent"]) if total else None


def favourite(rule: dict[str, Any], world: World, now: int) -> bool | None:
    scores: dict[str, tuple[int, int]] = {}
    for sale in in_window(rule, world, now):
        named = {key[2:]: value for key, value in sale.by.items() if key[0] == LETTER.get(rule["of"])}
        if rule["of"] == "hour":
            named = {f"{local(sale.at, world.zone).hour:02}": sale.value}
        if rule["of"] == "weekday":
            named = {WEEKDAYS[world.date_of(sale.at).weekday()]: sale.value}
        for name, value in named.items():
            count, worth = scores.get(name, (0, 0))
            scores[name] = (count + 1, worth + sale.left(value))
    asked = rule["in"] if "in" in rule else [rule["is"]]
    return any(scores.get(name) == max(scores.values()) for name in asked) if scores else None


# -- habits ---------------------------------------------------------------------------------------------------------


def weight(day: date, half_life: int) -> int:
    """2^(day / half-life), so finely that no share of a test comes near: the number of the day, not its age, so that shares stay."""
    number = (day - date(1970, 1, 1)).days - 20_000
    return int(Decimal(2) ** (Decimal(number) / half_life) * 2**64)


def strength(tag: str, world: World, now: int) -> Fraction | None:
    sales = bought_in(world.tag_days, world, now)
    whole = sum(weight(world.date_of(sale.at), world.half_life) * sale.left(sale.value) for sale in sales)
    tagged = sum(weight(world.date_of(sale.at), world.half_life) * sale.left(sale.by.get(f"t:{tag}", 0)) for sale in sales)
    return Fraction(100 * tagged, whole) if whole else None


def tag_strength(rule: dict[str, Any], world: World, now: int) -> bool | None:
    share = strength(rule["tag"], world, now)
    return None if share is None else compare(share, rule["op"], rule["percent"])


def prefers(rule: dict[str, Any], world: World, now: int) -> bool | None:
    share = strength(rule["tag"], world, now)
    often = len([sale for sale in bought_in(world.tag_days, world, now) if f"t:{rule['tag']}" in sale.by])
    return None if share is None else share >= world.tag_percent and often >= world.tag_purchases


def interval(world: World, now: int) -> Fraction | None:
    days = sorted({world.date_of(sale.at) for sale in bought_in(KEPT, world, now)})[-13:]
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    return Fraction(median([Fraction(gap) for gap in gaps])) if len(gaps) > 1 else None


def usual_interval(rule: dict[str, Any], world: World, now: int) -> bool | None:
    usual = interval(world, now)
    return None if usual is None else compare(usual, rule["op"], rule["days"])


def lifecycle(rule: dict[str, Any], world: World, now: int) -> bool | None:
    if not world.sales:
        return None
    usual = interval(world, now)
    usual = Fraction(world.median2, 2) if usual is None else usual
    passed = Fraction(now - max(sale.at for sale in world.sales), DAY)
    state = "lost" if passed > usual * world.lost / 10 else "sleeping" if passed > usual * world.sleeping / 10 else "active"
    return state in rule["in"]


def rfm(rule: dict[str, Any], world: World, now: int) -> bool | None:
    if not world.sales or not all(world.quintiles.values()):
        return None
    sales = bought_in(world.rfm_days, world, now)
    value = {
        "recency": max((world.date_of(now) - world.date_of(max(sale.at for sale in world.sales))).days, 0),
        "frequency": len(sales),
        "monetary": sum(sale.left(sale.value) for sale in sales),
    }[rule["of"]]
    fifth = 1 + len([edge for edge in world.quintiles[rule["of"]] if value > edge])
    return compare(6 - fifth if rule["of"] == "recency" else fifth, rule["op"], rule["value"])


# -- who she is -----------------------------------------------------------------------------------------------------


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


def has(rule: dict[str, Any], world: World, now: int) -> bool | None:
    if rule["of"] == "device":
        return world.attributes["has_device"]
    return bool(world.kinds & ({"wallet_card"} if rule["of"] == "wallet_card" else {"telegram", "whatsapp"}))


def identifier(rule: dict[str, Any], world: World, now: int) -> bool | None:
    return rule["identifier"] in world.kinds


def member_tag(rule: dict[str, Any], world: World, now: int) -> bool | None:
    return rule["tag"] in world.tags


def static_list(rule: dict[str, Any], world: World, now: int) -> bool | None:
    return rule["list"] in world.lists


def fact(rule: dict[str, Any], world: World, now: int) -> bool | None:
    value = world.gender if rule["of"] == "gender" else world.language
    return None if value is None else value in (rule["in"] if "in" in rule else [rule["is"]])


def bucket(rule: dict[str, Any], world: World, now: int) -> bool | None:
    rest = 0xFFFFFFFF
    for byte in f"{rule['salt']}|{world.member}".encode():
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0xEDB88320 if rest & 1 else 0)
    return rule["from"] <= (rest ^ 0xFFFFFFFF) % 100 < rule["until"]


def radius(rule: dict[str, Any], world: World, now: int) -> bool | None:
    centre = world.places.get(rule["location"]) if "location" in rule else (rule["latitude_e6"], rule["longitude_e6"])
    where = world.home
    if rule["of"] == "last_location":
        last = max(world.sales, key=lambda sale: sale.at, default=None)
        where = None if last is None else world.places.get(next(key[2:] for key in last.by if key[0] == "l"))
    if centre is None or where is None:
        return None
    # The angle between two unit vectors.
    vectors = []
    for north, east in (centre, where):
        latitude, longitude = math.radians(north / 1e6), math.radians(east / 1e6)
        vectors.append((math.cos(latitude) * math.cos(longitude), math.cos(latitude) * math.sin(longitude), math.sin(latitude)))
    return math.dist(*vectors) <= 2 * math.sin(rule["metres"] / 6_371_008.8 / 2)


def is_birthday(born: date, day: date) -> bool:
    if (born.month, born.day) == (2, 29) and not calendar.isleap(day.year):
        return (day.month, day.day) == (2, 28)
    return (born.month, born.day) == (day.month, day.day)


def birthday(rule: dict[str, Any], world: World, now: int) -> bool | None:
    today, born = world.date_of(now, rule.get("time_zone")), world.birth_date
    if born is None or today < born:
        return None
    if "month" in rule:
        return born.month == (today.month if rule["month"] == "current" else rule["month"])
    offsets = range(-rule.get("within_days_after", 0), rule.get("within_days_before", 0) + 1)
    return any(is_birthday(born, today + timedelta(days=offset)) for offset in offsets)


def age(rule: dict[str, Any], world: World, now: int) -> bool | None:
    today, born = world.date_of(now, rule.get("time_zone")), world.birth_date
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


def challenge(rule: dict[str, Any], world: World, now: int) -> bool | None:
    within = rule.get("within_days", FOREVER) * DAY
    for card in world.cards:
        if card.challenge != rule["challenge"]:
            continue
        done = card.completed_at is not None and card.completed_at <= now < card.completed_at + within
        ended = card.completed_at is None and card.until <= now < card.until + within
        if {"active": card.start <= now < card.until and card.until - now <= within, "completed": done, "ended": ended}[rule["state"]]:
            return True
    return False


def tier(rule: dict[str, Any], world: World, now: int) -> bool | None:
    held = world.attributes.get("tier")
    if "at_least" in rule:
        if rule["at_least"] not in world.levels or held not in (None, *world.levels):
            return None
        fits = held is not None and world.levels.index(held) >= world.levels.index(rule["at_least"])
    else:
        fits = held in (rule["in"] if "in" in rule else [rule["is"]])
    return fits and ("op" not in rule or since(rule, [world.tier_since], world, now) is True)


def available(world: World, now: int) -> list[tuple[int, int]]:
    """Matured points and when they expire: what matures pays the debt first, in order of time."""
    found, debt = [], world.debt
    for points, since_, until in sorted(world.lots, key=lambda lot: lot[1:]):
        if since_ < until and since_ <= now:
            paid = min(points, debt)
            debt -= paid
            found.append((points - paid, until))
    return [(points, until) for points, until in found if now < until]


def points(rule: dict[str, Any], world: World, now: int) -> bool | None:
    held = sum(points for points, until in world.holds if now < until)
    amount = {
        "available": max(sum(points for points, _ in available(world, now)) - held, 0),
        "pending": sum(points for points, since_, until in world.lots if now < since_ and now < until),
        "held": held,
    }[rule.get("state", "available")]
    return compare(amount if rule["wallet"] == "points" else 0, rule["op"], rule["value"])


def points_expiring(rule: dict[str, Any], world: World, now: int) -> bool | None:
    amount = sum(points for points, until in available(world, now) if until - now <= rule["within_days"] * DAY)
    return compare(amount if rule["wallet"] == "points" else 0, rule["op"], rule["value"])


LEAVES = {
    "purchases": purchases, "since_last_purchase": since_last, "since_first_purchase": since_first, "tag_share": tag_share,
    "favourite": favourite, "tag_strength": tag_strength, "prefers": prefers, "lifecycle": lifecycle, "usual_interval": usual_interval,
    "rfm": rfm, "event": event, "since_last_event": since_event, "campaign": campaign, "attribute": attribute, "consent": consent,
    "has": has, "identifier": identifier, "member_tag": member_tag, "list": static_list, "fact": fact, "joined": joined,
    "birthday": birthday, "age": age, "radius": radius, "bucket": bucket, "tier": tier, "balance": points, "points": points,
    "points_expiring": points_expiring, "coupon": coupon, "challenge": challenge,
}  # fmt: skip


# -- when anything may change ---------------------------------------------------------------------------------------


def moments(world: World, rules: list[dict[str, Any]], now: int) -> list[int]:
    """Instants after ``now`` at which any truth may change, each with the millisecond before it: all midnights of 450 days,
    the midnights around the birthdays of 40 years, and every stored instant with the distances that the rules name."""
    today, leaves = world.date_of(now), [leaf for rule in rules for leaf in leaves_of(rule, world)]
    days = [today + timedelta(days=offset) for offset in range(1, 450)]
    if world.birth_date is not None:
        months = [date(today.year + years, world.birth_date.month, 1) for years in range(2, 40)]
        days += [month + timedelta(days=min(world.birth_date.day, 30) - 1 + offset) for month in months for offset in (-1, 0, 1)]
        days += [world.birth_date]
    exact = [midnight(day, world.zone) for day in days]
    for zone in {leaf["time_zone"] for leaf in leaves if "time_zone" in leaf}:
        exact += [midnight(day, zone) for day in days]
    exact += [stored + distance for stored in instants_of(world) for distance in {0} | {d for leaf in leaves for d in distances(leaf)}]
    if any(leaf["kind"] == "lifecycle" for leaf in leaves) and world.sales:
        usual = {interval(world, midnight) for midnight in (now, *exact)} | {Fraction(world.median2, 2)}
        last = max(sale.at for sale in world.sales)
        exact += [last + int(each * times * DAY / 10) + 1 for each in usual if each is not None for times in (world.sleeping, world.lost)]
    return sorted({each for instant in exact for each in (instant - 1, instant) if each > now})


def instants_of(world: World) -> list[int]:
    found = [sale.at for sale in world.sales] + [i for _, _, a, e in world.coupons for i in (a, e)]
    found += [i for _, a, e in world.lots for i in (a, e)] + [until for _, until in world.holds] + [at for at, _, _, _ in world.events]
    found += [at for each in world.messages for at in (each.at, each.opened, each.clicked, each.redeemed) if at is not None]
    found += [at for card in world.cards for at in (card.start, card.until, card.completed_at) if at is not None]
    return [*found, world.joined_at, world.tier_since]


def leaves_of(rule: dict[str, Any], world: World) -> list[dict[str, Any]]:
    if rule["kind"] == "segment":
        return leaves_of(world.segments[rule["segment"]], world) if rule["segment"] in world.segments else []
    children = rule.get("rules") or ([rule["rule"]] if "rule" in rule else [])
    return [leaf for child in children for leaf in leaves_of(child, world)] if children else [rule]


def distances(leaf: dict[str, Any]) -> list[int]:
    within = leaf.get("within_days", leaf.get("expires_within_days", 0)) * DAY
    since_ = leaf.get("days", 0) * DAY + leaf.get("hours", 0) * HOUR if "op" in leaf else 0
    return [within, -within, since_]


@cache
def midnight(day: date, zone: str) -> int:
    """The first instant of a local date: look at every hour round it, then at every quarter of the hour before."""

    def reached(instant: int) -> bool:
        return local(instant, zone).date() >= day

    utc = (day - date(1970, 1, 1)).days * DAY
    hour = next(instant for instant in range(utc - 16 * HOUR, utc + 16 * HOUR, HOUR) if reached(instant))
    return next(instant for instant in range(hour - HOUR, hour + 1, 15 * MINUTE) if reached(instant))
