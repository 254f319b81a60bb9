"""Asking a member to confirm: in her app, by a code that she tells, by the code that her app shows. Through the functions."""

from __future__ import annotations

import re
from typing import Any

import pytest

from functions.sign_in import handler as sign_in
from shared.counter.identification import opened
from shared.kernel.instants import MINUTE
from shared.tenants.counter import CounterSettings
from shared.tenants.messaging import MessagingSettings, SmsSettings
from tests.builders.front import Front, Said, settings_with_everything
from tests.builders.house import PROGRAMME, House

TILL = frozenset({"members:identify", "transactions:write"})
PHONE = "+4915112345678"


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    """A tenant with limits, and a sender of SMS."""
    sms = MessagingSettings(sms=SmsSettings(origination="FRIES"))
    counter = CounterSettings(confirm_points=10)
    bare_house.create(settings_with_everything().model_copy(update={"messaging": sms, "counter": counter}))
    bare_house.publish("programme", "points", PROGRAMME)
    found = Front(bare_house, monkeypatch)
    found.senders["push"] = type(found.senders["sms"])()
    sign_in.confirming.cache_clear()
    return found


def guest(front: Front) -> str:
    """With a proven phone number and a telephone."""
    member = front.register(identifiers=[{"kind": "phone", "value": PHONE, "proof": "otp"}], profile={"phone": PHONE})
    front.call("add_device", {"platform": "apns", "token": "a-token-of-apple"}, member_id=member)
    return member


def ask(front: Front, member: str, way: str, **more: Any) -> Said:
    body = {"member": {"id": member}, "location_id": "mitte", "points": 50, "way": way} | more
    return front.call("ask_confirmation", body, scopes=TILL)


def state_of(front: Front, id_: str) -> str:
    return front.call("get_confirmation", scopes=TILL, confirmation_id=id_).body["state"]


def card_of(front: Front, member: str) -> str:
    return front.call("get_card_of_me", me=member).body["content"]


@pytest.mark.parametrize(("approve", "becomes"), [(True, "confirmed"), (False, "refused")])
def test_she_answers_in_her_app(front: Front, approve: bool, becomes: str) -> None:
    member = guest(front)
    asked = ask(front, member, "app")
    assert (asked.status, asked.body["state"], asked.body["points"]) == (201, "asked", 50)
    id_ = asked.body["confirmation_id"]
    (listed,) = front.call("list_confirmations_of_me", me=member).body["data"]
    assert listed["confirmation_id"] == id_
    (pushed,) = front.senders["push"].taken
    assert pushed[1].data == {"confirmation_id": id_}
    answered = front.call("decide_confirmation_of_me", {"approve": approve}, me=member, confirmation_id=id_)
    assert (answered.status, answered.body["state"], state_of(front, id_)) == (200, becomes, becomes)
    again = front.call("decide_confirmation_of_me", {"approve": approve}, me=member, confirmation_id=id_)
    assert again.body == answered.body
    other = front.call("decide_confirmation_of_me", {"approve": not approve}, me=member, confirmation_id=id_)
    assert (other.status, other.body["code"]) == (409, "confirmation_closed")
    assert front.call("list_confirmations_of_me", me=member).body["data"] == []


def test_nobody_else_answers_for_her(front: Front) -> None:
    member = guest(front)
    id_ = ask(front, member, "app").body["confirmation_id"]
    stranger = front.register()
    said = front.call("decide_confirmation_of_me", {"approve": True}, me=stranger, confirmation_id=id_)
    assert (said.status, said.body["code"]) == (404, "unknown_confirmation")
    assert front.call("list_confirmations_of_me", me=stranger).body["data"] == []
    assert state_of(front, id_) == "asked"


def test_after_ten_minutes_it_is_over(front: Front) -> None:
    member = guest(front)
    id_ = ask(front, member, "app").body["confirmation_id"]
    front.house.now += 10 * MINUTE
    assert front.call("decide_confirmation_of_me", {"approve": True}, me=member, confirmation_id=id_).status == 409
    assert state_of(front, id_) == "expired"


def code_in(front: Front) -> str:
    address, message = front.senders["sms"].taken[-1]
    assert address == PHONE
    found = re.search(r"\d{6}", message.body)
    assert found is not None
    return found[0]


