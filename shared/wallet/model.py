"""What a wallet is made of. Points are whole numbers; instants are milliseconds.

Per wallet the buckets always add up: ``earned = available + pending + held + spent + expired + reversed``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from shared.kernel.instants import NEVER, Instant

MAX_LOTS: Final = 120
"""Lots with the same instants are one, so this bound is met only by rules that give each day an expiry of its own;
beyond it, the two lots that expire soonest after one another are merged to the later expiry (in the guest's favour)."""

EntryKind = Literal["earn", "bonus", "spend", "give_back", "reverse", "expire", "adjust", "open"]


@dataclass(slots=True)
class Lot:
    """Points that become available and expire together. ``available_at`` 0 means available already."""

    points: int
    available_at: Instant = 0
    expires_at: Instant = NEVER


@dataclass(slots=True)
class Wallet:
    """One wallet of one member: the lots, drawn soonest-to-expire first, and the sums of what left them."""

    lots: list[Lot] = field(default_factory=list)
    earned: int = 0
    spent: int = 0
    expired: int = 0
    reversed: int = 0
    debt: int = 0
    """Points owed: a return or a settled offline sale took more than was there. Later earnings pay it first."""


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
