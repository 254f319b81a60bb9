"""The fan-out of segments by snapshot: who is concerned is read and written, nobody else, and the memberships are those of a full walk."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from shared.definitions.service import retire
from shared.kernel.errors import ConcurrentUpdate
from shared.kernel.instants import DAY, HOUR, MINUTE, SECOND
from shared.member_state.repository import StateRepository
from shared.member_state.service import peek
from shared.segments import fan_out as walking
from shared.segments import listing, ticks
from shared.snapshots import fan_out, rebuilding
from shared.snapshots.repository import SnapshotRepository
from shared.storage import keys
from shared.storage.table import Table
from shared.transactions.service import record
from tests.builders.evaluator import BIG, CACHE, RECENT, Evaluator, define, inside, join
from tests.builders.house import PROGRAMME, House, sale
from tests.builders.stream import Stream
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable, Killed

pytestmark = pytest.mark.stream


@pytest.fixture
def evaluator(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Evaluator:
    bare_house.create()
    bare_house.publish("programme", "points", PROGRAMME)
    return Evaluator(bare_house, Stream(dynamodb, bare_house.table.name), monkeypatch)


@contextlib.contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Requests to the tables by what they touch: members' items read and written."""
    found: Counter[str] = Counter()
    honest = Table._call

    def call(self: Table, operation: str, **request: Any) -> Any:
        touched = [each for each in _keys(request) if "#M#" in each and "SNAP" not in each]
        kind = "read" if operation in ("get_item", "batch_get_item", "query") else "write"
        found[kind] += len(set(touched)) if kind == "read" else bool(touched)
        found["requests"] += 1
        return honest(self, operation, **request)

    with monkeypatch.context() as watching:
        watching.setattr(Table, "_call", call)
        yield found


def _keys(value: Any) -> Iterator[str]:
    """Every partition of a member that a request names."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _keys(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _keys(each)
    elif isinstance(value, str) and value.startswith("T#"):
        yield value


def crowd(evaluator: Evaluator, number: int, high: int) -> list[str]:
    """Members who have bought, the first ``high`` of them for much; all in the snapshot."""
    house, members = evaluator.house, sorted(join(evaluator.house) for _ in range(number))
    for index, member in enumerate(members):
        record(house.scope(), sale(member, house.now, lines=(("burger", 2500 if index < high else 300),)))
    evaluator.settle()
    house.now += 5 * MINUTE
    return members


def agree(evaluator: Evaluator, members: list[str]) -> bool:
    """Whether everybody's stored memberships are what letting time pass for her would make of them, and the listings say the same."""
    house = evaluator.house
    scope, repository = house.scope(), StateRepository(house.tenant, house.table)
    served = scope.definitions.at(house.now).served_segments
    for member in members:
        stored = set(house.state(member).segments)
        told = set(peek(scope, repository.load(member), house.now).segments)
        others = {key.rpartition("@")[0] for key in told}
        if {key for key in stored if key in told or key.rpartition("@")[0] not in others} != told:
            return False
    return all(
        evaluator.listed(id_) == [member for member in members if inside(house, member, id_, each.version)] for id_, each in served.items()
    )


def flips(evaluator: Evaluator) -> Counter[tuple[str, str, int, str]]:
    """What was told of segments: type, segment, version, cause."""
    events = [event for each in evaluator.told for event in each["events"] if event["type"] in ("segment.entered", "segment.left")]
    return Counter((each["type"], each["data"]["segment"], each["data"]["segment_version"], each["cause"]) for each in events)


# -- what it costs --------------------------------------------------------------------------------------------------


