"""Two members turn out to be one: what becomes of the state of each. Pure.

The survivor is from then on what one guest would be who had done what both did: purchases, sums, limits and cards add up, points and
coupons move, and of two answers to the same question the stricter holds. Bounds of lists are kept as ever, but for coupons and challenges:
nobody loses one because she turns out to be one person. Journeys of the one who goes end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Final

from shared.challenges.model import Base, Instance
from shared.challenges.rules import MAX_STREAK_PARTS, progress
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Instant, local_day
from shared.member_state import challenges, tiers
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.erasing import KEPT
from shared.member_state.model import (
    MAX_ATTRIBUTES,
    MAX_COUNTER_SALES,
    MAX_DEVICES,
    MAX_FORMER,
    MAX_LISTS,
    MAX_REDEEMED,
    MAX_TAGS,
    MAX_TOUCHES,
    MAX_USAGE,
    MAX_VISITS,
    USAGE_DAYS,
    Consent,
    MemberState,
    RuleUsage,
)
from shared.member_state.uniting_events import MergedAway, United
from shared.member_state.view import FoldView
from shared.profile.rules import spill
from shared.profile.uniting import unite
from shared.wallet.model import Posting
from shared.wallet.uniting import hand_over, take_over

MERGE: Final = "merge"
"""The kind of both bookings; their reference is ``merge/<id>``."""
CHOSEN_BY_CONTACT: Final[Mapping[str, str]] = {"email": "email", "sms": "phone"}
"""Channels whose yes was given over a contact -> its field."""


def merged_away(state: MemberState, event: MergedAway, _view: FoldView, at: Instant, effects: Effects) -> str:
    """Everything goes over; what stays are her emptied wallets, which the ledger still proves, and who she is."""
    if state.holds:
        raise InvalidValue("a basket holds something of hers")
    postings = [posting for name, wallet in state.wallets.items() for posting in hand_over(wallet, name, at)]
    _book(effects, event, postings, at)
    effects.history_changed |= bool(state.profile.history)
    nobody = MemberState(state.tenant, state.member)
    for each in fields(MemberState):
        if each.name not in KEPT:
            setattr(state, each.name, getattr(nobody, each.name))
    state.status, state.merged_into = "merged", event.into
    effects.tell("member.merged", at, {"into": event.into, "merge": event.merge})
    return "member.merged"


def united(state: MemberState, event: United, view: FoldView, at: Instant, effects: Effects) -> str:
    """Everything of the other comes to her. Told with what changes by it; segments and timers follow as after any event."""
    other = event.other
    former = [*state.former, other.member, *other.former]
    if len(former) > MAX_FORMER:
        raise InvalidValue(f"at most {MAX_FORMER} members may turn out to be one")
    state.former = former
    effects.tell("member.united", at, {"from": other.member, "merge": event.merge})
    postings: list[Posting] = []
    for name, wallet in other.wallets.items():
        postings += take_over(state.wallet(name), name, wallet)
    _book(effects, event, postings, at)
    effects.history_changed |= unite(state.profile, other.profile)
    effects.history_changed |= spill(state.profile, local_day(at, view.zone))
    _unite_person(state, event, at, effects)
    _unite_contact(state, other)
    _unite_doings(state, other)
    _unite_challenges(state, other, view, at, effects)
    tiers.unite(state, other, view, at, effects)
    return "member.united"


def stricter(hers: Mapping[str, Consent], others: Mapping[str, Consent], differing: Collection[str]) -> dict[str, Consent]:
    """The answers of one who gave both: a no of either holds, the newest of two; of two times yes it is hers.

    A yes that only the other gave over a contact is none where the survivor has another contact (``differing``: names of such fields).
    """
    found = dict(hers)
    for key, theirs in others.items():
        mine = hers.get(key)
        if mine is None:
            over_another = theirs.granted and CHOSEN_BY_CONTACT.get(key.rpartition(":")[2]) in differing
            if not over_another:
                found[key] = theirs
        elif not theirs.granted and (mine.granted or theirs.at > mine.at):
            found[key] = theirs
    return found


def _book(effects: Effects, event: MergedAway | United, postings: list[Posting], at: Instant) -> None:
    if postings:
        effects.entries.append(LedgerEntry(MERGE, at, tuple(postings), f"{MERGE}/{event.merge}", event.reason, event.actor))


def _unite_person(state: MemberState, event: United, at: Instant, effects: Effects) -> None:
    """Who she is, and what she allows."""
    other = event.other
    state.joined_at = min(state.joined_at, other.joined_at)
    state.known = sorted(event.known)
    state.identifier_kinds = sorted({*state.identifier_kinds, *other.identifier_kinds})
    state.zone = state.zone or other.zone
    for name, value in other.attributes.items():
        if len(state.attributes) < MAX_ATTRIBUTES:
            state.attributes.setdefault(name, value)
    state.tags = sorted(list(dict.fromkeys([*state.tags, *other.tags]))[:MAX_TAGS])
    lists = {**state.lists, **{name: min(since, state.lists.get(name, since)) for name, since in other.lists.items()}}
    state.lists = dict(list(lists.items())[:MAX_LISTS])
    changed = {key: each.granted for key, each in event.consents.items() if state.consents.get(key) != each}
    answered = {key for key in other.consents if key not in other.pending}
    state.pending = {key: each for key, each in state.pending.items() if key not in answered and key not in changed}
    state.consents = dict(event.consents)
    if changed:
        effects.tell("consent.changed", at, {"consents": changed})
    if state.profiled and not other.profiled:
        state.profiled = False
        effects.tell("member.profiling_changed", at, {"allowed": False})


def _unite_contact(state: MemberState, other: MemberState) -> None:
    """Where messages reach her, and what has: caps count the messages of both."""
    reaches = any("push" not in each.suppressed and each.devices for each in (state, other))
    state.suppressed = other.suppressed | state.suppressed
    if reaches:
        state.suppressed.pop("push", None)
    state.devices = list(dict.fromkeys([*other.devices, *state.devices]))[-MAX_DEVICES:]
    touches = [*state.touches, *(replace(each) for each in other.touches)]
    state.touches = sorted(touches, key=lambda each: -each.at)[:MAX_TOUCHES]


def _unite_doings(state: MemberState, other: MemberState) -> None:
    """Coupons, limits, visits, referrals."""
    state.coupons |= {id_: replace(each) for id_, each in other.coupons.items()}
    redeemed = {offer: max(at, state.redeemed.get(offer, at)) for offer, at in other.redeemed.items()}
    newest = sorted((state.redeemed | redeemed).items(), key=lambda each: each[1])[-MAX_REDEEMED:]
    state.redeemed = dict(newest)
    both = {key: _added(state.usage.get(key), other.usage.get(key)) for key in (*state.usage, *other.usage)}
    longest_ago_first = sorted(both, key=lambda key: max(both[key].days, default=0))[-MAX_USAGE:]
    state.usage = {key: both[key] for key in longest_ago_first}
    visits = [*state.visits, *(replace(each) for each in other.visits)]
    state.visits = sorted(visits, key=lambda each: -each.last)[:MAX_VISITS]
    state.visits_made += other.visits_made
    # She has just been dealt with: from when on she does nothing is told anew.
    state.active_at, state.inactivity = max(state.active_at, other.active_at), None
    state.counter_sales = sorted([*state.counter_sales, *other.counter_sales], key=lambda each: -each.at)[:MAX_COUNTER_SALES]
    _unite_referrals(state, other)


def _added(one: RuleUsage | None, other: RuleUsage | None) -> RuleUsage:
    """What both have used of a limit; kept as long as ``shared.member_state.usage`` keeps it."""
    found = RuleUsage()
    for each in (one, other):
        if each is not None:
            found.points, found.times = found.points + each.points, found.times + each.times
            for day, (points, times) in each.days.items():
                pair = found.days.setdefault(day, [0, 0])
                pair[0], pair[1] = pair[0] + points, pair[1] + times
            for mine, theirs in ((found.weeks, each.weeks), (found.months, each.months)):
                for number, count in theirs.items():
                    mine[number] = mine.get(number, 0) + count
    oldest = max(found.days, default=0) - USAGE_DAYS
    found.days = {day: pair for day, pair in found.days.items() if day >= oldest}
    found.weeks, found.months = (dict(sorted(each.items())[-2:]) for each in (found.weeks, found.months))
    return found


def _unite_referrals(state: MemberState, other: MemberState) -> None:
    """Of two referrals the one that was rewarded counts, then hers. Nobody was brought by herself."""
    state.referrals += other.referrals
    hers, theirs = state.referred, other.referred
    was_rewarded = theirs is not None and theirs.transaction != "" and (hers is None or hers.transaction == "")
    chosen = theirs if hers is None or was_rewarded else hers
    state.referred = replace(chosen) if chosen is not None else None
    is_open = state.referred is not None and not (state.referred.transaction or state.referred.ended)
    if state.referred is not None and is_open and state.was(state.referred.by):
        state.referred.ended = "self_referral"


def _unite_challenges(state: MemberState, other: MemberState, view: FoldView, at: Instant, effects: Effects) -> None:
    """Cards that each received stay cards of their own; of what every member has there is one, with the purchases of both."""
    state.challenges_closed = max(state.challenges_closed, other.challenges_closed)
    hers = {(each.key, each.id): each for each in state.challenges}
    for theirs in other.challenges:
        mine = hers.get((theirs.key, theirs.id))
        if mine is None:
            state.challenges.append(replace(theirs))
        else:
            _unite_cards(mine, theirs, view)
            challenges.settle(state, mine, view, at, effects)


def _unite_cards(mine: Instance, theirs: Instance, view: FoldView) -> None:
    """One card of two. What was given stays given: both together are complete as often as they were, or by what they count now."""
    challenge = view.challenges.version(mine.challenge, mine.version)
    mine.base = Base(
        done=mine.base.done + theirs.base.done,
        times=mine.base.times + theirs.base.times,
        last=max(mine.base.last, theirs.base.last),
        period=max(mine.base.period, theirs.base.period),
        count=max(mine.base.count, theirs.base.count),
    )
    mine.parts = sorted([*mine.parts, *(replace(each) for each in theirs.parts)], key=lambda each: (each.at, each.transaction))
    if challenge is not None and len(mine.parts) > MAX_STREAK_PARTS:
        old, mine.parts = mine.parts[:-MAX_STREAK_PARTS], mine.parts[-MAX_STREAK_PARTS:]
        mine.base = progress(challenge.body, mine.base, old, view.zone)
    given = [replace(each, coupons=list(each.coupons)) for each in theirs.given]
    mine.given = [*given, *mine.given][-challenges.MAX_GIVEN :]
    mine.completed_at = max(mine.completed_at, theirs.completed_at)
    mine.ended, mine.broken = mine.ended and theirs.ended, max(mine.broken, theirs.broken)
    there = progress(challenge.body, mine.base, mine.parts, view.zone).times if challenge is not None else mine.times
    mine.times = min(mine.times + theirs.times, max(there, mine.times))
