"""Groups of locations: a tenant's brands, regions and franchisees, one below another. Pure.

A location names the groups that it is in; it is in everything above them too. A name that is no group of the tenant's stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from pydantic import Field

from shared.kernel.errors import FieldError, Unprocessable
from shared.tenants.base import Frozen, Label, Name

MAX_DEPTH: Final = 6
"""Levels of groups, the uppermost included."""
MAX_GROUPS: Final = 400
GroupKind = Literal["brand", "region", "franchisee", "other"]


class LocationGroup(Frozen):
    """One group; ``parent`` is the group that it is in."""

    id: Name
    name: Label
    kind: GroupKind = "other"
    parent: Name | None = None


class LocationGroups(Frozen):
    """All groups of a tenant."""

    groups: tuple[LocationGroup, ...] = Field(default=(), max_length=MAX_GROUPS)


def check_groups(groups: Iterable[LocationGroup]) -> dict[str, LocationGroup]:
    """By id. ``Unprocessable`` for an id that stands twice, a parent that is none of them, a cycle, or more than ``MAX_DEPTH`` levels."""
    listed = tuple(groups)
    by_id = {each.id: each for each in listed}
    problems = [(index, problem) for index, each in enumerate(listed) if (problem := _problem(index, each, listed, by_id)) is not None]
    if problems:
        errors = tuple(FieldError(f"/groups/{index}/{where}", code, hint) for index, (where, code, hint) in problems[:20])
        raise Unprocessable("The groups do not fit; see errors.", errors=errors)
    return by_id


def with_ancestors(names: Iterable[str], groups: Mapping[str, LocationGroup]) -> frozenset[str]:
    """The names and every group above them. Ends whatever the groups look like."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        group = groups.get(name)
        if group is not None and group.parent is not None:
            waiting.append(group.parent)
    return frozenset(found)


def _problem(
    index: int, group: LocationGroup, listed: tuple[LocationGroup, ...], by_id: Mapping[str, LocationGroup]
) -> tuple[str, str, str] | None:
    """Field, code and hint of what is wrong with one."""
    if any(other.id == group.id for other in listed[:index]):
        return "id", "duplicate", "this id stands twice in the request"
    if group.parent is not None and group.parent not in by_id:
        return "parent", "unknown_group", "none of the groups of this request"
    passed, above = {group.id}, group.parent
    while above is not None:
        if above in passed:
            return "parent", "cycle", "a group cannot be above itself"
        passed.add(above)
        upper = by_id.get(above)
        above = upper.parent if upper is not None else None
    return ("parent", "too_deep", f"at most {MAX_DEPTH} levels") if len(passed) > MAX_DEPTH else None
