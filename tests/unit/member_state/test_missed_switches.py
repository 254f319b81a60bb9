"""Members left at an older epoch against members ticked at the switch: the same is told of both, in the same minute."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.definitions.model import Definition, DefinitionSet
from shared.kernel.instants import DAY, HOUR, Instant
from shared.member_state.effects import Effects
from shared.member_state.events import Registered, TimePassed
from shared.member_state.model import MemberState
from shared.member_state.rules import apply
from shared.segments.switching import affected, is_concerned
from shared.tenants.model import TenantSettings
from tests.unit.member_state.test_fold import purchase as bought

_numbers = itertools.count(1)
START: Instant = 1_790_000_000_000
TENANT = TenantSettings(name="T", currency="EUR", time_zone="Europe/Berlin")
STEP = HOUR // 2


def purchase(at: Instant, value: int) -> Any:
    """A purchase without points."""
    return bought(next(_numbers), at, value, points=0)


def _body(rule: dict[str, Any]) -> dict[str, Any]:
    return {"name": "S", "rule": rule}


def rules() -> st.SearchStrategy[dict[str, Any]]:
    bought = st.builds(
        lambda days, value: {"kind": "purchases", "metric": "value", "days": days, "op": "ge", "value": value},
        st.integers(1, 4), st.sampled_from([100, 900, 2000]),
    )  # fmt: skip
    since = st.builds(
        lambda hours, op: {"kind": "since_last_purchase", "op": op, "hours": hours},
        st.integers(1, 90), st.sampled_from(["at_least", "less_than"]),
    )  # fmt: skip
    plain = bought | since
    return plain | st.builds(lambda rule: {"kind": "not", "rule": rule}, plain)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[DefinitionSet, list[Instant]]:
    """Segments of which some are published, replaced, swapped and retired at switches some hours in."""
    instants = sorted(draw(st.lists(st.integers(1, 150), min_size=1, max_size=3, unique=True)))
    switches = [START + STEP * each + 7 for each in instants]
    found = [Definition("segment", "old", 1, "published", _body(draw(rules())), effective_from=0, served_at=0)]
    for number, switch in enumerate(switches):
        act = draw(st.sampled_from(["new", "edit", "name"]))
        if act == "edit":
            version = max(each.version for each in found if each.id == "old") + 1
            swap = switch + STEP * draw(st.integers(1, 6))
            body = _body(draw(rules()))
            found.append(Definition("segment", "old", version, "published", body, effective_from=switch, epoch=switch, served_at=swap))
        else:
            rule = draw(rules()) if act == "new" else {"kind": "not", "rule": {"kind": "segment", "segment": "old"}}
            ended = draw(st.none() | st.integers(1, 40))
            until = switch + STEP * ended if ended is not None else None
            found.append(
                Definition(
                    "segment", f"n{number}", 1, "published", _body(rule), effective_from=switch, epoch=switch, served_at=switch,
                    retired_from=until, retired_epoch=until or 0,
                )
            )
    whole = DefinitionSet("demo", TENANT, {}, tuple(found))
    return whole, list(whole.epochs_until(START + 1000 * DAY))


class Follower:
    """A member, woken when her timer is due; at switches she is ticked always, or only if they concern her."""

    def __init__(self, whole: DefinitionSet, *, always: bool) -> None:
        self.whole, self.always, self.written = whole, always, 0
        self.state = MemberState("demo", "m", as_of=START)
        self.state.version = 1
        self.told: list[list[tuple[Any, ...]]] = []
        self.change(Registered(START, "app", ""))

    def change(self, event: Any) -> None:
        effects = apply(self.state, event, self.whole.fold_at, None, Effects())
        self.written += 1
        self.told[-1:] = [[*(self.told[-1] if self.told else []), *map(_flip, filter(_is_flip, effects.events))]]

    def step(self, now: Instant, switched: bool, event: Any) -> None:
        """What happens until ``now``: the fan-out of a switch, the sweep, an event."""
        self.told.append([])
        if switched and (self.always or is_concerned(self.state, None, self.whole.fold_at, now)):
            self.change(TimePassed(now))
        if self.state.timer is not None and self.state.timer <= now:
            self.change(TimePassed(now))
        if event is not None:
            self.change(event)


def _is_flip(event: Any) -> bool:
    # The last of an old version goes with whatever commit comes next, and concerns nobody.
    return event.type in ("segment.entered", "segment.left") and not (event.type == "segment.left" and event.cause == "version")


def _flip(event: Any) -> tuple[Any, ...]:
    return event.type, event.occurred_at, event.data["segment"], event.data["segment_version"], event.cause


@settings(max_examples=150, deadline=None)
@given(worlds(), st.lists(st.tuples(st.integers(0, 170), st.sampled_from([100, 900, 2500])), max_size=6))
def test_who_is_left_behind_is_told_the_same(world: tuple[DefinitionSet, list[Instant]], sales: list[tuple[int, int]]) -> None:
    whole, epochs = world
    ticked, left = Follower(whole, always=True), Follower(whole, always=False)
    by_step = dict(sales)
    for number in range(1, 175):
        now = START + STEP * number
        switched = any(now - STEP < epoch <= now for epoch in epochs)
        for each in (ticked, left):
            value = by_step.get(number)
            each.step(now, switched, purchase(now, value) if value is not None else None)
    assert left.told == ticked.told
    assert set(ticked.state.segments) <= set(left.state.segments)
    extra = set(left.state.segments) - set(ticked.state.segments)
    assert all(any(key.rpartition("@")[0] == kept.rpartition("@")[0] for kept in ticked.state.segments) for key in extra)
    assert left.written <= ticked.written


def test_a_switch_met_late_is_told_at_its_own_instant() -> None:
    always = _body({"kind": "joined", "op": "less_than", "days": 400})
    switch = START + DAY
    made = Definition("segment", "all", 1, "published", always, effective_from=switch, epoch=switch, served_at=switch)
    whole = DefinitionSet("demo", TENANT, {}, (made,))
    late = Follower(whole, always=False)
    late.step(START + 9 * DAY, switched=False, event=purchase(START + 9 * DAY, 100))
    assert late.told[-1] == [("segment.entered", switch, "all", 1, "definition")]
    assert late.state.segments == {"all@1": switch}
    assert [each.id for each in affected(whole, switch).segments] == ["all"]
