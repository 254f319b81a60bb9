"""Bodies of the routes that remove a tenant."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from shared.tenants.base import Frozen

REMOVING: Final = "removing"
"""The status of a tenant in the operator's list while it is being removed."""


class RemovalRequest(Frozen):
    """Which tenant is to be removed with all that it has: the id in the path once more, so that nobody does it by a slip."""

    id: str = Field(min_length=1, max_length=33)


class RemovalAnswer(Frozen):
    """How far a removal is. Once it is ``removed``, this is its certificate: the last pass over each table found nothing of the tenant."""

    tenant: str
    state: Literal["removing", "removed"]
    phase: str | None = None
    requested_by: str
    requested_at: str
    finished_at: str | None = None
    passes: int = Field(description="how often a table was read from end to end")
    deleted: dict[str, int] = Field(description="by phase; a step that was cut short and done again may be missing in it")
