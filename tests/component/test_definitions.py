"""Definitions: drafts, publication, retirement; catalogue and locations; wrong input for each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.coupons.repository import CouponRepository
from shared.definitions.repository import definition_of
from shared.kernel.instants import DAY, MINUTE, SECOND, format_rfc3339
from shared.storage import keys
from tests.builders.house import FRIES, NOW, PROGRAMME, House
from tests.builders.office import Office

REGULARS: dict[str, Any] = {
    "name": "Regulars",
    "rule": {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 3},
}
CAMPAIGN: dict[str, Any] = {
    "name": "Welcome",
    "trigger": {"kind": "event", "types": ["member.registered"]},
    "steps": [{"id": "hello", "content": {"en": {"title": "Hello", "body": "Good to see you"}}}],
}
BODIES: dict[str, dict[str, Any]] = {"programme": PROGRAMME, "offer": FRIES, "segment": REGULARS, "campaign": CAMPAIGN}
LEAD = 120 * SECOND


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(bare_house.create(), monkeypatch)


def stored(office: Office, kind: str, id_: str, version: int = 1) -> Any:
    raw = office.house.table.get(keys.definition("demo", kind, id_, version))
    assert raw is not None
    return definition_of(raw)


def in_force(office: Office, kind: str, at: int) -> dict[str, int]:
    """Id -> the version that decisions of that instant see."""
    scope = office.house.scope()
    if kind == "offer":
        return {id_: version for id_, (_, version) in scope.offers_in_force(["first", "fries"], at).items()}
    return {id_: each.version for id_, each in scope.definitions.in_force(kind, at).items()}  # type: ignore[arg-type]


def told(office: Office, kind: str, id_: str, version: int = 1) -> Any:
    raw = office.house.table.get(keys.definition("demo", kind, id_, version))
    assert raw is not None
    return json.loads(raw["out"]["S"])["e"] if "out" in raw else []


def test_a_programme_names_categories_that_the_catalogue_has(office: Office) -> None:
    rule = {"kind": "per_amount", "id": "sides", "points": 1, "per": 100, "on": {"categories": ["sides", "sidse"]}}
    body = {"definition": PROGRAMME | {"earning": [rule], "base": {"excluded": {"categories": ["wine"]}}}}
    refused = office.call("create_programme", {"id": "sides", **body})
    pointers = sorted(each["pointer"] for each in refused.body["errors"])
    assert (refused.status, pointers) == (422, ["/definition/base/excluded/categories/0", "/definition/earning/0/on/categories/1"])
    assert {each["code"] for each in refused.body["errors"]} == {"unknown_category"}
    assert office.call("get_programme", definition_id="sides").status == 404


def test_without_a_catalogue_a_programme_may_name_any_category(office: Office) -> None:
    for raw in office.house.table.query_all(keys.catalogue("demo"), begins="ITEM#"):
        office.house.table.delete(keys.Key(raw["PK"]["S"], raw["SK"]["S"]))
    rule = {"kind": "per_amount", "id": "sides", "points": 1, "per": 100, "on": {"categories": ["sides"]}}
    assert office.call("create_programme", {"id": "sides", "definition": PROGRAMME | {"earning": [rule]}}).status == 201


@pytest.mark.parametrize(
    ("definition", "pointer"),
    [
        (PROGRAMME | {"earning": [{"kind": "per_smile", "id": "a", "points": 1}]}, "/definition/earning/0/kind"),
        (PROGRAMME | {"earning": [{"kind": "per_amount", "id": "a", "points": 1.5, "per": 100}]}, "/definition/earning/0/points"),
        (PROGRAMME | {"applies": {"hours": {"start": "9", "end": "10:00"}}}, "/definition/applies/hours/start"),
        (PROGRAMME | {"expiry": {"kind": "after_days"}}, "/definition/expiry"),
    ],
)
def test_a_programme_that_does_not_fit_is_refused_where_it_does_not(office: Office, definition: Any, pointer: str) -> None:
    refused = office.call("create_programme", {"id": "bad", "definition": definition})
    assert (refused.status, pointer in {each["pointer"] for each in refused.body["errors"]}) == (422, True)
    assert office.call("get_programme", definition_id="bad").status == 404


# -- drafts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BODIES)
def test_a_draft_comes_back_as_it_was_sent(office: Office, kind: str) -> None:
    made = office.call(f"create_{kind}", {"id": "first", "definition": BODIES[kind]})
    assert (made.status, made.headers["etag"]) == (201, '"1.1"')
    assert made.body == {
        "id": "first",
        "kind": kind,
        "version": 1,
        "status": "draft",
        "etag": "1.1",
        "definition": BODIES[kind],
        "changed_at": format_rfc3339(NOW),
    }
    assert office.call(f"get_{kind}", definition_id="first").body == made.body
    assert told(office, kind, "first") == []


@pytest.mark.parametrize(("name", "id_"), [("Frühstück für 2 €", "fruhstuck-fur-2"), ("  A  ", "a"), ("X" * 90, "x" * 48)])
def test_an_id_is_made_from_the_name(office: Office, name: str, id_: str) -> None:
    assert office.call("create_segment", {"definition": REGULARS | {"name": name}}).body["id"] == id_


def test_a_name_that_makes_no_id_needs_one(office: Office) -> None:
    assert office.call("create_segment", {"definition": REGULARS | {"name": "常连"}}).errors == [("/id", "required")]


def test_a_taken_id_is_refused_and_changes_nothing(office: Office) -> None:
    office.call("create_offer", {"id": "fries", "definition": FRIES})
    before = office.rows()
    said = office.call("create_offer", {"id": "fries", "definition": FRIES | {"name": "Other"}})
    assert (said.status, said.body["code"]) == (409, "definition_exists")
    assert office.rows() == before


AT_X = {"id": "x", "name": "X"}
NO_RULES: dict[str, Any] = {"kind": "all", "rules": []}
WRONG: list[tuple[str, Any, int, list[tuple[str, str]]]] = [
    ("create_offer", "[", 400, [("", "invalid_json")]),
    ("create_offer", {"definition": {}}, 422, [("/definition/name", "required"), ("/definition/effect", "required")]),
    ("create_offer", {"id": "Not An Id", "definition": FRIES}, 422, [("/id", "invalid_value")]),
    ("create_offer", {"definition": FRIES | {"effect": {"kind": "free"}}}, 422, [("/definition/effect/kind", "invalid_value")]),
    ("create_offer", {"definition": FRIES | {"minimum_basket": 9.5}}, 422, [("/definition/minimum_basket", "wrong_type")]),
    ("create_offer", {"definition": FRIES | {"valid_until": "tomorrow"}}, 422, [("/definition", "invalid_value")]),
    ("create_programme", {"definition": PROGRAMME | {"rate": 1}}, 422, [("/definition/rate", "unknown_field")]),
    ("create_segment", {"definition": REGULARS | {"version": 3}}, 422, [("/definition/version", "unknown_field")]),
    ("create_segment", {"definition": {"name": "A", "rule": NO_RULES}}, 422, [("/definition/rule/rules", "invalid_value")]),
    ("create_campaign", {"definition": CAMPAIGN | {"steps": []}}, 422, [("/definition/steps", "invalid_value")]),
    ("put_items", {"items": [{"id": "a", "name": "A", "price": "12"}]}, 422, [("/items/0/price", "wrong_type")]),
    ("put_items", {"items": [{"id": "a", "name": "A"}, {"id": "a", "name": "B"}]}, 422, [("/items/1/id", "duplicate")]),
    ("put_items", {"items": [{"id": "é" * 64, "name": "A"}]}, 422, [("/items/0/id", "invalid_value")]),
    ("put_items", {"items": []}, 422, [("/items", "invalid_value")]),
    ("create_offer", {"definition": FRIES | {"name": "\ud800"}}, 400, [("", "invalid_json")]),
    ("create_offer", {"definition": FRIES | {"name": "Fries\x00"}}, 422, [("/definition/name", "control_character")]),
    (
        "create_offer",
        {"definition": FRIES | {"content": {"en": {"title": "One\ntwo", "text": "One\r\n\ttwo", "terms": "\x7f"}}}},
        422,
        [("/definition/content/en/title", "control_character"), ("/definition/content/en/terms", "control_character")],
    ),
    ("create_segment", {"definition": REGULARS | {"name": "A\x85"}}, 422, [("/definition/name", "control_character")]),
    ("create_programme", {"definition": PROGRAMME | {"name": "\x1bA"}}, 422, [("/definition/name", "control_character")]),
    ("put_items", {"items": [{"id": "a", "name": "A"}, {"id": "b", "name": "B\x00"}]}, 422, [("/items/1/name", "control_character")]),
    ("put_locations", {"locations": [AT_X | {"name": "X\x08"}]}, 422, [("/locations/0/name", "control_character")]),
    ("put_locations", {"locations": [AT_X | {"latitude_e6": 91_000_000}]}, 422, [("/locations/0/latitude_e6", "invalid_value")]),
    ("put_locations", {"locations": [AT_X | {"time_zone": "Moon"}]}, 422, [("/locations/0/time_zone", "invalid_value")]),
]


@pytest.mark.parametrize(("operation", "body", "status", "errors"), WRONG)
def test_wrong_input_stores_nothing(office: Office, operation: str, body: Any, status: int, errors: list[tuple[str, str]]) -> None:
    before = office.rows()
    said = office.call(operation, body)
    assert said.status == status
    assert said.errors == errors
    assert office.rows() == before


def test_a_segment_that_is_too_large_points_at_the_node(office: Office) -> None:
    rule: dict[str, Any] = REGULARS["rule"]
    for _ in range(12):
        rule = {"kind": "not", "rule": rule}
    said = office.call("create_segment", {"definition": {"name": "Deep", "rule": rule}})
    assert (said.status, said.body["code"]) == (422, "segment_too_large")
    assert said.errors[0][0].startswith("/definition/rule/rule")


@pytest.mark.parametrize("kind", BODIES)
def test_an_unknown_definition_is_not_found(office: Office, kind: str) -> None:
    calls = [
        office.call(f"get_{kind}", definition_id="nope"),
        office.call(f"get_{kind}", definition_id="T#other"),
        office.call(f"replace_{kind}", {"definition": BODIES[kind]}, definition_id="nope", if_match="1.1"),
        office.call(f"publish_{kind}", {}, definition_id="nope"),
        office.call(f"retire_{kind}", definition_id="nope"),
    ]
    assert [(said.status, said.body["code"]) for said in calls] == [(404, "unknown_definition")] * 5


def test_a_key_without_the_scope_is_refused(office: Office) -> None:
    said = office.call("create_offer", {"definition": FRIES}, scopes=frozenset({"definitions:read"}))
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")


# -- replacing ------------------------------------------------------------------------------------------------------


def test_a_draft_is_rewritten_and_its_tag_moves_on(office: Office) -> None:
    office.call("create_segment", {"id": "regulars", "definition": REGULARS})
    said = office.call("replace_segment", {"definition": REGULARS | {"name": "New"}}, definition_id="regulars", if_match="1.1")
    assert (said.status, said.headers["etag"], said.body["version"]) == (200, '"1.2"', 1)
    late = office.call("replace_segment", {"definition": REGULARS}, definition_id="regulars", if_match="1.1")
    assert (late.status, late.body["code"]) == (412, "version_mismatch")
    assert office.call("replace_segment", {"definition": REGULARS}, definition_id="regulars").status == 428
    assert stored(office, "segment", "regulars").body["name"] == "New"


def test_a_published_version_stays_and_gets_a_draft_beside_it(office: Office) -> None:
    office.call("create_segment", {"id": "regulars", "definition": REGULARS})
    published = office.call("publish_segment", {}, definition_id="regulars").body
    draft = office.call("replace_segment", {"definition": REGULARS | {"name": "Two"}}, definition_id="regulars", if_match=published["etag"])
    assert (draft.body["version"], draft.body["status"], draft.body["etag"]) == (2, "draft", "2.1")
    again = office.call("replace_segment", {"definition": REGULARS | {"name": "X"}}, definition_id="regulars", if_match=published["etag"])
    assert again.status == 412
    assert stored(office, "segment", "regulars", 1).body["name"] == "Regulars"


# -- publishing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BODIES)
def test_what_is_published_holds_when_every_function_knows(office: Office, kind: str) -> None:
    office.call(f"create_{kind}", {"id": "first", "definition": BODIES[kind]})
    said = office.call(f"publish_{kind}", {}, definition_id="first", headers={"x-correlation-id": "publish-1"})
    since = NOW + LEAD
    assert (said.body["status"], said.body["effective_from"], said.body["etag"]) == ("published", format_rfc3339(since), "1.2")
    assert "first" not in in_force(office, kind, since - 1)
    assert "first" in in_force(office, kind, since)
    epoch = since if kind == "segment" else 0
    data = {"kind": kind, "id": "first", "version": 1, "epoch": epoch, "effective_from": since}
    assert told(office, kind, "first") == [["definition.published", NOW, data]]


def test_publishing_again_answers_the_same_and_tells_nothing_new(office: Office) -> None:
    office.call("create_offer", {"id": "fries", "definition": FRIES})
    first = office.call("publish_offer", {}, definition_id="fries")
    before = office.rows()
    office.house.now += MINUTE
    assert office.call("publish_offer", {}, definition_id="fries").body == first.body
    assert office.call("publish_offer", {"effective_from": first.body["effective_from"]}, definition_id="fries").body == first.body
    other = office.call("publish_offer", {"effective_from": format_rfc3339(NOW + DAY)}, definition_id="fries")
    assert (other.status, other.body["code"]) == (409, "nothing_to_publish")
    assert office.rows() == before


@pytest.mark.parametrize(
    ("body", "status", "errors"),
    [
        ({"effective_from": "2026-11-21T10:01:59Z"}, 422, [("/effective_from", "too_early")]),
        ({"effective_from": "2026-11-22"}, 422, [("/effective_from", "invalid_value")]),
        ({"effective_from": 1}, 422, [("/effective_from", "wrong_type")]),
        ({"at": "2026-11-22T00:00:00Z"}, 422, [("/at", "unknown_field")]),
        ("", 400, []),
    ],
)
def test_an_instant_that_cannot_be_kept_is_refused(office: Office, body: Any, status: int, errors: list[tuple[str, str]]) -> None:
    office.call("create_offer", {"id": "fries", "definition": FRIES})
    said = office.call("publish_offer", body, definition_id="fries")
    assert (said.status, said.errors) == (status, errors)
    assert stored(office, "offer", "fries").status == "draft"


def test_a_later_version_does_not_hold_before_the_one_it_replaces(office: Office) -> None:
    office.call("create_offer", {"id": "fries", "definition": FRIES})
    later = format_rfc3339(NOW + DAY)
    published = office.call("publish_offer", {"effective_from": later}, definition_id="fries").body
    office.call("replace_offer", {"definition": FRIES}, definition_id="fries", if_match=published["etag"])
    early = office.call("publish_offer", {"effective_from": format_rfc3339(NOW + MINUTE * 10)}, definition_id="fries")
    assert early.errors == [("/effective_from", "too_early")]
    assert office.call("publish_offer", {}, definition_id="fries").body["effective_from"] == later


def test_epochs_follow_the_switches_whatever_the_order_of_publishing(office: Office) -> None:
    for id_, at in (("later", NOW + DAY), ("sooner", NOW + 10 * MINUTE)):
        office.call("create_segment", {"id": id_, "definition": REGULARS})
        office.call("publish_segment", {"effective_from": format_rfc3339(at)}, definition_id=id_)
    epochs = [office.house.scope().definitions.epoch_at(NOW + offset) for offset in (0, 11 * MINUTE, DAY + MINUTE)]
    assert epochs == sorted(set(epochs))


def test_the_first_version_of_a_segment_is_served_at_once_and_the_next_waits_for_its_swap(office: Office) -> None:
    office.call("create_segment", {"id": "regulars", "definition": REGULARS})
    published = office.call("publish_segment", {}, definition_id="regulars").body
    office.house.now += 10 * MINUTE
    office.call("replace_segment", {"definition": REGULARS}, definition_id="regulars", if_match=published["etag"])
    office.call("publish_segment", {}, definition_id="regulars")
    assert stored(office, "segment", "regulars", 1).served_at == NOW + LEAD
    assert stored(office, "segment", "regulars", 2).served_at is None
    view = office.house.scope().definitions.at(office.house.now + DAY)
    assert [each.version for each in view.live_segments] == [2, 1]
    assert view.served_segments["regulars"].version == 1


def test_an_offer_with_a_limit_has_its_quota_before_it_holds(office: Office) -> None:
    office.call("create_offer", {"id": "few", "definition": FRIES | {"limit": 120}})
    office.call("publish_offer", {}, definition_id="few")
    repository = CouponRepository("demo", office.house.table)
    assert repository.shard_with_room("offer:few", 120, "anybody") is not None
    raws = [office.house.table.get(keys.quota("demo", "offer:few", shard)) for shard in range(3)]
    assert sum(int(raw["share"]["N"]) for raw in raws if raw) == 120


@pytest.mark.parametrize(
    ("kind", "body", "errors"),
    [
        ("offer", FRIES | {"when": {"locations": ["mitte", "nowhere"]}}, [("/definition/when/locations/1", "unknown_location")]),
        (
            "segment",
            {"name": "A", "rule": {"kind": "not", "rule": {"kind": "coupon", "offer": "none", "state": "active"}}},
            [("/definition/rule/rule/offer", "unknown_offer")],
        ),
        (
            "segment",
            {"name": "A", "rule": {"kind": "any", "rules": [{"kind": "balance", "wallet": "stars", "op": "ge", "value": 1}]}},
            [("/definition/rule/rules/0/wallet", "unknown_wallet")],
        ),
        (
            "segment",
            {"name": "A", "rule": {"kind": "favourite", "of": "location", "days": 30, "in": ["mitte", "mars"]}},
            [("/definition/rule/in/1", "unknown_location")],
        ),
        (
            "segment",
            {"name": "A", "rule": REGULARS["rule"] | {"filter": {"location": "mars"}}},
            [("/definition/rule/filter/location", "unknown_location")],
        ),
        ("campaign", CAMPAIGN | {"audience": {"segment": "draft-only"}}, [("/definition/audience/segment", "unknown_segment")]),
        (
            "campaign",
            CAMPAIGN | {"steps": [CAMPAIGN["steps"][0] | {"offer": "none", "form": {"fields": ["birth_date"], "offer": "none"}}]},
            [("/definition/steps/0/offer", "unknown_offer"), ("/definition/steps/0/form/offer", "unknown_offer")],
        ),
    ],
)
def test_what_names_something_missing_is_not_published(office: Office, kind: str, body: Any, errors: list[tuple[str, str]]) -> None:
    office.call("create_segment", {"id": "draft-only", "definition": REGULARS})
    assert office.call(f"create_{kind}", {"id": "first", "definition": body}).status == 201
    said = office.call(f"publish_{kind}", {}, definition_id="first")
    assert (said.status, said.body["code"], said.errors) == (422, "broken_reference", errors)
    assert stored(office, kind, "first").status == "draft"


# -- retiring -------------------------------------------------------------------------------------------------------


def test_retiring_ends_every_version_so_that_no_older_one_comes_back(office: Office) -> None:
    office.call("create_segment", {"id": "regulars", "definition": REGULARS})
    for _ in range(3):
        published = office.call("publish_segment", {}, definition_id="regulars").body
        office.house.now += 10 * MINUTE
        office.call("replace_segment", {"definition": REGULARS}, definition_id="regulars", if_match=published["etag"])
    said = office.call("retire_segment", definition_id="regulars")
    assert (said.status, said.body["status"]) == (200, "retired")
    until = office.house.now + LEAD
    whole = office.house.scope().definitions
    assert "regulars" in whole.in_force("segment", until - 1)
    assert whole.in_force("segment", until) == {}
    assert whole.at(until).live_segments == ()
    assert whole.epoch_at(until) > whole.epoch_at(until - 1)
    data = {"kind": "segment", "id": "regulars", "version": 3, "epoch": until, "retired_from": until}
    assert told(office, "segment", "regulars", 3) == [["definition.retired", office.house.now, data]]
    before = office.rows()
    assert office.call("retire_segment", definition_id="regulars").body["status"] == "retired"
    assert office.rows() == before


def test_a_retired_definition_can_be_written_and_published_again(office: Office) -> None:
    office.call("create_offer", {"id": "fries", "definition": FRIES})
    office.call("publish_offer", {}, definition_id="fries")
    retired = office.call("retire_offer", definition_id="fries").body
    assert office.call("publish_offer", {}, definition_id="fries").body["code"] == "nothing_to_publish"
    office.house.now += 10 * MINUTE
    draft = office.call("replace_offer", {"definition": FRIES}, definition_id="fries", if_match=retired["etag"])
    assert draft.body["version"] == 2
    office.call("publish_offer", {}, definition_id="fries")
    office.house.now += 10 * MINUTE
    assert in_force(office, "offer", office.house.now)["fries"] == 2


def test_a_draft_alone_is_retired_without_an_event(office: Office) -> None:
    office.call("create_offer", {"id": "fries", "definition": FRIES})
    assert office.call("retire_offer", definition_id="fries").body["status"] == "retired"
    assert told(office, "offer", "fries") == []


# -- lists ----------------------------------------------------------------------------------------------------------


def walk(office: Office, operation: str, limit: str = "2") -> list[Any]:
    found: list[Any] = []
    cursor = None
    for _ in range(20):
        said = office.call(operation, query={"limit": limit} | ({"cursor": cursor} if cursor else {}))
        found += said.body["data"]
        cursor = said.body.get("next_cursor")
        if cursor is None:
            return found
    raise AssertionError("the list has no end")


def test_definitions_are_listed_by_id_with_their_newest_version(office: Office) -> None:
    for id_ in ("e", "a", "c", "b", "d"):
        office.call("create_offer", {"id": id_, "definition": FRIES})
    published = office.call("publish_offer", {}, definition_id="c").body
    office.call("replace_offer", {"definition": FRIES}, definition_id="c", if_match=published["etag"])
    office.call("create_segment", {"id": "not-an-offer", "definition": REGULARS})
    assert [(each["id"], each["version"]) for each in walk(office, "list_offers")] == [("a", 1), ("b", 1), ("c", 2), ("d", 1), ("e", 1)]


def test_a_cursor_is_good_for_its_own_list_only(office: Office) -> None:
    for id_ in ("a", "b"):
        office.call("create_offer", {"id": id_, "definition": FRIES})
    cursor = office.call("list_offers", query={"limit": "1"}).body["next_cursor"]
    assert office.call("list_segments", query={"cursor": cursor}).body["code"] == "invalid_cursor"
    assert office.call("list_offers", query={"cursor": cursor + "x"}).body["code"] == "invalid_cursor"
    assert office.call("list_offers", query={"page": "2"}).errors == [("/page", "unknown_field")]


def test_items_are_created_replaced_and_left_alone(office: Office) -> None:
    fries = {"id": "fries", "name": "Fries", "category": "sides", "tags": ["vegetarian"], "price": 350}
    burger = {"id": "burger", "name": "Big", "price": 990}
    said = office.call("put_items", {"items": [fries, burger, {"id": "a/b #1", "name": "Odd"}]})
    assert [each["status"] for each in said.body["items"]] == ["unchanged", "replaced", "created"]
    listed = walk(office, "list_items")
    assert {each["id"] for each in listed} == {"fries", "burger", "salad", "a/b #1"}
    assert next(each for each in listed if each["id"] == "burger")["price"] == 990


def test_two_hundred_items_go_in_one_call_and_one_more_does_not(office: Office) -> None:
    items = [{"id": f"i{number}", "name": f"Item {number}"} for number in range(201)]
    assert office.call("put_items", {"items": items}).errors == [("/items", "invalid_value")]
    assert len(office.call("put_items", {"items": items[:200]}).body["items"]) == 200
    assert len(walk(office, "list_items", "150")) == 203


def test_locations_are_known_at_once_where_they_are_written(office: Office) -> None:
    assert "kreuzberg" not in office.house.scope().definitions.locations
    said = office.call("put_locations", {"locations": [{"id": "kreuzberg", "name": "Kreuzberg", "groups": ["berlin"]}]})
    assert said.body == {"locations": [{"id": "kreuzberg", "status": "created"}]}
    assert "kreuzberg" in office.house.scope().definitions.locations
    assert [each["id"] for each in walk(office, "list_locations", "1")] == ["kreuzberg", "mitte"]


def test_another_tenants_definitions_are_not_there(office: Office) -> None:
    office.call("create_offer", {"id": "fries", "definition": FRIES})
    other = House(office.house.table, office.house.key_table, tenant="other")
    other.create()
    assert office.call("get_offer", definition_id="fries", tenant="other").status == 404
    assert office.call("list_offers", tenant="other").body == {"data": []}


def test_a_limit_that_all_share_may_be_raised_and_not_lowered(office: Office) -> None:
    def published(limit: int) -> Any:
        etag = office.call("get_offer", definition_id="fries").body["etag"]
        office.call("replace_offer", {"definition": FRIES | {"limit": limit}}, definition_id="fries", if_match=etag)
        return office.call("publish_offer", {}, definition_id="fries")

    office.call("create_offer", {"id": "fries", "definition": FRIES | {"limit": 100}})
    office.call("publish_offer", {}, definition_id="fries")
    office.house.now += 10 * MINUTE
    lower = published(99)
    assert (lower.status, lower.body["code"], lower.body["errors"][0]["pointer"]) == (422, "limit_lowered", "/definition/limit")
    assert stored(office, "offer", "fries", 2).status == "draft"
    assert published(101).body["status"] == "published"
