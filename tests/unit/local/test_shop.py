"""A shop's files as bodies of the API: every body is one that the routes take, whatever the files look like."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from local.console import Failure
from local.mapping import FOLDER, Mapping
from local.shop import Shop, slug
from shared.http.body import parse_model
from shared.members.api import BulkMembersRequest, RegisterRequest
from shared.tenants.model import CatalogueItem, Location
from shared.transactions.api import MAX_BULK, BulkTransactionsRequest, TransactionRequest

SAMPLE = Path(__file__).parents[3] / "events" / "samples" / "coffee_day"
DAY = date(2026, 11, 21)
RESTAURANT = """
[shop]
tenant = "lunch"
name = "Lunch"
currency = "USD"
time_zone = "America/New_York"
source = "orders"

[locations]
constant = "Main Street"

[items]
file = "menu.csv"
id = "menu_item_id"
name = "item_name"
category = "category"
price = "price"

[[items.tags]]
tag = "vegetarian"
column = "item_name"
contains = ["Tofu", "salad"]

[receipts]
file = "orders.csv"
key = ["order_id"]
number = "order_id"
date = "order_date"
date_format = "%d/%m/%Y"
time = "order_time"
time_format = "%I:%M:%S %p"
item = "item_id"
"""
MENU = """\ufeffmenu_item_id,item_name,category,price
101,Hamburger ,American,$18.00\x20
102,Tofu Pad Thai,Asian Kitchen,14.505
103,Side Salad,,"1,018.00"
"""
ORDERS = """\ufefforder_details_id,order_id,order_date,order_time,item_id
1,1,1/02/2023,11:38:36 AM,101
2,1,1/02/2023,11:38:36 AM,NULL
3,1,1/02/2023,11:38:36 AM,101
4,2,3/02/2023,12:05:00 AM,102
5,3,3/02/2023,12:05:00 PM,NULL
6,4,3/02/2023,9:59:59 PM,103
7,5,3/02/2023,10:00:00 PM,999
"""


def sample(last_day: date | None = DAY) -> Shop:
    """The sample day."""
    return Shop(SAMPLE, Mapping.for_folder(SAMPLE), last_day)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A restaurant's files with their mapping."""
    for name, text in (("mapping.toml", RESTAURANT), ("menu.csv", MENU), ("orders.csv", ORDERS)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def restaurant(folder: Path, last_day: date | None = DAY) -> Shop:
    return Shop(folder, Mapping.for_folder(folder), last_day)


def everything(folder: Path) -> None:
    """Read all that a load reads."""
    shop = restaurant(folder)
    shop.items()
    shop.receipts()


def taken(model: Any, body: dict[str, Any]) -> Any:
    """The body as the route takes it."""
    return parse_model(model, json.dumps(body).encode())


# -- the sample day -------------------------------------------------------------------------------------------------


def test_the_sample_day_has_what_its_files_have() -> None:
    shop = sample()
    receipts, members = shop.receipts(), list(shop.members())
    assert (len(members), len(shop.items()), len(shop.locations()), len(receipts)) == (40, 16, 2, 160)
    assert sum(len(each["lines"]) for each in receipts) == 256
    assert sum(line["amount"] for each in receipts for line in each["lines"]) == 129_975
    assert Counter("member" in each for each in receipts) == {True: 135, False: 25}
    assert Counter(each["channel"] for each in receipts) == {"pos": 132, "app": 28}
    assert shop.skipped == {}


def test_every_body_of_the_sample_day_is_one_that_the_routes_take() -> None:
    shop = sample()
    receipts, members = shop.receipts(), list(shop.members())
    for body in receipts:
        request = taken(TransactionRequest, body)
        assert sum(line.amount or 0 for line in request.lines) == sum(line["amount"] for line in body["lines"])
    for body in members:
        assert taken(RegisterRequest, body).identifiers[0].proof == "import"
    for body in shop.items():
        taken(CatalogueItem, body)
    for body in shop.locations():
        taken(Location, body)
    assert len(receipts) <= MAX_BULK
    taken(BulkTransactionsRequest, {"transactions": receipts, "mode": "historical"})
    taken(BulkMembersRequest, {"members": members})


def test_every_receipt_has_a_natural_key_of_its_own_and_they_come_in_order_of_time() -> None:
    receipts = sample().receipts()
    natural = {(each["source"], each["location_id"], each["business_date"], each["receipt_number"]) for each in receipts}
    assert len(natural) == len(receipts)
    assert [each["occurred_at"] for each in receipts] == sorted(each["occurred_at"] for each in receipts)


def test_members_and_receipts_name_the_same_people_and_items() -> None:
    shop = sample()
    known = {body["identifiers"][0]["value"] for body in shop.members()}
    assert {each["member"]["value"] for each in shop.receipts() if "member" in each} <= known
    assert {line["item_id"] for each in shop.receipts() for line in each["lines"]} <= {each["id"] for each in shop.items()}


def test_one_location_is_a_part_of_the_whole() -> None:
    shop = sample()
    first, second = shop.receipts("1"), shop.receipts("2")
    assert {each["location_id"] for each in first} == {"1"}
    assert sorted([*first, *second], key=json.dumps) == sorted(shop.receipts(), key=json.dumps)
    assert shop.receipts("nowhere") == []


@pytest.mark.parametrize("name", sorted(file.name for file in FOLDER.glob("*.toml")))
def test_our_mappings_can_be_read(name: str) -> None:
    assert Mapping.read(FOLDER / name).shop.currency == "USD"


# -- another shop's files -------------------------------------------------------------------------------------------


def test_days_are_shifted_so_that_the_last_one_is_the_day_given(folder: Path) -> None:
    shop = restaurant(folder)
    assert shop.days() == [date(2026, 11, 19), DAY]
    assert {each["business_date"] for each in shop.receipts()} == {"2026-11-19", "2026-11-21"}
    assert restaurant(folder, None).days() == [date(2023, 2, 1), date(2023, 2, 3)]
    assert sample().days() == [DAY]
    assert sample(None).days() == [date(2024, 5, 6)]


def test_times_of_twelve_hours_are_the_shops_own_and_travel_as_utc(folder: Path) -> None:
    times = {each["receipt_number"]: each["occurred_at"] for each in restaurant(folder).receipts()}
    assert times == {
        "1": "2026-11-19T16:38:36Z",
        "2": "2026-11-21T05:05:00Z",
        "4": "2026-11-22T02:59:59Z",
        "5": "2026-11-22T03:00:00Z",
    }


def test_a_byte_order_mark_and_written_amounts_are_read(folder: Path) -> None:
    shop = restaurant(folder)
    assert shop.rows("menu.csv")[0]["menu_item_id"] == "101"
    prices = {each["id"]: each["price"] for each in shop.items()}
    assert prices == {"101": 1800, "102": 1451, "103": 101_800}
    assert [shop.minor(text) for text in ("$18.00 ", " 0.5", "-3.10", "€7", "1,234.5")] == [1800, 50, -310, 700, 123_450]


def test_an_amount_has_the_digits_of_its_currency(folder: Path) -> None:
    (folder / "mapping.toml").write_text(RESTAURANT.replace('"USD"', '"JPY"'))
    assert restaurant(folder).minor("1,800") == 1800
    (folder / "mapping.toml").write_text(RESTAURANT.replace('"USD"', '"KWD"'))
    assert restaurant(folder).minor("1.8") == 1800


def test_lines_without_an_item_are_left_out_and_counted(folder: Path) -> None:
    shop = restaurant(folder)
    receipts = {each["receipt_number"]: each for each in shop.receipts()}
    assert sorted(receipts) == ["1", "2", "4", "5"]
    assert shop.skipped == {"line without an item": 2, "no item on the receipt": 1}
    assert [line["id"] for line in receipts["1"]["lines"]] == ["1", "3"], "a line keeps its place on the receipt"


def test_orders_without_a_customer_are_anonymous_and_prices_come_from_the_menu(folder: Path) -> None:
    shop = restaurant(folder)
    assert list(shop.members()) == []
    for body in shop.receipts():
        request = taken(TransactionRequest, body)
        assert (request.member, request.location_id, request.channel) == (None, "main-street", "pos")
    first = next(each for each in shop.receipts() if each["receipt_number"] == "1")
    assert [line["unit_price"] for line in first["lines"]] == [1800, 1800]
    assert shop.locations() == [{"id": "main-street", "name": "Main Street"}]


def test_items_carry_their_category_and_the_tags_of_the_rules(folder: Path) -> None:
    found = {each["id"]: (each.get("category"), each["tags"], each["name"]) for each in restaurant(folder).items()}
    assert found == {
        "101": ("american", [], "Hamburger"),
        "102": ("asian-kitchen", ["vegetarian"], "Tofu Pad Thai"),
        "103": ("other", ["vegetarian"], "Side Salad"),
    }
    for body in restaurant(folder).items():
        taken(CatalogueItem, body)


@pytest.mark.parametrize(
    ("text", "id_"), [("Drinking Chocolate", "drinking-chocolate"), ("  A & B ", "a-b"), ("é", "other"), ("x" * 60, "x" * 48)]
)
def test_a_name_becomes_an_id(text: str, id_: str) -> None:
    assert slug(text) == id_
    taken(Location, {"id": slug(text), "name": "n"})


# -- mappings that are wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (RESTAURANT.replace('currency = "USD"\n', ""), "currency"),
        (RESTAURANT.replace('number = "order_id"', 'numbers = "order_id"'), "numbers"),
        (RESTAURANT.replace('key = ["order_id"]', 'key = "order_id"'), "key"),
        ("[shop", "mapping.toml"),
        ("", "shop"),
    ],
)
def test_a_mapping_that_is_wrong_says_where_and_what_to_do(folder: Path, text: str, named: str) -> None:
    (folder / "mapping.toml").write_text(text)
    with pytest.raises(Failure) as refused:
        Mapping.for_folder(folder)
    assert named in refused.value.message
    assert "mappings" in refused.value.remedy


