"""The live segment versions of a tenant as the fold takes them: parsed, compiled, ready to be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.kernel.instants import Instant
from shared.member_state.model import Facts, MemberState
from shared.segments.compiler import CompiledSegments, Segment, compile_segments
from shared.segments.context import Context
from shared.segments.parsing import stored_segment
from shared.segments.rules import Flips, evaluate_all


class LiveSegments:
    """Implements ``shared.member_state.view.SegmentEvaluator``."""

    def __init__(self, compiled: CompiledSegments) -> None:
        self._compiled = compiled

    @classmethod
    def compile(cls, stored: Iterable[tuple[str, int, Mapping[str, Any]]], context: Context) -> LiveSegments:
        """From (id, version, stored body)."""
        return cls.of([stored_segment(*each) for each in stored], context)

    @classmethod
    def of(cls, segments: Sequence[Segment], context: Context) -> LiveSegments:
        """From what is parsed already."""
        return cls(compile_segments(segments, context))

    @property
    def needs_facts(self) -> bool:
        """Whether any definition asks for personal facts."""
        return self._compiled.needs_facts

    def evaluate(self, state: MemberState, facts: Facts | None, now: Instant) -> Flips:
        """Who enters, who leaves, and when to look again."""
        return evaluate_all(state, self._compiled, facts, now)
