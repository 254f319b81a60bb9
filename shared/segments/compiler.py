"""Many definitions fused into one generated function: what two segments ask alike is computed once per member.

The function answers with signed instants (``shared.segments.leaves.Signed``): a tree becomes comparisons of integers, and
``all`` stops at the first child that is false for ever. No text of a definition reaches the source: every literal is a
constant passed in under a generated name. Membership needs only the first half of an answer (is it true?) and has a
function of its own; the second half is generated when somebody first asks for three-valued answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shared.kernel.instants import Instant
from shared.member_state.model import Facts, MemberState, segment_key
from shared.segments.generator import SIDES, Generator, Side
from shared.segments.leaves import Moment, Truth, from_signed, signed
from shared.segments.model import Age, AllOf, AnyOf, Birthday, Not, Rule, SegmentDefinition

Fused = Callable[[MemberState, Facts | None, Instant], list[int]]


class CompiledSegments:
    """Definitions ready to be asked about any member. Keep it as long as the definitions are served: it has no state of a member."""

    __slots__ = ("_rules", "_three_valued", "keys", "membership", "needs_facts", "source", "zone")

    def __init__(self, definitions: Sequence[SegmentDefinition], zone: str) -> None:
        self.keys = tuple(segment_key(each.id, each.version) for each in definitions)
        self.zone = zone
        self._rules = tuple(each.rule for each in definitions)
        self.needs_facts = any(_needs_facts(rule) for rule in self._rules)
        """Whether a birth date is asked for, so that the personal facts must be opened."""
        self.source, self.membership = _fuse(self._rules, zone, ("surely",))
        """``membership(state, facts, now)``: per definition the instant until which she stays in, or its negative: stays out."""
        self._three_valued: Fused | None = None

    def evaluate(self, state: MemberState, facts: Facts | None, now: Instant) -> list[tuple[Truth, Instant]]:
        """(truth, valid until) per definition, in order; ``now`` > 0. Without an event the truth stays before that instant."""
        if self._three_valued is None:
            self._three_valued = _fuse(self._rules, self.zone, SIDES)[1]
        codes = self._three_valued(state, facts, now)
        return [from_signed(surely, perhaps) for surely, perhaps in zip(codes[::2], codes[1::2], strict=True)]


def compile_segments(definitions: Sequence[SegmentDefinition], zone: str) -> CompiledSegments:
    """One function for all the definitions, in the tenant's time zone. Costs some 0.2 ms per definition: keep the result."""
    return CompiledSegments(definitions, zone)


def _fuse(rules: Sequence[Rule], zone: str, sides: Sequence[Side]) -> tuple[str, Fused]:
    def plain(state: MemberState, facts: Facts | None, now: Instant) -> list[int]:
        moment = Moment(state, facts, now, zone)
        answers = [signed(rule, moment) for rule in rules]
        return [getattr(each, side) for each in answers for side in sides]

    generator = Generator(rules, zone, sides)
    source = generator.source()
    namespace: dict[str, Any] = {**generator.constants, "plain": plain}
    exec(compile(source, "<segments>", "exec"), namespace)  # noqa: S102 - the source holds generated names only
    fused: Fused = namespace["fused"]
    return source, fused


def _needs_facts(rule: Rule) -> bool:
    if isinstance(rule, AllOf | AnyOf):
        return any(_needs_facts(child) for child in rule.rules)
    return _needs_facts(rule.rule) if isinstance(rule, Not) else isinstance(rule, Age | Birthday)
