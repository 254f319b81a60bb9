"""Who calls: made by the authorizer, carried in its context as strings, and required by every route but the public ones.

The authorizer lets every call through, with a principal or with an ``auth_error`` in its context; the refusal itself
is answered here, as problem+json, because the gateway's own refusals cannot be shaped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from shared.kernel.errors import AppError, Forbidden, InvalidValue, Unauthenticated, Unavailable
from shared.kernel.ids import check_tenant
from shared.kernel.scopes import MEMBER, OPERATOR
from shared.limits.rates import Rates

PrincipalKind = Literal["key", "member", "operator", "staff"]
_KINDS: Final[tuple[str, ...]] = get_args(PrincipalKind)
_KEYS_AND_STAFF: Final = ("key", "staff")
_KINDS_OF_SCOPE: Final = {MEMBER: ("member",), OPERATOR: ("operator",)}
"""The kinds that may hold a scope; every scope not named here belongs to API keys and staff."""


class MissingCredential(Unauthenticated):
    """No Authorization header, or none that we understand."""

    code, title = "missing_credential", "Credential required"


class InvalidCredential(Unauthenticated):
    """A credential that does not verify."""

    code, title = "invalid_credential", "Invalid credential"


class ExpiredToken(Unauthenticated):
    """A token that was good once; get a new one."""

    code, title = "expired_token", "Expired token"


class RevokedKey(Unauthenticated):
    """An API key that was revoked or ran out."""

    code, title = "revoked_key", "Revoked key"


class UnknownTenant(Unauthenticated):
    """A credential of a tenant that is not here."""

    code, title = "unknown_tenant", "Unknown tenant"


class SuspendedTenant(Unauthenticated):
    """A tenant whose credentials are switched off."""

    code, title = "suspended_tenant", "Suspended tenant"


class AuthorizerUnavailable(Unavailable):
    """The credential could not be checked; repeat the call."""

    code, title = "authorizer_unavailable", "Authorization temporarily unavailable"


AUTH_ERRORS: Final[dict[str, type[AppError]]] = {
    error.code: error
    for error in (MissingCredential, InvalidCredential, ExpiredToken, RevokedKey, UnknownTenant, SuspendedTenant, AuthorizerUnavailable)
}
"""Every value of the context's ``auth_error``."""


GroupsOf = Callable[[str], Collection[str]]
"""Location -> every group that it is in (``TenantScope.groups_of``)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a credential is good: at one location, at those of a group and of the groups below it, or everywhere."""

    location: str | None = None
    group: str | None = None

    def __str__(self) -> str:
        if self.location is not None:
            return f"the location {self.location}"
        return "all locations" if self.group is None else f"the locations of the group {self.group}"

    @property
    def restricts(self) -> bool:
        """Whether it is not good everywhere."""
        return self.location is not None or self.group is not None

    def covers(self, location: str, groups_of: GroupsOf) -> bool:
        """Whether it is good at that location. Both restrictions hold where there are both."""
        at_its_location = self.location in (None, location)
        return at_its_location and (self.group is None or self.group in groups_of(location))


EVERYWHERE: Final = Place()


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller. ``id`` is that of the key, the member or the one of the staff; ``location`` and ``location_group`` restrict it.

    ``InvalidValue`` for a combination that no authorizer makes: a member holds just the scope ``me``, the operator just
    ``operator``, and API keys and staff neither.
    """

    kind: PrincipalKind
    tenant: str
    id: str
    scopes: frozenset[str]
    member: str | None = None
    location: str | None = None
    location_group: str | None = None
    """Restricts to the locations of one group, and of the groups below it."""
    rates: Rates | None = None
    """What its calls are limited to; the authorizer always says."""

    @property
    def place(self) -> Place:
        """Where it is good."""
        return Place(self.location, self.location_group)

    def __post_init__(self) -> None:
        check_tenant(self.tenant)
        if self.kind not in _KINDS or not self.id:
            raise InvalidValue("a principal needs a kind and an id")
        if any(self.kind not in _KINDS_OF_SCOPE.get(scope, _KEYS_AND_STAFF) for scope in self.scopes):
            raise InvalidValue(f"a scope that a {self.kind} cannot hold")
        if (self.kind == "member") != (self.member is not None):
            raise InvalidValue("a member's principal names its member, and no other does")


class OtherLocation(Forbidden):
    """A credential that belongs to one location or group of locations, used for another."""

    code, title = "other_location", "Credential of another location"


def require_location(principal: Principal, location: str, groups_of: GroupsOf) -> None:
    """``OtherLocation`` where the principal is restricted and this location is not within; ``groups_of`` is asked only if need be."""
    check_location(principal.place, location, groups_of)


def check_location(own: Place, location: str, groups_of: GroupsOf) -> None:
    """The same for a restriction that was carried along, as by a bulk job."""
    if not own.covers(location, groups_of):
        raise OtherLocation(f"This credential is for {own}.")


def require_everywhere(principal: Principal) -> None:
    """``OtherLocation`` where the principal is restricted at all: what is asked for is the tenant's as a whole."""
    if principal.place.restricts:
        raise OtherLocation(f"This credential is for {principal.place}; this is about all locations.")


def require(principal: Principal, scope: str) -> None:
    """``Forbidden`` unless the principal holds the scope. That it is of the right kind is settled when it is made."""
    if scope not in principal.scopes:
        raise Forbidden(f"This needs the scope {scope}.")


def principal_to_context(principal: Principal) -> dict[str, str]:
    """The authorizer's context: strings only, absent values left out, scopes joined by spaces."""
    context = {"kind": principal.kind, "tenant": principal.tenant, "id": principal.id, "scopes": " ".join(sorted(principal.scopes))}
    if principal.member is not None:
        context["member"] = principal.member
    if principal.location is not None:
        context["location"] = principal.location
    if principal.location_group is not None:
        context["location_group"] = principal.location_group
    if principal.rates is not None:
        context["rates"] = principal.rates.text()
    return context


def auth_error_to_context(code: str) -> dict[str, str]:
    """The authorizer's context for a refused credential."""
    if code not in AUTH_ERRORS:
        raise InvalidValue(f"no such auth_error: {code}")
    return {"auth_error": code}


def principal_of(event: Mapping[str, Any]) -> Principal:
    """The principal that the authorizer found. No context at all is ``missing_credential``, a broken one ``invalid_credential``."""
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    context = authorizer.get("lambda")
    if not context or not isinstance(context, Mapping):
        raise MissingCredential
    refusal = context.get("auth_error")
    if refusal:
        raise AUTH_ERRORS.get(refusal, InvalidCredential)
    try:
        return Principal(
            kind=cast("PrincipalKind", context["kind"]),
            tenant=context["tenant"],
            id=context["id"],
            scopes=frozenset(context["scopes"].split()),
            member=context.get("member"),
            location=context.get("location"),
            location_group=context.get("location_group"),
            rates=Rates.parse(context["rates"]) if "rates" in context else None,
        )
    except (KeyError, TypeError, AttributeError, InvalidValue):
        raise InvalidCredential from None
