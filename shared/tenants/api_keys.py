"""API keys: listed, made, rotated and revoked, by the operator for any tenant and by a tenant for itself.

Whoever changes keys for its own tenant does so within the reach of its own key: no scope that it has not, no location but its own, no
end later than its own. That holds for rotating and revoking too, because a fresh secret of a stronger key would be that key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from shared.kernel.errors import FieldError, StateConflict, Unprocessable
from shared.kernel.instants import HOUR, Instant, format_rfc3339, parse_rfc3339
from shared.kernel.modes import mode_of
from shared.kernel.pages import open_cursor, seal_cursor
from shared.kernel.scopes import KEY_SCOPES
from shared.tenants.credentials import digest, new_api_key, new_secret
from shared.tenants.errors import KeyNotFound
from shared.tenants.keys_api import KeyAnswer, KeyPage, KeyRequest, KeyShown, RotateRequest
from shared.tenants.keys_repository import ACTIVE, REVOKED, KeyRepository, StoredKey
from shared.tenants.principal import Place, Principal
from shared.tenants.reach import AS_THE_OPERATOR, BeyondOwnKey, Reach, unknown_place
from shared.tenants.scope import TenantScope


class KeyNotActive(StateConflict):
    """A key that was revoked or ran out gets no new secret."""

    code, title = "key_not_active", "Key not active"


class KeyRotated(StateConflict):
    """The key has another generation by now: read it, and decide again."""

    code, title = "key_rotated", "Key rotated meanwhile"


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """What keys of one tenant are changed with. ``pepper`` keys the digests."""

    scope: TenantScope
    pepper: bytes
    reach: Reach = AS_THE_OPERATOR
    entropy: Callable[[int], bytes] = os.urandom

    @property
    def repository(self) -> KeyRepository:
        """The tenant's keys."""
        return KeyRepository(self.scope.tenant, self.scope.table)


def reach_of(scope: TenantScope, principal: Principal) -> Reach:
    """How far a caller may go. 1 read for a key; one of the staff has no end."""
    own = KeyRepository(scope.tenant, scope.table).get(principal.id) if principal.kind == "key" else None
    return Reach(principal.scopes, principal.place, own.ends_at if own is not None else None)


def page(desk: KeyDesk, limit: int, cursor: str | None, key: bytes) -> KeyPage:
    """Keys by id, revoked ones too; a caller who is bound to a place sees what is within. 1 read unit per 4 KB."""
    context = f"keys:{desk.scope.tenant}"
    after = str(open_cursor(key, context, cursor)["id"]) if cursor else None
    found, last = desk.repository.page(limit, after)
    seen = [each for each in found if desk.reach.spans(desk.scope, each.place)]
    now = desk.scope.clock()
    more = seal_cursor(key, context, {"id": last}) if last is not None else None
    return KeyPage(data=tuple(KeyShown(**_shown(each, now)) for each in seen), next_cursor=more)


def create(desk: KeyDesk, request: KeyRequest) -> KeyAnswer:
    """A new key. Its secret is answered once; only its keyed hash is stored. 1 write unit, and the definitions for a location."""
    scope, now = desk.scope, desk.scope.clock()
    ends_at = parse_rfc3339(request.expires_at) if request.expires_at is not None else None
    errors = [
        FieldError(f"/scopes/{index}", "invalid_value", "not a scope that a key may hold")
        for index, name in enumerate(request.scopes)
        if name not in KEY_SCOPES
    ]
    place = Place(request.location_id, request.location_group)
    errors += unknown_place(scope, place)
    if ends_at is not None and ends_at <= now:
        errors.append(FieldError("/expires_at", "invalid_value", "an instant to come"))
    if errors:
        raise Unprocessable("The key does not fit; see errors.", errors=tuple(errors))
    if beyond := desk.reach.beyond(scope, request.scopes, place, ends_at):
        raise BeyondOwnKey("The key goes beyond the caller's own; see errors.", errors=beyond)
    made = new_api_key(scope.tenant, desk.entropy)
    hashed = digest(desk.pepper, made.secret)
    stored = desk.repository.put(made, hashed, request.scopes, request.label, place, now, ends_at)
    return KeyAnswer(**_shown(stored, now), key=made.printable)


def rotate(desk: KeyDesk, key_id: str, request: RotateRequest) -> KeyAnswer:
    """A second secret, answered once; the one before holds until the overlap is over, and at most two hold at a time.

    ``KeyRotated`` if the key has another generation than the caller says, or somebody else rotated it at the same moment. A read, a write.
    """
    known, now = _own(desk, key_id), desk.scope.clock()
    if not known.opens(now):
        raise KeyNotActive
    if request.generation not in (None, known.generation):
        raise KeyRotated(f"The key is at generation {known.generation}.")
    made = new_secret(key_id, desk.entropy)
    until = now + request.overlap_hours * HOUR
    stored = desk.repository.replace_secret(known, digest(desk.pepper, made.secret), until, now)
    if stored is None:
        raise KeyRotated
    return KeyAnswer(**_shown(stored, now), key=made.printable)


def revoke(desk: KeyDesk, key_id: str) -> None:
    """Switch a key off for good, within the authorizer's cache time; again changes nothing. A read and a write."""
    if not desk.repository.revoke(_own(desk, key_id).key_id):
        raise KeyNotFound


def _own(desk: KeyDesk, key_id: str) -> StoredKey:
    """A key of the tenant that the caller reaches. One of another location is none for a caller of one location."""
    ours = key_id.rpartition("-")[0] == desk.scope.tenant and len(key_id) <= 64
    stored = desk.repository.get(key_id) if ours else None
    if stored is None or not desk.reach.spans(desk.scope, stored.place):
        raise KeyNotFound
    if desk.reach.beyond(desk.scope, tuple(stored.scopes), stored.place, stored.ends_at):
        raise BeyondOwnKey
    return stored


def _shown(stored: StoredKey, now: Instant) -> dict[str, object]:
    overlaps = stored.previous_until is not None and now < stored.previous_until
    status = REVOKED if stored.status != ACTIVE else ACTIVE if stored.opens(now) else "expired"
    return {
        "key_id": stored.key_id,
        "mode": mode_of(stored.key_id.rpartition("-")[0]),
        "status": status,
        "scopes": tuple(sorted(stored.scopes)),
        "label": stored.label,
        "location_id": stored.location,
        "location_group": stored.location_group,
        "created_at": format_rfc3339(stored.created_at),
        "expires_at": _moment(stored.ends_at),
        "generation": stored.generation,
        "rotated_at": _moment(stored.rotated_at),
        "last_used_on": stored.last_used_on,
        "previous_until": _moment(stored.previous_until) if overlaps else None,
        "previous_used_on": stored.previous_used_on if overlaps else None,
    }


def _moment(instant: Instant | None) -> str | None:
    return format_rfc3339(instant) if instant is not None else None
