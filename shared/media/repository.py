"""Images: items <-> models, for one tenant."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from shared.media.model import Media, Status
from shared.storage import keys
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items import MediaItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table, WriteBatch, raw_key


class MediaRepository:
    """One tenant's images."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def get(self, id_: str) -> Media | None:
        """The image, whatever its status, consistently. 1 read unit."""
        raw = self.table.get(keys.medium(self.tenant, id_))
        return _media(raw) if raw is not None else None

    def ready(self, ids: Iterable[str]) -> frozenset[str]:
        """Which of them are there and ready. 1 read unit each."""
        wanted = [keys.medium(self.tenant, id_) for id_ in ids]
        found = map(_media, self.table.get_many(wanted, consistent=True).values()) if wanted else ()
        return frozenset(each.id for each in found if each.status == "ready")

    def page(self, limit: int, after: str | None) -> tuple[list[Media], str | None]:
        """Images behind an id, and the last one's id if there may be more. One Query."""
        start = raw_key(keys.medium(self.tenant, after)) if after else None
        raws, last = self.table.query(keys.media(self.tenant), begins=keys.MEDIA_PREFIX, limit=limit, start=start, consistent=True)
        found = [_media(raw) for raw in raws]
        return [each for each in found if each.status == "ready"], found[-1].id if last else None

    def begin(self, media: Media) -> bool:
        """An image whose files are to be stored; ``False`` if there is one already. 1 write."""
        return self._write(media, "making", Path("PK").does_not_exist())

    def finish(self, media: Media) -> bool:
        """Its files are there; ``False`` if it was deleted meanwhile. 1 write."""
        return self._write(media, "ready", Path("status").is_in("making", "ready"))

    def end(self, media: Media) -> bool:
        """It may not be named any more; ``False`` if it is not there. 1 write."""
        return self._write(media, "deleting", Path("PK").exists())

    def keep(self, media: Media) -> None:
        """A deletion that is given up; nothing where another one has ended. 1 write."""
        self._write(media, "ready", Path("status") == "deleting")

    def forget(self, media: Media) -> None:
        """The last step of a deletion; nothing where somebody else has taken it. 1 write."""
        with suppress(ConditionFailed):
            self.table.delete(keys.medium(self.tenant, media.id), Path("status") == "deleting")

    def add_check(self, batch: WriteBatch, id_: str) -> None:
        """The transaction happens only while the image is ready. Label ``media:<id>``."""
        batch.check(f"media:{id_}", keys.medium(self.tenant, id_), Path("status") == "ready")

    def _write(self, media: Media, status: Status, when: Condition) -> bool:
        fields = [media.name, media.content_type, media.size, media.width, media.height, media.transparent, media.at]
        item = MediaItem.at(keys.medium(self.tenant, media.id), status=status, body=pack(fields))
        try:
            self.table.put(item, when)
        except ConditionFailed:
            return False
        return True


def _media(raw: RawItem) -> Media:
    item = MediaItem.read(raw)
    name, content_type, size, width, height, transparent, at = unpack(item.body)
    id_ = item.SK.removeprefix(keys.MEDIA_PREFIX)
    return Media(id_, name, content_type, size, width, height, transparent, at, status=item.status)  # type: ignore[arg-type]
