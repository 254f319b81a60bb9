"""Bad luck, with a seed: workers die before or after any call, answers get lost, messages come twice, late and in any order."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from shared.kernel.instants import MINUTE, SECOND, Instant
from shared.messaging.port import Message, Result, Sent, Throttled, Unclear, Unreachable
from shared.storage import keys
from shared.storage.errors import OutcomeUnknown, RawItem
from shared.storage.table import Table
from tests.fakes.engine import CREDENTIALS, REGION, share_client

T = TypeVar("T")
VISIBILITY: Final = 6 * MINUTE
"""A message of a worker that died comes again only then (infra/queues.py)."""
Fault = tuple[Literal["before", "after"], Literal["kill", "lose"]]
FAULTS: Final[tuple[Fault, ...]] = (("before", "kill"), ("after", "kill"), ("before", "lose"), ("after", "lose"))
GAPS: Final[Mapping[str, int]] = {
    "get_item": 600, "query": 700, "batch_get_item": 500, "put_item": 400, "update_item": 6, "transact_write_items": 450,
    "sending": 40, "planning": 3, "push": 150, "sms": 100,
}  # fmt: skip
"""Kind of call -> how many of them go well at most before one does not, in a mailing to a thousand or more."""
_SELDOM: Final = 6
"""So few go well at most whatever the crowd."""


class Died(BaseException):
    """The process ended here. Nothing of ours catches it."""


class Storm:
    """Says when what goes wrong. Each kind of call meets every fault in turn, in an order and at distances that the seed chooses.

    ``often`` shortens the distances so many times: a smaller crowd meets as much.
    """

    def __init__(self, seed: int, often: int = 1) -> None:
        self.dice = random.Random(seed)
        self._gaps = {kind: max(gap // often, min(gap, _SELDOM)) for kind, gap in GAPS.items()}
        self.blows = False
        self.met: Counter[tuple[str, str, str]] = Counter()
        """Kind of call, when, how -> times."""
        self._left: dict[str, int] = {}
        self._next: dict[str, list[Fault]] = {}

    def call(self, kind: str, work: Callable[[], T], lost: Callable[[], Exception]) -> T:
        """Carry out a call, or not, or carry it out and let nobody know."""
        fault = self.fault(kind)
        if fault is not None and fault[0] == "before":
            raise self._failure(fault, lost)
        answer = work()
        if fault is not None:
            raise self._failure(fault, lost)
        return answer

    def fault(self, kind: str) -> Fault | None:
        """What goes wrong with this call, if anything does."""
        if not self.blows:
            return None
        left = self._left.get(kind, self.dice.randint(1, self._gaps[kind]))
        self._left[kind] = left - 1
        if left > 0:
            return None
        self._left[kind] = self.dice.randint(1, self._gaps[kind])
        coming = self._next.setdefault(kind, [])
        if not coming:
            coming += self.dice.sample(FAULTS, len(FAULTS))
        fault = coming.pop()
        self.met[kind, *fault] += 1
        return fault

    def happens(self, percent: float) -> bool:
        """Whether something happens that happens so often."""
        return self.blows and self.dice.random() * 100 < percent

    @property
    def kills(self) -> int:
        """Workers that died so far."""
        return sum(times for (_, _, how), times in self.met.items() if how == "kill")

    @staticmethod
    def _failure(fault: Fault, lost: Callable[[], Exception]) -> BaseException:
        return Died() if fault[1] == "kill" else lost()


class StormyTable(Table):
    """A table in the storm. It remembers the claims that were written, and lets others work between the calls of one.

    Its stream is its own: the engine's makes each write dearer the more were made before. What tells events is put, never updated.
    """

    def __init__(self, endpoint: str, name: str, storm: Storm) -> None:
        super().__init__(name, REGION, endpoint, CREDENTIALS)
        share_client(self, endpoint)
        self.storm = storm
        self.claims: list[str] = []
        """Partition keys of the members that a message was claimed for, in order."""
        self.meanwhile: Callable[[str], None] = lambda _operation: None
        self._images: dict[tuple[str, str], RawItem] = {}
        self._written: list[dict[str, Any]] = []
        self._tokens: set[str] = set()
        """Of transactions that were written: the same one again is answered, and writes nothing."""

    def records(self) -> list[dict[str, Any]]:
        """What was put since the last call, as Lambda gets it from the table's stream."""
        written, self._written = self._written, []
        return written

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        self.meanwhile(operation)

        def work() -> dict[str, Any]:
            answer = super(StormyTable, self)._call(operation, **request)
            token = request.get("ClientRequestToken")
            if token in self._tokens:
                return answer
            if token is not None:
                self._tokens.add(token)
            puts = [action["Put"]["Item"] for action in request.get("TransactItems", ()) if "Put" in action]
            self.claims += _claimed(puts)
            for item in [request["Item"]] if operation == "put_item" else puts:
                key = (item["PK"]["S"], item["SK"]["S"])
                images = {"NewImage": item, **({"OldImage": self._images[key]} if key in self._images else {})}
                self._written.append({"eventID": f"{len(self._written)}", "dynamodb": images})
                self._images[key] = item
            return answer

        return self.storm.call(operation, work, lambda: OutcomeUnknown("injected"))


