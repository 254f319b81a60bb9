"""Random members and rules, and the state that the real rules make of a member."""

from __future__ import annotations

import os
from datetime import date
from typing import Any

from hypothesis import strategies as st

from shared.challenges.model import Instance
from shared.kernel.instants import day_number, local_day
from shared.member_state.model import Consent, Facts, HeldCoupon, MemberState, Tier, Touch
from shared.profile.happenings import add_event
from shared.profile.model import Visit
from shared.profile.rules import add_visit, spill
from shared.profile.statistics import Statistics
from shared.segments.context import Context
from shared.segments.parsing import rule_of
from shared.tenants.model import ProfileSettings
from shared.wallet.model import Hold, Lot, Wallet
from tests.unit.segments.oracle import DAY, HOUR, MINUTE, WEEKDAYS, Card, Message, Sale, World, local, midnight

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "UTC")
NAMES = ("a", "b", "c")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
WINDOWS = (1, 2, 7, 30, 35, 36, 90, 365, 400)


def leaf(kind: str, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    given = {name: each if isinstance(each, st.SearchStrategy) else st.just(each) for name, each in fields.items()}
    return st.fixed_dictionaries({"kind": st.just(kind), **given})


attributes = st.sampled_from(("x", "y"))
flags = st.sampled_from(("has_device", "has_identifier:phone", "known:birth_date"))
equality = st.sampled_from(("eq", "ne"))
several_values = st.lists(st.integers(0, 2), min_size=1) | st.lists(st.sampled_from("pq"), min_size=1)
ops, names, windows = st.sampled_from(COMPARISONS), st.sampled_from(NAMES), st.sampled_from(WINDOWS)
since_ops = st.sampled_from(("at_least", "less_than"))
several_names = st.lists(names, min_size=1, max_size=2)
named_filters = st.builds(lambda key, name: {key: name}, st.sampled_from(("category", "tag", "item", "location", "channel")), names)
hour_filters = st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda hours: hours[0] != hours[1] % 24 or hours[1] == 24)
filters = named_filters | hour_filters.map(lambda hours: {"hours": {"from": hours[0], "until": hours[1]}})
some_days = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True)
other_zones = st.sampled_from(("Pacific/Auckland", "America/Los_Angeles"))
percents = st.sampled_from((0, 25, 33, 50, 100))
metrics = st.sampled_from(("count", "value", "quantity", "average", "visits"))
DISTANT = {
    "rolling": st.fixed_dictionaries({"op": since_ops, "days": st.integers(1, 40)}),
    "hours": st.fixed_dictionaries({"op": since_ops, "hours": st.integers(1, 80)}),
    "calendar": st.fixed_dictionaries({"op": since_ops, "day": st.just("calendar"), "days": st.integers(1, 40)}),
}
distances = st.one_of(*DISTANT.values())
elsewhere = st.tuples(DISTANT["calendar"], other_zones).map(lambda both: {**both[0], "time_zone": both[1]})


