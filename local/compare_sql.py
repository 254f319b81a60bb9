"""Who should be in which segment, by SQL over a shop's own files. Knows nothing of the fold, of profiles or of compiled rules.

``shop_tables`` and ``rewards_tables`` read the files with the standard library alone: ``member(id, born, gender)`` and ``line(member,
receipt, number, at, day, hour, place, channel, item, category, cents, thousandths)``, of which ``receipt`` is a view. ``at`` is in
milliseconds, ``day`` the local day as a number (1970-01-01 is 0). Only lines of members are there. A question is a rule of
docs/segments.md beside the SQL that answers the same; SQL may use ``:now`` and ``:today``.
"""
# ruff: noqa: S608 - what is put into statements is of this file, or a word of the shop's own files in its own memory

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from local import console
from local.mapping import Mapping
from local.shop import slug

Rule = dict[str, Any]
_LINES: Final = "member, receipt, number, at, day, hour, place, channel, item, category, cents, thousandths"
_SCHEMA: Final = f"""
create table member (id, born, gender);
create table product (id, category);
create table raw ({_LINES.replace("category, ", "")});
create table line ({_LINES});
create view receipt as
select member, receipt, at, day, hour, place, channel, sum(cents) as cents, min(number) as number from line group by member, receipt;
"""
"""SQLite takes columns that are not aggregated from the row of the only ``min``: what a receipt is follows from its first line."""
_FILL: Final = f"""
insert into line select {_LINES.replace("item, category", "item, (select category from product where product.id = item)")}
from raw where member in (select id from member)
"""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).date()


@dataclass(frozen=True, slots=True)
class Question:
    """A segment, and the SQL that names its members."""

    name: str
    rule: Rule
    sql: str


def answer(database: sqlite3.Connection, sql: str, now: int, today: int) -> set[str]:
    """The ids that a statement names."""
    return {row[0] for row in database.execute(sql, {"now": now, "today": today})}


# -- tables -------------------------------------------------------------------------------------------------------------


def shop_tables(folder: Path, mapping: Mapping) -> sqlite3.Connection:
    """The tables of a shop's CSV files; the mapping tells only which column is which."""
    people, sold, items = mapping.members, mapping.receipts, mapping.items
    if people is None or sold.member is None or sold.amount is None or sold.location is None or items.category is None:
        raise console.Failure(f"{folder} cannot be compared", "Its mapping must name members, and of receipts member, amount and location.")
    database = sqlite3.connect(":memory:")
    database.executescript(_SCHEMA)
    born, gender = people.birth_date or people.id, people.gender or people.id
    for row in _rows(folder / people.file):
        of = people.genders.get(row[gender])
        database.execute("insert into member values (?, ?, ?)", (row[people.id], row[born] if people.birth_date else "", of))
    for row in _rows(folder / items.file):
        database.execute("insert into product values (?, ?)", (row[items.id], row[items.category]))
    for number, row in enumerate(_rows(folder / sold.file)):
        local = datetime.strptime(f"{row[sold.date]} {row[sold.time]}", f"{sold.date_format} {sold.time_format}")  # noqa: DTZ007
        at = int(local.replace(tzinfo=ZoneInfo(mapping.shop.time_zone)).timestamp()) * 1000
        values = (
            row[sold.member], "/".join(row[column] for column in sold.key), number, at, (local.date() - _EPOCH).days, local.hour,
            row[sold.location], sold.channels.get(row[sold.channel], "pos") if sold.channel else "pos", row[sold.item],
            round(float(row[sold.amount]) * 100), round(float(row[sold.quantity]) * 1000) if sold.quantity else 1000,
        )  # fmt: skip
        database.execute(f"insert into raw values ({', '.join('?' * len(values))})", values)
    database.execute(_FILL)
    return database


def rewards_tables(folder: Path, begin: int) -> sqlite3.Connection:
    """The tables of a rewards programme's JSON lines (``local starbucks``): hours from ``begin``, which is a midnight of UTC."""
    database = sqlite3.connect(":memory:")
    database.executescript(_SCHEMA)
    database.executemany("insert into member values (:member_id, null, :gender)", _json_lines(folder / "members.jsonl"))
    sales = [each for each in _json_lines(folder / "events.jsonl") if each["event"] == "transaction"]
    statement = (
        "insert into raw select :member_id, :seq, 0, :begin + :hour * 3600000, :begin / 86400000 + :hour / 24, :hour % 24, 'shop', 'pos',"
        " null, cast(round(:amount * 100) as integer), 1000"
    )
    database.executemany(statement, [{**each, "begin": begin} for each in sales])
    database.execute(_FILL)
    return database


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        yield from csv.DictReader(opened)


def _json_lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as opened:
        yield from (json.loads(line) for line in opened if not line.isspace())


