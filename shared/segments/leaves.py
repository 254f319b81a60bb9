"""What each leaf answers: (truth, valid until), and the value that it looked at. The plain reading of the language.

``valid until`` is the first later instant at which the truth changes if nothing happens but time, ``NEVER`` if it never
does: it is exact, not merely early. ``explain`` shows these answers, and they decide for the few profiles that the compiled
function hands back (see ``shared.segments.series``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from shared.kernel.instants import DAY, HOUR, NEVER, Instant, date_of, day_start, local_day
from shared.member_state.model import Facts, MemberState
from shared.profile.model import Cell, Profile
from shared.profile.rules import all_cells, leaders
from shared.segments.birthdays import age, birthday, years_old
from shared.segments.model import (
    COMPARE,
    Age,
    AllOf,
    AnyOf,
    Attribute,
    Balance,
    Birthday,
    ConsentGiven,
    CouponHeld,
    Favourite,
    Leaf,
    Not,
    Purchases,
    Rule,
    SinceLastPurchase,
    TagShare,
)

Truth = bool | None
Amounts = Mapping[Hashable, int]


@dataclass(frozen=True, slots=True)
class Moment:
    """Whom is asked about, and when. ``zone`` is the tenant's."""

    state: MemberState
    facts: Facts | None
    now: Instant
    zone: str

    @property
    def today(self) -> int:
        """The local day."""
        return local_day(self.now, self.zone)


class Answer(NamedTuple):
    """Unknown is None. ``value`` is what a person is shown."""

    truth: Truth
    until: Instant
    value: object = None


def answer(leaf: Leaf, moment: Moment) -> Answer:
    """The answer of one leaf."""
    return _ANSWERS[leaf.kind](leaf, moment)


class Signed(NamedTuple):
    """A three-valued answer as two yes/no answers, each the instant until which it holds: positive for yes, negative for no.

    With signs, ``all`` is the minimum, ``any`` the maximum and ``not`` the negation: if all are true the earliest instant
    counts, and if some are false the latest of those, as the least number. Unknown is (no, yes).
    """

    surely: int
    """Is it true?"""
    perhaps: int
    """Is it true or unknown?"""


def signed(rule: Rule, moment: Moment) -> Signed:
    """The answer of a tree. Sound: the truth does not change before the instant, though it may be the same after it."""
    if isinstance(rule, AllOf | AnyOf):
        pick = min if isinstance(rule, AllOf) else max
        parts = [signed(child, moment) for child in rule.rules]
        return Signed(pick(part.surely for part in parts), pick(part.perhaps for part in parts))
    if isinstance(rule, Not):
        inner = signed(rule.rule, moment)
        return Signed(-inner.perhaps, -inner.surely)
    return to_signed(*answer(rule, moment)[:2])


def to_signed(truth: Truth, until: Instant) -> Signed:
    """See ``Signed``."""
    return Signed(until if truth else -until, -until if truth is False else until)


def from_signed(surely: int, perhaps: int) -> tuple[Truth, Instant]:
    """The truth, and until when it stays: an unknown ends when it becomes true or false, whichever may come first."""
    if surely > 0:
        return True, surely
    if perhaps < 0:
        return False, -perhaps
    return None, min(-surely, perhaps)


def attribute_value(state: MemberState, name: str) -> str | int | bool | None:
    """The value of a built-in or declared attribute, None if there is none. Empty text is none."""
    prefix, colon, rest = name.partition(":")
    if colon:
        return rest in (state.identifier_kinds if prefix == "has_identifier" else state.known)
    if name == "tier":
        return state.tier.id if state.tier is not None else None
    built_in: dict[str, str | int | bool] = {
        "status": state.status, "join_source": state.join_source, "join_location": state.join_location,
        "has_device": bool(state.devices), "lifetime_purchases": state.profile.count, "lifetime_value": state.profile.value,
    }  # fmt: skip
    value = built_in[name] if name in built_in else state.attributes.get(name)
    return None if value == "" else value


