"""A queue in memory: what was sent, as JSON would bring it back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


class FakeQueue:
    """Messages with their delays, oldest first."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.delays: list[int] = []

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        self.messages.append(json.loads(json.dumps(body)))
        self.delays.append(delay_seconds)

    def send_all(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        for body in bodies:
            self.send(body)

    def take(self) -> list[dict[str, Any]]:
        """All messages, which are then gone."""
        taken, self.messages, self.delays = self.messages, [], []
        return taken
