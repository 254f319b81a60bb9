"""The catalogue as CSV: every line is checked before any item is stored, so that a file with a mistake changes nothing.

The first line names the columns: ``id`` and ``name``, and as wanted ``category``, ``tags`` (separated by ``;``), ``price`` (minor units),
``is_new`` (``true``, ``false``). A column that is left out leaves the field as an item has it by default. RFC 4180, UTF-8.
"""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any, Final

from pydantic import Field, StrictBool, ValidationError

from shared.definitions.api import ItemsRequest
from shared.definitions.catalogue import put_items
from shared.definitions.characters import refuse_control_characters
from shared.kernel.errors import FieldError, InvalidValue, Unprocessable
from shared.storage import keys
from shared.tenants.base import Frozen
from shared.tenants.model import CatalogueItem
from shared.tenants.scope import TenantScope

MAX_LINES: Final = 500
"""Items in one call: of a larger file the caller sends parts, each with the line of columns."""
_TOGETHER: Final = 200
_MOST_ERRORS: Final = 100
COLUMNS: Final = ("id", "name", "category", "tags", "price", "is_new")
_YES_OR_NO: Final = {"true": True, "false": False}


class CatalogueImport(Frozen):
    """A catalogue as CSV; see docs/tenants.md. ``dry_run``: check it alone."""

    csv: Annotated[str, Field(min_length=1, max_length=800_000)]
    dry_run: StrictBool = False


class CatalogueImported(Frozen):
    """What became of the lines; in a dry run what is checked, and nothing of what would become of it."""

    items: int
    dry_run: bool
    created: int = 0
    replaced: int = 0
    unchanged: int = 0


def import_csv(scope: TenantScope, request: CatalogueImport) -> CatalogueImported:
    """Check every line, then store the items. ``Unprocessable`` names lines (``/csv/<line>/<column>``); nothing is stored then.

    A batch read per 100 items and a write for each that is new or differs. A call that broke off may be repeated: what is there already
    is left alone.
    """
    items = items_of(scope.tenant, request.csv)
    if request.dry_run:
        return CatalogueImported(items=len(items), dry_run=True)
    became = [
        each.status
        for start in range(0, len(items), _TOGETHER)
        for each in put_items(scope, ItemsRequest(items=tuple(items[start : start + _TOGETHER]))).items
    ]
    counts = {status: became.count(status) for status in ("created", "replaced", "unchanged")}
    return CatalogueImported(items=len(items), dry_run=False, **counts)


def items_of(tenant: str, text: str) -> list[CatalogueItem]:
    """The items of a file. ``Unprocessable`` with what is wrong, by line; the line of columns is line 1."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    items: dict[str, CatalogueItem] = {}
    errors: list[FieldError] = []
    try:
        columns = [name.strip() for name in next(reader, [])]
        errors += _column_errors(columns)
        for cells in reader if not errors else ():
            line = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            item = _item(tenant, line, columns, cells, errors)
            if item is not None and item.id in items:
                errors.append(FieldError(f"/csv/{line}/id", "duplicate", "this id stands twice in the file"))
            elif item is not None:
                items[item.id] = item
            if len(items) > MAX_LINES or len(errors) >= _MOST_ERRORS:
                break
    except csv.Error as error:
        errors.append(FieldError(f"/csv/{reader.line_num}", "invalid_value", f"not CSV: {error}"))
    if len(items) > MAX_LINES:
        errors.append(FieldError("/csv", "too_long", f"at most {MAX_LINES} items a call; send the file in parts"))
    if not items and not errors:
        errors.append(FieldError("/csv", "required", "a line of columns, and at least one item"))
    if errors:
        raise Unprocessable("The file does not fit, and nothing of it is stored; see errors.", errors=tuple(errors[:_MOST_ERRORS]))
    return list(items.values())


def _column_errors(columns: list[str]) -> list[FieldError]:
    wrong = [FieldError("/csv/1", "unknown_column", f"columns are {', '.join(COLUMNS)}") for name in columns if name not in COLUMNS]
    twice = [FieldError("/csv/1", "duplicate", "a column stands twice")] if len(set(columns)) != len(columns) else []
    missing = [FieldError("/csv/1", "required", f"the column {name} is missing") for name in ("id", "name") if name not in columns]
    return [*wrong[:1], *twice, *missing]


def _item(tenant: str, line: int, columns: list[str], cells: list[str], errors: list[FieldError]) -> CatalogueItem | None:
    if len(cells) != len(columns):
        errors.append(FieldError(f"/csv/{line}", "invalid_value", f"{len(cells)} cells, and {len(columns)} columns"))
        return None
    given: dict[str, Any] = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if cell.strip()}
    if "tags" in given:
        given["tags"] = tuple(tag.strip() for tag in given["tags"].split(";") if tag.strip())
    if given.get("is_new", "") in _YES_OR_NO:
        given["is_new"] = _YES_OR_NO[given["is_new"]]
    if given.get("price", "").isascii() and given.get("price", "").isdigit() and len(given["price"]) <= 15:
        given["price"] = int(given["price"])
    try:
        item = CatalogueItem.model_validate(given, strict=True)
        refuse_control_characters(item.model_dump(mode="json"), f"/csv/{line}")
        keys.catalogue_item(tenant, item.id)
    except InvalidValue:
        errors.append(FieldError(f"/csv/{line}/id", "invalid_value", "too long: at most 128 bytes after percent-encoding"))
        return None
    except Unprocessable as refusal:
        errors += refusal.errors
        return None
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            code = "required" if each["type"] == "missing" else "invalid_value"
            errors.append(FieldError(f"/csv/{line}/{each['loc'][0]}", code, each["msg"]))
        return None
    return item
