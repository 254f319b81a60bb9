"""Codes that were printed elsewhere: taken once, safe to repeat, never in another's place."""

from __future__ import annotations

from typing import Any

import pytest

from shared.coupons.api import IssueRequest
from shared.coupons.imports import import_codes
from shared.coupons.pools_api import CodesRequest
from shared.coupons.service import issue
from tests.builders.house import FRIES, House
from tests.builders.office import Office
from tests.fakes.faulty import FaultyTable, Killed


@pytest.fixture
def office(house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(house, monkeypatch)


def imported(office: Office, *codes: str, key: str = "i1", offer: str = "fries") -> Any:
    said = office.call("import_codes", {"codes": codes, "request_id": key}, offer_id=offer)
    assert said.status == 200, said.body
    return said.body


def redeemed(office: Office, code: str, basket: str) -> Any:
    said = office.call("redeem_coupon", {"code": code, "basket_id": basket})
    return said.body["state"] if said.status == 200 else said.body["code"]


def test_an_imported_code_is_a_coupon_whatever_its_case(office: Office) -> None:
    assert imported(office, "xmas-0001", "XMAS/0002") == {"accepted": 2, "replayed": 0, "refused": []}
    found = office.call("lookup_coupon", {"code": "Xmas-0001"}).body
    assert (found["state"], found["offer_id"], found["title"]) == ("active", "fries", "Fries for 1 euro")
    assert [redeemed(office, "XMAS-0001", each) for each in ("b1", "b2")] == ["redeemed", "coupon_redeemed"]
    assert "XMAS" not in str(office.rows())


def test_duplicates_are_refused_by_their_place(office: Office) -> None:
    imported(office, "TAKEN-1", key="before")
    said = imported(office, "NEW-1", "TAKEN-1", "new-1", "NEW-2", "NEW-1")
    assert (said["accepted"], said["replayed"]) == (2, 0)
    assert [(each["index"], each["code"]) for each in said["refused"]] == [
        (1, "code_taken"),
        (2, "duplicate_code"),
        (4, "duplicate_code"),
    ]


def test_importing_again_changes_nothing_and_a_used_code_stays_used(office: Office) -> None:
    codes = [f"MANY-{number:04d}" for number in range(60)]
    assert imported(office, *codes)["accepted"] == 60
    redeemed(office, codes[40], "b1")
    before = office.rows()
    assert imported(office, *codes) == {"accepted": 0, "replayed": 60, "refused": []}
    assert office.rows() == before
    assert redeemed(office, codes[40], "b2") == "coupon_redeemed"


def test_another_call_or_offer_does_not_take_a_code_over(office: Office) -> None:
    office.house.publish("offer", "other", FRIES)
    imported(office, "MINE-1")
    for more in ({"key": "i2"}, {"offer": "other"}):
        assert [each["code"] for each in imported(office, "MINE-1", **more)["refused"]] == ["code_taken"]
    assert office.call("lookup_coupon", {"code": "MINE-1"}).body["offer_id"] == "fries"


def test_a_code_that_was_issued_is_not_taken_over(office: Office) -> None:
    member = office.house.join()
    code = issue(office.house.scope(), "fries", IssueRequest(member_id=member, request_id="r1"), None).answer.code
    assert code is not None
    assert [each["code"] for each in imported(office, code)["refused"]] == ["code_taken"]
    assert office.call("lookup_coupon", {"code": code}).body["member_id"] == member


def test_an_import_that_broke_off_is_finished_by_the_next(office: Office, dynamodb: str) -> None:
    table, scope = FaultyTable(dynamodb, office.house.table.name), office.house.scope()
    scope.table = table
    codes = [f"MANY-{number:04d}" for number in range(60)]
    _ = scope.definitions, scope.offers_in_force(["fries"], scope.clock())
    table.arm(2, "after", "kill")
    with pytest.raises(Killed):
        import_codes(scope, "fries", CodesRequest(codes=tuple(codes), request_id="i1"), None)
    assert imported(office, *codes) == {"accepted": 10, "replayed": 50, "refused": []}


@pytest.mark.parametrize(
    ("body", "offer", "code"),
    [
        ({"codes": [], "request_id": "i1"}, "fries", "invalid_request"),
        ({"codes": ["ABCD"] * 501, "request_id": "i1"}, "fries", "invalid_request"),
        ({"codes": ["ABC"], "request_id": "i1"}, "fries", "invalid_request"),
        ({"codes": ["AB CD"], "request_id": "i1"}, "fries", "invalid_request"),
        ({"codes": ["ABCÖ"], "request_id": "i1"}, "fries", "invalid_request"),
        ({"codes": ["ABCD"]}, "fries", "idempotency_key_required"),
        ({"codes": ["ABCD"], "request_id": "i1"}, "nothing", "unknown_offer"),
        ({"codes": ["ABCD"], "request_id": "i1"}, "over", "unknown_offer"),
    ],
)
def test_wrong_imports_store_nothing(office: Office, body: Any, offer: str, code: str) -> None:
    office.house.publish("offer", "over", FRIES | {"valid_until": "2026-11-20T00:00:00Z"})
    before = office.rows()
    assert office.call("import_codes", body, offer_id=offer).body["code"] == code
    assert office.rows() == before
