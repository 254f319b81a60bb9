"""Which versions an offer has, and when each holds: the offer's head. Pure.

Offers are read one by one, so that a tenant may have ten thousand of them; the head says which version to read. It is a copy,
written in the transaction that writes the version: one attribute a version, so that no writer needs to have read it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.definitions.model import Definition
from shared.kernel.instants import NEVER, Instant
from shared.storage.errors import RawItem
from shared.storage.expressions import Action, Path

_PREFIX = "v"


@dataclass(frozen=True, slots=True)
class Span:
    """A version, and from when until when it is published (``since`` is ``None`` for a draft)."""

    version: int
    since: Instant | None
    until: Instant | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """An offer's versions, oldest first."""

    id: str
    spans: tuple[Span, ...]

    @property
    def newest(self) -> int:
        """The newest version, whatever its status."""
        return self.spans[-1].version

    def in_force(self, at: Instant) -> int | None:
        """The version that holds at the instant: the newest of those that are published then."""
        return next(
            (each.version for each in reversed(self.spans) if each.since is not None and each.since <= at < (each.until or NEVER)), None
        )


def planned(spans: Iterable[Span], at: Instant) -> frozenset[int]:
    """The versions of one definition that hold at the instant or at a later one: a newer version ends the one before, and all of them
    are retired together.
    """
    published = [(each.version, each.since, each.until or NEVER) for each in spans if each.since is not None]
    ends = {version: min([until, *(other for newer, other, _ in published if newer > version)]) for version, _, until in published}
    return frozenset(version for version, since, _ in published if max(at, since) < ends[version])


def head_actions(versions: Iterable[Definition]) -> list[Action]:
    """What to set on the head for these versions as they are now."""
    return [Path(f"{_PREFIX}{each.version:06d}").set(_text(each)) for each in versions]


def timeline_of(raw: RawItem) -> Timeline:
    """A stored head."""
    found = sorted((name, value["S"]) for name, value in raw.items() if name.startswith(_PREFIX) and name[1:].isdigit())
    return Timeline(raw["SK"]["S"].partition("#")[2], tuple(_span(int(name[1:]), text) for name, text in found))


def _text(definition: Definition) -> str:
    since, until = definition.effective_from, definition.retired_from
    return "|".join("" if instant is None else str(instant) for instant in (since, until))


def _span(version: int, text: str) -> Span:
    since, _, until = text.partition("|")
    return Span(version, int(since) if since else None, int(until) if until else None)
