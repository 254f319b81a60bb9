"""Static lists: who is on them is said by ids, in bulk. Each member is a conditional transaction of her own; repeating it is harmless."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.jobs.service import Outcome
from shared.kernel.errors import AppError, FieldError, Unprocessable
from shared.kernel.ids import NAME_PATTERN, is_id
from shared.member_state.effects import Effects
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.events import ListsChanged
from shared.member_state.model import MAX_LISTS, MemberState
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.members.errors import TooManyLists
from shared.members.profile_api import ListMembersRequest
from shared.observability.measures import count_late
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

JOB_KIND: Final = "list"


def check_list(list_id: str) -> str:
    """The list's id, or ``Unprocessable``. A list is there as soon as a member is on it."""
    if re.fullmatch(NAME_PATTERN, list_id) is None:
        hint = FieldError("/list_id", "invalid_value", "lower case letters, digits, - and _, at most 48")
        raise Unprocessable("The request does not fit; see errors.", errors=(hint,))
    return list_id


def records_of(request: ListMembersRequest) -> list[dict[str, Any]]:
    """The records of the job: those to add, then those to remove, in the order in which they were sent."""
    added = [{"member_id": member, "on": True} for member in request.add]
    return [*added, *({"member_id": member, "on": False} for member in request.remove)]


def change_all(scope: TenantScope, list_id: str, records: Sequence[Mapping[str, Any]], correlation: str = "") -> Outcome:
    """Work on a part of a job: what is so already counts as replayed. Per member 1 Query and, if it changes, 1 transaction."""
    outcome = Outcome()
    for index, record in enumerate(records):
        try:
            changed = _change(scope, list_id, record["member_id"], on=record["on"], correlation=correlation)
        except AppError as refusal:
            if refusal.status >= 500:
                raise
            if isinstance(refusal, ErasedMember):
                count_late("list")
            outcome.refused.append((index, refusal))
            continue
        outcome.accepted += changed
        outcome.replayed += not changed
    return outcome


def _change(scope: TenantScope, list_id: str, member: str, *, on: bool, correlation: str) -> bool:
    if not is_id("mbr", member):
        raise UnknownMember
    now = scope.clock()

    def decide(state: MemberState, _stale: Stale) -> Change[bool] | Done[bool]:
        if (list_id in state.lists) == on:
            return Done(False)
        if on and len(state.lists) >= MAX_LISTS:
            raise TooManyLists(f"A member is on at most {MAX_LISTS} lists.")

        def finish(_after: MemberState, _effects: Effects, _batch: WriteBatch) -> bool:
            return True

        event = ListsChanged(now, (list_id,) if on else (), () if on else (list_id,))
        return Change([event], finish)

    return change_member(scope, member, Occasion(now, correlation), decide)
