"""A shop's files as bodies of our API: locations, items, members, receipts. Pure but for reading the files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from local import console
from local.mapping import Mapping, TagRule, number
from shared.kernel.money import currency_exponent


class Row(dict[str, str]):
    """A row of a file by its columns. A column that is not there is a mistake of the mapping."""

    __slots__ = ("file",)

    def __init__(self, file: Path, values: dict[str, str]) -> None:
        super().__init__(values)
        self.file = file

    def __missing__(self, column: str) -> str:
        raise console.Failure(f"{self.file} has no column {column!r}", "The mapping names the columns of the file; correct it.")


def slug(text: str) -> str:
    """A name as an id of ours: ``Drinking Chocolate`` -> ``drinking-chocolate``."""
    return re.sub(r"[^a-z0-9]+", "-", text.strip().lower()).strip("-")[:48] or "other"


@dataclass
class Shop:
    """The files of one shop, with its days shifted so that the last one is ``last_day``."""

    folder: Path
    mapping: Mapping
    last_day: date | None = None
    skipped: dict[str, int] = field(default_factory=dict)
    """Why rows were left out, counted."""

    def rows(self, name: str) -> list[Row]:
        """The rows of a file. A byte-order mark is dropped."""
        file = self.folder / name
        if not file.exists():
            raise console.Failure(f"{file} does not exist", "The mapping names the files of the folder; correct it.")
        with file.open(encoding="utf-8-sig", newline="") as opened:
            return [Row(file, values) for values in csv.DictReader(opened)]

    def minor(self, text: Any) -> int:
        """An amount as written -> minor units."""
        try:
            exact = Decimal(number(text)) * 10 ** currency_exponent(self.mapping.shop.currency)
            return int(exact.quantize(Decimal(1), ROUND_HALF_UP))
        except (InvalidOperation, ValueError):
            raise console.Failure(f"{text!r} is not an amount", "Correct the file or the column in the mapping.") from None

    # -- definitions ------------------------------------------------------------------------------------------------

    def locations(self) -> list[dict[str, Any]]:
        """Bodies of locations."""
        part = self.mapping.locations
        if part.file is None:
            return [{"id": slug(part.constant or "main"), "name": part.constant or "main"}]
        found = []
        for row in self.rows(part.file):
            if any(row[column] != value for column, value in part.where.items()):
                continue
            body: dict[str, Any] = {"id": slug(row[part.id]), "name": row[part.name] or row[part.id]}
            if part.latitude and part.longitude:
                body |= {"latitude_e6": _millionths(row[part.latitude]), "longitude_e6": _millionths(row[part.longitude])}
            found.append(body)
        return found

    def items(self) -> list[dict[str, Any]]:
        """Bodies of catalogue items."""
        return list(self._items.values())

    @cached_property
    def _items(self) -> dict[str, dict[str, Any]]:
        part, found = self.mapping.items, {}
        for row in self.rows(part.file):
            body: dict[str, Any] = {"id": row[part.id], "name": row[part.name].strip()}
            if part.category:
                body["category"] = slug(row[part.category])
            if part.price:
                body["price"] = self.minor(row[part.price])
            body["tags"] = [rule.tag for rule in part.tags if _tagged(rule, row)]
            body["is_new"] = part.new is not None and row[part.new] == part.new_value
            found[row[part.id]] = body
        return found

    # -- members ----------------------------------------------------------------------------------------------------

    def members(self) -> Iterator[dict[str, Any]]:
        """Bodies of registrations, in the form of the bulk route."""
        part = self.mapping.members
        if part is None:
            return
        for row in self.rows(part.file):
            identifiers = [{"kind": "external", "value": row[part.id], "proof": "import"}]
            if part.card and row[part.card]:
                identifiers.append({"kind": "card", "value": row[part.card], "proof": "import"})
            profile: dict[str, Any] = {}
            if part.name and row[part.name]:
                first, _, last = row[part.name].partition(" ")
                profile |= {"first_name": first, **({"last_name": last} if last else {})}
            if part.email and row[part.email]:
                profile["email"] = row[part.email]
            if part.birth_date and row[part.birth_date]:
                profile["birth_date"] = row[part.birth_date]
            if part.gender and row[part.gender] in part.genders:
                profile["gender"] = part.genders[row[part.gender]]
            body: dict[str, Any] = {"identifiers": identifiers, "profile": profile, "source": "import"}
            if part.home and row[part.home]:
                body["location_id"] = slug(row[part.home])
            if part.joined and row[part.joined]:
                body["joined_at"] = f"{row[part.joined]}T12:00:00Z"
            yield body

    # -- receipts ---------------------------------------------------------------------------------------------------

    @cached_property
    def _receipts(self) -> dict[tuple[str, ...], list[Row]]:
        part = self.mapping.receipts
        found: dict[tuple[str, ...], list[Row]] = {}
        for row in self.rows(part.file):
            found.setdefault(tuple(row[column] for column in part.key), []).append(row)
        return found

    @cached_property
    def _shift(self) -> timedelta:
        days = [self._day(rows[0]) for rows in self._receipts.values()]
        return (self.last_day or max(days)) - max(days)

    def days(self) -> list[date]:
        """The days that have receipts, shifted."""
        return sorted({self._day(rows[0]) + self._shift for rows in self._receipts.values()})

    def receipts(self, location: str | None = None) -> list[dict[str, Any]]:
        """Bodies of sales in order of time; of one location, if named."""
        wanted = None if location is None else slug(location)
        bodies = (self._receipt(rows) for rows in self._receipts.values())
        found = [body for body in bodies if body is not None and wanted in (None, body["location_id"])]
        return sorted(found, key=lambda body: str(body["occurred_at"]))

    def _receipt(self, rows: list[Row]) -> dict[str, Any] | None:
        part, first = self.mapping.receipts, rows[0]
        lines = [line for index, row in enumerate(rows, 1) if (line := self._line(index, row)) is not None]
        if not lines:
            self.skipped["no item on the receipt"] = self.skipped.get("no item on the receipt", 0) + 1
            return None
        day = self._day(first) + self._shift
        clock = _written(first[part.time], "time", part.time_format).time()
        at = datetime.combine(day, clock, ZoneInfo(self.mapping.shop.time_zone)).astimezone(UTC)
        body: dict[str, Any] = {
            "source": self.mapping.shop.source,
            "location_id": slug(first[part.location]) if part.location else slug(self.mapping.locations.constant or "main"),
            "business_date": day.isoformat(),
            "receipt_number": first[part.number],
            "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "currency": self.mapping.shop.currency,
            "channel": part.channels.get(first[part.channel], "pos") if part.channel else "pos",
            "lines": lines,
        }
        if part.staff and first[part.staff]:
            body["staff_id"] = first[part.staff]
        if part.member and first[part.member] not in part.anonymous:
            body["member"] = {"kind": "external", "value": first[part.member]}
        return body

    def _line(self, index: int, row: Row) -> dict[str, Any] | None:
        part = self.mapping.receipts
        item = row[part.item]
        if item in part.missing_item:
            self.skipped["line without an item"] = self.skipped.get("line without an item", 0) + 1
            return None
        price = self.minor(row[part.unit_price]) if part.unit_price else self._items.get(item, {}).get("price", 0)
        line: dict[str, Any] = {"id": str(index), "item_id": item, "unit_price": price}
        if part.quantity and row[part.quantity] != "1":
            line["quantity"] = row[part.quantity]
        if part.amount:
            line["amount"] = self.minor(row[part.amount])
        return line

    def _day(self, row: Row) -> date:
        part = self.mapping.receipts
        return _written(row[part.date], "date", part.date_format).date()


def _written(text: str, what: str, form: str) -> datetime:
    """A date or time of the shop's own calendar and clock, as the mapping says that it is written."""
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the shop's, and follows
    except ValueError:
        raise console.Failure(f"{text!r} is not a {what} written as {form}", f"Correct {what}_format in the mapping.") from None


def _tagged(rule: TagRule, row: Row) -> bool:
    value = row[rule.column]
    return value in rule.one_of or any(word.lower() in value.lower() for word in rule.contains)


def _millionths(text: str) -> int:
    return int((Decimal(text) * 1_000_000).to_integral_value())
