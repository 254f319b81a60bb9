"""Searches over a real engine, through the handler as the gateway calls it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from shared.audiences import searching
from shared.kernel.instants import HOUR, MINUTE, format_rfc3339
from shared.kernel.pages import seal_cursor
from shared.member_state.model import Facts
from shared.snapshots.repository import SnapshotRepository
from shared.wallet.model import Lot, Wallet
from tests.builders.audiences import BUYERS, EVERYBODY, FULL, RICH, Desk
from tests.builders.house import House


@pytest.mark.parametrize("with_snapshot", [False, True])
@pytest.mark.parametrize("rule", [BUYERS, RICH, {"kind": "not", "rule": BUYERS}])
def test_the_pages_of_a_search_are_whom_the_evaluation_finds(desk: Desk, rule: dict[str, Any], with_snapshot: bool) -> None:
    desk.crowd(130)
    if with_snapshot:
        desk.snapshot()
    expected = desk.truth(rule)
    assert desk.found({"rule": rule, "limit": 17}) == sorted(expected)
    for order in ("lifetime_value", "last_purchase_at", "balance:points"):
        rising = desk.found({"rule": rule, "limit": 23, "order": order})
        falling = desk.found({"rule": rule, "limit": 40, "order": order, "descending": True})
        assert set(rising) == set(falling) == expected
        assert len(rising) == len(falling) == len(expected)


@pytest.mark.parametrize("with_snapshot", [False, True])
def test_a_search_is_in_the_order_that_its_columns_show(desk: Desk, with_snapshot: bool) -> None:
    desk.crowd(90)
    if with_snapshot:
        desk.snapshot()
    for order, column in (("lifetime_value", "value"), ("last_purchase_at", "last_purchase_at"), ("balance:points", "balance:points")):
        for descending in (False, True):
            body = {"rule": EVERYBODY, "limit": 31, "order": order, "descending": descending, "columns": [column, "purchases"]}
            rows = [row for page in desk.pages(body) for row in page["data"]]
            bought = [row for row in rows if row["columns"].get("purchases") or column == "balance:points"]
            values = [(row["columns"][column], row["member_id"]) for row in bought]
            assert rows[: len(bought)] == bought
            assert [value for value, _ in values] == sorted((value for value, _ in values), reverse=descending)
            ties = [(a, b) for a, b in pairwise(values) if a[0] == b[0]]
            assert all(a[1] < b[1] for a, b in ties)
            assert len(rows) == 90


def test_points_that_pay_a_debt_are_ranked_as_they_are_paid_out(desk: Desk) -> None:
    """Her lot has matured, and nobody has settled it yet: a part of it pays what she owes."""
    now = desk.house.now
    wallets = [Wallet([Lot(80)]), Wallet([Lot(100, available_at=now - 1)], debt=30), Wallet([Lot(75)])]
    states = desk.crowd(3, wallets=wallets)
    desk.snapshot()
    body = {"rule": EVERYBODY, "order": "balance:points", "columns": ["balance:points"]}
    rows = [(row["member_id"], row["columns"]["balance:points"]) for page in desk.pages(body) for row in page["data"]]
    assert rows == [(states[1].member, 70), (states[2].member, 75), (states[0].member, 80)]


def test_pages_go_on_over_a_new_snapshot_and_time_and_nobody_else_moves(desk: Desk) -> None:
    states = desk.crowd(60)
    desk.snapshot()
    body = {"rule": EVERYBODY, "limit": 20, "order": "balance:points"}
    pages = desk.pages(body)
    first = next(pages)
    desk.house.now += 10 * MINUTE
    late = desk.house.join()
    SnapshotRepository(desk.scope()).mark([late, states[0].member], desk.house.now)
    desk.snapshot()
    desk.house.now += 10 * MINUTE
    rest = [row["member_id"] for page in pages for row in page["data"]]
    seen = [row["member_id"] for row in first["data"]] + rest
    assert len(seen) == len(set(seen))
    assert set(seen) - {late} == {state.member for state in states}


def test_a_page_by_id_reads_a_bounded_number_and_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    states = desk.crowd(50)
    desk.give_profile(states[40].member, {}, Facts(gender="female"))
    desk.snapshot()
    monkeypatch.setattr(searching, "TOGETHER", 10)
    monkeypatch.setattr(searching, "PAGE_READ", 20)
    pages = list(desk.pages({"rule": {"kind": "fact", "of": "gender", "is": "female"}, "limit": 5}))
    assert [[row["member_id"] for row in page["data"]] for page in pages] == [[], [], [states[40].member]]


def test_a_cursor_is_of_one_rule_order_and_tenant(desk: Desk) -> None:
    desk.crowd(30)
    House(desk.house.table, desk.house.key_table, tenant="other").create()
    body = {"rule": EVERYBODY, "limit": 10}
    cursor = desk.call("search_members", body).body["next_cursor"]
    assert desk.call("search_members", body | {"cursor": cursor}).status == 200
    for other in ({"rule": BUYERS}, {"order": "lifetime_value"}, {"cursor": cursor[:-2] + "AA"}):
        said = desk.call("search_members", body | {"cursor": cursor} | other)
        assert (said.status, said.body["code"]) == (422, "invalid_cursor")
    assert desk.call("search_members", body | {"cursor": cursor}, tenant="other").body["code"] == "invalid_cursor"
    assert desk.call("search_members", body, tenant="other").body["data"] == []
    desk.house.now += 2 * HOUR
    said = desk.call("search_members", body | {"cursor": cursor})
    assert (said.status, said.body["as_of"]) == (200, format_rfc3339(desk.house.now))


@pytest.mark.parametrize(
    ("more", "pointer", "code"),
    [
        ({"columns": ["member_id", "nonsense"]}, "/columns/1", "unknown_column"),
        ({"columns": ["balance:miles"]}, "/columns/0", "unknown_wallet"),
        ({"columns": ["tier", "tier"]}, "/columns/1", "named_twice"),
        ({"columns": []}, "/columns", "invalid_value"),
        ({"order": "balance:miles"}, "/order", "unknown_wallet"),
        ({"order": "shoe_size"}, "/order", "invalid_value"),
        ({"limit": 201}, "/limit", "invalid_value"),
    ],
)
def test_what_a_search_cannot_show_is_pointed_at(desk: Desk, more: dict[str, Any], pointer: str, code: str) -> None:
    said = desk.call("search_members", {"rule": EVERYBODY} | more)
    assert (said.status, said.errors) == (422, [(pointer, code)])


def test_personal_columns_need_their_scope_and_show_what_is_sealed(desk: Desk) -> None:
    states = desk.crowd(3)
    desk.give_profile(states[0].member, {"first_name": "Anna", "phone": "+4930123456"})
    body = {"rule": EVERYBODY, "columns": ["member_id", "first_name", "phone"]}
    said = desk.call("search_members", body)
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")
    assert said.errors == [("/columns/1", "insufficient_scope"), ("/columns/2", "insufficient_scope")]
    (row,) = desk.call("search_members", body, scopes=FULL).body["data"]
    assert row["columns"] == {"member_id": states[0].member, "first_name": "Anna", "phone": "+4930123456"}


def test_a_forged_cursor_is_refused(desk: Desk) -> None:
    forged = seal_cursor(b"another key", "demo|search|0", {"at": 0, "place": [0, 0, ""]})
    assert desk.call("search_members", {"rule": EVERYBODY, "cursor": forged}).body["code"] == "invalid_cursor"
