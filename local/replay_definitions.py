"""The definitions of a replay: one JSON file, or a folder of them, as the API takes and answers their parts.

What is wrong is said with its file, JSON pointer and code, all of it at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, Field, ValidationError

from local import console
from shared.challenges.model import ChallengeBody
from shared.coupons.model import OfferBody, PromotionBody
from shared.definitions.model import Definition, DefinitionSet, Kind
from shared.definitions.references import broken_references
from shared.http.body import refusal_of
from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.instants import Instant, parse_rfc3339
from shared.programmes.model import ProgrammeBody
from shared.replay.engine import TENANT
from shared.segments.api import SegmentBody
from shared.tenants.location_groups import LocationGroup, check_groups
from shared.tenants.model import CatalogueItem, Frozen, Location, Name, TenantSettings
from shared.transactions.api import Timestamp

ModelT = TypeVar("ModelT", bound=BaseModel)
NamedT = TypeVar("NamedT", Location, LocationGroup, CatalogueItem)
_BODIES: Final[dict[str, tuple[Kind, type[BaseModel]]]] = {
    "programmes": ("programme", ProgrammeBody),
    "offers": ("offer", OfferBody),
    "promotions": ("promotion", PromotionBody),
    "segments": ("segment", SegmentBody),
    "challenges": ("challenge", ChallengeBody),
}
_SECTIONS: Final = ("settings", "locations", "location_groups", "catalogue", *_BODIES)
_LISTS: Final = ("data", "items", "locations", "groups")
"""Under which names the API has lists in its bodies and answers."""


class _Envelope(Frozen):
    """A definition as the API takes it (``id``, ``definition``) and answers it (all of it).

    Without an instant it holds from the beginning.
    """

    id: Name
    version: int = Field(default=1, ge=1)
    effective_from: Timestamp | None = None
    retired_from: Timestamp | None = None
    definition: dict[str, Any]
    kind: str | None = None
    status: str | None = None
    etag: str | None = None
    changed_at: str | None = None


@dataclass
class Read:
    """What was read, and what is wrong with it."""

    settings: TenantSettings | None = None
    locations: dict[str, Location] = field(default_factory=dict)
    groups: dict[str, LocationGroup] = field(default_factory=dict)
    catalogue: dict[str, CatalogueItem] = field(default_factory=dict)
    definitions: dict[tuple[Kind, str, int], Definition] = field(default_factory=dict)
    places: dict[tuple[Kind, str, int], tuple[Path, str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def wrong(self, file: Path, pointer: str, errors: tuple[FieldError, ...]) -> None:
        """Remember what is wrong."""
        self.errors += [f"{file}: {pointer}{each.pointer}: {each.code}: {each.detail}" for each in errors]


def read_definitions(place: Path) -> tuple[DefinitionSet, dict[str, CatalogueItem]]:
    """The definitions and the catalogue, or a failure that lists what is wrong."""
    read = Read()
    for file in _files(place):
        _read_file(file, read)
    if read.settings is None and not read.errors:
        read.errors.append(f"{place}: /settings: required: name, currency and time_zone at least")
    if read.settings is None or read.errors:
        raise _failure(read.errors)
    try:
        check_groups(read.groups.values())
    except Unprocessable as refused:
        read.wrong(place, "/location_groups", tuple(changed(each, pointer=each.pointer.removeprefix("/groups")) for each in refused.errors))
    known = DefinitionSet(TENANT, read.settings, read.locations, tuple(read.definitions.values()), groups=read.groups)
    for key, each in read.definitions.items():
        file, pointer = read.places[key]
        read.wrong(file, pointer, broken_references(known, each.kind, each.body, each.effective_from or 0))
    if read.errors:
        raise _failure(read.errors)
    return known, read.catalogue


def _failure(errors: list[str]) -> console.Failure:
    return console.Failure("the definitions cannot be used:\n  " + "\n  ".join(errors), "docs/replay.md shows what they look like.")


def _files(place: Path) -> list[Path]:
    if not place.exists():
        raise console.Failure(f"there is no {place}", "Name a JSON file, or a folder of JSON files.")
    found = sorted(place.glob("*.json")) if place.is_dir() else [place]
    if not found:
        raise console.Failure(f"{place} holds no .json file", "Name a JSON file, or a folder of JSON files.")
    return found


def _read_file(file: Path, read: Read) -> None:
    try:
        whole = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        read.errors.append(f"{file}: : invalid_json: {error}")
        return
    if not isinstance(whole, dict):
        read.errors.append(f"{file}: : wrong_type: an object with any of {', '.join(_SECTIONS)}")
        return
    for name in whole:
        if name not in _SECTIONS:
            read.errors.append(f"{file}: /{name}: unknown_field: expected one of {', '.join(_SECTIONS)}")
    if "settings" in whole:
        read.settings = _parsed(TenantSettings, whole["settings"], file, "/settings", read) or read.settings
    _read_named(whole, "locations", Location, read.locations, file, read)
    _read_named(whole, "location_groups", LocationGroup, read.groups, file, read)
    _read_named(whole, "catalogue", CatalogueItem, read.catalogue, file, read)
    for section, (kind, model) in _BODIES.items():
        for pointer, entry in _entries(whole, section):
            _read_definition(kind, model, entry, file, pointer, read)


def _read_named(whole: Mapping[str, Any], section: str, model: type[NamedT], into: dict[str, NamedT], file: Path, read: Read) -> None:
    for pointer, entry in _entries(whole, section):
        found = _parsed(model, entry, file, pointer, read)
        if found is not None:
            into[found.id] = found


def _read_definition(kind: Kind, model: type[BaseModel], entry: Any, file: Path, pointer: str, read: Read) -> None:
    envelope = _parsed(_Envelope, entry, file, pointer, read)
    if envelope is None or _parsed(model, envelope.definition, file, f"{pointer}/definition", read) is None:
        return
    key = (kind, envelope.id, envelope.version)
    if key in read.definitions:
        read.errors.append(f"{file}: {pointer}/id: duplicate: {envelope.id} version {envelope.version} is there already")
        return
    starts = _instant(envelope.effective_from) or 0
    ends = _instant(envelope.retired_from)
    # A segment's epoch is the instant from which it is evaluated; nobody lists its members here, so that it is served at once.
    read.definitions[key] = Definition(
        kind=kind,
        id=envelope.id,
        version=envelope.version,
        status="published" if ends is None else "retired",
        body=envelope.definition,
        effective_from=starts,
        retired_from=ends,
        epoch=starts if kind == "segment" else 0,
        retired_epoch=(ends or 0) if kind == "segment" else 0,
        served_at=starts,
    )
    read.places[key] = (file, pointer)


def _instant(text: str | None) -> Instant | None:
    return parse_rfc3339(text) if text is not None else None


def _entries(whole: Mapping[str, Any], section: str) -> Iterator[tuple[str, Any]]:
    """The entries of a section with their pointers: of a list, or of a body or answer of the API that holds one."""
    found, pointer = whole.get(section, []), f"/{section}"
    if isinstance(found, dict):
        name = next((each for each in _LISTS if isinstance(found.get(each), list)), None)
        if name is not None:
            found, pointer = found[name], f"{pointer}/{name}"
    if not isinstance(found, list):
        yield pointer, None
        return
    for index, entry in enumerate(found):
        yield f"{pointer}/{index}", entry


def _parsed(model: type[ModelT], value: Any, file: Path, pointer: str, read: Read) -> ModelT | None:
    raw = json.dumps(value).encode()
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        refusal = refusal_of(error, raw)
        read.wrong(file, pointer, refusal.errors)
        return None
