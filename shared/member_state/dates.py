"""Dates that campaigns wait for, computed from what is known of a member: birthday, expiries, anniversary, no visit for so long. Pure.

An occurrence falls on a minute of her local day: so many days before (no_visit: after) the local day of what it is about, on the wall
clock of her zone. A minute that the clocks skip is the first instant after the gap, one that they show twice the first. Days are
counted on the calendar, an expiry's from the last day on which it can still be used; 29 February is kept on the 28th in common years.

The fold tells an occurrence when time passes its instant (``campaign.date_reached``). Nothing is remembered of what was told: what moves
an instant (another zone, a lot that slides) may tell an occurrence again under the same name, which the campaign's own rows meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from shared.kernel.instants import NEVER, Instant, date_of, format_day, local_day, wall_instant
from shared.member_state.effects import Effects
from shared.member_state.model import Facts, MemberState
from shared.member_state.view import DateRule, FoldView
from shared.segments.birthdays import celebrated
from shared.wallet.lots import true_expiry

DEFAULT_AT: Final = "10:00"
"""When on the day, where a trigger does not say."""
_NO_FACTS: Final = Facts()


@dataclass(frozen=True, slots=True, order=True)
class DateReached:
    """An occurrence of a campaign, and its instant."""

    at: Instant
    campaign: str
    occurrence: str
    version: int


def date_rule(campaign: str, version: int, trigger: Mapping[str, Any]) -> DateRule:
    """The rule that a checked trigger of the kind ``date`` is."""
    hours, _, minutes = (trigger.get("at") or DEFAULT_AT).partition(":")
    return DateRule(
        campaign=campaign,
        version=version,
        of=trigger["of"],
        days=trigger.get("days") or 0,
        minute=int(hours) * 60 + int(minutes),
        wallet=trigger.get("wallet"),
        offer=trigger.get("offer"),
    )


def settle_due(state: MemberState, view: FoldView, facts: Facts | None, at: Instant, effects: Effects) -> None:
    """Tell what falls on ``at``. Imported history tells nothing, and nobody is told of who leads to another member or is erased."""
    if not (view.dates and view.gifts and state.status == "active"):
        return
    for each in due_dates(state, facts, view.dates, at - 1, at, state.zone or view.zone):
        data: dict[str, object] = {"campaign": each.campaign, "version": each.version, "occurrence": each.occurrence}
        effects.tell("campaign.date_reached", each.at, data)


def due_dates(
    state: MemberState, facts: Facts | None, rules: Iterable[DateRule], after: Instant, to: Instant, zone: str
) -> list[DateReached]:
    """What falls into ``after`` (excluded) to ``to`` (included) as she is now, in the order of time; what falls together by campaign."""
    found = (
        DateReached(at, rule.campaign, occurrence, rule.version)
        for rule in rules
        for at, occurrence in takewhile(lambda pair: pair[0] <= to, _ahead(rule, state, facts, after, zone))
    )
    return sorted(set(found))


def next_date(state: MemberState, facts: Facts | None, rules: Iterable[DateRule], after: Instant, zone: str) -> Instant:
    """The first instant later than ``after`` on which anything falls as she is now; ``NEVER`` if none does.

    Cost: for each rule one instant and one more for each lot or coupon whose instant lies behind.
    """
    return min((next((at for at, _ in _ahead(rule, state, facts, after, zone)), NEVER) for rule in rules), default=NEVER)


def asks_for_birthdays(rules: Sequence[DateRule]) -> bool:
    """Whether any looks at the birth date: a personal fact."""
    return any(rule.of == "birthday" for rule in rules)


def _ahead(rule: DateRule, state: MemberState, facts: Facts | None, after: Instant, zone: str) -> Iterator[tuple[Instant, str]]:
    """(instant, occurrence) later than ``after``, in the order of time. Of days that come back every year two are looked at."""
    if rule.of == "birthday":
        return _yearly(rule, (facts or _NO_FACTS).birth_date, after, zone)
    if rule.of == "anniversary":
        return _yearly(rule, local_day(state.joined_at, zone) if state.joined_at else None, after, zone)
    if rule.of == "no_visit":
        return _after_the_last_visit(rule, state, after, zone)
    return _before_expiries(rule, _expiries(rule, state), after, zone)


def _yearly(rule: DateRule, began: int | None, after: Instant, zone: str) -> Iterator[tuple[Instant, str]]:
    if began is None:
        return
    today, born = local_day(after, zone), date_of(began)
    year = max(date_of(today + rule.days - 1).year, born.year + 1)
    for each in (year, year + 1, year + 2):
        at = wall_instant(celebrated(born, each) - rule.days, rule.minute, zone)
        if at > after:
            yield at, f"{rule.of}:{each}"


def _after_the_last_visit(rule: DateRule, state: MemberState, after: Instant, zone: str) -> Iterator[tuple[Instant, str]]:
    last = state.profile.last_at
    if last is None:
        return
    day = local_day(last, zone)
    at = wall_instant(day + rule.days, rule.minute, zone)
    if at > after:
        yield at, f"no_visit:{format_day(day)}"


def _expiries(rule: DateRule, state: MemberState) -> list[tuple[Instant, Instant, str]]:
    """(expiry, usable from, occurrence) of what runs out, the soonest first."""
    found: set[tuple[Instant, Instant, str]] = set()
    if rule.of == "coupon_expiry":
        for coupon_id, coupon in state.coupons.items():
            if coupon.state == "active" and coupon.expires_at < NEVER and rule.offer in (None, coupon.offer):
                found.add((coupon.expires_at, coupon.active_from, f"coupon:{coupon_id}"))
        return sorted(found)
    for name, wallet in state.wallets.items():
        if rule.wallet in (None, name):
            ends = {true_expiry(wallet, lot.expires_at) for lot in wallet.lots if lot.points > 0}
            found.update((expiry, 0, f"lot:{name}:{expiry}") for expiry in ends if expiry < NEVER)
    return sorted(found)


def _before_expiries(
    rule: DateRule, expiries: list[tuple[Instant, Instant, str]], after: Instant, zone: str
) -> Iterator[tuple[Instant, str]]:
    for expiry, usable_from, occurrence in expiries:
        # An expiry at midnight ends the day before: that is the last day that anybody reads.
        at = wall_instant(local_day(expiry - 1, zone) - rule.days, rule.minute, zone)
        if at > after and usable_from <= at < expiry:
            yield at, occurrence
