"""Records of the table's stream to the bus. Nothing is lost: what the bus does not take goes to the failure queue with its reason.

Order holds up to here; behind it, delivery is at least once and unordered. What becomes of a delivery is no news for the bus: it goes to
the queue of the reports, which tells every message once by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from shared.observability.logs import logger
from shared.relay.envelope import Envelope, Unreadable, dump, of_record, split

SOURCE: Final = "regulars"
DETAIL_TYPE: Final = "commit"
DELIVERIES: Final = "delivery:"
"""What the aggregates of deliveries begin with."""
Entry = tuple[Envelope, str]
"""An envelope, and as it travels."""
MAX_ENTRIES: Final = 10
MAX_REQUEST_BYTES: Final = 900_000
MAX_ATTEMPTS: Final = 4
_SHORTEST: Final = 0.05
_LONGEST: Final = 1.0
_OVERHEAD: Final = 200
"""Bytes of an entry beside its detail, generously."""


class Bus(Protocol):
    """EventBridge, or a list in tests."""

    def put(self, details: Sequence[str]) -> list[str | None]:
        """Send entries; for each the code of its refusal, or ``None``. Raises where the whole request failed."""


class Reports(Protocol):
    """The queue of the reports, first in, first out; or a list in tests."""

    def put(self, entries: Sequence[Entry]) -> list[str | None]:
        """Send messages; for each the code of its refusal, or ``None``. Raises where the whole request failed."""


class Failures(Protocol):
    """The queue that nobody consumes but a person."""

    def put(self, reason: str, body: Mapping[str, Any]) -> None:
        """Keep it."""


@dataclass(slots=True)
class Relay:
    """One relay. ``sleep`` takes seconds, ``jitter`` a lower and an upper bound."""

    bus: Bus
    reports: Reports
    failures: Failures
    sleep: Callable[[float], None]
    jitter: Callable[[float, float], float]
    sent: int = field(default=0, init=False)
    kept_back: int = field(default=0, init=False)

    def relay(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Relay a batch in its order. Raises only if something can neither be sent nor be kept."""
        parts: list[Envelope] = []
        for record in records:
            try:
                envelope = of_record(record)
                parts += split(envelope) if envelope is not None else []
            except Unreadable as error:
                self._keep(str(error), _pointer(record))
        ready = [(part, dump(part.detail())) for part in parts]
        for batch in _batches([entry for entry in ready if not entry[0].aggregate.startswith(DELIVERIES)]):
            self._send(batch, "the bus", lambda left: self.bus.put([text for _, text in left]))
        for batch in _batches([entry for entry in ready if entry[0].aggregate.startswith(DELIVERIES)]):
            self._send(batch, "the reports' queue", self.reports.put)

    def _send(self, left: list[Entry], taker: str, put: Callable[[list[Entry]], list[str | None]]) -> None:
        reason = ""
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                self.sleep(self.jitter(_SHORTEST, min(_LONGEST, _SHORTEST * 4**attempt)))
            try:
                refused = put(left)
            except Exception as error:  # whatever the client says: sent again, and kept back in the end
                reason = type(error).__name__
                logger().warning(f"{taker} not reached", extra={"reason": reason, "entries": len(left)})
                continue
            self.sent += sum(code is None for code in refused)
            reason = next((code for code in refused if code is not None), "")
            left = [entry for entry, code in zip(left, refused, strict=True) if code is not None]
            if not left:
                return
        for envelope, _ in left:
            self._keep(f"{taker} did not take it: {reason}", envelope.detail())

    def _keep(self, reason: str, body: Mapping[str, Any]) -> None:
        self.kept_back += 1
        logger().error("not relayed", extra={"reason": reason, "aggregate": body.get("aggregate"), "envelope": body.get("id")})
        self.failures.put(reason, body)


def _batches(entries: Sequence[Entry]) -> list[list[Entry]]:
    """At most ``MAX_ENTRIES`` and ``MAX_REQUEST_BYTES`` a request, in order."""
    batches: list[list[Entry]] = []
    size = 0
    for entry in entries:
        length = len(entry[1].encode()) + _OVERHEAD
        if not batches or len(batches[-1]) == MAX_ENTRIES or size + length > MAX_REQUEST_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(entry)
        size += length
    return batches


def _pointer(record: Mapping[str, Any]) -> dict[str, Any]:
    """Where the unreadable record is, without what is in it."""
    change = record.get("dynamodb") or {}
    where = {"event_id": record.get("eventID"), "keys": change.get("Keys"), "sequence": change.get("SequenceNumber")}
    return {"kind": "stream_record", **where}
