"""How many shards a purchase takes from where budgets are scattered: its transaction has a hundred writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from shared.coupons.limits import QUOTA
from shared.coupons.model import OfferBody
from shared.coupons.quota import QuotaWalk
from shared.coupons.repository import CouponRepository
from shared.kernel.shards import share_of
from shared.programmes.compiled import Programme
from shared.programmes.model import ProgrammeBody
from shared.storage.keys import Key
from shared.storage.table import NOT_THERE_YET, Table, TooManyWrites, WriteBatch
from shared.transactions.budgets import MAX_PARTS, ROOM, BudgetWalk, Wanted
from shared.transactions.model import Circumstances, CouponDiscount, Decided, PromotionDiscount
from tests.builders.house import FRIES

LIMIT = 100_000
"""Ten shards of 10,000."""


RULES = [{"kind": "fixed", "id": f"r{number}", "points": 1, "limits": {"budget": LIMIT}} for number in range(130)]
POINTS = Programme("p", 1, ProgrammeBody.model_validate({"name": "Points", "earning": RULES}))


TERMS = OfferBody.model_validate(FRIES | {"limit": LIMIT, "limits": {"budget": LIMIT}})


@dataclass(frozen=True)
class Scene:
    """Where it is."""

    location: str = "mitte"
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Given:
    """What of a sale's circumstances budgets ask for."""

    programmes: tuple[Programme, ...]
    scene: Scene = Scene()


@dataclass(frozen=True)
class Used:
    """What of a coupon or promotion that is used they ask for."""

    key: str
    terms: OfferBody | None = None
    amount: int = 1
    left: int = 0


class Scattered:
    """Every budget has ten units left in each of its shards."""

    def get_many(self, wanted: Iterable[Key], *, consistent: bool = False) -> dict[Key, dict[str, Any]]:
        assert consistent
        return {key: {"used": {"N": str(share_of(LIMIT, 10_000, int(key.pk[-2:])) - 10)}} for key in wanted}


def walked(budgets: int, *, overdraws: bool = False) -> tuple[BudgetWalk, bool]:
    """A walk that wants sixty of each, after its first shards were refused."""
    walk = BudgetWalk("demo", cast("Table", Scattered()), "txn_1", overdraws=overdraws)
    wanted = {f"offer:x{number}": Wanted(10 * MAX_PARTS, LIMIT, of_value=True) for number in range(budgets)}
    return walk, walk.choose(wanted, {f"budget:{key}#0": None for key in wanted})


def simple(budgets: int, **more: Any) -> tuple[BudgetWalk, dict[str, Wanted]]:
    """A walk that wants one of each, which the first shard has."""
    walk = BudgetWalk("demo", cast("Table", Scattered()), "txn_1", **more)
    return walk, {f"promotion:x{number}": Wanted(1, LIMIT, of_value=True) for number in range(budgets)}


def written(walk: BudgetWalk) -> int:
    batch = WriteBatch()
    walk.add(batch)
    return len(batch.actions)


def test_a_few_scattered_budgets_are_taken_from_as_many_shards_as_they_need() -> None:
    walk, enough = walked(8)
    assert enough
    batch = WriteBatch()
    assert sum(amount for _, _, amount in walk.add(batch)) == 8 * 60
    assert len(batch.actions) == 8 * MAX_PARTS


@pytest.mark.parametrize("budgets", [13, 14, 15, 30])
def test_more_of_them_than_a_transaction_has_room_for_count_as_used_up(budgets: int) -> None:
    walk, enough = walked(budgets)
    assert (enough, bool(walk.exhausted)) == (budgets < 14, budgets >= 14)
    assert written(walk) <= ROOM
    assert written(walk) + len(walk.exhausted) > ROOM - MAX_PARTS, "no more than need be"


def test_scattered_budgets_leave_a_shard_to_each_that_comes_after_them() -> None:
    walk, wanted = simple(60)
    scattered = {f"offer:x{number}": Wanted(10 * MAX_PARTS, LIMIT, of_value=True) for number in range(14)}
    assert not walk.choose(scattered | wanted, {f"budget:{key}#0": None for key in scattered})
    assert walk.exhausted < set(scattered)