def test_ten_of_a_thousand_are_read_and_written_when_a_segment_is_published(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, members = evaluator.house, crowd(evaluator, 1000, 10)
    assert SnapshotRepository(house.scope()).manifest() is not None
    evaluator.told.clear()
    with counted(monkeypatch) as published:
        define(house, "big", BIG)
        evaluator.marks = False
        evaluator.settle()
    assert evaluator.listed("big") == members[:10]
    # A read and a transaction for each of the ten, and the row of her listing; nobody else's item was touched.
    assert (published["read"], published["write"]) == (10, 20)
    assert flips(evaluator) == {("segment.entered", "big", 1, "definition"): 10}
    versions = [house.state(member).version for member in members[10:]]
    assert set(versions) == {2}


def test_an_edit_tells_only_those_who_differ(evaluator: Evaluator) -> None:
    house, members = evaluator.house, crowd(evaluator, 12, 8)
    define(house, "big", BIG)
    evaluator.settle()
    record(house.scope(), sale(members[0], house.now, lines=(("burger", 9000),)))
    record(house.scope(), sale(members[9], house.now, lines=(("burger", 1600),)))
    evaluator.settle()
    evaluator.told.clear()
    house.now += MINUTE
    define(house, "big", {"name": "B", "rule": {"kind": "any", "rules": [
        {**BIG["rule"], "value": 5000}, {"kind": "all", "rules": [{**BIG["rule"], "op": "lt"}, {**BIG["rule"], "value": 1800}]}]}})
    evaluator.settle()
    assert evaluator.listed("big") == sorted([members[0], members[9]])
    assert flips(evaluator) == {
        ("segment.entered", "big", 2, "version"): 1, ("segment.entered", "big", 2, "definition"): 1,
        ("segment.left", "big", 1, "definition"): 7,
    }  # fmt: skip
    assert [each.version for each in house.scope().definitions.at(house.now).live_segments] == [2]
    assert agree(evaluator, members)


def test_a_retired_segment_is_left_by_those_who_were_in_it(evaluator: Evaluator) -> None:
    house, members = evaluator.house, crowd(evaluator, 8, 3)
    define(house, "big", BIG)
    evaluator.settle()
    versions = {member: house.state(member).version for member in members}
    house.now += MINUTE
    retire(house.scope(), "segment", "big", CACHE)
    evaluator.settle()
    assert not any(house.state(member).segments for member in members)
    assert [member for member in members if house.state(member).version != versions[member]] == members[:3]


def test_a_segment_follows_the_segment_that_it_names(evaluator: Evaluator) -> None:
    house, members = evaluator.house, crowd(evaluator, 8, 3)
    define(house, "big", BIG)
    define(house, "small", {"name": "S", "rule": {"kind": "not", "rule": {"kind": "segment", "segment": "big"}}})
    evaluator.settle()
    assert evaluator.listed("small") == members[3:]
    house.now += MINUTE
    define(house, "big", {**BIG, "rule": {**BIG["rule"], "value": 100}})
    evaluator.settle()
    assert evaluator.listed("small") == []
    assert evaluator.listed("big") == members
    assert agree(evaluator, members)


def test_who_must_be_looked_at_earlier_than_her_timer_says_gets_an_earlier_one(evaluator: Evaluator) -> None:
    house, members = evaluator.house, crowd(evaluator, 3, 0)
    before = [house.state(member).timer for member in members]
    define(house, "recent", RECENT)
    evaluator.settle()
    timers = [house.state(member).timer for member in members]
    assert all(after is not None and (was is None or after < was) for was, after in zip(before, timers, strict=True))
    house.now += 3 * DAY
    evaluator.deliver({"kind": "sweep_tenant", "tenant": "demo", "shard": 0})
    assert not any(inside(house, member, "recent") for member in members)


# -- what the snapshot does not know --------------------------------------------------------------------------------


def test_a_purchase_of_just_before_the_switch_is_not_missed_however_late_it_is_relayed(evaluator: Evaluator) -> None:
    house, members = evaluator.house, crowd(evaluator, 6, 2)
    define(house, "big", BIG)
    record(house.scope(), sale(members[5], house.now, lines=(("burger", 8000),)))
    held = evaluator.bus.relay(evaluator.stream)
    late = [{"detail-type": "commit", "detail": each} for each in held if each["aggregate"].startswith("member:")]
    evaluator.deliver(*({"detail-type": "commit", "detail": each} for each in held if "definition.published" in each["types"]))
    evaluator.settle()
    assert evaluator.listed("big") == members[:2]
    assert not agree(evaluator, members)
    house.now += HOUR
    evaluator.deliver_to_snapshots(*late)
    evaluator.settle()
    assert evaluator.listed("big") == sorted([*members[:2], members[5]])
    assert agree(evaluator, members)


@pytest.mark.parametrize("state", ["missing", "lost", "cut", "stale"])
def test_without_a_good_snapshot_it_is_made_first(evaluator: Evaluator, state: str) -> None:
    house, members = evaluator.house, crowd(evaluator, 6, 2)
    manifest = SnapshotRepository(house.scope()).manifest()
    assert manifest is not None
    (name,) = manifest.objects
    if state == "missing":
        evaluator.s3.objects.clear()
        house.table.delete(keys.snapshot_manifest("demo"))
    elif state == "lost":
        del evaluator.s3.objects[name]
    elif state == "cut":
        evaluator.s3.objects[name] = evaluator.s3.objects[name][:-9]
    else:
        house.now += 7 * DAY
    define(house, "big", BIG)
    evaluator.settle()
    assert evaluator.listed("big") == members[:2]
    assert listing.count(house.scope(), "big").state == "exact"


def test_members_who_have_just_registered_are_evaluated(evaluator: Evaluator) -> None:
    house = evaluator.house
    crowd(evaluator, 3, 0)
    define(house, "all", {"name": "A", "rule": {"kind": "joined", "op": "less_than", "days": 2}})
    new = join(house)
    evaluator.settle()
    assert new in evaluator.listed("all")


# -- progress -------------------------------------------------------------------------------------------------------


def test_progress_is_visible_and_it_goes_on_where_time_was_short(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    house, members = evaluator.house, crowd(evaluator, 9, 7)
    monkeypatch.setattr(fan_out, "PAGE", 2)
    define(house, "big", BIG)
    evaluator.deliver(*evaluator.events())
    message = evaluator.sqs.queues["snapshots"].take()[-1]
    house.now += MINUTE
    asked = iter(range(1000))
    house.time_left = lambda: 60_000 if next(asked) % 2 == 0 else 1000
    seen: list[tuple[int | None, int | None]] = []
    for _ in range(20):
        evaluator.deliver_to_snapshots(message)
        again = [each for each in evaluator.sqs.queues["snapshots"].take() if each["kind"] == "fan_out"]
        if not again:
            break
        said = listing.count(house.scope(), "big")
        assert said.state == "backfilling"
        seen.append((said.evaluated, said.needed))
    assert seen == sorted(seen)
    assert len(seen) > 2
    assert {needed for _, needed in seen} == {7}
    house.time_left = lambda: 60_000
    evaluator.settle()
    assert evaluator.listed("big") == members[:7]
    assert listing.count(house.scope(), "big").state == "exact"


def test_the_end_of_a_fan_out_is_told_once_however_often_it_is_delivered(evaluator: Evaluator) -> None:
    house = evaluator.house
    crowd(evaluator, 4, 3)
    define(house, "big", BIG)
    evaluator.deliver(*evaluator.events())
    (message,) = (each for each in evaluator.sqs.queues["snapshots"].take() if each["kind"] == "fan_out")
    house.now += MINUTE
    evaluator.deliver_to_snapshots(message, message)
    evaluator.deliver_to_snapshots(message)
    told = [each for each in evaluator.bus.relay(evaluator.stream) if each["types"] == ["segment.backfilled"]]
    assert [each["events"][0]["data"] for each in told] == [{"segment": "big", "segment_version": 1, "members": 3}]


def test_a_member_that_fails_is_tried_again_and_no_swap_happens_before(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    house, members = evaluator.house, crowd(evaluator, 3, 3)
    define(house, "big", BIG)
    evaluator.deliver(*evaluator.events())
    (message,) = (each for each in evaluator.sqs.queues["snapshots"].take() if each["kind"] == "fan_out")
    house.now += MINUTE
    honest = walking.tick_member

    def stumbling(scope: Any, member: str, now: int) -> bool:
        if member == members[0]:
            raise ConcurrentUpdate
        return honest(scope, member, now)

    monkeypatch.setattr(walking, "tick_member", stumbling)
    assert evaluator.deliver_to_snapshots(message) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert [inside(house, member, "big") for member in members] == [False, True, True]
    assert listing.count(house.scope(), "big").state == "backfilling"
    assert evaluator.deliver_to_snapshots(message, receives=5) == {"batchItemFailures": []}
    assert evaluator.sqs.reasons == ["StillBehind"]
    monkeypatch.setattr(walking, "tick_member", honest)
    evaluator.deliver_to_snapshots(message)
    evaluator.settle()
    assert evaluator.listed("big") == members


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_between_any_two_steps_it_is_finished_by_repeating_it(
    dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch, when: Any
) -> None:
    table = FaultyTable(dynamodb, bare_house.table.name)
    house = House(table, engine.table(dynamodb, bare_house.key_table.name)).create()
    evaluator = Evaluator(house, Stream(dynamodb, table.name), monkeypatch)
    monkeypatch.setattr(fan_out, "PAGE", 2)
    members = crowd(evaluator, 5, 3)
    define(house, "big", BIG)
    evaluator.settle()
    at = 0
    while True:
        at += 1
        house.now += MINUTE
        # Three are concerned each time: they change from version to version.
        define(house, "big", {**BIG, "rule": {**BIG["rule"], "value": 2000 + at}})
        evaluator.deliver(*evaluator.events())
        (message,) = (each for each in evaluator.sqs.queues["snapshots"].take() if each["kind"] == "fan_out")
        house.now += MINUTE
        house.cache.forget("demo")
        table.arm(at, when, "kill")
        with contextlib.suppress(Killed):
            evaluator.deliver_to_snapshots(message)
        reached = table.calls >= at
        table.disarm()
        evaluator.deliver_to_snapshots(message)
        evaluator.settle()
        assert evaluator.listed("big") == members[:3]
        assert listing.count(house.scope(), "big").state == "exact"
        assert agree(evaluator, members)
        if not reached:
            assert at > 10
            return


# -- programmes -----------------------------------------------------------------------------------------------------


def test_the_fan_out_of_a_programme_walks_all_members_and_resumes(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    house, members = evaluator.house, [join(evaluator.house) for _ in range(5)]
    monkeypatch.setattr(walking, "PAGE", 2)
    house.publish("programme", "points", PROGRAMME, version=2, since=house.now, epoch=house.now)
    data = {"kind": "programme", "id": "points", "version": 2, "epoch": house.now, "effective_from": house.now}
    message = {"kind": "fan_out", "tenant": "demo", "of": "programme", "id": "points", "version": 2, "epoch": house.now, "at": house.now}
    walking.begin(house.scope(), data, evaluator.sqs.queues["segments"], evaluator.sqs.queues["snapshots"])
    assert evaluator.sqs.queues["segments"].take() == [message]
    house.now += MINUTE
    asked = iter(range(100))
    house.time_left = lambda: 60_000 if next(asked) % 2 == 0 else 1000
    for _ in range(10):
        evaluator.deliver(message)
        if not evaluator.sqs.queues["segments"].take():
            break
    assert {house.state(member).epoch for member in members} == {message["epoch"]}


# -- equality -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_over_random_edits_purchases_and_days_memberships_are_those_of_evaluating_everybody(evaluator: Evaluator, seed: int) -> None:
    house, rng = evaluator.house, random.Random(seed)
    members = crowd(evaluator, 8, 3)
    for _ in range(8):
        act = rng.choice(["define", "define", "retire", "buy", "wait"])
        if act == "define":
            rule = rng.choice([
                {**BIG["rule"], "value": rng.choice([300, 2000, 4000]), "days": rng.choice([1, 3, 30])},
                {"kind": "since_last_purchase", "op": "at_least", "days": rng.randint(1, 4)},
                {"kind": "not", "rule": {"kind": "segment", "segment": "s0"}},
            ])  # fmt: skip
            id_ = "s0" if rule["kind"] != "not" else rng.choice(["s1", "s2"])
            with contextlib.suppress(Exception):
                define(house, id_, {"name": "S", "rule": rule})
        elif act == "retire":
            with contextlib.suppress(Exception):
                retire(house.scope(), "segment", "s2", CACHE)
        elif act == "buy":
            for member in rng.sample(members, 3):
                record(house.scope(), sale(member, house.now, lines=(("burger", rng.choice([200, 2500])),)))
        else:
            house.now += rng.choice([HOUR, DAY])
        if rng.random() < 0.7:
            evaluator.settle()
        house.now += rng.choice([SECOND, MINUTE])
    evaluator.settle()
    ticks.sweep_tenant(house.scope(), 0, None, evaluator.sqs.queues["segments"], evaluator.sqs.queues["planning"])
    evaluator.settle()
    assert agree(evaluator, members)


def test_the_rebuild_looks_at_whom_the_walk_could_not_know(evaluator: Evaluator) -> None:
    house, members = evaluator.house, crowd(evaluator, 4, 1)
    define(house, "big", BIG)
    record(house.scope(), sale(members[3], house.now, lines=(("burger", 8000),)))
    envelopes = evaluator.bus.relay(evaluator.stream)
    evaluator.deliver(*({"detail-type": "commit", "detail": each} for each in envelopes if "definition.published" in each["types"]))
    evaluator.settle()
    assert evaluator.listed("big") == members[:1]
    house.now += HOUR
    rebuilding.ask(house.scope(), evaluator.sqs.queues["snapshots"])
    evaluator.settle()
    assert evaluator.listed("big") == sorted([members[0], members[3]])


def test_a_segment_retired_costs_those_who_are_in_it(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    house, members = evaluator.house, crowd(evaluator, 200, 10)
    define(house, "big", BIG)
    evaluator.settle()
    house.now += HOUR
    untouched = [house.state(member).version for member in members[10:]]
    evaluator.marks = False
    with counted(monkeypatch) as retired:
        retire(house.scope(), "segment", "big", CACHE)
        evaluator.settle()
    # The ten are in the snapshot's marks, or known by its rows: none is read twice for nothing, nobody else is touched.
    assert retired["write"] == 20
    assert retired["read"] <= 30
    assert [house.state(member).version for member in members[10:]] == untouched
    assert not any(house.state(member).segments for member in members[:10])
