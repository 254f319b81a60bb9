"""Which of the coupons on a basket are used together, and in which order. Pure; the order in which they were listed does not matter,
unless the tenant says so (``as_listed``).

Coupons work one after another, each on what the ones before left: by falling priority, then by offer and coupon. Of all sets that may
stand together, ``best_for_guest`` is the one that takes off most (then: of fewer coupons), ``best_for_margin`` the one that takes
off least among those to which no other coupon could be added. Up to ``EXACT`` coupons every set is tried; beyond that coupons are
taken in by what they are worth alone, the best ``WIDTH`` sets are followed, and the answer says that the search was bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.coupons.model import Coupon, OfferBody, Stacking
from shared.coupons.rules import Discount, Use, discount
from shared.programmes.lines import Line

Objective = Literal["best_for_guest", "best_for_margin", "as_listed"]
EXACT: Final = 12
WIDTH: Final = 16
MOST_TOGETHER: Final = 15
"""Coupons in one sale: each is a write of its transaction."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A coupon on the basket, at its place there."""

    place: int
    coupon: Coupon
    body: OfferBody


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is used, in the order of working, and why each other is not (``place`` -> its outcome, with a reason)."""

    used: tuple[tuple[Candidate, Discount], ...]
    refused: dict[int, Discount]
    exact: bool


@dataclass(frozen=True, slots=True)
class _Set:
    """Some of the candidates, applied."""

    used: tuple[tuple[Candidate, Discount], ...] = ()
    nets: tuple[int, ...] = ()
    taken: int = 0
    paid: int = 0


def choose(candidates: Sequence[Candidate], lines: Sequence[Line], use: Use, objective: Objective) -> Chosen:
    """The best set. Cost: two to the power of the candidates (at most ``EXACT``), each one discount over the lines."""
    in_order = list(candidates)
    if objective != "as_listed":
        in_order.sort(key=lambda each: (-each.body.stacking.priority, each.coupon.offer, each.coupon.id))
    start = _Set(nets=tuple(line.net for line in lines))
    # What cannot be used alone, for a reason of its own, is no candidate: most baskets have few left then.
    lines = [replace(line) for line in lines]
    alone = {each.place: discount(each.coupon, each.body, lines, use) for each in in_order}
    possible = [each for each in in_order if alone[each.place].reason in (None, "below_minimum_basket", "below_minimum_quantity")]
    exact = len(possible) <= EXACT
    if objective == "as_listed":
        best = _greedy(possible, lines, use, start)
    else:
        sets = _every_set(possible, lines, use, start) if exact else _best_sets(possible, alone, lines, use, start, objective)
        if objective == "best_for_margin":
            sets = [each for each in sets if not _could_grow(each, possible, lines, use)]
        best = max(sets, key=lambda each: _merit(each, objective), default=start)
    refused = {each.place: _why_not(each, best, alone[each.place], lines, use) for each in in_order if not _has(best, each)}
    return Chosen(best.used, refused, exact)


def together(first: Stacking, second: Stacking) -> bool:
    """Whether two offers may stand beside each other."""
    if first.exclusive or second.exclusive:
        return False
    if first.group is not None and first.group == second.group:
        return False
    return all(one.combines_with is None or other.group in one.combines_with for one, other in ((first, second), (second, first)))


def _every_set(possible: Sequence[Candidate], lines: Sequence[Line], use: Use, start: _Set) -> list[_Set]:
    """Every set that may stand together, each in the order of working."""
    found = [start]
    for candidate in possible:
        found += [bigger for each in found if (bigger := _with(each, candidate, lines, use)) is not None]
    return found


def _best_sets(
    possible: Sequence[Candidate], alone: Mapping[int, Discount], lines: Sequence[Line], use: Use, start: _Set, objective: Objective
) -> list[_Set]:
    """The best of the sets that grow from what is worth most alone; each is worked through in the order of working anew."""
    order = {each.place: rank for rank, each in enumerate(possible)}
    found = [start]
    for candidate in sorted(possible, key=lambda each: (-alone[each.place].amount, order[each.place])):
        for each in list(found):
            wanted = sorted([*(one for one, _ in each.used), candidate], key=lambda one: order[one.place])
            grown: _Set | None = start
            for one in wanted:
                grown = _with(grown, one, lines, use) if grown is not None else None
            if grown is not None:
                found.append(grown)
        found = sorted(found, key=lambda each: _merit(each, objective), reverse=True)[:WIDTH]
    return found


def _could_grow(found: _Set, possible: Sequence[Candidate], lines: Sequence[Line], use: Use) -> bool:
    return any(_with(found, other, lines, use) is not None for other in possible if not _has(found, other))


def _greedy(possible: Sequence[Candidate], lines: Sequence[Line], use: Use, start: _Set) -> _Set:
    """One after another as listed; an exclusive one that comes first keeps the others out, one that comes later is kept out."""
    best = start
    for candidate in possible:
        best = _with(best, candidate, lines, use) or best
    return best


def _with(before: _Set, candidate: Candidate, lines: Sequence[Line], use: Use) -> _Set | None:
    """The set with one more, if it may stand there and takes something off."""
    if len(before.used) >= MOST_TOGETHER or not all(_may_join(each, candidate) for each, _ in before.used):
        return None
    left = _left_by(before, lines)
    outcome = discount(candidate.coupon, candidate.body, left, use, before.paid)
    if outcome.reason is not None:
        return None
    parts = dict(outcome.lines) if not outcome.tender else {}
    nets = tuple(line.net - parts.get(line.id, 0) for line in left) if parts else before.nets
    paid = before.paid + (outcome.amount if outcome.tender else 0)
    return _Set((*before.used, (candidate, outcome)), nets, before.taken + outcome.amount, paid)


def _left_by(found: _Set, scratch: Sequence[Line]) -> list[Line]:
    """The lines as the set leaves them: the scratch lines themselves, since a copy of each line for each set would be most of the work."""
    for line, net in zip(scratch, found.nets, strict=True):
        line.net = net
    return list(scratch)


def _may_join(one: Candidate, other: Candidate) -> bool:
    twice_of_a_limited_offer = one.coupon.offer == other.coupon.offer and other.body.limit is not None
    return not twice_of_a_limited_offer and one.coupon.id != other.coupon.id and together(one.body.stacking, other.body.stacking)


def _merit(each: _Set, objective: Objective) -> tuple[int, int]:
    """Greater is better. Added items have no price here: what gives them counts as one more coupon used."""
    gifts = sum(bool(outcome.added) for _, outcome in each.used)
    if objective == "best_for_margin":
        return -each.taken, len(each.used)
    return each.taken, 2 * gifts - len(each.used)


def _why_not(candidate: Candidate, best: _Set, alone: Discount, lines: Sequence[Line], use: Use) -> Discount:
    """Its own reason; that it cannot stand beside what is used; or that the guest (or the house) is better off without it."""
    if alone.reason is not None:
        return alone
    if any(each.coupon.id == candidate.coupon.id for each, _ in best.used):
        return Discount(reason="listed_twice")
    if not all(_may_join(each, candidate) for each, _ in best.used) or len(best.used) >= MOST_TOGETHER:
        return Discount(reason="not_combinable")
    after = discount(candidate.coupon, candidate.body, _left_by(best, lines), use, best.paid)
    return after if after.reason is not None else Discount(reason="better_without")


def _has(found: _Set, candidate: Candidate) -> bool:
    return any(each.place == candidate.place for each, _ in found.used)
