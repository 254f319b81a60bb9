"""The statistics job over the engine: published when numbers change, with a fan-out only where a segment looks at them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from shared.kernel.instants import DAY, MINUTE
from shared.profile.statistics import from_body
from shared.statistics import complements, schedule
from shared.transactions.service import record
from tests.builders.evaluator import CACHE, Evaluator, define, inside, join
from tests.builders.house import PROGRAMME, House, sale
from tests.builders.stream import ListQueue, Stream

pytestmark = pytest.mark.stream

TOP = {"name": "T", "rule": {"kind": "rfm", "of": "monetary", "op": "ge", "value": 5}}
RUN: dict[str, Any] = {"kind": "statistics_tenant", "tenant": "demo", "forced": True}


@pytest.fixture
def evaluator(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Evaluator:
    bare_house.create()
    bare_house.publish("programme", "points", PROGRAMME)
    return Evaluator(bare_house, Stream(dynamodb, bare_house.table.name), monkeypatch)


def crowd(evaluator: Evaluator, number: int = 10) -> list[str]:
    """Members who have bought for 100, 200, ... cents."""
    house, members = evaluator.house, sorted(join(evaluator.house) for _ in range(number))
    for index, member in enumerate(members, 1):
        record(house.scope(), sale(member, house.now, lines=(("burger", 100 * index),)))
    evaluator.settle()
    return members


def run(evaluator: Evaluator, **changes: Any) -> None:
    assert evaluator.deliver_to_snapshots(RUN | changes) == {"batchItemFailures": []}
    evaluator.settle()


def test_numbers_are_published_and_a_segment_that_looks_at_them_follows(evaluator: Evaluator) -> None:
    house, members = evaluator.house, crowd(evaluator)
    define(house, "top", TOP)
    evaluator.settle()
    assert evaluator.listed("top") == []
    evaluator.told.clear()
    run(evaluator)
    newest = house.scope().repository.newest("statistics", "profile")
    assert newest is not None
    assert from_body(newest.body).monetary == (200, 400, 600, 800)
    assert newest.body["lifecycle"] == {"active": 10, "sleeping": 0, "lost": 0}
    assert newest.epoch == newest.effective_from
    assert evaluator.listed("top") == members[8:]
    record(house.scope(), sale(members[0], house.now, lines=(("burger", 5000),)))
    evaluator.settle()
    house.now += DAY
    run(evaluator)
    assert evaluator.listed("top") == sorted([members[0], members[9]])
    told = Counter((event["type"], event["cause"]) for each in evaluator.told for event in each["events"] if "segment." in event["type"])
    assert told["segment.left", "definition"] == 1


def test_unchanged_numbers_and_an_idle_tenant_publish_nothing(evaluator: Evaluator) -> None:
    house, members = evaluator.house, crowd(evaluator)
    run(evaluator)
    first = house.scope().repository.newest("statistics", "profile")
    assert first is not None
    assert first.epoch == 0
    run(evaluator)
    house.now += 3 * DAY
    hour = next(hour for hour in range(24) if schedule.is_hour("demo", house.now + hour * 60 * MINUTE, "Europe/Berlin"))
    house.now += hour * 60 * MINUTE
    run(evaluator, forced=False)
    assert house.scope().repository.newest("statistics", "profile") == first
    record(house.scope(), sale(members[0], house.now))
    evaluator.settle()
    house.now += DAY
    run(evaluator, forced=False)
    second = house.scope().repository.newest("statistics", "profile")
    assert second is not None
    assert second.version == 2


def test_old_versions_go_and_the_one_in_force_stays(evaluator: Evaluator) -> None:
    house, members = evaluator.house, crowd(evaluator)
    for turn in range(4):
        record(house.scope(), sale(members[turn], house.now, lines=(("burger", 10_000 * (turn + 1)),)))
        evaluator.settle()
        house.now += DAY
        run(evaluator)
    versions = [each.version for each in house.scope().repository.load().definitions if each.kind == "statistics"]
    assert sorted(versions) == [3, 4]
    house.now += int(2000 * CACHE)
    house.cache.forget("demo")
    assert house.scope().definitions.at(house.now).statistics.members == 10


def test_a_missing_snapshot_is_made_first(evaluator: Evaluator) -> None:
    house = evaluator.house
    evaluator.marks = False
    members = [join(house) for _ in range(6)]
    for index, member in enumerate(members, 1):
        record(house.scope(), sale(member, house.now, lines=(("burger", 100 * index),)))
    evaluator.settle()
    run(evaluator)
    newest = house.scope().repository.newest("statistics", "profile")
    assert newest is not None
    assert newest.body["members"] == 6


def test_what_is_often_bought_together_is_stored_and_only_changes_are_written(evaluator: Evaluator) -> None:
    house = evaluator.house
    members = sorted(join(house) for _ in range(12))
    for index, member in enumerate(members):
        lines = (("fries", 350), ("burger", 900)) if index < 6 else (("salad", 700),)
        record(house.scope(), sale(member, house.now, lines=lines))
    evaluator.settle()
    run(evaluator)
    assert [each.item for each in complements.of_item(house.scope(), "fries")] == ["burger"]
    assert complements.of_item(house.scope(), "fries")[0].lift_e2 == 200
    assert complements.of_item(house.scope(), "salad") == ()
    assert complements.store(house.scope(), complements.every(house.scope())) == 0
    assert complements.store(house.scope(), {}) == 2
    assert complements.of_item(house.scope(), "fries") == ()


def test_every_active_tenant_is_asked_and_only_in_its_hour(evaluator: Evaluator) -> None:
    queue = ListQueue()
    assert schedule.spread(evaluator.house.table, queue) == 1
    ((message, delay),) = queue.sent
    assert message == RUN | {"forced": False}
    assert 0 <= delay < 900
    crowd(evaluator, 5)
    due = [hour for hour in range(24) if schedule.is_hour("demo", evaluator.house.now + hour * 60 * MINUTE, "Europe/Berlin")]
    evaluator.house.now += (due[0] + 2) * 60 * MINUTE
    run(evaluator, forced=False)
    assert evaluator.house.scope().repository.newest("statistics", "profile") is None


def test_a_member_of_no_fifth_is_in_none(evaluator: Evaluator) -> None:
    house = evaluator.house
    crowd(evaluator)
    never = join(house)
    define(house, "low", {"name": "L", "rule": {"kind": "rfm", "of": "frequency", "op": "le", "value": 5}})
    run(evaluator)
    evaluator.settle()
    assert not inside(house, never, "low")
    assert len(evaluator.listed("low")) == 10
