"""How far whoever gives rights to others may go: no scope that it has not, nowhere but within its own place, not beyond its own end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.kernel.errors import FieldError, Forbidden
from shared.kernel.instants import Instant, format_rfc3339
from shared.kernel.scopes import KEY_SCOPES
from shared.storage import keys
from shared.tenants.location_groups import with_ancestors
from shared.tenants.principal import EVERYWHERE, Place
from shared.tenants.scope import TenantScope


class BeyondOwnKey(Forbidden):
    """Nobody can give, renew or take away what it has not itself. ``errors`` points at what goes beyond the caller's own credential."""

    code, title = "beyond_own_key", "Beyond the caller's own key"


@dataclass(frozen=True, slots=True)
class Reach:
    """How far whoever gives rights may go; unless given, as far as the operator."""

    scopes: frozenset[str] = KEY_SCOPES
    place: Place = EVERYWHERE
    ends_at: Instant | None = None

    def beyond(self, scope: TenantScope, scopes: tuple[str, ...], place: Place, ends_at: Instant | None) -> tuple[FieldError, ...]:
        """What goes beyond it. Needs the definitions only where the caller is bound to a group."""
        errors = [
            FieldError(f"/scopes/{index}", "beyond_own_key", "the caller's own key has it not")
            for index, each in enumerate(scopes)
            if each not in self.scopes
        ]
        if not self.spans(scope, place):
            pointer = "/location_group" if self.place.location is None and place.location is None else "/location_id"
            errors.append(FieldError(pointer, "beyond_own_key", f"the caller's own key is for {self.place}"))
        if self.ends_at is not None and (ends_at is None or ends_at > self.ends_at):
            errors.append(FieldError("/expires_at", "beyond_own_key", f"the caller's own key ends at {format_rfc3339(self.ends_at)}"))
        return tuple(errors[:20])

    def spans(self, scope: TenantScope, place: Place) -> bool:
        """Whether all of a place is within the caller's own. A location, or a group that is the caller's or below it."""
        own = self.place
        at_its_location = own.location in (None, place.location)
        if not at_its_location or own.group is None:
            return at_its_location
        if place.location is not None:
            return own.group in scope.groups_of(place.location)
        return place.group is not None and own.group in with_ancestors([place.group], scope.definitions.groups)


AS_THE_OPERATOR: Final = Reach()


def unknown_place(scope: TenantScope, place: Place) -> list[FieldError]:
    """What of a place the tenant has not, as it is stored now. 1 read for a location, 1 for a group."""
    errors = []
    if place.location is not None and scope.table.get(keys.location(scope.tenant, place.location)) is None:
        errors.append(FieldError("/location_id", "unknown_location", "the tenant has no such location"))
    if place.group is not None and place.group not in scope.repository.groups():
        errors.append(FieldError("/location_group", "unknown_location_group", "the tenant has no such group of locations"))
    return errors
