"""The relay: bounded requests, bounded retries, and nothing lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.member_state.effects import DomainEvent
from shared.relay.service import MAX_ATTEMPTS, MAX_ENTRIES, MAX_REQUEST_BYTES, Entry, Relay
from shared.storage import keys
from tests.unit.relay.test_envelope import image, record


@dataclass
class FakeBus:
    """Takes what ``refuse`` lets through; the first ``down`` requests fail whole."""

    refuse: dict[str, int] = field(default_factory=dict)
    down: int = 0
    requests: list[list[str]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)

    def put(self, details: Sequence[str]) -> list[str | None]:
        self.requests.append(list(details))
        if self.down:
            self.down -= 1
            raise ConnectionError
        answers: list[str | None] = []
        for detail in details:
            body = json.loads(detail)
            left = self.refuse.get(body["aggregate"], 0)
            self.refuse[body["aggregate"]] = left - 1
            answers.append("ThrottlingException" if left > 0 else None)
            if left <= 0:
                self.taken.append(body)
        return answers


@dataclass
class FakeFailures:
    """Keeps what could not be relayed."""

    broken: bool = False
    kept: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def put(self, reason: str, body: Mapping[str, Any]) -> None:
        if self.broken:
            raise ConnectionError
        self.kept.append((reason, body))


@dataclass
class FakeReports:
    """The reports' queue; refuses the first ``refuse`` messages."""

    refuse: int = 0
    taken: list[str] = field(default_factory=list)

    def put(self, entries: Sequence[Entry]) -> list[str | None]:
        refused = min(self.refuse, len(entries))
        self.refuse -= refused
        self.taken += [envelope.id for envelope, _ in entries[refused:]]
        return ["ServiceUnavailable"] * refused + [None] * (len(entries) - refused)


def relay(bus: FakeBus, failures: FakeFailures, reports: FakeReports | None = None) -> tuple[Relay, list[float]]:
    slept: list[float] = []
    return Relay(bus, reports or FakeReports(), failures, slept.append, lambda _low, high: high), slept


def commits(count: int, size: int = 10) -> list[dict[str, Any]]:
    events = [DomainEvent("event.noted", 1, {"text": "x" * size})]
    return [record(image(keys.state("demo", f"m{number}"), events=events)) for number in range(count)]


def test_a_batch_goes_out_in_order_ten_at_a_time() -> None:
    bus, failures = FakeBus(), FakeFailures()
    relay(bus, failures)[0].relay(commits(25))
    assert [len(request) for request in bus.requests] == [10, 10, 5]
    assert [each["aggregate"] for each in bus.taken] == [f"member:m{number}" for number in range(25)]
    assert failures.kept == []


def test_a_request_stays_below_its_size() -> None:
    bus = FakeBus()
    relay(bus, FakeFailures())[0].relay(commits(20, 200_000))
    assert all(sum(len(detail.encode()) for detail in request) <= MAX_REQUEST_BYTES for request in bus.requests)
    assert all(len(request) <= MAX_ENTRIES for request in bus.requests)
    assert len(bus.taken) == 20


def test_only_refused_entries_are_sent_again() -> None:
    bus, failures = FakeBus(refuse={"member:m1": 2}), FakeFailures()
    worker, slept = relay(bus, failures)
    worker.relay(commits(3))
    assert [len(request) for request in bus.requests] == [3, 1, 1]
    assert (worker.sent, worker.kept_back) == (3, 0)
    assert slept == sorted(slept)
    assert len(slept) == 2


def test_what_the_bus_never_takes_is_kept_with_its_reason() -> None:
    bus, failures = FakeBus(refuse={"member:m1": 99}), FakeFailures()
    relay(bus, failures)[0].relay(commits(3))
    ((reason, body),) = failures.kept
    assert "ThrottlingException" in reason
    assert body["aggregate"] == "member:m1"
    assert len(bus.requests) == MAX_ATTEMPTS
    assert {each["aggregate"] for each in bus.taken} == {"member:m0", "member:m2"}


def test_a_bus_that_is_away_for_a_moment_loses_nothing() -> None:
    bus, failures = FakeBus(down=2), FakeFailures()
    relay(bus, failures)[0].relay(commits(3))
    assert len(bus.taken) == 3
    assert failures.kept == []


def test_a_bus_that_stays_away_leaves_everything_in_the_failure_queue() -> None:
    failures = FakeFailures()
    relay(FakeBus(down=99), failures)[0].relay(commits(12))
    assert len(failures.kept) == 12
    assert {reason for reason, _ in failures.kept} == {"the bus did not take it: ConnectionError"}


def test_it_raises_only_if_the_failure_queue_is_away_too() -> None:
    with pytest.raises(ConnectionError):
        relay(FakeBus(down=99), FakeFailures(broken=True))[0].relay(commits(1))


def test_a_poison_record_is_put_aside_and_the_others_go_on() -> None:
    bus, failures = FakeBus(), FakeFailures()
    first, second, third = commits(3)
    second["dynamodb"]["NewImage"]["out"] = {"S": "{"}
    second["eventID"] = "e2"
    relay(bus, failures)[0].relay([first, second, third])
    assert [each["aggregate"] for each in bus.taken] == ["member:m0", "member:m2"]
    ((reason, body),) = failures.kept
    assert reason.startswith("not a commit of ours")
    assert body["event_id"] == "e2"
    assert "NewImage" not in str(body)


def test_the_same_batch_twice_tells_the_same_ids() -> None:
    bus = FakeBus()
    worker, _ = relay(bus, FakeFailures())
    worker.relay(commits(4))
    worker.relay(commits(4))
    ids = [event["id"] for each in bus.taken for event in each["events"]]
    assert ids[:4] == ids[4:]


def transitions(count: int) -> list[dict[str, Any]]:
    counted = [DomainEvent("delivery.counted", 1, {"campaign": "c", "counts": {"sent": 1}})]
    return [record(image(keys.delivery("demo", f"m{number}", "c", "s", "o", "push"), events=counted)) for number in range(count)]


def test_what_became_of_deliveries_goes_to_the_reports_alone() -> None:
    bus, reports = FakeBus(), FakeReports()
    relay(bus, FakeFailures(), reports)[0].relay([*transitions(12), *commits(2)])
    assert [each["aggregate"] for each in bus.taken] == ["member:m0", "member:m1"]
    assert reports.taken == [f"delivery:m{number}:c#s#o#push:1" for number in range(12)]


def test_a_transition_that_is_refused_is_sent_again_and_then_kept() -> None:
    reports, failures = FakeReports(refuse=2), FakeFailures()
    relay(FakeBus(), failures, reports)[0].relay(transitions(3))
    assert sorted(reports.taken) == [f"delivery:m{number}:c#s#o#push:1" for number in range(3)]
    assert failures.kept == []
    always = FakeReports(refuse=1000)
    relay(FakeBus(), failures, always)[0].relay(transitions(3))
    assert [reason for reason, _ in failures.kept] == ["the reports' queue did not take it: ServiceUnavailable"] * 3
