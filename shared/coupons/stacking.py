"""Which of the coupons and promotions on a basket are used together, and in which order. Pure; the order in which coupons were listed
does not matter, unless the tenant says so (``as_listed``: promotions come after the coupons).

They work one after another, each on what the ones before left: by falling priority, then coupons (by offer and coupon) before promotions
(by id). Of all sets that may stand together, ``best_for_guest`` is the one that takes off most (then: of fewer), ``best_for_margin``
the one that takes off least among those to which no other could be added. What has nothing to do with each other (other lines, no
stacking) is chosen by itself: that changes no result. Of up to ``EXACT`` that depend on each other every set is tried; beyond that they
are taken in by what they are worth alone, the best ``WIDTH`` sets are followed, and the answer says that the search was bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.coupons.effects import GIVES_POINTS, FreeItem, Voucher
from shared.coupons.independence import Touch, independent_parts
from shared.coupons.limits import UNLIMITED
from shared.coupons.model import Coupon, OfferTerms, Promotion, Stacking
from shared.coupons.rules import Discount, Use, discount, limit_reason
from shared.programmes.lines import Line, selects

Objective = Literal["best_for_guest", "best_for_margin", "as_listed"]
EXACT: Final = 12
WIDTH: Final = 16
MOST_TOGETHER: Final = 15
"""Coupons in one sale, and promotions with a limit or a budget: each is a write of its transaction."""
MOST_GROUP_BUDGETS: Final = 20
"""Budgets of groups of locations that all of them take from together: each is a write more. One alone has never more."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A coupon on the basket, at its place there, or a promotion that may apply to it, at a place of its own."""

    place: int
    source: Coupon | Promotion
    body: OfferTerms
    group_budgets: int = 0
    """How many budgets of groups that the location is in it takes from."""

    @property
    def key(self) -> str:
        """Of its offer or promotion."""
        return self.source.key

    @property
    def is_written(self) -> bool:
        """Whether its use is a write of the sale's transaction."""
        limits = self.body.limits
        return isinstance(self.source, Coupon) or self.body.limit is not None or (limits is not UNLIMITED and limits.of_value)

    @property
    def working_order(self) -> tuple[int, bool, str, str]:
        """By falling priority, coupons first, by offer or promotion, by coupon."""
        name = self.source.offer if isinstance(self.source, Coupon) else self.source.id
        return -self.body.stacking.priority, isinstance(self.source, Promotion), name, self.source.id

    @property
    def listed_order(self) -> tuple[bool, int, str, int]:
        """Coupons as listed, then promotions by falling priority, then id."""
        is_promotion = isinstance(self.source, Promotion)
        return is_promotion, -self.body.stacking.priority if is_promotion else 0, self.source.id if is_promotion else "", self.place


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
    written: int = 0
    """How many of them are writes of the sale's transaction."""

    @property
    def group_budgets(self) -> int:
        """How many budgets of groups they take from. Counted where it is asked: hardly any set takes from one."""
        return sum(candidate.group_budgets for candidate, _ in self.used)


def choose(candidates: Sequence[Candidate], lines: Sequence[Line], use: Use, objective: Objective) -> Chosen:
    """The best set. Cost: two to the power of the candidates that depend on each other (at most ``EXACT``), each one discount."""
    as_listed = objective == "as_listed"
    in_order = sorted(candidates, key=lambda each: each.listed_order if as_listed else each.working_order)
    start = _Set(nets=tuple(line.net for line in lines))
    # What cannot be used alone can be used in no set (others only lower what it looks at): most baskets have few candidates left then.
    lines = [replace(line) for line in lines]
    alone = {each.place: discount(each.source, each.body, lines, use) for each in in_order}
    possible = [each for each in in_order if alone[each.place].reason is None]
    exact = True
    if objective == "as_listed":
        best = _greedy(possible, alone, lines, use, start)
    else:
        best, exact = _best(possible, alone, lines, use, start, objective)
    refused = {each.place: _why_not(each, best, alone[each.place], lines, use) for each in in_order if not _has(best, each)}
    return Chosen(best.used, refused, exact)


