"""Groups of locations: no cycles, bounded, and a location is in everything above its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.definitions.model import DefinitionSet
from shared.kernel.errors import InvalidValue, Unprocessable
from shared.tenants.location_groups import MAX_DEPTH, LocationGroup, check_groups, with_ancestors
from shared.tenants.model import Location, TenantSettings
from shared.tenants.principal import EVERYWHERE, OtherLocation, Place, Principal, check_location, principal_of, principal_to_context

SETTINGS = TenantSettings(name="Fries", currency="EUR", time_zone="Europe/Berlin")


def group(id_: str, parent: str | None = None) -> LocationGroup:
    return LocationGroup(id=id_, name=id_.title(), parent=parent)


def errors(*groups: LocationGroup) -> list[tuple[str, str]]:
    with pytest.raises(Unprocessable) as refused:
        check_groups(groups)
    return [(each.pointer, each.code) for each in refused.value.errors]


def test_what_does_not_fit_is_pointed_at() -> None:
    assert errors(group("a"), group("a")) == [("/groups/1/id", "duplicate")]
    assert errors(group("a", "b")) == [("/groups/0/parent", "unknown_group")]
    assert errors(group("a", "a")) == [("/groups/0/parent", "cycle")]
    assert errors(group("a", "b"), group("b", "c"), group("c", "a")) == [(f"/groups/{index}/parent", "cycle") for index in range(3)]


def test_depth_is_bounded() -> None:
    chain = [group("g0"), *(group(f"g{level}", f"g{level - 1}") for level in range(1, MAX_DEPTH + 1))]
    assert len(check_groups(chain[:MAX_DEPTH])) == MAX_DEPTH
    assert errors(*chain) == [(f"/groups/{MAX_DEPTH}/parent", "too_deep")]


def test_a_location_is_in_everything_above_its_own_groups_and_a_name_alone_stands_for_itself() -> None:
    groups = check_groups([group("brand"), group("west", "brand"), group("cologne", "west"), group("east", "brand")])
    places = {"dom": Location(id="dom", name="Dom", groups=("cologne", "new"))}
    whole = DefinitionSet("demo", SETTINGS, places, (), groups=groups)
    assert whole.groups_of("dom") == {"cologne", "west", "brand", "new"}
    assert whole.groups_of("elsewhere") == frozenset()


@given(st.dictionaries(st.sampled_from("abcdef"), st.none() | st.sampled_from("abcdefx")), st.lists(st.sampled_from("abcdefx")))
def test_resolving_ends_whatever_the_groups_look_like(parents: dict[str, str | None], names: list[str]) -> None:
    groups = {id_: group(id_, parent) for id_, parent in parents.items()}
    found = with_ancestors(names, groups)
    assert set(names) <= found
    assert all(groups[each].parent in found for each in found & groups.keys() if groups[each].parent is not None)


GROUPS_OF = {"dom": {"cologne", "west"}, "alex": {"berlin", "east"}}


@pytest.mark.parametrize(
    ("place", "covered"),
    [
        (EVERYWHERE, {"dom", "alex"}), (Place("dom"), {"dom"}), (Place(group="west"), {"dom"}), (Place(group="berlin"), {"alex"}),
        (Place("dom", "east"), set()), (Place(group="north"), set()),
    ],
)  # fmt: skip
def test_a_place_covers_its_location_or_its_group_and_both_where_there_are_both(place: Place, covered: set[str]) -> None:
    assert {each for each in GROUPS_OF if place.covers(each, GROUPS_OF.__getitem__)} == covered
    for other in GROUPS_OF.keys() - covered:
        with pytest.raises(OtherLocation):
            check_location(place, other, GROUPS_OF.__getitem__)


def test_the_groups_are_asked_for_only_by_who_is_bound_to_one() -> None:
    def never(_location: str) -> frozenset[str]:
        raise AssertionError("asked for")

    assert EVERYWHERE.covers("dom", never)
    assert not Place("dom", "west").covers("alex", never)


def test_a_group_rides_in_the_context_and_staff_hold_what_keys_may_hold() -> None:
    one = Principal("staff", "demo", "stf_1", frozenset({"members:read"}), location_group="west")
    context = principal_to_context(one)
    assert context["location_group"] == "west"
    assert principal_of({"requestContext": {"authorizer": {"lambda": context}}}) == one
    for scope in ("me", "operator"):
        with pytest.raises(InvalidValue):
            Principal("staff", "demo", "stf_1", frozenset({scope}))
