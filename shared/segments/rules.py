"""Who enters and who leaves, and why. Pure: the fold applies the flips, in the write that it makes anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from shared.kernel.instants import NEVER, Instant
from shared.member_state.model import Facts, MemberState
from shared.segments.compiler import CompiledSegments, Segment
from shared.segments.context import Context
from shared.segments.expanding import children_of, expanded, is_behavioural
from shared.segments.language.base import DayMeaning, Leaf
from shared.segments.language.tree import SegmentOf
from shared.segments.leaves import Moment, Truth, answer, from_signed, signed
from shared.segments.parsing import Rule


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


OBJECTED: Final = "profiling_objected"
"""The reason of a definition that is false because it looks at behaviour and she objects to that."""

RESTRICTED: Final = "restricted"
"""The reason of every definition while the processing of her data is restricted."""


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
    day: DayMeaning | None = None
    """Of a leaf that counts days: whole local days, or days of 24 hours."""
    zone: str | None = None
    """Of whole local days: the time zone that has them."""
    reason: Literal["profiling_objected", "restricted", "segment_not_in_force"] | None = None


def explain(definition: Segment, state: MemberState, facts: Facts | None, now: Instant, context: Context) -> Why:
    """Why she is in or out: the tree with each leaf's value. Reads plainly, so it takes longer than ``evaluate_all``.

    Of who objects to profiling nothing is looked at for a definition that asks about behaviour, and of who is restricted for none.
    """
    if state.restriction is not None:
        return Why({"kind": definition.rule.kind}, None, False, NEVER, reason=RESTRICTED)
    if not state.profiled and is_behavioural(definition.rule, context):
        return Why({"kind": definition.rule.kind}, None, False, NEVER, reason=OBJECTED)
    return _explain(definition.rule, Moment(state, facts, now, context), ())


def _explain(rule: Rule, moment: Moment, inside: tuple[str, ...]) -> Why:
    if isinstance(rule, SegmentOf):
        return _explain_other(rule, moment, inside)
    if not isinstance(rule, Leaf):
        truth, until = from_signed(*signed(expanded(rule, moment.context), moment))
        return Why({"kind": rule.kind}, None, truth, until, tuple(_explain(child, moment, inside) for child in children_of(rule)))
    found, day = answer(rule, moment), rule.meaning_of_day
    zone = (rule.own_zone or moment.zone) if day == "calendar" else None
    return Why(rule.model_dump(mode="json", exclude_none=True), found.value, found.truth, found.until, (), day, zone)


def _explain_other(rule: SegmentOf, moment: Moment, inside: tuple[str, ...]) -> Why:
    asked, named = {"kind": rule.kind, "segment": rule.segment}, moment.context.segments.get(rule.segment)
    if named is None or rule.segment in inside:
        return Why(asked, None, None, NEVER, reason="segment_not_in_force")
    child = _explain(named, moment, (*inside, rule.segment))
    return Why(asked, None, child.truth, child.valid_until, (child,))
