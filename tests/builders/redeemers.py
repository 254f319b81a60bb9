"""Many redeemers of one offer with a limit, over a table that fails at random and counts who writes the limit's items."""

from __future__ import annotations

import itertools
import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from shared.coupons import baskets
from shared.coupons.api import CouponAnswer, HoldCouponRequest, RedeemCouponRequest, ReleaseCouponRequest
from shared.coupons.model import Coupon
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import AppError, ConcurrentUpdate
from shared.kernel.ids import new_id
from shared.kernel.instants import DAY
from shared.member_state.events import CouponIssued
from shared.member_state.service import Change, Occasion, change_member
from shared.storage.errors import OutcomeUnknown
from shared.storage.table import Table, WriteBatch
from shared.transactions import holds
from shared.transactions.api import HoldRequest, TransactionRequest
from shared.transactions.model import Recorded
from shared.transactions.service import record
from tests.builders.house import FRIES, House, sale
from tests.fakes.engine import CREDENTIALS, REGION, share_client
from tests.fakes.faulty import Killed

# More redeemers than the client keeps connections for: that each surplus one is closed again is no news.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
OFFER = "few"
KEY = f"offer:{OFFER}"
PER_MEMBER = 4
ONLY_OF_SALES = {"business_date", "receipt_number", "mode", "training", "offline", "tenders", "hold_id"}


class RandomlyFailing(Table):
    """Every thread rolls dice of its own: a call is not sent, or carried out and its answer lost; the process dies of it, or not."""

    def __init__(self, endpoint: str, name: str, seed: int = 1) -> None:
        super().__init__(name, REGION, endpoint, CREDENTIALS)
        share_client(self, endpoint)
        self.failing = 0.0
        self.failures = 0
        self.tries: Counter[str] = Counter()
        """Partition key of a limit's item -> transactions sent that write it."""
        self.met: Counter[str] = Counter()
        """Of these, those that met another in flight: DynamoDB would have refused one of them as a conflict."""
        self.peak: Counter[str] = Counter()
        """The most of them that were in flight at once."""
        self._in_flight: Counter[str] = Counter()
        self._seed, self._threads = seed, itertools.count()
        self._own, self._lock = threading.local(), threading.Lock()

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        roll = self._dice().random()
        if roll < self.failing / 2:
            raise self._failure(roll)
        limits = self._limits_in(request) if operation == "transact_write_items" else []
        with self._lock:
            self.tries.update(limits)
            self.met.update(key for key in limits if self._in_flight[key])
            self._in_flight.update(limits)
            for key in limits:
                self.peak[key] = max(self.peak[key], self._in_flight[key])
        try:
            answer = super()._call(operation, **request)
        finally:
            with self._lock:
                self._in_flight.subtract(limits)
        if roll < self.failing:
            raise self._failure(roll)
        return answer

    def _limits_in(self, request: dict[str, Any]) -> list[str]:
        keys = (next(iter(action.values())).get("Key") for action in request["TransactItems"])
        return [key["PK"]["S"] for key in keys if key is not None and key["SK"]["S"] == "QUOTA"]

    def _dice(self) -> random.Random:
        dice: random.Random | None = getattr(self._own, "dice", None)
        if dice is None:
            dice = self._own.dice = random.Random(f"{self._seed}-{next(self._threads)}")
        return dice

    def _failure(self, roll: float) -> Exception:
        with self._lock:
            self.failures += 1
        return Killed() if int(roll * 10**6) % 2 else OutcomeUnknown("injected")


@dataclass(frozen=True)
class Tried:
    """What one redeemer came to with one coupon: the last answer, or why not."""

    coupon: str
    outcome: object

    @property
    def redeemed(self) -> bool:
        return not isinstance(self.outcome, AppError)

    @property
    def reason(self) -> str:
        assert isinstance(self.outcome, AppError)
        return self.outcome.errors[0].code if self.outcome.errors else self.outcome.code


