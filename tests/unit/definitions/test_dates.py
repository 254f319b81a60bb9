"""Campaigns that begin on dates: what the fold learns of them, and that members who sleep must learn of them too."""

from __future__ import annotations

from typing import Any

import pytest

from shared.definitions.model import Definition, DefinitionSet
from shared.definitions.service import begins_by_itself
from shared.kernel.instants import Instant
from shared.member_state.view import DateRule
from shared.tenants.model import TenantSettings

TENANT = TenantSettings(name="T", currency="EUR", time_zone="Europe/Berlin")


def campaign(id_: str, version: int, trigger: dict[str, Any] | None, since: Instant, until: Instant | None = None) -> Definition:
    body = {"name": id_} | ({"trigger": trigger} if trigger is not None else {})
    return Definition("campaign", id_, version, "published", body, effective_from=since, retired_from=until)


def test_the_fold_sees_the_rules_of_campaigns_in_force() -> None:
    cake = {"kind": "date", "of": "birthday", "days": 3, "at": "09:30"}
    found = (
        campaign("cake", 1, cake, 100),
        campaign("cake", 2, cake | {"days": 5}, 200),
        campaign("again", 1, {"kind": "date", "of": "no_visit", "days": 30}, 100, 300),
        campaign("hello", 1, {"kind": "event", "types": ["member.registered"]}, 100),
        campaign("plain", 1, None, 100),
    )
    whole = DefinitionSet("demo", TENANT, {}, found)
    again = DateRule("again", 1, "no_visit", 30, 600)
    assert whole.fold_at(99).dates == ()
    assert whole.fold_at(100).dates == (again, DateRule("cake", 1, "birthday", 3, 570))
    assert whole.fold_at(200).dates == (again, DateRule("cake", 2, "birthday", 5, 570))
    assert whole.fold_at(300).dates == (DateRule("cake", 2, "birthday", 5, 570),)
    assert whole.at(100).fold_of_history.gifts is False


@pytest.mark.parametrize(
    ("kind", "body", "begins"),
    [
        ("campaign", {"trigger": {"kind": "date", "of": "birthday"}}, True),
        ("campaign", {"trigger": {"kind": "once"}}, False),
        ("campaign", {}, False),
        ("programme", {"tiers": {"levels": []}}, True),
        ("programme", {"trigger": {"kind": "date"}}, False),
        ("offer", {"tiers": {"levels": []}, "trigger": {"kind": "date"}}, False),
    ],
)
def test_what_begins_by_itself_must_reach_those_to_whom_nothing_happens(kind: Any, body: dict[str, Any], begins: bool) -> None:
    assert begins_by_itself(kind, body) is begins
