"""Sales in bulk through the gateway and the queue: a job with its counts, each refused record named, and messages that fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.storage import keys
from shared.transactions import answer_models
from tests.builders.gateway import LINE, NOBODY, Till, recorded, sold
from tests.builders.house import House
from tests.builders.invariants import check_member
from tests.component.test_races import issue


def started(till: Till, *records: Any, **more: Any) -> str:
    """Hand a job in; answers its id."""
    said = till.call("import_transactions", {"transactions": list(records), **more})
    assert said.status == 202
    answer = answer_models.JobAnswer.model_validate_json(said.text)
    assert (answer.status, answer.records) == ("queued", len(records))
    return answer.job_id


def job_of(till: Till, job: str) -> answer_models.JobAnswer:
    said = till.call("get_job", job_id=job)
    assert said.status == 200
    return answer_models.JobAnswer.model_validate_json(said.text)


def test_a_bulk_job_records_what_is_good_and_names_what_is_not(till: Till) -> None:
    member = till.house.join()
    again, used = sold(member), issue(till.house, member)
    recorded(till, again)
    records = [
        sold(member),
        sold() | {"lines": [LINE | {"unit_price": 9.0}]},
        again,
        again | {"lines": [LINE]} | {"points_to_spend": 1},
        sold(NOBODY),
        sold() | {"currency": "USD"},
        sold() | {"receipt_number": "é" * 64},
        sold(member, ("fries", 350), coupons=[{"id": used}, {"id": "cpn_none"}]),
        sold(member),
    ]
    job = started(till, *records)
    assert job_of(till, job).status == "queued"
    assert till.work() == []
    answer = job_of(till, job)
    assert (answer.status, answer.accepted, answer.replayed, answer.warned, answer.refused_count) == ("done", 3, 1, 1, 5)
    assert answer.accepted + answer.replayed + answer.refused_count == answer.records
    assert [(each.index, each.code) for each in answer.refused] == [
        (1, "invalid_request"),
        (3, "request_reused"),
        (5, "currency_mismatch"),
        (6, "invalid_request"),
        (7, "not_redeemable"),
    ]
    assert answer.refused[0].errors[0]["pointer"] == "/lines/0/unit_price"
    assert till.house.state(member).profile.count == 3
    check_member(till.house, member)


def test_a_message_is_a_pointer_and_its_body_an_object(till: Till) -> None:
    job = started(till, sold())
    (message,) = till.waiting()
    assert json.loads(message["Body"]) == {"tenant": "demo", "job": job, "part": 0}
    assert f"bulk/demo/{job}.json" in till.stored()[2]


def test_a_message_delivered_again_records_nothing_twice(till: Till) -> None:
    member = till.house.join()
    job = started(till, sold(member), sold(member), mode="historical")
    (message,) = till.waiting()
    assert till.deliver(message["Body"], message["Body"]) == []
    answer = job_of(till, job)
    assert (answer.status, answer.accepted, answer.replayed) == ("done", 0, 2)
    assert till.house.state(member).profile.count == 2
    raw = till.house.table.get(keys.state("demo", member))
    assert raw is not None
    assert json.loads(raw["out"]["S"])["m"] == "historical"


@pytest.mark.parametrize(
    "message",
    [
        "not json",
        "[1]",
        {},
        {"tenant": "demo", "job": "job_1"},
        {"tenant": "De#mo", "job": "job_01ARZ3NDEKTSV4RRFFQ69G5FAV", "part": 0},
        {"tenant": "demo", "job": "../other/job_01ARZ3NDEKTSV4RRFFQ69G5FAV", "part": 0},
    ],
)
def test_poison_goes_to_the_dead_letters_at_once_with_its_reason(till: Till, message: Any) -> None:
    before = till.stored()
    good = started(till, sold())
    (pointer,) = till.waiting()
    assert till.deliver(message, pointer["Body"]) == []
    (dead,) = till.waiting(till.dead)
    assert dead["Body"] == (message if isinstance(message, str) else json.dumps(message))
    assert dead["MessageAttributes"]["reason"]["StringValue"].startswith(("Poison: ", "NotAPointer: "))
    assert job_of(till, good).status == "done", "the one beside it was worked on"
    assert till.stored() != before


def test_only_the_message_that_fails_comes_again_and_the_last_time_says_why(till: Till) -> None:
    job = started(till, sold())
    (pointer,) = till.waiting()
    lost = {"tenant": "demo", "job": "job_01ARZ3NDEKTSV4RRFFQ69G5FAV", "part": 0}
    assert till.deliver(lost, pointer["Body"]) == ["0"], "its object cannot be read now, perhaps later"
    assert job_of(till, job).status == "done"
    assert till.waiting(till.dead) == []
    assert till.deliver(lost, receives=5) == []
    (dead,) = till.waiting(till.dead)
    assert (json.loads(dead["Body"]), dead["MessageAttributes"]["reason"]["StringValue"]) == (lost, "NoSuchKey")


def test_a_pointer_to_another_tenants_job_leads_nowhere(till: Till, other: House) -> None:
    job = started(till, sold())
    till.waiting()
    before = till.stored()
    assert till.deliver({"tenant": "other", "job": job, "part": 0}) == ["0"]
    assert till.stored() == before


def test_a_bulk_job_of_a_key_of_one_location_takes_that_location_only(till: Till) -> None:
    job = till.call("import_transactions", {"transactions": [sold(), sold() | {"location_id": "ost"}]}, location="mitte").body["job_id"]
    assert till.work() == []
    answer = answer_models.JobAnswer.model_validate_json(till.call("get_job", job_id=job).text)
    assert (answer.accepted, [(each.index, each.code) for each in answer.refused]) == (1, [(1, "other_location")])
