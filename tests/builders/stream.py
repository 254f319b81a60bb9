"""The table's stream on the engine, and a bus that delivers envelopes to workers of a test, as often and in any order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config

from shared.relay.service import Relay
from tests.fakes import engine


@cache
def _client(endpoint: str) -> Any:
    session = botocore.session.get_session()
    session.set_credentials("test", "test")
    # The engine's shard ids are shorter than the service's, which botocore would refuse.
    config = Config(parameter_validation=False)
    return session.create_client("dynamodbstreams", region_name=engine.REGION, endpoint_url=endpoint, config=config)


class Stream:
    """Records of a table in their order, each answered once."""

    def __init__(self, endpoint: str, table: str) -> None:
        self._streams = _client(endpoint)
        self._arn = next(each["StreamArn"] for each in self._streams.list_streams(TableName=table)["Streams"])
        self._seen: set[str] = set()

    def records(self) -> list[dict[str, Any]]:
        """What was written since the last call, as Lambda gets it."""
        found: list[dict[str, Any]] = []
        for shard in self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]:
            iterator = self._streams.get_shard_iterator(StreamArn=self._arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
            next_one = iterator["ShardIterator"]
            while next_one:
                page = self._streams.get_records(ShardIterator=next_one, Limit=1000)
                found += page["Records"]
                next_one = page.get("NextShardIterator") if page["Records"] else None
        fresh = [each for each in found if each["dynamodb"]["SequenceNumber"] not in self._seen]
        self._seen.update(each["dynamodb"]["SequenceNumber"] for each in fresh)
        return fresh


@dataclass
class BusOfTest:
    """Takes everything, and keeps it."""

    details: list[dict[str, Any]] = field(default_factory=list)
    failures: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def put(self, details: Sequence[str]) -> list[str | None]:
        self.details += [json.loads(each) for each in details]
        return [None] * len(details)

    def relay(self, stream: Stream) -> list[dict[str, Any]]:
        """Relay what was written since the last time; answers the envelopes."""
        self.details.clear()
        kept = self.failures

        class _Failures:
            def put(self, reason: str, body: Mapping[str, Any]) -> None:
                kept.append((reason, body))

        Relay(self, _Failures(), lambda _seconds: None, lambda low, _high: low).relay(stream.records())
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
