"""What a person may ask for: a copy of her data, that they are not used, and to be forgotten."""

from __future__ import annotations

from functions.registration.wiring import Wiring, member_of
from shared.access import service as accesses
from shared.erasure import service as erasures
from shared.http.app import Answer, Request
from shared.members import restriction, rights_api
from shared.merging import service as merges
from shared.merging.api import MergeRequest
from shared.tenants.scope import TenantScope


def add(wiring: Wiring) -> None:
    """Register the operations of this file."""
    wiring.both("ask_access", _ask_access)
    wiring.both("erase_member", _erase)
    wiring.both("get_access", _access)
    wiring.on("get_merge", _progress_of_merge)
    wiring.on("merge_member", _merge)
    wiring.both("set_restriction", _restrict)
    wiring.both("get_erasure", lambda _wiring, _request, scope, member: Answer(body=erasures.certificate(scope, member)))


def _merge(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/members/{member_id}/merge."""
    wanted, scope = request.parse(MergeRequest), wiring.scope(request)
    return Answer(body=merges.merge(scope, member_of(request), wanted, request.principal.id, request.correlation_id))


def _progress_of_merge(wiring: Wiring, request: Request) -> Answer:
    """GET /v1/members/{member_id}/merge."""
    return Answer(body=merges.progress(wiring.scope(request), member_of(request)))


def _ask_access(wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    queue = wiring.queue(wiring.settings().rights_url)
    return Answer(body=accesses.ask(scope, member, request.principal.id, queue, request.correlation_id))


def _erase(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=erasures.ask(scope, member, request.principal.id, request.correlation_id))


def _restrict(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    body = request.parse(rights_api.RestrictionRequest)
    return Answer(body=restriction.set_restriction(scope, member, body, request.principal.id, request.correlation_id))


def _access(wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=accesses.read(scope, member, request.path["access_id"], wiring.store().link))
