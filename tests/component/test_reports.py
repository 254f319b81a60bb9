"""Counting what became of deliveries: sent again, cut short or told twice, each transition is in the numbers once."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from functions.campaign_reports import handler
from shared.relay.envelope import Envelope, dump
from shared.reports.cells import Place
from shared.reports.repository import ReportRepository
from shared.storage import keys
from tests.builders.house import House
from tests.builders.stream import FifoOfTest
from tests.fakes.faulty import FaultyTable

PLACE = Place("gift", "a", "push", "de")


class Counting:
    """The function over one tenant's house."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house, self.fifo, self.dead = house, FifoOfTest(), []
        self._told = 0
        sqs = SimpleNamespace(send_message=lambda **request: self.dead.append(request))
        home = SimpleNamespace(begin=lambda _context: None, client=lambda _name: sqs, worker_scope=self._scope)
        monkeypatch.setattr(handler, "runtime", lambda: home)
        monkeypatch.setattr(handler, "settings", lambda: SimpleNamespace(dead_letter_url="dead"))

    def _scope(self, tenant: str, *pks: str) -> Any:
        scope = self.house.scope()
        scope.tenant = tenant
        for pk in pks:
            scope.own(pk)
        return scope

    def tell(self, member: str, counts: dict[str, int], campaign: str = "summer", place: Place = PLACE) -> None:
        """A transition of a delivery, as the relay puts it into the queue."""
        self._told += 1
        aggregate = f"delivery:{member}:{campaign}#gift#o{self._told}#push"
        event = {"id": f"{aggregate}:1:0", "type": "delivery.counted", "occurred_at": 1, "data": {}}
        event["data"] = {"campaign": campaign, **place._asdict(), "counts": counts}
        envelope = Envelope(f"{aggregate}:1", "demo", keys.member("demo", member), aggregate, member, 1, 1, "", "live", (event,))
        self.fifo.put([(envelope, dump(envelope.detail()))])

    def deliver(self, records: Sequence[dict[str, Any]]) -> list[str]:
        """Hand messages to the function; answers the numbers of those that come again."""
        return [each["itemIdentifier"] for each in handler.lambda_handler({"Records": list(records)})["batchItemFailures"]]

    def numbers(self, campaign: str = "summer") -> dict[Place, dict[str, int]]:
        return ReportRepository("demo", self.house.table).cells(campaign)


@pytest.fixture
def counting(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Counting:
    bare_house.create()
    return Counting(bare_house, monkeypatch)


def members(count: int) -> list[str]:
    return [f"mbr_{number:026d}" for number in range(count)]


def test_transitions_add_up_over_shards_and_campaigns(counting: Counting) -> None:
    for member in members(40):
        counting.tell(member, {"planned": 1, "claimed": 1})
        counting.tell(member, {"sent": 1}, place=PLACE._replace(channel="sms"))
    counting.tell(members(1)[0], {"planned": 1}, "winter")
    records = counting.fifo.take()
    for start in range(0, len(records), 10):
        assert counting.deliver(records[start : start + 10]) == []
    assert counting.numbers() == {PLACE: {"planned": 40, "claimed": 40}, PLACE._replace(channel="sms"): {"sent": 40}}
    assert counting.numbers("winter") == {PLACE: {"planned": 1}}


def test_a_batch_that_is_delivered_again_adds_nothing(counting: Counting) -> None:
    for member in members(10):
        counting.tell(member, {"sent": 1})
    records = counting.fifo.take()
    for again in (records, records[:3], records):
        assert counting.deliver(again) == []
    assert counting.numbers() == {PLACE: {"sent": 10}}


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_everything_is_counted_once(counting: Counting, dynamodb: str, when: Any) -> None:
    calm, expected = counting.house.table, 0
    faulty = FaultyTable(dynamodb, calm.name)
    for step in range(1, 9):
        for member in random.Random(step).sample(members(30), 6):
            counting.tell(member, {"sent": 1}, random.Random(member).choice(["summer", "winter"]))
            expected += 1
        left = counting.fifo.take()
        faulty.arm(step, when, "kill")
        counting.house.table = faulty
        again = set(counting.deliver(left))
        assert step > 2 or again, "something was cut short"
        faulty.disarm()
        counting.house.table = calm
        assert counting.deliver([record for record in left if record["messageId"] in again]) == []
        sums = [counting.numbers(campaign).get(PLACE, {}).get("sent", 0) for campaign in ("summer", "winter")]
        assert sum(sums) == expected


def test_two_who_count_the_same_shard_at_once_both_count(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    one = members(1)[0]
    counting.tell(one, {"sent": 1})
    counting.tell(one, {"opened": 1})
    first, second = counting.fifo.take()
    store, races = ReportRepository.store, [second]

    def raced(self: ReportRepository, *arguments: Any) -> bool:
        if races:
            races.pop()
            assert counting.deliver([first, second]) == []
        return store(self, *arguments)

    monkeypatch.setattr(ReportRepository, "store", raced)
    assert counting.deliver([first]) == []
    assert counting.numbers() == {PLACE: {"sent": 1, "opened": 1}}


def test_what_is_no_transition_is_put_aside_with_its_reason(counting: Counting) -> None:
    counting.tell(members(1)[0], {"sent": 1})
    (good,) = counting.fifo.take()
    body = json.loads(good["body"])
    foreign = body | {"key": "T#other#M#mbr_1"}
    textual = json.loads(good["body"])
    textual["events"][0]["data"]["counts"] = {"sent": "many"}
    bad = [{**good, "messageId": name, "body": json.dumps(each)} for name, each in (("f", foreign), ("t", textual), ("n", [1]))]
    assert counting.deliver([*bad, good]) == []
    assert len(counting.dead) == 3
    assert all(each["MessageGroupId"] == "demo" for each in counting.dead), "the dead-letter queue is first in, first out too"
    assert all(each["MessageAttributes"]["reason"]["StringValue"].startswith("Poison") for each in counting.dead)
    assert counting.numbers() == {PLACE: {"sent": 1}}
