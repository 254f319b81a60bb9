"""Signing in with a code, and proving with one what waits on the profile."""

from __future__ import annotations

from shared.kernel.errors import FieldError, Gone, NotFound, Unauthenticated, Unprocessable
from shared.member_state.repository import StateRepository
from shared.members import changes
from shared.members.api import IdentifierRequest, MemberAnswer
from shared.members.errors import IdentifierBlocked
from shared.members.one_time_codes import Addressed, CodeDesk, InvalidCode, check, use
from shared.members.repository import read_fields
from shared.storage import keys
from shared.storage.items import IdentifierItem
from shared.tenants.principal import SuspendedTenant
from shared.tenants.scope import TenantScope
from shared.tenants.sessions import SessionDesk, tokens_of
from shared.tenants.sessions_api import TokensAnswer


class NotAMember(Unauthenticated):
    """The code was right, but nobody signs in with this number or address yet: register, and prove it with the same code."""

    code, title = "not_a_member", "Not a member"


class NotOnTheProfile(Unprocessable):
    """The number or address that the code was sent to is not the one on her profile."""

    code, title = "not_on_the_profile", "Not on the profile"


def sign_in(scope: TenantScope, to: Addressed, code: str, codes: CodeDesk, desk: SessionDesk) -> TokensAnswer:
    """A session for whose number or address it is. ``InvalidCode``; ``NotAMember``, which leaves the code as it was."""
    if scope.definitions.settings.status != "active":
        raise SuspendedTenant
    digest = check(scope, to, code, codes)
    raw = scope.table.get(keys.identifier(scope.tenant, to.kind, to.blind))
    if raw is None:
        raise NotAMember
    found = IdentifierItem.read(raw)
    blocked: float | None = found.blocked
    if blocked is not None:
        raise IdentifierBlocked
    try:
        member = StateRepository(scope.tenant, scope.table).load(found.member).state.member
    except (NotFound, Gone):
        raise NotAMember from None
    use(scope, to, digest)
    return tokens_of(scope, member, desk)


def prove(scope: TenantScope, member: str, to: Addressed, code: str, desk: CodeDesk, correlation: str = "") -> tuple[MemberAnswer, bool]:
    """Her phone number or address becomes an identifier of hers; answers whether it is new. ``IdentifierTaken`` if it is another's."""
    if to.tenant != scope.tenant:
        raise InvalidCode
    fields = read_fields(scope, member)
    value = fields.get(to.kind)
    if value is None or scope.blind(to.kind, value) != to.blind:
        hint = FieldError("/otp_id", "not_on_the_profile", f"the {to.kind} on the profile is another")
        raise NotOnTheProfile("Put it on the profile first.", errors=(hint,))
    digest = check(scope, to, code, desk)
    answer = changes.add_identifier(scope, member, IdentifierRequest(kind=to.kind, value=value, proof="otp"), correlation)
    use(scope, to, digest)
    return answer
