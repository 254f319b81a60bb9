"""A mailing in a storm, from its launch to the last number of its report: every worker may die, and is begun again."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from shared.campaigns import planning
from shared.campaigns.deliveries import DeliveryRepository, key_of
from shared.campaigns.messages import order_of, walk_of
from shared.campaigns.model import Delivery
from shared.campaigns.sending import Means, send
from shared.campaigns.tally import counts_of, place_of
from shared.kernel.instants import SECOND, Instant, parse_rfc3339
from shared.member_state.service import tick_member
from shared.messaging.port import Message
from shared.relay.envelope import received
from shared.reports import counting
from shared.reports.cells import Cells, add
from shared.storage import keys
from tests.builders.campaigns import KEYS
from tests.builders.house import House
from tests.builders.mailing import Person, all_rows
from tests.builders.storm import Died, Storm, StormyProvider, StormyQueue, StormyTable
from tests.builders.stream import BusOfTest

PLANNED: Final = frozenset({"campaign.launched", "campaign.step_due"})
_GIVEN_UP: Final = 60
"""Times that the same piece of work is begun: nothing may need as many."""


class StormyPost:
    """Queues, providers and workers over one house."""

    def __init__(self, house: House, storm: Storm, crowd: Sequence[Person]) -> None:
        self.house, self.storm = house, storm
        dead = frozenset(person.endpoint for person in crowd if person.kind == "dead")
        self.providers = {name: StormyProvider(name, storm, dead if name == "push" else frozenset()) for name in ("push", "sms")}
        self.sending = StormyQueue("sending", storm, lambda: house.now)
        self.planning = StormyQueue("planning", storm, lambda: house.now)
        self.bus = BusOfTest()
        assert isinstance(house.table, StormyTable)
        self.stream = house.table
        self.arrived: list[tuple[str, str]] = []
        """Member and delivery, of which the provider is to say that it arrived."""
        house.time_left = lambda: 5_000 if storm.happens(25 if self._walks else 1) else 60_000
        self.stolen: list[Message] = []
        """Of which somebody else said what became of them while they were being sent."""
        self._works_beside, self._walks = False, False
        for provider in self.providers.values():
            provider.meanwhile = self._beside

    # -- workers --------------------------------------------------------------------------------------------------------

    def deliver(self) -> bool:
        """Sending works off one message."""
        means = Means({"push": self.providers["push"], "sms": self.providers["sms"]}, self.sending, KEYS)
        return self.sending.work(lambda message: send(self.house.scope(), order_of(message), means))

    def plan(self) -> bool:
        """Planning works off one message."""
        return self.planning.work(self._plan)

    def _plan(self, message: dict[str, Any]) -> None:
        scope = self.house.scope()
        if message.get("kind") == "plan":
            self._walks = True
            try:
                planning.walk(scope, walk_of(message), self.sending, self.planning)
            finally:
                self._walks = False
        else:
            planning.on_events(scope, received(message), self.sending, self.planning)

    def _beside(self, message: Message) -> None:
        """While one worker waits for a provider another one goes on, with the same order or whatever is there. What the one has claimed
        stays the one's.
        """
        if self._works_beside or not self.storm.happens(3):
            return
        self._works_beside = True
        if self.storm.happens(50):
            self.sending.repeat()
        self.deliver()
        self._works_beside = False
        found = key_of(self.house.tenant, message.origin["member"], message.origin["delivery"])
        assert found is not None
        calm, self.storm.blows = self.storm.blows, False
        row = self.deliveries.get(found[1])
        self.storm.blows = calm
        if row is None or row.state != "claimed":
            self.stolen.append(message)

    def relay(self) -> None:
        """What was written since goes to planning, in any order and some of it twice."""
        told = [each for each in self.bus.relay(self.stream) if PLANNED & set(each["types"])]
        assert self.bus.failures == []
        self.storm.dice.shuffle(told)
        at = self.house.now
        for each in told:
            self.planning.messages += [(at, json.dumps(each))] * (2 if self.storm.happens(8) else 1)

    def tick(self) -> None:
        """Time passes for all members whose timer has come."""
        for _, member in self._due():
            self.surely(lambda member=member: tick_member(self.house.scope(), member, self.house.now))  # type: ignore[misc]

    def hear(self) -> None:
        """The push provider says of some messages that they arrived."""
        for member, id_ in self.arrived:
            found = key_of(self.house.tenant, member, id_)
            assert found is not None
            self.surely(lambda key=found[1]: self.deliveries.respond(key, "delivered", self.house.now))  # type: ignore[misc]
        self.arrived.clear()

    def surely(self, work: Callable[[], object]) -> None:
        """Somebody who comes again until it is done."""
        for _ in range(_GIVEN_UP):
            try:
                work()
            except (Died, Exception):  # whatever it was: once more
                continue
            return
        raise AssertionError("it is never done")

    def run(self, most: int) -> None:
        """Until nothing is left to do, now or later. ``most``: pieces of work that this may take."""
        for _ in range(most):
            if self.deliver() or self.plan():
                continue
            self.hear()
            self.relay()
            if self.plan():
                continue
            following = min((at for at in (*self._visible(), *(at for at, _ in self._due(later=True)))), default=None)
            if following is None:
                return
            # The index knows seconds.
            self.house.now = max(self.house.now, following) + SECOND
            self.tick()
            self.relay()
        raise AssertionError("it never ends")

    def _visible(self) -> list[Instant]:
        return [at for queue in (self.sending, self.planning) for at, _ in queue.messages]

    def _due(self, *, later: bool = False) -> list[tuple[Instant, str]]:
        """Members whose timer has come; or (``later``) the next one whose has not."""
        storm, self.storm.blows = self.storm.blows, False
        until, first = keys.due_until(self.house.now), keys.due_until(self.house.now)
        between = (first, "~") if later else ("", until)
        rows, _ = self.house.table.query(keys.due(self.house.tenant, 0), between=between, index="GSI1", limit=1 if later else None)
        self.storm.blows = storm
        found = (row["GSI1SK"]["S"].split("#", 1) for row in rows)
        return [(parse_rfc3339(at), aggregate.removeprefix("M#")) for at, aggregate in found if aggregate.startswith("M#")]

    # -- what came of it ------------------------------------------------------------------------------------------------

    @property
    def deliveries(self) -> DeliveryRepository:
        """The rows of the tenant."""
        return DeliveryRepository(self.house.tenant, self.house.table, self.house.scope().effort)

    def rows(self) -> dict[str, list[Delivery]]:
        """Every delivery there is, by its member, the first rung first."""
        found: dict[str, list[Delivery]] = defaultdict(list)
        for raw in all_rows(self.house):
            row = self.deliveries.decode(raw)
            found[row.member].append(row)
        return {member: sorted(rows, key=lambda row: row.rung) for member, rows in found.items()}

    def count(self) -> None:
        """Everything that was written is counted: in batches of a shard in its order, by workers that die and get the batch again."""
        self.bus.relay(self.stream)
        batches: dict[int, list[list[counting.Counted]]] = defaultdict(lambda: [[]])
        for record in self.bus.reports.take():
            _, shard, counted = counting.counted(json.loads(record["body"]), record["attributes"]["SequenceNumber"])
            whole = batches[shard]
            if len(whole[-1]) == 10:
                whole.append([])
            whole[-1].append(replace(counted, number=counted.number.zfill(40)))
        for shard, whole in batches.items():
            for batch in whole:
                for _ in range(2 if self.storm.happens(10) else 1):
                    self.surely(lambda shard=shard, batch=batch: counting.count(self.house.scope(), shard, batch))  # type: ignore[misc]


def recount(rows: dict[str, list[Delivery]]) -> Cells:
    """The report from the rows, as ``python -m local verify`` does it."""
    cells: Cells = {}
    for row in (row for its in rows.values() for row in its):
        add(cells, place_of(row), counts_of(row))
    return cells


def some(of: Sequence[str], seed: int) -> set[str]:
    """Half of them, always the same."""
    return set(random.Random(seed).sample(sorted(of), len(of) // 2))
