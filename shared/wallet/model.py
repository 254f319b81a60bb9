"""What a wallet is made of. Points are whole numbers; instants are milliseconds.

The books, which hold after every function of ``shared.wallet.rules``:

* ``earned = points in lots + spent + expired + reversed``, and of the points in lots some are pending, and some of the
  matured ones are held: ``earned = available + pending + held + spent + expired + reversed``. No bucket is below zero.
* A debt is booked when it is made, as a posting whose ``expires_at`` is 0, and is in no bucket. What pays it later (points
  earned, received, given back or becoming available) books nothing more and moves from the lots to ``reversed``.
* So all postings of a wallet sum to ``points in lots - debt``, which is what the member has, and by kind:
  ``earned`` = the positive postings but ``give_back``; ``expired`` = ``expire``; ``spent`` = spend, convert, transfer_out,
  negative adjust and give_back, each without those whose ``expires_at`` is 0; ``reversed + debt`` = reverse and all of those.
* Who owes has nothing matured: ``debt > 0`` means that every lot is pending.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from shared.kernel.instants import NEVER, Instant

MAX_LOTS: Final = 120
"""Lots with the same instants are one, so this bound is met only by rules that give each day an expiry of its own; beyond it,
the first two lots that wait for the same and expire soonest after one another become one, with the later expiry and the
earlier availability (in the guest's favour). Lots that wait for different events, and sliding with fixed ones, stay apart."""

SLIDING: Final[Instant] = NEVER - 1000
"""An ``expires_at`` that means "N days after the last activity": the true instant is the wallet's ``idle_until``."""

DEBT: Final[Instant] = 0
"""The ``expires_at`` of a posting that made a debt or gave one back: it went to no lot."""

EntryKind = Literal[
    "earn",
    "bonus",
    "open",
    "adjust",
    "transfer_in",
    "spend",
    "convert",
    "transfer_out",
    "give_back",
    "reverse",
    "expire",
]
"""``open`` is a balance brought along on import; ``convert`` is points turned into a voucher; ``adjust`` goes both ways."""

ReversalPolicy = Literal["pending_only", "within_balance", "negative"]
"""How far a return reaches for points already spent: only what is pending still; whatever is in the wallet; below zero."""


@dataclass(slots=True)
class Lot:
    """Points that become available and expire together.

    ``awaits`` names the type of an event that makes them available, ``available_at`` the instant that does (0: none). With
    both, whichever comes first, so that the instant is the latest wait. With neither they are available already (matured).
    """

    points: int
    available_at: Instant = 0
    expires_at: Instant = NEVER
    awaits: str = ""


@dataclass(slots=True)
class Wallet:
    """One wallet of one member: the lots, by expiry, and the sums of what left them."""

    lots: list[Lot] = field(default_factory=list)
    earned: int = 0
    spent: int = 0
    """Drawn by the member or for her: payments, vouchers, transfers to others, negative adjustments."""
    expired: int = 0
    reversed: int = 0
    """Taken back, or gone into a debt."""
    debt: int = 0
    """Points owed: a return, a settled offline sale or an allowed negative balance took more than was there."""
    idle_until: Instant = NEVER
    """When sliding lots expire unless there is another activity; ``NEVER``: there was none so far."""


@dataclass(slots=True)
class Hold:
    """Points set aside for a basket until ``until``; ``coupons`` are held with it, all or none."""

    wallet: str
    points: int
    until: Instant
    coupons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of a ledger entry: what happened to which lot. ``points`` is signed."""

    wallet: str
    kind: EntryKind
    points: int
    available_at: Instant = 0
    expires_at: Instant = NEVER
    awaits: str = ""
