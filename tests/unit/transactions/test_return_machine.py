"""Two guests and a till: whatever is bought, returned, voided, held, given away and let pass, in any order, the books add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.kernel.instants import DAY, MINUTE, NEVER, Instant, local_day
from shared.member_state.conversions import refusal
from shared.member_state.events import HoldPlaced, HoldReleased, PointsBooked, PointsConverted, TierSet, TimePassed
from shared.member_state.model import MAX_HOLDS, USAGE_DAYS, MemberState, copy_state
from shared.profile.rules import all_cells
from shared.transactions.api import TransactionRequest
from shared.transactions.bought import bought
from shared.transactions.model import PresentedCoupon
from shared.transactions.repository import SaleRecord
from shared.transactions.returning import NotReturnable, Sold, decimal, is_correction, share
from shared.transactions.rules import PROFILE_KINDS
from shared.wallet.model import Posting, Wallet
from shared.wallet.rules import available, pending, spendable
from tests.builders.house import NOW
from tests.unit.transactions.shop import POINTS, Shop, receipt

PERSISTENT = settings(max_examples=max(200, settings().max_examples), stateful_step_count=25, deadline=None)

OFFERS = {"voucher": {"name": "V", "effect": {"kind": "amount", "amount": 300}, "per_member": 50}}
PROMOTIONS: dict[str, Any] = {
    "menu": {"name": "Menu", "effect": {"kind": "percent", "percent": 15}, "scope": {"items": ["burger", "pie"]}},
    "seven": {"name": "Seven", "effect": {"kind": "extra_points", "programme": "points", "points": 7, "per": "unit"}},
    "more": {
        "name": "More",
        "effect": {"kind": "points_multiplier", "programme": "points", "percent": 150, "rounding": "half_up"},
        "scope": {"items": ["fries"]},
    },
}
TIERS = {"by": "points", "levels": [{"id": "silver", "name": "S", "threshold": 30}, {"id": "gold", "name": "G", "threshold": 80}]}
STARS = {
    "name": "Stars",
    "wallet": "stars",
    "earning": [{"kind": "fixed", "id": "visit", "points": 7}, {"kind": "per_item", "id": "each", "points": 2}],
    "pending": {"days": 3},
    "expiry": {"kind": "end_of_month"},
}
KINDS: list[dict[str, Any]] = [
    {"points": POINTS | {"tiers": TIERS, "expiry": {"kind": "after_days", "days": 6}, "limits": {"per_member": 120, "per_day": 60}}},
    {
        "points": POINTS | {"returns": {"give_back": "full", "points_gone": "within_balance"}, "expiry": {"kind": "inactivity", "days": 5}},
        "stars": STARS | {"returns": {"points_gone": "pending_only"}},
    },
    {
        "points": POINTS
        | {
            "spending": {"points": 2, "value": 3, "counts_as": "discount"},
            "conversions": [
                {"id": "auto", "points": 40, "offer": "voucher", "automatic": True},
                {"id": "asked", "points": 10, "offer": "voucher"},
            ],
        },
        "stars": STARS | {"returns": {"points_gone": "negative"}, "tiers": TIERS},
    },
]
WHO = st.integers(0, 1)
LINES = st.lists(
    st.tuples(st.sampled_from(["burger", "fries", "pie"]), st.integers(0, 2500), st.sampled_from(["1", "2", "3", "0.375"])).map(list)
    | st.sampled_from([{"kind": "delivery", "unit_price": 250}, {"item_id": "salad", "unit_price": -120}]),
    min_size=1,
    max_size=4,
)


@dataclass
class Bought:
    """A sale with what has been done to it."""

    record: SaleRecord
    sold: Sold
    reversed: Counter[str] = field(default_factory=Counter)
    planned: Counter[str] = field(default_factory=Counter)
    given_back: int = 0
    money: int = 0
    value: int = 0


@dataclass
class Guest:
    """One member, her sales, and the returns that are still to meet theirs."""

    state: MemberState
    sales: list[Bought] = field(default_factory=list)
    coming: list[tuple[TransactionRequest, Instant, list[dict[str, str | None]]]] = field(default_factory=list)
    """Sales that have not arrived: the receipt, its instant, and the returns that came before it."""
    holds: int = 0


class ReturnMachine(RuleBasedStateMachine):
    """What the service does, step by step, without its storage."""

    @initialize(
        kind=st.sampled_from(KINDS),
        overdraft=st.sampled_from([0, 20]),
        floor=st.sampled_from([None, -15]),
        promotions=st.sampled_from([{}, PROMOTIONS]),
    )
    def begin(self, kind: dict[str, Any], overdraft: int, floor: int | None, promotions: dict[str, Any]) -> None:
        self.shop = Shop(kind, {"points": {"overdraft": overdraft, "floor": floor}}, OFFERS, promotions=promotions)
        self.now: Instant = NOW
        self.guests = [Guest(self.shop.join(NOW, name)) for name in ("mbr_1", "mbr_2")]
        self.wallets = sorted({str(body.get("wallet", "points")) for body in kind.values()})

    # -- what happens ----------------------------------------------------------------------------------------------------

    @rule(who=WHO, lines=LINES, spend=st.sampled_from([0, 0, 2, 10, 30]), days=st.sampled_from([0, 0, 0, 1, 4]), with_coupon=st.booleans())
    def buys(self, who: int, lines: list[Any], spend: int, days: int, with_coupon: bool) -> None:
        """At once, or known some days later."""
        guest, at = self.guests[who], max(NOW, self.now - days * DAY)
        coupons = self._coupon_of(guest.state) if with_coupon else []
        self._sell(guest, receipt(at, lines, points_to_spend=spend), at, coupons)

    @precondition(lambda self: any(guest.state.holds for guest in self.guests))
    @rule(lines=LINES, data=st.data())
    def buys_what_was_held(self, lines: list[Any], data: st.DataObject) -> None:
        guest = data.draw(st.sampled_from([guest for guest in self.guests if guest.state.holds]))
        hold = data.draw(st.sampled_from(sorted(guest.state.holds)))
        request = receipt(self.now, lines, points_to_spend=guest.state.holds[hold].points)
        self._sell(guest, request, self.now, [], hold)

    @precondition(lambda self: any(guest.sales for guest in self.guests))
    @rule(data=st.data(), whole=st.booleans(), void=st.booleans(), again=st.booleans())
    def brings_back(self, data: st.DataObject, whole: bool, void: bool, again: bool) -> None:
        """Whole, in part, or more than there is; the same once more is refused and changes nothing."""
        guest = data.draw(st.sampled_from([guest for guest in self.guests if guest.sales]))
        sale = data.draw(st.sampled_from(guest.sales))
        if whole or void:
            self._reverse(guest, sale, {}, void=void)
            return
        asked = self._asked(data, sale)
        self._reverse(guest, sale, asked)
        left_of_it = [line for line in sale.sold.lines if line.id in asked and sale.record.returned.get(line.id, 0) >= line.units]
        if again and asked and left_of_it:
            before = copy_state(guest.state)
            self._reverse(guest, sale, asked)
            assert guest.state == before

    @rule(who=WHO, lines=LINES, returns=st.integers(1, 3), data=st.data())
    def brings_back_what_is_not_known_yet(self, who: int, lines: list[Any], returns: int, data: st.DataObject) -> None:
        """Up to three returns wait; each names some of the lines, or all."""
        names = [str(number) for number in range(1, len(lines) + 1)]
        waiting: list[dict[str, str | None]] = [
            dict.fromkeys(data.draw(st.lists(st.sampled_from(names), unique=True, max_size=2))) for _ in range(returns)
        ]
        self.guests[who].coming.append((receipt(self.now, lines), self.now, waiting))

    @precondition(lambda self: any(guest.coming for guest in self.guests))
    @rule(data=st.data())
    def its_sale_arrives(self, data: st.DataObject) -> None:
        """The sale as of its instant, then its returns in the order of their arrival; one that cannot be settled is passed over."""
        guest = data.draw(st.sampled_from([guest for guest in self.guests if guest.coming]))
        request, at, waiting = guest.coming.pop(data.draw(st.integers(0, len(guest.coming) - 1)))
        sale = self._sell(guest, request, at, [])
        for asked in waiting if sale is not None else ():
            assert sale is not None
            self._reverse(guest, sale, asked)

    @rule(who=WHO, points=st.integers(1, 30), minutes=st.integers(1, 3000))
    def holds_points(self, who: int, points: int, minutes: int) -> None:
        state = self.guests[who].state
        wallet = state.wallets.get("points")
        if wallet is None or points > spendable(wallet, state.holds, "points") or len(state.holds) >= MAX_HOLDS:
            return
        self.guests[who].holds += 1
        hold = f"hold{self.guests[who].holds}"
        self.shop.happens(state, HoldPlaced(self.now, hold, "points", points, self.now + minutes * MINUTE))

    @precondition(lambda self: any(guest.state.holds for guest in self.guests))
    @rule(data=st.data())
    def gives_a_hold_up(self, data: st.DataObject) -> None:
        guest = data.draw(st.sampled_from([guest for guest in self.guests if guest.state.holds]))
        self.shop.happens(guest.state, HoldReleased(self.now, data.draw(st.sampled_from(sorted(guest.state.holds)))))

    @rule(who=WHO, points=st.integers(-30, 60), days=st.sampled_from([2, 8, None]))
    def is_adjusted(self, who: int, points: int, days: int | None) -> None:
        state = self.guests[who].state
        wallet, floor = state.wallet("points"), -self.shop.definitions.at(self.now).fold.wallet("points").overdraft
        if points == 0 or -points > spendable(wallet, state.holds, "points", floor):
            return
        posting = Posting("points", "adjust", points, 0, NEVER if days is None or points < 0 else self.now + days * DAY)
        self.shop.happens(state, PointsBooked(self.now, "adjust", (posting,), "by hand", "a reason", "staff"))

    @rule(who=WHO, points=st.integers(1, 40))
    def gives_away(self, who: int, points: int) -> None:
        giver, receiver = self.guests[who].state, self.guests[1 - who].state
        if points > spendable(giver.wallet("points"), giver.holds, "points"):
            return
        taken = Posting("points", "transfer_out", -points)
        effects = self.shop.happens(giver, PointsBooked(self.now, "transfer_out", (taken,), "gift"))
        lots = tuple(each for entry in effects.entries if entry.reference == "gift" for each in entry.postings)
        self.shop.happens(receiver, PointsBooked(self.now, "transfer_in", lots, "gift"))
        assert sum(each.points for each in lots) == -points

    @rule(who=WHO, times=st.integers(1, 3))
    def converts(self, who: int, times: int) -> None:
        state, view = self.guests[who].state, self.shop.definitions.at(self.now).fold
        found = next(((each, one) for each in view.programmes for one in each.body.conversions if not one.automatic), None)
        if found is None or refusal(state, view, found[1], times, self.now, found[0].body.wallet) is not None:
            return
        coupons = tuple(f"cpn_{self.now}_{state.version}_{number}" for number in range(times))
        wallet, conversion = found[0].body.wallet, found[1]
        self.shop.happens(state, PointsConverted(self.now, wallet, conversion.id, conversion.points, conversion.offer, coupons))

    @rule(who=WHO, tier=st.sampled_from(["silver", "gold", None]), days=st.integers(1, 10))
    def is_given_a_tier(self, who: int, tier: str | None, days: int) -> None:
        self.shop.happens(self.guests[who].state, TierSet(self.now, tier, self.now + days * DAY, "a reason", "staff"))

    @rule(days=st.sampled_from([0, 1, 3, 7]), minutes=st.integers(1, 90))
    def time_passes(self, days: int, minutes: int) -> None:
        self.now += days * DAY + minutes * MINUTE
        for guest in self.guests:
            self.shop.happens(guest.state, TimePassed(self.now))

    @rule(who=WHO, lines=LINES, spend=st.sampled_from([0, 5, 20]), void=st.booleans())
    def buys_and_brings_back_at_once(self, who: int, lines: list[Any], spend: int, void: bool) -> None:
        """Nothing between touched the wallet: it is as it was."""
        guest = self.guests[who]
        self.shop.happens(guest.state, TimePassed(self.now))
        before = copy_state(guest.state)
        sale = self._sell(guest, receipt(self.now, lines, points_to_spend=spend), self.now, [])
        if sale is None:
            return
        converted = len(guest.state.coupons) != len(before.coupons)
        self._reverse(guest, sale, {}, void=void)
        assert (guest.state.profile.cells, guest.state.profile.count) == (before.profile.cells, before.profile.count)
        assert self._remembered(guest.state) == self._remembered(before)
        assert guest.state.visits_made == before.visits_made
        never = any(programme.body.returns.points_gone != "negative" for programme in self.shop.definitions.at(self.now).programmes)
        limited = before.wallet("points").debt and (never or self.shop.definitions.settings.wallets["points"].floor is not None)
        if converted or limited or not self._gives_all_back(sale, void):
            return
        for name in self.wallets:
            assert guest.state.wallet(name).lots == before.wallet(name).lots
            assert guest.state.wallet(name).debt == before.wallet(name).debt

    def _remembered(self, state: MemberState) -> dict[str, Any]:
        """What is counted, less the days that a count on this day forgets."""
        oldest = local_day(self.now, "Europe/Berlin") - USAGE_DAYS
        return {
            key: (usage.points, usage.times, {day: pair for day, pair in usage.days.items() if day >= oldest})
            for key, usage in state.usage.items()
        }

    # -- what must hold --------------------------------------------------------------------------------------------------

    @invariant()
    def every_bucket_adds_up_and_the_ledger_proves_it(self) -> None:
        for guest in getattr(self, "guests", ()):
            postings = self.shop.postings(guest.state.member)
            for name, wallet in guest.state.wallets.items():
                in_lots = sum(lot.points for lot in wallet.lots)
                assert wallet.earned == in_lots + wallet.spent + wallet.expired + wallet.reversed
                on_hold = sum(hold.points for hold in guest.state.holds.values() if hold.wallet == name)
                assert in_lots == available(wallet, guest.state.holds, name) + on_hold + pending(wallet)
                assert min(wallet.earned, wallet.spent, wallet.expired, wallet.reversed, wallet.debt) >= 0
                assert all(lot.points > 0 for lot in wallet.lots)
                assert not wallet.debt or in_lots == pending(wallet), "who owes has nothing matured"
                self._booked(wallet, [each for each in postings if each.wallet == name])

    @staticmethod
    def _booked(wallet: Wallet, postings: list[Posting]) -> None:
        sums: Counter[str] = Counter()
        for each in postings:
            gives = each.points > 0 and each.kind != "give_back"
            bucket = "earned" if gives else "owed" if each.kind == "reverse" or each.expires_at == 0 else "spent"
            sums["expired" if each.kind == "expire" else bucket] += each.points
        assert sums.total() == sum(lot.points for lot in wallet.lots) - wallet.debt
        assert (sums["earned"], sums["expired"], sums["spent"]) == (wallet.earned, -wallet.expired, -wallet.spent)
        assert sums["owed"] == -(wallet.reversed + wallet.debt)

    @invariant()
    def never_more_comes_back_than_was_earned_or_spent(self) -> None:
        for sale in (each for guest in getattr(self, "guests", ()) for each in guest.sales):
            earned: Counter[str] = Counter()
            for award in sale.record.awards:
                earned[award.posting.wallet] += award.posting.points
            assert all(0 <= points <= sale.planned[wallet] <= earned[wallet] for wallet, points in sale.reversed.items())
            spent = -sum(posting.points for posting in sale.record.spent)
            assert 0 <= sale.given_back <= spent
            if sale.record.status in ("returned", "voided"):
                assert sale.planned == earned
                assert sale.value == sum(line.net for line in sale.sold.lines)
                assert sale.money == max(0, sale.value - sale.sold.paid_with_points)

    @invariant()
    def cells_are_what_was_kept(self) -> None:
        """By local day: purchases, value, quantity, and each category, counted anew from what has not come back."""
        for guest in getattr(self, "guests", ()):
            expected: dict[int, list[int]] = {}
            categories: dict[int, Counter[str]] = {}
            for sale in guest.sales:
                count, value, quantity, by = _kept(sale)
                day = local_day(sale.sold.at, "Europe/Berlin")
                row = expected.setdefault(day, [0, 0, 0])
                row[:] = [row[0] + count, row[1] + value, row[2] + quantity]
                categories.setdefault(day, Counter()).update(by)
            cells = dict(all_cells(guest.state.profile))
            assert {day: [cell.count, cell.value, cell.quantity] for day, cell in cells.items()} == {
                day: row for day, row in expected.items() if any(row)
            }
            for day, cell in cells.items():
                named = {name: pair[1] for name, pair in cell.by.items() if name.startswith("c:") and pair[1]}
                assert named == {name: value for name, value in categories[day].items() if value}
            assert guest.state.profile.count == sum(row[0] for row in expected.values())

    @invariant()
    def limits_count_what_was_kept(self) -> None:
        for guest in getattr(self, "guests", ()):
            counted: Counter[str] = Counter()
            for sale in guest.sales:
                for award in sale.record.awards:
                    gone = sum(share(points, *_units(sale, line)) for line, points in award.parts)
                    gone = award.posting.points if sale.record.status in ("returned", "voided") else gone
                    for key, points in award.usage:
                        counted[key] += points - points * gone // award.posting.points
            usage = {key: each.points for key, each in guest.state.usage.items() if not key.startswith("pay:") and each.points}
            assert usage == {key: points for key, points in counted.items() if points}

    @invariant()
    def it_is_awake_in_time(self) -> None:
        for guest in getattr(self, "guests", ()):
            state = guest.state
            assert state.timer is None or state.timer > state.as_of
            assert all(hold.until > state.as_of for hold in state.holds.values())
            assert state.tier is None or state.tier.until > state.as_of

    # -- how -------------------------------------------------------------------------------------------------------------

    def _sell(
        self, guest: Guest, request: TransactionRequest, at: Instant, coupons: list[PresentedCoupon], hold: str | None = None
    ) -> Bought | None:
        record = self.shop.sell(guest.state, request, at, coupons, now=self.now, hold=hold)
        if record is None:
            return None
        guest.sales.append(Bought(record, bought(self.shop.scope, record).sold))
        return guest.sales[-1]

    def _reverse(self, guest: Guest, sale: Bought, asked: dict[str, str | None], *, void: bool = False) -> None:
        if sale.record.status in ("returned", "voided"):
            return
        before = copy_state(guest.state)
        try:
            done = self.shop.reverse(guest.state, sale.record, asked, self.now, void=void)
        except NotReturnable:
            guest.state.as_of = max(before.as_of, guest.state.as_of)
            return
        sale.record = done.sale
        for posting in done.plan.earned:
            sale.planned[posting.wallet] += posting.points
        entries = [entry for entry in self.shop.ledger[guest.state.member] if entry.reference == sale.record.id]
        taken = [each for entry in entries for each in entry.postings if each.kind == "reverse"]
        sale.reversed = Counter()
        for each in taken:
            sale.reversed[each.wallet] -= each.points
        sale.given_back += done.given_back
        sale.money += done.plan.money
        sale.value += done.plan.value

    def _asked(self, data: st.DataObject, sale: Bought) -> dict[str, str | None]:
        asked: dict[str, str | None] = {}
        for line in sale.sold.lines:
            if data.draw(st.booleans()):
                asked[line.id] = data.draw(st.none() | st.integers(1, max(line.units, 1)).map(decimal))
        return asked

    def _coupon_of(self, state: MemberState) -> list[PresentedCoupon]:
        active = [id_ for id_, coupon in state.coupons.items() if coupon.state == "active"]
        if not active:
            return []
        kept = state.coupons[active[0]]
        presented = self.shop.coupon(state, "voucher", active[0], self.now)
        state.coupons[active[0]] = kept
        return [presented]

    def _gives_all_back(self, sale: Bought, void: bool) -> bool:
        return void or not sale.record.spent or sale.given_back == -sum(posting.points for posting in sale.record.spent)


def _units(sale: Bought, line_id: str) -> tuple[int, int]:
    """Of the line's units those that came back, and all: a correction comes back with the goods."""
    line = next(each for each in sale.sold.lines if each.id == line_id)
    if is_correction(line):
        return (int(_goods_gone(sale)), 1)
    return sale.record.returned.get(line_id, 0), line.units


def _goods_gone(sale: Bought) -> bool:
    if sale.record.status in ("returned", "voided"):
        return True
    goods = [line for line in sale.sold.lines if line.kind in PROFILE_KINDS and not is_correction(line)]
    return bool(goods) and all(sale.record.returned.get(line.id, 0) >= line.units for line in goods)


def _kept(sale: Bought) -> tuple[int, int, int, dict[str, int]]:
    """What of a sale still counts in the profile."""
    value = quantity = 0
    by: dict[str, int] = {}
    for line in sale.sold.lines:
        if line.kind not in PROFILE_KINDS:
            continue
        gone, of = _units(sale, line.id)
        left = line.net - share(line.net, gone, of)
        value += left
        quantity += (0 if gone >= of else line.units) if is_correction(line) else line.units - gone
        if line.category:
            by[f"c:{line.category}"] = by.get(f"c:{line.category}", 0) + left
    return int(not _goods_gone(sale)), value, quantity, by


TestReturns = ReturnMachine.TestCase
TestReturns.settings = PERSISTENT
