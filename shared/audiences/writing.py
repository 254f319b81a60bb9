"""A file of all members that a rule is true of, written to S3 in parts while they are read, by a worker that may die anywhere.

    POST -> item, message -> worker: lease -> members in order of id -> rows -> a part each 8 MB -> progress -> ... -> put together -> done

The rule is asked for the instant of the request, of each member as she is stored when her row is written. After each part the progress is
written down under its revision, and a worker that goes on begins behind the last member of it: a part that was uploaded and not
noted is uploaded again under the same number. Memory is that of one part and of one shard of the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from shared.audiences import model
from shared.audiences.asking import OUT, TOGETHER, Question, Rebuild
from shared.audiences.columns import columns_of
from shared.audiences.exporting import Queue, message_of
from shared.audiences.formats import CONTENT_TYPES, encoded, header
from shared.audiences.model import LEASE, MOST_RESTARTS, Export
from shared.audiences.repository import ExportRepository
from shared.audiences.rows import Rows
from shared.kernel.instants import SECOND, Clock
from shared.member_state.effects import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.observability.logs import logger
from shared.segments.parsing import rule_of
from shared.snapshots.loading import chunks, listed
from shared.snapshots.reading import open_snapshot
from shared.tenants.scope import TenantScope

TIME_TO_STOP_MS: Final = 20_000
"""With less left than this what was written is put aside, and a new message goes on."""


class FileStore(Protocol):
    """Where files and snapshots lie (S3; a dictionary in tests)."""

    def put(self, name: str, body: bytes) -> None:
        """Store, encrypted at rest."""

    def put_as(self, name: str, body: bytes, content_type: str) -> None:
        """The same with a type."""

    def find(self, name: str) -> bytes | None:
        """Read back; ``None`` if there is none."""

    def exists(self, name: str) -> bool:
        """Whether there is one."""

    def delete(self, name: str) -> None:
        """Delete; no error if there is none."""

    def begin(self, name: str, content_type: str) -> str:
        """Begin an upload in parts; answers its id."""

    def add_part(self, name: str, upload: str, number: int, body: bytes) -> str | None:
        """A part, instead of the one of that number if there is one; answers its tag, ``None`` if the upload is gone."""

    def complete(self, name: str, upload: str, tags: list[str]) -> bool:
        """Put the parts together. ``False`` if the upload is gone, or a part is another one than the tag says."""


def work(scope: TenantScope, export_id: str, store: FileStore, own: Queue, rebuild: Rebuild, wall: Clock) -> bool:
    """Go on with an export. ``False`` if a message was sent that does: time is short, or somebody else is at it."""
    export = ExportRepository(scope).get(export_id)
    if export.status in ("done", "failed"):
        return True
    if export.lease_until > wall():
        own.send(message_of(scope, export), LEASE // SECOND)
        return False
    try:
        finished = _Run(scope, export, store, rebuild, wall).go()
    except _Superseded:
        return True
    if not finished:
        own.send(message_of(scope, export))
    return finished


class _Superseded(Exception):
    """Somebody else has written this export's progress."""


class _UploadGone(Exception):
    """S3 knows nothing of the upload any more, or has another part than was noted."""


