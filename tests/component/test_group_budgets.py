"""Budgets of groups of locations: taken from with the others in one transaction, never exceeded, given back where they were taken."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, cast

import pytest

from shared.coupons import baskets
from shared.coupons.api import RedeemCouponRequest
from shared.coupons.limits import group_key
from shared.coupons.repository import CouponRepository
from shared.coupons.stacking import MOST_GROUP_BUDGETS, MOST_TOGETHER
from shared.definitions.catalogue import put_groups
from shared.kernel.errors import AppError
from shared.storage import keys
from shared.storage.items import QuotaItem
from shared.storage.table import WriteBatch
from shared.tenants.location_groups import LocationGroup, LocationGroups
from shared.transactions import holds, reversal
from shared.transactions.api import HoldRequest, MemberReference, QuoteRequest
from shared.transactions.claims import claim
from shared.transactions.gathering import natural_key
from shared.transactions.model import Recorded
from shared.transactions.repository import SaleRepository
from shared.transactions.service import quote, record
from tests.builders.house import FRIES, NOW, House, sale
from tests.builders.invariants import check_member
from tests.builders.office import Office
from tests.component.test_coupon_limits import OFF, ONLY_OF_SALES, bought, fries, given_back, limited, reason_of, spent
from tests.component.test_crashes import faulty
from tests.component.test_location_groups import group, move
from tests.component.test_races import issue, together, until_done
from tests.fakes.faulty import FaultyTable, Killed

__all__ = ["faulty"]
EXHAUSTED = "group_budget_exhausted"


def of(name: str, offer: str = "offer:few") -> str:
    return group_key(offer, name)


@pytest.fixture
def grouped(house: House) -> House:
    return group(house)


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(group(bare_house.create()), monkeypatch)


def test_a_group_is_used_up_for_all_that_are_in_it_and_for_nobody_else(grouped: House) -> None:
    """Of a budget of 600 two coupons of 250 are taken: at the cathedral, and at a house that is in the west by itself."""
    move(grouped, "hafen", "west")
    limited(grouped, {"group_budgets": {"west": 600}})
    member = grouped.join()
    assert [bought(grouped, member, location_id=each)["totals"]["discount"] for each in ("dom", "hafen")] == [OFF, OFF]
    for location in ("dom", "hafen"):
        request = fries(grouped, member, issue(grouped, member, "few"), location_id=location)
        body = request.model_dump(exclude=ONLY_OF_SALES)
        answer = quote(grouped.scope(), QuoteRequest.model_validate(body))
        assert (answer["totals"]["discount"], [each["code"] for each in answer["refused"]]) == (0, [EXHAUSTED])
        hold = partial(holds.place, grouped.scope(), HoldRequest.model_validate(body | {"basket_id": location}))
        assert reason_of(hold) == EXHAUSTED
        assert reason_of(partial(record, grouped.scope(), request)) == EXHAUSTED
    for location in ("alex", "zelt", "ein Zelt am See"):
        assert bought(grouped, member, location_id=location)["totals"]["discount"] == OFF
    assert spent(grouped, 600, of("west")) == 2 * OFF
    check_member(grouped, member)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"group_budgets": {"cologne": 300, "brand": 9_000}}, EXHAUSTED),
        ({"group_budgets": {"cologne": 9_000, "brand": 300}}, EXHAUSTED),
        ({"location_budget": 300, "group_budgets": {"cologne": 9_000}}, "location_budget_exhausted"),
        ({"budget": 300, "location_budget": 9_000, "group_budgets": {"cologne": 9_000}}, "budget_exhausted"),
    ],
)
def test_the_budget_that_has_too_little_is_named_and_none_of_the_others_is_touched(
    grouped: House, limits: dict[str, Any], reason: str
) -> None:
    limited(grouped, limits)
    member = grouped.join()
    assert bought(grouped, member, location_id="dom")["totals"]["discount"] == OFF
    request = fries(grouped, member, issue(grouped, member, "few"), location_id="dom")
    assert reason_of(partial(record, grouped.scope(), request)) == reason
    named = {"budget": "offer:few", "location_budget": "offer:few@dom"}
    for name, limit in limits.items():
        for key, most in limit.items() if name == "group_budgets" else ((None, limit),):
            assert spent(grouped, most, of(key) if key else named[name]) == OFF


def test_the_whole_sale_gives_back_to_the_groups_it_was_taken_from_although_the_location_has_moved(grouped: House) -> None:
    budgets = {"cologne": 500, "west": 500, "brand": 500, "east": 500}
    limited(grouped, {"group_budgets": budgets})
    member = grouped.join()
    first, second = (bought(grouped, member, location_id="dom")["transaction_id"] for _ in range(2))
    taken = {name: spent(grouped, 500, of(name)) for name in budgets}
    assert taken == {"cologne": 2 * OFF, "west": 2 * OFF, "brand": 2 * OFF, "east": 0}
    move(grouped, "dom", "east")
    assert bought(grouped, member, location_id="zelt")["totals"]["discount"] == OFF
    request = fries(grouped, member, issue(grouped, member, "few"), location_id="dom")
    assert reason_of(partial(record, grouped.scope(), request)) == EXHAUSTED, "the brand's is used up in the east too"
    given_back(grouped, first, "1")
    assert spent(grouped, 500, of("west")) == 2 * OFF, "its value comes back only with the rest of the sale"
    given_back(grouped, first)
    assert [spent(grouped, 500, of(name)) for name in budgets] == [OFF, OFF, OFF, 0]
    assert record(grouped.scope(), request).answer["totals"]["discount"] == OFF
    assert [spent(grouped, 500, of(name)) for name in budgets] == [OFF, OFF, 2 * OFF, OFF]
    together([partial(until_done, partial(reversal.void, grouped.scope(), second)) for _ in range(4)])
    assert [spent(grouped, 500, of(name)) for name in budgets] == [0, 0, OFF, OFF]
    check_member(grouped, member)


def test_a_group_that_is_gone_gets_back_what_was_taken_from_it(grouped: House) -> None:
    limited(grouped, {"group_budgets": {"west": 500}})
    sold = bought(grouped, grouped.join(), location_id="dom")["transaction_id"]
    grouped.publish("offer", "few", FRIES, version=2, since=NOW)
    put_groups(grouped.scope(), LocationGroups(groups=(LocationGroup(id="cologne", name="Cologne"),)))
    reversal.void(grouped.scope(), sold)
    assert spent(grouped, 500, of("west")) == 0


def test_a_sale_that_is_claimed_takes_from_its_group_once_and_its_void_gives_back(office: Office) -> None:
    house = office.house
    limited(house, {"group_budgets": {"west": 900}})
    coupon = office.call("issue_coupon", {"request_id": "r1"}, offer_id="few").body["id"]
    sold = record(house.scope(), fries(house, None, coupon, location_id="dom")).answer["transaction_id"]
    move(house, "dom", "east")
    claim(house.scope(), sold, MemberReference(id=house.join()))
    assert spent(house, 900, of("west")) == OFF
    reversal.void(house.scope(), sold)
    assert spent(house, 900, of("west")) == 0


def test_a_promotion_of_which_a_group_has_no_more_silently_does_not_apply(grouped: House) -> None:
    off = {"name": "Off", "content": {"en": {"title": "Off"}}, "effect": {"kind": "amount", "amount": 200}, "scope": {"items": ["fries"]}}
    grouped.publish("promotion", "off", off | {"limits": {"group_budgets": {"west": 400}}})
    found = [record(grouped.scope(), fries(grouped, None, location_id=each)).answer for each in ("dom", "dom", "dom", "alex")]
    assert [each["totals"]["discount"] for each in found] == [200, 200, 0, 200]
    assert "promotions" not in found[2]
    assert spent(grouped, 400, of("west", "promotion:off")) == 400


def test_directly_a_budget_of_a_group_needs_to_know_where(office: Office) -> None:
    house = office.house
    limited(house, {"group_budgets": {"west": 600}})
    member = house.join()
    coupons = [issue(house, member, "few") for _ in range(3)]
    body = {"id": coupons[0], "basket_id": "b0", "location_id": "dom", "amount": 400}
    for missing, code in (("amount", "amount_needed"), ("location_id", "location_needed")):
        said = office.call("redeem_coupon", {name: value for name, value in body.items() if name != missing})
        assert (said.status, said.body["code"], said.errors) == (422, code, [(f"/{missing}", code)])
    assert office.call("redeem_coupon", body).status == 200
    said = office.call("redeem_coupon", body | {"id": coupons[1], "basket_id": "b1"})
    assert (said.status, said.body["code"], said.errors) == (409, f"coupon_{EXHAUSTED}", [("/id", EXHAUSTED)])
    assert office.call("redeem_coupon", body | {"id": coupons[1], "basket_id": "b1", "location_id": "alex"}).status == 200
    assert office.call("redeem_coupon", body | {"id": coupons[2], "basket_id": "b2", "amount": 200}).status == 200
    assert spent(house, 600, of("west")) == 600


def test_a_settled_offline_sale_overdraws_its_group_and_says_so(grouped: House) -> None:
    limited(grouped, {"budget": 10_000, "group_budgets": {"west": 300}})
    member = grouped.join()
    bought(grouped, member, location_id="dom")
    answer = bought(grouped, member, location_id="dom", offline=True)
    assert answer["totals"]["discount"] == OFF
    assert [(each["reason"], each["amount"]) for each in answer["offline_losses"]] == [("budget_exhausted", OFF)]
    raw = grouped.table.get(keys.budget(grouped.tenant, of("west"), 0))
    assert raw is not None
    assert int(QuotaItem.values(raw)["used"]) == 2 * OFF
    reversal.void(grouped.scope(), answer["transaction_id"])
    assert (spent(grouped, 300, of("west")), spent(grouped, 10_000)) == (OFF, OFF)


def test_a_groups_budget_is_used_to_the_last_unit_from_several_shards(grouped: House) -> None:
    budget, line = 20_001, (("burger", 50_000),)
    member = grouped.join()
    for off in (9_000, 9_000, 2_001, 1):
        limited(grouped, {"group_budgets": {"west": budget}}, effect={"kind": "amount", "amount": off}, scope={})
        request = sale(member, lines=line, coupons=[{"id": issue(grouped, member, "few")}], location_id="dom")
        assert reason_of(partial(record, grouped.scope(), request)) == (EXHAUSTED if off == 1 else None)
    assert spent(grouped, budget, of("west")) == budget


@pytest.mark.parametrize("budget", [1_000, 70_000])
def test_thirty_two_tills_of_a_group_at_once_never_spend_more_than_its_budget(grouped: House, budget: int) -> None:
    """Half of them in the west, all of them in the brand, whose budget is the wider."""
    off = budget // 20 + 7
    limits = {"group_budgets": {"west": budget // 2, "brand": budget}}
    limited(grouped, limits, effect={"kind": "amount", "amount": off}, scope={})
    members = [grouped.join() for _ in range(32)]
    line, places = (("burger", 50_000),), ("dom", "alex")
    coupons = [issue(grouped, member, "few") for member in members]
    requests = [
        sale(member, lines=line, coupons=[{"id": coupon}], location_id=places[number % 2])
        for number, (member, coupon) in enumerate(zip(members, coupons, strict=True))
    ]
    results = together([partial(until_done, partial(record, grouped.scope(), request)) for request in requests])
    refused = [result for result in results if isinstance(result, AppError)]
    assert {each.errors[0].code for each in refused} == {EXHAUSTED}
    answers = [None if isinstance(each, AppError) else cast("Recorded", each).answer for each in results]
    taken = [answer["totals"]["discount"] if answer is not None else 0 for answer in answers]
    assert sum(taken) == spent(grouped, budget, of("brand"))
    assert sum(taken[::2]) == spent(grouped, budget // 2, of("west"))
    assert budget - off < sum(taken) <= budget
    assert sum(taken[::2]) <= budget // 2


@pytest.mark.parametrize("how", ["kill", "lose"])
def test_killed_anywhere_and_repeated_a_groups_budget_counts_once(faulty: House, how: Any) -> None:
    table, number = faulty.table, 0
    assert isinstance(table, FaultyTable)
    group(faulty)
    faulty.publish("offer", "few", FRIES | {"limits": {"group_budgets": {"west": 10**8, "brand": 10**8}}})
    for at in range(1, 12):
        reached = False
        for when in ("before", "after"):
            for directly in (False, True):
                member = faulty.join()
                coupon = issue(faulty, member, "few")
                request = fries(faulty, member, coupon, location_id="dom")
                here = RedeemCouponRequest(id=coupon, basket_id="b", amount=OFF, location_id="dom")
                work = partial(baskets.redeem, request=here) if directly else partial(record, request=request)
                table.arm(at, when, how)
                with suppress(Killed, AppError):
                    work(faulty.scope())
                reached = reached or table.calls >= at
                table.disarm()
                work(faulty.scope())
                number += 1
                assert [spent(faulty, 10**8, of(name)) for name in ("west", "brand")] == [number * OFF, number * OFF]
        if not reached:
            return
    pytest.fail("the path makes more calls than the test kills")


# -- what it costs ----------------------------------------------------------------------------------------------------


@pytest.fixture
def batches(grouped: House, monkeypatch: pytest.MonkeyPatch) -> list[WriteBatch]:
    """Every transaction that is sent."""
    sent: list[WriteBatch] = []
    transact = grouped.table.transact

    def noted(batch: WriteBatch, token: str) -> None:
        sent.append(batch)
        transact(batch, token)

    monkeypatch.setattr(grouped.table, "transact", noted)
    return sent


@pytest.mark.parametrize(("location", "more"), [("zelt", 0), ("alex", 1), ("dom", 3)])
def test_a_sale_writes_one_item_more_for_each_group_that_has_a_budget_and_none_unless(
    grouped: House, batches: list[WriteBatch], location: str, more: int
) -> None:
    member, written = grouped.join(), []
    for limits in ({"budget": 10**6}, {"budget": 10**6, "group_budgets": dict.fromkeys(("cologne", "west", "brand"), 10**6)}):
        limited(grouped, limits)
        coupon = issue(grouped, member, "few")
        batches.clear()
        record(grouped.scope(), fries(grouped, member, coupon, location_id=location))
        (batch,) = batches
        written.append(len(batch.actions))
    assert written[1] - written[0] == more


def test_as_many_coupons_with_as_many_budgets_as_may_be_are_one_transaction(grouped: House, batches: list[WriteBatch]) -> None:
    """Fifteen coupons of as many offers, each with a limit, a budget, one of each location and twenty of groups that the location is in."""
    names = [f"g{number}" for number in range(MOST_GROUP_BUDGETS)]
    put_groups(grouped.scope(), LocationGroups(groups=tuple(LocationGroup(id=name, name=name) for name in names)))
    move(grouped, "dom", *names)
    member, coupons = grouped.join(), []
    for number in range(MOST_TOGETHER):
        of_groups = dict.fromkeys(names if number == 0 else [], 10**6)
        limits = {"budget": 10**6, "location_budget": 10**6, "per_day": 1, "group_budgets": of_groups}
        effect = {"kind": "amount", "amount": 10 + number}
        grouped.publish("offer", f"o{number}", FRIES | {"effect": effect, "scope": {}, "limit": 100, "limits": limits})
        CouponRepository(grouped.tenant, grouped.table).create_quota(f"offer:o{number}", 100)
        coupons.append(issue(grouped, member, f"o{number}"))
    batches.clear()
    request = sale(member, lines=(("burger", 50_000),), coupons=[{"id": id_} for id_ in coupons], location_id="dom")
    answer = record(grouped.scope(), request).answer
    assert answer["totals"]["discount"] == sum(range(10, 10 + MOST_TOGETHER))
    (batch,) = batches
    assert len(batch.actions) == 83, "15 coupons, their quotas, budgets and budgets of the location, 20 of groups, and sale, state, ledger"
    assert len(SaleRepository(grouped.tenant, grouped.table).get(natural_key(request)).budgets) == 50
    reversal.void(grouped.scope(), answer["transaction_id"])
    assert {spent(grouped, 10**6, of(name, "offer:o0")) for name in names} == {0}
    assert spent(grouped, 10**6, "offer:o3@dom") == 0
    assert all(each.state == "active" for each in CouponRepository(grouped.tenant, grouped.table).get_many(coupons).values())


def test_of_coupons_that_take_from_more_budgets_of_groups_than_may_be_the_better_is_used(grouped: House) -> None:
    """Two offers with eleven groups each: together one too many where the location is in all of them, and none where it is in ten each."""
    names = [f"g{number}" for number in range(11)]
    put_groups(grouped.scope(), LocationGroups(groups=tuple(LocationGroup(id=name, name=name) for name in names)))
    move(grouped, "dom", *names)
    move(grouped, "alex", *names[1:])
    member = grouped.join()
    for offer, amount in (("less", 100), ("more", 200)):
        limits = {"group_budgets": dict.fromkeys(names, 10**6)}
        effect = {"kind": "amount", "amount": amount}
        grouped.publish("offer", offer, FRIES | {"effect": effect, "scope": {}, "limits": limits, "per_member": 9})
    for location, off, refused in (("dom", 200, ["not_combinable"]), ("alex", 300, [])):
        coupons = [{"id": issue(grouped, member, offer)} for offer in ("less", "more")]
        body = sale(member, coupons=coupons, location_id=location).model_dump(exclude=ONLY_OF_SALES)
        answer = quote(grouped.scope(), QuoteRequest.model_validate(body))
        assert (answer["totals"]["discount"], [each["code"] for each in answer.get("refused", [])]) == (off, refused)
