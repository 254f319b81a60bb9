"""A tenant may have many offers: what a till asks for costs the same, and lists come by the page."""

from __future__ import annotations

from typing import Any

import pytest

from shared.coupons import service
from shared.coupons.api import IssueRequest
from shared.kernel.instants import MINUTE
from shared.transactions.api import CouponReference
from shared.transactions.service import quote
from tests.builders.house import House, sale
from tests.builders.office import Office

FRIES: dict[str, Any] = {
    "name": "Fries",
    "effect": {"kind": "percent", "percent": 50},
    "scope": {"items": ["fries"]},
    "content": {"en": {"title": "Half price fries"}},
}
PROGRAMME: dict[str, Any] = {"name": "Points", "earning": [{"kind": "per_amount", "id": "spend", "points": 1, "per": 100}]}


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(bare_house.create(), monkeypatch)


def cost_of_a_cold_quote(house: House, coupon: str) -> tuple[int, float]:
    """Requests and read units of a till's first quote with this coupon."""
    house.cache.forget(house.tenant)
    house.table.consumed = []
    request = sale(None, lines=(("fries", 350),), coupons=[CouponReference(id=coupon)])
    answer = quote(house.scope(), request)
    consumed, house.table.consumed = house.table.consumed, None
    assert answer["totals"]["discount"] == 175
    return len(consumed), sum(each["CapacityUnits"] for each in consumed)


def test_a_quote_costs_the_same_with_ten_offers_and_with_six_hundred(house: House) -> None:
    house.publish("offer", "fries", FRIES)
    coupon = service.issue(house.scope(), "fries", IssueRequest(request_id="1"), None).answer.id
    for number in range(9):
        house.publish("offer", f"few-{number}", FRIES)
    cost_of_a_cold_quote(house, coupon)  # reads the catalogue's items too, which stay
    with_few = cost_of_a_cold_quote(house, coupon)
    for number in range(600):
        house.publish("offer", f"many-{number}", FRIES)
    assert cost_of_a_cold_quote(house, coupon) == with_few


def test_what_gives_coupons_by_itself_loads_just_the_offers_that_it_names(house: House) -> None:
    for id_ in ("gold-gift", "voucher", "stamp-gift", "unnamed"):
        house.publish("offer", id_, FRIES)
    house.publish("offer", "voucher", FRIES, version=2, since=house.now + MINUTE)
    tiers = {"by": "spend", "levels": [{"id": "gold", "threshold": 100, "offers": ["gold-gift"]}]}
    conversion = {"id": "change", "points": 100, "offer": "voucher"}
    house.publish("programme", "main", PROGRAMME | {"conversions": [conversion], "tiers": tiers})
    stamps = {"goal": {"kind": "visits", "target": 2}, "days": 30, "reward": {"offer": "stamp-gift"}, "name": "Stamps"}
    house.publish("challenge", "stamps", stamps)
    loaded = {(each.id, each.version) for each in house.scope().definitions.definitions if each.kind == "offer"}
    assert loaded == {("gold-gift", 1), ("voucher", 1), ("voucher", 2), ("stamp-gift", 1)}


def test_offers_are_listed_by_the_page_each_with_its_newest_version(office: Office) -> None:
    for number in range(5):
        office.call("create_offer", {"id": f"offer-{number}", "definition": FRIES})
    office.call("publish_offer", {}, definition_id="offer-3")
    etag = office.call("get_offer", definition_id="offer-3").body["etag"]
    office.call("replace_offer", {"definition": FRIES | {"name": "Two"}}, definition_id="offer-3", if_match=etag)
    found, cursor = [], None
    while True:
        page = office.call("list_offers", query={"limit": "2"} | ({"cursor": cursor} if cursor else {})).body
        found += [(each["id"], each["version"], each["status"]) for each in page["data"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    others = [(f"offer-{number}", 1, "draft") for number in range(5)]
    assert found == [*others[:3], ("offer-3", 2, "draft"), others[4]]


def test_a_retired_offer_gives_no_more_coupons_and_keeps_those_that_it_gave(office: Office) -> None:
    house = office.house
    office.call("create_offer", {"id": "fries", "definition": FRIES})
    office.call("publish_offer", {}, definition_id="fries")
    house.now += 5 * MINUTE
    given = service.issue(house.scope(), "fries", IssueRequest(request_id="1"), None).answer
    office.call("retire_offer", definition_id="fries")
    house.now += 5 * MINUTE
    with pytest.raises(service.UnknownOffer):
        service.issue(house.scope(), "fries", IssueRequest(request_id="2"), None)
    request = sale(None, house.now, lines=(("fries", 350),), coupons=[CouponReference(id=given.id)])
    assert quote(house.scope(), request)["totals"]["discount"] == 175
