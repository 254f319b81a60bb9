"""Guessing codes: every wrong code is answered alike, and whoever sends too many is not answered at all for the rest of the minute."""

from __future__ import annotations

from typing import Any

import pytest

from functions.coupon_redemption import handler
from shared.coupons.guesses import PER_ADDRESS, PER_CREDENTIAL
from shared.kernel.instants import MINUTE, SECOND
from shared.storage.table import Table
from shared.tenants.principal import Principal
from tests.builders.gateway import Till, basket, sold
from tests.builders.house import FRIES, House
from tests.builders.office import ALL, BY_OPERATION, Office
from tests.unit.http.events import event_for


class Guesser:
    """Calls with codes from keys and addresses of one's choice."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house, self.office = house, Office(house, monkeypatch)
        self.good = self.office.call("issue_coupon", {"request_id": "r1"}, offer_id="fries").body["code"]

    def send(self, body: str, operation: str = "lookup_coupon", key: str = "aaaaaaaaaaaa", address: str | None = "192.0.2.1") -> Any:
        caller = Principal(kind="key", tenant=self.house.tenant, id=f"demo-{key}", scopes=ALL)
        event = event_for(BY_OPERATION[operation], caller, body=body)
        if address is not None:
            event["requestContext"]["http"]["sourceIp"] = address
        return handler.lambda_handler(event)

    def try_code(self, code: str, **more: Any) -> int:
        status: int = self.send(f'{{"code": "{code}"}}', **more)["statusCode"]
        return status

    def counters(self) -> list[Any]:
        return [row for row in self.office.rows() if "#GUESS#" in row["PK"]["S"]]


@pytest.fixture
def guesser(house: House, monkeypatch: pytest.MonkeyPatch) -> Guesser:
    return Guesser(house, monkeypatch)


def test_right_codes_and_ids_count_nothing(guesser: Guesser) -> None:
    for _ in range(PER_CREDENTIAL + 5):
        assert guesser.try_code(guesser.good) == 200
        assert guesser.send('{"id": "cpn_nothing"}')["statusCode"] == 404
    assert guesser.counters() == []


def test_beyond_the_bound_a_right_code_is_not_looked_at_either(guesser: Guesser) -> None:
    guesser.house.now += 17 * SECOND
    assert [guesser.try_code(f"WRONG{number}") for number in range(PER_CREDENTIAL)] == [404] * PER_CREDENTIAL
    refused = guesser.send(f'{{"code": "{guesser.good}"}}')
    assert (refused["statusCode"], refused["headers"]["retry-after"]) == (429, "43")
    assert '"code":"too_many_wrong_codes"' in refused["body"]
    assert guesser.try_code("WRONG-AGAIN") == 429
    assert guesser.try_code(guesser.good, key="bbbbbbbbbbbb") == 200
    guesser.house.now += 43 * SECOND
    assert guesser.try_code(guesser.good) == 200


def test_many_credentials_of_one_address_are_bounded_together(guesser: Guesser) -> None:
    for number in range(PER_ADDRESS):
        assert guesser.try_code("WRONG", key=f"key{number % 6}") == 404
    assert guesser.try_code(guesser.good, key="fresh") == 429
    assert guesser.try_code(guesser.good, key="fresh", address="192.0.2.2") == 200
    assert guesser.try_code(guesser.good, key="fresh", address=None) == 200


@pytest.mark.parametrize("operation", ["hold_coupon", "redeem_coupon", "release_coupon"])
def test_every_call_with_a_code_counts(guesser: Guesser, operation: str) -> None:
    for number in range(PER_CREDENTIAL):
        wrong = guesser.send(f'{{"code": "WRONG{number}", "basket_id": "b1"}}', operation)
        assert wrong["statusCode"] == 404
    assert guesser.send(f'{{"code": "{guesser.good}", "basket_id": "b1"}}', operation)["statusCode"] == 429
    assert guesser.office.call("lookup_coupon", {"code": guesser.good}, tenant="demo").status == 429


def test_wrong_unknown_and_foreign_codes_are_answered_alike_by_the_same_requests(guesser: Guesser, monkeypatch: pytest.MonkeyPatch) -> None:
    neighbour = House(guesser.house.table, guesser.house.key_table, tenant="other").create()
    neighbour.publish("offer", "fries", FRIES)
    foreign = guesser.office.call("issue_coupon", {"request_id": "r1"}, offer_id="fries", tenant="other").body["code"]
    mistyped = guesser.good[:-1] + ("2" if guesser.good[-1] != "2" else "3")
    asked: list[str] = []
    call = Table._call

    def noted(self: Table, operation: str, **request: Any) -> Any:
        asked.append(operation)
        return call(self, operation, **request)

    monkeypatch.setattr(Table, "_call", noted)
    answers = []
    for code in (mistyped, "NEVER-WAS", foreign, "x" * 64):
        asked.clear()
        answer = guesser.send(f'{{"code": "{code}"}}')
        answers.append((answer["statusCode"], answer["body"], tuple(asked)))
    assert len(set(answers)) == 1
    # The tenant's keys, both counters, the code; then each counter.
    assert answers[0][2] == ("get_item", "batch_get_item", "get_item", "update_item", "update_item")


def test_counters_tell_no_address_and_are_cleaned_up(guesser: Guesser) -> None:
    guesser.try_code("WRONG")
    rows = guesser.counters()
    assert len(rows) == 2
    assert "192.0.2.1" not in str(rows)
    later = (guesser.house.now + MINUTE) // SECOND
    assert all(int(row["expires_at"]["N"]) > later for row in rows)


@pytest.mark.parametrize("operation", ["quote", "create_hold", "record_transaction"])
def test_codes_on_baskets_are_bounded_too(till: Till, operation: str) -> None:
    member = till.house.join()

    def send(code: str, **more: Any) -> Any:
        body = {"quote": basket, "create_hold": basket, "record_transaction": sold}[operation](member, ("fries", 350), **more)
        body["coupons"] = [{"code": code}]
        return till.call(operation, body | ({"basket_id": "b1"} if operation == "create_hold" else {}))

    for number in range(PER_CREDENTIAL):
        wrong = send(f"WRONG{number}")
        assert "unknown_coupon" in wrong.text
    refused = send("WRONG")
    assert (refused.status, refused.body["code"]) == (429, "too_many_wrong_codes")
    without = till.call("quote", basket(member, ("fries", 350)))
    assert without.status == 200
    if operation == "record_transaction":
        assert send("WRONG", offline=True).status == 201
    till.house.now += MINUTE
    assert "unknown_coupon" in send("WRONG").text