def together(first: Stacking, second: Stacking) -> bool:
    """Whether two offers may stand beside each other."""
    if first.exclusive or second.exclusive:
        return False
    if first.group is not None and first.group == second.group:
        return False
    return all(one.combines_with is None or other.group in one.combines_with for one, other in ((first, second), (second, first)))


def _best(
    possible: Sequence[Candidate], alone: Mapping[int, Discount], lines: Sequence[Line], use: Use, start: _Set, objective: Objective
) -> tuple[_Set, bool]:
    """The best of every part that is independent of the others, together; and whether every set was tried."""
    if not possible:
        return start, True
    independent = independent_parts([_touch(each, lines) for each in possible], lambda one, other: _depend(possible[one], possible[other]))
    members = [[possible[place] for place in places] for places in independent]
    chosen = [_best_of(each, alone, lines, use, start, objective) for each in members]
    if sum(each.written for each in chosen) > MOST_TOGETHER or _too_many_groups(possible, chosen):
        # More than may be used: which of them to leave out is a question for all.
        members, chosen = [list(possible)], [_best_of(possible, alone, lines, use, start, objective)]
    exact = max(map(len, members)) <= EXACT
    if len(chosen) == 1:
        return chosen[0], exact
    used = {candidate.place for each in chosen for candidate, _ in each.used}
    return _greedy([each for each in possible if each.place in used], alone, lines, use, start), exact


def _too_many_groups(possible: Sequence[Candidate], chosen: Sequence[_Set]) -> bool:
    some_have_any = any(each.group_budgets for each in possible)
    return some_have_any and sum(each.group_budgets for each in chosen) > MOST_GROUP_BUDGETS


def _best_of(
    possible: Sequence[Candidate], alone: Mapping[int, Discount], lines: Sequence[Line], use: Use, start: _Set, objective: Objective
) -> _Set:
    every = len(possible) <= EXACT
    sets = _every_set(possible, alone, lines, use, start) if every else _best_sets(possible, alone, lines, use, start, objective)
    if objective == "best_for_margin":
        sets = [each for each in sets if not _could_grow(each, possible, alone, lines, use)]
    return max(sets, key=lambda each: _merit(each, objective), default=start)


def _touch(candidate: Candidate, lines: Sequence[Line]) -> Touch:
    """The lines that decide what it takes off: those that it is about, and those of its minimum while that counts discounts."""
    body = candidate.body
    gives = isinstance(body.effect, GIVES_POINTS) or (isinstance(body.effect, FreeItem) and body.effect.how == "added")
    scoped = frozenset(line.id for line in lines if not gives and line.net > 0 and selects(body.scope, line))
    reads = scoped
    if body.minimum_basket and body.minimum_counts == "after_discounts":
        reads |= {line.id for line in lines if selects(body.minimum_of, line)}
    if isinstance(body.effect, Voucher):
        # It pays what is left of the bill, and what it pays others cannot.
        scoped = reads = frozenset(line.id for line in lines)
    stacking = body.stacking
    stands_with_all = not stacking.exclusive and stacking.group is None and stacking.combines_with is None
    return Touch(reads, scoped, stands_with_all and isinstance(candidate.source, Promotion))


def _depend(one: Candidate, other: Candidate) -> bool:
    """Whether the terms of one say anything of the other; of one offer they share its limits."""
    return one.key == other.key or not _may_join(one, other)


def _every_set(
    possible: Sequence[Candidate], alone: Mapping[int, Discount], lines: Sequence[Line], use: Use, start: _Set
) -> list[_Set]:
    """Every set that may stand together, each in the order of working."""
    found = [start]
    for candidate in possible:
        found += [bigger for each in found if (bigger := _with(each, candidate, alone[candidate.place], lines, use)) is not None]
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
                grown = _with(grown, one, alone[one.place], lines, use) if grown is not None else None
            if grown is not None:
                found.append(grown)
        found = sorted(found, key=lambda each: _merit(each, objective), reverse=True)[:WIDTH]
    return found


def _could_grow(
    found: _Set, possible: Sequence[Candidate], alone: Mapping[int, Discount], lines: Sequence[Line], use: Use
) -> bool:
    return any(_with(found, other, alone[other.place], lines, use) is not None for other in possible if not _has(found, other))


