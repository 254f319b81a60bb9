"""Sales in bulk: each record is checked and decided like one of its own, grouped by member and in order of time.

A record that is wrong is refused with its index; the others go on. Only when the whole part could not be worked on
does the message come back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.jobs.service import Outcome
from shared.kernel.errors import AppError
from shared.kernel.instants import parse_rfc3339
from shared.member_state.service import MemberSession
from shared.members.directory import find_many
from shared.members.errors import IdentifierBlocked
from shared.members.identifiers import IdentifierKind
from shared.tenants.scope import TenantScope
from shared.transactions.api import TransactionRequest
from shared.transactions.ingestion import ingest

Parse = Callable[[Mapping[str, Any]], TransactionRequest]
"""A record as a request, or an ``AppError`` with pointers: the same check that the route makes."""


@dataclass(slots=True)
class _Numbered:
    index: int
    request: TransactionRequest
    at: int
    blocked: bool = False
    """Made offline with a card that is blocked now."""


def record_all(
    scope: TenantScope, records: Sequence[Mapping[str, Any]], mode: str | None, parse: Parse, correlation: str = ""
) -> Outcome:
    """Record a part of a bulk job. One batch read of identifiers; per sale one transaction, and one read per member."""
    outcome = Outcome()
    checked = [each for index, raw in enumerate(records) if (each := _checked(index, raw, mode, parse, outcome)) is not None]
    named = [_identifier(each.request) for each in checked]
    references = find_many(scope, (each for each in named if each is not None))
    groups: dict[str | None, list[_Numbered]] = defaultdict(list)
    for each, identifier in zip(checked, named, strict=True):
        direct = each.request.member.id if each.request.member is not None else None
        found = references.get(identifier) if identifier is not None else None
        has_happened = each.request.offline or each.request.mode == "historical"
        if found is not None and found.blocked and not has_happened:
            outcome.refused.append((each.index, IdentifierBlocked()))
            continue
        each.blocked = found is not None and found.blocked
        groups[direct or (found.member if found is not None else None)].append(each)
    for member, group in groups.items():
        session = MemberSession(scope, member) if member is not None else None
        for each in sorted(group, key=lambda numbered: numbered.at):
            _record_one(scope, each, correlation, session, outcome)
    return outcome


def _checked(index: int, raw: Mapping[str, Any], mode: str | None, parse: Parse, outcome: Outcome) -> _Numbered | None:
    try:
        request = parse({"mode": mode, **raw} if mode else raw)
    except AppError as refusal:
        outcome.refused.append((index, refusal))
        return None
    return _Numbered(index, request, parse_rfc3339(request.occurred_at))


def _identifier(request: TransactionRequest) -> tuple[IdentifierKind, str] | None:
    member = request.member
    return (member.kind, member.value) if member is not None and member.kind is not None and member.value is not None else None


def _record_one(scope: TenantScope, each: _Numbered, correlation: str, session: MemberSession | None, outcome: Outcome) -> None:
    try:
        recorded = ingest(scope, each.request, correlation, session, blocked=each.blocked)
    except AppError as refusal:
        if refusal.status >= 500:
            raise
        outcome.refused.append((each.index, refusal))
        return
    outcome.replayed += recorded.replayed
    outcome.accepted += not recorded.replayed
    outcome.warned += bool(recorded.answer.get("warnings"))
