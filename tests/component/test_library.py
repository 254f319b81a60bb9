"""Ready campaigns over a real engine: listed, installed as drafts, published in order, launched."""

from __future__ import annotations

from typing import Any

import pytest

from shared.campaigns.library.model import entries
from shared.kernel.instants import MINUTE
from shared.tenants.messaging import MessagingSettings
from shared.tenants.model import TenantSettings
from tests.builders.house import SETTINGS, House
from tests.builders.office import Office, Said

NAMES = tuple(entries())
TRILINGUAL = SETTINGS.model_copy(update={"languages": ("de", "en", "ru")})


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(bare_house, monkeypatch)


def install(office: Office, name: str, body: Any = None) -> Said:
    return office.call("install_campaign", body, name=name)


def drafts(office: Office, kind: str) -> dict[str, str]:
    """Id -> status of every definition of a kind."""
    return {each["id"]: each["status"] for each in office.call(f"list_{kind}s").body["data"]}


@pytest.mark.parametrize("settings", [SETTINGS, TRILINGUAL], ids=["one language", "three"])
def test_all_nine_are_installed_published_in_order_and_launched_on_a_fresh_tenant(office: Office, settings: TenantSettings) -> None:
    office.house.create(settings)
    launched = []
    for name in NAMES:
        installed = install(office, name)
        assert installed.status == 201, installed.body
        for made in installed.body["definitions"]:
            published = office.call(f"publish_{made['kind']}", {}, definition_id=made["id"])
            assert (published.status, published.body.get("status")) == (200, "published"), published.body
            office.house.now += 3 * MINUTE
        campaign = installed.body["definitions"][-1]["id"]
        said = office.call("launch_campaign", campaign_id=campaign)
        assert said.status == 200, said.body
        launched.append(said.body["state"])
    assert sorted(launched) == ["active"] * 7 + ["sending"] * 2


def test_the_list_says_what_there_is_to_set(office: Office) -> None:
    office.house.create()
    found = {each["name"]: each for each in office.call("list_library").body["data"]}
    assert tuple(found) == NAMES
    welcome = found["welcome"]
    assert welcome["parameters"]["percent"]["default"] == 20
    assert (welcome["parameters"]["percent"]["least"], welcome["parameters"]["percent"]["most"]) == (5, 50)
    assert [each["id"] for each in welcome["definitions"]] == ["welcome-coupon", "welcome"]


def test_an_id_that_is_taken_refuses_the_whole_and_another_prefix_works(office: Office) -> None:
    office.house.create()
    office.call("create_offer", {"id": "win-back-coupon", "definition": {"name": "Mine", "effect": {"kind": "percent", "percent": 5}}})
    before = office.rows()
    refused = install(office, "win_back")
    assert (refused.status, refused.body["code"], refused.errors) == (409, "definition_exists", [("/prefix", "definition_exists")])
    assert "win-back-coupon" in refused.body["errors"][0]["detail"]
    assert office.rows() == before
    assert install(office, "win_back", {"prefix": "spring"}).status == 201
    assert drafts(office, "segment") == {"spring-sleepers": "draft"}
    assert install(office, "win_back", {"prefix": "spring"}).status == 409


def test_the_notes_name_what_is_not_translated_and_not_set_up(office: Office) -> None:
    mail = MessagingSettings.model_validate({"email": {"from_address": "news@example.com"}})
    office.house.create(SETTINGS.model_copy(update={"languages": ("fr", "de"), "messaging": mail}))
    installed = install(office, "news")
    assert [(each["code"], each.get("language") or each.get("channel")) for each in installed.body["notes"]] == [
        ("not_translated", "fr"), ("channel_left_out", "push"),
    ]  # fmt: skip
    step = office.call("get_campaign", definition_id="news").body["definition"]["steps"][0]
    assert set(step["content"]) == {"fr", "de"}
    assert step["ladder"]["channels"] == ["email", "inbox"]
    assert install(office, "news", {"prefix": "b", "languages": ["fr"]}).status == 201
    assert set(office.call("get_campaign", definition_id="b-news").body["definition"]["steps"][0]["content"]) == {"fr"}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"parameters": {"percent": 90}}, [("/parameters/percent", "out_of_bounds")]),
        ({"parameters": {"colour": 90}}, [("/parameters/colour", "unknown_parameter")]),
        ({"parameters": {"at_least": 30_000}}, [("/parameters", "inconsistent")]),
        ({"languages": ["de"]}, [("/languages/0", "unknown_language"), ("/languages", "missing_language")]),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(office: Office, body: Any, errors: list[tuple[str, str]]) -> None:
    office.house.create()
    before = office.rows()
    refused = install(office, "bigger_basket", body)
    assert (refused.status, refused.body["code"], refused.errors) == (422, "not_installable", errors)
    assert office.rows() == before


@pytest.mark.parametrize(
    ("story", "code"), [("{{ percent }}", "unknown_variable"), ("{{", "invalid_template"), ("\0", "control_character")]
)
def test_a_text_that_can_never_be_sent_is_not_installed(office: Office, story: str, code: str) -> None:
    office.house.create()
    before = office.rows()
    refused = install(office, "news", {"parameters": {"story": story}})
    assert (refused.status, refused.body["code"], {*refused.errors}) == (422, "not_installable", {("/parameters", code)})
    assert office.rows() == before


def test_an_unknown_campaign_of_the_library_is_not_found(office: Office) -> None:
    office.house.create()
    refused = install(office, "nothing")
    assert (refused.status, refused.body["code"]) == (404, "unknown_library_campaign")
