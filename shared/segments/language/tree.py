"""The nodes that join leaves, and the one that names another segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from shared.segments.language.base import Key, Leaf, Node

if TYPE_CHECKING:
    Rule: TypeAlias = "AllOf | AnyOf | Not | Leaf"
    Rules: TypeAlias = tuple[Rule, ...]


class AllOf(Node):
    """True if every rule is."""

    kind: Literal["all"]
    rules: Rules


class AnyOf(Node):
    """True if one rule is."""

    kind: Literal["any"]
    rules: Rules


class Not(Node):
    """True if the rule is false; unknown stays unknown."""

    kind: Literal["not"]
    rule: Rule


class SegmentOf(Leaf):
    """What the other segment's rule answers, in its version in force. Segments may name one another, but not in a circle.

    Unknown while no version of it is in force.
    """

    kind: Literal["segment"]
    segment: Key
