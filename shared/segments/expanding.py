"""Rules with the rules of the segments that they name, and what that makes of them: size, circles, whether they look at behaviour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from shared.segments.context import Context
from shared.segments.language.base import Leaf
from shared.segments.language.tree import AllOf, AnyOf, Not, SegmentOf
from shared.segments.parsing import Rule
from shared.segments.sizes import MAX_EXPANDED, MAX_NESTED

UNKNOWN: Final = SegmentOf.model_construct(kind="segment", segment="-")
"""Stands for a segment that is not in force, or that cannot be expanded. An id never is a hyphen alone."""


def leaves_of(rule: Rule) -> Iterator[Leaf]:
    """Every leaf as written, left to right."""
    waiting: list[Rule] = [rule]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Leaf):
            yield node
        else:
            waiting.extend(reversed(children_of(node)))


def children_of(rule: Rule) -> tuple[Rule, ...]:
    """The parts of a node; none of a leaf."""
    if isinstance(rule, AllOf | AnyOf):
        return rule.rules
    return (rule.rule,) if isinstance(rule, Not) else ()


def expanded(rule: Rule, context: Context) -> Rule:
    """The rule with every segment that it names replaced by that segment's rule.

    A circle, too deep a nesting, and too many leaves are refused when a segment is published. Where two are published at the same
    moment, what comes too deep or too large after all is unknown: nobody is in it, and nothing breaks.
    """
    if not any(isinstance(leaf, SegmentOf) for leaf in leaves_of(rule)):
        return rule
    return _Expansion(context).of(rule, ())


class _Expansion:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._leaves = 0

    def of(self, rule: Rule, inside: tuple[str, ...]) -> Rule:
        if isinstance(rule, AllOf | AnyOf):
            children = tuple(self.of(child, inside) for child in rule.rules)
            return rule.model_copy(update={"rules": children})
        if isinstance(rule, Not):
            return rule.model_copy(update={"rule": self.of(rule.rule, inside)})
        if not isinstance(rule, SegmentOf):
            self._leaves += 1
            return rule
        named = self._context.segments.get(rule.segment)
        too_deep = rule.segment in inside or len(inside) + 1 >= MAX_NESTED
        if named is None or too_deep or self._leaves >= MAX_EXPANDED:
            self._leaves += 1
            return UNKNOWN
        return self.of(named, (*inside, rule.segment))


def is_behavioural(rule: Rule, context: Context) -> bool:
    """Whether a leaf looks at what the member does, also in a segment that is named, or below ``not``."""
    return any(leaf.is_behavioural for leaf in leaves_of(expanded(rule, context)))


def named_segments(rule: Rule) -> frozenset[str]:
    """The segments that it names itself."""
    return frozenset(leaf.segment for leaf in leaves_of(rule) if isinstance(leaf, SegmentOf))


def circle(start: str, segments: Mapping[str, Rule]) -> tuple[str, ...]:
    """The way from a segment back to itself over the segments that are named, both ends included; empty where there is none."""
    waiting: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while waiting:
        way = waiting.pop()
        for name in sorted(named_segments(segments[way[-1]]) if way[-1] in segments else ()):
            if name == start:
                return (*way, name)
            if name not in seen:
                seen.add(name)
                waiting.append((*way, name))
    return ()


def size(rule: Rule, segments: Mapping[str, Rule]) -> tuple[int, int]:
    """(leaves, nested segments with this one) of a rule when expanded. Only for rules without circles."""
    known: dict[str, tuple[int, int]] = {}

    def of(each: Rule) -> tuple[int, int]:
        leaves, deepest = 0, 0
        for leaf in leaves_of(each):
            if not isinstance(leaf, SegmentOf):
                leaves += 1
                continue
            if leaf.segment not in known:
                known[leaf.segment] = of(segments[leaf.segment]) if leaf.segment in segments else (1, 1)
            more, depth = known[leaf.segment]
            leaves, deepest = leaves + more, max(deepest, depth)
        return leaves, deepest + 1

    return of(rule)
