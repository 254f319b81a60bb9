"""The catalogue as CSV: every mistake by its line and nothing stored, by the API and by the command; locations with their hours."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from local import catalogue, console
from local.client import Client, Refused, Reply
from tests.builders.house import NOW, House
from tests.builders.office import Office

GOOD = 'id,name,category,tags,price,is_new\nsoup,Soup of the day,mains,vegetarian;hot,650,true\r\n\ntea,"Tea, green",,,300,\n'


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    bare_house.create()
    return Office(bare_house, monkeypatch)


def items(office: Office) -> dict[str, Any]:
    return {each["id"]: each for each in office.call("list_items").body["data"]}


def test_a_file_is_checked_stored_and_left_alone_the_second_time(office: Office) -> None:
    checked = office.call("import_items", {"csv": "\ufeff" + GOOD, "dry_run": True})
    assert (checked.status, checked.body["items"], checked.body["dry_run"], checked.body["created"]) == (200, 2, True, 0)
    assert "soup" not in items(office)
    assert office.call("import_items", {"csv": GOOD}).body["created"] == 2
    soup, tea = items(office)["soup"], items(office)["tea"]
    assert (soup["category"], soup["tags"], soup["price"], soup["is_new"]) == ("mains", ["vegetarian", "hot"], 650, True)
    assert (tea["name"], tea["price"], tea["is_new"], tea.get("category")) == ("Tea, green", 300, False, None)
    again = office.call("import_items", {"csv": GOOD.replace("650", "700")}).body
    assert (again["created"], again["replaced"], again["unchanged"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("csv", "errors"),
    [
        ("id,name\na,A\nb,\n", [("/csv/3/name", "required")]),
        ("id,name,price\na,A,9.50\nb,B,-1\nc,C,12\n", [("/csv/2/price", "invalid_value"), ("/csv/3/price", "invalid_value")]),
        ("id,name\na,A\na,B\n", [("/csv/3/id", "duplicate")]),
        ("id,name\na,A,x\n", [("/csv/2", "invalid_value")]),
        ("id,naem\na,A\n", [("/csv/1", "unknown_column"), ("/csv/1", "required")]),
        ("id,name,is_new\na,A,yes\n", [("/csv/2/is_new", "invalid_value")]),
        ("id,name,tags\na,A,Not A Tag\n", [("/csv/2/tags", "invalid_value")]),
        ('id,name\na,"A\n', [("/csv/2", "invalid_value")]),
        ("id,name\n\n", [("/csv", "required")]),
        ("id,name\n" + "".join(f"i{n},I\n" for n in range(501)), [("/csv", "too_long")]),
        ("id,name\na,A\x07\n", [("/csv/2/name", "control_character")]),
        (f"id,name\n{'ß' * 40},A\n", [("/csv/2/id", "invalid_value")]),
    ],
)
def test_each_mistake_is_named_by_its_line_and_nothing_is_stored(office: Office, csv: str, errors: list[tuple[str, str]]) -> None:
    before = items(office)
    said = office.call("import_items", {"csv": csv})
    assert said.status == 422
    assert said.errors == errors
    assert items(office) == before


class _Desk(Client):
    """The command's caller, answered by the function of a test."""

    def __init__(self, office: Office) -> None:
        super().__init__("http://api.example", "lyk")
        self.office = office

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        said = self.office.call("import_items", body)
        if said.status >= 400:
            raise Refused(method, path, said.status, said.body)
        return Reply(said.status, said.body, said.headers)


def test_the_command_checks_every_part_before_it_stores_one(office: Office) -> None:
    lines = [f"i{n},Item {n}" for n in range(1200)]
    bad = [*lines]
    bad[1100] = "i1100,"
    with pytest.raises(console.Failure, match="line 1102, name"):
        catalogue.import_file(_Desk(office), "\n".join(["id,name", *bad]), dry_run=False)
    with pytest.raises(console.Failure, match="line 1202, id"):
        catalogue.import_file(_Desk(office), "\n".join(["id,name", *lines, "i3,Again"]), dry_run=False)
    assert "i0" not in items(office)
    assert catalogue.import_file(_Desk(office), "\n".join(["id,name", *lines]), dry_run=True)["created"] == 0
    assert "i0" not in items(office)
    assert catalogue.import_file(_Desk(office), "\n".join(["id,name", *lines]), dry_run=False)["created"] == 1200


@pytest.mark.parametrize(
    ("csv", "told"),
    [
        ("id,name\n", "1 mistake, nothing was stored:\nline 1: a line of columns, and at least one item"),
        ("", "2 mistakes, nothing was stored:\nline 1: the column id is missing\nline 1: the column name is missing"),
        ("id,name\na,A\nb,\nc,C\nd,\n", "2 mistakes, nothing was stored:\nlines 3, 5, name: Field required"),
        ("id,name\n" + ",A\n" * 20, "20 mistakes, nothing was stored:\nlines 2, 3, 4, 5, 6, 7, 8, 9 and 12 more, id: Field required"),
        ("id,name\n" + ",A\n" * 200, "at least 100 mistakes, nothing was stored:\n"),
    ],
)
def test_the_command_says_once_what_is_wrong_in_the_same_way(office: Office, csv: str, told: str) -> None:
    with pytest.raises(console.Failure) as refused:
        catalogue.import_file(_Desk(office), csv, dry_run=True)
    assert str(refused.value).startswith(told)


def test_the_command_reads_a_file(tmp_path: Path) -> None:
    with pytest.raises(console.Failure, match="cannot be read"):
        catalogue.run(_options(tmp_path / "none.csv"))
    other = tmp_path / "latin.csv"
    other.write_bytes("id,name\n1,Caf\xe9\n".encode("latin-1"))
    with pytest.raises(console.Failure, match="not UTF-8"):
        catalogue.run(_options(other))


def _options(file: Path) -> Any:
    return argparse.Namespace(file=file, tenant="demo", url=None, dry_run=True)


def test_a_location_says_whether_it_is_open(office: Office) -> None:
    hours = {"weekly": {"sat": [{"opens": "10:00", "closes": "12:00"}]}}
    places = [{"id": "mitte", "name": "Mitte", "hours": hours}, {"id": "tokyo", "name": "Tokyo", "time_zone": "Asia/Tokyo", "hours": hours}]
    assert office.call("put_locations", {"locations": [*places, {"id": "kiosk", "name": "Kiosk"}]}).status == 200
    office.house.now = NOW
    listed = {each["id"]: each for each in office.call("list_locations").body["data"]}
    assert {id_: each.get("open_now") for id_, each in listed.items()} == {"mitte": True, "tokyo": False, "kiosk": None}
    assert listed["mitte"]["hours"]["weekly"]["sat"] == [{"opens": "10:00", "closes": "12:00"}]
