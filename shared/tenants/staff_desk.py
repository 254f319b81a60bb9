"""Staff: invited, changed and removed by whoever has ``tenant:admin``, never beyond the caller's own rights.

Two stores have to agree: ours, which every call is checked against, and the user pool, which keeps passwords and authenticator apps and
puts the group into tokens. Ours is written first wherever rights end, and last where they begin, so that a call that breaks off leaves
less, never more; the same call again ends what it began.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from shared.kernel.errors import FieldError, NotFound, StateConflict, Unprocessable
from shared.kernel.instants import Clock, format_rfc3339
from shared.kernel.pages import open_cursor, seal_cursor
from shared.tenants.principal import EVERYWHERE, Place
from shared.tenants.reach import BeyondOwnKey, Reach, unknown_place
from shared.tenants.scope import TenantScope
from shared.tenants.staff import SCOPES_OF, StaffGroup, is_staff_id, new_staff_id, username
from shared.tenants.staff_api import StaffAnswer, StaffChange, StaffPage, StaffRequest
from shared.tenants.staff_repository import ACTIVE, Roster, Staff, StaffRepository, Status

MAX_STAFF: Final = 500
INVITATIONS: Final = "staff-invitations"
"""What the key is derived for that ids of named calls are made with."""
_TRIES: Final = 3


class UnknownStaff(NotFound):
    """Nobody of the tenant's staff, or nobody that the caller reaches."""

    code, title = "unknown_staff", "Unknown staff"


class LastOwner(StateConflict):
    """The last owner of a tenant stays one: make another first."""

    code, title = "last_owner", "Last owner"


class StaffChangedMeanwhile(StateConflict):
    """Somebody else changed staff at the same moment: read, and decide again."""

    code, title = "staff_changed", "Staff changed meanwhile"


class TooManyStaff(StateConflict):
    """As many as a tenant may have."""

    code, title = "too_many_staff", "Too many staff"


class InvitedOtherwise(Unprocessable):
    """The same call invited them with other rights, or to another place."""

    code, title = "request_reused", "Request key reused with another body"


class UserPool(Protocol):
    """The user pool (``shared.aws.staff_pool``; a fake in tests). Each of these may be done again."""

    def invite(self, name: str, email: str) -> None:
        """Make the user; the pool sends the invitation. ``Unprocessable`` for an address that it does not take."""

    def put_into(self, name: str, group: StaffGroup) -> None:
        """Into that group, and out of every other."""

    def enable(self, name: str, *, enabled: bool) -> None:
        """Whether they can sign in."""

    def sign_out(self, name: str) -> None:
        """End what they could get new tokens with, on every device."""

    def reset_mfa(self, name: str) -> None:
        """Forget the authenticator app."""

    def delete(self, name: str) -> None:
        """Remove the user; no error for one who is gone."""


@dataclass(frozen=True, slots=True)
class StaffDesk:
    """What staff are changed with. ``wall``: real time, as tokens of the pool have it."""

    scope: TenantScope
    pool: UserPool
    reach: Reach
    caller: str
    wall: Clock
    entropy: Callable[[int], bytes] = os.urandom
    is_named: bool = False
    """Whether whom it invites has an id of the call's own (``for_call``)."""

    @property
    def repository(self) -> StaffRepository:
        """The tenant's staff."""
        return StaffRepository(self.scope.tenant, self.scope.table)


def page(desk: StaffDesk, limit: int, cursor: str | None, key: bytes) -> StaffPage:
    """Staff by id; a caller who is bound to a place sees who is within, so that a page may have fewer. 1 read unit per 4 KB."""
    context = f"staff:{desk.scope.tenant}"
    after = str(open_cursor(key, context, cursor)["id"]) if cursor else None
    found, last = desk.repository.page(limit, after)
    seen = [each for each in found if desk.reach.spans(desk.scope, each.place)]
    return StaffPage(
        data=tuple(_answer(desk, each) for each in seen), next_cursor=seal_cursor(key, context, {"id": last}) if last is not None else None
    )