def _greedy(
    possible: Sequence[Candidate], alone: Mapping[int, Discount], lines: Sequence[Line], use: Use, start: _Set
) -> _Set:
    """One after another as listed; an exclusive one that comes first keeps the others out, one that comes later is kept out."""
    best = start
    for candidate in possible:
        best = _with(best, candidate, alone[candidate.place], lines, use) or best
    return best


def _with(before: _Set, candidate: Candidate, alone: Discount, lines: Sequence[Line], use: Use) -> _Set | None:
    """The set with one more, if it may stand there and takes something off; ``alone`` is what it does where it is the first."""
    if _is_full(before, candidate) or not all(_may_join(each, candidate) for each, _ in before.used):
        return None
    if _limit(before, candidate, use) is not None:
        return None
    outcome = discount(candidate.source, candidate.body, _left_by(before, lines), use, before.paid) if before.used else alone
    if outcome.reason is not None:
        return None
    parts = dict(outcome.lines) if not outcome.tender else {}
    nets = tuple(net - parts.get(line.id, 0) for line, net in zip(lines, before.nets, strict=True)) if parts else before.nets
    paid = before.paid + (outcome.amount if outcome.tender else 0)
    written = before.written + candidate.is_written
    return _Set((*before.used, (candidate, outcome)), nets, before.taken + outcome.amount, paid, written)


def _is_full(found: _Set, candidate: Candidate) -> bool:
    if candidate.group_budgets and found.group_budgets + candidate.group_budgets > MOST_GROUP_BUDGETS:
        return True
    return found.written >= MOST_TOGETHER and candidate.is_written


def _left_by(found: _Set, scratch: Sequence[Line]) -> list[Line]:
    """The lines as the set leaves them: the scratch lines themselves, since a copy of each line for each set would be most of the work."""
    for line, net in zip(scratch, found.nets, strict=True):
        line.net = net
    return list(scratch)


def _may_join(one: Candidate, other: Candidate) -> bool:
    twice_of_a_limited_offer = one.key == other.key and other.body.limit is not None
    return not twice_of_a_limited_offer and not _same(one, other) and together(one.body.stacking, other.body.stacking)


def _same(one: Candidate, other: Candidate) -> bool:
    """Whether they are one coupon, or one promotion."""
    return one.key == other.key and one.source.id == other.source.id


def _limit(before: _Set, candidate: Candidate, use: Use) -> str | None:
    """Why the member may not use the offer once more beside the uses of it in the set."""
    if not candidate.body.limits.of_member:
        return None
    same = sum(each.key == candidate.key for each, _ in before.used)
    return limit_reason(candidate.body, candidate.key, use, same) if same else None


def _merit(each: _Set, objective: Objective) -> tuple[int, int]:
    """Greater is better. Added items and points have no price here: what gives them counts as one more coupon used."""
    gifts = sum(outcome.gift for _, outcome in each.used)
    if objective == "best_for_margin":
        return -each.taken, len(each.used)
    return each.taken, 2 * gifts - len(each.used)


def _why_not(candidate: Candidate, best: _Set, alone: Discount, lines: Sequence[Line], use: Use) -> Discount:
    """Its own reason; that it cannot stand beside what is used; or that the guest (or the house) is better off without it."""
    short_of_its_minimum = alone.reason in ("below_minimum_basket", "below_minimum_quantity")
    if alone.reason is not None and not (short_of_its_minimum and isinstance(candidate.source, Promotion)):
        return alone
    if any(_same(each, candidate) for each, _ in best.used):
        return Discount(reason="listed_twice")
    if not all(_may_join(each, candidate) for each, _ in best.used) or _is_full(best, candidate):
        return Discount(reason="not_combinable")
    limit = _limit(best, candidate, use)
    if limit is not None:
        return Discount(reason=limit)
    after = discount(candidate.source, candidate.body, _left_by(best, lines), use, best.paid)
    return after if after.reason is not None else Discount(reason="better_without")


def _has(found: _Set, candidate: Candidate) -> bool:
    return any(each.place == candidate.place for each, _ in found.used)
