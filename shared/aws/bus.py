"""EventBridge, the queue of the reports and the relay's failure queue, as the relay sees them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.relay.service import DETAIL_TYPE, SOURCE, Entry
from shared.storage.keys import report_shard


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
class ReportQueue:
    """The FIFO queue of the reports. A group is a shard of a tenant; a message that is sent twice within five minutes is there once."""

    client: Any
    url: str

    def put(self, entries: Sequence[Entry]) -> list[str | None]:
        """One SendMessageBatch; for each message the code of its refusal, or ``None``."""
        messages = [
            {
                "Id": str(index),
                "MessageBody": text,
                "MessageGroupId": f"{envelope.tenant}.{report_shard(envelope.member or '')}",
                "MessageDeduplicationId": hashlib.sha256(envelope.id.encode()).hexdigest(),
            }
            for index, (envelope, text) in enumerate(entries)
        ]
        answer = self.client.send_message_batch(QueueUrl=self.url, Entries=messages)
        refused = {each["Id"]: each["Code"] for each in answer.get("Failed", [])}
        return [refused.get(message["Id"]) for message in messages]


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
