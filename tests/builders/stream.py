"""The table's stream on the engine, and a bus that delivers envelopes to workers of a test, as often and in any order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import botocore.session
from botocore.config import Config

from shared.relay.service import Entry, Relay
from tests.fakes import engine


@cache
def _client(endpoint: str) -> Any:
    session = botocore.session.get_session()
    session.set_credentials("test", "test")
    # The engine's shard ids are shorter than the service's, which botocore would refuse.
    config = Config(parameter_validation=False)
    return session.create_client("dynamodbstreams", region_name=engine.REGION, endpoint_url=endpoint, config=config)


class Records(Protocol):
    """Where a relay reads."""

    def records(self) -> list[dict[str, Any]]:
        """What was written since the last call, as Lambda gets it."""


class Stream:
    """Records of a table in their order, each answered once."""

    def __init__(self, endpoint: str, table: str) -> None:
        self._streams = _client(endpoint)
        found = self._streams.list_streams(TableName=table)["Streams"]
        assert found, "mark the test with pytest.mark.stream"
        self._arn = found[0]["StreamArn"]
        self._read: dict[str, str] = {}
        """Shard -> the last record that was answered."""

    def records(self) -> list[dict[str, Any]]:
        """What was written since the last call, as Lambda gets it."""
        found: list[dict[str, Any]] = []
        for shard in self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]:
            next_one = self._iterator(shard["ShardId"])
            while next_one:
                page = self._streams.get_records(ShardIterator=next_one, Limit=1000)
                found += page["Records"]
                next_one = page.get("NextShardIterator") if page["Records"] else None
                if page["Records"]:
                    self._read[shard["ShardId"]] = page["Records"][-1]["dynamodb"]["SequenceNumber"]
        return found

    def _iterator(self, shard: str) -> str:
        last = self._read.get(shard)
        begin = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": last} if last else {"ShardIteratorType": "TRIM_HORIZON"}
        found: str = self._streams.get_shard_iterator(StreamArn=self._arn, ShardId=shard, **begin)["ShardIterator"]
        return found


@dataclass
class FifoOfTest:
    """The reports' queue: what is sent twice is there once, and messages are numbered in the order of their group."""

    records: list[dict[str, Any]] = field(default_factory=list)
    """As Lambda gets them."""
    _known: set[str] = field(default_factory=set)

    def put(self, entries: Sequence[Entry]) -> list[str | None]:
        for envelope, text in entries:
            if envelope.id not in self._known:
                self._known.add(envelope.id)
                number = str(18_870_000_000_000_000_000 + 256 * len(self._known))
                order = {"SequenceNumber": number, "MessageGroupId": envelope.tenant, "MessageDeduplicationId": envelope.id}
                self.records.append({"messageId": number, "body": text, "attributes": order})
        return [None] * len(entries)

    def take(self) -> list[dict[str, Any]]:
        """What came since the last call."""
        taken, self.records = self.records, []
        return taken


@dataclass
class BusOfTest:
    """Takes everything, and keeps it."""

    details: list[dict[str, Any]] = field(default_factory=list)
    reports: FifoOfTest = field(default_factory=FifoOfTest)
    failures: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def put(self, details: Sequence[str]) -> list[str | None]:
        self.details += [json.loads(each) for each in details]
        return [None] * len(details)

    def relay(self, stream: Records) -> list[dict[str, Any]]:
        """Relay what was written since the last time; answers the envelopes."""
        self.details.clear()
        kept = self.failures

        class _Failures:
            def put(self, reason: str, body: Mapping[str, Any]) -> None:
                kept.append((reason, body))

        Relay(self, self.reports, _Failures(), lambda _seconds: None, lambda low, _high: low).relay(stream.records())
        return list(self.details)


@dataclass
class ListQueue:
    """A queue as a list: ``(body, delay)``."""

    sent: list[tuple[dict[str, Any], int]] = field(default_factory=list)

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        self.sent.append((json.loads(json.dumps(body)), delay_seconds))

    def send_all(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        for body in bodies:
            self.send(body)

    def take(self) -> list[dict[str, Any]]:
        """What was sent, and none of it twice."""
        bodies = [body for body, _ in self.sent]
        self.sent.clear()
        return bodies
