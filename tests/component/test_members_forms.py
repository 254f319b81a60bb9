"""Forms: exactly the fields asked for, once, with the coupon in the same write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.kernel.instants import DAY
from shared.members.form_links import open_invitation, seal_invitation
from shared.privacy.crypto import derive
from tests.builders.front import Front, settings_with_everything
from tests.builders.house import FRIES, PROGRAMME, House
from tests.fakes.faulty import FaultyTable

BIRTH = {"values": {"birth_date": "1990-04-21"}}


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    return opened(bare_house, monkeypatch)


def opened(house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    house.create(settings_with_everything())
    house.publish("programme", "points", PROGRAMME)
    house.publish("offer", "fries", FRIES)
    return Front(house, monkeypatch)


def test_a_form_shows_its_fields_and_nothing_about_her(front: Front) -> None:
    member = front.register(profile={"first_name": "Anna", "gender": "female"})
    said = front.call("get_form", token=front.invite(member, "birth_date", "gender", "city", offer="fries"))
    assert said.status == 200
    assert said.body == {
        "campaign": "birthdays",
        "step": "ask",
        "fields": [
            {"name": "birth_date", "type": "date", "required": True},
            {"name": "gender", "type": "choice", "required": True, "choices": ["female", "male", "other"]},
            {"name": "city", "type": "text", "required": True},
        ],
    }
    assert member not in json.dumps(said.body)


def test_a_submitted_form_fills_the_profile_tells_of_it_and_gives_the_coupon(front: Front) -> None:
    member = front.register(profile={"first_name": "Anna", "language": "en"})
    said = front.call("submit_form", BIRTH, token=front.invite(member, "birth_date", offer="fries"))
    assert said.status == 200
    coupon = said.body["coupon"]
    assert said.body["submitted"] is True
    assert (coupon["offer"], coupon["title"], coupon["expires_at"]) == ("fries", "Fries for 1 euro", "2026-12-21T23:00:00Z")
    assert front.call("get_member", member_id=member).body["profile"]["birth_date"] == "1990-04-21"
    state = front.house.state(member)
    assert list(state.coupons) == [coupon["id"]]
    assert "birth_date" in state.known
    (row,) = [each for each in front.rows("STATE") if member in each["PK"]["S"]]
    told = [(each[0], each[2]) for each in json.loads(row["out"]["S"])["e"]]
    assert [type_ for type_, _ in told] == ["member.updated", "form.submitted", "coupon.issued"]
    assert told[1][1] == {"campaign": "birthdays", "step": "ask"}
    (held,) = front.call("list_member_coupons_of_me", me=member).body["data"]
    assert (held["coupon_id"], held["state"], len(held["code"])) == (coupon["id"], "active", 10)


def test_a_form_is_taken_once_whatever_is_sent_again(front: Front) -> None:
    member = front.register()
    token = front.invite(member, "birth_date", offer="fries")
    first = front.call("submit_form", BIRTH, token=token)
    front.house.now += DAY
    again = front.call("submit_form", {"values": {"birth_date": "2000-01-01"}}, token=token)
    assert (again.status, again.body) == (200, first.body)
    assert front.call("get_member", member_id=member).body["profile"]["birth_date"] == "1990-04-21"
    assert len(front.rows("CPN")) == 1


def test_two_submissions_at_once_are_one(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    member = front.register()
    token = front.invite(member, "birth_date", offer="fries")
    transact, first = front.house.table.transact, []

    def racing(batch: Any, key: str) -> None:
        if not first:
            first.append(None)
            first[0] = front.call("submit_form", BIRTH, token=token).body
        transact(batch, key)

    monkeypatch.setattr(front.house.table, "transact", racing)
    assert front.call("submit_form", BIRTH, token=token).body == first[0]
    assert len(front.rows("CPN")) == 1


def test_an_offer_that_she_cannot_have_does_not_keep_the_form(front: Front) -> None:
    member = front.register()
    assert "coupon" in front.call("submit_form", BIRTH, token=front.invite(member, "birth_date", offer="fries")).body
    for offer in ("fries", "gone"):
        token = front.invite(member, "city", offer=offer, campaign=f"cities-{offer}")
        said = front.call("submit_form", {"values": {"city": "Graz"}}, token=token)
        assert (said.status, said.body) == (200, {"submitted": True})
    assert front.call("get_member", member_id=member).body["profile"]["city"] == "Graz"


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({}, None),
        ({"birth_date": "1990-04-21"}, [("/values/phone", "required")]),
        ({"birth_date": None, "phone": "+4915112345678"}, [("/values/birth_date", "required")]),
        ({"birth_date": "1990-04-21", "phone": "+4915112345678", "city": "Graz"}, [("/values/city", "unknown_field")]),
        ({"birth_date": 1990, "phone": "+4915112345678"}, [("/values/birth_date", "invalid_value")]),
        ({"birth_date": "2099-01-01", "phone": "+4915112345678"}, [("/values/birth_date", "invalid_value")]),
        ({"birth_date": "1990-04-21", "phone": "110"}, [("/values/phone", "invalid_identifier")]),
        ({"birth_date": "1990-04-21", "phone": {"a": 1}}, [("/values/phone", "invalid_value")]),
    ],
)
def test_a_form_that_does_not_fit_can_be_sent_again(front: Front, values: Any, errors: Any) -> None:
    member = front.register()
    token = front.invite(member, "birth_date", "phone", offer="fries")
    said = front.call("submit_form", {"values": values}, token=token)
    assert said.status == 422
    if errors is not None:
        assert [(each["pointer"], each["code"]) for each in said.body["errors"]] == errors
    assert front.house.state(member).version == 1
    good = {"values": {"birth_date": "1990-04-21", "phone": "+4915112345678"}}
    assert front.call("submit_form", good, token=token).status == 200


def test_links_that_are_not_ours_or_over_lead_nowhere(front: Front) -> None:
    member = front.register()
    token = front.invite(member, "birth_date", days=1)
    invitation = open_invitation(derive(b"a master secret of the tests", "form-links"), token, front.house.now)
    forged = seal_invitation(derive(b"the master secret of another", "form-links"), invitation)
    for text in (forged, token[:-1], "x", "ä" * 50, front.invite(member, "secret_field")):
        for operation, body in (("get_form", None), ("submit_form", BIRTH)):
            said = front.call(operation, body, token=text)
            assert (said.status, said.body["code"]) == (404, "unknown_link")
    front.house.now += DAY
    for operation, body in (("get_form", None), ("submit_form", BIRTH)):
        said = front.call(operation, body, token=token)
        assert (said.status, said.body["code"]) == (410, "expired_link")
    assert front.house.state(member).version == 1


@pytest.mark.parametrize("body", ["", "{", {"values": 1}, {"values": {}, "x": 1}])
def test_a_body_that_is_no_submission_is_refused(front: Front, body: Any) -> None:
    token = front.invite(front.register(), "birth_date")
    assert front.call("submit_form", body, token=token).status in (400, 422)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_submission_killed_anywhere_and_repeated_gives_one_coupon(
    dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch, when: Any
) -> None:
    table = FaultyTable(dynamodb, bare_house.table.name)
    front = opened(House(table, bare_house.key_table), monkeypatch)
    for at in range(1, 6):
        member = front.register()
        token = front.invite(member, "birth_date", offer="fries")
        table.arm(at, when, "kill")
        front.call("submit_form", BIRTH, token=token)
        table.disarm()
        said = front.call("submit_form", BIRTH, token=token)
        assert said.status == 200
        assert list(front.house.state(member).coupons) == [said.body["coupon"]["id"]]
        assert len(front.rows("CPN")) == at