def test_a_mapping_or_file_that_is_not_there_says_what_to_do(folder: Path) -> None:
    with pytest.raises(Failure) as refused:
        Mapping.for_folder(folder / "nowhere")
    assert "nowhere.toml" in refused.value.message
    assert refused.value.remedy
    with pytest.raises(Failure) as refused:
        Mapping.for_folder(folder, str(folder / "other.toml"))
    assert "other.toml" in refused.value.message
    (folder / "orders.csv").unlink()
    with pytest.raises(Failure) as refused:
        restaurant(folder).receipts()
    assert "orders.csv" in refused.value.message
    assert "mapping" in refused.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('item = "item_id"', 'item = "article"', "article"),
        ('key = ["order_id"]', 'key = ["order", "order_id"]', "order"),
        ('date_format = "%d/%m/%Y"', 'date_format = "%Y-%m-%d"', "1/02/2023"),
        ('time_format = "%I:%M:%S %p"', 'time_format = "%H:%M"', "11:38:36 AM"),
        ('price = "price"', 'price = "item_name"', "Hamburger"),
        ('price = "price"', 'price = "cost"', "cost"),
        ('time_zone = "America/New_York"', 'time_zone = "New York"', "New York"),
        ('currency = "USD"', 'currency = "DOLLAR"', "DOLLAR"),
    ],
)
def test_a_mapping_that_does_not_fit_its_files_says_what_to_correct(folder: Path, old: str, new: str, named: str) -> None:
    assert old in RESTAURANT
    (folder / "mapping.toml").write_text(RESTAURANT.replace(old, new))
    with pytest.raises(Failure) as refused:
        everything(folder)
    assert named in refused.value.message
    assert "mapping" in refused.value.remedy