def last_day(database: sqlite3.Connection) -> int:
    """The last day with a purchase, as a number."""
    return int(database.execute("select max(day) from raw").fetchone()[0])


def end_of(day: int, zone: str) -> int:
    """The last millisecond of a local day."""
    following = datetime.combine(_EPOCH + timedelta(days=day + 1), datetime.min.time(), ZoneInfo(zone))
    return int(following.timestamp()) * 1000 - 1


# -- questions ----------------------------------------------------------------------------------------------------------


def _window(days: int) -> str:
    return f"day > :today - {days} and day <= :today"


def _purchases(metric: str, days: int, op: str, value: int, **more: Any) -> Rule:
    return {"kind": "purchases", "metric": metric, "days": days, "op": op, "value": value, **more}


_SPEND: Final = f"""
with spend as (select member, sum(cents) as v, count(*) as n, :today - max(day) as ago from receipt where {_window(365)} group by member)
"""
_HABIT: Final = """
with visit as (select distinct member, day from receipt),
newest as (select *, row_number() over (partition by member order by day desc) as number from visit),
gap as (select member, day - lead(day) over (partition by member order by day desc) as days from newest where number <= 13),
ranked as (select *, row_number() over (partition by member order by days) as place, count(*) over (partition by member) as gaps
           from gap where days is not null),
habit as (select member, avg(days) as days from ranked where gaps >= 2 and place in ((gaps + 1) / 2, (gaps + 2) / 2) group by member),
seen as (select member, max(at) as at from receipt group by member),
rhythm as (select member, at, coalesce((select days from habit where habit.member = seen.member), 30) as days from seen)
"""


def _fifth(column: str, percent: int) -> str:
    """By nearest rank: the smallest value that at least so many percent of the guests do not exceed."""
    return (
        f"(select min({column}) from spend a where 100 * (select count(*) from spend b where b.{column} <= a.{column})"
        f" >= {percent} * (select count(*) from spend))"
    )


def of_every_shop() -> list[Question]:
    """About time, spend, visits and habits."""
    day, found = 86_400_000, []
    for days in (3, 14):
        sql = f"select member from receipt group by member having max(at) <= :now - {days * day}"
        found.append(Question(f"no purchase in {days} days", {"kind": "since_last_purchase", "op": "at_least", "days": days}, sql))
        sql = f"select id from member where id not in (select member from receipt where {_window(days)})"
        found.append(Question(f"none on the last {days} days, or never", _purchases("count", days, "eq", 0), sql))
    for visits in (1, 3, 5):
        sql = f"select member from receipt where {_window(90)} group by member having count(distinct day) > {visits}"
        found.append(Question(f"more than {visits} visits", _purchases("visits", 90, "gt", visits), sql))
    sql = f"select member from receipt where {_window(30)} group by member having sum(cents) >= 800 * count(*)"
    found.append(Question("average basket of 8.00", _purchases("average", 30, "ge", 800), sql))
    for name, sql in (
        ("monetary", f"select member from spend where v > {_fifth('v', 80)}"),
        ("frequency", f"select member from spend where n > {_fifth('n', 80)}"),
        ("recency", f"select member from spend where ago <= {_fifth('ago', 20)}"),
    ):
        found.append(Question(f"best fifth by {name}", {"kind": "rfm", "of": name, "op": "eq", "value": 5}, f"{_SPEND} {sql}"))
    rule: Rule = {"kind": "usual_interval", "op": "ge", "days": 2}
    found.append(Question("two days between visits", rule, f"{_HABIT} select member from habit where days >= 2"))
    elapsed = f"(:now - at) > %d * days * {day}"
    for state, sql in (("sleeping", f"{elapsed % 2} and not {elapsed % 4}"), ("lost", elapsed % 4), ("active", f"not {elapsed % 2}")):
        rule = {"kind": "lifecycle", "in": [state]}
        found.append(Question(f"lifecycle {state}", rule, f"{_HABIT} select member from rhythm where {sql}"))
    return found


def top_decile(threshold: int) -> Question:
    """``threshold``: what the tenth that spends most spends at least, as the profiles have it; the SQL finds its own."""
    sql = f"{_SPEND} select member from spend where v >= {_fifth('v', 90)}"
    return Question("top decile of spend", _purchases("value", 365, "ge", threshold), sql)