def _claimed(items: Sequence[RawItem]) -> list[str]:
    deliveries = [item for item in items if item["SK"]["S"].startswith(keys.DELIVERY_PREFIX)]
    return [item["PK"]["S"] for item in deliveries if item["state"]["S"] == "claimed"]


@dataclass
class StormyQueue:
    """At least once and in any order: some messages are there twice, and one that was not worked off comes again."""

    name: str
    storm: Storm
    now: Callable[[], Instant]
    messages: list[tuple[Instant, str]] = field(default_factory=list)
    """When it can be received, and the body."""
    _working_at: str = ""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        self._send([body], delay_seconds)

    def send_all(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        self._send(bodies, 0)

    def _send(self, bodies: Sequence[Mapping[str, Any]], delay_seconds: int) -> None:
        texts, at = [json.dumps(body) for body in bodies], self.now() + delay_seconds * SECOND

        def work() -> None:
            for text in texts:
                self.messages += [(at, text)] * (2 if self.storm.happens(8) else 1)

        self.storm.call(self.name, work, ConnectionError)

    def repeat(self) -> None:
        """The message that was received last is there for somebody else too, before all others."""
        self.messages.insert(0, (0, self._working_at))

    def work(self, handler: Callable[[dict[str, Any]], object]) -> bool:
        """Receive one message and have it worked off; ``False`` if there is none now."""
        visible = [place for place, (at, _) in enumerate(self.messages) if at <= self.now()]
        if not visible:
            return False
        is_repeated = self.messages[0][0] == 0
        _, text = self.messages.pop(0 if is_repeated else self.storm.dice.choice(visible))
        hidden, self._working_at = (self.now() + VISIBILITY, text), text
        self.messages.append(hidden)
        try:
            handler(json.loads(text))
        except (Died, Exception):  # the worker died, or said that it could not: the message stays
            return True
        if not self.storm.happens(2):
            self.messages.remove(hidden)
        return True


class StormyProvider:
    """A provider of one channel: busy at times, deaf for dead addresses, and what it took it remembers."""

    def __init__(self, channel: str, storm: Storm, dead: frozenset[str]) -> None:
        self.channel, self.storm, self.dead = channel, storm, dead
        self.taken: list[Message] = []
        self.throttled = 0
        self.meanwhile: Callable[[Message], None] = lambda _message: None

    def send(self, address: str, message: Message) -> Result:
        self.meanwhile(message)
        if address in self.dead:
            return Unreachable("endpoint_disabled", dead=True)
        if self.storm.happens(5):
            self.throttled += 1
            return Throttled()
        fault = self.storm.fault(self.channel)
        if fault is None or fault[0] == "after":
            self.taken.append(message)
        if fault is None:
            return Sent(f"{self.channel}-{len(self.taken)}")
        if fault[1] == "kill":
            raise Died
        return Unclear()
