"""What goes with an item: the shape, for those who read it without the library of columns. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Complement:
    """An item that goes with another: on how many days both were bought, and the lift in hundredths."""

    item: str
    together: int
    lift_e2: int


def to_body(complements: tuple[Complement, ...]) -> list[list[Any]]:
    """As it is stored."""
    return [[each.item, each.together, each.lift_e2] for each in complements]


def from_body(body: list[list[Any]]) -> tuple[Complement, ...]:
    """As it was stored."""
    return tuple(Complement(item, together, lift) for item, together, lift in body)