def of_shops_with_items(database: sqlite3.Connection) -> list[Question]:
    """About categories, items, locations, channels, hours, weekdays, age and birthdays."""
    found: list[Question] = []
    for (category,) in database.execute("select distinct category from line where category is not null order by 1").fetchall():
        rule: Rule = {"kind": "favourite", "of": "category", "days": 90, "is": slug(category)}
        found.append(Question(f"favourite category {category}", rule, _leads("category", category)))
    (category,) = database.execute("select category from line group by 1 order by count(*) desc limit 1").fetchone()
    (item,) = database.execute("select item from line group by 1 order by count(*) desc, 1 limit 1").fetchone()
    places = [row[0] for row in database.execute("select distinct place from line order by 1")]
    for dimension, name, times in (("category", category, 3), ("item", item, 2)):
        sql = f"select member from line where {dimension} = '{name}' and {_window(30)} group by member"
        rule = _purchases("count", 30, "ge", times, filter={dimension: slug(name) if dimension == "category" else name})
        found.append(Question(f"{times} purchases of {dimension} {name}", rule, f"{sql} having count(distinct receipt) >= {times}"))
        rule = {**rule, "metric": "quantity", "value": 1000 * times}
        found.append(Question(f"{times} pieces of {dimension} {name}", rule, f"{sql} having sum(thousandths) >= {times * 1000}"))
        rule = {**rule, "metric": "value", "days": 2, "op": "lt", "value": 500}
        sql = f"select member from line where {dimension} = '{name}' and {_window(2)} group by member having sum(cents) >= 500"
        found.append(Question(f"less than 5.00 for {dimension} {name}", rule, f"select id from member where id not in ({sql})"))
    for place in places:
        sql = f"select member from receipt where place = '{place}' and {_window(30)} group by member having count(*) >= 2"
        found.append(Question(f"2 purchases at {place}", _purchases("count", 30, "ge", 2, filter={"location": slug(place)}), sql))
        rule = {"kind": "favourite", "of": "location", "days": 30, "is": slug(place)}
        found.append(Question(f"favourite location {place}", rule, _leads("place", place, 30)))
    for channel, times in (("app", 2), ("pos", 2)):
        sql = f"select member from receipt where channel = '{channel}' and {_window(30)} group by member having count(*) >= {times}"
        rule = _purchases("count", 30, "ge", times, filter={"channel": channel})
        found.append(Question(f"{times} purchases by {channel}", rule, sql))
    sql = f"select member from receipt where hour in (7, 8, 9) and {_window(30)} group by member having count(*) >= 2"
    rule = _purchases("count", 30, "ge", 2, filter={"hours": {"from": 7, "until": 10}})
    found.append(Question("2 purchases from 7 to 10 o'clock", rule, sql))
    # 1 January 1970 was a Thursday, and Monday is the first day.
    sql = f"select member from receipt where (day + 3) % 7 >= 5 and {_window(30)} group by member having sum(cents) >= 500"
    found.append(Question("5.00 at the weekend", _purchases("value", 30, "ge", 500, weekdays=["sat", "sun"]), sql))
    return [*found, *_personal()]


def _leads(column: str, name: str, days: int = 90) -> str:
    """Most purchases, then most value; who ties for the lead leads."""
    return f"""
with total as (select member, {column} as name, count(distinct receipt) as n, sum(cents) as v from line
               where {column} is not null and {_window(days)} group by member, {column}),
     placed as (select *, rank() over (partition by member order by n desc, v desc) as place from total)
select member from placed where place = 1 and name = '{name}'"""


def _personal() -> list[Question]:
    """Born on 29 February, she has her birthday on the 28th of common years."""
    today = "date(:today * 86400, 'unixepoch')"
    leap = f"strftime('%d', strftime('%Y', {today}) || '-02-28', '+1 day') = '29'"
    birthday = f"case when substr(born, 6) = '02-29' and not {leap} then '02-28' else substr(born, 6) end"
    years = f"strftime('%Y', {today}) - substr(born, 1, 4) - (strftime('%m-%d', {today}) < {birthday})"
    born = "born is not null and born <> ''"
    age: Rule = {"kind": "age", "op": "ge", "years": 40}
    regular = _purchases("visits", 30, "ge", 2)
    visits = f"select member from receipt where {_window(30)} group by member having count(distinct day) >= 2"
    in_april = f"select id from member where {born} and substr(born, 6, 2) = '04'"
    either: Rule = {"kind": "any", "rules": [age, regular]}
    neither: Rule = {"kind": "all", "rules": [{"kind": "not", "rule": age}, {"kind": "not", "rule": regular}]}
    return [
        Question("40 years and older", age, f"select id from member where {born} and {years} >= 40"),
        Question("birthday in April", {"kind": "birthday", "month": 4}, in_april),
        Question("female", {"kind": "fact", "of": "gender", "is": "female"}, "select id from member where gender = 'female'"),
        Question("older, or 2 visits", either, f"select id from member where ({born} and {years} >= 40) or id in ({visits})"),
        Question("younger, without", neither, f"select id from member where {born} and {years} < 40 and id not in ({visits})"),
    ]
