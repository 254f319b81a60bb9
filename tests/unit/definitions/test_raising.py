"""Limits that all share may be raised; what is lower than any version before is named where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from shared.definitions.raising import lowered

LESS = {"id": "spend", "limits": {"budget": 499}}
RULES = [{"id": "spend", "limits": {"budget": 500}}, {"id": "visit"}]


@pytest.mark.parametrize(
    ("before", "after", "pointers"),
    [
        ([], {"limit": 1}, []),
        ([{"limit": 100}], {"limit": 100}, []),
        ([{"limit": 100}], {"limit": 101}, []),
        ([{"limit": 100}], {"limit": 99}, ["/definition/limit"]),
        ([{"limit": 100}], {}, []),
        ([{"limit": 100}, {}], {"limit": 50}, ["/definition/limit"]),
        ([{"limit": 100}, {"limit": 200}], {"limit": 150}, ["/definition/limit"]),
        ([{"stock": 5}], {"stock": 4}, ["/definition/stock"]),
        (
            [{"limits": {"budget": 9, "location_budget": 8, "per_day": 3}}],
            {"limits": {"budget": 8, "location_budget": 7, "per_day": 1}},
            ["/definition/limits/budget", "/definition/limits/location_budget"],
        ),
        (
            [{"limits": {"group_budgets": {"west": 9, "east": 5}}}, {"limits": {"group_budgets": {"east": 6}}}],
            {"limits": {"group_budgets": {"east": 5, "north": 1, "west": 8}}},
            ["/definition/limits/group_budgets/east", "/definition/limits/group_budgets/west"],
        ),
        ([{"limits": {"group_budgets": {"west": 9}}}], {"limits": {"budget": 1, "group_budgets": {"west": 9}}}, []),
        ([{"earning": RULES}], {"earning": [RULES[1], LESS]}, ["/definition/earning/1/limits/budget"]),
        ([{"earning": RULES}], {"earning": [{"id": "other", "limits": {"budget": 1}}]}, []),
    ],
)
def test_a_limit_is_never_lower_than_before(before: list[dict[str, Any]], after: dict[str, Any], pointers: list[str]) -> None:
    found = lowered(before, after)
    assert [each.pointer for each in found] == pointers
    assert {each.code for each in found} <= {"limit_lowered"}
