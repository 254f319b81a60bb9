"""What guests read: nothing is published without the tenant's first language, and each reads hers, in the declared order."""

from __future__ import annotations

from typing import Any

import pytest

from shared.coupons.api import IssueRequest
from shared.coupons.repository import CouponRepository
from shared.coupons.service import issue
from shared.kernel.instants import DAY
from shared.rewards.model import key_of
from shared.tenants.model import TenantSettings
from tests.builders.front import Front
from tests.builders.house import FRIES, PROGRAMME, SETTINGS, House
from tests.builders.office import Office

IMAGE = "med_" + "a" * 32
LINKS = f"https://images.example/media/demo/{IMAGE}"
GOAL = {"of": "visits", "threshold": 2}
BODIES: dict[str, dict[str, Any]] = {
    "offer": {"name": "O", "effect": {"kind": "percent", "percent": 10}},
    "promotion": {"name": "P", "effect": {"kind": "percent", "percent": 10}},
    "reward": {"name": "R", "price": 5, "gives": {"kind": "item", "item": "mug"}},
    "challenge": {"name": "C", "goal": GOAL, "reward": {"badge": "b"}},
}
TWO = SETTINGS.model_copy(update={"languages": ("de", "en"), "app_link": "fries://"})


def text(title: str, **more: str) -> dict[str, Any]:
    return {"title": title, **more}


def both(name: str, **more: str) -> dict[str, Any]:
    """German and English, with everything."""
    return {
        language: text(f"{name} {language}", text=f"short {language}", long_text=f"long {language}", terms=f"terms {language}",
                       teaser=f"soon {language}", image=IMAGE, deep_link=f"fries://{name}", **more)
        for language in ("de", "en")
    }  # fmt: skip


def reads(name: str, language: str, *, teased: bool = False) -> dict[str, Any]:
    """The part of an answer that ``both`` is read as."""
    image = {"small": f"{LINKS}/320.webp", "medium": f"{LINKS}/640.webp", "large": f"{LINKS}/1280.webp", "fallback": f"{LINKS}/fallback"}
    read = {
        "title": f"{name} {language}", "text": f"short {language}", "long_text": f"long {language}", "terms": f"terms {language}",
        "deep_link": f"fries://{name}", "image": image,
    }  # fmt: skip
    return read | ({"teaser": f"soon {language}"} if teased else {})


def part(answer: dict[str, Any]) -> dict[str, Any]:
    """What guests read of it."""
    return {name: answer[name] for name in ("title", "text", "long_text", "terms", "image", "deep_link", "teaser") if name in answer}


def made(house: House, monkeypatch: pytest.MonkeyPatch, settings: TenantSettings = TWO) -> Office:
    house.media_url = "https://images.example"
    return Office(house.create(settings), monkeypatch)


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return made(bare_house, monkeypatch)


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    bare_house.media_url = "https://images.example"
    return Front(bare_house.create(TWO), monkeypatch)


