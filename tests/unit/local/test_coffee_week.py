"""The real coffee-shop week through a replay, beside SQL over the same files: what a member has is what the rules say, line by line.

The SQL reads the shop's own CSV files and knows nothing of this project: neither its mapping nor its engine.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.mapping import Mapping
from local.shop import Shop
from shared.definitions.model import Definition, DefinitionSet
from shared.kernel.instants import format_day, local_day, parse_rfc3339
from shared.member_state.effects import Effects
from shared.member_state.model import MemberState
from shared.replay.engine import TENANT, Replay
from shared.replay.events import EVENT
from shared.tenants.model import CatalogueItem, Location, TenantSettings

ROOT = Path(__file__).parents[3]
WEEK = ROOT.parent / "shared" / "data" / "coffeeshop_week1"
PROGRAMME = ROOT / "tests" / "cases" / "replay" / "week.json"
ZONE = "America/New_York"
END = parse_rfc3339("2019-04-08T03:59:59Z")
"""The last second of 7 April in the shop's zone."""
OUTLETS = ("3", "5", "8") if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else ("5",)
pytestmark = pytest.mark.skipif(not WEEK.exists(), reason="the coffee shop's files are not there")

# A receipt is a day, an outlet and a number; its lines are rows. `place` is where its first row stands in the file.
RECEIPTS = """
create table receipt as
select transaction_date as day, sales_outlet_id as outlet, transaction_id as number,
       min(l.rowid) as place, min(transaction_time) as time, min(l.customer_id) as customer,
       sum(cast(round(line_item_amount * 100) as integer)) as cents,
       sum(case when product_category = 'Coffee' then cast(round(line_item_amount * 100) as integer) / 50 else 0 end) as coffee,
       sum(case when product_category = 'Bakery' then cast(quantity as integer) else 0 end) as pastries,
       cast(strftime('%s', transaction_date || ' ' || transaction_time) as integer) as second
from line l join product using (product_id)
group by transaction_date, sales_outlet_id, transaction_id;

create table hers as
select receipt.*,
       coalesce(sum(cents) over (partition by customer order by second, place
                                 rows between unbounded preceding and 1 preceding), 0) as spent_before,
       case when second <= max(second) over (partition by customer, outlet order by second, place
                                             rows between unbounded preceding and 1 preceding) + 1800 then 0 else 1 end as visit
from receipt join customer on customer.customer_id = receipt.customer;

create table plain as
select hers.*, cents / 100 as spend,
       cents / 100 + coffee + 5 * pastries + case when visit = 1 and cents >= 1 then 10 else 0 end as base,
       case when time >= '15:00:00' and time < '17:00:00' then 1 else 0 end as happy
from hers;

create table points as
select customer, day, place, cents, visit,
       base + happy * spend + case when spent_before >= 3000 then base / 2 else 0 end as points
from plain;
"""
BY_DAY = "select customer, day, sum(points) from points where points > 0 group by customer, day"
AT_THE_END = """
select customer, sum(points), sum(case when day >= '2019-04-04' then points else 0 end), count(*), sum(cents), sum(visit),
       case when sum(cents) >= 3000 then 'gold' when sum(cents) >= 1500 then 'silver' end
from points group by customer
"""


@pytest.fixture(scope="module")
def sql() -> Iterator[sqlite3.Connection]:
    """The files as tables, and what is made of them above."""
    database = sqlite3.connect(":memory:")
    for table, name in (("line", "sales_receipts_20190401_07"), ("product", "product"), ("customer", "customer")):
        with (WEEK / f"{name}.csv").open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.reader(opened))
        columns = ", ".join(f'"{each}"' for each in rows[0])
        database.execute(f"create table {table} ({columns})")
        database.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows[1:])
    database.execute(f"delete from line where sales_outlet_id not in ({', '.join('?' * len(OUTLETS))})", OUTLETS)
    database.executescript(RECEIPTS)
    yield database
    database.close()


class Heard:
    """Points earned by member and day, from what the replay tells."""

    def __init__(self) -> None:
        self.points: Counter[tuple[str, str]] = Counter()

    def __call__(self, member: str, effects: Effects) -> None:
        for entry in effects.entries:
            for posting in entry.postings:
                if posting.kind == "earn":
                    self.points[member, format_day(local_day(entry.at, ZONE))] += posting.points


