"""Points for something other than a purchase, given inside the fold: to whoever the bonus and its programme are for. Pure.

Each is a ledger entry of kind ``bonus`` with the reference ``programme/bonus``, told as ``bonus.given``, and counted under
that name against the bonus's own limits. Lots mature and expire as the programme's earned points do, counted from the
instant of what the bonus is for, also if that arrives late. Programme limits and budgets are about purchases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.kernel.instants import NEVER, Instant, date_of, day_start, local_day
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.events import Registered, Responded
from shared.member_state.model import Facts, MemberState
from shared.member_state.tiers import settle_tier, tier_at
from shared.member_state.usage import count_usage, last_day, usage_of
from shared.member_state.view import FoldView
from shared.programmes.compiled import Programme
from shared.programmes.conditions import ALWAYS, MemberFacts, Scene, When, unmet
from shared.programmes.lots import lot_of
from shared.programmes.terms import Bonus
from shared.segments.birthdays import celebrated
from shared.wallet import rules as lots
from shared.wallet.model import Posting

BIRTHDAY_DAYS: Final = 300
"""Days between two birthday bonuses at least, whatever birth date she gives meanwhile."""
Found = tuple[tuple[Programme, Bonus], ...]


@dataclass(frozen=True, slots=True)
class _Moment:
    """When it happened and is committed, and what it was."""

    happened: Instant
    at: Instant
    cause: str
    location: str = ""


def on_registration(state: MemberState, event: Registered, view: FoldView, at: Instant, effects: Effects) -> None:
    """Balances that she brings, then what joining gives, and completing her profile by it."""
    if event.opening:
        postings = [booked for each in event.opening for booked in lots.earn(state.wallet(each.wallet), each, at)]
        postings += _settle_late(state, {each.wallet for each in event.opening}, at)
        effects.entries.append(LedgerEntry("open", event.at, tuple(postings)))
    moment = _Moment(event.at, at, "member.registered", event.location)
    _give_all(state, view, view.bonuses.get("registration", ()), moment, effects)
    _on_fields(state, frozenset(), view, moment, effects)


def on_profile(state: MemberState, before: frozenset[str], view: FoldView, happened: Instant, at: Instant, effects: Effects) -> None:
    """``before`` are the fields and attributes that were known: a bonus is for the last of its fields becoming known."""
    _on_fields(state, before, view, _Moment(happened, at, "member.updated"), effects)


def known_fields(state: MemberState) -> frozenset[str]:
    """What is known of her, by name: personal fields and attributes."""
    return frozenset((*state.known, *state.attributes))


def on_response(state: MemberState, event: Responded, view: FoldView, at: Instant, effects: Effects) -> None:
    """A custom event or a form: points that wait for it become available, then what it gives itself."""
    for name, wallet in state.wallets.items():
        released = lots.release(wallet, event.type)
        if released:
            effects.tell("points.available", event.at, {"wallet": name, "points": released}, event.type)
    trigger = "form_filled" if event.type == "form.submitted" else event.type
    _give_all(state, view, view.bonuses.get(trigger, ()), _Moment(event.at, at, event.type), effects)


def on_birthday(state: MemberState, view: FoldView, facts: Facts | None, at: Instant, effects: Effects) -> None:
    """What her birthday gives, if ``at`` is its first instant."""
    if is_birthday(view, facts, at):
        _give_all(state, view, view.bonuses.get("birthday", ()), _Moment(at, at, "birthday"), effects)


def is_birthday(view: FoldView, facts: Facts | None, at: Instant) -> bool:
    """Whether ``at`` is the first instant of her birthday, on the tenant's calendar."""
    if not view.birthdays or facts is None or facts.birth_date is None:
        return False
    today = local_day(at, view.zone)
    falls_today = today > facts.birth_date and celebrated(date_of(facts.birth_date), date_of(today).year) == today
    return falls_today and day_start(today, view.zone) == at


