"""Between the dispatcher and a handler: opens the note of the call, and closes it with an entry where one is due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from shared.audit import notes
from shared.audit.model import Actor, Entry, Outcome, Target
from shared.http.request import Answer, Request
from shared.http.route import Audit
from shared.storage import noting

if TYPE_CHECKING:
    from shared.storage.errors import RawItem

_OUTCOMES: Final[dict[Audit, Outcome]] = {
    "change": "changed", "forced": "changed", "order": "ordered", "read": "read", "personal": "read",
}  # fmt: skip
"""Of the operations that leave an entry."""
_READS: Final = ("read", "personal")


def answer(request: Request, handler: Callable[[Request], Answer]) -> Answer:
    """The handler's answer, noted as the route table says. A call that is refused, or changes nothing, leaves no entry.

    What a ``read`` shows is not answered before its entry is put. Cost: 2 write units in a change, 1 for a read, else none.
    """
    kind = request.route.audited
    outcome = _OUTCOMES.get(kind)
    if outcome is None or (kind == "forced" and request.query.get("force") != "true"):
        return handler(request)

    def entry(tenant: str, ulid: str, written: Sequence[tuple[str, str]]) -> RawItem:
        return notes.item_of(_entry(request, outcome, note.fields, tenant, ulid, written))

    with noting.noting(entry, wanted=kind in ("order", "read"), aside=kind in _READS) as note:
        answered = handler(request)
        if note.wanted and not note.written:
            note.put_alone(_concerned(request))
    return answered


def _entry(
    request: Request, outcome: Outcome, fields: tuple[str, ...], tenant: str, ulid: str, written: Sequence[tuple[str, str]]
) -> Entry:
    caller = request.principal
    return Entry(
        id=ulid,
        tenant=tenant,
        actor=Actor(caller.kind, caller.id, caller.location, caller.location_group),
        operation=request.operation,
        outcome=outcome,
        target=_target(request, written),
        member=notes.member_of(request.path, caller.member, written),
        fields=fields,
        correlation_id=request.correlation_id,
    )


def _target(request: Request, written: Sequence[tuple[str, str]]) -> Target | None:
    found = notes.target_of(request.route.path, request.path, request.principal.member, written)
    # A PUT without an id in its path replaces many at once: the first of them is none that one could name for all.
    replaces_many = request.route.method == "PUT" and "{" not in request.route.path and request.principal.member is None
    return Target(found.kind) if found is not None and replaces_many else found


def _concerned(request: Request) -> str:
    """Whose chain an entry by itself belongs to: the tenant that the operator names, or the caller's own."""
    named = request.path.get("tenant_id")
    return named if named is not None and request.principal.kind == "operator" else request.tenant
