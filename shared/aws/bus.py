"""EventBridge and the relay's failure queue, as the relay sees them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.relay.service import DETAIL_TYPE, SOURCE


@dataclass(slots=True)
class EventBridgeBus:
    """One bus."""

    client: Any
    name: str

    def put(self, details: Sequence[str]) -> list[str | None]:
        """One PutEvents; for each entry the code of its refusal, or ``None``."""
        entries = [{"EventBusName": self.name, "Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": detail} for detail in details]
        answer = self.client.put_events(Entries=entries)
        if not answer.get("FailedEntryCount"):
            return [None] * len(entries)
        return [each.get("ErrorCode") for each in answer["Entries"]]


@dataclass(slots=True)
class FailureQueue:
    """The queue of what could not be relayed; the reason is an attribute, as ``python -m local dlq`` shows it."""

    client: Any
    url: str

    def put(self, reason: str, body: Mapping[str, Any]) -> None:
        """Send one message."""
        attributes = {"reason": {"DataType": "String", "StringValue": reason[:200]}}
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        self.client.send_message(QueueUrl=self.url, MessageBody=text, MessageAttributes=attributes)
