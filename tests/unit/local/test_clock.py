"""The movable clock of a local stage: read once an invocation where it is switched on, and never anywhere else."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from local import clock
from local.console import Failure
from shared.aws.runtime import NamedTenant, Runtime
from shared.aws.settings import read_settings
from shared.kernel.instants import DAY, HOUR, MINUTE, SECOND
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.items import ClockItem, Item
from tests.builders.house import NOW

ENVIRONMENT = {"STAGE": "x", "TABLE_NAME": "main", "KEYS_TABLE_NAME": "keys"}


@dataclass
class OneItemTable:
    """Remembers what was asked of it, and the one item put last."""

    item: RawItem | None = None
    reads: list[keys.Key] = field(default_factory=list)

    def get(self, key: keys.Key, *, consistent: bool = True) -> RawItem | None:
        self.reads.append(key)
        return self.item

    def put(self, item: Item) -> None:
        self.item = item.serialize()

    def delete(self, _key: keys.Key) -> None:
        self.item = None


def runtime(table: OneItemTable, **environment: str) -> Runtime:
    """A function's wiring at the instant ``NOW``."""
    made = Runtime(read_settings(ENVIRONMENT | environment), wall=lambda: NOW / 1000)
    made.table = table  # type: ignore[assignment]
    return made


@pytest.mark.parametrize(
    ("text", "millis"),
    [("+30d", 30 * DAY), ("-1d", -DAY), ("+2h", 2 * HOUR), ("+15m", 15 * MINUTE), ("+0s", 0), ("-90s", -90 * SECOND)],
)
def test_a_distance_in_time_is_read(text: str, millis: int) -> None:
    assert clock.parse(text) == millis


@pytest.mark.parametrize("text", ["", "30d", "+d", "+1.5h", "+1w", "+1 d", "tomorrow", "++1d", "+1d\n", "+1d2h", "+100000d", "+\u0661d"])
def test_what_is_no_distance_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(Failure) as refused:
        clock.parse(text)
    assert "+30d" in refused.value.remedy


def test_moving_adds_up_and_reset_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW / 1000)
    store: Any = SimpleNamespace(main=OneItemTable())
    assert clock.offset(store) == 0
    assert clock.move(store, 30 * DAY) == 30 * DAY
    assert clock.move(store, -DAY) == 29 * DAY
    assert clock.now(store) == NOW + 29 * DAY
    clock.reset(store)
    assert clock.now(store) == NOW


def test_a_local_stage_reads_its_clock_once_an_invocation() -> None:
    table = OneItemTable(ClockItem.at(keys.clock(), offset=30 * DAY).serialize())
    home = runtime(table, LOCAL_CLOCK="1")
    assert table.reads == [], "nothing is read before the time is asked for"
    for invocation in (1, 2, 3):
        home.begin(None)
        assert {home.now() for _ in range(5)} == {NOW + 30 * DAY}
        assert home.scope(NamedTenant("demo")).clock() == home.worker_scope("demo").clock() == NOW + 30 * DAY
        assert table.reads == [keys.clock()] * invocation


def test_a_move_is_seen_by_the_next_invocation_and_not_within_one() -> None:
    table = OneItemTable()
    home = runtime(table, LOCAL_CLOCK="1")
    home.begin(None)
    assert home.now() == NOW
    table.put(ClockItem.at(keys.clock(), offset=DAY))
    assert home.now() == NOW
    home.begin(None)
    assert home.now() == NOW + DAY


@pytest.mark.parametrize("environment", [{}, {"LOCAL_CLOCK": ""}, {"LOCAL_CLOCK": "0"}, {"LOCAL_CLOCK": "true"}])
def test_a_deployed_stage_has_no_clock_to_move(environment: dict[str, str]) -> None:
    table = OneItemTable(ClockItem.at(keys.clock(), offset=30 * DAY).serialize())
    home = runtime(table, **environment)
    for _ in range(3):
        home.begin(None)
        assert home.now() == home.scope(NamedTenant("demo")).clock() == NOW
    assert table.reads == [], "the item is never looked for"
