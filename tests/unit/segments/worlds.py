"""Random members and rules, and the state that the real rules make of a member."""

from __future__ import annotations

import os
from datetime import date
from typing import Any

from hypothesis import strategies as st

from shared.kernel.instants import day_number, local_day
from shared.member_state.model import Consent, Facts, HeldCoupon, MemberState, Tier
from shared.profile.model import Visit
from shared.profile.rules import add_visit, spill
from shared.wallet.model import Hold, Lot, Wallet
from tests.unit.segments.oracle import DAY, HOUR, MINUTE, Sale, World, midnight

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
filters = st.none() | st.builds(lambda key, name: {key: name}, st.sampled_from(("category", "tag", "location", "channel")), names)
LEAVES = st.one_of(
    leaf("purchases", metric=st.sampled_from(("count", "value", "average")), days=windows, filter=filters, op=ops, value=st.integers(0, 6)),
    leaf("purchases", metric="quantity", days=windows, op=ops, value=st.integers(0, 6)),
    leaf("since_last_purchase", op=st.sampled_from(("at_least", "less_than")), days=st.integers(1, 40)),
    leaf("since_last_purchase", op=st.sampled_from(("at_least", "less_than")), hours=st.integers(1, 80)),
    leaf("tag_share", tag=names, days=windows, op=ops, percent=st.sampled_from((0, 25, 33, 50, 100))),
    leaf("favourite", of=st.sampled_from(("location", "category", "channel", "tag")), days=windows, **{"is": names}),
    leaf("favourite", of="tag", days=windows, **{"in": st.lists(names, min_size=1, max_size=2)}),
    leaf("attribute", name=attributes, op=ops, value=st.integers(0, 2) | st.sampled_from(("p", "q"))),
    leaf("attribute", name=attributes, op=equality, value=st.booleans()),
    leaf("attribute", name=attributes, op="in", value=several_values),
    leaf("attribute", name=st.sampled_from(("x", "y", "tier", "join_source")), op=st.sampled_from(("exists", "missing"))),
    leaf("attribute", name="tier", op=ops, value=st.sampled_from(("gold", "silver"))),
    leaf("attribute", name=flags, op=equality, value=st.booleans()),
    leaf("attribute", name="lifetime_purchases", op=ops, value=st.integers(0, 5)),
    leaf("consent", purpose="news", channel=st.sampled_from(("push", "email")), granted=st.booleans()),
    leaf("birthday", today=True),
    leaf("birthday", month=st.just("current") | st.integers(1, 12)),
    leaf("birthday", within_days_before=st.integers(0, 180), within_days_after=st.integers(0, 180)),
    leaf("birthday", within_days_after=st.integers(0, 30)),
    leaf("age", op=ops, years=st.integers(0, 40)),
    leaf("coupon", offer=names, state=st.sampled_from(("active", "held", "redeemed"))),
    leaf("coupon", offer=names, state="active", expires_within_days=st.integers(1, 10)),
    leaf("balance", wallet=st.sampled_from(("points", "none")), op=ops, value=st.integers(0, 6)),
)  # fmt: skip


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


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, int]:
    """A member and an instant. Some purchases are dated up to five minutes ahead, as clocks of tills allow."""
    zone = draw(st.sampled_from(ZONES))
    now = draw(nows(zone))
    whole_days = st.builds(DAY.__mul__, st.integers(0, 36))
    ago = st.integers(-5 * MINUTE, 3 * DAY) | st.integers(0, 40 * DAY) | st.integers(0, 405 * DAY) | whole_days
    edges = st.sampled_from((-1, 0, 1))
    near = edges | st.integers(-3 * DAY, 40 * DAY)
    by = st.fixed_dictionaries(
        {"l:" + name: st.integers(0, 3) for name in draw(st.sampled_from((("a",), ("b",))))},
        optional={key + ":" + name: st.integers(0, 3) for key in "cth" for name in NAMES},
    )
    sale = st.builds(Sale, ago.map(lambda back: now - back), st.integers(0, 6), st.integers(0, 3), by, st.sampled_from((0, 0, 0, 0, 1, 2)))
    flag = st.booleans()
    scalar = st.integers(0, 2) | st.sampled_from(("p", "q")) | st.booleans()
    offers = st.tuples(names, st.sampled_from(("active", "held")))
    coupon = st.builds(lambda what, start, days: (*what, now + start, now + start + days), offers, near, st.integers(0, 30 * DAY))
    life = edges | st.integers(1, 90 * DAY)
    lot = st.builds(lambda points, start, days: (points, now + start, now + start + days), st.integers(1, 4), near, life)
    world = World(
        zone,
        sales=draw(st.lists(sale, max_size=10)),
        attributes=draw(
            st.fixed_dictionaries(
                {"has_device": flag, "has_identifier:phone": flag},
                optional={"x": scalar, "y": scalar, "tier": st.sampled_from(("gold", "silver")), "join_source": st.just("app")},
            )
        ),
        birth_date=draw(st.none() | st.dates(date(1980, 1, 1), date(2028, 12, 31)) | st.just(date(2004, 2, 29))),
        consents=draw(st.dictionaries(st.sampled_from(("news:push", "news:email")), st.booleans())),
        coupons=draw(st.lists(coupon, max_size=4)),
        redeemed=draw(st.sets(names)),
        lots=draw(st.lists(lot, max_size=4)),
        holds=draw(st.lists(st.tuples(st.integers(1, 3), (edges | st.integers(-HOUR, 9 * HOUR)).map(now.__add__)), max_size=2)),
    )
    world.attributes["known:birth_date"] = world.birth_date is not None
    return world, now


def state_of(world: World, order: list[int], spilled: bool, now: int) -> tuple[MemberState, Facts]:
    """The member's state after her purchases came in that order (late ones too) and were brought back."""
    state = MemberState("t", "m", attributes={key: value for key, value in world.attributes.items() if key in "xy"})
    for index in order:
        sale = world.sales[index]
        add_visit(state.profile, Visit(sale.at, sale.value, sale.quantity, sale.by), world.zone)
        if sale.back == 1:
            part = Visit(sale.at, sale.value // 2, sale.quantity // 2, {key: value // 2 for key, value in sale.by.items()}, count=0)
            add_visit(state.profile, part, world.zone, -1)
        if sale.back == 2:
            add_visit(state.profile, Visit(sale.at, sale.value, sale.quantity, sale.by), world.zone, -1)
        if spilled:
            spill(state.profile, local_day(now, world.zone))
    state.tier = Tier(world.attributes["tier"], 0) if "tier" in world.attributes else None
    state.join_source = world.attributes.get("join_source", "")
    state.devices = ["d"] if world.attributes.get("has_device") else []
    state.identifier_kinds = ["phone"] if world.attributes.get("has_identifier:phone") else []
    state.known = ["birth_date"] if world.birth_date else []
    state.consents = {key: Consent(granted, 1, "1") for key, granted in world.consents.items()}
    state.coupons = {str(index): HeldCoupon(offer, status, start, end) for index, (offer, status, start, end) in enumerate(world.coupons)}  # type: ignore[arg-type]
    state.redeemed = dict.fromkeys(world.redeemed, 1)
    state.wallets = {"points": Wallet([Lot(*lot) for lot in world.lots])}
    state.holds = {str(index): Hold("points", points, until) for index, (points, until) in enumerate(world.holds)}
    return state, Facts(birth_date=day_number(world.birth_date) if world.birth_date else None)
