"""What a person may ask for: a copy of her data, and to be forgotten."""

from __future__ import annotations

from functions.registration.wiring import Wiring
from shared.access import service as accesses
from shared.erasure import service as erasures
from shared.http.app import Answer, Request
from shared.tenants.scope import TenantScope


def add(wiring: Wiring) -> None:
    """Register the operations of this file."""
    wiring.both("ask_access", _ask_access)
    wiring.both("erase_member", _erase)
    wiring.both("get_access", _access)
    wiring.both("get_erasure", lambda _wiring, _request, scope, member: Answer(body=erasures.certificate(scope, member)))


def _ask_access(wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    queue = wiring.queue(wiring.settings().rights_url)
    return Answer(body=accesses.ask(scope, member, request.principal.id, queue, request.correlation_id))


def _erase(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=erasures.ask(scope, member, request.principal.id, request.correlation_id))


def _access(wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=accesses.read(scope, member, request.path["access_id"], wiring.store().link))
