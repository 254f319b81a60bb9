"""Budgets, of points and of value: shards of a limit, and the walk round them. A budget is never exceeded, and may be used to the last
unit.

Points are taken from budgets of programmes and rules; what offers and promotions take off from theirs (minor units), in all, at the
location and at those of its groups; and the uses of those with a ``limit`` from their quotas, in the same walk. What a purchase takes
more of than is left counts as exhausted, and the purchase is decided again without it.

A shard is made by its first use. Where no shard has room for what a purchase takes, it is taken from several, at most
``MAX_PARTS``; a budget so scattered that these do not suffice counts as used up. A settled offline sale has happened: it overdraws.

A transaction has 100 writes, and no sale may fail for that: ``ROOM`` of them are for the coupons that it uses, for quotas and for budgets,
fewer where so many are not left (``giving_way``). Budgets and quotas for which there is none count as used up; a settled offline sale
goes beyond those and writes nothing of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from shared.coupons.limits import QUOTA, value_limits
from shared.coupons.quota import QuotaWalk
from shared.kernel import shards
from shared.programmes.compiled import Programme
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import QuotaItem
from shared.storage.table import MAX_ACTIONS, Table, TooManyWrites, WriteBatch
from shared.transactions.model import Circumstances, CouponDiscount, Decided, PromotionDiscount

T = TypeVar("T")
MAX_PARTS: Final = 6
ROOM: Final = MAX_ACTIONS - 20
"""Writes for the coupons that a purchase uses, for quotas and for shards of budgets: what ``shared.coupons.stacking`` lets together has
place in it. The other 20 are for the sale, state, history and ledger, a hold, a confirmation, two counts and five coupons that it gives
(two each). Rarely it needs more: for another member's rewards, coupons of several tiers, offline losses of many reasons.
"""
_STEP: Final = 10
_BLOCK: Final = 10_000
_LABEL: Final = "budget:"
Taken = tuple[str, int, int]
"""Budget (``quota:`` and a key: a quota), shard, how much."""
Decide = Callable[[frozenset[str]], tuple[Circumstances, Decided]]
"""A decision, given the budgets that have nothing left."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be taken from a budget: points or minor units, of its limit."""

    amount: int
    limit: int
    of_value: bool = False
    """It is what was taken off: a sale that has happened took it off whether there was room or not."""


