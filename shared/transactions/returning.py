"""What a return of a sale, or of a part of it, takes back and gives back. Pure.

Everything is counted from the sale as it was, up to what has come back in all, less what came back before: whatever the order
and the number of returns, their parts add up to the sale, to the last point. Each share of a line is rounded down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.instants import Instant
from shared.member_state.purchases import payments_key
from shared.member_state.tier_windows import points_dimension
from shared.profile.model import Visit
from shared.programmes.lines import Line
from shared.programmes.outcome import Award, Step
from shared.transactions.model import Decided
from shared.transactions.rules import PROFILE_KINDS, visit_of
from shared.wallet.model import DEBT, Posting

GiveBack = Literal["full", "pro_rata", "never"]
SHOWN: Final = 6
"""Lines whose shares a formula spells out."""


class NotReturnable(Unprocessable):
    """A line that the sale does not have, or more of it than is left."""

    code, title = "not_returnable", "Cannot be returned"


@dataclass(frozen=True, slots=True)
class Sold:
    """A sale, as far as returns ask. ``lines`` are as they were charged; ``coupons``: coupon id -> lines that it discounted."""

    at: Instant
    location: str
    channel: str
    lines: Sequence[Line]
    awards: Sequence[Award] = ()
    spent: Sequence[Posting] = ()
    """As booked: negative, in the order of drawing."""
    paid_with_points: int = 0
    """Minor units, where the points were a tender."""
    coupons: Mapping[str, Sequence[str]] | None = None
    paid_with_vouchers: Mapping[str, int] | None = None
    """Line -> what vouchers paid of it that count as tenders."""
    deducted: Mapping[str, int] | None = None
    """Line -> what points took off it, where they were a discount."""
    opened_visit: bool = False
    promotions: Mapping[str, Sequence[str]] | None = None
    """Promotion -> lines that it discounted."""
    booked: tuple[str, ...] | None = None
    """The dimensions that the profile was told of, so that nothing else is taken out of it. ``None``: those of its lines."""
    counts_units: bool = True
    """Whether it was told their quantities."""


@dataclass(frozen=True, slots=True)
class Part:
    """What comes back of a line. ``units`` are thousandths."""

    line: str
    units: int
    value: int
    points: int


@dataclass(frozen=True, slots=True)
class ReturnPlan:
    """What one return does. ``returned`` is what has come back in all, with it: line -> thousandths of units."""

    returned: dict[str, int]
    parts: tuple[Part, ...]
    value: int
    money: int
    earned: tuple[Posting, ...]
    """To be taken back, one posting an award."""
    spent: tuple[Posting, ...]
    """To be given back, signed as booked, last drawn first."""
    usage: tuple[tuple[str, int], ...]
    coupons: tuple[str, ...]
    """Everything that they discounted has come back."""
    promotions: tuple[str, ...]
    """Likewise."""
    visit: Visit
    whole: bool
    """Nothing is left of the sale."""
    trace: tuple[Step, ...] = ()
    """One step for each award of which something came back."""


def plan_return(
    sold: Sold,
    before: Mapping[str, int],
    wanted: Sequence[tuple[str, int | None]],
    give_back: Mapping[str, GiveBack],
    *,
    voided: bool = False,
) -> ReturnPlan:
    """``wanted`` are (line id, thousandths; ``None``: all that is left of it); empty: all that is left of the sale.

    ``before`` is what came back earlier, ``give_back`` the policy of each wallet (a wallet without one: ``pro_rata``). A void gives
    back everything that was paid with points, whatever the policy.
    ``NotReturnable`` with a pointer to each line that cannot come back.
    """
    after = _after(sold, before, wanted)
    whole = _all_back([line for line in sold.lines if not is_correction(line)], after)
    goods_were_gone, goods_gone = _goods_gone(sold, before), whole or _goods_gone(sold, after)
    earlier = _Progress(sold, before, goods_were_gone)
    now = _Progress(sold, after, goods_gone, whole=whole, voided=voided)
    parts = _parts(sold, earlier, now, before, after)
    visit_ends = goods_gone and not goods_were_gone
    return ReturnPlan(
        returned=after,
        parts=parts,
        value=now.value - earlier.value,
        money=now.money(give_back) - earlier.money(give_back),
        earned=tuple(
            replace(award.posting, points=now.points(award) - earlier.points(award))
            for award in sold.awards
            if now.points(award) > earlier.points(award)
        ),
        spent=_slice(sold.spent, earlier, now, give_back),
        usage=tuple(used for used in _usage(sold, earlier, now, give_back) if used[1] or whole),
        coupons=_come_back(sold, sold.coupons, before, after, whole),
        promotions=_come_back(sold, sold.promotions, before, after, whole),
        visit=_visit(sold, parts, ends=visit_ends),
        whole=whole,
        trace=tuple(_step(award, earlier, now) for award in sold.awards if now.points(award) > earlier.points(award)),
    )  # fmt: skip


def share(total: int, units: int, of: int) -> int:
    """The part of a line's total that so many of its units are, rounded down; the last unit brings the remainder."""
    return total if units >= of else total * units // of


