"""Tills as they stand in shops: with a disk, a network and a clock that fail, restarted after every power cut."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from local.till.giving import Coupon, Order
from local.till.journal import Journal
from local.till.memory import Known
from local.till.till import Settings, Till
from shared.coupons.qr import QrContent
from shared.kernel.instants import Instant, parse_rfc3339
from shared.tenants.model import OfflineAllowance
from tests.fakes.till import FakeDisk, FakeMemory, FakeNetwork, Plug, PowerCut, Server

T = TypeVar("T")
NOW: Instant = parse_rfc3339("2026-11-21T10:00:00Z")
TODAY = "2026-11-21"
MOST = OfflineAllowance(
    points_per_sale=100, points_per_day=150, value_per_sale=500, value_per_day=800, coupon_kinds=("percent", "amount"), hours=72
)
CARD = QrContent("member", "demo", "mbr_1", "", NOW)
BURGER = {"id": "1", "item_id": "burger", "unit_price": 900}


def coupon(value: str = "percent 10", id_: str = "cpn_1") -> QrContent:
    """What a coupon's code says."""
    return QrContent("coupon", "demo", id_, value, NOW)


def order(receipt: str = "1", *shown: Coupon, **more: Any) -> Order:
    """A burger for a member."""
    return Order(receipt, (BURGER,), **({"card": CARD, "coupons": shown, "business_date": TODAY} | more))


@dataclass
class Station:
    """One till. ``true`` is the time; ``fast`` is by how much its clock is ahead of it."""

    name: str
    server: Server
    true: Callable[[], Instant]
    fast: int = 0
    seed: int = 0
    location: str = "mitte"
    known: Known = field(default_factory=Known)

    def __post_init__(self) -> None:
        chance = random.Random(f"{self.name}{self.seed}")
        self.plug = Plug(chance=chance)
        self.disk, self.network = FakeDisk(self.plug, chance), FakeNetwork(self.server, self.plug, chance)
        self.memory, self.chance = FakeMemory(self.known), chance
        self.till = self._start()

    def _start(self) -> Till:
        settings = Settings("demo", self.location, self.name, "EUR")
        journal = Journal(self.disk)
        return Till(settings, journal, self.memory, self.network, lambda: self.true() + self.fast, self.chance.random)

    def do(self, action: Callable[[Till], T]) -> T:
        """Do it, as often as the power goes before it is done: as a cashier would."""
        while True:
            try:
                return action(self.till)
            except PowerCut:
                self.disk.cut()
                self.till = self._start()

    def settle(self, wait: Callable[[int], None], passes: int = 400) -> None:
        """Settle until nothing waits, through whatever the network does."""
        for _ in range(passes):
            settled = self.do(lambda till: till.settle())
            if not settled.waiting:
                return
            assert settled.reason is not None
            wait(settled.wait)
        raise AssertionError(f"{self.name} does not come to an end: {[each.key for each in self.till.journal.waiting]}")
