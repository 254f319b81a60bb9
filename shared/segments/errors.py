"""Refusals about segments as they are read."""

from __future__ import annotations

from shared.kernel.errors import NotFound, StateConflict


class UnknownSegment(NotFound):
    """No such segment in this tenant."""

    code, title = "unknown_segment", "Unknown segment"


class SegmentNotInForce(StateConflict):
    """A draft, not yet effective, or retired: nobody is in it."""

    code, title = "segment_not_in_force", "Segment not in force"
