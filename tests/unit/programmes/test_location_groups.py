"""Conditions on groups of locations: worked cases, and that they mean the locations which are in the groups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.definitions.model import Definition, DefinitionSet
from shared.programmes.conditions import MemberFacts, When, unmet
from shared.tenants.location_groups import LocationGroup, check_groups
from shared.tenants.model import Location, TenantSettings
from shared.tenants.principal import Place
from shared.transactions.facts import scene_of

CASES = json.loads((Path(__file__).parents[2] / "cases" / "location_groups.json").read_text())
SETTINGS = TenantSettings(name="Fries", currency="EUR", time_zone="Europe/Berlin")
NOBODY_IS_HERE = ("nowhere", "")


def tenant(groups: list[dict[str, Any]], locations: dict[str, list[str]], *definitions: Definition) -> DefinitionSet:
    """A tenant with these groups, and locations in them."""
    places = {id_: Location(id=id_, name=id_, groups=tuple(names)) for id_, names in locations.items()}
    return DefinitionSet("demo", SETTINGS, places, definitions, groups=check_groups([LocationGroup(**each) for each in groups]))


def reasons(whole: DefinitionSet, when: When, locations: list[str]) -> dict[str, str | None]:
    """Location -> why the condition is not met there."""
    return {each: unmet(when, MemberFacts(), scene_of(whole.at(0), 0, each, "pos")) for each in locations}


@pytest.mark.parametrize("case", CASES["conditions"], ids=lambda case: case["name"])
def test_a_worked_condition(case: dict[str, Any]) -> None:
    whole, asked = tenant(CASES["groups"], CASES["locations"]), [*CASES["locations"], *NOBODY_IS_HERE]
    found = reasons(whole, When.model_validate(case["when"]), asked)
    assert [each for each, reason in found.items() if reason is None] == case["holds"]
    assert set(found.values()) <= {None, "wrong_location"}


_NAMES = ("a", "b", "c", "d", "e", "f")
_PLACES = ("p", "q", "r", "s")


@st.composite
def tenants(draw: st.DrawFn) -> DefinitionSet:
    """Any forest of groups, drawn so that a parent comes before its child, and locations in any of them."""
    groups = [
        {"id": id_, "name": id_, "parent": draw(st.none() | st.sampled_from(_NAMES[:number])) if number else None}
        for number, id_ in enumerate(_NAMES)
    ]
    return tenant(groups, {each: draw(st.lists(st.sampled_from(_NAMES), unique=True, max_size=3)) for each in _PLACES})


@given(tenants(), st.lists(st.sampled_from(_NAMES), unique=True), st.lists(st.sampled_from((*_PLACES, "nowhere")), unique=True))
def test_a_condition_on_groups_is_the_condition_on_their_locations(whole: DefinitionSet, groups: list[str], named: list[str]) -> None:
    """A location is in a group if it names it, or a group that lies in it: walked up here by hand."""

    def inside(name: str | None, wanted: str) -> bool:
        while name is not None and name != wanted:
            name = whole.groups[name].parent
        return name == wanted

    of_groups = [each for each in _PLACES if any(inside(own, group) for own in whole.locations[each].groups for group in groups)]
    asked = When(location_groups=tuple(groups), locations=tuple(named))
    # A list that names nobody means everywhere: a house that is not there stands for "nowhere".
    expanded = When(locations=(*named, *of_groups) or (("elsewhere",) if groups else ()))
    everywhere = [*_PLACES, *NOBODY_IS_HERE]
    assert reasons(whole, asked, everywhere) == reasons(whole, expanded, everywhere)


@given(tenants(), st.sampled_from(_NAMES))
def test_conditions_and_rights_mean_the_same_by_a_group(whole: DefinitionSet, group: str) -> None:
    """Whoever is bound to a group sees the reports of exactly those locations where a condition on it holds."""
    everywhere = [*_PLACES, *NOBODY_IS_HERE]
    met = {each for each, reason in reasons(whole, When(location_groups=(group,)), everywhere).items() if reason is None}
    assert met == {each for each in everywhere if Place(group=group).covers(each, whole.groups_of)}


def test_the_groups_of_a_location_are_worked_out_once_and_unknown_names_are_not_kept() -> None:
    whole = tenant(CASES["groups"], CASES["locations"])
    assert whole.groups_of("dom") is whole.groups_of("dom")
    for number in range(100):
        assert whole.at(0).groups_of(f"made up by a till {number}") == frozenset()
    assert list(whole._groups_of) == ["dom"]


def _published(kind: Any, id_: str, body: dict[str, Any], version: int = 1, **more: Any) -> Definition:
    return Definition(kind, id_, version, "published", {"name": id_} | body, **({"effective_from": 0} | more))


def test_what_a_sale_may_be_asked_once_more_is_what_programmes_and_any_challenge_name() -> None:
    """Promotions are decided once: of them nothing is kept."""
    rule = {"kind": "per_amount", "id": "base", "points": 1, "per": 100, "when": {"location_groups": ["cologne"]}}
    goal = {"goal": {"of": "spend", "threshold": 100}, "reward": {"points": 5}, "automatic": True}
    whole = tenant(
        CASES["groups"],
        CASES["locations"],
        _published("programme", "points", {"applies": {"location_groups": ["west"]}, "earning": [rule]}),
        _published("promotion", "off", {"effect": {"kind": "percent", "percent": 5}, "when": {"location_groups": ["theatres"]}}),
        _published("challenge", "old", goal | {"when": {"location_groups": ["east"]}}),
        _published("challenge", "old", goal | {"when": {"location_groups": ["meyer"]}}, version=2),
    )
    assert whole.at(5).asked.location_groups == {"west", "cologne", "east", "meyer"}
    assert tenant(CASES["groups"], CASES["locations"]).at(5).asked.location_groups == frozenset()