class _Run:
    """One worker's turn."""

    def __init__(self, scope: TenantScope, export: Export, store: FileStore, rebuild: Rebuild, wall: Clock) -> None:
        self._scope = scope
        self._export = export
        self._store = store
        self._rebuild = rebuild
        self._wall = wall
        self._repository = ExportRepository(scope)
        self._name = export.object_name(scope.tenant)
        self._type = CONTENT_TYPES[export.form]

    def go(self) -> bool:
        """Take the lease, write, put together, tell; ``False`` if there was no time for all. ``_Superseded``."""
        export = self._export
        export.status = "running"
        self._save()
        while True:
            try:
                if not export.written and not self._write():
                    return False
                self._finish()
            except _UploadGone:
                # S3 deletes an upload that is a day old. Everything is written again, but not for ever.
                if export.restarts >= MOST_RESTARTS:
                    export.status, export.reason = "failed", "upload_lost"
                    self._save(lease=False)
                    return True
                export.begin_again()
                self._save()
            else:
                return True

    # -- writing ----------------------------------------------------------------------------------------------------

    def _write(self) -> bool:
        """Rows of everybody behind the progress; ``False`` if there was no time for all."""
        export, scope = self._export, self._scope
        context = scope.definitions.at(export.as_of).segment_context
        question = Question(scope, rule_of(export.rule), export.as_of, context)
        rows = Rows(scope, columns_of(export.columns, None, export.segment), export.as_of, context)
        buffer = self._begun()
        for ids in chunks(self._candidates(question), TOGETHER):
            before, inside = rows.left_out, [state for state, is_in in question.decide(ids) if is_in]
            made = [row for _, row in rows.of(inside)]
            buffer += encoded(export.form, made)
            export.after, export.rows = ids[-1], export.rows + len(made)
            export.left_out += rows.left_out - before
            if len(buffer) >= model.PART_BYTES:
                self._add_part(buffer)
                buffer = bytearray()
            if scope.effort().time_left_ms() < TIME_TO_STOP_MS:
                self._put_aside(buffer)
                return False
        self._last_part(buffer)
        return True

    def _begun(self) -> bytearray:
        """What a file begins with, or what was put aside."""
        export = self._export
        if export.rest:
            kept = self._store.find(export.rest)
            if kept is None:
                raise _UploadGone
            return bytearray(kept)
        return bytearray() if export.parts else bytearray(header(export.form, export.columns))

    def _candidates(self, question: Question) -> Iterator[str]:
        """Who may be in, by id: whom the columns say is in or cannot tell; everybody, while there is no snapshot."""
        after, snapshot = self._export.after, open_snapshot(self._scope, self._store, self._wall())
        if snapshot is None:
            self._rebuild()
            yield from listed(self._scope, after)
            return
        for part in question.parts(snapshot, after):
            yield from part.ids[part.codes != OUT].astype("U").tolist()
        if question.lost:
            self._rebuild()

    def _add_part(self, body: bytearray) -> None:
        """Upload one more part and note it."""
        export = self._export
        if not export.upload:
            export.upload = self._store.begin(self._name, self._type)
        tag = self._store.add_part(self._name, export.upload, len(export.parts) + 1, bytes(body))
        if tag is None:
            raise _UploadGone
        export.parts.append(tag)
        rest, export.rest = export.rest, ""
        self._save()
        self._drop(rest)

    def _put_aside(self, buffer: bytearray) -> None:
        """Keep what is too little for a part, and give the lease back."""
        export = self._export
        before, export.rest = export.rest, export.rest_name(self._scope.tenant) if buffer else ""
        if buffer:
            self._store.put(export.rest, bytes(buffer))
        self._save(lease=False)
        self._drop(before)

    def _last_part(self, buffer: bytearray) -> None:
        export = self._export
        if not export.parts:
            # Too little for several parts: one object does, written again by whoever goes on from here.
            self._store.put_as(self._name, bytes(buffer), self._type)
            return
        export.written = True
        if buffer:
            self._add_part(buffer)
        else:
            self._save()

    # -- the end ----------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Put the parts together, and tell. What was put together before by one who died then, is there."""
        export = self._export
        if export.parts and not (self._store.complete(self._name, export.upload, export.parts) or self._store.exists(self._name)):
            raise _UploadGone
        rest, export.rest, export.status, now = export.rest, "", "done", self._scope.clock()
        data: dict[str, object] = {"export": export.id, "rows": export.rows, "left_out": export.left_out}
        if export.segment is not None:
            data |= {"segment": export.segment, "segment_version": export.version}
        self._save(envelope([DomainEvent("export.finished", now, data)], Stamp(now, export.correlation)), lease=False)
        self._drop(rest)
        logger().info("exported", extra={"tenant": self._scope.tenant, "export": export.id, "rows": export.rows})

    def _save(self, out: str | None = None, *, lease: bool = True) -> None:
        wall = self._wall()
        self._export.touched_at, self._export.lease_until = wall, wall + LEASE if lease else 0
        if not self._repository.save(self._export, out):
            raise _Superseded

    def _drop(self, name: str) -> None:
        """Delete what was put aside. What fails is left to the bucket's lifecycle rule."""
        if not name:
            return
        try:
            self._store.delete(name)
        except Exception as error:  # whatever the client says: the object goes in time by itself
            logger().warning("not deleted", extra={"tenant": self._scope.tenant, "reason": type(error).__name__})
