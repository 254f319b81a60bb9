"""How many members a tenant's retention would let go, before it is switched on. From the snapshot; nothing is written."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from shared.audiences.asking import Rebuild
from shared.audiences.errors import SnapshotNotReady
from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.instants import Clock, Instant, format_rfc3339
from shared.member_state import activity
from shared.member_state.view import FoldView
from shared.snapshots.loading import load_members
from shared.snapshots.model import ObjectStore
from shared.snapshots.reading import open_snapshot
from shared.tenants.base import Answer
from shared.tenants.rights import RetentionSettings
from shared.tenants.scope import TenantScope


class RetentionPreview(Answer):
    """Members who would be warned now."""

    inactive_months: int
    members: int = Field(description="all that are looked at; those whose data are restricted are not")
    inactive: Annotated[int, Field(description="at most: by joining and purchases; clicks, sign-ins and events of the app make it fewer")]
    as_of: str


def months_of(text: str | None, settings: RetentionSettings) -> int:
    """The months asked about: those of the query, else those of the settings. ``Unprocessable``."""
    if text is None and settings.inactive_months is not None:
        return settings.inactive_months
    if text is None or not text.isascii() or not text.isdigit() or not 3 <= int(text[:4]) <= 120:
        hint = FieldError("/inactive_months", "invalid_value", "3 to 120")
        raise Unprocessable("The request does not fit; see errors.", errors=(hint,))
    return int(text)


def preview(scope: TenantScope, months: int, store: ObjectStore, rebuild: Rebuild, wall: Clock) -> RetentionPreview:
    """Counted from the columns; who changed since they were made is read. ``SnapshotNotReady`` while they are being made."""
    now, snapshot = scope.clock(), open_snapshot(scope, store, wall())
    if snapshot is None:
        rebuild()
        raise SnapshotNotReady(retry_after=60)
    view = scope.definitions.fold_at(now)
    cutoff = _cutoff(view, months, now)
    members = inactive = 0
    for shard in snapshot.shards:
        for columns, live in snapshot.pieces(shard):
            last = np.maximum(columns["member/joined_at"], columns["member/last_at"])
            members += int(live.sum())
            inactive += int((live & (last < cutoff)).sum())
    changed = load_members(scope, snapshot.changed).values()
    members += len(changed)
    inactive += sum(activity.last_activity(state) < cutoff for state in changed)
    return RetentionPreview(inactive_months=months, members=members, inactive=inactive, as_of=format_rfc3339(now))


def _cutoff(view: FoldView, months: int, now: Instant) -> Instant:
    """Whose last activity lies before it is inactive now."""
    return activity.inactive_before(months, now, view.zone)
