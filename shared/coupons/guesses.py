"""Wrong codes are counted by the minute, per credential and per address; above a bound no code of theirs is looked at any more.

A code is money to whoever has it, so a guesser must be slow: 20 wrong codes a minute and credential are a million guesses in five weeks,
which is what pools are made against (``shared.coupons.code_space.GUESSES``). Right codes write nothing. A wrong code, an unknown one and
another tenant's are the same here: not found, by the same requests and in the same form. Calls that are under way at the same moment may
overshoot the bound by as many.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from shared.coupons.errors import UnknownCoupon
from shared.kernel.errors import TooManyRequests
from shared.kernel.instants import MINUTE, SECOND, Instant
from shared.storage import keys
from shared.storage.expressions import Path
from shared.storage.items import GuessItem
from shared.storage.keys import Key
from shared.tenants.scope import TenantScope

PER_CREDENTIAL: Final = 20
PER_ADDRESS: Final = 60
"""Several tills stand behind one address."""
_KEPT_SECONDS: Final = 3600


class TooManyWrongCodes(TooManyRequests):
    """Too many codes of this caller were wrong in this minute. ``retry_after`` is when the next minute begins."""

    code, title = "too_many_wrong_codes", "Too many wrong codes"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends codes: the credential's id, and the network address where it is known (kept as a blind index only)."""

    credential: str
    address: str = ""


def admit(scope: TenantScope, caller: Caller) -> None:
    """``TooManyWrongCodes`` if the caller, or its address, has sent too many in this minute. One request, 2 read units."""
    now = scope.clock()
    bounds = _counters(scope, caller, now)
    found = scope.table.get_many(bounds, consistent=True)
    if any(int(GuessItem.read(raw).wrong) >= bounds[key] for key, raw in found.items()):
        raise TooManyWrongCodes(retry_after=-(-(MINUTE - now % MINUTE) // SECOND))


def count_wrong(scope: TenantScope, caller: Caller, codes: int = 1) -> None:
    """Count wrong codes: 1 write unit for the credential, 1 for the address."""
    now = scope.clock()
    for key in _counters(scope, caller, now):
        scope.table.update(key, [Path("wrong").add(codes), Path("expires_at").set(now // SECOND + _KEPT_SECONDS)])


@contextmanager
def guarded(scope: TenantScope, caller: Caller, code: str | None) -> Iterator[None]:
    """Round a call about one coupon. By id it costs nothing: ids cannot be guessed."""
    if code is None:
        yield
        return
    admit(scope, caller)
    try:
        yield
    except UnknownCoupon:
        count_wrong(scope, caller)
        raise


def _counters(scope: TenantScope, caller: Caller, now: Instant) -> dict[Key, int]:
    """The counters of a caller in this minute, each with its bound."""
    minute = now // MINUTE
    counters = {keys.guesses(scope.tenant, f"key.{caller.credential}", minute): PER_CREDENTIAL}
    if caller.address:
        counters[keys.guesses(scope.tenant, f"at.{scope.blind('address', caller.address)}", minute)] = PER_ADDRESS
    return counters
