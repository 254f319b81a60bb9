"""Exports whose time is short, whose worker dies, or whose upload is lost."""

from __future__ import annotations

from typing import Any

import pytest

from shared.audiences import model, writing
from shared.audiences.repository import ExportRepository
from shared.kernel.instants import DAY, SECOND
from tests.builders.audiences import EVERYBODY, FULL, Desk
from tests.fakes.faulty import FaultyTable, Killed


@pytest.fixture
def slow(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Chunks of three members, parts of a few, and after every second chunk the time is over."""
    monkeypatch.setattr(writing, "TOGETHER", 3)
    monkeypatch.setattr(model, "PART_BYTES", 150)
    looks = iter(range(10**9))
    desk.house.time_left = lambda: 60_000 if next(looks) % 2 else 1_000
    return desk


def test_an_export_goes_on_in_another_message_when_time_is_short(slow: Desk) -> None:
    states = slow.crowd(20)
    done, text = slow.exported({"rule": EVERYBODY, "columns": ["member_id"]})
    assert text.split() == ["member_id", *(state.member for state in states)]
    assert done["rows"] == 20
    assert set(slow.s3.objects) == {f"exports/demo/{done['export_id']}.csv"}
    assert slow.s3.uploads == {}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("what", "requests"), [("table", 15), ("keys", 5), ("objects", 7), ("queue", 3)])
def test_a_worker_killed_at_any_request_loses_and_doubles_nobody(slow: Desk, what: str, requests: int, when: Any) -> None:
    table, key_table = (FaultyTable(slow.address, each.name) for each in (slow.house.table, slow.house.key_table))
    slow.house.table, slow.house.key_table = table, key_table
    states = slow.crowd(13)
    for number, state in enumerate(states):
        slow.give_profile(state.member, {"first_name": f"N{number}"})
    expected = "".join(f"{line}\r\n" for line in ("member_id,first_name", *(f"{each.member},N{n}" for n, each in enumerate(states))))
    arm: dict[str, Any] = {
        "table": lambda at: table.arm(at, when, "kill"),
        "keys": lambda at: key_table.arm(at, when, "kill"),
        "objects": lambda at: slow.s3.arm(at, when),
        "queue": lambda at: slow.sqs.arm(at, when),
    }
    killed = 0
    for at in range(1, 200):
        body = {"rule": EVERYBODY, "columns": ["member_id", "first_name"]}
        export = slow.call("export_members", body, scopes=FULL).body["export_id"]
        message = slow.sqs.of["own"].take()
        arm[what](at)
        again = slow.deliver(*message)
        while not again and slow.sqs.of["own"].sent:
            message = slow.sqs.of["own"].take()
            again = slow.deliver(*message)
        for each in (table, key_table, slow.s3):
            each.disarm()
        slow.sqs.fail_in = None
        slow.house.now += model.LEASE
        assert slow.deliver(*message) == []
        slow.settle()
        done = slow.call("get_export", scopes=FULL, export_id=export).body
        assert slow.s3.objects[f"exports/demo/{export}.csv"].decode() == expected
        assert (done["status"], done["rows"]) == ("done", 13)
        if not again:
            break
        killed += 1
    assert killed >= requests


def test_a_file_that_is_put_together_does_not_change_any_more(slow: Desk) -> None:
    states, complete = slow.crowd(20), slow.s3.complete_multipart_upload

    def completes_and_dies(**request: Any) -> None:
        slow.s3.complete_multipart_upload = complete  # type: ignore[method-assign]
        complete(**request)
        raise Killed

    slow.house.time_left = lambda: 60_000
    slow.s3.complete_multipart_upload = completes_and_dies  # type: ignore[method-assign]
    export = slow.call("export_members", {"rule": EVERYBODY, "columns": ["member_id"]}).body["export_id"]
    (message,) = slow.sqs.of["own"].take()
    assert slow.deliver(message) == ["0"]
    # Somebody who joins now would come last.
    slow.house.now += 401 * DAY
    slow.crowd(1, seed=2)
    assert slow.deliver(message) == []
    done = slow.call("get_export", export_id=export).body
    assert (done["status"], done["rows"], slow.s3.made) == ("done", 20, 1)
    assert slow.s3.objects[f"exports/demo/{export}.csv"].decode().split()[1:] == [state.member for state in states]


def test_two_workers_never_write_one_export_at_once(slow: Desk) -> None:
    states = slow.crowd(10)
    slow.house.time_left = lambda: 60_000
    export = slow.call("export_members", {"rule": EVERYBODY, "columns": ["member_id"]}).body["export_id"]
    message = slow.sqs.of["own"].take()
    found = ExportRepository(slow.scope()).get(export)
    found.lease_until = slow.house.now + 1
    assert ExportRepository(slow.scope()).save(found)
    assert slow.deliver(*message) == []
    assert slow.s3.objects == {}
    assert slow.sqs.of["own"].sent == [(message[0], model.LEASE // SECOND)]
    slow.settle()
    assert slow.s3.objects[f"exports/demo/{export}.csv"].decode().split()[1:] == [state.member for state in states]


@pytest.mark.parametrize("lost", ["upload", "rest"])
def test_an_upload_that_is_gone_is_written_again_but_not_for_ever(slow: Desk, lost: str) -> None:
    states = slow.crowd(16)
    export = slow.call("export_members", {"rule": EVERYBODY, "columns": ["member_id"]}).body["export_id"]

    def lose() -> None:
        if lost == "upload":
            slow.s3.uploads.clear()
        for name in [name for name in slow.s3.objects if ".rest-" in name]:
            if lost == "rest":
                del slow.s3.objects[name]

    for _ in range(3):
        slow.deliver(*slow.sqs.of["own"].take())
    lose()
    slow.settle()
    assert slow.s3.objects[f"exports/demo/{export}.csv"].decode().split()[1:] == [state.member for state in states]
    doomed = slow.call("export_members", {"rule": EVERYBODY, "columns": ["member_id"]}).body["export_id"]
    for _ in range(40):
        slow.deliver(*slow.sqs.of["own"].take())
        lose()
    said = slow.call("get_export", export_id=doomed).body
    assert (said["status"], said["reason"]) == ("failed", "upload_lost")