def next_birthday(state: MemberState, view: FoldView, facts: Facts | None) -> Instant:
    """The first instant of her next birthday after ``state.as_of``; ``NEVER`` if none gives anything or her birth date is not known.

    Also where nothing is given now (imported history): what is live next relies on the timer.
    """
    if not view.birthdays or facts is None or facts.birth_date is None:
        return NEVER
    born = date_of(facts.birth_date)
    year = max(date_of(local_day(state.as_of, view.zone)).year, born.year)
    for each in (year, year + 1, year + 2):
        day = celebrated(born, each)
        starts = day_start(day, view.zone)
        if day > facts.birth_date and starts > state.as_of:
            return starts
    return NEVER


def _on_fields(state: MemberState, before: frozenset[str], view: FoldView, moment: _Moment, effects: Effects) -> None:
    found = view.bonuses.get("profile_completed", ())
    if not found:
        return
    now = known_fields(state)
    completed = tuple(pair for pair in found if now.issuperset(pair[1].fields) and not before.issuperset(pair[1].fields))
    _give_all(state, view, completed, moment, effects)


def _give_all(state: MemberState, view: FoldView, found: Found, moment: _Moment, effects: Effects) -> None:
    """Those that she is meant by and has not had too often."""
    if not (found and view.gifts and state.status == "active"):
        return
    day = local_day(moment.happened, view.zone)
    for programme, bonus in found:
        if _has_room(state, programme, bonus, day) and _is_for(state, view, programme, bonus, moment):
            _give(state, view, programme, bonus, moment, effects)
    settle_tier(state, view, moment.at, effects)


def _give(state: MemberState, view: FoldView, programme: Programme, bonus: Bonus, moment: _Moment, effects: Effects) -> None:
    body, name, happened = programme.body, f"{programme.id}/{bonus.id}", moment.happened
    posting = lot_of(body, "bonus", bonus.points, happened, view.zone)
    postings = [*lots.earn(state.wallet(body.wallet), posting, moment.at), *_settle_late(state, {body.wallet}, moment.at)]
    effects.entries.append(LedgerEntry("bonus", happened, tuple(postings), name))
    data: dict[str, object] = {"programme": programme.id, "bonus": bonus.id, "wallet": body.wallet, "points": bonus.points}
    effects.tell("bonus.given", happened, data, moment.cause)
    count_usage(state, name, bonus.points, local_day(happened, view.zone))


def _has_room(state: MemberState, programme: Programme, bonus: Bonus, day: int) -> bool:
    """Whether its own limits leave room for one more on that day."""
    name = f"{programme.id}/{bonus.id}"
    if bonus.on == "birthday":
        last = last_day(state, name)
        return last is None or day - last >= BIRTHDAY_DAYS
    used = usage_of(state, name, day)
    return used.times < bonus.times and (bonus.per_day is None or used.times_today < bonus.per_day)


def _is_for(state: MemberState, view: FoldView, programme: Programme, bonus: Bonus, moment: _Moment) -> bool:
    """Whether the bonus's conditions hold, and those of its programme but for place and hour, which are about sales."""
    applies = programme.body.applies
    if bonus.when == ALWAYS and applies == ALWAYS:
        return True
    facts = MemberFacts(
        tier=tier_at(state, moment.happened),
        segments=frozenset(key.rpartition("@")[0] for key in state.segments),
        tags=frozenset(state.tags),
        joined_at=state.joined_at,
        purchases=state.profile.count,
    )
    where, groups = moment.location, view.groups_of(moment.location)
    scene = Scene(at=moment.happened, zone=view.zone, local_zone=view.zone, location=where, channel="", currency="", groups=groups)
    return unmet(bonus.when, facts, scene) is None and unmet(_without_place(applies), facts, scene) is None


def _without_place(when: When) -> When:
    return when.model_copy(update={"locations": (), "location_groups": (), "channels": (), "weekdays": (), "hours": None})


def _settle_late(state: MemberState, wallets: set[str], at: Instant) -> list[Posting]:
    """What happened a while ago may have given points that have expired since."""
    return [expired for name in sorted(wallets) for expired in lots.settle(state.wallet(name), name, at)[1]]
