"""Making the files of an access job. Made again, they are the same files with newer contents: a message may come twice."""

from __future__ import annotations

from typing import Protocol

from shared.access.collecting import collect
from shared.access.errors import UnknownAccess
from shared.access.model import FORMS, TYPES
from shared.access.rendering import as_html, as_json, language_of
from shared.access.repository import AccessRepository
from shared.kernel.errors import Gone
from shared.tenants.scope import TenantScope


class Files(Protocol):
    """Where the files go (S3)."""

    def put_as(self, name: str, body: bytes, content_type: str) -> None:
        """Store an object with a type."""


def work(scope: TenantScope, member: str, access_id: str, files: Files) -> bool:
    """Collect and store both files, then say so. ``False`` where she was erased meanwhile; ``UnknownAccess`` if nobody asked.

    Headings are in her language, else in the tenant's first.
    """
    repository = AccessRepository(scope)
    access = repository.get(member, access_id)
    if access is None:
        raise UnknownAccess
    if access.status == "done":
        return True
    try:
        collected = collect(scope, member)
    except Gone as gone:
        repository.end(access.ended("failed", scope.clock(), gone.code))
        return False
    language = language_of((collected["sections"]["language"]["data"], *scope.definitions.settings.languages))
    bodies = {"json": as_json(collected), "html": as_html(collected, language)}
    for form in FORMS:
        files.put_as(access.object_name(scope.tenant, form), bodies[form], TYPES[form])
    repository.end(access.ended("done", scope.clock()))
    return True
