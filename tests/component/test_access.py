"""Everything that is kept of a member, in files that she can read: nothing that the registry knows is left out."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest

from functions.member_rights import handler
from shared.access.collecting import COLLECTORS, NOT_COPIED, collect
from shared.access.errors import UnknownAccess
from shared.access.rendering import as_html, as_json, language_of
from shared.access.words import FRAME, HEADINGS, LANGUAGES
from shared.access.working import work
from shared.kernel.instants import DAY, HOUR
from shared.privacy.registry import ENTRIES
from shared.storage import keys_rights
from tests.builders.front import Front
from tests.builders.house import House
from tests.builders.leaving import PLANTED, furnish, live, remains, somebody

WHOLE = {
    "first_name": "Annaplanted", "last_name": "Schmidtplanted", "birth_date": "1990-04-21", "gender": "female", "language": "de-AT",
    "phone": "+4915112345678", "email": "anna.planted@example.com", "street": "Plantedgasse 4", "postal_code": "8010",
    "city": "Grazplanted", "country": "AT",
    "home": {"latitude_e6": 47070714, "longitude_e6": 15439504},
}  # fmt: skip


class Files:
    """Objects by name, with their types."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}

    def put_as(self, name: str, body: bytes, content_type: str) -> None:
        self.objects[name] = (body, content_type)


