"""The linter behind its route and before a publication."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders.house import FRIES, PROGRAMME, House
from tests.builders.office import Office

DEAR: dict[str, Any] = PROGRAMME | {"earning": [{"kind": "per_amount", "id": "base", "points": 1, "per": 4}]}
"""A point, worth 5, for 4."""
TIRED: dict[str, Any] = DEAR | {"pending": {"days": 7}, "expiry": {"kind": "end_of_month"}}
ONE = {"kind": "per_amount", "points": 1, "per": 100}
TWICE = [ONE | {"id": "a", "combine": "stop"}, ONE | {"id": "b"}]


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(bare_house.create(), monkeypatch)


def create(office: Office, body: dict[str, Any], kind: str = "programme", id_: str = "points") -> None:
    assert office.call(f"create_{kind}", {"id": id_, "definition": body}).status == 201


def found(office: Office, body: Any = None, id_: str = "points") -> list[tuple[str, str]]:
    said = office.call("lint_programme", body, definition_id=id_)
    assert said.status == 200
    return [(each["code"], each["pointer"]) for each in said.body["findings"]]


PAYS = ("pays_more_than_spent", "/definition/earning/0")
EXPIRES = ("expires_before_available", "/definition/expiry")


def test_the_newest_version_is_linted_draft_or_not(office: Office) -> None:
    create(office, PROGRAMME)
    assert office.call("lint_programme", definition_id="points").body == {"version": 1, "findings": []}
    office.call("publish_programme", {}, definition_id="points")
    assert found(office) == []
    assert office.call("replace_programme", {"definition": DEAR}, definition_id="points", if_match="1.2").status == 200
    said = office.call("lint_programme", {}, definition_id="points")
    assert said.body["version"] == 2
    (finding,) = said.body["findings"]
    assert (finding["code"], finding["pointer"], finding["severity"]) == (*PAYS, "error")
    example = finding["example"]
    assert (example["earned"], example["worth"]) == (example["spent"] // 4, example["spent"] // 4 * 5)


def test_a_body_is_linted_and_nothing_is_stored(office: Office) -> None:
    before = office.rows()
    said = office.call("lint_programme", {"definition": DEAR}, definition_id="not-there-yet")
    assert [(each["code"], each["pointer"]) for each in said.body["findings"]] == [PAYS]
    assert "version" not in said.body
    assert office.rows() == before


def test_without_a_version_and_without_a_body_there_is_nothing_to_lint(office: Office) -> None:
    said = office.call("lint_programme", {}, definition_id="nope")
    assert (said.status, said.body["code"]) == (404, "unknown_definition")


def test_a_body_that_is_no_programme_is_refused_with_pointers(office: Office) -> None:
    said = office.call("lint_programme", {"definition": {"name": "Points", "earning": [{"kind": "magic"}]}}, definition_id="points")
    assert said.status == 422
    assert said.errors[0][0].startswith("/definition/earning/0")


def test_reading_definitions_is_enough_to_lint_and_needed(office: Office) -> None:
    create(office, PROGRAMME)
    reader, till = frozenset({"definitions:read"}), frozenset({"transactions:write"})
    assert office.call("lint_programme", {}, definition_id="points", scopes=reader).status == 200
    assert office.call("lint_programme", {}, definition_id="points", scopes=till).status == 403


def test_errors_keep_a_programme_from_being_published(office: Office) -> None:
    create(office, TIRED)
    before = office.rows()
    said = office.call("publish_programme", {}, definition_id="points")
    assert (said.status, said.body["code"]) == (422, "lint_failed")
    assert said.errors == [(pointer, code) for code, pointer in (PAYS, EXPIRES)]
    assert all(each["detail"] for each in said.body["errors"])
    assert office.rows() == before


def test_accepted_errors_do_not(office: Office) -> None:
    create(office, TIRED)
    some = office.call("publish_programme", {"accept": ["pays_more_than_spent"]}, definition_id="points")
    assert (some.status, some.errors) == (422, [EXPIRES[::-1]])
    every = office.call("publish_programme", {"accept": ["pays_more_than_spent", "expires_before_available"]}, definition_id="points")
    assert (every.status, every.body["status"]) == (200, "published")


def test_a_code_that_there_is_not_cannot_be_accepted(office: Office) -> None:
    create(office, DEAR)
    said = office.call("publish_programme", {"accept": ["everything"]}, definition_id="points")
    assert (said.status, said.errors) == (422, [("/accept/0", "invalid_value")])


def test_warnings_never_block(office: Office) -> None:
    create(office, PROGRAMME | {"earning": TWICE})
    assert found(office) == [("shadowed_by_stop", "/definition/earning/1")]
    assert office.call("publish_programme", {}, definition_id="points").status == 200


def test_a_published_version_is_not_judged_again(office: Office) -> None:
    create(office, DEAR)
    first = office.call("publish_programme", {"accept": ["pays_more_than_spent"]}, definition_id="points")
    assert office.call("publish_programme", {}, definition_id="points").body == first.body


def test_the_catalogue_says_what_a_piece_costs(office: Office) -> None:
    pieces = [{"kind": "per_item", "id": "fries", "points": 50, "on": {"items": ["fries", "é" * 64, ""]}}]
    create(office, PROGRAMME | {"earning": pieces})
    assert found(office) == []
    assert office.call("put_items", {"items": [{"id": "fries", "name": "Fries", "price": 250}]}).status == 200
    assert found(office) == [("item_below_worth", "/definition/earning/0/points")]


def test_offers_and_other_programmes_in_force_are_seen(office: Office) -> None:
    office.house.publish("offer", "fries", FRIES | {"effect": {"kind": "amount", "amount": 400}, "scope": {}})
    office.house.publish("programme", "club", PROGRAMME | {"tiers": {"levels": [{"id": "gold", "name": "Gold", "threshold": 9}]}})
    body = PROGRAMME | {
        "base": {"discounts": "before"},
        "conversions": [{"id": "fries", "points": 4, "offer": "fries"}],
        "tiers": {"levels": [{"id": "silver", "name": "Silver", "threshold": 9}]},
    }
    codes = [code for code, _ in found(office, {"definition": body})]
    assert {"reward_loop", "second_tiers"} <= set(codes)


def test_a_programme_is_not_compared_with_the_version_that_it_replaces(office: Office) -> None:
    body = PROGRAMME | {"tiers": {"levels": [{"id": "gold", "name": "Gold", "threshold": 9}]}}
    office.house.publish("programme", "points", body)
    later = {"definition": body | {"priority": -1}}
    assert found(office, later) == []
    assert found(office, later, id_="second") == [("second_tiers", "/definition/tiers")]