@dataclass
class Crowd:
    """An offer with a limit, its coupons (of members, and bearers'), and what redeemers do with them."""

    house: House
    limit: int
    coupons: dict[str, str | None] = field(default_factory=dict)
    """Coupon -> its member."""

    def prepare(self, count: int, *, owned: bool = True) -> Crowd:
        """Publish the offer and give so many coupons: every other one to a member (``owned``), who has at most ``PER_MEMBER``."""
        house = self.house
        house.publish("offer", OFFER, FRIES | {"limit": self.limit, "per_member": 100})
        CouponRepository(house.tenant, house.table).create_quota(KEY, self.limit)
        member = ""
        for number in range(count):
            if owned and number % (2 * PER_MEMBER) == 0:
                member = house.join()
            owner = member if owned and number % 2 else None
            self.coupons[self._given(owner)] = owner
        return self

    def _given(self, member: str | None) -> str:
        house = self.house
        coupon = Coupon(new_id("cpn", house.now), OFFER, 1, "active", member, house.now, house.now + 30 * DAY)
        repository = CouponRepository(house.tenant, house.table)
        if member is None:
            batch = WriteBatch()
            repository.add_new(batch, coupon, None)
            house.table.transact(batch, coupon.id)
            return coupon.id

        def decide(_state: object, _stale: object) -> Change[str]:
            def finish(_after: object, _effects: object, batch: WriteBatch) -> str:
                repository.add_new(batch, coupon, None)
                return coupon.id

            return Change([CouponIssued(house.now, coupon.id, OFFER, coupon.active_from, coupon.expires_at)], finish)

        return change_member(house.scope(), member, Occasion(house.now), decide)

    def ways(self, owner: str | None) -> list[Callable[[str, str | None, str], object]]:
        """What may be done with a coupon: the last step redeems it, the ones before do not stand in its way."""
        alike = [self.directly, self.in_a_sale, self.held_and_redeemed, self.held_released_and_redeemed, self.held_and_forced]
        return [*alike, self.in_a_held_sale, self.in_a_sale_whose_hold_was_forced] if owner is not None else alike

    def redeem_all(self, threads: int, *, each_by: int = 2, only: int | None = None) -> list[Tried]:
        """Let so many redeemers work through all coupons at once, each coupon tried by several, in different ways."""
        work = [
            (coupon, owner, ways[(number + turn * 3) % len(ways)], f"b{number}-{turn}")
            for turn in range(each_by)
            for number, (coupon, owner) in enumerate(self.coupons.items())
            if (ways := self.ways(owner)[:only])
        ]
        random.Random(7).shuffle(work)
        barrier, left = threading.Barrier(threads), iter(work)
        lock, found = threading.Lock(), list[Tried]()

        def redeemer(_number: int) -> None:
            barrier.wait()
            while True:
                with lock:
                    job = next(left, None)
                if job is None:
                    return
                coupon, owner, way, basket = job
                outcome = way(coupon, owner, basket)
                with lock:
                    found.append(Tried(coupon, outcome))

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(redeemer, range(threads)))
        return found

    # -- ways to redeem -------------------------------------------------------------------------------------------------

    def directly(self, coupon: str, _owner: str | None, basket: str) -> object:
        return twice(lambda: baskets.redeem(self.house.scope(), RedeemCouponRequest(id=coupon, basket_id=basket)))

    def in_a_sale(self, coupon: str, owner: str | None, _basket: str) -> object:
        request = self._sale(coupon, owner)
        return twice(lambda: record(self.house.scope(), request))

    def held_and_redeemed(self, coupon: str, owner: str | None, basket: str) -> object:
        refused = self._hold(coupon, basket)
        return refused or self.directly(coupon, owner, basket)

    def held_released_and_redeemed(self, coupon: str, owner: str | None, basket: str) -> object:
        refused = self._hold(coupon, basket)
        if refused is None:
            until_answered(lambda: baskets.release(self.house.scope(), ReleaseCouponRequest(id=coupon, basket_id=basket)))
        return refused or self.directly(coupon, owner, f"{basket}-again")

    def held_and_forced(self, coupon: str, owner: str | None, basket: str) -> object:
        refused = self._hold(coupon, basket)
        if refused is None:
            force = ReleaseCouponRequest(id=coupon, force=True, reason="till-broken")
            until_answered(lambda: baskets.release(self.house.scope(), force, actor="demo-staff"))
        return refused or self.in_a_sale(coupon, owner, basket)

    def in_a_held_sale(self, coupon: str, owner: str | None, basket: str) -> object:
        request = self._sale(coupon, owner)
        held = self._hold_of_sale(request, basket)
        if isinstance(held, AppError):
            return held
        bought = request.model_copy(update={"hold_id": held, "coupons": ()})
        return twice(lambda: record(self.house.scope(), bought))

    def in_a_sale_whose_hold_was_forced(self, coupon: str, owner: str | None, basket: str) -> object:
        request = self._sale(coupon, owner)
        held = self._hold_of_sale(request, basket)
        if isinstance(held, AppError):
            return held
        until_answered(lambda: holds.release(self.house.scope(), str(held), forced=holds.Forced("till-broken", "demo-staff")))
        return twice(lambda: record(self.house.scope(), request))

    def _sale(self, coupon: str, owner: str | None) -> TransactionRequest:
        return sale(owner, at=self.house.now, lines=(("fries", 350),), coupons=[{"id": coupon}])

    def _hold(self, coupon: str, basket: str) -> AppError | None:
        request = HoldCouponRequest(id=coupon, basket_id=basket, ttl_seconds=600)
        outcome = until_answered(lambda: baskets.hold(self.house.scope(), request))
        return outcome if isinstance(outcome, AppError) else None

    def _hold_of_sale(self, request: TransactionRequest, basket: str) -> object:
        body = HoldRequest.model_validate(request.model_dump(exclude=ONLY_OF_SALES) | {"basket_id": basket})
        outcome = until_answered(lambda: holds.place(self.house.scope(), body))
        return outcome if isinstance(outcome, AppError) else outcome[0].hold_id  # type: ignore[index]


def until_answered(work: Callable[[], object]) -> object:
    """Repeat the very same call as a till does, whatever died of it or got lost, until there is an answer or a refusal."""
    for _ in range(2_000):
        try:
            return work()
        except (Killed, OutcomeUnknown, ConcurrentUpdate):
            continue
        except AppError as refusal:
            if refusal.status < 500:
                return refusal
    raise AssertionError("no answer after 2,000 tries")


def twice(work: Callable[[], object]) -> object:
    """The answer, which is the same when the call is repeated. A refusal may be another the next time: what held the coupon is gone."""
    first = until_answered(work)
    if isinstance(first, AppError):
        return first
    again = until_answered(work)
    assert _plain(again) == _plain(first), (again, first)
    return first


def _plain(outcome: object) -> object:
    assert isinstance(outcome, CouponAnswer | Recorded), outcome
    return outcome.answer if isinstance(outcome, Recorded) else outcome


def shares(counted: Counter[str], keys: Sequence[str]) -> float:
    """Which part of all writes the hottest of the items took."""
    return max(counted[key] for key in keys) / max(1, sum(counted[key] for key in keys))
