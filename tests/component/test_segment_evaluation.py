"""Timers, listing rows and the fan-out of definitions, under duplicates, shuffles, outages and crashes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shared.definitions.api import SegmentRequest
from shared.definitions.service import replace
from shared.kernel.ids import new_id
from shared.kernel.instants import DAY, HOUR, MINUTE
from shared.segments import ticks
from shared.segments.model import schema
from shared.storage import keys
from shared.storage.items import TenantEntryItem
from shared.transactions.service import record
from tests.builders.evaluator import BIG, RECENT, Evaluator, define, inside, join
from tests.builders.house import NOW, PROGRAMME, House, sale
from tests.builders.office import Office
from tests.builders.stream import ListQueue, Stream

pytestmark = pytest.mark.stream


@pytest.fixture
def evaluator(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Evaluator:
    bare_house.create()
    bare_house.publish("programme", "points", PROGRAMME)
    return Evaluator(bare_house, Stream(dynamodb, bare_house.table.name), monkeypatch)


# -- listing rows ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_rows_say_what_state_says_whatever_the_order_and_however_often(evaluator: Evaluator, seed: int) -> None:
    house, shuffle = evaluator.house, random.Random(seed)
    house.publish("segment", "recent", RECENT)
    house.publish("segment", "big", BIG)
    members = [join(house) for _ in range(4)]
    for _ in range(12):
        house.now += shuffle.choice([HOUR, DAY])
        member = shuffle.choice(members)
        record(house.scope(), sale(member, at=house.now, lines=(("burger", 700),)))
    for member in members:
        ticks.tick_member(house.scope(), member, house.now)
    messages = evaluator.events() * 3
    shuffle.shuffle(messages)
    assert evaluator.deliver(*messages) == {"batchItemFailures": []}
    for segment in ("recent", "big"):
        assert evaluator.listed(segment) == sorted(member for member in members if inside(house, member, segment))


def test_members_are_listed_a_page_at_a_time_and_counted(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    house = evaluator.house
    house.publish("segment", "recent", RECENT)
    members = sorted(join(house) for _ in range(7))
    for member in members:
        record(house.scope(), sale(member))
    evaluator.settle()
    office, found, cursor = Office(house, monkeypatch), [], None
    while True:
        page = office.call("list_segment_members", segment_id="recent", query={"limit": "3"} | ({"cursor": cursor} if cursor else {})).body
        found += [each["member_id"] for each in page["data"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert found == members
    assert office.call("count_segment", segment_id="recent").body["count"] == 7
    assert office.call("list_segment_members", segment_id="recent", query={"cursor": "eA"}).body["code"] == "invalid_cursor"
    assert office.call("list_segment_members", segment_id="nope").body["code"] == "unknown_segment"
    office.call("create_segment", {"id": "draft", "definition": RECENT})
    assert office.call("count_segment", segment_id="draft").body["code"] == "segment_not_in_force"
    assert office.call("count_segment", segment_id="recent", scopes=frozenset({"definitions:read"})).status == 403


# -- the sweep ------------------------------------------------------------------------------------------------------


def test_a_sweep_wakes_who_is_due_and_repeating_it_changes_nothing(evaluator: Evaluator) -> None:
    house = evaluator.house
    house.publish("segment", "recent", RECENT)
    members = [join(house) for _ in range(5)]
    for member in members[:3]:
        record(house.scope(), sale(member))
    house.now = NOW + 3 * DAY
    evaluator.deliver({"kind": "sweep"})
    (message,) = evaluator.sqs.queues["segments"].take()
    assert message == {"kind": "sweep_tenant", "tenant": "demo", "shard": 0}
    evaluator.deliver(message, message)
    assert not any(inside(house, member, "recent") for member in members)
    versions = [house.state(member).version for member in members]
    evaluator.deliver({"kind": "sweep"}, message)
    assert [house.state(member).version for member in members] == versions
    due = house.table.query_all(keys.due("demo", 0), index="GSI1")
    assert all(each["GSI1SK"]["S"] > keys.due_until(house.now) for each in due)


def test_many_missed_sweeps_leave_what_minute_sweeps_would_have(evaluator: Evaluator) -> None:
    house = evaluator.house
    house.publish("segment", "recent", RECENT)
    punctual, late = join(house), join(house)
    for member in (punctual, late):
        record(house.scope(), sale(member))
    evaluator.events()
    told: dict[str, list[tuple[str, int]]] = {punctual: [], late: []}
    for hours in range(6, 31 * 24, 6):
        house.now = NOW + hours * HOUR
        ticks.tick_member(house.scope(), punctual, house.now)
    ticks.tick_member(house.scope(), late, house.now)
    for each in evaluator.bus.relay(evaluator.stream):
        told[each["member"]] += [(event["type"], event["occurred_at"]) for event in each["events"]]
    assert told[late] == told[punctual]
    assert [type_ for type_, _ in told[late]] == ["segment.left"]


def test_one_who_cannot_be_woken_stays_due_and_keeps_nobody_asleep(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    house = evaluator.house
    house.publish("segment", "recent", RECENT)
    members = [join(house) for _ in range(3)]
    for member in members:
        record(house.scope(), sale(member))
    house.now = NOW + 3 * DAY
    honest = ticks.tick_member

    def stumbling(scope: Any, member: str, now: int) -> bool:
        if member == members[1]:
            raise RuntimeError("cannot")
        return honest(scope, member, now)

    monkeypatch.setattr(ticks, "tick_member", stumbling)
    assert evaluator.deliver({"kind": "sweep_tenant", "tenant": "demo", "shard": 0}) == {"batchItemFailures": []}
    assert [inside(house, member, "recent") for member in members] == [False, True, False]
    monkeypatch.setattr(ticks, "tick_member", honest)
    evaluator.deliver({"kind": "sweep_tenant", "tenant": "demo", "shard": 0})
    assert not inside(house, members[1], "recent")


def test_with_no_time_left_the_rest_is_a_new_message(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    house = evaluator.house
    house.publish("segment", "recent", RECENT)
    monkeypatch.setattr(ticks, "PAGE", 2)
    members = [join(house) for _ in range(5)]
    for member in members:
        record(house.scope(), sale(member))
    house.now = NOW + 3 * DAY
    ticked: list[str] = []
    honest = ticks.tick_member
    monkeypatch.setattr(ticks, "tick_member", lambda scope, member, now: ticked.append(member) or honest(scope, member, now))
    house.time_left = lambda: 60_000 if len(ticked) % 3 else 1000
    ticked.append("start")
    messages = [{"kind": "sweep_tenant", "tenant": "demo", "shard": 0}]
    for _ in range(5):
        evaluator.deliver(*messages)
        messages = evaluator.sqs.queues["segments"].take()
        ticked.append("next")
        if not messages:
            break
    assert not any(inside(house, member, "recent") for member in members)


def test_a_campaign_that_is_due_is_told_to_planning(evaluator: Evaluator) -> None:
    item = TenantEntryItem.at(keys.campaign("demo", "summer"), tenant="demo", status="scheduled", due_shards=0)
    item.GSI1PK, item.GSI1SK = keys.due("demo", 0), keys.due_at(NOW - MINUTE, "CAMP#summer")
    evaluator.house.table.put(item)
    evaluator.deliver({"kind": "sweep_tenant", "tenant": "demo", "shard": 0})
    assert evaluator.sqs.queues["planning"].take() == [{"kind": "campaign_due", "tenant": "demo", "campaign": "summer"}]


def test_only_active_tenants_are_swept_each_of_their_shards(evaluator: Evaluator) -> None:
    table = evaluator.house.table
    table.put(TenantEntryItem.at(keys.tenant_entry("asleep"), tenant="asleep", status="suspended", due_shards=1))
    table.put(TenantEntryItem.at(keys.tenant_entry("large"), tenant="large", status="active", due_shards=3))
    queue = ListQueue()
    assert ticks.sweep(table, queue) == 4
    found = [(each["tenant"], each["shard"]) for each in queue.take()]
    assert found == [("demo", 0), ("large", 0), ("large", 1), ("large", 2)]


# -- messages -------------------------------------------------------------------------------------------------------


def _detail(**changes: Any) -> dict[str, Any]:
    member = new_id("mbr", NOW)
    fields = {"id": f"member:{member}:2", "tenant": "demo", "key": f"T#demo#M#{member}", "aggregate": f"member:{member}", "member": member}
    event = {"id": "e", "type": "segment.entered", "occurred_at": NOW, "data": {"segment": "a", "segment_version": 1}}
    rest = {"seq": 2, "committed_at": NOW, "correlation_id": "", "mode": "live", "types": ["segment.entered"], "events": [event]}
    return {"detail": fields | rest | changes}


POISON: list[Any] = [
    "not json",
    "[]",
    {},
    {"kind": "other"},
    {"kind": ["sweep"]},
    {"kind": "sweep_tenant", "tenant": "demo"},
    {"kind": "sweep_tenant", "tenant": "T#demo", "shard": 0},
    {"kind": "fan_out", "tenant": "demo", "of": "segment", "id": "a", "version": "1", "epoch": 1, "at": 0},
    {"detail": None},
    {"detail": {"tenant": "demo"}},
    _detail(tenant="other"),
    _detail(key="T#other#M#m"),
]


def test_poison_goes_to_the_dead_letters_with_its_reason_and_nothing_is_written(evaluator: Evaluator) -> None:
    evaluator.stream.records()
    good = _detail()
    assert evaluator.deliver(*POISON, good) == {"batchItemFailures": []}
    assert len(evaluator.sqs.reasons) == len(POISON)
    assert all(reason.startswith("Poison: ") for reason in evaluator.sqs.reasons)
    written = {each["dynamodb"]["Keys"]["PK"]["S"] for each in evaluator.stream.records()}
    assert written == {good["detail"]["key"]}


def test_an_index_entry_of_another_tenant_is_not_followed(evaluator: Evaluator) -> None:
    table = evaluator.house.table
    other = House(table, evaluator.house.key_table, tenant="other").create()
    member = other.join()
    before = other.state(member).version
    stray = TenantEntryItem.at(keys.Key(keys.member("other", member), "STRAY"), tenant="other", status="-", due_shards=0)
    stray.GSI1PK, stray.GSI1SK = keys.due("demo", 0), keys.due_at(NOW - DAY, f"M#{member}")
    table.put(stray)
    assert evaluator.deliver({"kind": "sweep_tenant", "tenant": "demo", "shard": 0}) == {"batchItemFailures": []}
    assert other.state(member).version == before


# -- the language ---------------------------------------------------------------------------------------------------


def test_the_language_is_published_as_a_schema(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Office(evaluator.house, monkeypatch).call("get_segment_schema", scopes=frozenset({"definitions:read"}))
    assert (said.status, said.body) == (200, schema())


def test_a_segment_follows_the_one_that_it_names_and_a_circle_is_refused(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, office = evaluator.house, Office(evaluator.house, monkeypatch)
    member = join(house)
    record(house.scope(), sale(member, lines=(("burger", 700),)))
    define(house, "named", BIG)
    house.now += MINUTE
    define(house, "naming", {"name": "N", "rule": {"kind": "segment", "segment": "named"}})
    house.now += MINUTE
    evaluator.settle()
    assert not inside(house, member, "naming")
    define(house, "named", RECENT)
    house.now += MINUTE
    evaluator.settle()
    assert inside(house, member, "naming")
    circle = {"name": "C", "rule": {"kind": "not", "rule": {"kind": "segment", "segment": "naming"}}}
    etag = house.scope().repository.newest("segment", "named").etag
    replace(house.scope(), "segment", "named", SegmentRequest.model_validate({"definition": circle}), etag)
    said = office.call("publish_segment", {}, definition_id="named")
    assert said.status == 422
    assert said.errors == [("/definition/rule/rule/segment", "segment_circle")]
