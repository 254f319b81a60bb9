"""Refusals about access jobs."""

from __future__ import annotations

from shared.kernel.errors import NotFound


class UnknownAccess(NotFound):
    """No such job about this member, or one of long ago."""

    code, title = "unknown_access", "No such access job"
