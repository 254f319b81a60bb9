"""Members in bulk: each record by itself, repeatable, and no personal data in the message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.jobs import service as jobs
from tests.builders.front import Front, identity, settings_with_everything
from tests.builders.house import NOW, House
from tests.fakes.faulty import FaultyTable


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    bare_house.create(settings_with_everything())
    return Front(bare_house, monkeypatch)


def person(number: int, **more: Any) -> dict[str, Any]:
    identifiers = [{"kind": "external", "value": f"c{number}"}, {"kind": "email", "value": f"p{number}@example.com"}]
    profile = {"first_name": f"Kelly{number}", "birth_date": "1950-05-29", "email": f"p{number}@example.com"}
    return {"identifiers": identifiers, "profile": profile, "source": "import", "joined_at": "2017-01-04T00:00:00Z", **more}


def imported(front: Front, *members: dict[str, Any]) -> Any:
    said = front.call("import_members", {"members": list(members)})
    assert said.status == 202, said.body
    assert front.work() == {"batchItemFailures": []}
    return jobs.read(front.house.scope(), said.body["job_id"])


def test_each_record_becomes_a_member_who_joined_then(front: Front) -> None:
    job = imported(front, person(1), person(2))
    assert (job.status, job.records, job.accepted, job.replayed, job.refused_count) == ("done", 2, 2, 0, 0)
    found = front.call("identify_member", {"kind": "email", "value": "P1@example.com"}).body
    assert found["name"] == "Kelly1"
    member = front.call("get_member", member_id=found["member_id"]).body
    assert (member["joined_at"], member["identifiers"]) == ("2017-01-04T00:00:00Z", ["email", "external"])
    envelopes = [json.loads(row["out"]["S"]) for row in front.rows("STATE")]
    assert [each["m"] for each in envelopes] == ["historical", "historical"]


def test_a_job_again_changes_nothing(front: Front) -> None:
    imported(front, person(1), person(2))
    before = front.rows("STATE")
    job = imported(front, person(1), person(2), person(3))
    assert (job.accepted, job.replayed, job.refused_count) == (1, 2, 0)
    assert [row for row in front.rows("STATE") if row in before] == before


def test_a_message_delivered_twice_makes_nobody_twice(front: Front) -> None:
    said = front.call("import_members", {"members": [person(1), person(2)]})
    (message,) = front.aws.messages
    front.work()
    front.aws.messages.append(message)
    front.work()
    job = jobs.read(front.house.scope(), said.body["job_id"])
    assert (job.accepted, job.replayed) == (0, 2)
    assert len(front.rows("PROFILE")) == 2


def test_the_message_is_only_a_pointer(front: Front) -> None:
    front.call("import_members", {"members": [person(1)]})
    (message,) = front.aws.messages
    assert set(json.loads(message["MessageBody"])) == {"tenant", "job", "part"}
    assert list(front.aws.objects) == [f"bulk/demo/{json.loads(message['MessageBody'])['job']}.json"]


def test_wrong_records_are_refused_with_their_places_and_the_others_go_on(front: Front) -> None:
    holder = front.register(identifiers=[{"kind": "email", "value": "p7@example.com", "proof": "otp"}])
    records = [
        person(1),
        person(2, nickname="x"),
        {**person(3), "identifiers": [{"kind": "email", "value": "nowhere"}]},
        person(4, identity=identity("a", NOW)),
        {**person(5), "identifiers": []},
        {**person(6), "identifiers": [{"kind": "email", "value": "p1@example.com"}]},
        person(7),
        person(8, joined_at="2030-01-01T00:00:00Z"),
        person(9, time_zone="Asia/Tokyo"),
        person(10, time_zone="Asia/Atlantis"),
    ]
    job = imported(front, *records)
    assert (job.accepted, job.replayed, job.refused_count) == (2, 0, 8)
    assert [(each.index, each.code) for each in job.refused] == [
        (1, "invalid_request"),
        (2, "invalid_identifier"),
        (3, "invalid_request"),
        (4, "invalid_request"),
        (5, "identifier_taken"),
        (6, "identifier_taken"),
        (7, "invalid_request"),
        (9, "invalid_time_zone"),
    ]
    pointers = [each.errors[0]["pointer"] for each in job.refused]
    assert pointers == [
        "/nickname", "/identifiers/0/value", "/identity", "/identifiers", "/identifiers/0", "/identifiers/1", "/joined_at", "/time_zone",
    ]  # fmt: skip
    nine = front.call("identify_member", {"kind": "email", "value": "p9@example.com"}).body["member_id"]
    assert front.call("get_member", member_id=nine).body["time_zone"] == "Asia/Tokyo"
    assert holder not in job.model_dump_json()
    assert "nowhere" not in job.model_dump_json()


@pytest.mark.parametrize("body", ["{", {"members": []}, {"members": [1]}, {"members": [{}] * 501}, {"people": []}])
def test_a_body_that_is_no_import_is_refused_at_once(front: Front, body: Any) -> None:
    assert front.call("import_members", body).status in (400, 422)
    assert front.aws.messages == []
    assert front.rows("JOB") == []


@pytest.mark.parametrize(
    "message", [{"tenant": "demo"}, {"tenant": "De#mo", "job": "job_1", "part": 0}, {"tenant": "demo", "job": "../x", "part": 0}, [1]]
)
def test_a_message_that_is_not_ours_ends_with_its_reason(front: Front, message: Any) -> None:
    front.aws.messages.append({"MessageBody": json.dumps(message)})
    assert front.work() == {"batchItemFailures": []}
    (dead,) = front.aws.messages
    assert dead["QueueUrl"] == "dead"
    assert dead["MessageAttributes"]["reason"]["StringValue"].startswith(("Poison: ", "NotAPointer: "))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_job_killed_anywhere_and_delivered_again_is_whole(
    dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch, when: Any
) -> None:
    table = FaultyTable(dynamodb, bare_house.table.name)
    front = Front(House(table, bare_house.key_table).create(settings_with_everything()), monkeypatch)
    for at in range(1, 6):
        said = front.call("import_members", {"members": [person(10 * at), person(10 * at + 1)]})
        (message,) = front.aws.messages
        table.arm(at, when, "kill")
        front.work()
        table.disarm()
        front.aws.messages = [message]
        assert front.work() == {"batchItemFailures": []}
        job = jobs.read(front.house.scope(), said.body["job_id"])
        assert (job.status, job.accepted + job.replayed, job.refused_count) == ("done", 2, 0)
        assert len(front.rows("PROFILE")) == 2 * at
