"""A table that fails where a test says: before a request is sent, or after it was carried out and its answer got lost."""

from __future__ import annotations

from typing import Any, Literal

from shared.storage.errors import OutcomeUnknown
from shared.storage.table import Table
from tests.fakes.engine import CREDENTIALS, REGION, share_client


class Killed(Exception):
    """The process died here. Not an ``Exception`` that any code of ours handles."""


class FaultyTable(Table):
    """Counts its calls; at the call named it fails. ``kill`` ends the work, ``lose`` is a broken connection."""

    def __init__(self, endpoint: str, name: str) -> None:
        super().__init__(name, REGION, endpoint, CREDENTIALS)
        share_client(self, endpoint)
        self.calls = 0
        self.fail_at: int | None = None
        self.when: Literal["before", "after"] = "before"
        self.how: Literal["kill", "lose"] = "kill"

    def arm(self, at: int, when: Literal["before", "after"], how: Literal["kill", "lose"]) -> None:
        """Fail at the ``at``-th call from now."""
        self.calls, self.fail_at, self.when, self.how = 0, at, when, how

    def disarm(self) -> None:
        """Work again."""
        self.fail_at = None

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        self.calls += 1
        hit = self.calls == self.fail_at
        if hit and self.when == "before":
            raise self._failure()
        answer = super()._call(operation, **request)
        if hit:
            raise self._failure()
        return answer

    def _failure(self) -> Exception:
        return Killed() if self.how == "kill" else OutcomeUnknown("injected")
