"""What ``identify`` answers for the till to send along: who was found, how, by whom and where. Signed, good for minutes, stored nowhere.

The tag is an HMAC under a key that follows from the tenant's index key, so neither another tenant's nor an invented one opens, and a till
that never identified anybody has none. It proves no more than its ``how``: a number that somebody knew, or her app.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from shared.counter.model import PROVES
from shared.kernel.errors import Gone, NotFound
from shared.kernel.instants import MINUTE, Instant
from shared.tenants.links import open_token, seal_token
from shared.tenants.scope import TenantScope

LIFETIME: Final = 10 * MINUTE
_PURPOSE: Final = "identification"


@dataclass(frozen=True, slots=True)
class Identification:
    """``caller`` is the credential that identified her; ``location`` is empty where it named none."""

    member: str
    how: str
    caller: str
    location: str = ""


def seal(scope: TenantScope, found: Identification) -> str:
    """The text that a till sends along. Reads nothing once the tenant's keys are there."""
    payload = {"m": found.member, "h": found.how, "c": found.caller, "l": found.location}
    return seal_token(_key(scope), _PURPOSE, payload, scope.clock() + LIFETIME)


def opened(scope: TenantScope, text: str, now: Instant) -> Identification | None:
    """What it says, or ``None`` for any other text, also for one of ours whose time is over."""
    try:
        payload: dict[str, Any] = open_token(_key(scope), _PURPOSE, text, now)
    except (NotFound, Gone):
        return None
    return Identification(payload["m"], payload["h"], payload["c"], payload["l"])


def proves(scope: TenantScope, text: str | None, member: str, caller: str, location: str, now: Instant) -> bool:
    """Whether it proves that this member stood before this till: her app's code was scanned by the same credential, at this place."""
    found = opened(scope, text, now) if text else None
    if found is None or found.how not in PROVES:
        return False
    return (found.member, found.caller) == (member, caller) and found.location in ("", location)


def _key(scope: TenantScope) -> bytes:
    return scope.blind("counter", _PURPOSE).encode()
