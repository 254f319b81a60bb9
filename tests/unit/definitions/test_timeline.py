"""An offer's head says of every instant what its versions themselves say."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.definitions.model import Definition, DefinitionSet
from shared.definitions.timeline import Span, Timeline, head_actions, planned, timeline_of
from shared.storage import keys
from shared.tenants.model import TenantSettings

BODY = {"name": "Fries", "effect": {"kind": "percent", "percent": 50}}
SETTINGS = TenantSettings(name="T", currency="EUR", time_zone="UTC")


@st.composite
def versions(draw: st.DrawFn) -> list[Definition]:
    """As the service writes them: published in order, retired together, a draft behind."""
    instants = sorted(draw(st.lists(st.integers(100, 200), max_size=4)))
    retired = draw(st.none() | st.integers(instants[-1], 250)) if instants else None
    found = [
        Definition("offer", "fries", number, "published", BODY, effective_from=since, retired_from=retired)
        for number, since in enumerate(instants, 1)
    ]
    if draw(st.booleans()) or not found:
        found.append(Definition("offer", "fries", len(found) + 1, "draft", BODY))
    return found


def head_of(definitions: list[Definition]) -> Timeline:
    """The head as it is stored after each version was written by itself."""
    raw = {"SK": {"S": keys.offer_head("demo", "fries").sk}, "PK": {"S": keys.offers("demo")}}
    for each in definitions:
        (action,) = head_actions([each])
        path, value = action.values
        raw[str(path)] = value.value
    return timeline_of(raw)


@given(versions(), st.integers(90, 260))
def test_the_head_and_the_versions_agree_on_what_holds(found: list[Definition], at: int) -> None:
    head = head_of(found)
    in_force = DefinitionSet("demo", SETTINGS, {}, tuple(found)).in_force("offer", at).get("fries")
    assert head.in_force(at) == (in_force.version if in_force is not None else None)
    assert (head.id, head.newest) == ("fries", found[-1].version)


@given(versions(), st.integers(90, 260))
def test_what_is_planned_is_what_holds_at_some_instant_from_now_on(found: list[Definition], at: int) -> None:
    whole = DefinitionSet("demo", SETTINGS, {}, tuple(found))
    ahead = (whole.in_force("offer", instant).get("fries") for instant in range(at, 262))
    assert planned(head_of(found).spans, at) == {each.version for each in ahead if each is not None}


def test_a_version_is_rewritten_in_place() -> None:
    draft = Definition("offer", "fries", 1, "draft", BODY)
    published = replace(draft, status="published", effective_from=150)
    ended = replace(published, status="retired", retired_from=170)
    assert head_of([draft]).spans == (Span(1, None),)
    assert head_of([draft, published]).spans == (Span(1, 150),)
    assert head_of([draft, published, ended]).spans == (Span(1, 150, 170),)


def test_versions_are_in_the_order_of_their_numbers() -> None:
    many = [Definition("offer", "fries", number, "published", BODY, effective_from=number) for number in range(1, 13)]
    assert [each.version for each in head_of(many[::-1]).spans] == list(range(1, 13))