def _attribute(leaf: Attribute, moment: Moment) -> Answer:
    value = attribute_value(moment.state, leaf.name)
    if leaf.op in {"exists", "missing"}:
        return Answer((value is not None) == (leaf.op == "exists"), NEVER, value)
    choices = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    if type(value) is not type(choices[0]):
        return Answer(None, NEVER, value)
    return Answer(value in choices if leaf.op == "in" else COMPARE[leaf.op](value, leaf.value), NEVER, value)


def look_ahead(
    profile: Profile, days: int, moment: Moment, amounts: Callable[[Cell], Amounts], judge: Callable[[Amounts], Truth]
) -> tuple[Truth, Instant, Amounts]:
    """The truth over the window's sums today, the first instant at which passing days change it, and the sums today.

    Linear in the cells: cells enter and leave in order of day and their amounts are added and taken away.
    """
    today, sums = moment.today, dict[Hashable, int]()
    changes: dict[int, list[tuple[int, Cell]]] = {}
    for day, cell in all_cells(profile):
        if day > today:
            changes.setdefault(day, []).append((1, cell))
        elif day > today - days:
            _add(sums, amounts(cell), 1)
        if day > today - days:
            changes.setdefault(day + days, []).append((-1, cell))
    truth, found = judge(sums), dict(sums)
    for day in sorted(changes):
        for sign, cell in changes[day]:
            _add(sums, amounts(cell), sign)
        if judge(sums) is not truth:
            return truth, day_start(day, moment.zone), found
    return truth, NEVER, found


def _add(sums: dict[Hashable, int], amounts: Amounts, sign: int) -> None:
    for key, amount in amounts.items():
        sums[key] = sums.get(key, 0) + sign * amount


def _purchases(leaf: Purchases, moment: Moment) -> Answer:
    dimension, compare = leaf.dimension, COMPARE[leaf.op]

    def amounts(cell: Cell) -> Amounts:
        if dimension is None:
            return {"count": cell.count, "value": cell.value, "quantity": cell.quantity}
        count, value = cell.by.get(dimension, (0, 0))
        return {"count": count, "value": value}

    def judge(sums: Amounts) -> Truth:
        if leaf.metric != "average":
            return compare(sums.get(leaf.metric, 0), leaf.value)
        count = sums.get("count", 0)
        return compare(sums["value"], leaf.value * count) if count > 0 else None

    return Answer(*look_ahead(moment.state.profile, leaf.days, moment, amounts, judge))


def _tag_share(leaf: TagShare, moment: Moment) -> Answer:
    def judge(sums: Amounts) -> Truth:
        total = sums.get("total", 0)
        return COMPARE[leaf.op](100 * sums["tagged"], leaf.percent * total) if total > 0 else None

    def amounts(cell: Cell) -> Amounts:
        return {"tagged": cell.by.get(f"t:{leaf.tag}", (0, 0))[1], "total": cell.value}

    return Answer(*look_ahead(moment.state.profile, leaf.days, moment, amounts, judge))


LETTERS: Final = {"location": "l", "category": "c", "channel": "h", "tag": "t"}


def _favourite(leaf: Favourite, moment: Moment) -> Answer:
    letter, names = LETTERS[leaf.of], leaf.names

    def amounts(cell: Cell) -> Amounts:
        mine = [(key[2:], pair) for key, pair in cell.by.items() if key[0] == letter]
        return {(name, column): pair[column] for name, pair in mine for column in (0, 1)}

    def lead(sums: Mapping[Any, int]) -> tuple[str, ...]:
        return leaders({name: (sums[name, 0], sums[name, 1]) for name, column in sums if column == 0})

    def judge(sums: Amounts) -> Truth:
        tied = lead(sums)
        return not names.isdisjoint(tied) if tied else None

    truth, until, sums = look_ahead(moment.state.profile, leaf.days, moment, amounts, judge)
    return Answer(truth, until, lead(sums))


def _since_last(leaf: SinceLastPurchase, moment: Moment) -> Answer:
    last = moment.state.profile.last_at
    if last is None:
        return Answer(None, NEVER)
    due = last + distance(leaf)
    passed = moment.now >= due
    return Answer(passed == (leaf.op == "at_least"), NEVER if passed else due, last)


