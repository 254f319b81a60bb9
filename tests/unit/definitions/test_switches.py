"""The switches of a tenant's definitions: what holds at an instant, and epochs that nothing published later can overtake."""

from __future__ import annotations

import contextlib
import re

from hypothesis import given
from hypothesis import strategies as st

from shared.definitions.model import Definition, DefinitionSet
from shared.definitions.service import id_of_name, lead
from shared.kernel.errors import Unprocessable
from shared.kernel.ids import NAME_PATTERN
from shared.tenants.model import TenantSettings

SETTINGS = TenantSettings(name="T", currency="EUR", time_zone="UTC")
BODY = {"name": "S", "rule": {"kind": "attribute", "name": "vip", "op": "eq", "value": True}}


@st.composite
def published(draw: st.DrawFn) -> DefinitionSet:
    """Segments as the service publishes and retires them: versions in order, an epoch per switch."""
    found = []
    for id_ in draw(st.lists(st.sampled_from("abc"), unique=True, min_size=1)):
        instants = sorted(draw(st.lists(st.integers(100, 200), min_size=1, max_size=4)))
        retired = draw(st.none() | st.integers(instants[-1], 250))
        for version, since in enumerate(instants, 1):
            served = since if version == 1 or draw(st.booleans()) else None
            ended = retired if version == len(instants) and retired else 0
            found.append(
                Definition(
                    "segment", id_, version, "published", BODY, effective_from=since, epoch=since, retired_from=retired,
                    retired_epoch=ended, served_at=served,
                )
            )
    return DefinitionSet("demo", SETTINGS, {}, tuple(found))


@given(published(), st.integers(90, 260))
def test_whenever_what_is_evaluated_changes_the_epoch_rises(whole: DefinitionSet, at: int) -> None:
    before, after = whole.at(at - 1), whole.at(at)
    assert whole.epoch_at(at) >= whole.epoch_at(at - 1)
    evaluated = [{(each.id, each.version) for each in view.live_segments} for view in (before, after)]
    if evaluated[0] != evaluated[1]:
        assert whole.epoch_at(at) > whole.epoch_at(at - 1)


@given(published(), st.integers(90, 260))
def test_the_newest_version_is_evaluated_and_exactly_one_is_served(whole: DefinitionSet, at: int) -> None:
    view = whole.at(at)
    in_force = whole.in_force("segment", at)
    evaluated = {(each.id, each.version) for each in view.live_segments}
    assert {(id_, each.version) for id_, each in in_force.items()} <= evaluated
    assert view.served_segments.keys() == in_force.keys()
    assert {(id_, each.version) for id_, each in view.served_segments.items()} <= evaluated


@given(published())
def test_nothing_comes_back_after_it_was_retired(whole: DefinitionSet) -> None:
    for id_ in {each.id for each in whole.definitions if each.retired_from is not None}:
        ended = max(each.retired_from or 0 for each in whole.definitions if each.id == id_)
        assert id_ not in whole.in_force("segment", ended)
        assert id_ not in whole.at(ended).served_segments


@given(st.text(min_size=1, max_size=200))
def test_an_id_made_from_a_name_is_an_id_or_refused(name: str) -> None:
    made: str | None = None
    with contextlib.suppress(Unprocessable):
        made = id_of_name(name)
    has_letters_or_digits = any(character.isascii() and character.isalnum() for character in name)
    assert re.fullmatch(NAME_PATTERN, made) if made is not None else not has_letters_or_digits


def test_a_change_takes_effect_after_two_cache_times() -> None:
    assert (lead(60), lead(1.0), lead(0.5)) == (120_000, 2_000, 1_000)
