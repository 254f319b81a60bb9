"""Who enters and who leaves, and why. Pure: the fold applies the flips, in the write that it makes anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.kernel.instants import NEVER, Instant
from shared.member_state.model import Facts, MemberState
from shared.segments.compiler import CompiledSegments
from shared.segments.leaves import Moment, Truth, answer, from_signed, signed
from shared.segments.model import AllOf, AnyOf, Not, Rule, SegmentDefinition


class Flips(NamedTuple):
    """Keys (``segment@version``) entered and left, in the order of the definitions, and when to look again."""

    entered: list[str]
    left: list[str]
    next_change: Instant
    """No membership changes before this instant unless something happens; ``NEVER`` if none does by itself."""


def evaluate_all(state: MemberState, compiled: CompiledSegments, facts: Facts | None, now: Instant) -> Flips:
    """Compare what is true now with ``state.segments``, which stays as it is. Unknown is not a member.

    A segment that she is in and that is no longer among the definitions is left, last.
    """
    codes = compiled.membership(state, facts, now)
    keys, current = compiled.keys, state.segments
    inside = [key for key, code in zip(keys, codes, strict=True) if code > 0]
    entered = [key for key in inside if key not in current]
    left: list[str] = []
    if len(inside) - len(entered) != len(current):
        members, known = set(inside), set(keys)
        left = [key for key in keys if key in current and key not in members]
        left += sorted(key for key in current if key not in known)
    return Flips(entered, left, min(map(abs, codes), default=NEVER))


@dataclass(frozen=True, slots=True)
class Why:
    """One node of an answer: what was asked, what was looked at, what came out, and until when it holds."""

    asked: dict[str, Any]
    """The leaf as it was written, or the kind of the node."""
    value: object
    """What a leaf looked at: sums of the window, names that lead, last purchase, points, ...; None for a node."""
    truth: Truth
    valid_until: Instant
    children: tuple[Why, ...] = ()


def explain(definition: SegmentDefinition, state: MemberState, facts: Facts | None, now: Instant, zone: str) -> Why:
    """Why she is in or out: the tree with each leaf's value. Reads plainly, so it takes longer than ``evaluate_all``."""
    return _explain(definition.rule, Moment(state, facts, now, zone))


def _explain(rule: Rule, moment: Moment) -> Why:
    if isinstance(rule, AllOf | AnyOf | Not):
        children = rule.rules if isinstance(rule, AllOf | AnyOf) else (rule.rule,)
        truth, until = from_signed(*signed(rule, moment))
        return Why({"kind": rule.kind}, None, truth, until, tuple(_explain(child, moment) for child in children))
    found = answer(rule, moment)
    return Why(rule.model_dump(exclude_none=True), found.value, found.truth, found.until)
