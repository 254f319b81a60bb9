"""Lost cards: blocked, found again, replaced, taken off."""

from __future__ import annotations

from functions.registration.wiring import Wiring, member_of
from shared.counter.api import IdentifierSelection, ReplaceRequest
from shared.http.app import Answer, Request
from shared.members import blocking
from shared.tenants.scope import TenantScope


def add(wiring: Wiring) -> None:
    """Register the operations of this file."""
    wiring.both("block_identifier", _block)
    wiring.on("unblock_identifier", _unblock)
    wiring.on("replace_identifier", _replace)
    wiring.both("remove_identifiers", _remove)


def _block(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    which = request.parse(IdentifierSelection)
    return Answer(body=blocking.block(scope, member, which, request.principal.id, request.correlation_id))


def _unblock(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/members/{member_id}/identifiers/unblock."""
    which, scope = request.parse(IdentifierSelection), wiring.scope(request)
    return Answer(body=blocking.unblock(scope, member_of(request), which, request.principal.id, request.correlation_id))


def _replace(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/members/{member_id}/identifiers/replace."""
    body, scope = request.parse(ReplaceRequest), wiring.scope(request)
    return Answer(body=blocking.replace(scope, member_of(request), body, request.principal.id, request.correlation_id))


def _remove(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    caller = request.principal
    herself = caller.member is not None
    return Answer(body=blocking.remove(scope, member, request.path["kind"], caller.id, request.correlation_id, herself=herself))