def test_she_tells_the_code_that_was_sent_to_her(front: Front) -> None:
    member = guest(front)
    asked = ask(front, member, "sms")
    assert PHONE not in str(asked.body)
    id_, code = asked.body["confirmation_id"], code_in(front)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert front.call("type_confirmation_code", {"code": wrong}, scopes=TILL, confirmation_id=id_).body["code"] == "invalid_code"
    typed = front.call("type_confirmation_code", {"code": code}, scopes=TILL, confirmation_id=id_)
    assert (typed.status, typed.body["state"]) == (200, "confirmed")
    assert front.call("type_confirmation_code", {"code": code}, scopes=TILL, confirmation_id=id_).status == 409


def test_after_five_tries_the_right_code_is_none(front: Front) -> None:
    member = guest(front)
    id_ = ask(front, member, "sms").body["confirmation_id"]
    code = code_in(front)
    for number in range(1, 6):
        wrong = f"{(int(code) + number) % 10**6:06d}"
        assert front.call("type_confirmation_code", {"code": wrong}, scopes=TILL, confirmation_id=id_).status == 401
    assert front.call("type_confirmation_code", {"code": code}, scopes=TILL, confirmation_id=id_).status == 401


def test_a_cashier_who_is_told_the_code_cannot_sign_in_with_it(front: Front) -> None:
    member = guest(front)
    sent = front.call("send_code", {"kind": "phone", "value": PHONE})
    front.house.now += MINUTE
    id_ = ask(front, member, "sms").body["confirmation_id"]
    code = code_in(front)
    said = front.call("get_tokens", {"grant": "otp", "otp_id": sent.body["otp_id"], "code": code})
    assert (said.status, said.body["code"]) == (401, "invalid_code")
    assert front.call("type_confirmation_code", {"code": code}, scopes=TILL, confirmation_id=id_).status == 200


def test_a_code_of_signing_in_confirms_nothing(front: Front) -> None:
    member = guest(front)
    id_ = ask(front, member, "sms").body["confirmation_id"]
    front.house.now += MINUTE
    front.call("send_code", {"kind": "phone", "value": PHONE})
    assert front.call("type_confirmation_code", {"code": code_in(front)}, scopes=TILL, confirmation_id=id_).status == 401


def test_the_code_of_her_app_confirms_at_once(front: Front) -> None:
    member = guest(front)
    said = ask(front, member, "qr", qr=card_of(front, member))
    assert (said.status, said.body["state"]) == (201, "confirmed")
    assert ask(front, member, "qr", qr=card_of(front, front.register())).status == 404, "of another member"
    text = card_of(front, member)
    front.house.now += 5 * MINUTE
    late = ask(front, member, "qr", qr=text)
    assert (late.status, late.body["errors"][0]["code"]) == (422, "expired_qr")
    invented = ask(front, member, "qr", qr="a" * 100)
    assert (invented.status, invented.body["errors"][0]["code"]) == (422, "invalid_qr")


def test_identify_by_the_code_of_her_app_proves_more_than_by_her_number(front: Front) -> None:
    member = guest(front)
    by_code = front.call("identify_member", {"qr": card_of(front, member), "location_id": "mitte"}, scopes=TILL).body
    by_number = front.call("identify_member", {"kind": "phone", "value": PHONE}, scopes=TILL).body
    assert (by_code["member_id"], by_number["member_id"]) == (member, member)
    scope = front.house.scope()
    found = [opened(scope, each["identification"], scope.clock()) for each in (by_code, by_number)]
    assert [(each.how, each.location) for each in found if each is not None] == [("qr", "mitte"), ("phone", "")]


def test_ways_that_she_has_not_are_refused(front: Front) -> None:
    member = front.register()
    for way in ("app", "sms", "email"):
        said = ask(front, member, way)
        assert (said.status, said.body["code"]) == (422, "way_not_available")
    assert ask(front, "mbr_01K00000000000000000000000", "app").status == 404


def test_her_telephone_does_not_ring_all_day(front: Front) -> None:
    member = guest(front)
    assert [ask(front, member, "app").status for _ in range(6)] == [201] * 5 + [429]
    front.house.now += 10 * MINUTE
    assert ask(front, member, "app").status == 201
