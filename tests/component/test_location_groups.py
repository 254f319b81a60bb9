"""Conditions on groups of locations in programmes, promotions, coupons, rewards and challenges; sales of a location that has moved since;
groups that something still names.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from shared.counter import reporting
from shared.definitions import catalogue
from shared.definitions.catalogue import put_groups
from shared.definitions.errors import LocationGroupInUse
from shared.kernel.instants import DAY, HOUR
from shared.kernel.scopes import KEY_SCOPES
from shared.rewards.catalogue import list_rewards
from shared.storage.errors import RawItem
from shared.tenants.counter import CounterSettings
from shared.tenants.location_groups import LocationGroups
from shared.tenants.model import Location
from shared.tenants.principal import Place
from shared.transactions import reversal
from shared.transactions.api import MemberReference, ReturnRequest
from shared.transactions.claims import claim
from shared.transactions.explaining import explain
from shared.transactions.gathering import natural_key
from shared.transactions.service import record
from tests.builders.gateway import return_of
from tests.builders.house import FRIES, PROGRAMME, SETTINGS, House, sale
from tests.builders.invariants import check_member
from tests.builders.office import Office
from tests.component.test_coupon_limits import fries, reason_of
from tests.component.test_races import issue

GROUPS = {
    "groups": [
        {"id": "brand", "name": "Brand"},
        {"id": "west", "name": "West", "parent": "brand"},
        {"id": "cologne", "name": "Cologne", "parent": "west"},
        {"id": "east", "name": "East", "parent": "brand"},
    ]
}
IN_THE_WEST = {"location_groups": ["west"]}
WHEREVER = {"location_groups": ["brand"]}
WESTERN: dict[str, Any] = PROGRAMME | {
    "earning": [
        {"kind": "per_amount", "id": "base", "points": 1, "per": 100},
        {"kind": "fixed", "id": "west", "points": 50, "per": "receipt", "when": IN_THE_WEST},
    ]
}


def group(house: House) -> House:
    """Groups, and a location in the west, one in the east and one in none."""
    put_groups(house.scope(), LocationGroups.model_validate(GROUPS))
    for id_, groups in (("dom", ("cologne",)), ("alex", ("east",)), ("zelt", ())):
        move(house, id_, *groups)
    return house


def move(house: House, location: str, *groups: str) -> None:
    """The location is in these groups from now on."""
    house.add_location(Location(id=location, name=location, groups=groups))
    house.cache.forget(house.tenant)


@pytest.fixture
def grouped(house: House) -> House:
    return group(house)


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(group(bare_house.create()), monkeypatch)


def sold(house: House, member: str | None, location: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = record(house.scope(), sale(member, at=house.now, location_id=location, **more)).answer
    return answer


# -- wherever conditions stand --------------------------------------------------------------------------------------


def test_a_rule_and_a_programme_of_a_group_give_there_alone(grouped: House) -> None:
    grouped.publish("programme", "points", WESTERN)
    brand = {"name": "Stars", "wallet": "stars", "applies": {"location_groups": ["brand"]}, "earning": WESTERN["earning"][:1]}
    grouped.publish("programme", "stars", brand)
    member = grouped.join()
    for location, points, stars in (("dom", 59, 9), ("alex", 9, 9), ("zelt", 9, 0), ("ein Zelt am See", 9, 0)):
        wallets = grouped.state(member).wallets
        before = [wallets[name].earned if name in wallets else 0 for name in ("points", "stars")]
        answer = sold(grouped, member, location)
        wallets = grouped.state(member).wallets
        after = [wallets[name].earned if name in wallets else 0 for name in ("points", "stars")]
        assert [now - then for now, then in zip(after, before, strict=True)] == [points, stars]
        reasons = {(step["programme"], step["rule"]): step.get("reason") for step in answer["trace"]}
        assert reasons["points", "west"] == (None if location == "dom" else "wrong_location")
    check_member(grouped, member)


def test_a_promotion_of_a_group_takes_off_there_alone(grouped: House) -> None:
    off = {"name": "Off", "content": {"en": {"title": "Off"}}, "effect": {"kind": "amount", "amount": 100}, "when": IN_THE_WEST}
    grouped.publish("promotion", "off", off)
    found = {location: sold(grouped, None, location)["totals"]["discount"] for location in ("dom", "alex", "zelt", "nowhere")}
    assert found == {"dom": 100, "alex": 0, "zelt": 0, "nowhere": 0}


def test_a_coupon_of_a_group_is_good_there_in_a_sale_and_directly(office: Office) -> None:
    house = office.house
    house.publish("offer", "few", FRIES | {"when": IN_THE_WEST | {"locations": ["zelt"]}, "per_member": 100})
    member = house.join()
    for location, reason in (("dom", None), ("zelt", None), ("alex", "wrong_location"), ("nowhere", "wrong_location")):
        request = fries(house, member, issue(house, member, "few"), location_id=location)
        assert reason_of(partial(record, house.scope(), request)) == reason
        body = {"id": issue(house, member, "few"), "basket_id": "b", "location_id": location}
        said = office.call("redeem_coupon", body)
        assert said.status == (200 if reason is None else 409)
        assert reason is None or said.body["code"] == "coupon_wrong_location"
    unsaid = office.call("redeem_coupon", {"id": issue(house, member, "few"), "basket_id": "b"})
    assert unsaid.body["code"] == "coupon_wrong_location", "who says no location is in no group"


def test_a_reward_of_a_group_is_to_be_had_there(grouped: House) -> None:
    body = {"name": "Mug", "price": 1, "gives": {"kind": "item", "item": "mug"}, "when": IN_THE_WEST}
    grouped.publish("programme", "points", PROGRAMME)
    grouped.publish("reward", "mug", body | {"content": {"en": {"title": "Mug"}}})
    member = grouped.join()
    sold(grouped, member, "alex")
    for location, reason in (("dom", None), ("alex", "wrong_location"), (None, "wrong_location")):
        (row,) = list_rewards(grouped.scope(), member, location).data
        assert row.reason == reason


def test_a_challenge_of_a_group_counts_what_is_bought_there(grouped: House) -> None:
    goal = {"of": "purchases", "threshold": 5}
    grouped.publish("challenge", "five", {"name": "Five", "goal": goal, "automatic": True, "when": IN_THE_WEST, "reward": {"badge": "b"}})
    member = grouped.join()
    for location in ("dom", "alex", "dom", "zelt"):
        sold(grouped, member, location)
    (instance,) = grouped.state(member).challenges
    assert [part.amount for part in instance.parts] == [1000, 1000]


# -- a location moves -----------------------------------------------------------------------------------------------


def test_a_sale_is_explained_and_taken_back_as_it_was_made_although_its_location_has_moved(grouped: House) -> None:
    grouped.publish("programme", "points", WESTERN)
    member = grouped.join()
    western, eastern = (sale(member, location_id=each) for each in ("dom", "alex"))
    earned = [record(grouped.scope(), each).answer["points"]["earned"] for each in (western, eastern)]
    assert earned == [59, 9]
    move(grouped, "dom", "east")
    move(grouped, "alex", "cologne")
    assert explain(grouped.scope(), natural_key(western))["identical"]
    assert explain(grouped.scope(), natural_key(eastern))["identical"]
    for request, points in ((western, 59), (eastern, 9)):
        body = return_of(natural_key(request).id("txn"), lines=[{"line_id": "1"}])
        back = reversal.record_return(grouped.scope(), ReturnRequest.model_validate(body)).answer
        assert back["points_reversed"] == points
    assert grouped.state(member).wallets["points"].lots == []
    assert record(grouped.scope(), sale(member, location_id="dom")).answer["points"]["earned"] == 9
    check_member(grouped, member)


def test_whoever_claims_a_sale_gets_what_it_would_have_earned_where_it_was_made(grouped: House) -> None:
    grouped.publish("programme", "points", WESTERN)
    goal = {"of": "purchases", "threshold": 5}
    grouped.publish("challenge", "five", {"name": "Five", "goal": goal, "automatic": True, "when": WHEREVER, "reward": {"badge": "b"}})
    member, request = grouped.join(), sale(None, location_id="dom")
    transaction = record(grouped.scope(), request).answer["transaction_id"]
    move(grouped, "dom")
    claimed = claim(grouped.scope(), transaction, MemberReference(id=member)).answer
    assert claimed["points"]["earned"] == 59
    (instance,) = grouped.state(member).challenges
    assert [part.amount for part in instance.parts] == [1000]
    assert explain(grouped.scope(), natural_key(request))["identical"]


def test_a_late_sale_is_decided_with_the_groups_that_its_location_is_in_on_arrival(grouped: House) -> None:
    """Groups have no versions: as the catalogue and the clock of a location, they are those of the day on which it is decided."""
    grouped.publish("programme", "points", WESTERN)
    member = grouped.join()
    grouped.now += DAY
    move(grouped, "alex", "west")
    assert record(grouped.scope(), sale(member, location_id="alex")).answer["points"]["earned"] == 59


# -- reports --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("group_", "seen"), [("brand", {"dom", "alex"}), ("west", {"dom"}), ("cologne", {"dom"}), ("north", set())])
def test_a_report_of_a_group_has_what_happened_below_it(bare_house: House, group_: str, seen: set[str]) -> None:
    counting = SETTINGS.model_copy(update={"counter": CounterSettings.model_validate({"rules": {"claims": {"more_than": 9}}})})
    grouped = group(bare_house.create(counting))
    for location in ("dom", "alex", "zelt"):
        transaction = sold(grouped, None, location)["transaction_id"]
        claim(grouped.scope(), transaction, MemberReference(id=grouped.join()), cashier="kim")
    found = reporting.report(grouped.scope(), Place(group=group_), None, None)
    assert set(found.by_location) == seen
    assert {row.location_id for row in reporting.report(grouped.scope(), Place(), None, None).data} == {"dom", "alex", "zelt"}


# -- publishing and taking away -------------------------------------------------------------------------------------


def test_what_is_published_names_groups_that_there_are(office: Office) -> None:
    unknown = {"location_groups": ["west", "north"]}
    rule = {"kind": "per_amount", "id": "base", "points": 1, "per": 100, "when": unknown}
    budgets = {"group_budgets": {"east": 5, "south": 5}}
    goal = {"of": "purchases", "threshold": 5}
    reward = {"name": "Mug", "price": 1, "gives": {"kind": "item", "item": "mug"}, "when": unknown, "content": {"en": {"title": "Mug"}}}
    challenge = {"name": "C", "goal": goal, "when": unknown, "reward": {"points": 1}, "content": {"en": {"title": "C"}}}
    named, budget = "/location_groups/1", "/definition/limits/group_budgets/south"
    cases: list[tuple[str, dict[str, Any], list[str]]] = [
        ("programme", PROGRAMME | {"earning": [rule]}, ["/definition/earning/0/when" + named]),
        ("programme", PROGRAMME | {"applies": unknown}, ["/definition/applies" + named]),
        ("offer", FRIES | {"when": unknown, "limits": budgets}, ["/definition/when" + named, budget]),
        ("promotion", FRIES | {"limits": budgets}, [budget]),
        ("reward", reward, ["/definition/when" + named]),
        ("challenge", challenge, ["/definition/when" + named]),
    ]
    for number, (kind, body, pointers) in enumerate(cases):
        assert office.call(f"create_{kind}", {"id": f"x{number}", "definition": body}).status == 201
        said = office.call(f"publish_{kind}", {}, definition_id=f"x{number}")
        assert (said.status, said.errors) == (422, [(pointer, "unknown_location_group") for pointer in pointers])


def _gone(*groups: str) -> LocationGroups:
    left = [each for each in GROUPS["groups"] if each["id"] not in groups]
    return LocationGroups.model_validate({"groups": left})


def test_a_group_that_something_names_cannot_be_taken_away(office: Office) -> None:
    house = office.house
    house.publish("programme", "points", WESTERN)
    house.publish("offer", "few", FRIES | {"limits": {"group_budgets": {"cologne": 500}}}, since=house.now + HOUR)
    house.publish("offer", "other", FRIES | {"when": {"location_groups": ["east"]}})
    said = office.call("put_location_groups", _gone("west", "cologne").model_dump(mode="json"))
    assert (said.status, said.body["code"], said.errors) == (409, "location_group_in_use", [("/groups", "location_group_in_use")] * 2)
    assert [each["detail"] for each in said.body["errors"]] == [
        "west is named by programme points, version 1, at /definition/earning/1/when/location_groups/0",
        "cologne is named by offer few, version 1, at /definition/limits/group_budgets/cologne",
    ]
    assert set(house.scope().repository.groups()) == {"brand", "west", "cologne", "east"}


def test_a_group_that_nothing_names_any_more_may_go(grouped: House) -> None:
    """A version that a newer one has ended, one that is retired, and a draft do not count."""
    grouped.publish("programme", "points", WESTERN)
    with pytest.raises(LocationGroupInUse):
        put_groups(grouped.scope(), _gone("west", "cologne"))
    grouped.publish("programme", "points", PROGRAMME, version=2, since=grouped.now - 1)
    grouped.publish("offer", "few", FRIES | {"when": IN_THE_WEST})
    grouped.publish("offer", "few", FRIES, version=2, since=grouped.now)
    put_groups(grouped.scope(), _gone("west", "cologne"))
    assert set(grouped.scope().repository.groups()) == {"brand", "east"}
    put_groups(grouped.scope(), LocationGroups.model_validate(GROUPS))
    grouped.publish("offer", "few", FRIES | {"when": IN_THE_WEST}, version=3, since=grouped.now + DAY)
    with pytest.raises(LocationGroupInUse, match="west"):
        put_groups(grouped.scope(), _gone("west", "cologne"))


def test_where_no_group_goes_the_definitions_are_not_read(grouped: House, monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[str] = []
    query_all = grouped.table.query_all

    def counted(pk: str, **more: Any) -> list[RawItem]:
        queries.append(pk)
        return query_all(pk, **more)

    monkeypatch.setattr(grouped.table, "query_all", counted)
    more = LocationGroups.model_validate({"groups": [*GROUPS["groups"], {"id": "north", "name": "North"}]})
    put_groups(grouped.scope(), more)
    assert queries == []
    put_groups(grouped.scope(), LocationGroups.model_validate(GROUPS))
    assert len(queries) == 2
    assert catalogue.get_groups(grouped.scope()).groups == LocationGroups.model_validate(GROUPS).groups


def test_the_linter_knows_who_is_in_which_group(office: Office) -> None:
    base, of_the_west = WESTERN["earning"]
    body = PROGRAMME | {"earning": [base, of_the_west | {"when": {"location_groups": ["cologne"]}, "points": 1}]}

    def codes() -> list[tuple[str, str]]:
        said = office.call("lint_programme", {"definition": body}, definition_id="points", scopes=frozenset(KEY_SCOPES))
        return [(each["code"], each["pointer"]) for each in said.body["findings"] if each["code"].startswith("dead")]

    assert codes() == []
    assert office.call("put_locations", {"locations": [{"id": "dom", "name": "Dom", "groups": ["east"]}]}).status == 200
    assert codes() == [("dead_location_group", "/definition/earning/1/when/location_groups")]
