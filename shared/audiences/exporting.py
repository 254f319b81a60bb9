"""Exports as callers see them: asked for, and read until the file is there. ``shared.audiences.writing`` writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from shared.audiences import api, drafts, model
from shared.audiences.columns import columns_of, personal_problems
from shared.audiences.drafts import Draft
from shared.audiences.formats import Format
from shared.audiences.model import LINK, Export
from shared.audiences.repository import ExportRepository
from shared.kernel.errors import Forbidden
from shared.kernel.ids import new_id
from shared.kernel.instants import DAY, SECOND, Clock, Instant, format_rfc3339
from shared.limits.plans import Allowed, check_size
from shared.storage import keys_limits
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Path
from shared.storage.noting import aside
from shared.tenants.scope import TenantScope


class Queue(Protocol):
    """The function's own queue."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. ``personal``: the caller may see personal data."""

    draft: Draft
    form: Format
    columns: tuple[str, ...]
    personal: bool
    correlation: str = ""


def accept(scope: TenantScope, wanted: Wanted, own: Queue, wall: Clock) -> Export:
    """Note an export and send its message. ``UnknownColumn``; ``Forbidden`` for personal columns without the scope. ``PlanLimit``. Two
    items.
    """
    now, draft = scope.clock(), wanted.draft
    columns = columns_of(wanted.columns, drafts.wallets_of(scope, now), draft.segment)
    problems = personal_problems(columns)
    if problems and not wanted.personal:
        raise Forbidden("Personal columns need the scope members:personal.", errors=problems)
    _count(scope, now)
    export = Export(
        new_id("exp", now),
        wanted.form,
        wanted.columns,
        dict(draft.body),
        bool(problems),
        now,
        wanted.correlation,
        draft.segment,
        draft.version,
        touched_at=wall(),
    )
    ExportRepository(scope).add(export)
    own.send(message_of(scope, export))
    return export


def _count(scope: TenantScope, now: Instant) -> None:
    """One more export of this day, or ``PlanLimit``. 1 write."""
    most = Allowed.of(scope.definitions.settings.plan).exports_per_day
    key, ends = keys_limits.exports(scope.tenant, now // DAY), (now + 2 * DAY) // SECOND
    room = Path("made").does_not_exist() | (Path("made") < most)
    check_size(most, 1, "", "exports a day")
    try:
        with aside():
            scope.table.update(key, [Path("made").add(1), Path("expires_at").set(ends)], room)
    except ConditionFailed:
        check_size(most, most + 1, "", "exports a day")


def answer(scope: TenantScope, export: Export, wall: Clock, link: Callable[[str, int], str] | None = None) -> api.ExportAnswer:
    """An export as it is shown. ``link`` makes the address of an object that is good for so many seconds."""
    status, reason = export.shown_status(wall())
    kept_until = export.touched_at + model.KEPT if status == "done" else None
    shown = link(export.object_name(scope.tenant), LINK // SECOND) if link is not None and (kept_until or 0) > wall() else None
    return api.ExportAnswer(
        export_id=export.id,
        status=status,
        format=export.form,
        columns=export.columns,
        segment=export.segment,
        version=export.version,
        rows=export.rows,
        left_out=export.left_out,
        as_of=format_rfc3339(export.as_of),
        finished_at=format_rfc3339(export.touched_at) if status == "done" else None,
        kept_until=format_rfc3339(kept_until) if kept_until is not None else None,
        link=shown,
        link_until=format_rfc3339(wall() + LINK) if shown is not None else None,
        reason=reason,
    )


def read(scope: TenantScope, export_id: str, wall: Clock, link: Callable[[str, int], str], *, personal: bool) -> api.ExportAnswer:
    """An export, with a fresh link when it is done. ``Forbidden`` without ``personal`` where the file has personal columns. 1 read."""
    export = ExportRepository(scope).get(export_id)
    if export.personal and not personal:
        raise Forbidden("The file has personal columns, which need the scope members:personal.")
    return answer(scope, export, wall, link)


def message_of(scope: TenantScope, export: Export) -> dict[str, Any]:
    """What the worker is told: a pointer, and nothing of anybody."""
    return {"kind": "export", "tenant": scope.tenant, "export": export.id}
