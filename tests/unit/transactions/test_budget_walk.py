"""How many shards a purchase takes from where budgets are scattered: its transaction has a hundred writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest

from shared.kernel.shards import share_of
from shared.storage.keys import Key
from shared.storage.table import Table, WriteBatch
from shared.transactions.budgets import MAX_PARTS, MOST_SHARDS, BudgetWalk, Wanted

LIMIT = 100_000
"""Ten shards of 10,000."""


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


def test_a_few_scattered_budgets_are_taken_from_as_many_shards_as_they_need() -> None:
    walk, enough = walked(8)
    assert enough
    batch = WriteBatch()
    assert sum(amount for _, _, amount in walk.add(batch)) == 8 * 60
    assert len(batch.actions) == 8 * MAX_PARTS


@pytest.mark.parametrize("budgets", [9, 10, 12, 30])
def test_more_of_them_than_a_transaction_has_room_for_count_as_used_up(budgets: int) -> None:
    walk, enough = walked(budgets)
    assert (enough, bool(walk.exhausted)) == (budgets < 10, budgets >= 10)
    batch = WriteBatch()
    walk.add(batch)
    assert len(batch.actions) <= MOST_SHARDS
    assert len(batch.actions) + len(walk.exhausted) > MOST_SHARDS - MAX_PARTS, "no more than need be"


def test_what_has_happened_overdraws_one_shard_instead() -> None:
    walk, enough = walked(12, overdraws=True)
    assert enough
    batch = WriteBatch()
    walk.add(batch)
    assert len(batch.actions) == 8 * MAX_PARTS + 4
    assert len(walk.overdrawn) == 4