def invite(desk: StaffDesk, request: StaffRequest) -> StaffAnswer:
    """Somebody new, whom the pool sends an invitation. A read and a transaction, one more read for a place; three calls of the pool.

    ``BeyondOwnKey``; ``Unprocessable`` for an unknown place, or an address that the pool does not take: then nobody was made. A named call
    that breaks off may leave a user who can do nothing: the same call again goes on with that one.
    """
    place = Place(request.location_id, request.location_group)
    _check(desk, request.group, place)
    made = Staff(new_staff_id(desk.entropy), request.group, ACTIVE, place, request.label, desk.scope.clock(), desk.caller)
    roster, name = desk.repository.roster(), username(desk.scope.tenant, made.id)
    _check_roster(roster, roster.after(None, made))
    desk.pool.invite(name, request.email)
    try:
        desk.pool.put_into(name, made.group)
        _store(desk, None, made)
    except Exception:
        # In the pool alone they could do nothing; but nobody would know of them. The same named call at the same moment may have made the
        # user and be about to store them, so that one stays.
        if not desk.is_named and desk.repository.get(made.id) is None:
            desk.pool.delete(name)
        raise
    return _answer(desk, made)


def for_call(desk: StaffDesk, secret: bytes, call: str, request: StaffRequest) -> StaffDesk:
    """A desk where whom a named call invites has one id, so that the same call again finds them and sends no second mail.

    The address is part of it: the same name of a call with another address is another call. ``secret``: without it the id says nothing.
    """
    text = json.dumps([desk.scope.tenant, desk.caller, call, request.email])
    digest = hmac.digest(secret, text.encode(), "sha256")
    return replace(desk, entropy=lambda size: digest[:size], is_named=True)


def invited_before(desk: StaffDesk, request: StaffRequest) -> StaffAnswer | None:
    """Whom this call has invited before, as they are now; ``None``: nobody. 1 read.

    ``InvitedOtherwise`` if it asked for other rights; ``StaffChangedMeanwhile`` while they are being removed, or if they are out of reach
    by now: inviting them anew would meet the user who is there.
    """
    found = desk.repository.get(new_staff_id(desk.entropy))
    if found is None:
        return None
    if found.status == "removing" or not desk.reach.spans(desk.scope, found.place):
        raise StaffChangedMeanwhile
    same = (request.group, Place(request.location_id, request.location_group)) == (found.group, found.place)
    if not same and found.revision == 1:
        raise InvitedOtherwise
    return _answer(desk, found)


def change(desk: StaffDesk, staff_id: str, request: StaffChange) -> StaffAnswer:
    """Change somebody. What they may do changes within the authorizer's cache time; with another group they need a new token.

    ``BeyondOwnKey`` if they can do, or are to do, what the caller cannot; ``LastOwner``. Two reads and a transaction; the pool's calls.
    """
    before = _own(desk, staff_id)
    named = request.location_id is not None or request.location_group is not None
    place = EVERYWHERE if request.everywhere else Place(request.location_id, request.location_group) if named else before.place
    if request.everywhere and named:
        hint = FieldError("/everywhere", "invalid_value", "either everywhere or at a place")
        raise Unprocessable("The change does not fit; see errors.", errors=(hint,))
    group, status = request.group or before.group, request.status or before.status
    if before.status == "removing":
        raise UnknownStaff
    _check(desk, group, place)
    label = request.label if request.label is not None else before.label
    then = replace(before, group=group, status=status, place=place, label=label)
    _store(desk, before, then)
    _tell_pool(desk, then, request)
    ends_tokens = request.sign_out or request.reset_mfa or request.status == "disabled"
    if ends_tokens:
        # After the pool's own: a token that was got in between is from before this, too.
        current = _own(desk, staff_id)
        then = replace(current, not_before=desk.wall())
        _store(desk, current, then)
    return _answer(desk, then)