def test_as_many_of_what_has_a_limit_and_budgets_are_used_as_have_room_for_both() -> None:
    """Coupons have a write each beside. What is left out counts as used up; what has happened goes beyond."""
    for overdraws in (False, True):
        walk = BudgetWalk("demo", cast("Table", Scattered()), "txn_1", QuotaWalk(CouponRepository("demo", cast("Table", Scattered())), ""))
        walk.overdraws = overdraws
        coupons = [cast("CouponDiscount", Used(f"offer:{number}")) for number in range(20)]
        given = cast("Circumstances", Given((), Scene()))

        def decide(exhausted: frozenset[str], coupons: Any = coupons, given: Any = given) -> tuple[Circumstances, Decided]:
            keys = [f"promotion:{number}" for number in range(90)]
            left = [cast("PromotionDiscount", Used(key, TERMS)) for key in keys if not {key, QUOTA + key} & exhausted]
            return given, Decided([], discounts=coupons, promotions=left)

        _, decided = walk.within(decide, {})
        number = len(decided.promotions)
        assert (written(walk), number) == (ROOM - 20, 90 if overdraws else 30)
        assert len(walk.overdrawn) == (2 * 60 if overdraws else 0)


def test_what_has_happened_overdraws_one_shard_instead() -> None:
    walk, enough = walked(15, overdraws=True)
    assert enough
    assert len(walk.overdrawn) == 2
    assert written(walk) == 13 * MAX_PARTS + 2


@pytest.mark.parametrize(("budgets", "room"), [(ROOM, ROOM), (ROOM + 1, ROOM), (130, ROOM), (3, 2), (3, 0)])
def test_of_budgets_that_one_shard_each_would_do_for_those_beyond_the_room_count_as_used_up(budgets: int, room: int) -> None:
    walk, wanted = simple(budgets)
    assert walk.choose(wanted, {}, room) is (budgets <= room)
    assert len(walk.exhausted) == max(budgets - room, 0)
    assert written(walk) == min(budgets, room)
    left = {key: each for key, each in wanted.items() if key not in walk.exhausted}
    assert walk.choose(left, {}, room)


def test_with_less_room_than_at_the_attempt_before_what_was_chosen_is_not_kept() -> None:
    walk, wanted = simple(8)
    assert walk.choose(wanted, {})
    assert not walk.choose(wanted, {}, 5)
    assert (written(walk), len(walk.exhausted)) == (5, 3)


def test_what_has_happened_and_finds_no_room_writes_nothing_and_is_overdrawn() -> None:
    walk, wanted = simple(130, overdraws=True)
    assert walk.choose(wanted, {})
    assert (written(walk), walk.exhausted, len(walk.overdrawn)) == (ROOM, set(), 130 - ROOM)


@pytest.mark.parametrize(("others", "attempts", "left"), [(20, 1, 80), (21, 2, 70), (45, 4, 50), (99, 9, 0), (101, 9, None)])
def test_where_more_is_to_be_written_beside_it_takes_from_fewer(others: int, attempts: int, left: int | None) -> None:
    walk, made = BudgetWalk("demo", cast("Table", Scattered()), "txn_1"), list[int]()

    def decide(exhausted: frozenset[str]) -> tuple[Circumstances, Decided]:
        budgets = {f"p/{rule.id}": 1 for rule in POINTS.body.earning if f"p/{rule.id}" not in exhausted}
        return cast("Circumstances", Given((POINTS,))), Decided([], budgets=budgets)

    def attempt() -> int:
        batch = WriteBatch()
        made.append(1)
        walk.within(decide, {})
        walk.add(batch)
        for number in range(others):
            batch.check(f"other{number}", Key("T#demo#OTHER", str(number)), NOT_THERE_YET)
        return len(batch.actions)

    if left is None:
        with pytest.raises(TooManyWrites):
            walk.giving_way(attempt)
    else:
        assert walk.giving_way(attempt) == others + left
    assert len(made) == attempts
