"""Another shop's files without code: a mapping says which column is which of our fields.

A mapping is TOML (see local/mappings/*.toml, which are commented). ``Mapping.read`` checks it and says what is wrong with it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local import console
from shared.tenants.base import Currency, ZoneName

FOLDER: Final = Path(__file__).parent / "mappings"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shop(_Part):
    """Who it is: becomes the tenant."""

    tenant: str
    name: str
    currency: Currency
    time_zone: ZoneName
    country: str | None = None
    source: str = "pos"


class Locations(_Part):
    """One row a location. ``constant`` instead of a file where there is just one."""

    file: str | None = None
    constant: str | None = None
    id: str = "id"
    name: str = "name"
    latitude: str | None = None
    longitude: str | None = None
    where: dict[str, str] = Field(default_factory=dict)


class TagRule(_Part):
    """A tag for items whose column has one of these values, or contains one of these words."""

    tag: str
    column: str
    one_of: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()


class Items(_Part):
    """One row an item."""

    file: str
    id: str
    name: str
    category: str | None = None
    price: str | None = None
    new: str | None = None
    new_value: str = "Y"
    tags: tuple[TagRule, ...] = ()


class Members(_Part):
    """One row a member."""

    file: str
    id: str
    name: str | None = None
    email: str | None = None
    card: str | None = None
    birth_date: str | None = None
    gender: str | None = None
    genders: dict[str, str] = Field(default_factory=dict)
    joined: str | None = None
    home: str | None = None


class Receipts(_Part):
    """One row a line; the lines with the same ``key`` columns are one receipt."""

    file: str
    key: tuple[str, ...]
    number: str
    date: str
    date_format: str = "%Y-%m-%d"
    time: str
    time_format: str = "%H:%M:%S"
    location: str | None = None
    member: str | None = None
    anonymous: tuple[str, ...] = ()
    staff: str | None = None
    item: str
    missing_item: tuple[str, ...] = ("", "NULL")
    quantity: str | None = None
    unit_price: str | None = None
    amount: str | None = None
    channel: str | None = None
    channels: dict[str, str] = Field(default_factory=dict)


class Story(_Part):
    """What the six steps of the story use of this shop."""

    outlet: str
    welcome_item: str
    welcome_price: int
    second_item: str
    tag: str
    new_items: tuple[str, ...] = ()


class Mapping(_Part):
    """A whole mapping."""

    shop: Shop
    locations: Locations
    items: Items
    members: Members | None = None
    receipts: Receipts
    story: Story | None = None

    @classmethod
    def read(cls, file: Path) -> Mapping:
        """The mapping of a file, or a failure that says what is wrong with it."""
        try:
            return cls.model_validate(tomllib.loads(file.read_text()))
        except FileNotFoundError:
            raise console.Failure(f"there is no mapping {file}", "Write one: local/mappings/*.toml show how.") from None
        except (tomllib.TOMLDecodeError, ValidationError) as error:
            raise console.Failure(f"the mapping {file} cannot be used: {error}", "local/mappings/*.toml show how.") from None

    @classmethod
    def for_folder(cls, folder: Path, named: str | None = None) -> Mapping:
        """The mapping named, else mapping.toml in the folder, else the one of ours with the folder's name."""
        candidates = [Path(named)] if named else [folder / "mapping.toml", FOLDER / f"{folder.name}.toml"]
        found = next((each for each in candidates if each.exists()), candidates[-1])
        return cls.read(found)


def number(text: Any) -> str:
    """``"$18.00 "`` -> ``18.00``."""
    return str(text or "").strip().lstrip("$€£").replace(",", "").strip()
