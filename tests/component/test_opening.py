"""What a member brings from another programme: opening balances, tags; each in the ledger as what it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders.front import ALL, Front, settings_with_everything
from tests.builders.house import PROGRAMME, House
from tests.builders.invariants import check_member

WELCOME = {"bonuses": [{"id": "welcome", "on": "registration", "points": 50}]}


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    bare_house.create(settings_with_everything())
    bare_house.publish("programme", "points", PROGRAMME | WELCOME)
    return Front(bare_house, monkeypatch)


def person(**more: Any) -> dict[str, Any]:
    return {"identifiers": [{"kind": "external", "value": "c1"}], "source": "import", "joined_at": "2017-01-04T00:00:00Z", **more}


BALANCES = [
    {"points": 300, "expires_at": "2027-06-30T22:00:00Z"},
    {"points": 20, "available_at": "2027-01-01T00:00:00Z"},
    {"points": 7, "expires_at": "2026-01-01T00:00:00Z"},
]


def test_balances_are_lots_with_their_own_instants_and_a_kind_of_their_own(front: Front) -> None:
    said = front.call("import_members", {"members": [person(opening_balances=BALANCES, tags=["vip", "vip", "press"])]})
    assert said.status == 202
    assert front.work() == {"batchItemFailures": []}
    found = front.call("identify_member", {"kind": "external", "value": "c1"}).body["member_id"]
    wallet = front.call("get_wallet", member_id=found).body["wallets"][0]
    assert (wallet["available"], wallet["pending"], wallet["earned"]) == (300, 20, 320)
    assert [(lot["points"], lot.get("expires_at"), lot.get("available_at")) for lot in wallet["lots"]] == [
        (300, "2027-06-30T22:00:00Z", None), (20, None, "2027-01-01T00:00:00Z"),
    ]  # fmt: skip
    (entry,) = front.call("list_ledger", member_id=found).body["data"]
    assert (entry["kind"], [each["kind"] for each in entry["postings"]]) == ("open", ["open", "open"])
    assert front.call("get_member", member_id=found).body["tags"] == ["press", "vip"]
    assert front.call("import_members", {"members": [person(opening_balances=BALANCES)]}).status == 202
    front.work()
    assert front.call("get_wallet", member_id=found).body["wallets"][0]["earned"] == 320, "an import again brings nothing again"
    check_member(front.house, found)


def test_who_registers_today_gets_the_bonus_and_no_import_does(front: Front) -> None:
    member = front.register()
    assert front.call("get_wallet", member_id=member).body["wallets"][0]["available"] == 50
    (entry,) = front.call("list_ledger", member_id=member).body["data"]
    assert (entry["kind"], entry["reference"]) == ("bonus", "points/welcome")


def test_balances_need_the_right_to_write(front: Front) -> None:
    body = {"identifiers": [{"kind": "external", "value": "c2"}], "source": "app", "opening_balances": [{"points": 5}]}
    refused = front.call("register_member", body, scopes=ALL - {"members:write"})
    assert (refused.status, front.rows("STATE")) == (403, [])


@pytest.mark.parametrize("balance", [{"points": 0}, {"points": 1.5}, {"points": 5, "expires_at": "soon"}, {"points": 5, "colour": "red"}])
def test_a_balance_that_does_not_fit_is_refused(front: Front, balance: dict[str, Any]) -> None:
    said = front.call("register_member", {**person(), "opening_balances": [balance]})
    assert (said.status, said.body["errors"][0]["pointer"].startswith("/opening_balances/0")) == (422, True)
    assert front.rows("STATE") == []


def test_tags_are_replaced_whole(front: Front) -> None:
    member = front.register(tags=["press"])
    assert front.call("update_member", {"tags": ["vip", "staff"]}, member_id=member).body["tags"] == ["staff", "vip"]
    version = front.house.state(member).version
    assert front.call("update_member", {"tags": ["vip", "staff"]}, member_id=member).body["tags"] == ["staff", "vip"]
    assert front.house.state(member).version == version
    assert front.call("update_member", {"tags": []}, member_id=member).body.get("tags", []) == []
