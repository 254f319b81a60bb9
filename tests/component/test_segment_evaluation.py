"""Timers, listing rows and the fan-out of definitions, under duplicates, shuffles, outages and crashes."""

from __future__ import annotations

import contextlib
import json
import random
from types import SimpleNamespace
from typing import Any

import pytest

from functions.segment_evaluation import handler
from shared.definitions.api import SegmentRequest
from shared.definitions.service import create, publish, replace, retire
from shared.kernel.errors import ConcurrentUpdate
from shared.kernel.ids import new_id, shard_of
from shared.kernel.instants import DAY, HOUR, MINUTE, SECOND
from shared.member_state.model import segment_key
from shared.segments import fan_out, listing, ticks
from shared.segments.model import schema
from shared.storage import keys
from shared.storage.items import ProfileItem, TenantEntryItem
from shared.transactions.service import record
from tests.builders.house import NOW, PROGRAMME, House, sale
from tests.builders.office import Office
from tests.builders.stream import BusOfTest, ListQueue, Stream
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable, Killed

RECENT: dict[str, Any] = {"name": "R", "rule": {"kind": "purchases", "metric": "count", "days": 2, "op": "ge", "value": 1}}
BIG: dict[str, Any] = {"name": "B", "rule": {"kind": "purchases", "metric": "value", "days": 30, "op": "ge", "value": 2000}}
CACHE = 1.0


class Sqs:
    """The SQS client of the handler: messages by queue."""

    def __init__(self) -> None:
        self.queues: dict[str, ListQueue] = {name: ListQueue() for name in ("segments", "planning")}
        self.reasons: list[str] = []

    def send_message(self, **request: Any) -> None:
        if request["QueueUrl"] == "dead":
            self.reasons.append(request["MessageAttributes"]["reason"]["StringValue"])
        else:
            self.queues[request["QueueUrl"]].send(json.loads(request["MessageBody"]), request.get("DelaySeconds", 0))

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        for entry in request["Entries"]:
            self.queues[request["QueueUrl"]].send(json.loads(entry["MessageBody"]))
        return {}


