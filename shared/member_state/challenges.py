"""Challenges inside the fold: what a purchase counts for them, completions and what they give, and all of it back. Pure.

Whether an instance is complete is a function of what stays of the purchases inside its window, in whatever order they arrive; a
completion gives its reward once, and loses it when purchases that it needs come back. A late purchase counts by its own instant.

What every member has is opened with the first purchase that counts for it, so that it costs nothing before. An instance that has ended is
kept for late purchases (``LATE_DAYS``), a completed one for returns (``KEPT_DAYS``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from shared.challenges import rules
from shared.challenges.model import Challenge, ChallengeBody, Counts, Given, Instance, Part
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import DAY, NEVER, Instant
from shared.member_state.conversions import MOST_IN_ONE_COMMIT
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.events import ChallengeGiven, Purchased, ReversalTerms, Reversed
from shared.member_state.model import MAX_CHALLENGES, USAGE_DAYS, MemberState
from shared.member_state.promising import give_coupon, may_have, withdraw_coupon
from shared.member_state.taking import take_back
from shared.member_state.tier_windows import VISITS
from shared.member_state.tiers import tier_at
from shared.member_state.view import FoldView
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts, Scene, unmet
from shared.programmes.lines import Line
from shared.programmes.lots import lot_of
from shared.wallet import rules as lots
from shared.wallet.model import Posting

LATE_DAYS: Final = USAGE_DAYS
KEPT_DAYS: Final = 30
MAX_GIVEN: Final = 20
"""Rewards that an instance remembers, to take them back."""
AUTOMATIC: Final = "auto-"
"""Instances of what every member has are named by the start of their window."""


def counts_of(state: MemberState, view: FoldView, lines: Sequence[Line], scene: Scene) -> Counts:
    """What a purchase counts for the challenges that she has, and for those that everybody has. ``view`` is that of its instant."""
    hers = {each.key: each for each in _asked(state, view, scene.at)}
    if not hers:
        return ()
    facts = facts_of(state, scene.at)
    return rules.counts([each for each in hers.values() if unmet(each.body.when, facts, scene) is None], lines)


def returned_counts(state: MemberState, view: FoldView, lines: Sequence[Line], at: Instant) -> Counts:
    """The same of lines that come back (``net`` and ``units`` of what does) of a purchase at that instant."""
    hers = (view.challenges.version(each.challenge, each.version) for each in state.challenges if each.start <= at < each.until)
    found = {each.key: each for each in hers if each is not None}
    return rules.counts(found.values(), lines) if found else ()


def facts_of(state: MemberState, at: Instant) -> MemberFacts:
    """What the conditions of a challenge may ask of her."""
    return MemberFacts(
        tier=tier_at(state, at),
        segments=frozenset(key.rpartition("@")[0] for key, since in state.segments.items() if since <= at),
        tags=frozenset(state.tags),
        joined_at=state.joined_at,
        purchases=state.profile.count,
    )


def received_at(state: MemberState, challenge: Challenge) -> Instant:
    """Since when she has one that every member has."""
    return max(state.joined_at, challenge.since)


def given(state: MemberState, event: ChallengeGiven, view: FoldView, at: Instant, effects: Effects) -> str:
    """She receives a challenge. ``InvalidValue`` where ``has_room`` had something against it."""
    challenge = view.challenges.version(event.challenge, event.version)
    if challenge is None or not has_room(state, view, at):
        raise InvalidValue(f"the challenge {event.challenge} cannot be given")
    start, until = rules.window_of(challenge.body.window, event.at, event.at, view.zone)
    _open(state, view, Instance(event.instance, event.challenge, event.version, start, until), at)
    data: dict[str, object] = {"challenge": event.challenge, "instance": event.instance, "starts_at": start, "ends_at": until}
    effects.tell("challenge.given", event.at, data, event.cause or None)
    return "challenge.given"


def has_room(state: MemberState, view: FoldView, at: Instant) -> bool:
    """Whether she may have one more challenge: fewer than ``MAX_CHALLENGES`` are open."""
    return sum(1 for each in state.challenges if not _may_go(each, view, at)) < MAX_CHALLENGES


def on_purchase(state: MemberState, event: Purchased, view: FoldView, at: Instant, effects: Effects) -> None:
    """Count it wherever its instant is inside the window. Nothing is counted of imported history."""
    if not (event.counts and view.gifts and state.status == "active"):
        return
    found = {key: (spend, items) for key, spend, items in event.counts}
    for challenge in view.challenges.automatic:
        if challenge.key in found:
            _open_automatic(state, challenge, view, event.at, at)
    visits = event.visit.by.get(VISITS, 0)
    for instance in state.challenges:
        pair, challenge_ = found.get(instance.key), view.challenges.version(instance.challenge, instance.version)
        if pair is None or challenge_ is None or not instance.start <= event.at < instance.until:
            continue
        amount = rules.amount_of(challenge_.body.goal, *pair, visits)
        if amount > 0:
            rules.add(challenge_.body, instance, Part(rules.short(event.transaction), event.at, amount), view.zone)
            _settle_completions(state, instance, challenge_.body, view, event.at, at, effects)


def on_reversal(state: MemberState, event: Reversed, view: FoldView, at: Instant, effects: Effects) -> None:
    """Take back what the purchase, or the part of it, had counted, and completions that needed it."""
    if not event.counts:
        return
    found = {key: (spend, items) for key, spend, items in event.counts}
    visits = event.visit.by.get(VISITS, 0)
    for instance in state.challenges:
        pair, challenge = found.get(instance.key), view.challenges.version(instance.challenge, instance.version)
        if pair is None or challenge is None:
            continue
        amount = rules.amount_of(challenge.body.goal, *pair, visits)
        if rules.take(instance, event.transaction, event.visit.at, amount):
            _settle_completions(state, instance, challenge.body, view, event.at, at, effects)
            if instance.until <= at:
                _end(instance, at, effects)


def settle_due(state: MemberState, view: FoldView, at: Instant, effects: Effects) -> None:
    """Windows that have ended without a completion, and streaks that have broken."""
    for instance in state.challenges:
        if instance.until <= at:
            _end(instance, instance.until, effects)
        elif _breaks_at(instance, view) <= at:
            challenge = view.challenges.version(instance.challenge, instance.version)
            assert challenge is not None
            whole = rules.progress(challenge.body, instance.base, instance.parts, view.zone)
            instance.broken = whole.last
            effects.tell("challenge.broken", at, {**_named(instance), "periods": whole.done})


def next_due(state: MemberState, view: FoldView) -> Instant:
    """When ``settle_due`` has something to do next."""
    due = min((each.until for each in state.challenges if not (each.ended or each.times)), default=NEVER)
    return min(due, min((_breaks_at(each, view) for each in state.challenges), default=NEVER))


# -- instances ------------------------------------------------------------------------------------------------------


def _asked(state: MemberState, view: FoldView, at: Instant) -> Iterator[Challenge]:
    """Those for which a purchase at that instant may count."""
    yield from view.challenges.automatic
    for each in state.challenges:
        # One without an end goes on as long as the challenge is in force.
        counts_now = each.start <= at < each.until and (each.until < NEVER or each.challenge in view.challenges.in_force)
        challenge = view.challenges.version(each.challenge, each.version) if counts_now else None
        if challenge is not None:
            yield challenge


def _open_automatic(state: MemberState, challenge: Challenge, view: FoldView, happened: Instant, at: Instant) -> None:
    """The instance whose window the purchase is in, unless it is there already, or was."""
    start, until = rules.window_of(challenge.body.window, received_at(state, challenge), happened, view.zone)
    name = f"{AUTOMATIC}{start}"
    is_there = any((each.challenge, each.id) == (challenge.id, name) for each in state.challenges)
    is_closed = until <= state.challenges_closed or until + LATE_DAYS * DAY <= at
    if start <= happened < until and not (is_there or is_closed) and has_room(state, view, at):
        _open(state, view, Instance(name, challenge.id, challenge.version, start, until), at)


def _open(state: MemberState, view: FoldView, instance: Instance, at: Instant) -> None:
    """One more, after those that nobody can ask about any more are forgotten, and if need be one that has ended."""
    state.challenges[:] = [each for each in state.challenges if not _is_over(each, view, at)]
    if len(state.challenges) >= MAX_CHALLENGES:
        first = min((each for each in state.challenges if _may_go(each, view, at)), key=lambda each: each.until)
        state.challenges.remove(first)
        if first.until < NEVER:
            # A late purchase must not open its window again.
            state.challenges_closed = max(state.challenges_closed, first.until)
    state.challenges.append(instance)


def _is_over(each: Instance, view: FoldView, at: Instant) -> bool:
    """Neither a late purchase nor a return asks about it any more."""
    if each.until < NEVER and each.until + (KEPT_DAYS if each.times else LATE_DAYS) * DAY <= at:
        return True
    challenge = view.challenges.version(each.challenge, each.version)
    used_up = challenge is not None and each.times >= challenge.body.times
    return used_up and not each.id.startswith(AUTOMATIC) and each.completed_at + KEPT_DAYS * DAY <= at


def _may_go(each: Instance, view: FoldView, at: Instant) -> bool:
    """It can be forgotten to make room."""
    return each.until <= at or _is_over(each, view, at) or (each.until >= NEVER and each.challenge not in view.challenges.in_force)


def _end(instance: Instance, at: Instant, effects: Effects) -> None:
    if not (instance.ended or instance.times):
        instance.ended = True
        effects.tell("challenge.expired", at, _named(instance))


def _breaks_at(instance: Instance, view: FoldView) -> Instant:
    challenge = view.challenges.version(instance.challenge, instance.version)
    at = rules.breaks_at(challenge.body, instance, view.zone) if challenge is not None else NEVER
    return at if at < instance.until else NEVER


def _named(instance: Instance) -> dict[str, object]:
    return {"challenge": instance.challenge, "instance": instance.id}


# -- completions ----------------------------------------------------------------------------------------------------


def settle(state: MemberState, instance: Instance, view: FoldView, at: Instant, effects: Effects) -> None:
    """Give what an instance has reached whose purchases have become more by another way than a purchase."""
    challenge = view.challenges.version(instance.challenge, instance.version)
    if challenge is not None and view.gifts:
        _settle_completions(state, instance, challenge.body, view, at, at, effects)


def _settle_completions(
    state: MemberState, instance: Instance, body: ChallengeBody, view: FoldView, happened: Instant, at: Instant, effects: Effects
) -> None:
    """Give what has been reached, or take back what has not any more."""
    due = rules.progress(body, instance.base, instance.parts, view.zone).times - instance.times
    if due > 0:
        _complete(state, instance, body, due, view, happened, at, effects)
    elif due < 0:
        _uncomplete(state, instance, -due, view, happened, at, effects)


def _complete(
    state: MemberState,
    instance: Instance,
    body: ChallengeBody,
    times: int,
    view: FoldView,
    happened: Instant,
    at: Instant,
    effects: Effects,
) -> None:
    reward, cause = body.reward, f"challenge/{instance.challenge}"
    instance.times, instance.completed_at = instance.times + times, happened
    got = Given(reward.wallet, reward.points or 0, times, 0, NEVER)
    if reward.points is not None:
        posting = _lot(view, reward.wallet, reward.points * times, happened)
        got.available_at, got.expires_at, got.awaits = posting.available_at, posting.expires_at, posting.awaits
        wallet = state.wallet(reward.wallet)
        postings = [*lots.earn(wallet, posting, at), *lots.settle(wallet, reward.wallet, at)[1]]
        effects.entries.append(LedgerEntry("bonus", happened, tuple(postings), cause))
    while reward.offer is not None and len(got.coupons) < times and len(effects.promised) < MOST_IN_ONE_COMMIT:
        promise = may_have(state, view, reward.offer, at)
        if promise is None:
            break
        got.coupons.append(give_coupon(state, promise, at, effects, cause))
    instance.given.append(got)
    del instance.given[:-MAX_GIVEN]
    effects.tell("challenge.completed", happened, _named(instance) | _told(got, reward.badge))


def _uncomplete(
    state: MemberState, instance: Instance, times: int, view: FoldView, happened: Instant, at: Instant, effects: Effects
) -> None:
    """Newest first. A completion stays if its coupon is not there to be taken: the next one is given when one more is reached."""
    for got in reversed(list(instance.given)):
        here = [coupon for coupon in got.coupons if coupon in state.coupons and state.coupons[coupon].state == "active"]
        taken = min(times, got.times - (len(got.coupons) - len(here)))
        if taken < 1:
            continue
        surplus = max(len(got.coupons) - (got.times - taken), 0)
        back = Given(got.wallet, got.points, taken, got.available_at, got.expires_at, got.awaits, here[len(here) - surplus :])
        for coupon in back.coupons:
            withdraw_coupon(state, coupon, at, effects, "challenge.reversed")
            got.coupons.remove(coupon)
        if got.points:
            _take_points(state, back, f"challenge/{instance.challenge}", view, happened, at, effects)
        got.times, instance.times, times = got.times - taken, instance.times - taken, times - taken
        if not got.times:
            instance.given.remove(got)
        effects.tell("challenge.reversed", happened, _named(instance) | _told(back, None))


def _take_points(
    state: MemberState, back: Given, reference: str, view: FoldView, happened: Instant, at: Instant, effects: Effects
) -> None:
    programme, floor = _programme(view, back.wallet), view.wallet(back.wallet).floor
    returns = programme.body.returns if programme is not None else None
    terms = ReversalTerms(floor=floor)
    if returns is not None:
        terms = ReversalTerms(returns.points_gone, floor, returns.vouchers == "take_back")
    posting = Posting(back.wallet, "bonus", back.points * back.times, back.available_at, back.expires_at, back.awaits)
    postings = take_back(state, back.wallet, [posting], terms, at, effects)
    if postings:
        effects.entries.append(LedgerEntry("reverse", happened, tuple(postings), reference))


def _told(got: Given, badge: str | None) -> dict[str, object]:
    data: dict[str, object] = {
        "times": got.times, "wallet": got.wallet, "points": got.points * got.times, "coupons": list(got.coupons)
    }  # fmt: skip
    return data | {"badge": badge} if badge is not None else data


def _lot(view: FoldView, wallet: str, points: int, at: Instant) -> Posting:
    programme = _programme(view, wallet)
    if programme is None:
        return Posting(wallet, "bonus", points)
    return lot_of(programme.body, "bonus", points, at, view.zone)


def _programme(view: FoldView, wallet: str) -> Programme | None:
    """Whose terms the wallet's points have."""
    return next((each for each in view.programmes if each.body.wallet == wallet), None)
