"""An access job: who asked for whose data, and how long its files can be had. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.kernel.instants import DAY, MINUTE, Instant

Status = Literal["accepted", "done", "failed"]
Form = Literal["json", "html"]
PREFIX: Final = "access/"
FORMS: Final[tuple[Form, ...]] = ("json", "html")
TYPES: Final = {"json": "application/json; charset=utf-8", "html": "text/html; charset=utf-8"}
READABLE: Final = DAY
"""How long links are given for, from when the files are there; the bucket deletes them after it."""
LINK: Final = 15 * MINUTE
"""How long one link is good for. Whoever has it needs no credential."""
REMEMBERED: Final = 30 * DAY


@dataclass(frozen=True, slots=True)
class Access:
    """One job. ``asked_by`` is ``member`` or the id of the key that asked."""

    id: str
    member: str
    asked_by: str
    asked_at: Instant
    correlation: str = ""
    status: Status = "accepted"
    ended_at: Instant = 0
    reason: str = ""

    def ended(self, status: Status, at: Instant, reason: str = "") -> Access:
        """The job when its files are there, or never will be."""
        return replace(self, status=status, ended_at=at, reason=reason)

    def readable_until(self, now: Instant) -> Instant | None:
        """Until when its files can be had; ``None`` if they cannot (any more)."""
        until = self.ended_at + READABLE
        return until if self.status == "done" and now < until else None

    def object_name(self, tenant: str, form: Form) -> str:
        """Where a file lies."""
        return f"{PREFIX}{tenant}/{self.id}.{form}"
