"""A rule as it is asked about: of a body, or of a segment. What it names must be there, as when a segment is published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import BaseModel

from shared.definitions.errors import BrokenReference
from shared.definitions.model import Definition
from shared.definitions.references import broken_references, named_offers
from shared.definitions.segment_references import nesting_problems
from shared.kernel.instants import Instant
from shared.segments.errors import UnknownSegment
from shared.segments.listing import served_version
from shared.segments.parsing import Rule, rule_of
from shared.tenants.scope import TenantScope

_NOBODYS: Final = "-"
"""Stands for the id of a rule that is no segment; no id is a hyphen alone."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule as stored (``body``) and as it is evaluated; the segment that it is of, if any."""

    body: Mapping[str, Any]
    rule: Rule
    segment: str | None = None
    version: int | None = None

    @property
    def text(self) -> str:
        """The same for equal rules."""
        return json.dumps(self.body, sort_keys=True, separators=(",", ":"))


def of_body(scope: TenantScope, rule: BaseModel, now: Instant) -> Draft:
    """A rule that was sent. ``BrokenReference`` as publishing it would answer, with pointers into ``/rule``."""
    body = {"rule": rule.model_dump(mode="json", by_alias=True, exclude_unset=True)}
    _check(scope, _NOBODYS, body, now, prefix="/definition")
    return Draft(body["rule"], rule_of(body["rule"]))


def of_segment(scope: TenantScope, segment: str, version: int | None, now: Instant) -> Draft:
    """A version of a segment, the newest unless one is named, published or not. ``UnknownSegment`` if there is none."""
    found = scope.repository.newest("segment", segment)
    if found is not None and version not in (None, found.version):
        known = scope.definitions.definitions
        found = next((each for each in known if (each.kind, each.id, each.version) == ("segment", segment, version)), None)
    if found is None:
        raise UnknownSegment
    _check(scope, segment, found.body, now, prefix="")
    return _draft(found)


def of_served(scope: TenantScope, segment: str) -> Draft:
    """The version of a segment that listings read. ``UnknownSegment``, ``SegmentNotInForce``."""
    return _draft(served_version(scope, segment))


def wallets_of(scope: TenantScope, now: Instant) -> frozenset[str]:
    """The wallets that members may have points in."""
    definitions = scope.definitions
    programmes = (each.body.get("wallet", "points") for each in definitions.definitions if each.kind == "programme")
    return frozenset(programmes) | frozenset(definitions.at(now).settings.wallets)


def _draft(found: Definition) -> Draft:
    return Draft(found.body["rule"], rule_of(found.body["rule"]), found.id, found.version)


def _check(scope: TenantScope, segment: str, body: Mapping[str, Any], now: Instant, *, prefix: str) -> None:
    """The definitions in force are read from the cache; offers that the rule names are not in it."""
    offers = named_offers("segment", body)
    known = scope.repository.load(offers) if offers else scope.definitions
    missing = broken_references(known, "segment", body, now) or nesting_problems(known, segment, body, now)
    if missing:
        shortened = tuple(replace(each, pointer=each.pointer.removeprefix(prefix)) for each in missing)
        raise BrokenReference("The rule names what does not exist; see errors.", errors=shortened)
