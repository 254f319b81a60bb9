"""What a return of a sale, or of a part of it, takes back and gives back. Pure.

Everything is counted from the sale as it was, up to what has come back in all, less what came back before: whatever the order
and the number of returns, their parts add up to the sale, to the last point. Each share of a line is rounded down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.instants import Instant
from shared.profile.model import Visit
from shared.programmes.lines import Line
from shared.programmes.outcome import Award
from shared.transactions.rules import PROFILE_KINDS, visit_of
from shared.wallet.model import Posting

GiveBack = Literal["full", "pro_rata", "never"]


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
    opened_visit: bool = False


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
    visit: Visit
    whole: bool
    """Nothing is left of the sale."""


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
    goods_were_gone, goods_gone = _goods_gone(sold, before), _goods_gone(sold, after)
    whole = all(after.get(line.id, 0) >= line.units for line in sold.lines if line.units > 0)
    earlier = _Progress(sold, before, goods_were_gone)
    now = _Progress(sold, after, goods_gone, whole=whole, voided=voided)
    parts = _parts(sold, earlier, now, before, after)
    visit_ends = goods_gone and not goods_were_gone
    return ReturnPlan(
        returned=after,
        parts=parts,
        value=now.value - earlier.value,
        money=(now.value - now.paid_back(give_back)) - (earlier.value - earlier.paid_back(give_back)),
        earned=tuple(
            replace(award.posting, points=now.points(award) - earlier.points(award))
            for award in sold.awards
            if now.points(award) > earlier.points(award)
        ),
        spent=_slice(sold.spent, earlier, now, give_back),
        usage=tuple((key, points) for award in sold.awards for key, points in _usage(award, earlier, now) if points or whole),
        coupons=_coupons(sold, before, after),
        visit=visit_of(
            _as_lines(sold, parts), sold.location, sold.channel, sold.at,
            count=int(visit_ends), opens_visit=sold.opened_visit and visit_ends,
        ),
        whole=whole,
    )  # fmt: skip


def share(total: int, units: int, of: int) -> int:
    """The part of a line's total that so many of its units are, rounded down; the last unit brings the remainder."""
    return total if units >= of else total * units // of


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
        self.by_line = {line.id: self._share_of(line, line.net) for line in sold.lines}
        self.value = sum(self.by_line.values())

    def _share_of(self, line: Line, total: int) -> int:
        if line.units <= 0:
            # A correction by the till has no units that could come back one by one: it goes with the last of the goods.
            return total if self.goods_gone else 0
        units = self.returned.get(line.id, 0)
        return share(total, units, line.units) if units else 0

    def points_of(self, award: Award, line_id: str) -> int:
        """Of what the award gave for the line, what has come back."""
        line = next(each for each in self.sold.lines if each.id == line_id)
        given = dict(award.parts).get(line_id, 0)
        return self._share_of(line, given)

    def points(self, award: Award) -> int:
        """Of the award, what has come back."""
        return award.posting.points if self.whole else sum(self.points_of(award, line_id) for line_id, _ in award.parts)

    def given_back(self, points: int, policy: GiveBack) -> int:
        """Of so many points paid with, what is given back by now."""
        if policy == "never" and not self.voided:
            return 0
        if self.whole:
            return points
        if policy == "full" and self.sold.paid_with_points:
            # Points before money: as many as the goods that came back are worth.
            return min(points, max(0, self.value) * points // self.sold.paid_with_points)
        return points * max(0, self.value) // self.total if self.total > 0 else 0

    def paid_back(self, give_back: Mapping[str, GiveBack]) -> int:
        """Of the value that came back, what had been paid with points (minor units): no money is owed for it."""
        paid = self.sold.paid_with_points
        if not paid:
            return 0
        if self.whole:
            return paid
        policy = give_back.get(self.sold.spent[0].wallet, "pro_rata") if self.sold.spent else "pro_rata"
        if policy == "full":
            return min(paid, max(0, self.value))
        return paid * max(0, self.value) // self.total if self.total > 0 else 0


def _after(sold: Sold, before: Mapping[str, int], wanted: Sequence[tuple[str, int | None]]) -> dict[str, int]:
    """What has come back in all; ``NotReturnable`` if a line cannot."""
    lines = {line.id: line for line in sold.lines}
    after, errors = dict(before), []
    if not wanted:
        return {line.id: line.units for line in sold.lines if line.units > 0}
    for index, (line_id, units) in enumerate(wanted):
        line = lines.get(line_id)
        if line is None or line.units <= 0:
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


def _goods_gone(sold: Sold, returned: Mapping[str, int]) -> bool:
    goods = [line for line in sold.lines if line.kind in PROFILE_KINDS and line.units > 0]
    return all(returned.get(line.id, 0) >= line.units for line in goods)


def _parts(
    sold: Sold, earlier: _Progress, now: _Progress, before: Mapping[str, int], after: Mapping[str, int]
) -> tuple[Part, ...]:
    found: list[Part] = []
    for line in sold.lines:
        units = after.get(line.id, 0) - before.get(line.id, 0)
        value = now.by_line[line.id] - earlier.by_line[line.id]
        points = sum(now.points_of(award, line.id) - earlier.points_of(award, line.id) for award in sold.awards)
        if units or value or points:
            correction = line.units <= 0 and now.goods_gone and not earlier.goods_gone
            found.append(Part(line.id, line.units if correction else units, value, points))
    return tuple(found)


def _slice(spent: Sequence[Posting], earlier: _Progress, now: _Progress, give_back: Mapping[str, GiveBack]) -> tuple[Posting, ...]:
    """The points given back by this return, from those drawn last: with them the guest keeps what expires latest."""
    found: list[Posting] = []
    for wallet in dict.fromkeys(posting.wallet for posting in spent):
        drawn = [posting for posting in reversed(spent) if posting.wallet == wallet]
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


def _usage(award: Award, earlier: _Progress, now: _Progress) -> list[tuple[str, int]]:
    """What no longer counts towards limits: of each rule's points the share of the award that has come back."""
    total = award.posting.points
    done, gone = (progress.points(award) for progress in (earlier, now))
    return [(key, points * gone // total - points * done // total) for key, points in award.usage]


def _coupons(sold: Sold, before: Mapping[str, int], after: Mapping[str, int]) -> tuple[str, ...]:
    units = {line.id: line.units for line in sold.lines}

    def all_back(lines: Sequence[str], returned: Mapping[str, int]) -> bool:
        return all(returned.get(line, 0) >= units[line] for line in lines)

    return tuple(id_ for id_, lines in (sold.coupons or {}).items() if all_back(lines, after) and not all_back(lines, before))


def _as_lines(sold: Sold, parts: Sequence[Part]) -> list[Line]:
    by_id = {part.line: part for part in parts}
    return [replace(line, net=by_id[line.id].value, units=by_id[line.id].units) for line in sold.lines if line.id in by_id]
