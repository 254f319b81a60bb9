"""Asking for everything that is kept of a member, and fetching it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from shared.access.api import AccessAnswer
from shared.access.errors import UnknownAccess
from shared.access.model import LINK, Access
from shared.access.repository import AccessRepository
from shared.erasure.service import BY_HERSELF
from shared.kernel.ids import new_id
from shared.kernel.instants import SECOND, format_rfc3339
from shared.member_state.repository import StateRepository
from shared.tenants.scope import TenantScope

KIND = "access"
Link = Callable[[str, int], str]
"""Makes the address of an object that is good for so many seconds."""


class Queue(Protocol):
    """The worker's queue."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


def ask(scope: TenantScope, member: str, actor: str, queue: Queue, correlation: str = "") -> AccessAnswer:
    """Note that ``actor`` (the id of a key, or hers) asks for it, and have it made. One Query, one write, one message.

    ``UnknownMember``, ``ErasedMember``.
    """
    now = scope.clock()
    hers = StateRepository(scope.tenant, scope.table).load(member).state.member
    access = Access(new_id("acc", now), hers, BY_HERSELF if actor == hers else actor, now, correlation)
    AccessRepository(scope).add(access)
    queue.send({"kind": KIND, "tenant": scope.tenant, "member": hers, "access": access.id})
    return _answer(scope, access, None)


def read(scope: TenantScope, member: str, access_id: str, link: Link) -> AccessAnswer:
    """A job about this member, with fresh links while its files are there. ``UnknownAccess``. One Query and one read."""
    hers = StateRepository(scope.tenant, scope.table).load(member).state.member
    access = AccessRepository(scope).get(hers, access_id)
    if access is None:
        raise UnknownAccess
    return _answer(scope, access, link)


def _answer(scope: TenantScope, access: Access, link: Link | None) -> AccessAnswer:
    now = scope.clock()
    until = access.readable_until(now)
    links_until = min(until, now + LINK) if until is not None and link is not None else None
    seconds = (links_until - now) // SECOND if links_until is not None else 0
    made = {
        form: link(access.object_name(scope.tenant, form), seconds) for form in ("json", "html")
    } if link is not None and seconds > 0 else {}  # fmt: skip
    return AccessAnswer(
        access_id=access.id,
        member_id=access.member,
        status=access.status,
        asked_by=access.asked_by,
        asked_at=format_rfc3339(access.asked_at),
        ended_at=format_rfc3339(access.ended_at) if access.ended_at else None,
        readable_until=format_rfc3339(until) if until is not None else None,
        json_link=made.get("json"),
        html_link=made.get("html"),
        links_until=format_rfc3339(links_until) if made and links_until is not None else None,
        reason=access.reason or None,
    )
