"""Refusals about audiences."""

from __future__ import annotations

from shared.kernel.errors import NotFound, Unavailable, Unprocessable


class UnknownColumn(Unprocessable):
    """A column that there is not; ``errors`` points at it and lists those that there are."""

    code, title = "unknown_column", "Unknown column"


class UnknownExport(NotFound):
    """No such export in this tenant."""

    code, title = "unknown_export", "Unknown export"


class SnapshotNotReady(Unavailable):
    """The tenant has more members than a request reads from the table, and its snapshot is being made. Repeat the call."""

    code, title, retry_after = "snapshot_not_ready", "Snapshot not ready", 60


class TooManyUndecided(Unprocessable):
    """The rule asks of so many members what no snapshot knows that one request cannot read them. Estimate it, or export it."""

    code, title = "too_many_undecided", "Too many members to read"
