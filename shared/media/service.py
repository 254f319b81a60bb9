"""Uploading, reading and deleting images.

A deletion and a publication may meet: the deletion marks the image first and looks for what names it then, and a publication is
written only while each image that it names is ready. So either the deletion sees the publication, or the publication is refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Final, Protocol

from shared.definitions.model import Definition
from shared.definitions.references import named_media
from shared.definitions.repository import definition_of
from shared.kernel.instants import NEVER, format_rfc3339
from shared.kernel.pages import open_cursor, seal_cursor
from shared.media.api import MediaAnswer, MediaPage, UploadRequest
from shared.media.errors import BeingDeleted, MediaInUse, UnknownMedia, UnusableImage
from shared.media.images import prepare
from shared.media.model import Media, id_of
from shared.media.repository import MediaRepository
from shared.storage import keys
from shared.tenants.base import MEDIA_PATTERN
from shared.tenants.content import FALLBACK, WIDTHS, file_name, image_links
from shared.tenants.scope import TenantScope

_ID: Final = re.compile(MEDIA_PATTERN)
_NAMED: Final = 5
"""So many of what names an image are listed in a refusal."""


class Files(Protocol):
    """Where the files are stored and delivered from."""

    def publish(self, name: str, body: bytes, content_type: str) -> None:
        """Store a file that never changes."""

    def delete(self, name: str) -> None:
        """Delete a file; no error if there is none."""


def upload(scope: TenantScope, request: UploadRequest, files: Files) -> tuple[MediaAnswer, bool]:
    """Store an image; ``True`` with it where it is new. ``UnusableImage`` says what is wrong with it.

    The same content again is the same image and is not looked at again. 1 read; if new, 2 writes and 4 objects.
    """
    try:
        data = base64.b64decode(request.data, validate=True)
    except ValueError:
        raise UnusableImage("not_base64", "data is no base64") from None
    repository, id_ = _repository(scope), id_of(data)
    stored = repository.get(id_)
    if stored is not None and stored.status == "ready":
        return _answer(scope, stored), False
    if stored is not None and stored.status == "deleting":
        raise BeingDeleted
    made = prepare(data, request.content_type)
    media = Media(
        id_, request.name, request.content_type, len(data), made.width, made.height, made.transparent, scope.clock(), "making"
    )
    repository.begin(media)
    for variant, file in made.files.items():
        files.publish(file_name(scope.tenant, id_, variant), file.body, file.content_type)
    if not repository.finish(media):
        raise BeingDeleted
    return _answer(scope, media), True


def read(scope: TenantScope, id_: str) -> MediaAnswer:
    """An image and its links, or ``UnknownMedia``. 1 read."""
    found = _stored(scope, id_)
    if found.status != "ready":
        raise UnknownMedia
    return _answer(scope, found)


def page(scope: TenantScope, limit: int, cursor: str | None, key: bytes) -> MediaPage:
    """Images by id. One Query."""
    context = f"{scope.tenant}|media"
    found, last = _repository(scope).page(limit, open_cursor(key, context, cursor)["after"] if cursor else None)
    more = seal_cursor(key, context, {"after": last}) if last else None
    return MediaPage(data=tuple(_answer(scope, each) for each in found), next_cursor=more)


def delete(scope: TenantScope, id_: str, files: Files) -> None:
    """Delete an image that nothing names; ``MediaInUse`` otherwise. Sent again after a crash, it goes on.

    Reads every definition of the tenant: 1 unit per 4 KB.
    """
    repository, media = _repository(scope), _stored(scope, id_)
    if not repository.end(media):
        raise UnknownMedia
    users = list(dict.fromkeys(f"{each.kind} {each.id}" for each in _naming(scope, id_)))
    if users:
        repository.keep(media)
        raise MediaInUse(f"Named by {', '.join(users[:_NAMED])}{' and others' if len(users) > _NAMED else ''}.")
    for variant in (*WIDTHS, FALLBACK):
        files.delete(file_name(scope.tenant, id_, variant))
    repository.forget(media)


def _naming(scope: TenantScope, id_: str) -> Iterator[Definition]:
    """Published versions that name the image and have not ended, superseded ones too: coupons keep theirs."""
    now = scope.clock()
    partitions = [(keys.definitions(scope.tenant), ""), (keys.offers(scope.tenant), "OFFER#")]
    for partition, begins in partitions:
        for raw in scope.table.query_all(partition, begins=begins or None, consistent=True):
            is_definition = "definition_id" in raw
            each = definition_of(raw) if is_definition else None
            if each is None or each.effective_from is None or (each.retired_from or NEVER) <= now:
                continue
            if any(named == id_ for _, named in named_media(each.kind, each.body)):
                yield each


def _stored(scope: TenantScope, id_: str) -> Media:
    found = _repository(scope).get(id_) if _ID.fullmatch(id_) else None
    if found is None:
        raise UnknownMedia
    return found


def _repository(scope: TenantScope) -> MediaRepository:
    return MediaRepository(scope.tenant, scope.table)


def _answer(scope: TenantScope, media: Media) -> MediaAnswer:
    return MediaAnswer(
        media_id=media.id,
        name=media.name,
        content_type=media.content_type,
        size=media.size,
        width=media.width,
        height=media.height,
        transparent=media.transparent,
        uploaded_at=format_rfc3339(media.at),
        links=image_links(scope.media_url, scope.tenant, media.id),
    )
