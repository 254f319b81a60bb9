"""Bodies of the routes of merging."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.tenants.base import Answer
from shared.tenants.model import Frozen


class MergeRequest(Frozen):
    """Which member turned out to be this one."""

    from_member_id: str = Field(max_length=64, description="her id: she leads to the member of the path from then on. There is no way back")
    reason: Literal["same_person", "lost_access", "asked_by_member", "import"] = Field(description="kept with both bookings")
    dry_run: bool = Field(default=False, description="answer what it would come to, and write nothing")


class MergedWallet(Answer):
    """What moves of one wallet."""

    wallet: str
    points: int = Field(description="of all lots, pending ones too")
    debt: int


class MergeAnswer(Answer):
    """A merge: what it came to, and how far the rest is."""

    merge_id: str
    member_id: str = Field(description="who is left")
    from_member_id: str
    status: Literal["dry_run", "accepted", "completed"] = Field(
        description="accepted: points, profile and consents are hers; coupons, identifiers and devices follow within moments"
    )
    wallets: tuple[MergedWallet, ...]
    coupons: int = Field(description="that can still be used")
    filled: tuple[str, ...] = Field(description="names of fields that she had not, and has now")
    conflicts: tuple[str, ...] = Field(description="names of fields and attributes that both had otherwise: hers are kept")
    consents_withdrawn: tuple[str, ...] = Field(description="purpose:channel that she had allowed and that do not hold any more")
    merged_at: str
    completed_at: str | None = None