def deducted_by_points(decided: Decided) -> dict[str, int]:
    """Line -> what a payment with points took off it, where it counted as a discount: what no coupon or promotion has taken off."""
    if decided.tendered or not decided.paid_with_points:
        return {}
    left = {line.id: line.amount - line.net for line in decided.lines}
    for line_id, part in decided.taken_off:
        left[line_id] -= part
    return {line_id: part for line_id, part in left.items() if part}


def is_correction(line: Line) -> bool:
    """A line by which the till lowered the bill: nothing of it can come back, it goes with the last of the goods."""
    return line.units <= 0 or line.amount < 0


class _Progress:
    """A sale after so much of it has come back: every number is a function of what has come back in all."""

    def __init__(
        self, sold: Sold, returned: Mapping[str, int], goods_gone: bool, *, whole: bool = False, voided: bool = False
    ) -> None:
        self.sold = sold
        self.returned = returned
        self.goods_gone = goods_gone
        self.whole = whole
        self.voided = voided
        self.total = sum(line.net for line in sold.lines)
        self.lines = {line.id: line for line in sold.lines}
        self.by_line = {line.id: self._share_of(line, line.net) for line in sold.lines}
        self.value = sum(self.by_line.values())
        self.worth = self._worth()

    def _worth(self) -> int:
        """The value with corrections spread over what they lowered: it never falls, and ends at the total.

        Money and points paid with are counted by it: with a correction that comes last, more would be given back than was paid.
        """
        positive = sum(line.net for line in self.sold.lines if line.net > 0)
        back = sum(self.by_line[line.id] for line in self.sold.lines if line.net > 0)
        return back * self.total // positive if positive and self.total > 0 else 0

    def _share_of(self, line: Line, total: int) -> int:
        if is_correction(line):
            return total if self.goods_gone else 0
        units = self.returned.get(line.id, 0)
        return share(total, units, line.units) if units else 0

    def fraction(self, line_id: str) -> str:
        """How much of a line has come back, for people: ``2/3``."""
        units = self.lines[line_id].units
        return f"{decimal(self.returned.get(line_id, 0))}/{decimal(units)}" if units > 0 else "1"

    def points_of(self, award: Award) -> dict[str, int]:
        """Line -> of what the award gave for it, what has come back."""
        return {id_: self._share_of(self.lines[id_], points) for id_, points in award.parts}

    def points(self, award: Award) -> int:
        """Of the award, what has come back."""
        return award.posting.points if self.whole else sum(self.points_of(award).values())

    def given_back(self, points: int, policy: GiveBack) -> int:
        """Of so many points paid with, what is given back by now."""
        if policy == "never" and not self.voided:
            return 0
        if self.whole:
            return points
        if policy == "full" and self.sold.paid_with_points:
            # Points before money: as many as the goods that came back are worth.
            return min(points, self.worth * points // self.sold.paid_with_points)
        if self.sold.deducted:
            taken_off = sum(self._share_of(self.lines[id_], value) for id_, value in self.sold.deducted.items())
            return points * taken_off // sum(self.sold.deducted.values())
        return points * self.worth // self.total if self.total > 0 else 0

    def money(self, give_back: Mapping[str, GiveBack]) -> int:
        """Of the worth of what came back, what was paid neither with points nor with vouchers."""
        vouchers = self.sold.paid_with_vouchers or {}
        by_voucher = sum(self._share_of(line, vouchers[line.id]) for line in self.sold.lines if line.id in vouchers)
        return max(0, self.worth - by_voucher - self.paid_back(give_back))

    def paid_back(self, give_back: Mapping[str, GiveBack]) -> int:
        """Of the value that came back, what had been paid with points (minor units): no money is owed for it."""
        paid = self.sold.paid_with_points
        if not paid:
            return 0
        if self.whole:
            return paid
        policy = give_back.get(self.sold.spent[0].wallet, "pro_rata") if self.sold.spent else "pro_rata"
        if policy == "full":
            return min(paid, self.worth)
        return paid * self.worth // self.total if self.total > 0 else 0


def _after(sold: Sold, before: Mapping[str, int], wanted: Sequence[tuple[str, int | None]]) -> dict[str, int]:
    """What has come back in all; ``NotReturnable`` if a line cannot."""
    lines = {line.id: line for line in sold.lines}
    after, errors = dict(before), []
    if not wanted:
        return {line.id: line.units for line in sold.lines if not is_correction(line)}
    for index, (line_id, units) in enumerate(wanted):
        line = lines.get(line_id)
        if line is None or is_correction(line):
            errors.append(FieldError(f"/lines/{index}/line_id", "unknown_line", "the sale has no such line that could come back"))
            continue
        left = line.units - before.get(line_id, 0)
        asked = left if units is None else units
        if asked <= 0 or asked > left:
            code = "more_than_bought" if asked > left or left == 0 else "invalid_value"
            errors.append(FieldError(f"/lines/{index}/quantity", code, f"{decimal(left)} of it are left to return"))
            continue
        after[line_id] = before.get(line_id, 0) + asked
    if errors:
        raise NotReturnable("Some of the lines cannot come back; see errors.", errors=tuple(errors))
    return after


def decimal(units: int) -> str:
    """Thousandths as the decimal that a till sends: 1500 is 1.5."""
    whole, part = divmod(units, 1000)
    return f"{whole}.{part:03d}".rstrip("0").rstrip(".") if part else str(whole)


def _all_back(lines: Sequence[Line], returned: Mapping[str, int]) -> bool:
    return all(returned.get(line.id, 0) >= line.units for line in lines)


def _goods_gone(sold: Sold, returned: Mapping[str, int]) -> bool:
    """Whether there were goods, and all of them have come back."""
    goods = [line for line in sold.lines if line.kind in PROFILE_KINDS and not is_correction(line)]
    return bool(goods) and _all_back(goods, returned)


def _step(award: Award, earlier: _Progress, now: _Progress) -> Step:
    """Of each line's points the share of the units that have come back in all, less what came back before."""
    back, was_back = now.points_of(award), earlier.points_of(award)
    lines = [line_id for line_id, _ in award.parts if back.get(line_id, 0) > was_back.get(line_id, 0)]
    given, before = dict(award.parts), earlier.points(award)
    shares = [f"{given[line_id]} x {now.fraction(line_id)}" for line_id in lines]
    formula = " + ".join(shares) if len(shares) <= SHOWN else f"the shares of {len(shares)} lines"
    return Step(
        programme=award.programme,
        version=award.version,
        rule="return",
        lines=tuple(lines),
        base=sum(now.by_line[line_id] - earlier.by_line[line_id] for line_id in lines),
        formula=f"{formula} - {before}" if before else formula,
        rounding="floor",
        points=before - now.points(award),
    )


def _parts(
    sold: Sold, earlier: _Progress, now: _Progress, before: Mapping[str, int], after: Mapping[str, int]
) -> tuple[Part, ...]:
    points: dict[str, int] = {}
    for award in sold.awards:
        had = earlier.points_of(award)
        for line_id, back in now.points_of(award).items():
            points[line_id] = points.get(line_id, 0) + back - had[line_id]
    found: list[Part] = []
    for line in sold.lines:
        goes_along = is_correction(line) and now.goods_gone and not earlier.goods_gone
        units = line.units if goes_along else after.get(line.id, 0) - before.get(line.id, 0)
        value = now.by_line[line.id] - earlier.by_line[line.id]
        if units or value or points.get(line.id, 0):
            found.append(Part(line.id, units, value, points.get(line.id, 0)))
    return tuple(found)


def _slice(spent: Sequence[Posting], earlier: _Progress, now: _Progress, give_back: Mapping[str, GiveBack]) -> tuple[Posting, ...]:
    """The points given back by this return, from those drawn last: a debt first, then what expires latest."""
    found: list[Posting] = []
    for wallet in dict.fromkeys(posting.wallet for posting in spent):
        drawn = [posting for posting in reversed(spent) if posting.wallet == wallet]
        # A debt is booked first, though it is what was missing when everything else was drawn.
        drawn.sort(key=lambda posting: posting.expires_at != DEBT)
        total, policy = -sum(posting.points for posting in drawn), give_back.get(wallet, "pro_rata")
        skip = earlier.given_back(total, policy)
        left = now.given_back(total, policy) - skip
        for posting in drawn:
            passed = min(skip, -posting.points)
            taken = min(left, -posting.points - passed)
            skip, left = skip - passed, left - taken
            if taken > 0:
                found.append(replace(posting, points=-taken))
    return tuple(found)


def _usage(sold: Sold, earlier: _Progress, now: _Progress, give_back: Mapping[str, GiveBack]) -> list[tuple[str, int]]:
    """What no longer counts towards limits: of each rule's points the share of the award that has come back, and payments given back."""
    found: list[tuple[str, int]] = []
    for award in sold.awards:
        total, done, gone = award.posting.points, earlier.points(award), now.points(award)
        found += [(key, points * gone // total - points * done // total) for key, points in award.usage]
    for wallet in dict.fromkeys(posting.wallet for posting in sold.spent):
        paid, policy = -sum(posting.points for posting in sold.spent if posting.wallet == wallet), give_back.get(wallet, "pro_rata")
        found.append((payments_key(wallet), now.given_back(paid, policy) - earlier.given_back(paid, policy)))
    return found


def _come_back(
    sold: Sold, used: Mapping[str, Sequence[str]] | None, before: Mapping[str, int], after: Mapping[str, int], whole: bool
) -> tuple[str, ...]:
    """Those whose last line comes back now; one that worked on no line comes back with the whole sale."""
    by_id = {line.id: line for line in sold.lines}

    def comes_back(ids: Sequence[str]) -> bool:
        lines = [by_id[id_] for id_ in ids]
        return _all_back(lines, after) and not _all_back(lines, before) if lines else whole

    return tuple(id_ for id_, lines in (used or {}).items() if comes_back(lines))


def returned_lines(sold: Sold, plan: ReturnPlan) -> list[Line]:
    """The lines as far as they come back: their share of the value, and their units."""
    by_id = {part.line: part for part in plan.parts}
    return [replace(line, net=by_id[line.id].value, units=by_id[line.id].units) for line in sold.lines if line.id in by_id]


def _visit(sold: Sold, parts: Sequence[Part], *, ends: bool) -> Visit:
    """What the profile loses. With the last of the goods the purchase itself: also for what came back before, and for its points."""
    by_id = {part.line: part for part in parts}
    lines = [
        replace(line, net=by_id[line.id].value, units=by_id[line.id].units) if line.id in by_id else replace(line, net=0, units=0)
        for line in sold.lines
        if ends or line.id in by_id
    ]
    hour = next((key[2:] for key in sold.booked or () if key[0] == "o"), "")
    opens_visit = sold.opened_visit and ends
    visit = _as_booked(visit_of(lines, sold.location, sold.channel, sold.at, count=int(ends), opens_visit=opens_visit, hour=hour), sold)
    earned_in = {points_dimension(award.posting.wallet): 0 for award in sold.awards} if ends else {}
    return replace(visit, by=visit.by | earned_in)


def _as_booked(visit: Visit, sold: Sold) -> Visit:
    """Without what the sale was not booked with, as those were that were recorded before the profile kept as much."""
    if sold.booked is None:
        return visit
    by = {key: value for key, value in visit.by.items() if key in sold.booked}
    units = {key: quantity for key, quantity in visit.units.items() if key in by}
    return replace(visit, by=by, units=units if sold.counts_units else dict.fromkeys(by, 0))
