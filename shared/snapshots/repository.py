"""Items of a tenant's snapshot: the manifest, marks of what has changed, a rebuild's progress. One partition a tenant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.kernel.ids import new_ulid
from shared.kernel.instants import SECOND, Instant
from shared.snapshots.model import KEPT, LAST_MARK, Build, Manifest, build_of, manifest_of
from shared.storage import keys
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items import SnapshotItem, SnapshotMarkItem
from shared.storage.keys import Key
from shared.storage.packing import pack, unpack
from shared.storage.table import NOT_THERE_YET
from shared.tenants.scope import TenantScope

_PAGE: Final = 200


class SnapshotRepository:
    """One tenant's. ``False`` from a write says that somebody else was first."""

    def __init__(self, scope: TenantScope) -> None:
        self._tenant = scope.tenant
        self._table = scope.table

    # -- marks ------------------------------------------------------------------------------------------------------

    def mark(self, members: Iterable[str], wall: Instant) -> None:
        """Note that members have changed: one item, a write unit for each 80 of them or so."""
        key = keys.snapshot_mark(self._tenant, new_ulid(wall))
        body = pack(sorted(set(members)))
        self._table.put(SnapshotMarkItem.at(key, body=body, expires_at=(wall + KEPT) // SECOND))

    def marks_after(self, watermark: str, most: int | None = None) -> tuple[set[str], str, bool]:
        """(members, the last mark that was read, whether that was all). Reads on until there are ``most`` members."""
        members: set[str] = set()
        last, start = watermark, None
        between = (f"{keys.MARK_PREFIX}{watermark}", f"{keys.MARK_PREFIX}{LAST_MARK}")
        while True:
            raws, start = self._table.query(keys.snapshot(self._tenant), between=between, limit=_PAGE, start=start, consistent=True)
            for raw in raws:
                members.update(unpack(SnapshotMarkItem.values(raw)["body"]))
                last = raw["SK"]["S"].removeprefix(keys.MARK_PREFIX)
            if start is None or (most is not None and len(members) >= most):
                return members, last, start is None

    # -- the manifest and the rebuild -----------------------------------------------------------------------------------

    def manifest(self) -> Manifest | None:
        """The newest generation."""
        raw = self._table.get(keys.snapshot_manifest(self._tenant))
        return None if raw is None else manifest_of(*_read(raw))

    def swap(self, manifest: Manifest, before: Manifest | None) -> bool:
        """Make it the newest, unless there is another than the one it was made from."""
        return self._put(keys.snapshot_manifest(self._tenant), manifest.generation, manifest.body(), before.generation if before else None)

    def build(self) -> Build | None:
        """The rebuild that goes on."""
        raw = self._table.get(keys.snapshot_build(self._tenant))
        return None if raw is None else build_of(*_read(raw))

    def save(self, build: Build, before: int | None) -> bool:
        """Write its progress over a revision, or over none."""
        return self._put(keys.snapshot_build(self._tenant), build.revision, build.body(), before)

    def end(self, build: Build) -> None:
        """It is done."""
        try:
            self._table.delete(keys.snapshot_build(self._tenant), Path("generation") == build.revision)
        except ConditionFailed:
            return

    def _put(self, key: Key, generation: int, body: object, before: int | None) -> bool:
        unchanged: Condition = NOT_THERE_YET if before is None else Path("generation") == before
        try:
            self._table.put(SnapshotItem.at(key, generation=generation, body=pack(body)), unchanged)
        except ConditionFailed:
            return False
        return True


def _read(raw: RawItem) -> tuple[int, dict[str, object]]:
    values = SnapshotItem.values(raw)
    return values["generation"], unpack(values["body"])
