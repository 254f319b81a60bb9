"""Budgets of points: never exceeded by however many at once, used to the last point, free again when a purchase comes back."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from shared.kernel.errors import AppError
from shared.storage import keys
from shared.storage.items import QuotaItem
from shared.transactions import reversal
from shared.transactions.api import ReturnRequest
from shared.transactions.budgets import ROOM, budget_shards, share_of
from shared.transactions.service import record
from tests.builders.gateway import return_of
from tests.builders.house import FRIES, House, sale
from tests.builders.invariants import check_member
from tests.component.test_crashes import faulty
from tests.component.test_races import together, until_done
from tests.fakes.faulty import FaultyTable, Killed

__all__ = ["faulty"]


def limited(house: House, budget: int, *, of: str = "rule", **more: Any) -> House:
    """A point a cent, so many in all: of the rule, or of the programme."""
    rule: dict[str, Any] = {"kind": "per_amount", "id": "base", "points": 1, "per": 1}
    limits = {"limits": {"budget": budget}}
    body = {"name": "Points", "earning": [rule | limits]} if of == "rule" else {"name": "Points", "earning": [rule], **limits}
    house.publish("programme", "points", body | more)
    return house


def used(house: House, budget: int, key: str = "points/base") -> int:
    """What all shards say is used; none says more than its share."""
    found = 0
    for shard in range(budget_shards(budget)):
        raw = house.table.get(keys.budget(house.tenant, key, shard))
        taken = int(QuotaItem.values(raw).get("used", 0)) if raw is not None else 0
        assert 0 <= taken <= share_of(budget, shard)
        found += taken
    return found


def bought(house: House, member: str, price: int) -> dict[str, Any]:
    return record(house.scope(), sale(member, lines=(("burger", price),))).answer


def given_to(house: House, members: list[str]) -> int:
    return sum(wallet.earned - wallet.reversed for member in members for wallet in house.state(member).wallets.values())


@pytest.mark.parametrize("of", ["rule", "programme"])
def test_a_budget_that_is_used_up_gives_nothing_and_says_so(house: House, of: str) -> None:
    limited(house, 1000, of=of)
    member = house.join()
    key = "points/base" if of == "rule" else "points"
    assert bought(house, member, 600)["points"]["earned"] == 600
    answer = bought(house, member, 600)
    assert answer["points"]["earned"] == 0
    assert "budget_exhausted" in [step.get("reason") for step in answer["trace"]]
    assert used(house, 1000, key) == 600
    assert bought(house, member, 400)["points"]["earned"] == 400, "what is left of it is for whoever needs no more"
    assert used(house, 1000, key) == 1000
    assert bought(house, member, 1)["points"]["earned"] == 0
    check_member(house, member)


@pytest.mark.parametrize(("budget", "price"), [(1000, 97), (1000, 250), (25_000, 1900), (70_000, 9_999)])
def test_sixteen_purchases_at_once_never_exceed_it(house: House, budget: int, price: int) -> None:
    limited(house, budget)
    members = [house.join() for _ in range(16)]
    results = together([partial(until_done, partial(bought, house, member, price)) for member in members])
    assert not [each for each in results if isinstance(each, AppError)]
    given = given_to(house, members)
    assert given == used(house, budget) <= budget
    earned = [each["points"]["earned"] for each in results]  # type: ignore[index]
    assert set(earned) <= {0, price}
    assert sum(earned) == given
    most = min(16, budget // price) * price
    assert given == most, "nobody was refused while there was room for her"
    for member in members:
        check_member(house, member)


def test_a_budget_of_many_shards_is_used_to_the_last_point(house: House) -> None:
    """At the end no shard has room alone: the points are taken from several."""
    budget = 30_007
    limited(house, budget)
    member, given = house.join(), 0
    for price in (9_000, 9_000, 9_000):
        given += bought(house, member, price)["points"]["earned"]
    assert given == 27_000
    assert bought(house, member, 3_008)["points"]["earned"] == 0
    assert bought(house, member, 3_007)["points"]["earned"] == 3_007
    assert used(house, budget) == budget
    check_member(house, member)


def test_a_whole_return_gives_the_budget_back_a_part_does_not(house: House) -> None:
    """From every shard that it was taken from."""
    budget = 30_000
    limited(house, budget)
    member = house.join()
    for price in (9_000, 9_000, 9_000):
        bought(house, member, price)
    request = sale(member, lines=(("burger", 1_000), ("fries", 2_000)))
    sold = record(house.scope(), request).answer["transaction_id"]
    assert used(house, budget) == budget
    for lines, left in (([{"line_id": "1"}], budget), ([], budget - 3_000)):
        reversal.record_return(house.scope(), ReturnRequest.model_validate(return_of(sold, lines=lines)))
        assert used(house, budget) == left
    assert bought(house, member, 3_000)["points"]["earned"] == 3_000
    assert used(house, budget) == budget
    check_member(house, member)


def test_a_void_gives_it_back_once(house: House) -> None:
    limited(house, 1000)
    member = house.join()
    sold = bought(house, member, 700)["transaction_id"]
    together([partial(until_done, partial(reversal.void, house.scope(), sold)) for _ in range(4)])
    assert used(house, 1000) == 0
    check_member(house, member)


def test_a_rule_without_its_budget_leaves_the_others_as_they_are(house: House) -> None:
    rules = [
        {"kind": "per_amount", "id": "base", "points": 1, "per": 1, "limits": {"budget": 100}},
        {"kind": "fixed", "id": "visit", "points": 5, "per": "receipt", "limits": {"budget": 8}},
    ]
    house.publish("programme", "points", {"name": "Points", "earning": rules, "limits": {"budget": 150}})
    member = house.join()
    assert [bought(house, member, price)["points"]["earned"] for price in (90, 20, 10, 10, 1)] == [95, 0, 10, 0, 0]
    assert (used(house, 100), used(house, 8, "points/visit"), used(house, 150, "points")) == (100, 5, 105)


def test_another_limit_of_a_new_version_keeps_what_was_used(house: House) -> None:
    """From one shard to seven and back: what was taken from a shard is given back to it."""
    limited(house, 9_000)
    member = house.join()
    sold = bought(house, member, 9_000)["transaction_id"]
    limited(house, 70_000)
    assert bought(house, member, 10)["points"]["earned"] == 10
    reversal.record_return(house.scope(), ReturnRequest.model_validate(return_of(sold)))
    assert used(house, 70_000) == 10


@pytest.mark.parametrize("how", ["kill", "lose"])
def test_killed_anywhere_and_repeated_it_is_taken_once(faulty: House, how: Any) -> None:
    table = faulty.table
    assert isinstance(table, FaultyTable)
    budget, taken = 10_000_000, 0
    limited(faulty, budget)
    for at in range(1, 10):
        reached = False
        for when in ("before", "after"):
            request = sale(faulty.join(), lines=(("burger", 1000),))
            table.arm(at, when, how)  # type: ignore[arg-type]
            with suppress(Killed, AppError):
                record(faulty.scope(), request)
            reached = table.calls >= at
            table.disarm()
            assert record(faulty.scope(), request).answer["points"]["earned"] == 1000
            taken += 1000
            assert used(faulty, budget) == taken
        if not reached:
            return
    pytest.fail("the path makes more calls than the test kills")


@pytest.mark.parametrize(("gifts", "taken"), [(0, ROOM), (12, ROOM - 10)])
def test_a_sale_of_more_budgets_than_a_transaction_has_room_for_takes_from_as_many_as_it_can(house: House, gifts: int, taken: int) -> None:
    """A point from each of 120 rules that have a budget; and what gives so many coupons that even fewer have room beside them."""
    for number in range(gifts):
        house.publish("offer", f"g{number}", FRIES)
    levels = [
        {"id": f"l{number}", "name": "Level", "threshold": 1 + number, "offers": [f"g{number}", f"g{number + 1}"]}
        for number in range(0, gifts, 2)
    ]
    for name in ("a", "b", "c"):
        rules = [{"kind": "fixed", "id": f"r{number}", "points": 1, "limits": {"budget": 10}} for number in range(40)]
        tiers = {"tiers": {"by": "spend", "levels": levels}} if levels and name == "a" else {}
        house.publish("programme", name, {"name": name, "earning": rules, **tiers})
    member = house.join()
    answer = record(house.scope(), sale(member)).answer
    assert given_to(house, [member]) == answer["points"]["earned"] == 9 + taken
    assert sum(used(house, 10, f"{name}/r{number}") for name in ("a", "b", "c") for number in range(40)) == taken
    assert len(house.state(member).coupons) == gifts
    check_member(house, member)