def remove(desk: StaffDesk, staff_id: str) -> None:
    """Remove somebody for good, with the user in the pool. ``LastOwner``. Two transactions; again ends what was begun."""
    before = _own(desk, staff_id)
    leaving = replace(before, status="removing")
    _store(desk, before, leaving)
    desk.pool.delete(username(desk.scope.tenant, staff_id))
    there = desk.repository.get(staff_id)
    if there is not None:
        _store(desk, there, None)


def _tell_pool(desk: StaffDesk, then: Staff, request: StaffChange) -> None:
    """What of a change is the pool's business."""
    name = username(desk.scope.tenant, then.id)
    if request.group is not None:
        desk.pool.put_into(name, then.group)
    if request.status is not None:
        desk.pool.enable(name, enabled=then.status == ACTIVE)
    if request.reset_mfa:
        desk.pool.reset_mfa(name)
    if request.sign_out or request.reset_mfa or request.status == "disabled":
        desk.pool.sign_out(name)


def _check(desk: StaffDesk, group: StaffGroup, place: Place) -> None:
    """``Unprocessable`` for a place that there is not, ``BeyondOwnKey`` for more than the caller has."""
    unknown = unknown_place(desk.scope, place)
    if unknown:
        raise Unprocessable("The staff does not fit; see errors.", errors=tuple(unknown))
    if beyond := _beyond(desk, group, place):
        raise BeyondOwnKey("This goes beyond the caller's own rights; see errors.", errors=beyond)


def _beyond(desk: StaffDesk, group: StaffGroup, place: Place) -> tuple[FieldError, ...]:
    reach, errors = desk.reach, []
    if not SCOPES_OF[group] <= reach.scopes:
        errors.append(FieldError("/group", "beyond_own_key", "the group may do more than the caller"))
    if not reach.spans(desk.scope, place):
        errors.append(FieldError("/location_id", "beyond_own_key", f"the caller's own key is for {reach.place}"))
    if reach.ends_at is not None:
        errors.append(FieldError("/group", "beyond_own_key", "the caller's own key ends, and staff do not"))
    return tuple(errors)


def _own(desk: StaffDesk, staff_id: str) -> Staff:
    """Somebody whom the caller reaches. Of another place: nobody."""
    found = desk.repository.get(staff_id) if is_staff_id(staff_id) else None
    if found is None or not desk.reach.spans(desk.scope, found.place):
        raise UnknownStaff
    if _beyond(desk, found.group, found.place):
        raise BeyondOwnKey
    return found


def _store(desk: StaffDesk, before: Staff | None, then: Staff | None) -> None:
    """The change, with the roster of owners as it is then. Other people's changes of others are no reason to fail."""
    for _ in range(_TRIES):
        was = desk.repository.roster()
        roster = was.after(before, then)
        _check_roster(was, roster)
        if desk.repository.store(before, then, roster, desk.scope.clock()):
            return
        if before is not None and desk.repository.get(before.id) != before:
            break
    raise StaffChangedMeanwhile


def _check_roster(was: Roster, then: Roster) -> None:
    loses_last = bool(was.owners) and not then.owners
    if loses_last:
        raise LastOwner("Make somebody else an owner first.")
    if then.count > max(was.count, MAX_STAFF):
        raise TooManyStaff(f"A tenant has at most {MAX_STAFF} staff.")


def _answer(desk: StaffDesk, one: Staff) -> StaffAnswer:
    status: Status = one.status
    return StaffAnswer(
        staff_id=one.id,
        username=username(desk.scope.tenant, one.id),
        group=one.group,
        scopes=tuple(sorted(SCOPES_OF[one.group])),
        status=status,
        label=one.label,
        location_id=one.place.location,
        location_group=one.place.group,
        invited_at=format_rfc3339(one.invited_at),
        invited_by=one.invited_by,
        signed_out_at=format_rfc3339(one.not_before) if one.not_before is not None else None,
    )
