"""Refresh tokens: the text that an app keeps, and the decision about one that it sends. Pure.

A token is a secret of 256 bits with its place (tenant, member, family, generation), under a tag of ours, so that a text that is none
costs no read. The secret of the next generation is the keyed hash of the one that is sent: sent twice, it leads to the same
successor, and nothing that is stored leads to any. Rotation with reuse detection as in RFC 9700, section 4.14.2.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final, Literal

from shared.kernel.errors import Gone, InvalidValue, NotFound, Unauthenticated
from shared.kernel.ids import check_tenant
from shared.kernel.instants import DAY, SECOND, Instant
from shared.privacy.crypto import derive
from shared.tenants.links import open_token, seal_token

IDLE: Final = 90 * DAY
ABSOLUTE: Final = 400 * DAY
GRACE: Final = 10 * SECOND
"""For so long the same answer is given again to a token that was just used: the first one may have been lost."""
PREFIX: Final = "lyr_"
SECRET_BYTES: Final = 32
_PURPOSE: Final = "refresh-token"


class InvalidRefreshToken(Unauthenticated):
    """Not a refresh token of ours."""

    code, title = "invalid_refresh_token", "Invalid refresh token"


class SessionEnded(Unauthenticated):
    """The session is over: signed out, idle for too long, or too old. Sign in again."""

    code, title = "session_ended", "Session ended"


class RefreshReused(Unauthenticated):
    """A token that was used before: two hold the session, so neither keeps it. Sign in again."""

    code, title = "refresh_reused", "Refresh token used twice"


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a genuine token says."""

    tenant: str
    member: str
    family: str
    generation: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A family as stored. Digests are keyed hashes of secrets; ``previous`` of the one before the newest."""

    member: str
    family: str
    digest: bytes = field(repr=False)
    generation: int
    created_at: Instant
    rotated_at: Instant
    previous: bytes | None = field(default=None, repr=False)
    ended: str | None = None

    @property
    def ends_at(self) -> Instant:
        """From then on it is over unless it is used before."""
        return min(self.rotated_at + IDLE, self.created_at + ABSOLUTE)


Verdict = Literal["rotate", "repeat", "ended", "reused"]


class RefreshKeys:
    """What tokens are made and known with, derived from the master secret."""

    def __init__(self, master: bytes) -> None:
        self._tag = derive(master, "refresh-token-tag")
        self._pepper = derive(master, "refresh-token-pepper")
        self._next = derive(master, "refresh-token-successor")

    def digest(self, secret: bytes) -> bytes:
        """What is stored of a secret."""
        return hmac.digest(self._pepper, secret, hashlib.sha256)

    def successor(self, secret: bytes) -> bytes:
        """The secret of the next generation: always the same one."""
        return hmac.digest(self._next, secret, hashlib.sha256)

    def seal(self, tenant: str, session: Session, secret: bytes) -> str:
        """The token for a session's newest generation: the same text for the same session."""
        place = {"t": tenant, "m": session.member, "f": session.family, "n": session.generation}
        payload = place | {"s": base64.urlsafe_b64encode(secret).decode().rstrip("=")}
        return PREFIX + seal_token(self._tag, _PURPOSE, payload, session.ends_at)

    def open(self, text: str, now: Instant) -> Refresh:
        """What a token says. ``InvalidRefreshToken`` for any text that is not ours, ``SessionEnded`` from its end on."""
        if not text.startswith(PREFIX):
            raise InvalidRefreshToken
        try:
            payload = open_token(self._tag, _PURPOSE, text.removeprefix(PREFIX), now)
        except NotFound:
            raise InvalidRefreshToken from None
        except Gone:
            raise SessionEnded from None
        try:
            secret = base64.urlsafe_b64decode(payload["s"] + "=")
            return Refresh(check_tenant(payload["t"]), payload["m"], payload["f"], payload["n"], secret)
        except (KeyError, TypeError, ValueError, InvalidValue):
            raise InvalidRefreshToken from None

    def judge(self, given: Refresh, session: Session | None, now: Instant) -> Verdict:
        """What becomes of a genuine token."""
        if session is None or session.ended is not None or now >= session.ends_at:
            return "ended"
        offered = self.digest(given.secret)
        if given.generation == session.generation and hmac.compare_digest(offered, session.digest):
            return "rotate"
        just_used = (
            given.generation == session.generation - 1
            and session.previous is not None
            and hmac.compare_digest(offered, session.previous)
            and now < session.rotated_at + GRACE
        )
        return "repeat" if just_used else "reused"
