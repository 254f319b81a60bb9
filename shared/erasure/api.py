"""Bodies of the routes of erasure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.tenants.base import Answer


class ErasureStep(Answer):
    """One step, and when it was done."""

    step: str
    at: str


class ErasureAnswer(Answer):
    """An erasure; ``completed`` makes it the certificate. It says nothing of the person but the id that leads to nobody any more."""

    erasure_id: str
    member_id: str
    status: Literal["accepted", "completed"]
    asked_by: str = Field(description="member, or the id of the key that asked for her")
    accepted_at: str
    completed_at: str | None = None
    steps: tuple[ErasureStep, ...]
    counts: dict[str, int] = Field(
        description="what there was of her, by kind, when the work began; and how many of the tenant's webhooks were told, or not told"
    )
