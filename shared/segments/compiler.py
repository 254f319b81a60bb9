"""Many definitions fused into one generated function: what two segments ask alike is computed once per member.

The function answers with signed instants (``shared.segments.leaves.Signed``): a tree becomes comparisons of integers, and
``all`` stops at the first child that is false for ever. No text of a definition reaches the source: every literal is a
constant passed in under a generated name. Membership needs only the first half of an answer (is it true?) and has a
function of its own; the second half is generated when somebody first asks for three-valued answers.

Who objects to profiling is in no definition that looks at behaviour (``is_behavioural``), surely and for ever: those are answered
without being asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from shared.kernel.instants import NEVER, Instant
from shared.member_state.model import Facts, MemberState, segment_key
from shared.segments.context import Context
from shared.segments.expanding import expanded, leaves_of
from shared.segments.generator import SIDES, Generator
from shared.segments.leaves import Moment, Truth, from_signed, signed
from shared.segments.lookups import Side
from shared.segments.parsing import Rule

Fused = Callable[[MemberState, Facts | None, Instant], list[int]]


class Segment(Protocol):
    """A version of a segment: ``SegmentDefinition``, or ``StoredSegment``."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def version(self) -> int:
        """Its version."""

    @property
    def rule(self) -> Any:
        """Its rule, as written."""


class CompiledSegments:
    """Definitions ready to be asked about any member. Keep it as long as the definitions are served: it has no state of a member."""

    __slots__ = ("_behavioural", "_rules", "_three_valued", "context", "keys", "membership", "needs_facts", "source")

    def __init__(self, definitions: Sequence[Segment], context: Context) -> None:
        self.keys = tuple(segment_key(each.id, each.version) for each in definitions)
        self.context = context
        self._rules = tuple(expanded(each.rule, context) for each in definitions)
        leaves = [tuple(leaves_of(rule)) for rule in self._rules]
        self._behavioural = tuple(any(leaf.is_behavioural for leaf in each) for each in leaves)
        self.needs_facts = any(leaf.is_personal for each in leaves for leaf in each)
        """Whether a personal fact is asked for, so that they must be opened."""
        self.source, self.membership = _fuse(self._rules, context, ("surely",), self._behavioural)
        """``membership(state, facts, now)``: per definition the instant until which she stays in, or its negative: stays out."""
        self._three_valued: Fused | None = None

    def evaluate(self, state: MemberState, facts: Facts | None, now: Instant) -> list[tuple[Truth, Instant]]:
        """(truth, valid until) per definition, in order; ``now`` > 0. Without an event the truth stays before that instant."""
        if self._three_valued is None:
            self._three_valued = _fuse(self._rules, self.context, SIDES, self._behavioural)[1]
        codes = self._three_valued(state, facts, now)
        return [from_signed(surely, perhaps) for surely, perhaps in zip(codes[::2], codes[1::2], strict=True)]


def compile_segments(definitions: Sequence[Segment], context: Context) -> CompiledSegments:
    """One function for all the definitions, as the tenant's context has it. Costs some 0.2 ms per definition: keep the result."""
    return CompiledSegments(definitions, context)


def _fuse(rules: Sequence[Rule], context: Context, sides: Sequence[Side], behavioural: Sequence[bool]) -> tuple[str, Fused]:
    def plain(state: MemberState, facts: Facts | None, now: Instant) -> list[int]:
        moment = Moment(state, facts, now, context)
        answers = [signed(rule, moment) for rule in rules]
        return [getattr(each, side) for each in answers for side in sides]

    generator = Generator(rules, context, sides)
    source = generator.source(objectors=any(behavioural))
    namespace: dict[str, Any] = {**generator.constants, "plain": plain, "objected": _objected(rules, context, sides, behavioural)}
    code = compile(source, "<segments>", "exec")
    exec(code, namespace)  # noqa: S102 - the source holds generated names only  # nosec B102
    fused: Fused = namespace["fused"]
    return source, fused


def _objected(rules: Sequence[Rule], context: Context, sides: Sequence[Side], behavioural: Sequence[bool]) -> Fused:
    """The function for who objects to profiling, generated when the first one is asked about."""
    others = [rule for rule, looks in zip(rules, behavioural, strict=True) if not looks]
    made: list[Fused] = []

    def objected(state: MemberState, facts: Facts | None, now: Instant) -> list[int]:
        if not made:
            made.append(_fuse(others, context, sides, [False] * len(others))[1])
        found = iter(made[0](state, facts, now))
        return [-NEVER if looks else next(found) for looks in behavioural for _ in sides]

    return objected