def definitions() -> DefinitionSet:
    stored = json.loads(PROGRAMME.read_text())
    shop = week()
    locations = {each["id"]: Location.model_validate(each) for each in shop.locations()}
    programme = Definition("programme", stored["id"], 1, "published", stored["definition"], effective_from=0)
    return DefinitionSet(TENANT, TenantSettings(name="The coffee shop", currency="USD", time_zone=ZONE), locations, (programme,))


def week() -> Shop:
    return Shop(WEEK, Mapping.for_folder(WEEK))


def events(shop: Shop) -> Iterator[dict[str, Any]]:
    """Members when they joined, then receipts in order of time.

    The file has some joining days after they had bought; the tills knew them, so that they join before the week.
    """
    for body in shop.members():
        external = body["identifiers"][0]
        named = {"kind": external["kind"], "value": external["value"]}
        at = min(body["joined_at"], "2019-03-31T12:00:00Z")
        yield {"type": "registration", "at": at, "member": external["value"], "identifiers": [named]}
    for body in shop.receipts():
        if body["location_id"] in OUTLETS:
            yield {"type": "purchase", **body}


@pytest.fixture(scope="module")
def replayed() -> tuple[Replay, Heard]:
    shop, heard = week(), Heard()
    catalogue = {each["id"]: CatalogueItem.model_validate(each) for each in shop.items()}
    replay = Replay(definitions(), catalogue, hear=heard, keeps=())
    for body in events(shop):
        replay.feed(EVENT.validate_json(json.dumps(body), strict=True))
    replay.finish(END)
    return replay, heard


def buyers(replay: Replay) -> dict[str, MemberState]:
    return {id_: each.state for id_, each in replay.world.members.items() if each.state.profile.count}


def test_the_week_is_a_real_one(replayed: tuple[Replay, Heard], sql: sqlite3.Connection) -> None:
    replay, _ = replayed
    assert replay.refusals == {}
    receipts, of_members = sql.execute("select count(*) from receipt").fetchone()[0], sql.execute("select count(*) from hers").fetchone()[0]
    assert (replay.counts["purchase", "done"], replay.counts["purchase", "anonymous"]) == (of_members, receipts - of_members)
    assert of_members > 1000
    kinds = sql.execute("select sum(happy), sum(spent_before >= 3000), sum(visit = 0), sum(pastries), sum(coffee) from plain").fetchone()
    assert min(kinds) > 0, "every rule has something to do"


def test_points_by_member_and_day_are_what_sql_finds(replayed: tuple[Replay, Heard], sql: sqlite3.Connection) -> None:
    assert dict(replayed[1].points) == {(customer, day): points for customer, day, points in sql.execute(BY_DAY)}


def test_balances_tiers_spend_and_purchases_at_the_end_are_what_sql_finds(
    replayed: tuple[Replay, Heard], sql: sqlite3.Connection
) -> None:
    found = {}
    for id_, state in buyers(replayed[0]).items():
        wallet = state.wallets.get("points")
        earned, left = (wallet.earned, sum(lot.points for lot in wallet.lots)) if wallet is not None else (0, 0)
        assert wallet is None or wallet.expired == earned - left
        found[id_] = (earned, left, state.profile.count, state.profile.value, state.tier.id if state.tier is not None else None)
    wanted = {row[0]: (row[1], row[2], row[3], row[4], row[6]) for row in sql.execute(AT_THE_END)}
    assert found == wanted
    assert {each[4] for each in found.values()} == {None, "silver", "gold"}


def test_visits_are_what_sql_finds(replayed: tuple[Replay, Heard], sql: sqlite3.Connection) -> None:
    """The programme's tiers do not count visits, so that they are those that the last days remember, by location."""
    since = parse_rfc3339("2019-04-06T04:00:00Z")
    for id_, state in buyers(replayed[0]).items():
        opened = sorted(each.first for each in state.visits if each.first >= since)
        rows = sql.execute("select second from hers where customer = ? and visit = 1 and day >= '2019-04-06'", (id_,)).fetchall()
        assert opened == sorted((row[0] + 4 * 3600) * 1000 for row in rows)
