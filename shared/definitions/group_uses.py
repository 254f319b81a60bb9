"""What names groups of locations: a group that something in force or to come still names cannot be taken away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.definitions.errors import LocationGroupInUse
from shared.definitions.model import Definition
from shared.definitions.timeline import Span, planned
from shared.kernel.errors import FieldError
from shared.tenants.location_groups import LocationGroups
from shared.tenants.scope import TenantScope

_MOST_NAMED = 20


def refuse_taking_away(scope: TenantScope, wanted: LocationGroups) -> None:
    """``LocationGroupInUse`` with what still names a group that is not among those wanted; ``errors`` has at most 20 of them.

    A read of the groups; only where one goes, a Query of the definitions, one of the offers' heads, and a batch read per 100 offers.
    What is published at this very moment is not seen: there, a condition on a group that is gone does not hold below it.
    """
    gone = scope.repository.groups().keys() - {each.id for each in wanted.groups}
    if not gone:
        return
    now = scope.clock()
    known = scope.repository.load()
    spans: dict[tuple[str, str], list[Span]] = {}
    for each in known.definitions:
        spans.setdefault((each.kind, each.id), []).append(Span(each.version, each.effective_from, each.retired_from))
    to_come = {(kind, id_, version) for (kind, id_), found in spans.items() for version in planned(found, now)}
    others = (each for each in known.definitions if each.kind != "offer" and (each.kind, each.id, each.version) in to_come)
    errors = tuple(uses((*others, *scope.repository.offers_from(now)), frozenset(gone)))
    if errors:
        raise LocationGroupInUse(f"Still named: {', '.join(sorted(gone))}; see errors.", errors=errors[:_MOST_NAMED])


def uses(definitions: Iterable[Definition], gone: frozenset[str]) -> Iterator[FieldError]:
    """Every place of the definitions (their bodies as stored) that names one of the groups. Pure."""
    for each in definitions:
        for pointer, group in named_groups(each.body):
            if group in gone:
                detail = f"{group} is named by {each.kind} {each.id}, version {each.version}, at /definition{pointer}"
                yield FieldError("/groups", "location_group_in_use", detail)


def named_groups(node: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """(pointer, group) of every condition and budget in a body. Pure."""
    if isinstance(node, Mapping):
        for name, child in node.items():
            where = f"{pointer}/{name}"
            if name == "location_groups" and isinstance(child, list):
                yield from ((f"{where}/{index}", group) for index, group in enumerate(child))
            elif name == "group_budgets" and isinstance(child, Mapping):
                yield from ((f"{where}/{group}", group) for group in child)
            else:
                yield from named_groups(child, where)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from named_groups(child, f"{pointer}/{index}")