# -- publishing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize(
    ("content", "errors"),
    [
        ({"de": text("Ja")}, []),
        ({}, [("/definition/content", "missing_language")]),
        ({"en": text("Yes")}, [("/definition/content", "missing_language")]),
        ({"de": text("Ja"), "fr": text("Oui")}, [("/definition/content/fr", "unknown_language")]),
        ({"de": text("Ja", deep_link="http://example.com")}, [("/definition/content/de/deep_link", "unknown_scheme")]),
        ({"de": text("Ja", image=IMAGE)}, [("/definition/content/de/image", "unknown_media")]),
    ],
)
def test_what_guests_are_shown_is_published_in_the_tenants_first_language_or_not_at_all(
    office: Office, kind: str, content: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    body = BODIES[kind] | ({"content": content} if content else {})
    assert office.call(f"create_{kind}", {"id": "x", "definition": body}).status == 201
    said = office.call(f"publish_{kind}", {}, definition_id="x")
    assert (said.status, said.errors) == (422 if errors else 200, errors)


@pytest.mark.parametrize(
    ("silver", "gold", "errors"),
    [
        (None, None, []),
        ({"de": text("Silber")}, {"de": text("Gold")}, []),
        ({"de": text("Silber")}, None, [("/definition/tiers/levels/1/content", "missing_language")]),
        ({"en": text("Silver")}, {"de": text("Gold")}, [("/definition/tiers/levels/0/content", "missing_language")]),
        ({"de": text("S", image=IMAGE)}, {"de": text("G")}, [("/definition/tiers/levels/0/content/de/image", "unknown_media")]),
    ],
)
def test_of_tiers_none_or_all_have_a_text(office: Office, silver: Any, gold: Any, errors: list[tuple[str, str]]) -> None:
    levels = [
        {"id": id_, "name": id_, "threshold": threshold} | ({"content": content} if content else {})
        for id_, threshold, content in (("silver", 10, silver), ("gold", 20, gold))
    ]
    body = PROGRAMME | {"tiers": {"levels": levels}}
    assert office.call("create_programme", {"id": "x", "definition": body}).status == 201
    said = office.call("publish_programme", {}, definition_id="x")
    assert (said.status, said.errors) == (422 if errors else 200, errors)


def test_a_draft_may_lack_what_only_publishing_asks_for(office: Office) -> None:
    said = office.call("create_reward", {"id": "x", "definition": BODIES["reward"] | {"content": {"fr": text("Oui")}}})
    assert said.status == 201


# -- reading --------------------------------------------------------------------------------------------------------


def coupon_of(house: House, offer: str, member: str) -> str:
    coupon = issue(house.scope(), offer, IssueRequest(member_id=member, request_id=f"{offer}-1"), None).answer.id
    assert coupon is not None
    return coupon


def test_coupons_are_read_in_her_language_by_the_offers_order_then_newest_first(front: Front) -> None:
    house = front.house
    for id_, order in (("last", 5), ("first", -5), ("middle", 0)):
        house.publish("offer", id_, FRIES | {"content": both(id_), "sort_order": order})
    house.publish("offer", "later", FRIES | {"content": both("later"), "sort_order": 9, "starts_after_days": 2})
    member = front.register(profile={"language": "en-GB"})
    for offer in ("last", "first", "middle", "later"):
        coupon_of(house, offer, member)
    listed = front.call("list_member_coupons", member_id=member).body["data"]
    assert [each["offer_id"] for each in listed] == ["first", "middle", "last", "later"]
    assert part(listed[0]) == reads("first", "en")
    assert part(listed[3]) == reads("later", "en", teased=True)
    identified = front.call("identify_member", {"id": member}).body["coupons"]
    assert [(each["offer_id"], part(each)) for each in identified] == [(id_, reads(id_, "en")) for id_ in ("first", "middle", "last")]


def test_without_a_language_of_her_own_she_reads_the_tenants_first(front: Front) -> None:
    front.house.publish("offer", "fries", FRIES | {"content": dict(reversed(both("fries").items()))})
    member = front.register()
    coupon_of(front.house, "fries", member)
    assert part(front.call("list_member_coupons", member_id=member).body["data"][0]) == reads("fries", "de")


def test_rewards_that_she_cannot_have_show_their_teaser(front: Front) -> None:
    house = front.house
    house.publish("programme", "points", PROGRAMME)
    for id_, order, price in (("dear", 1, 500), ("cheap", 2, 10)):
        house.publish("reward", id_, BODIES["reward"] | {"content": both(id_), "sort_order": order, "price": price, "stock": 5})
        CouponRepository(house.tenant, house.table).create_quota(key_of(id_), 5)
    member = front.register(profile={"language": "en"})
    adjusted = front.call("adjust_points", {"points": 100, "reason": "a test"}, member_id=member, headers={"idempotency-key": "one"})
    assert adjusted.status == 201, adjusted.body
    dear, cheap = front.call("list_member_rewards_of_me", me=member).body["data"]
    assert part(dear) == reads("dear", "en", teased=True)
    assert (dear["available"], dear["missing"]) == (False, 400)
    assert part(cheap) == reads("cheap", "en")
    assert cheap["available"] is True


def test_challenges_are_listed_by_their_order_with_a_teaser_until_they_have_begun(front: Front) -> None:
    house = front.house
    for id_, order in (("apples", 2), ("bread", 1)):
        house.publish("challenge", id_, BODIES["challenge"] | {"automatic": True, "content": both(id_), "sort_order": order})
    house.publish("challenge", "third", BODIES["challenge"] | {"content": both("third"), "sort_order": 3})
    member = front.register(profile={"language": "en"})
    given = {"member_id": member, "request_id": "1"}
    assert front.call("give_challenge", given, scopes=frozenset({"coupons:issue"}), challenge_id="third").status == 201
    listed = front.call("list_member_challenges", member_id=member).body["data"]
    assert [part(each) for each in listed] == [
        reads("bread", "en", teased=True), reads("apples", "en", teased=True), reads("third", "en"),
    ]  # fmt: skip


def test_tiers_are_read_with_the_teaser_of_those_not_reached(front: Front) -> None:
    house = front.house
    levels = [
        {"id": "silver", "name": "S", "threshold": 10, "content": both("silver"), "sort_order": 2},
        {"id": "gold", "name": "G", "threshold": 20, "content": both("gold"), "sort_order": 1, "benefits": ["a cake"]},
    ]
    house.publish("programme", "points", PROGRAMME | {"tiers": {"levels": levels}})
    member = front.register(profile={"language": "en"})
    assert "tier" not in front.call("get_wallet", member_id=member).body
    until = {"tier": "silver", "until": "2027-11-21T10:00:00Z", "reason": "a test"}
    said = front.call("set_tier", until, member_id=member, headers={"idempotency-key": "one"})
    assert said.status == 200, said.body
    silver = {"tier": "silver", "reached": True, "benefits": [], **reads("silver", "en")}
    gold = {"tier": "gold", "reached": False, "benefits": ["a cake"], **reads("gold", "en", teased=True)}
    assert front.call("get_wallet_of_me", me=member).body["tier"] == silver
    standing = front.call("get_profile", member_id=member).body["tier"]
    assert (standing["levels"], standing["next"]["name"]) == ([gold, silver], "gold en")
    answer = front.call("get_member", member_id=member).body
    assert (answer["tier"], answer["tier_title"]) == ("silver", "silver en")


def test_the_till_and_the_forms_read_the_same_title(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    house = front.house
    house.publish("offer", "fries", FRIES | {"content": both("fries")})
    house.publish("offer", "bare", FRIES | {"content": {}})
    member = front.register()
    office = Office(house, monkeypatch)
    for offer, title in (("fries", "fries de"), ("bare", "Welcome fries")):
        said = office.call("lookup_coupon", {"id": coupon_of(house, offer, member)})
        assert said.body["title"] == title


def test_a_day_later_the_coupon_has_begun_and_needs_no_teaser(front: Front) -> None:
    house = front.house
    house.publish("offer", "fries", FRIES | {"content": both("fries"), "starts_after_days": 1})
    member = front.register(profile={"language": "en"})
    coupon_of(house, "fries", member)
    assert "teaser" in front.call("list_member_coupons", member_id=member).body["data"][0]
    house.now += 2 * DAY
    assert "teaser" not in front.call("list_member_coupons", member_id=member).body["data"][0]
