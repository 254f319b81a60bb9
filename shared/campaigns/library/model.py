"""An entry of the library as its file says it: what it is for, its parameters, and the definitions that it makes. Pure.

In the definitions stand ``{"$": "percent"}`` for a number (``"times"`` multiplies it), ``[[percent]]`` for it inside a text, ``@coupon``
for the id of another definition of the entry, and texts in every language of the library where a tenant has those of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from shared.definitions.model import Kind
from shared.tenants.messaging import Channel

LANGUAGES: Final = ("en", "de", "ru")
"""Of every text of the library; a tenant's other languages get the first."""
CHANNELS: Final[tuple[Channel, ...]] = ("push", "email", "inbox")
"""Over which its messages go, where the tenant has set them up."""
_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a tenant may set. Of a number ``least`` and ``most`` are its bounds; of a text ``most`` is its length."""

    kind: Literal["number", "text"]
    about: Mapping[str, str]
    default: int | Mapping[str, str]
    most: int
    least: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """A definition that an entry makes, by its id without prefix."""

    kind: Kind
    id: str
    definition: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A ready campaign. ``definitions`` are in the order in which they are published."""

    name: str
    title: Mapping[str, str]
    about: Mapping[str, str]
    parameters: Mapping[str, Parameter]
    definitions: tuple[Made, ...]


@lru_cache(maxsize=1)
def entries() -> Mapping[str, Entry]:
    """All of them by name, read once."""
    found = (entry_of(json.loads(file.read_text(encoding="utf-8"))) for file in sorted(_FOLDER.glob("*.json")))
    return {each.name: each for each in found}


def entry_of(raw: Mapping[str, Any]) -> Entry:
    """An entry as its file says it."""
    return Entry(
        raw["name"],
        raw["title"],
        raw["about"],
        {name: Parameter(**each) for name, each in raw["parameters"].items()},
        tuple(Made(**each) for each in raw["definitions"]),
    )
