"""Members in bulk: each record is checked and enrolled like one of its own, as an import of an older membership.

Every identifier of a record counts as proven by the system that it comes from. A record whose external id is a member's
already, and whose other identifiers are nobody else's, was imported before: repeating a job changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.jobs.service import Outcome
from shared.kernel.errors import AppError, FieldError, Unprocessable
from shared.kernel.instants import format_rfc3339
from shared.members import api
from shared.members.claims import Claim
from shared.members.enrolment import Enrolment, enrol
from shared.members.errors import IdentifierTaken
from shared.members.service import Actor, enrolment_of
from shared.storage import keys
from shared.storage.items import IdentifierItem
from shared.tenants.scope import TenantScope

Parse = Callable[[Mapping[str, Any]], api.RegisterRequest]
"""A record as a request, or an ``AppError`` with pointers: the same check that the route makes."""


@dataclass(frozen=True, slots=True)
class _Numbered:
    index: int
    enrolment: Enrolment


def import_all(scope: TenantScope, records: Sequence[Mapping[str, Any]], parse: Parse, actor: str, correlation: str = "") -> Outcome:
    """Enrol a part of a bulk job. One batch read of identifiers; per new member one write of her key and one transaction."""
    outcome = Outcome()
    caller = Actor(actor, may_write=True)
    checked = [
        each
        for index, raw in enumerate(records)
        if (each := _checked(scope, index, raw, parse, caller, correlation, outcome)) is not None
    ]
    owners = _owners(scope, checked)
    for each in checked:
        _import_one(scope, each, owners, outcome)
    return outcome


def _checked(
    scope: TenantScope, index: int, raw: Mapping[str, Any], parse: Parse, caller: Actor, correlation: str, outcome: Outcome
) -> _Numbered | None:
    try:
        request = parse(raw)
        _check_importable(request)
        if request.joined_at is None:
            request = request.model_copy(update={"joined_at": format_rfc3339(scope.clock())})
        proven = tuple(each.model_copy(update={"proof": "import"}) for each in request.identifiers)
        enrolment = enrolment_of(scope, request.model_copy(update={"identifiers": proven}), caller, None, correlation)
    except AppError as refusal:
        outcome.refused.append((index, refusal))
        return None
    return _Numbered(index, enrolment)


def _check_importable(request: api.RegisterRequest) -> None:
    problems = [
        FieldError(f"/{name}", "not_importable", "register her by a call of its own")
        for name in ("identity", "device")
        if getattr(request, name) is not None
    ]
    if not request.identifiers:
        problems.append(FieldError("/identifiers", "identifier_required", "at least one"))
    if problems:
        raise Unprocessable("The record cannot be imported; see errors.", errors=tuple(problems))


def _owners(scope: TenantScope, checked: Sequence[_Numbered]) -> dict[keys.Key, str]:
    """Who has the identifiers of these records, consistently; 100 a request."""
    wanted = (_key(scope, claim) for each in checked for claim in each.enrolment.claims)
    found = scope.table.get_many(wanted, consistent=True)
    return {key: IdentifierItem.read(raw).member for key, raw in found.items()}


def _import_one(scope: TenantScope, each: _Numbered, owners: dict[keys.Key, str], outcome: Outcome) -> None:
    held = {claim: owner for claim in each.enrolment.claims if (owner := owners.get(_key(scope, claim))) is not None}
    if held:
        _settle(each, held, outcome)
        return
    try:
        member = enrol(scope, each.enrolment).member
    except IdentifierTaken as taken:
        # Registered between our read and our write, or a run of this very job at the same time: the items tell.
        raced = _owners(scope, [each])
        now_held = {claim: raced[_key(scope, claim)] for claim in each.enrolment.claims if _key(scope, claim) in raced}
        if not now_held:
            raise taken from None
        _settle(each, now_held, outcome)
        return
    except AppError as refusal:
        if refusal.status >= 500:
            raise
        outcome.refused.append((each.index, refusal))
        return
    owners.update({_key(scope, claim): member for claim in each.enrolment.claims})
    outcome.accepted += 1


def _settle(each: _Numbered, held: Mapping[Claim, str], outcome: Outcome) -> None:
    """Somebody has some of the identifiers: the same member as before, or another."""
    external = {owner for claim, owner in held.items() if claim.kind == "external"}
    same_member = len(external) == 1 and set(held.values()) == external
    if same_member:
        outcome.replayed += 1
    else:
        outcome.refused.append((each.index, IdentifierTaken([claim.pointer for claim in held])))


def _key(scope: TenantScope, claim: Claim) -> keys.Key:
    return keys.identifier(scope.tenant, claim.kind, scope.blind(claim.kind, claim.value))