@dataclass(slots=True)
class BudgetWalk:
    """The shards that one use case tries, kept over its attempts. ``start`` (a sale's id) says where the walk begins."""

    tenant: str
    table: Table
    start: str
    quota: QuotaWalk | None = None
    """For the uses of offers and promotions with a limit in all."""
    overdraws: bool = False
    """Value and uses, where there is no room; never points."""
    exhausted: set[str] = field(default_factory=set)
    """Budgets and quotas that have no room for what this purchase takes."""
    overdrawn: set[str] = field(default_factory=set)
    """Those of which it takes all the same."""
    room: int = ROOM
    _chosen: int = 0
    """Writes of the last decision for quotas and budgets."""
    _spare: int = 0
    """How many more there was room for."""
    _taken: dict[str, list[Taken]] = field(default_factory=dict)
    _limits: dict[str, int] = field(default_factory=dict)
    _promotions: tuple[str, ...] = ()
    """Those with a limit in all: no coupon's item says which shard they were taken from, so the sale does."""

    def within(self, decide: Decide, stale: Stale) -> tuple[Circumstances, Decided]:
        """The decision within what budgets and quotas have left: made again without each that is found to be used up."""
        while True:
            given, decided = decide(frozenset(self.exhausted))
            wanted, room = wanted_by(decided, given), self.room if self.quota is None else self.room - len(decided.discounts)
            # Half is left for budgets, if there are so many: one without the other would be of no use.
            quotas = self._choose_quotas(decided, stale, max(room - len(wanted), room // 2))
            if self.choose(wanted, stale, room - (quotas or 0)) and quotas is not None:
                self._chosen = quotas + sum(map(len, self._taken.values()))
                self._spare = room - self._chosen
                return given, decided

    def giving_way(self, attempt: Callable[[], T]) -> T:
        """What the attempt at a purchase answers; if that turns out to have too many writes, once more with fewer budgets and quotas."""
        while True:
            try:
                return attempt()
            except TooManyWrites:
                if not self._chosen:
                    raise
                self.room -= max(self._spare, 0) + _STEP

    def choose(self, wanted: Mapping[str, Wanted], stale: Stale, room: int = ROOM) -> bool:
        """Choose the shards of every budget: the first alone or, after that one refused, those that have room. ``room``: for how many
        shards there is place in the transaction.

        ``False``: a budget is used up (``exhausted``), and the purchase is to be decided again without it. No read but after a
        refusal: then at most 32.
        """
        self._taken = {key: taken for key, taken in self._taken.items() if key in wanted}
        left, after, enough = room, sum(self._shards(key) for key in wanted), True
        for key, each in wanted.items():
            after -= self._shards(key)
            taken = self._parts(key, each, stale)
            if taken is not None and not _fits(len(taken), left, after):
                taken = None
            if taken is None and each.of_value and self.overdraws:
                self.overdrawn.add(key)
                taken = [(key, first_of(self.start, each.limit), each.amount)] if left > 0 else []
            if taken is None:
                self.exhausted.add(key)
                self._taken.pop(key, None)
                enough = False
            else:
                self._taken[key] = taken
                left -= len(taken)
        return enough

    def _parts(self, key: str, wanted: Wanted, stale: Stale) -> list[Taken] | None:
        """The shards that can give it, those of the attempt before unless one was refused; ``None``: it is used up."""
        refused = any(label.startswith(f"{_LABEL}{key}#") for label in stale)
        before = self._taken.get(key, [])
        same_as_before = sum(taken[2] for taken in before) == wanted.amount and self._limits.get(key) == wanted.limit
        if same_as_before and not refused:
            return before
        self._limits[key] = wanted.limit
        first = first_of(self.start, wanted.limit)
        alone = not refused and share_of(wanted.limit, first) >= wanted.amount
        return [(key, first, wanted.amount)] if alone else shards_with_room(self.table, self.tenant, self.start, key, wanted)

    def _shards(self, key: str) -> int:
        """How many shards it has taken from, as far as is known: at least one."""
        return max(len(self._taken.get(key, ())), 1)

    def _choose_quotas(self, decided: Decided, stale: Stale, room: int) -> int | None:
        """The shard of each limited offer or promotion that is used up once more; answers how many, ``None`` as ``False`` of ``choose``."""
        if self.quota is None:
            return 0
        uses, chosen, enough = limited_uses(decided), 0, True
        self._promotions = tuple(each.key for each in decided.promotions if each.key in uses)
        for key, limit in uses.items():
            if chosen < room and self.quota.choose(key, limit, stale):
                chosen += 1
                continue
            self.quota.shards.pop(key, None)
            if self.overdraws:
                self.overdrawn.add(QUOTA + key)
            else:
                self.exhausted.add(QUOTA + key)
                enough = False
        return chosen if enough else None

    def add(self, batch: WriteBatch) -> tuple[Taken, ...]:
        """Take it in the purchase's transaction. Labels ``budget:<key>#<shard>``."""
        for key, shard, amount in (each for taken in self._taken.values() for each in taken):
            most_before = share_of(self._limits[key], shard) - amount
            room_for_them = None if key in self.overdrawn else Path("used").does_not_exist() | (Path("used") <= most_before)
            batch.update(f"{_LABEL}{key}#{shard}", keys.budget(self.tenant, key, shard), [Path("used").add(amount)], room_for_them)
        quotas = ((key, self.quota.add(batch, key) if self.quota is not None else None) for key in self._promotions)
        of_promotions = [(QUOTA + key, shard, 1) for key, shard in quotas if shard is not None]
        return (*(each for taken in self._taken.values() for each in taken), *of_promotions)


def _fits(shards: int, left: int, after: int) -> bool:
    """Whether there is place for them. Several at once leave one for each of those ``after``: then it is the scattered that go short."""
    return shards <= left and (shards == 1 or shards + after <= left)


def affordable(tenant: str, table: Table, start: str, decide: Decide) -> tuple[Circumstances, Decided]:
    """A quote's or hold's decision within what value budgets have left now; nothing is taken. No read where no budget is asked, else
    one batch of at most 32 items a budget.
    """
    exhausted: set[str] = set()
    while True:
        given, decided = decide(frozenset(exhausted))
        values = value_wanted(decided, given)
        short = {key for key, each in values.items() if shards_with_room(table, tenant, start, key, each) is None}
        if not short:
            return given, decided
        exhausted |= short


def wanted_by(decided: Decided, given: Circumstances) -> dict[str, Wanted]:
    """What a decision takes from the budgets of its offers and promotions, and of programmes and rules. Pure.

    Those that are named first are chosen first: without its points a sale goes on, without a coupon that the till presents it does not.
    """
    limits = {key: limit_of(given.programmes, key) for key in decided.budgets}
    points = {key: Wanted(points, limit) for key, points in decided.budgets.items() if (limit := limits[key]) is not None}
    return value_wanted(decided, given) | points


def value_wanted(decided: Decided, given: Circumstances) -> dict[str, Wanted]:
    """What it takes off, from the budgets of its offers and promotions. Those of groups are of the groups that the location is in now."""
    found: dict[str, Wanted] = {}
    for each in applied_of(decided):
        if each.terms is None or not each.amount:
            continue
        for key, limit in value_limits(each.key, each.terms.limits, given.scene.location, given.scene.groups).items():
            before = found.get(key)
            # Two coupons may be of different versions of their offer: the stricter budget holds.
            amount, strictest = (each.amount, limit) if before is None else (before.amount + each.amount, min(before.limit, limit))
            found[key] = Wanted(amount, strictest, of_value=True)
    return found


def limited_uses(decided: Decided) -> dict[str, int]:
    """Key -> limit of what is used up in this sale and may be used so often in all. A voucher in part is not used up."""
    in_part = {each.key for each in decided.discounts if each.left}
    return {
        each.key: each.terms.limit
        for each in applied_of(decided)
        if each.terms is not None and each.terms.limit is not None and each.key not in in_part
    }


def applied_of(decided: Decided) -> list[CouponDiscount | PromotionDiscount]:
    """Its coupons and promotions."""
    return [*decided.discounts, *decided.promotions]


def shards_with_room(table: Table, tenant: str, start: str, key: str, wanted: Wanted) -> list[Taken] | None:
    """The shard that can give all, from the first round the ring; else the few that have most; ``None``: they have not enough."""
    limit, count = wanted.limit, budget_shards(wanted.limit)
    found = table.get_many([keys.budget(tenant, key, shard) for shard in range(count)], consistent=True)
    used = {int(where.pk[-2:]): _used(raw) for where, raw in found.items()}
    first = first_of(start, limit)
    ring = [(first + step) % count for step in range(count)]
    room = {shard: share_of(limit, shard) - used.get(shard, 0) for shard in ring}
    alone = next((shard for shard in ring if room[shard] >= wanted.amount), None)
    if alone is not None:
        return [(key, alone, wanted.amount)]
    parts: list[Taken] = []
    for shard in sorted(ring, key=lambda each: -room[each])[:MAX_PARTS]:
        part = min(room[shard], wanted.amount - sum(each[2] for each in parts))
        if part > 0:
            parts.append((key, shard, part))
    return parts if sum(each[2] for each in parts) == wanted.amount else None


def budget_shards(limit: int) -> int:
    """How many shards a budget is spread over: one per 10,000 points or minor units, at most 32 (``shared.kernel.shards``)."""
    return shards.shards_of(limit, _BLOCK)


def first_of(start: str, limit: int) -> int:
    """Where the walk round a budget's shards starts."""
    return zlib.crc32(start.encode()) % budget_shards(limit)


def add_budget_return(batch: WriteBatch, tenant: str, taken: tuple[Taken, ...]) -> None:
    """Give back what a purchase took, when nothing of it is left."""
    for key, shard, amount in taken:
        of_quota = key.startswith(QUOTA)
        where = keys.quota(tenant, key.removeprefix(QUOTA), shard) if of_quota else keys.budget(tenant, key, shard)
        label = key if of_quota else f"{_LABEL}{key}#{shard}"
        batch.update(label, where, [Path("used").add(-amount)], Path("used") >= amount)


def limit_of(programmes: tuple[Programme, ...], key: str) -> int | None:
    """The budget of a rule (``programme/rule``) or of a programme."""
    id_, _, rule_id = key.partition("/")
    programme = next((each for each in programmes if each.id == id_), None)
    if programme is None or not rule_id:
        return programme.body.limits.budget if programme is not None else None
    return next((rule.limits.budget for rule in programme.body.earning if rule.id == rule_id), None)


def share_of(limit: int, shard: int) -> int:
    """The part of a limit that a shard has."""
    return shards.share_of(limit, _BLOCK, shard)


def _used(raw: RawItem) -> int:
    return int(QuotaItem.values(raw).get("used", 0))
