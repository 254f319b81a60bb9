"""What a search orders members by: from columns, and from a state. Both say the same. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from shared.kernel.instants import Instant
from shared.member_state.model import MemberState
from shared.segments.reading.holdings import balance_steps
from shared.snapshots.columns import Columns, Mask
from shared.snapshots.container import Ints

MISSING: Final = -1
"""The rank of who has none: never bought, or objects to profiling. Last in either direction. Ranks are never negative otherwise."""
By = Literal["id", "balance", "lifetime_value", "last_purchase_at"]


@dataclass(frozen=True, slots=True)
class Order:
    """By what, rising unless said otherwise; members that are equal in it by their ids, rising."""

    by: By
    wallet: str = ""
    descending: bool = False

    def key(self, rank: int, member: str) -> tuple[int, int, str]:
        """Sorts as the order has it."""
        return (1, 0, member) if rank == MISSING else (0, -rank if self.descending else rank, member)


def rank_state(order: Order, state: MemberState, now: Instant) -> int:
    """Of a member whose time is advanced to the instant. What she does is not looked at if she objects to that."""
    if order.by == "balance":
        return balance_steps(state, order.wallet, now)[0][1]
    profile = state.profile
    if order.by == "id" or not state.may_profile:
        return 0 if order.by == "id" else MISSING
    if order.by == "lifetime_value":
        return max(profile.value, 0) if profile.last_at is not None else MISSING
    return profile.last_at if profile.last_at is not None else MISSING


def rank_columns(order: Order | None, columns: Columns, now: Instant) -> tuple[Ints, Mask]:
    """(ranks, of whom they are not to be believed) for every row."""
    nobody = np.zeros(len(columns), np.bool_)
    if order is None or order.by == "id":
        return np.zeros(len(columns), np.int64), nobody
    if order.by == "balance":
        return _balances(order.wallet, columns, now)
    values = columns["member/value" if order.by == "lifetime_value" else "member/last_at"]
    known = (columns["member/profiled"] > 0) & (columns["member/last_at"] >= 0)
    return np.where(known, np.maximum(values, 0), MISSING), nobody


def _balances(wallet: str, columns: Columns, now: Instant) -> tuple[Ints, Mask]:
    """Lots that have matured and not expired, less what is held. Left to the table: who owes, and for whom something fell due."""
    points = np.zeros(len(columns), np.int64)
    lots, holds, wallets = (columns.part(section, wallet) for section in ("lot", "hold", "wallet"))
    counts = (columns["lot/since"][lots] <= now) & (now < columns["lot/until"][lots])
    np.add.at(points, columns["lot/owner"][lots][counts], columns["lot/points"][lots][counts])
    held = now < columns["hold/until"][holds]
    np.subtract.at(points, columns["hold/owner"][holds][held], columns["hold/points"][holds][held])
    unsure = columns["member/timer"] <= now
    unsure[columns["wallet/owner"][wallets][columns["wallet/debt"][wallets] != 0]] = True
    return np.maximum(points, 0), unsure
