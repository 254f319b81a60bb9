"""Members' sessions: begun at a sign-in, one for each device, kept by refresh tokens that are used once each."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.kernel.errors import ConcurrentUpdate, Gone, NotFound
from shared.kernel.ids import new_ulid
from shared.kernel.instants import SECOND, Instant
from shared.member_state.repository import StateRepository
from shared.observability.logs import logger
from shared.tenants.principal import SuspendedTenant
from shared.tenants.refresh import SECRET_BYTES, Refresh, RefreshKeys, RefreshReused, Session, SessionEnded
from shared.tenants.scope import TenantScope
from shared.tenants.sessions_api import TokensAnswer
from shared.tenants.sessions_repository import REUSED, SessionRepository
from shared.tenants.tokens import LIFETIME, TokenSigner

MAX_SESSIONS: Final = 20
"""Of a member; one more ends the oldest."""
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class SessionDesk:
    """What sessions are kept with."""

    tokens: TokenSigner
    keys: RefreshKeys
    entropy: Callable[[int], bytes] = os.urandom


@dataclass(frozen=True, slots=True)
class Begun:
    """The first refresh token of a session, and for how many seconds it is good."""

    token: str
    seconds: int


def begin(scope: TenantScope, member: str, desk: SessionDesk) -> Begun:
    """A session for a member who has just signed in. One Query and one write; more where old ones are cleared away."""
    repository, now = SessionRepository(scope.tenant, scope.table), scope.clock()
    there = repository.of_member(member)
    over = [each for each in there if each.ended is not None or now >= each.ends_at]
    live = [each for each in there if each not in over]
    for each in [*over, *live[: max(0, len(live) - MAX_SESSIONS + 1)]]:
        repository.remove(each)
    secret = desk.entropy(SECRET_BYTES)
    session = Session(member, new_ulid(now, desk.entropy), desk.keys.digest(secret), 1, now, now)
    repository.add(session)
    return Begun(desk.keys.seal(scope.tenant, session, secret), (session.ends_at - now) // SECOND)


def refresh(scope: TenantScope, given: Refresh, desk: SessionDesk) -> TokensAnswer:
    """An access token and the next refresh token, for a genuine one. Two reads and one write.

    ``RefreshReused`` for one that was used before (but for some seconds, in which the same answer is given again): the session ends.
    ``SessionEnded`` if it has ended, and if the member is no more; ``SuspendedTenant``.
    """
    if scope.definitions.settings.status != "active":
        raise SuspendedTenant
    try:
        member = StateRepository(scope.tenant, scope.table).load(given.member).state.member
    except (NotFound, Gone):
        raise SessionEnded from None
    if member != given.member:
        # Merged: her sign-in leads to the one that is left, and the sessions of one member lie in one place.
        raise SessionEnded
    now = scope.clock()
    session, secret = _next(scope, given, desk, now)
    token = desk.keys.seal(scope.tenant, session, secret)
    return _answer(scope, member, desk, Begun(token, (session.ends_at - now) // SECOND))


def tokens_of(scope: TenantScope, member: str, desk: SessionDesk) -> TokensAnswer:
    """A new session of a member, with its first tokens. Cost as ``begin``."""
    return _answer(scope, member, desk, begin(scope, member, desk))


def _answer(scope: TenantScope, member: str, desk: SessionDesk, begun: Begun) -> TokensAnswer:
    return TokensAnswer(
        member_id=member,
        access_token=desk.tokens.issue(scope.tenant, member, scope.clock()),
        expires_in=LIFETIME // SECOND,
        refresh_token=begun.token,
        refresh_expires_in=begun.seconds,
    )


def _next(scope: TenantScope, given: Refresh, desk: SessionDesk, now: Instant) -> tuple[Session, bytes]:
    """The session after this use, and the secret that its newest token holds."""
    repository, secret = SessionRepository(scope.tenant, scope.table), desk.keys.successor(given.secret)
    for _ in range(_ATTEMPTS):
        session = repository.get(given.member, given.family)
        verdict = desk.keys.judge(given, session, now)
        if session is None or verdict == "ended":
            raise SessionEnded
        if verdict == "reused":
            repository.end(session, REUSED)
            logger().warning("refresh token used twice", extra={"member": given.member})
            raise RefreshReused
        if verdict == "repeat":
            return session, secret
        rotated = repository.rotate(session, desk.keys.digest(secret), now)
        if rotated is not None:
            return rotated, secret
    raise ConcurrentUpdate


def end_all(scope: TenantScope, member: str) -> None:
    """Sign a member out everywhere. What is left are access tokens of at most 15 minutes. One Query, a write a session."""
    member = StateRepository(scope.tenant, scope.table).load(member).state.member
    repository = SessionRepository(scope.tenant, scope.table)
    for session in repository.of_member(member):
        repository.remove(session)
