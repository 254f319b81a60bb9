"""Bodies of the routes of API keys: the operator's, and a tenant's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from shared.kernel.instants import parse_rfc3339
from shared.kernel.modes import Mode
from shared.tenants.base import Frozen, Label, Name

OVERLAP_HOURS = 24
MAX_OVERLAP_HOURS = 720


def _instant(value: str) -> str:
    parse_rfc3339(value)
    return value


Moment = Annotated[str, StringConstraints(max_length=40), AfterValidator(_instant)]


class KeyRequest(Frozen):
    """What a new API key may do. ``location_id`` restricts it to one location of the tenant, ``location_group`` to those of a group."""

    scopes: tuple[Annotated[str, StringConstraints(max_length=64)], ...] = Field(min_length=1, max_length=50)
    label: Label | None = None
    location_id: Name | None = None
    location_group: Name | None = None
    expires_at: Moment | None = Field(default=None, description="RFC 3339: from then on it opens nothing; none: until it is revoked")


class RotateRequest(Frozen):
    """A second secret of a key. The present one holds for so many hours more; one that was replaced before ends at once."""

    overlap_hours: int = Field(default=OVERLAP_HOURS, ge=0, le=MAX_OVERLAP_HOURS)
    generation: int | None = Field(
        default=None, ge=1, description="the generation that is to be replaced: makes it safe to repeat a call whose answer was lost"
    )


class KeyShown(Frozen):
    """A key as it can be seen at any time: everything but its secrets. Days of last use are UTC, and may be a minute late."""

    key_id: str
    mode: Mode = Field(description="`test`: of a test environment, which its text says too (`lyk_corner-test-...`)")
    status: Literal["active", "expired", "revoked"]
    scopes: tuple[str, ...]
    label: str | None = None
    location_id: str | None = None
    location_group: str | None = None
    created_at: str
    expires_at: str | None = None
    generation: int = Field(description="how many secrets it has had")
    rotated_at: str | None = None
    last_used_on: str | None = Field(default=None, description="the last day on which the newest secret was used")
    previous_until: str | None = Field(default=None, description="until then the secret before the newest holds too")
    previous_used_on: str | None = Field(default=None, description="the last day on which that one was used")


class KeyAnswer(KeyShown):
    """A key with a secret that was just made. ``key`` goes into ``Authorization: Bearer``; it is shown here once and never again."""

    key: str


class KeyPage(Frozen):
    """Keys by id."""

    data: tuple[KeyShown, ...]
    next_cursor: str | None = None
