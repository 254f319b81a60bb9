"""What a column shows, and what no column is."""

from __future__ import annotations

import pytest

from shared.audiences.columns import KNOWN, PERSONAL, Subject, columns_of, personal_problems, shown
from shared.audiences.errors import UnknownColumn
from shared.kernel.instants import DAY, HOUR, day_start, local_day
from shared.member_state.model import Consent, MemberState, Tier
from shared.profile.model import Cell
from shared.segments.context import Context
from shared.wallet.model import Hold, Lot, Wallet

NOW = 1_795_255_200_000
CONTEXT = Context("Europe/Berlin")
TODAY = local_day(NOW, CONTEXT.zone)
WALLETS = {"points"}


def member() -> MemberState:
    state = MemberState("t", "mbr_1", joined_at=NOW - 90 * DAY, join_source="app", join_location="mitte", as_of=NOW)
    state.tier, state.tags, state.lists = Tier("gold", 0), ["vip", "press"], {"tasting": 1}
    state.attributes = {"city": "Bonn", "cards": 2, "nice": True}
    state.consents = {"news:push": Consent(True, 1, "1"), "news:mail": Consent(False, 1, "1")}
    state.wallets = {"points": Wallet([Lot(40, expires_at=NOW + 3 * DAY), Lot(9, expires_at=NOW + 40 * DAY), Lot(7, NOW + DAY)])}
    state.holds = {"b": Hold("points", 5, NOW + HOUR)}
    state.segments = {"rich@2": NOW - DAY, "old@1": 5}
    state.profile.cells = {
        TODAY: Cell(1, 500, 2000, {"c:mains": [1, 300, 1000]}),
        TODAY - 10: Cell(2, 900, 3000, {"c:mains": [1, 200, 1000]}),
        TODAY - 20: Cell(1, 100, 1000),
    }
    state.profile.count, state.profile.value = 4, 1500
    state.profile.first_at, state.profile.last_at = NOW - 20 * DAY, NOW
    return state


def read(name: str, state: MemberState | None = None, segment: str | None = None, **personal: str) -> object:
    subject = Subject(state or member(), NOW, CONTEXT, {"rich": 2, "old": 3}, personal)
    return shown(columns_of([name], WALLETS, segment), subject)[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("member_id", "mbr_1"), ("joined_at", "2026-08-23T10:00:00Z"), ("status", "active"), ("tier", "gold"), ("join_source", "app"),
        ("join_location", "mitte"), ("tags", ("press", "vip")), ("lists", ("tasting",)), ("consents", ("news:push",)),
        ("segments", ("rich",)), ("profiling_allowed", True), ("lifecycle", "active"), ("purchases", 4), ("value", 1500),
        ("first_purchase_at", "2026-11-01T10:00:00Z"), ("last_purchase_at", "2026-11-21T10:00:00Z"), ("usual_interval", 100),
        ("entered_at:rich", "2026-11-20T10:00:00Z"), ("entered_at:old", None), ("balance:points", 44), ("points_expiring:points:3", 40),
        ("points_expiring:points:400", 49), ("attribute:city", "Bonn"), ("attribute:cards", 2), ("attribute:nice", True),
        ("attribute:none", None), ("tag:vip", True), ("tag:staff", False), ("list:tasting", True), ("consent:news:push", True),
        ("consent:news:mail", False), ("consent:news:sms", None), ("window:count:1", 1), ("window:value:11", 1400),
        ("window:quantity:400", 6000), ("window:visits:21", 3), ("window:average:11", 467), ("window:average:1:category=sides", None),
        ("window:value:30:category=mains", 500), ("window:value:30:tag=a:b", 0),
    ],
)  # fmt: skip
def test_a_column_shows(name: str, value: object) -> None:
    assert read(name) == value


def test_the_exported_segment_is_named_by_the_plain_column() -> None:
    assert read("entered_at", segment="rich") == "2026-11-20T10:00:00Z"


@pytest.mark.parametrize(
    "name",
    [
        "nonsense", "", "balance", "balance:", "points_expiring:points", "points_expiring:points:0", "points_expiring:points:401",
        "window:count", "window:median:30", "window:count:0", "window:count:030", "window:count:30:category", "window:count:30:colour=red",
        "window:count:30:category=", "consent:news", "consent:a:b:c", "entered_at", "entered_at:No Such", "attribute:", "x" * 500,
        "attribute:" + "x" * 500, "phone:home", "member_id:1",
    ],
)  # fmt: skip
def test_what_is_no_column_is_pointed_at_with_the_list(name: str) -> None:
    with pytest.raises(UnknownColumn) as refused:
        columns_of(["tier", name], WALLETS)
    (error,) = refused.value.errors
    assert (error.pointer, error.code) == ("/columns/1", "unknown_column")
    assert all(each in error.detail for each in KNOWN)


def test_each_mistake_is_pointed_at() -> None:
    with pytest.raises(UnknownColumn) as refused:
        columns_of(["tier", "x", "balance:miles", "tier"], WALLETS)
    assert [(each.pointer, each.code) for each in refused.value.errors] == [
        ("/columns/1", "unknown_column"), ("/columns/2", "unknown_wallet"), ("/columns/3", "named_twice"),
    ]  # fmt: skip
    assert len(columns_of(["balance:miles"], None)) == 1


def test_of_who_objects_the_columns_about_behaviour_are_empty_and_the_others_are_not() -> None:
    state = member()
    state.profiled = False
    behavioural = ["lifecycle", "purchases", "value", "first_purchase_at", "last_purchase_at", "usual_interval", "window:count:30"]
    assert {name: read(name, state) for name in behavioural} == dict.fromkeys(behavioural)
    assert [read(name, state) for name in ("tier", "balance:points", "profiling_allowed")] == ["gold", 44, False]


def test_personal_columns_are_told_and_show_what_was_opened() -> None:
    columns = columns_of(["tier", "phone", "city"], WALLETS)
    assert [each.pointer for each in personal_problems(columns)] == ["/columns/1", "/columns/2"]
    assert read("phone", phone="+49301") == "+49301"
    assert [read(name) for name in PERSONAL] == [None] * len(PERSONAL)


def test_a_window_begins_at_the_first_instant_of_its_first_day() -> None:
    state = member()
    subject = Subject(state, day_start(TODAY + 11, CONTEXT.zone) - 1, CONTEXT)
    (column,) = columns_of(["window:count:11"], WALLETS)
    assert column.of(subject) == 1
    assert column.of(Subject(state, day_start(TODAY + 11, CONTEXT.zone), CONTEXT)) == 0