def distance(leaf: SinceLastPurchase) -> int:
    """The milliseconds asked for."""
    return leaf.days * DAY if leaf.days is not None else (leaf.hours or 0) * HOUR


def _consent(leaf: ConsentGiven, moment: Moment) -> Answer:
    consent = moment.state.consents.get(f"{leaf.purpose}:{leaf.channel}")
    return Answer(None, NEVER) if consent is None else Answer(consent.granted == leaf.granted, NEVER, consent.granted)


def _birth_date(moment: Moment) -> int | None:
    return moment.facts.birth_date if moment.facts is not None else None


def _birthday(leaf: Birthday, moment: Moment) -> Answer:
    return Answer(*birthday(leaf, _birth_date(moment), moment.today, moment.zone), _birth_date(moment))


def _age(leaf: Age, moment: Moment) -> Answer:
    born_on = _birth_date(moment)
    known = born_on is not None and born_on <= moment.today
    years = years_old(date_of(born_on), moment.today) if born_on is not None and known else None
    return Answer(*age(leaf, born_on, moment.today, moment.zone), years)


def coupon(leaf: CouponHeld, state: MemberState, now: Instant) -> tuple[Truth, Instant]:
    """Never unknown. Active coupons are true in the union of their intervals; the other states change by events only."""
    if leaf.state == "redeemed":
        return leaf.offer in state.redeemed, NEVER
    mine = [held for held in state.coupons.values() if held.offer == leaf.offer and held.state == leaf.state]
    if leaf.state == "held":
        return bool(mine), NEVER
    margin = leaf.expires_within_days * DAY if leaf.expires_within_days is not None else NEVER
    spans = sorted((max(held.active_from, held.expires_at - margin), held.expires_at) for held in mine)
    end = now
    for first, last in spans:
        if first <= end < last:
            end = last
    if end > now:
        return True, end
    return False, min((first for first, last in spans if now < first < last), default=NEVER)


def _coupon(leaf: CouponHeld, moment: Moment) -> Answer:
    mine = sorted(key for key, held in moment.state.coupons.items() if held.offer == leaf.offer)
    return Answer(*coupon(leaf, moment.state, moment.now), mine or moment.state.redeemed.get(leaf.offer))


def balance_steps(state: MemberState, wallet: str, now: Instant) -> list[tuple[Instant, int]]:
    """The available points now and after each later instant at which they change by themselves, in order.

    Lots mature and expire, holds end. Less is never available than nothing: points expire also while they are held.
    """
    points, changes = 0, dict[Instant, int]()
    for lot in state.wallets[wallet].lots if wallet in state.wallets else ():
        if lot.expires_at > max(now, lot.available_at):
            if lot.available_at <= now:
                points += lot.points
            else:
                changes[lot.available_at] = changes.get(lot.available_at, 0) + lot.points
            changes[lot.expires_at] = changes.get(lot.expires_at, 0) - lot.points
    for hold in state.holds.values():
        if hold.wallet == wallet and hold.until > now:
            points -= hold.points
            changes[hold.until] = changes.get(hold.until, 0) + hold.points
    changes.pop(NEVER, None)
    steps = [(now, max(points, 0))]
    for instant in sorted(changes):
        points += changes[instant]
        steps.append((instant, max(points, 0)))
    return steps


def balance(leaf: Balance, steps: list[tuple[Instant, int]]) -> tuple[Truth, Instant]:
    """The answer over what ``balance_steps`` found. Never unknown."""
    compare = COMPARE[leaf.op]
    truth = compare(steps[0][1], leaf.value)
    return truth, next((instant for instant, points in steps if compare(points, leaf.value) is not truth), NEVER)


def _balance(leaf: Balance, moment: Moment) -> Answer:
    steps = balance_steps(moment.state, leaf.wallet, moment.now)
    return Answer(*balance(leaf, steps), steps[0][1])


_ANSWERS: Final[Mapping[str, Callable[[Any, Moment], Answer]]] = {
    "attribute": _attribute, "purchases": _purchases, "since_last_purchase": _since_last, "tag_share": _tag_share,
    "favourite": _favourite, "consent": _consent, "birthday": _birthday, "age": _age, "coupon": _coupon, "balance": _balance,
}  # fmt: skip