class Texts(HTMLParser):
    """What a page says and which tags it has."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    found = Front(bare_house, monkeypatch)
    furnish(found)
    return found


def member_with_everything(front: Front) -> str:
    member = live(front).member
    assert front.call("update_member", {"profile": WHOLE}, member_id=member).status == 200
    return member


def made(front: Front, member: str, files: Files, **who: Any) -> Any:
    """Ask, work, and read the job."""
    asked = front.call("ask_access" + ("_of_me" if who else ""), **(who or {"member_id": member})).body
    (message,) = (json.loads(each["MessageBody"]) for each in front.aws.messages)
    front.aws.messages.clear()
    assert message == {"kind": "access", "tenant": "demo", "member": member, "access": asked["access_id"]}
    assert work(front.house.scope(), member, asked["access_id"], files)
    return front.call("get_access", member_id=member, access_id=asked["access_id"]).body


# -- what is in it --------------------------------------------------------------------------------------------------


def test_every_entry_of_the_registry_is_collected_or_it_is_said_why_not() -> None:
    names = {entry.name for entry in ENTRIES}
    assert names == COLLECTORS.keys() | NOT_COPIED.keys()
    assert not COLLECTORS.keys() & NOT_COPIED.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entry_has_a_heading_in_every_language(language: str) -> None:
    assert {entry.name for entry in ENTRIES} == HEADINGS.keys()
    assert FRAME[language].keys() == FRAME["en"].keys()


def test_every_registered_field_appears_with_its_value(front: Front) -> None:
    member = member_with_everything(front)
    collected = collect(front.house.scope(), member)
    sections = collected["sections"]
    assert sections.keys() == {entry.name for entry in ENTRIES}
    for name, value in WHOLE.items():
        assert sections[name]["data"] == ("47070714,15439504" if name == "home" else value), name
    empty = [name for name in COLLECTORS if not sections[name]["data"]]
    assert empty == ["restriction", "objections", "merges"], "something of everything was planted"
    said = as_json(collected).decode()
    hidden = {"late.planted@example.com", "77889900"}
    assert [planted for planted in PLANTED if planted not in said and planted not in hidden] == []
    assert "77889900" not in said, "a card is shown as little as at the till"
    assert {each["kind"]: each["shown"] for each in sections["identifiers"]["data"]} == {"card": "***", "phone": "+49***78"}
    assert [each["kind"] for each in sections["ledger"]["data"]].count("purchase") == 2
    assert len(sections["sales"]["data"]) == 2
    (segment,) = sections["profile of purchases"]["data"]["segments"]
    assert segment["rule"]["kind"] == "purchases"
    assert all(section["legal_grounds"] and section["kept"] for section in sections.values())


def test_nothing_of_another_member_is_in_it(front: Front) -> None:
    member, other = member_with_everything(front), front.register(profile={"first_name": "Otherplanted"})
    said = as_json(collect(front.house.scope(), member)).decode()
    assert other not in said
    assert "Otherplanted" not in said


@pytest.mark.parametrize(("language", "title"), [("en", "Your data"), ("de", "Ihre Daten"), ("ru", "Ваши данные")])
def test_the_page_says_the_same_and_runs_nothing(front: Front, language: str, title: str) -> None:
    member = member_with_everything(front)
    front.call("update_member", {"profile": {"city": "<script>alert(1)</script>"}}, member_id=member)
    page = as_html(collect(front.house.scope(), member), language)
    said = Texts(page)
    assert title in said.text
    assert all(str(value) in said.text for name, value in WHOLE.items() if name not in ("home", "city"))
    assert "<script>alert(1)</script>" in said.text
    assert said.tags <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "small", "dl", "dt", "dd", "ul", "li", "span"}


def test_headings_are_in_her_language_else_the_tenants() -> None:
    assert [language_of(each) for each in (("de-AT", "en"), (None, "ru"), ("fr", "xx"), ())] == ["de", "ru", "en", "en"]


# -- the job --------------------------------------------------------------------------------------------------------


def test_it_is_asked_for_made_and_read_for_a_day(front: Front) -> None:
    member, files = member_with_everything(front), Files()
    said = made(front, member, files)
    assert (said["status"], said["asked_by"]) == ("done", "demo-aaaaaaaaaaaa")
    names = [f"access/demo/{said['access_id']}.{form}" for form in ("json", "html")]
    assert sorted(files.objects) == sorted(names)
    assert [said["json_link"], said["html_link"]] == [f"https://files.example/{name}?seconds=900" for name in names]
    assert json.loads(files.objects[names[0]][0])["member_id"] == member
    assert "Ihre Daten" in files.objects[names[1]][0].decode()
    front.house.now += DAY - HOUR // 12
    late = front.call("get_access", member_id=member, access_id=said["access_id"]).body
    assert late["json_link"].endswith("?seconds=300"), "no link outlives the day"
    front.house.now += HOUR
    gone = front.call("get_access", member_id=member, access_id=said["access_id"]).body
    assert not {"json_link", "html_link", "readable_until"} & gone.keys()


def test_she_asks_for_herself_and_nobody_reads_anothers(front: Front) -> None:
    member, other, files = member_with_everything(front), front.register(), Files()
    said = made(front, member, files, me=member)
    assert said["asked_by"] == "member"
    assert front.call("get_access_of_me", me=member, access_id=said["access_id"]).body["json_link"]
    for refused in (
        front.call("get_access_of_me", me=other, access_id=said["access_id"]),
        front.call("get_access", member_id=other, access_id=said["access_id"]),
        front.call("get_access", member_id=member, access_id="acc_x#y"),
    ):
        assert (refused.status, refused.body["code"]) == (404, "unknown_access")
    assert front.call("ask_access", member_id=member, scopes=frozenset({"members:read"})).status == 403


def test_a_message_that_comes_twice_makes_the_files_once(front: Front) -> None:
    member, files = member_with_everything(front), Files()
    said = made(front, member, files)
    files.objects.clear()
    assert work(front.house.scope(), member, said["access_id"], files)
    assert files.objects == {}


def test_who_was_erased_meanwhile_gets_no_files(front: Front) -> None:
    member, files = member_with_everything(front), Files()
    asked = front.call("ask_access", member_id=member).body["access_id"]
    front.call("erase_member", member_id=member)
    assert not work(front.house.scope(), member, asked, files)
    assert files.objects == {}
    raw = front.house.table.get(keys_rights.access("demo", member, asked))
    assert raw is not None
    assert front.call("ask_access", member_id=member).body["code"] == "member_erased"
    with pytest.raises(UnknownAccess):
        work(front.house.scope(), somebody(), asked, files)
    assert [row["SK"]["S"] for row in remains(front, keys_rights.ACCESS_PREFIX)] == [f"ACCESS#{asked}"]


def test_the_function_makes_the_files(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    member, house = member_with_everything(front), front.house
    asked = front.call("ask_access", member_id=member).body["access_id"]
    stored: dict[str, Any] = {}
    client = SimpleNamespace(put_object=lambda **request: stored.update({request["Key"]: request}), send_message=lambda **_request: None)

    def worker_scope(tenant: str, *pks: str) -> Any:
        scope = house.scope()
        scope.tenant = tenant
        return scope

    home = SimpleNamespace(begin=lambda _context: None, worker_scope=worker_scope, client=lambda _name: client)
    settings = SimpleNamespace(queue_url="own", dead_letter_url="dead", bucket="data")
    for name, value in (("runtime", home), ("settings", settings)):
        monkeypatch.setattr(handler, name, lambda value=value: value)
    bodies = [json.loads(each["MessageBody"]) for each in front.aws.messages]
    bodies += [{"kind": "access", "tenant": "demo", "member": "x", "access": asked}, {"kind": "access", "tenant": "demo"}]
    records = [{"messageId": str(number), "body": json.dumps(body)} for number, body in enumerate(bodies)]
    assert handler.lambda_handler({"Records": records}) == {"batchItemFailures": []}
    assert {name: request["ContentType"] for name, request in stored.items()} == {
        f"access/demo/{asked}.json": "application/json; charset=utf-8", f"access/demo/{asked}.html": "text/html; charset=utf-8",
    }  # fmt: skip