def far(kind: str, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """A leaf that asks how long ago something was."""
    return st.tuples(leaf(kind, **fields), distances | elsewhere).map(lambda both: {**both[0], **both[1]})


OF_PURCHASES = st.one_of(
    leaf("purchases", metric=metrics, days=windows, op=ops, value=st.integers(0, 6)),
    leaf("purchases", metric=metrics, days=windows, filter=filters, op=ops, value=st.integers(0, 6)),
    leaf("purchases", metric=metrics, days=windows, weekdays=some_days, op=ops, value=st.integers(0, 6)),
    leaf("purchases", metric=metrics, days=windows, filter=filters, weekdays=some_days, op=ops, value=st.integers(0, 6)),
    far("since_last_purchase"),
    far("since_first_purchase"),
    st.tuples(leaf("since_last_purchase", filter=filters), DISTANT["calendar"]).map(lambda both: {**both[0], **both[1]}),
    leaf("tag_share", tag=names, days=windows, op=ops, percent=percents),
    leaf("favourite", of=st.sampled_from(("location", "category", "channel", "tag", "item")), days=windows, **{"is": names}),
    leaf("favourite", of="tag", days=windows, **{"in": several_names}),
    leaf("favourite", of="weekday", days=windows, **{"in": some_days}),
    leaf("favourite", of="hour", days=windows, **{"in": st.lists(st.integers(0, 23).map("{:02}".format), min_size=1)}),
)
OF_HABITS = st.one_of(
    leaf("tag_strength", tag=names, op=ops, percent=percents),
    leaf("prefers", tag=names),
    leaf("lifecycle", **{"in": st.lists(st.sampled_from(("active", "sleeping", "lost")), min_size=1, max_size=2, unique=True)}),
    leaf("usual_interval", op=ops, days=st.integers(0, 40)),
    leaf("rfm", of=st.sampled_from(("recency", "frequency", "monetary")), op=ops, value=st.integers(1, 5)),
)
OF_RESPONSES = st.one_of(
    leaf("event", event=names, metric=st.sampled_from(("count", "value")), days=windows, op=ops, value=st.integers(0, 4)),
    leaf("event", event=names, by=names, metric=st.sampled_from(("count", "value")), days=windows, op=ops, value=st.integers(0, 4)),
    far("since_last_event", event=names),
    leaf("campaign", campaign=names, response=st.sampled_from(("received", "opened", "clicked", "redeemed", "held_out"))),
    leaf(
        "campaign", campaign=names, response=st.sampled_from(("received", "opened", "clicked", "redeemed", "held_out")),
        within_days=st.integers(1, 20),
    ),
)  # fmt: skip
OF_PERSON = st.one_of(
    leaf("attribute", name=attributes, op=ops, value=st.integers(0, 2) | st.sampled_from(("p", "q"))),
    leaf("attribute", name=attributes, op=equality, value=st.booleans()),
    leaf("attribute", name=attributes, op="in", value=several_values),
    leaf("attribute", name=st.sampled_from(("x", "y", "tier", "join_source")), op=st.sampled_from(("exists", "missing"))),
    leaf("attribute", name="tier", op=ops, value=st.sampled_from(("gold", "silver"))),
    leaf("attribute", name=flags, op=equality, value=st.booleans()),
    leaf("attribute", name="lifetime_purchases", op=ops, value=st.integers(0, 5)),
    leaf("consent", purpose="news", channel=st.sampled_from(("push", "email")), granted=st.booleans()),
    leaf("has", of=st.sampled_from(("device", "wallet_card", "bot"))),
    leaf("identifier", identifier=st.sampled_from(("phone", "telegram"))),
    leaf("member_tag", tag=names),
    leaf("list", list=names),
    leaf("fact", of=st.sampled_from(("gender", "language")), **{"is": names}),
    leaf("fact", of="language", **{"in": several_names}),
    far("joined"),
    leaf("birthday", today=True),
    leaf("birthday", today=True, time_zone=other_zones),
    leaf("birthday", month=st.just("current") | st.integers(1, 12)),
    leaf("birthday", within_days_before=st.integers(0, 180), within_days_after=st.integers(0, 180)),
    leaf("birthday", within_days_after=st.integers(0, 30), time_zone=other_zones),
    leaf("age", op=ops, years=st.integers(0, 40)),
    leaf("age", op=ops, years=st.integers(0, 40), time_zone=other_zones),
    leaf("radius", of=st.sampled_from(("home", "last_location")), location=names, metres=st.sampled_from((1, 5_000, 20_000_000))),
    leaf("radius", of=st.sampled_from(("home", "last_location")), latitude_e6=52_500_000, longitude_e6=13_400_000, metres=10_000),
    st.integers(0, 99).flatmap(lambda from_: leaf("bucket", salt=names, until=st.integers(from_ + 1, 100), **{"from": from_})),
)
levels = st.sampled_from(("silver", "gold", "bronze"))
OF_HOLDINGS = st.one_of(
    leaf("tier", **{"is": levels}),
    leaf("tier", op=since_ops, days=st.integers(1, 40), **{"in": st.lists(levels, min_size=1)}),
    leaf("tier", at_least=levels),
    leaf("coupon", offer=names, state=st.sampled_from(("active", "held", "redeemed"))),
    leaf("coupon", offer=names, state="active", expires_within_days=st.integers(1, 10)),
    leaf("balance", wallet=st.sampled_from(("points", "none")), op=ops, value=st.integers(0, 6)),
    leaf("points", wallet="points", state=st.sampled_from(("available", "pending", "held")), op=ops, value=st.integers(0, 6)),
    leaf("points_expiring", wallet="points", within_days=st.integers(1, 40), op=ops, value=st.integers(0, 6)),
    leaf("challenge", challenge=names, state=st.sampled_from(("active", "completed", "ended"))),
    leaf("challenge", challenge=names, state=st.sampled_from(("active", "completed", "ended")), within_days=st.integers(1, 10)),
)
SUBJECTS = {
    "purchases": OF_PURCHASES, "habits": OF_HABITS, "responses": OF_RESPONSES, "person": OF_PERSON, "holdings": OF_HOLDINGS,
}  # fmt: skip
LEAVES = st.one_of(*SUBJECTS.values(), leaf("segment", segment=st.sampled_from(("s", "t", "u"))))


def _combined(rules: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(rules, min_size=1, max_size=4)
    return leaf("all", rules=several) | leaf("any", rules=several) | leaf("not", rule=rules)


RULES = st.recursive(LEAVES, _combined, max_leaves=8)


@st.composite
def nows(draw: st.DrawFn, zone: str) -> int:
    """An instant of 2027 or 2028, often at or beside a local midnight."""
    turning = st.sampled_from((date(2028, 2, 29), date(2027, 3, 14), date(2027, 3, 28), date(2027, 10, 31)))
    day = draw(st.dates(date(2027, 1, 1), date(2028, 12, 31)) | turning)
    offset = draw(st.sampled_from((-1, 0, 1)) | st.integers(0, 26 * HOUR))
    return midnight(day, zone) + offset


def _sales(draw: st.DrawFn, now: int) -> list[Sale]:
    """Purchases at different instants, some dated up to five minutes ahead, as clocks of tills allow."""
    whole_days = st.builds(DAY.__mul__, st.integers(0, 36))
    ago = st.integers(-5 * MINUTE, 3 * DAY) | st.integers(0, 40 * DAY) | st.integers(0, 405 * DAY) | whole_days
    place = st.sampled_from(NAMES)
    others = st.dictionaries(st.builds("{}:{}".format, st.sampled_from("ctih"), names), st.integers(0, 3), max_size=6)
    by = st.builds(lambda where, worth, more: {f"l:{where}": worth, **more}, place, st.integers(0, 3), others)
    sale = st.builds(Sale, ago.map(lambda back: now - back), st.integers(0, 6), st.integers(0, 3), by, st.sampled_from((0, 0, 0, 0, 1, 2)))
    rhythm = st.builds(
        lambda gap, number, start: [Sale(now - start - gap * index * DAY, 2, 1, {"l:a": 2, "t:a": 1}) for index in range(number)],
        st.sampled_from((1, 7, 30)), st.integers(3, 15), st.integers(0, 5 * DAY),
    )  # fmt: skip
    usual = st.lists(sale, max_size=10, unique_by=lambda each: each.at)
    return draw(usual | usual | rhythm)


def _happened(draw: st.DrawFn, now: int) -> dict[str, Any]:
    """Events, messages and challenges."""
    near = st.sampled_from((-1, 0, 1)) | st.integers(-3 * DAY, 40 * DAY)
    past = st.integers(0, 3 * DAY) | st.integers(0, 405 * DAY)
    event = st.tuples(past.map(lambda back: now - back), names, names, st.integers(0, 3))
    later = st.none() | st.integers(0, DAY)

    def message(campaign: str, back: int, held: bool, after: list[int | None]) -> Message:
        at = now - back
        return Message(campaign, at, held, *(min(now, at + each) if each is not None and not held else None for each in after))

    messages = st.builds(message, names, past, st.booleans(), st.lists(later, min_size=3, max_size=3))

    def card(challenge: str, start: int, length: int, done: float | None) -> Card:
        completed = None if done is None else min(now, now + start + int(done * length))
        return Card(challenge, now + start, now + start + length, completed)

    starts, lengths = st.integers(-40 * DAY, 0), st.integers(1, 50 * DAY)
    cards = st.builds(card, names, starts, lengths, st.none() | st.floats(0, 1))
    return {
        "events": draw(st.lists(event, max_size=6)),
        "messages": draw(st.lists(messages, max_size=4)),
        "cards": draw(st.lists(cards, max_size=3)),
        "joined_at": now - draw(near.map(abs) | past),
        "tier_since": now - draw(near.map(abs)),
    }


def _tenant(draw: st.DrawFn) -> dict[str, Any]:
    """The tenant's locations, segments, statistics and definitions of words."""
    edges = st.lists(st.integers(0, 12), min_size=4, max_size=4).map(lambda found: tuple(sorted(found)))
    quintiles = {name: draw(edges) for name in ("recency", "frequency", "monetary")}
    named = st.recursive(OF_PURCHASES | OF_PERSON, _combined, max_leaves=3)
    segments = draw(st.fixed_dictionaries({}, optional={"s": named}))
    if "s" in segments:
        segments["t"] = {"kind": "not", "rule": {"kind": "any", "rules": [{"kind": "segment", "segment": "s"}, draw(OF_HOLDINGS)]}}
    places = {"a": (52_520_000, 13_400_000), "b": (48_140_000, 11_580_000)}
    return {
        "places": {name: places[name] for name in draw(st.sets(st.sampled_from("ab")))},
        "segments": segments,
        "quintiles": draw(st.sampled_from((quintiles, quintiles, {**quintiles, "recency": ()}))),
        "tag_days": draw(st.sampled_from((7, 90, 365, 400))),
        "half_life": draw(st.sampled_from((1, 30, 90))),
        "tag_percent": draw(st.sampled_from((30, 50))),
        "tag_purchases": draw(st.integers(1, 3)),
        "rfm_days": draw(st.sampled_from((30, 365))),
        "median2": draw(st.sampled_from((3, 60))),
    }


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, int]:
    """A member of a tenant, and an instant."""
    zone = draw(st.sampled_from(ZONES))
    now = draw(nows(zone))
    edges = st.sampled_from((-1, 0, 1))
    near = edges | st.integers(-3 * DAY, 40 * DAY)
    flag = st.booleans()
    scalar = st.integers(0, 2) | st.sampled_from(("p", "q")) | st.booleans()
    offers = st.tuples(names, st.sampled_from(("active", "held")))
    coupon = st.builds(lambda what, start, days: (*what, now + start, now + start + days), offers, near, st.integers(0, 30 * DAY))
    life = edges | st.integers(1, 90 * DAY)
    debt = draw(st.sampled_from((0, 0, 3)))
    # Who owes has nothing matured.
    starts = near.map(lambda start: abs(start) + 1) if debt else near
    lot = st.builds(lambda points, start, days: (points, now + start, now + start + days), st.integers(1, 4), starts, life)
    world = World(
        zone,
        member=draw(st.sampled_from(("m", "n", "mbr_1"))),
        sales=_sales(draw, now),
        attributes=draw(
            st.fixed_dictionaries(
                {"has_device": flag},
                optional={"x": scalar, "y": scalar, "tier": st.sampled_from(("gold", "silver", "old")), "join_source": st.just("app")},
            )
        ),
        birth_date=draw(st.none() | st.dates(date(1980, 1, 1), date(2028, 12, 31)) | st.just(date(2004, 2, 29))),
        gender=draw(st.none() | names),
        language=draw(st.none() | names),
        home=draw(st.none() | st.sampled_from(((52_510_000, 13_390_000), (48_140_000, 11_580_000)))),
        kinds=draw(st.sets(st.sampled_from(("phone", "telegram", "wallet_card")))),
        tags=draw(st.sets(names)),
        lists=draw(st.sets(names)),
        consents=draw(st.dictionaries(st.sampled_from(("news:push", "news:email")), st.booleans())),
        coupons=draw(st.lists(coupon, max_size=4)),
        redeemed=draw(st.sets(names)),
        lots=draw(st.lists(lot, max_size=4)),
        debt=debt,
        holds=draw(st.lists(st.tuples(st.integers(1, 3), (edges | st.integers(-HOUR, 9 * HOUR)).map(now.__add__)), max_size=2)),
        profiled=draw(st.sampled_from((True,) * 9 + (False,))),
        **_happened(draw, now),
        **_tenant(draw),
    )
    world.attributes["known:birth_date"] = world.birth_date is not None
    world.attributes["has_identifier:phone"] = "phone" in world.kinds
    return world, now


def context_of(world: World) -> Context:
    """The tenant as the compiled evaluation has it."""
    profile = ProfileSettings(
        sleeping_times_e1=world.sleeping, lost_times_e1=world.lost, tag_days=world.tag_days, tag_half_life_days=world.half_life,
        tag_percent=world.tag_percent, tag_purchases=world.tag_purchases, rfm_days=world.rfm_days,
    )  # fmt: skip
    statistics = Statistics(median_interval2=world.median2, **world.quintiles)
    rules = {name: rule_of(rule) for name, rule in world.segments.items()}
    return Context(world.zone, statistics, profile, world.places, rules, world.levels)


def visit_of(sale: Sale, world: World) -> Visit:
    """The purchase as it is booked."""
    by = {**sale.by, f"o:{local(sale.at, world.zone).hour:02}": sale.value}
    return Visit(sale.at, sale.value, sale.quantity, by, units={key: sale.units(key) for key in sale.by})


def _book(state: MemberState, world: World, order: list[int], spilled: bool, now: int) -> None:
    for index in order:
        sale, visit = world.sales[index], visit_of(world.sales[index], world)
        add_visit(state.profile, visit, world.zone)
        if sale.back == 1:
            by, units = ({key: each // 2 for key, each in parts.items()} for parts in (visit.by, visit.units))
            part = Visit(sale.at, sale.value // 2, sale.quantity // 2, by, count=0, units=units)
            add_visit(state.profile, part, world.zone, -1)
        if sale.back == 2:
            add_visit(state.profile, visit, world.zone, -1)
        if spilled:
            spill(state.profile, local_day(now, world.zone))
    for at, type_, by_value, amount in world.events:
        add_event(state.profile, type_, at, world.zone, amount, by_value)


def state_of(world: World, order: list[int], spilled: bool, now: int) -> tuple[MemberState, Facts]:
    """The member's state after her purchases came in that order (late ones too) and were brought back."""
    state = MemberState("t", world.member, attributes={key: value for key, value in world.attributes.items() if key in "xy"})
    _book(state, world, order, spilled, now)
    state.profiled, state.joined_at = world.profiled, world.joined_at
    state.tier = Tier(world.attributes["tier"], world.tier_since) if "tier" in world.attributes else None
    state.join_source = world.attributes.get("join_source", "")
    state.devices = ["d"] if world.attributes.get("has_device") else []
    state.identifier_kinds, state.tags, state.lists = sorted(world.kinds), sorted(world.tags), dict.fromkeys(world.lists, 1)
    state.known = ["birth_date"] if world.birth_date else []
    state.consents = {key: Consent(granted, 1, "1") for key, granted in world.consents.items()}
    state.coupons = {str(index): HeldCoupon(offer, status, start, end) for index, (offer, status, start, end) in enumerate(world.coupons)}  # type: ignore[arg-type]
    state.redeemed = dict.fromkeys(world.redeemed, 1)
    state.wallets = {"points": Wallet([Lot(*lot) for lot in world.lots], debt=world.debt)}
    state.holds = {str(index): Hold("points", points, until) for index, (points, until) in enumerate(world.holds)}
    state.touches = [Touch(m.campaign, "s", "push", m.at, m.opened, m.clicked, m.redeemed, m.held) for m in world.messages]
    state.challenges = [
        Instance(str(index), card.challenge, 1, card.start, card.until, times=int(card.completed_at is not None),
                 completed_at=card.completed_at or 0)
        for index, card in enumerate(world.cards)
    ]  # fmt: skip
    born = day_number(world.birth_date) if world.birth_date else None
    return state, Facts(birth_date=born, gender=world.gender, language=world.language, home=world.home)
