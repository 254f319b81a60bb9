"""Daily cells as compact JSON and back: columns, of which only what cannot be foretold is written. Old formats decode for ever.

``[3, unit, day steps, counts, values, quantities, names, *columns]``, names sorted, one column each. A column has for each day with the
name ``8 * days without it before + form``; the bits of ``form`` say what follows since it is not as foretold: the number of purchases
(1), the quantity (2), the value (4). Foretold are

* of what a purchase has one of (location, channel, hour), and of categories: one purchase (location, channel: all), and of value and
  quantity all that names before it have left of the day;
* of items and tags: one purchase, one piece, and the price of the time before;
* of points: as many as the day's value earned by the rate so far; of the rest: as many as purchases.

So a day with one purchase costs little more than its value and the places of its names. Quantities are in units of ``unit``
thousandths. The loops are written out, because a history is decoded with every decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from shared.profile.model import Cell

CELLS_FORMAT: Final = 3
_COUNT: Final = 1
_QUANTITY: Final = 2
_VALUE: Final = 4
_PIECE: Final = 1000
"""Thousandths of one piece."""
_SHARED: Final = "lhoc"
_PRICED: Final = "it"
Rows = list[tuple[int, list[int]]]
"""Of one name: (place of the day, [count, value, quantity])."""


def encode_cells(cells: dict[int, Cell]) -> list[Any]:
    """Compact JSON of cells by day."""
    days = sorted(cells)
    found: dict[str, Rows] = {}
    owns: list[list[int]] = []
    in_pieces = True
    for place, day in enumerate(days):
        cell = cells[day]
        owns.append([cell.count, cell.value, cell.quantity])
        in_pieces = in_pieces and not cell.quantity % _PIECE
        for name, amounts in cell.by.items():
            in_pieces = in_pieces and not amounts[2] % _PIECE
            if name in found:
                found[name].append((place, amounts))
            else:
                found[name] = [(place, amounts)]
    unit, names, columns = _PIECE if in_pieces else 1, sorted(found), []
    left: list[list[int]] = []
    letter = ""
    for name in names:
        if name[0] != letter:
            letter, left = name[0], [own.copy() for own in owns]
        if letter in _SHARED:
            columns.append(_shared_column(found[name], left, unit, all_purchases=letter in "lh"))
        elif letter in _PRICED:
            columns.append(_priced_column(found[name], unit))
        else:
            columns.append(_plain_column(found[name], owns, unit, earns=letter == "p"))
    return [
        CELLS_FORMAT,
        unit,
        [day - before for day, before in zip(days, [0, *days], strict=False)],
        [own[0] for own in owns],
        [own[1] for own in owns],
        [own[2] // unit for own in owns],
        names,
        *columns,
    ]


def _shared_column(rows: Rows, left: list[list[int]], unit: int, *, all_purchases: bool) -> list[int]:
    column: list[int] = []
    following = 0
    for place, (count, value, quantity) in rows:
        mine = left[place]
        form = (count != (mine[0] if all_purchases else 1)) + _QUANTITY * (quantity != mine[2]) + _VALUE * (value != mine[1])
        column.append(8 * (place - following) + form)
        if form:
            _add(column, form, count, value, quantity // unit)
        mine[0] -= count
        mine[1] -= value
        mine[2] -= quantity
        following = place + 1
    return column


def _priced_column(rows: Rows, unit: int) -> list[int]:
    column: list[int] = []
    following, price, pieces = 0, 0, 1
    for place, (count, value, quantity) in rows:
        form = (count != 1) + _QUANTITY * (quantity != _PIECE * count) + _VALUE * (value != price * quantity // pieces)
        column.append(8 * (place - following) + form)
        if form:
            _add(column, form, count, value, quantity // unit)
        if quantity > 0:
            price, pieces = value, quantity
        following = place + 1
    return column


def _plain_column(rows: Rows, owns: list[list[int]], unit: int, *, earns: bool) -> list[int]:
    column: list[int] = []
    following, earned, spent = 0, 0, 0
    for place, (count, value, quantity) in rows:
        of_day, paid, _ = owns[place]
        expected = (paid * earned // spent if spent > 0 else 0) if earns else of_day
        form = (count != of_day) + _QUANTITY * (quantity != 0) + _VALUE * (value != expected)
        column.append(8 * (place - following) + form)
        if form:
            _add(column, form, count, value - expected if earns else value, quantity // unit)
        earned, spent = earned + value, spent + paid
        following = place + 1
    return column


def _add(column: list[int], form: int, count: int, value: int, quantity: int) -> None:
    if form & _COUNT:
        column.append(count)
    if form & _QUANTITY:
        column.append(quantity)
    if form & _VALUE:
        column.append(value)


def decode_cells(encoded: list[Any]) -> dict[int, Cell]:
    """What ``encode_cells`` took, now or in a format before."""
    if encoded[0] != CELLS_FORMAT:
        return _decode_format_2(encoded)
    _, unit, steps, counts, values, quantities, names, *columns = encoded
    owns = [[count, value, unit * quantity] for count, value, quantity in zip(counts, values, quantities, strict=True)]
    found: list[dict[str, list[int]]] = [{} for _ in owns]
    left: list[list[int]] = []
    letter = ""
    for name, column in zip(names, columns, strict=True):
        if name[0] != letter:
            letter, left = name[0], [own.copy() for own in owns]
        numbers: Iterator[int] = iter(column)
        if letter in _SHARED:
            _read_shared(name, numbers, left, found, unit, all_purchases=letter in "lh")
        elif letter in _PRICED:
            _read_priced(name, numbers, found, unit)
        else:
            _read_plain(name, numbers, owns, found, unit, earns=letter == "p")
    cells, day = {}, 0
    for step, (count, value, quantity), by in zip(steps, owns, found, strict=True):
        day += step
        cells[day] = Cell(count, value, quantity, by)
    return cells


Found = list[dict[str, list[int]]]


def _read_shared(name: str, numbers: Iterator[int], left: list[list[int]], found: Found, unit: int, *, all_purchases: bool) -> None:
    place = -1
    for number in numbers:
        place += (number >> 3) + 1
        form = number & 7
        mine = left[place]
        count, value, quantity = mine
        if form or not all_purchases:
            count = next(numbers) if form & _COUNT else count if all_purchases else 1
            quantity = unit * next(numbers) if form & _QUANTITY else quantity
            value = next(numbers) if form & _VALUE else value
        mine[0] -= count
        mine[1] -= value
        mine[2] -= quantity
        found[place][name] = [count, value, quantity]


def _read_priced(name: str, numbers: Iterator[int], found: Found, unit: int) -> None:
    place, price, pieces = -1, 0, 1
    for number in numbers:
        place += (number >> 3) + 1
        form = number & 7
        count = next(numbers) if form & _COUNT else 1
        quantity = unit * next(numbers) if form & _QUANTITY else _PIECE * count
        value = next(numbers) if form & _VALUE else price * quantity // pieces
        if quantity > 0:
            price, pieces = value, quantity
        found[place][name] = [count, value, quantity]


def _read_plain(name: str, numbers: Iterator[int], owns: list[list[int]], found: Found, unit: int, *, earns: bool) -> None:
    place, earned, spent = -1, 0, 0
    for number in numbers:
        place += (number >> 3) + 1
        form = number & 7
        of_day, paid, _ = owns[place]
        count = next(numbers) if form & _COUNT else of_day
        quantity = unit * next(numbers) if form & _QUANTITY else 0
        expected = (paid * earned // spent if spent > 0 else 0) if earns else of_day
        value = expected
        if form & _VALUE:
            value = next(numbers) + (expected if earns else 0)
        earned, spent = earned + value, spent + paid
        found[place][name] = [count, value, quantity]


def _decode_format_2(encoded: list[Any]) -> dict[int, Cell]:
    """Formats 1 and 2: ``[names, [day step, count, value, quantity, *dimensions], ...]``, without quantities of dimensions.

    Of a dimension ``3 * place of its name + form``, and then what the cell's own is not: form 1 the value, 2 count and value.
    """
    names, cells, day = encoded[0], {}, 0
    for row in encoded[1:]:
        day += row[0]
        count, value = row[1], row[2]
        by: dict[str, list[int]] = {}
        at, end = 4, len(row)
        while at < end:
            place, form = divmod(row[at], 3)
            if form == 0:
                by[names[place]] = [count, value, 0]
            elif form == 1:
                by[names[place]] = [count, row[at + 1], 0]
            else:
                by[names[place]] = [row[at + 1], row[at + 2], 0]
            at += form + 1
        cells[day] = Cell(count, value, row[3], by)
    return cells
