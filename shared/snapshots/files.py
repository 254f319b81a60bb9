"""Columns as objects of a tenant. An object that is lost, cut short or not this tenant's is ``Lost``: the snapshot is made again."""

from __future__ import annotations

from shared.kernel.instants import Instant
from shared.observability.logs import logger
from shared.snapshots.columns import Columns
from shared.snapshots.container import Container, Damaged
from shared.snapshots.model import ObjectStore, Shard, object_name


class Lost(Exception):
    """An object of the snapshot is not there, or is not what it should be. Never an error to a caller: it costs time."""


class Files:
    """The objects of one tenant."""

    def __init__(self, tenant: str, store: ObjectStore) -> None:
        self._tenant = tenant
        self._store = store

    def read(self, name: str) -> Columns:
        """The columns of an object."""
        body = self._store.find(name)
        if body is None:
            raise Lost("an object is not there")
        try:
            container = Container(body)
        except Damaged as error:
            raise Lost(str(error)) from error
        if container.meta.get("tenant") != self._tenant:
            raise Lost("an object of another tenant")
        return Columns.decode(container)

    def write(self, columns: Columns, wall: Instant) -> str:
        """Store columns under a name of their own, which is answered."""
        name = object_name(self._tenant, wall)
        self._store.put(name, columns.encode({"tenant": self._tenant}))
        return name

    def read_shard(self, shard: Shard) -> tuple[Columns, Columns | None]:
        """Base and, if there is one, young."""
        return self.read(shard.base), self.read(shard.young) if shard.young else None

    def drop(self, names: set[str] | tuple[str, ...]) -> None:
        """Delete objects that nobody will read any more. What fails is left to the bucket's lifecycle rule."""
        for name in names:
            try:
                self._store.delete(name)
            except Exception as error:  # whatever the client says: the objects go in time by themselves
                logger().warning("an old object was not deleted", extra={"reason": type(error).__name__})