class Evaluator:
    """The function over one tenant's house; messages as SQS brings them."""

    def __init__(self, house: House, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house, self.stream, self.bus, self.sqs = house, stream, BusOfTest(), Sqs()
        entry = TenantEntryItem.at(keys.tenant_entry(house.tenant), tenant=house.tenant, status="active", due_shards=1)
        house.table.put(entry)
        home = SimpleNamespace(begin=lambda _context: None, client=lambda _name: self.sqs, table=house.table, worker_scope=self._scope)
        urls = SimpleNamespace(queue_url="segments", planning_queue_url="planning", dead_letter_url="dead")
        monkeypatch.setattr(handler, "runtime", lambda: home)
        monkeypatch.setattr(handler, "settings", lambda: urls)

    def _scope(self, tenant: str, *pks: str) -> Any:
        scope = self.house.scope()
        scope.tenant = tenant
        for pk in pks:
            scope.own(pk)
        return scope

    def deliver(self, *bodies: Any, receives: int = 1) -> dict[str, Any]:
        """Hand messages to the function."""
        attributes = {"ApproximateReceiveCount": str(receives)}
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        records = [{"messageId": str(index), "body": text, "attributes": attributes} for index, text in enumerate(texts)]
        return handler.lambda_handler({"Records": records})

    def events(self) -> list[dict[str, Any]]:
        """Everything committed since the last call, as the bus's rule delivers it."""
        wanted = {"segment.entered", "segment.left", "definition.published", "definition.retired"}
        return [{"detail-type": "commit", "detail": each} for each in self.bus.relay(self.stream) if wanted & set(each["types"])]

    def settle(self) -> None:
        """Deliver events and own messages until there is nothing left; delays pass."""
        for _ in range(50):
            messages = [*self.events(), *self.sqs.queues["segments"].sent]
            if not messages:
                return
            self.sqs.queues["segments"].sent = []
            bodies = [each[0] if isinstance(each, tuple) else each for each in messages]
            self.house.now += max((each[1] for each in messages if isinstance(each, tuple)), default=0) * SECOND
            assert self.deliver(*bodies) == {"batchItemFailures": []}
        raise AssertionError("it does not settle")

    def listed(self, segment: str) -> list[str]:
        """Members in the listing of the served version."""
        return [each.member_id for each in listing.members_page(self.house.scope(), segment, 200, None, b"k" * 32).data]


@pytest.fixture
def evaluator(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Evaluator:
    bare_house.create()
    bare_house.publish("programme", "points", PROGRAMME)
    return Evaluator(bare_house, Stream(dynamodb, bare_house.table.name), monkeypatch)


def join(house: House) -> str:
    """A member who is in the list of all members too."""
    member = house.join()
    row = ProfileItem.at(keys.profile(house.tenant, member), version=1, body=b"-")
    row.GSI2PK = keys.members_listing(house.tenant, shard_of(member, fan_out.MEMBER_SHARDS))
    row.GSI2SK = member
    house.table.put(row)
    return member


def define(house: House, id_: str, body: dict[str, Any]) -> None:
    """Create or replace, and publish, as the API does."""
    scope, request = house.scope(), SegmentRequest.model_validate({"id": id_, "definition": body})
    newest = scope.repository.newest("segment", id_)
    if newest is None:
        create(scope, "segment", request)
    else:
        replace(scope, "segment", id_, request, newest.etag)
    publish(scope, "segment", id_, None, CACHE, hooks={})


def inside(house: House, member: str, segment: str, version: int = 1) -> bool:
    return segment_key(segment, version) in house.state(member).segments


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


# -- fan-out --------------------------------------------------------------------------------------------------------


def test_a_new_segment_finds_who_was_there_before_it(evaluator: Evaluator) -> None:
    house = evaluator.house
    members = sorted(join(house) for _ in range(6))
    for member in members[:4]:
        record(house.scope(), sale(member, lines=(("burger", 2500),)))
    house.now += MINUTE
    define(house, "big", BIG)
    (published,) = evaluator.events()
    evaluator.deliver(published)
    ((waiting, delay),) = evaluator.sqs.queues["segments"].sent
    assert (waiting["kind"], delay) == ("fan_out", 4)
    assert not inside(house, members[0], "big")
    evaluator.settle()
    assert evaluator.listed("big") == members[:4]
    answer = listing.count(house.scope(), "big")
    assert (answer.count, answer.state) == (4, "exact")


def test_flips_of_a_definition_say_so(evaluator: Evaluator) -> None:
    house = evaluator.house
    record(house.scope(), sale(join(house), lines=(("burger", 2500),)))
    define(house, "big", BIG)
    (published,) = evaluator.events()
    house.now += MINUTE
    evaluator.deliver(published)
    flips = [event for each in evaluator.bus.relay(evaluator.stream) for event in each["events"] if event["type"] == "segment.entered"]
    assert [event["cause"] for event in flips] == ["definition"]


def test_the_old_version_is_served_until_every_member_is_evaluated_with_the_new_one(evaluator: Evaluator) -> None:
    house = evaluator.house
    low, high = join(house), join(house)
    record(house.scope(), sale(low, lines=(("burger", 2500),)))
    record(house.scope(), sale(high, lines=(("burger", 9000),)))
    define(house, "big", BIG)
    evaluator.settle()
    house.now += MINUTE
    define(house, "big", {**BIG, "rule": {**BIG["rule"], "value": 5000}})
    (published,) = evaluator.events()
    house.now += MINUTE
    house.cache.forget("demo")
    assert evaluator.listed("big") == sorted([low, high])
    assert [each.version for each in house.scope().definitions.at(house.now).live_segments] == [2, 1]
    evaluator.deliver(published)
    evaluator.settle()
    assert [each.version for each in house.scope().definitions.at(house.now).live_segments] == [2]
    assert evaluator.listed("big") == [high]


def test_a_retired_segment_is_left_by_all(evaluator: Evaluator) -> None:
    house = evaluator.house
    member = join(house)
    record(house.scope(), sale(member, lines=(("burger", 2500),)))
    define(house, "big", BIG)
    evaluator.settle()
    assert inside(house, member, "big")
    house.now += MINUTE
    retire(house.scope(), "segment", "big", CACHE)
    evaluator.settle()
    assert not inside(house, member, "big")
    assert house.state(member).segments == {}


def test_the_end_of_a_fan_out_is_told_once_however_often_it_is_delivered(evaluator: Evaluator) -> None:
    house = evaluator.house
    for _ in range(3):
        join(house)
    define(house, "big", BIG)
    (published,) = evaluator.events()
    house.now += MINUTE
    evaluator.deliver(published, published)
    evaluator.deliver(published)
    told = [each for each in evaluator.bus.relay(evaluator.stream) if each["types"] == ["segment.backfilled"]]
    assert len(told) == 1
    assert told[0]["events"][0]["data"] == {"segment": "big", "segment_version": 1, "members": 3}


def test_with_no_time_left_a_fan_out_goes_on_where_it_was(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    house = evaluator.house
    monkeypatch.setattr(fan_out, "PAGE", 2)
    members = sorted(join(house) for _ in range(7))
    for member in members:
        record(house.scope(), sale(member, lines=(("burger", 2500),)))
    define(house, "big", BIG)
    (message,) = evaluator.events()
    house.now += MINUTE
    asked = iter(range(1000))
    house.time_left = lambda: 60_000 if next(asked) % 3 else 1000
    progress: list[int] = []
    for _ in range(30):
        evaluator.deliver(message)
        again = evaluator.sqs.queues["segments"].take()
        if not again:
            break
        (message,) = again
        state = listing.count(house.scope(), "big")
        progress.append(state.evaluated or 0)
        assert state.state == "backfilling"
    assert len(set(progress)) > 1
    assert progress == sorted(progress)
    house.time_left = lambda: 60_000
    evaluator.settle()
    assert evaluator.listed("big") == members


def test_a_member_that_fails_is_tried_again_and_no_swap_happens_before(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    house = evaluator.house
    members = sorted(join(house) for _ in range(3))
    for member in members:
        record(house.scope(), sale(member, lines=(("burger", 2500),)))
    define(house, "big", BIG)
    (published,) = evaluator.events()
    house.now += MINUTE
    honest = fan_out.tick_member

    def stumbling(scope: Any, member: str, now: int) -> bool:
        if member == members[0]:
            raise ConcurrentUpdate
        return honest(scope, member, now)

    monkeypatch.setattr(fan_out, "tick_member", stumbling)
    assert evaluator.deliver(published) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert [inside(house, member, "big") for member in members] == [False, True, True]
    assert listing.count(house.scope(), "big").state == "backfilling"
    assert evaluator.deliver(published, receives=5) == {"batchItemFailures": []}
    assert evaluator.sqs.reasons == ["StillBehind"]
    monkeypatch.setattr(fan_out, "tick_member", honest)
    evaluator.deliver(published)
    evaluator.settle()
    assert evaluator.listed("big") == members


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_between_any_two_steps_a_fan_out_is_finished_by_repeating_it(
    dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch, when: Any
) -> None:
    table = FaultyTable(dynamodb, bare_house.table.name)
    house = House(table, engine.table(dynamodb, bare_house.key_table.name)).create()
    evaluator = Evaluator(house, Stream(dynamodb, table.name), monkeypatch)
    monkeypatch.setattr(fan_out, "PAGE", 2)
    members = sorted(join(house) for _ in range(5))
    for member in members[:3]:
        record(house.scope(), sale(member, lines=(("burger", 2500),)))
    at = 0
    while True:
        at += 1
        name = f"big{at}"
        define(house, name, BIG)
        (published,) = [each for each in evaluator.events() if "definition.published" in each["detail"]["types"]]
        house.now += MINUTE
        house.cache.forget("demo")
        table.arm(at, when, "kill")
        queue = ListQueue()
        with contextlib.suppress(Killed):
            fan_out.begin(house.scope(), published["detail"]["events"][0]["data"], queue)
        reached = table.calls >= at
        table.disarm()
        fan_out.begin(house.scope(), published["detail"]["events"][0]["data"], queue)
        evaluator.deliver(*evaluator.events())
        assert evaluator.listed(name) == members[:3]
        assert listing.count(house.scope(), name).state == "exact"
        if not reached:
            assert at > 10
            return


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
