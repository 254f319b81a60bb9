"""How large a rule may be: a member's write evaluates every segment of the tenant."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from shared.kernel.errors import FieldError, Unprocessable

MAX_LEAVES: Final = 200
"""As written."""
MAX_DEPTH: Final = 12
"""As written. A leaf alone has depth 1."""
MAX_EXPANDED: Final = 1000
"""Leaves with those of the segments that it names."""
MAX_NESTED: Final = 5
"""Segments that name one another, the first included: what is generated nests no deeper than Python allows."""


class SegmentTooLarge(Unprocessable):
    """More leaves or levels than a member's write can afford to evaluate."""

    code, title = "segment_too_large", "Segment too large"


def check_size(raw: Any, pointer: str) -> None:
    """Refuse a tree (as parsed from JSON) with too many leaves or levels before anything is built from it."""
    leaves, waiting = 0, [(raw, 1, pointer)]
    while waiting:
        node, depth, where = waiting.pop()
        children = _children(node)
        leaves += not children
        if depth > MAX_DEPTH or leaves > MAX_LEAVES:
            limit = f"at most {MAX_DEPTH} levels" if depth > MAX_DEPTH else f"at most {MAX_LEAVES} leaves"
            code = "too_deep" if depth > MAX_DEPTH else "too_many_leaves"
            raise SegmentTooLarge(f"A segment has {limit}.", errors=(FieldError(where, code, limit),))
        waiting.extend((child, depth + 1, where + at) for child, at in reversed(children))


def _children(node: Any) -> list[tuple[Any, str]]:
    if isinstance(node, BaseModel):
        node = vars(node)
    if not isinstance(node, dict):
        return []
    if isinstance(node.get("rules"), list | tuple):
        return [(child, f"/rules/{index}") for index, child in enumerate(node["rules"])]
    return [(node["rule"], "/rule")] if "rule" in node else []
