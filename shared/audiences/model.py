"""An export: what is asked for, and how far it is. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from shared.audiences.formats import Format
from shared.kernel.instants import DAY, HOUR, MINUTE, SECOND, Instant

Status = Literal["queued", "running", "done", "failed"]
PREFIX: Final = "exports/"
KEPT: Final = 7 * DAY
"""The bucket's lifecycle rule (infra/state_stack.py) deletes objects of that age."""
REMEMBERED: Final = 30 * DAY
"""The export itself, without its file."""
LEASE: Final = 150 * SECOND
"""Longer than a worker may run: nobody writes a part beside another who is alive."""
ABANDONED: Final = 2 * HOUR
"""An export that nobody has worked on for so long, with every try of its message used up, has failed."""
LINK: Final = 15 * MINUTE
PART_BYTES: Final = 8 * 1024 * 1024
"""A part of a file; S3 takes no smaller one than 5 MB, but for the last."""
MOST_RESTARTS: Final = 3


@dataclass(slots=True)
class Export:
    """Progress is written after each part: ``after`` is the last member that ``parts`` and ``rest`` have."""

    id: str
    form: Format
    columns: tuple[str, ...]
    rule: dict[str, Any]
    personal: bool
    as_of: Instant
    correlation: str = ""
    segment: str | None = None
    version: int | None = None
    status: Status = "queued"
    touched_at: Instant = 0
    lease_until: Instant = 0
    after: str = ""
    rows: int = 0
    left_out: int = 0
    upload: str = ""
    """The multipart upload; empty while there is none."""
    parts: list[str] = field(default_factory=list)
    """The tag that S3 answered for each part, in order."""
    rest: str = ""
    """The object with what was written and is too little for a part."""
    written: bool = False
    """Every member is in the parts; only putting them together is left."""
    restarts: int = 0
    reason: str | None = None
    revision: int = 1

    def object_name(self, tenant: str) -> str:
        """Where the file lies."""
        return f"{PREFIX}{tenant}/{self.id}.{self.form}"

    def rest_name(self, tenant: str) -> str:
        """Where what is too little for a part is put aside: another name each time, so that no progress ever names other bytes."""
        return f"{PREFIX}{tenant}/{self.id}.rest-{self.revision}"

    def begin_again(self) -> None:
        """Forget what was written."""
        self.after, self.rows, self.left_out, self.upload, self.parts, self.rest = "", 0, 0, "", [], ""
        self.written, self.restarts = False, self.restarts + 1

    def shown_status(self, wall: Instant) -> tuple[Status, str | None]:
        """The status, and why it failed; with what follows from nobody having worked on it."""
        abandoned = self.status in ("queued", "running") and self.touched_at <= wall - ABANDONED
        return ("failed", "abandoned") if abandoned else (self.status, self.reason)

    def body(self) -> dict[str, Any]:
        """As it is stored, without its revision."""
        return {name: value for name, value in asdict(self).items() if name != "revision"}


def export_of(revision: int, body: dict[str, Any]) -> Export:
    """As it was stored."""
    return Export(**{**body, "columns": tuple(body["columns"])}, revision=revision)
