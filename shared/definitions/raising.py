"""Limits that all share may be raised, and not lowered. Pure.

What was used of a limit is counted in shards whose number grows with it (``shared.coupons.quota``, ``shared.transactions.budgets``).
A lower limit would leave shards behind with what was used there, and could be exceeded by it. Whoever wants less retires the
definition, and writes another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.kernel.errors import FieldError


def lowered(before: Iterable[Mapping[str, Any]], after: Mapping[str, Any]) -> tuple[FieldError, ...]:
    """Every limit of a body (as stored) that is lower than a version before it had. Pointers start at ``/definition``."""
    highest: dict[str, int] = {}
    for body in before:
        for name, (_, limit) in _limits(body).items():
            highest[name] = max(limit, highest.get(name, 0))
    return tuple(
        FieldError(f"/definition{pointer}", "limit_lowered", f"was {highest[name]} before; it may only be raised")
        for name, (pointer, limit) in _limits(after).items()
        if limit < highest.get(name, 0)
    )


def _limits(body: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """What a limit is counted as -> where it stands, and the limit. Rules of a programme are known by their ids."""
    places: list[tuple[str, str, Any]] = [(name, f"/{name}", body.get(name)) for name in ("limit", "stock")]
    limits = body.get("limits") or {}
    places += [(name, f"/limits/{name}", limits.get(name)) for name in ("budget", "location_budget")]
    of_groups = limits.get("group_budgets") or {}
    places += [(f"group {group}", f"/limits/group_budgets/{group}", of_groups[group]) for group in of_groups]
    for index, rule in enumerate(body.get("earning") or ()):
        budget = (rule.get("limits") or {}).get("budget")
        places.append((f"rule {rule['id']}", f"/earning/{index}/limits/budget", budget))
    return {name: (pointer, limit) for name, pointer, limit in places if limit is not None}
