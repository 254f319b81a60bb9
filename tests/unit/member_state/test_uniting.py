"""Two members turn out to be one: she is then what one guest would be who had done what both did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.challenges.model import Challenge, ChallengeBody, Instance, Part
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import DAY, HOUR, NEVER, Instant, local_day
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.effects import Effects
from shared.member_state.erasing import KEPT
from shared.member_state.events import Purchased, Registered, Reversed, TimePassed
from shared.member_state.model import (
    MAX_FORMER,
    MAX_TOUCHES,
    Consent,
    HeldCoupon,
    Inactivity,
    Journey,
    MemberState,
    Pending,
    Referred,
    RuleUsage,
    Tier,
    Touch,
    copy_state,
)
from shared.member_state.rules import apply
from shared.member_state.uniting import stricter
from shared.member_state.uniting_events import MergedAway, United
from shared.member_state.usage import usage_of
from shared.member_state.view import Challenges, Views
from shared.profile.model import EventTrack, Visit
from shared.profile.rules import all_cells
from shared.wallet.model import DEBT, SLIDING, Hold, Lot, Posting
from tests.builders.invariants import bucket_of
from tests.builders.views import ZONE, programme, views
from tests.unit.member_state.stories import bought, noon

START = noon("2026-03-02")
OFTEN = {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 3}
VIEWS = views(OFTEN)


def person(member: str, at: Instant = START) -> MemberState:
    state = MemberState("demo", member, as_of=at)
    apply(state, Registered(at, "app", ""), VIEWS)
    state.version = 1
    return state


def unite(goes: MemberState, survivor: MemberState, at: Instant) -> tuple[Effects, Effects]:
    """The one goes, the other is left; answers what was told and booked of each."""
    apply(goes, TimePassed(at), VIEWS)
    other, theirs, hers = copy_state(goes), Effects(), Effects()
    apply(goes, MergedAway(at, survivor.member, "mrg_1", "same_person", "key_1"), VIEWS, effects=theirs)
    answers = stricter(survivor.consents, other.consents, ())
    apply(survivor, United(at, other, "mrg_1", "same_person", "key_1", ("email",), answers), VIEWS, effects=hers)
    return theirs, hers


# -- against one guest who did it all -------------------------------------------------------------------------------


@dataclass
class Step:
    """A purchase of the one or the other, or a return of what was bought before."""

    who: int
    after: int
    points: int
    spend: int
    waits: int
    expires: int
    back: int | None


STEPS = st.lists(
    st.builds(
        Step, who=st.integers(0, 1), after=st.integers(0, 40), points=st.integers(1, 60), spend=st.integers(0, 20),
        waits=st.sampled_from([0, 0, 5]), expires=st.sampled_from([0, 400, 500]), back=st.none() | st.none() | st.integers(0, 9),
    ),
    min_size=1, max_size=14,
)  # fmt: skip


@dataclass
class World:
    """One or two members, what they bought, and every booking."""

    states: list[MemberState]
    sales: dict[int, tuple[Purchased, tuple[Posting, ...]]] = field(default_factory=dict)
    booked: list[tuple[str, Posting]] = field(default_factory=list)

    def of(self, who: int) -> MemberState:
        return self.states[min(who, len(self.states) - 1)]

    def tell(self, who: int, event: Any) -> Effects:
        effects = Effects()
        apply(self.of(who), event, VIEWS, effects=effects)
        self.booked += [(entry.kind, posting) for entry in effects.entries for posting in entry.postings]
        return effects

    def buy(self, number: int, step: Step, at: Instant, spend: int) -> None:
        day = local_day(at, ZONE)
        available_at = at + step.waits * DAY if step.waits else 0
        lot = Posting("points", "earn", step.points, available_at, (day + step.expires) * DAY if step.expires else NEVER)
        visit = Visit(at, step.points * 10, 2000, {"v:visits": 1, f"c:food{step.points % 3}": step.points * 10, "h:till": step.points * 10})
        spent = {"points": spend} if spend else {}
        event = Purchased(at, f"txn_{number}", visit, (lot,), spent, usage=(("main/base", step.points),))
        effects = self.tell(step.who, event)
        drawn = [each for entry in effects.entries if entry.reference == f"txn_{number}" for each in entry.postings if each.kind == "spend"]
        self.sales[number] = (event, tuple(drawn))

    def take_back(self, number: int, who: int, at: Instant) -> None:
        event, drawn = self.sales.pop(number)
        self.tell(who, Reversed(at, event.transaction, "return", event.visit, event.earned, drawn, usage=event.usage))


def _sums(state: MemberState) -> tuple[int, ...]:
    wallet = state.wallet("points")
    lots = sum(lot.points for lot in wallet.lots)
    return wallet.earned, wallet.spent, wallet.expired, wallet.reversed + wallet.debt, lots - wallet.debt


def _profile(state: MemberState) -> Any:
    profile = state.profile
    cells = {day: (cell.count, cell.value, cell.quantity, dict(cell.by)) for day, cell in all_cells(profile)}
    return cells, profile.first_at, profile.last_at, profile.count, profile.value, state.visits_made


def _play(steps: list[Step], merged_before: int, *, as_one: bool) -> tuple[World, list[int]]:
    """The steps with a merge before one of them, or all by one guest. What is spent is the same in both."""
    world = World([person("mbr_1")] if as_one else [person("mbr_1"), person("mbr_2")])
    owners: dict[int, int] = {}
    spends: list[int] = []
    at = START
    for number, step in enumerate(steps):
        at += step.after * HOUR
        if not as_one and number == merged_before:
            _merge(world, at)
        again = [sale for sale in world.sales if step.back is not None and sale % 10 == step.back]
        if again:
            world.take_back(again[0], 0 if as_one else owners[again[0]], at)
            spends.append(0)
            continue
        wallet = world.of(step.who).wallet("points")
        there = sum(lot.points for lot in wallet.lots if not lot.available_at) - wallet.debt
        spends.append(min(step.spend, max(there, 0)))
        owners[number] = step.who
        world.buy(number, step, at, spends[-1])
    if not as_one and len(world.states) > 1:
        _merge(world, at)
    return world, spends


def _merge(world: World, at: Instant) -> None:
    goes, survivor = world.states
    theirs, hers = unite(goes, survivor, at)
    world.booked += [(entry.kind, each) for effects in (theirs, hers) for entry in effects.entries for each in entry.postings]
    world.states = [survivor]


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(0, 14))
def test_she_is_what_one_guest_would_be_who_had_bought_it_all(steps: list[Step], merged_before: int) -> None:
    steps = [Step(each.who, each.after, each.points, 0, each.waits, each.expires, each.back) for each in steps]
    two, _ = _play(steps, merged_before, as_one=False)
    one, _ = _play(steps, merged_before, as_one=True)
    (united,), (alone,) = two.states, one.states
    assert _profile(united) == _profile(alone)
    assert _sums(united) == _sums(alone)
    assert united.segments.keys() == alone.segments.keys()
    day = local_day(alone.as_of, ZONE)
    assert usage_of(united, "main/base", day) == usage_of(alone, "main/base", day)
    assert [(each.points, each.available_at, each.expires_at) for each in united.wallet("points").lots] == [
        (each.points, each.available_at, each.expires_at) for each in alone.wallet("points").lots
    ]


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(0, 14))
def test_the_ledgers_of_both_prove_what_is_left(steps: list[Step], merged_before: int) -> None:
    world, _ = _play(steps, merged_before, as_one=False)
    (state,) = world.states
    apply(state, TimePassed(state.as_of + 600 * DAY), VIEWS, effects=(late := Effects()))
    world.booked += [(entry.kind, posting) for entry in late.entries for posting in entry.postings]
    wallet, booked = state.wallet("points"), Counter[str]()
    for kind, posting in world.booked:
        if kind != "merge":
            booked[bucket_of(posting)] += posting.points
    assert sum(posting.points for kind, posting in world.booked if kind == "merge") == 0
    in_lots = sum(lot.points for lot in wallet.lots)
    assert min(wallet.earned, wallet.spent, wallet.expired, wallet.reversed, wallet.debt, *(lot.points for lot in wallet.lots)) >= 0
    assert (booked["earned"], booked["spent"], booked["expired"]) == (wallet.earned, -wallet.spent, -wallet.expired)
    assert booked["owed"] == -(wallet.reversed + wallet.debt)
    assert wallet.earned == in_lots + wallet.spent + wallet.expired + wallet.reversed


# -- what is left of the one who went -------------------------------------------------------------------------------


def furnished(member: str) -> MemberState:
    state = person(member)
    state.wallet("points").lots, state.wallet("points").earned = [Lot(30)], 30
    state.journeys = [Journey("welcome", 1, "o", "s", START + DAY)]
    state.segments, state.tags, state.devices = {"s1@1": START}, ["press"], [f"dev_{member}"]
    state.consents = {"marketing:push": Consent(True, START, "1")}
    state.inactivity = Inactivity(START)
    return state


def test_of_the_one_who_went_there_is_nothing_left_but_her_emptied_wallets_and_where_she_leads() -> None:
    goes, survivor = furnished("mbr_1"), person("mbr_2")
    theirs, hers = unite(goes, survivor, START + HOUR)
    nobody = MemberState("demo", "mbr_1")
    left = {each.name for each in fields(MemberState) if getattr(goes, each.name) != getattr(nobody, each.name)}
    assert left <= {*KEPT, "status", "merged_into"}
    assert (goes.status, goes.merged_into, goes.timer) == ("merged", "mbr_2", None)
    assert [(each.type, each.data) for each in theirs.events] == [("member.merged", {"into": "mbr_2", "merge": "mrg_1"})]
    (entry,) = theirs.entries
    assert (entry.kind, entry.reference, entry.reason, entry.actor) == ("merge", "merge/mrg_1", "same_person", "key_1")
    assert [each.reference for each in hers.entries] == ["merge/mrg_1"]
    assert survivor.journeys == []
    assert decode_state("demo", "mbr_1", encode_state(goes)).merged_into == "mbr_2"


def test_a_basket_that_holds_something_of_hers_is_not_left_behind() -> None:
    goes = furnished("mbr_1")
    goes.holds["h"] = Hold("points", 1, START + DAY)
    with pytest.raises(InvalidValue):
        unite(goes, person("mbr_2"), START + HOUR)


def test_so_many_may_turn_out_to_be_one() -> None:
    survivor = person("mbr_0")
    for number in range(MAX_FORMER):
        unite(person(f"mbr_{number + 1}"), survivor, START)
    assert len(survivor.former) == MAX_FORMER
    assert decode_state("demo", "mbr_0", encode_state(survivor)).former == survivor.former
    with pytest.raises(InvalidValue):
        unite(person("mbr_99"), survivor, START)


# -- one by one -----------------------------------------------------------------------------------------------------


def test_lots_keep_their_instants_and_a_debt_is_paid_by_what_is_there() -> None:
    goes, survivor = person("mbr_1"), person("mbr_2")
    theirs, hers = goes.wallet("points"), survivor.wallet("points")
    theirs.lots, theirs.earned = [Lot(5, 0, START + 30 * DAY), Lot(7, START + 9 * DAY, START + 40 * DAY), Lot(3, 0, SLIDING)], 15
    theirs.idle_until = START + 20 * DAY
    hers.debt, hers.idle_until = 6, START + 10 * DAY
    told, booked = unite(goes, survivor, START + HOUR)
    assert hers.idle_until == START + 20 * DAY
    assert [(lot.points, lot.available_at, lot.expires_at) for lot in hers.lots] == [
        (2, 0, START + 30 * DAY), (7, START + 9 * DAY, START + 40 * DAY),
    ]  # fmt: skip
    assert (hers.debt, hers.reversed, theirs.lots) == (0, 6, [])
    assert sum(each.points for each in told.entries[0].postings) == -15
    assert {each.expires_at for each in booked.entries[0].postings} == {START + 30 * DAY, START + 40 * DAY, SLIDING}


def test_what_the_one_owed_the_other_owes_now() -> None:
    goes, survivor = person("mbr_1"), person("mbr_2")
    goes.wallet("points").debt = 9
    survivor.wallet("points").lots, survivor.wallet("points").earned = [Lot(4), Lot(8, START + 9 * DAY)], 12
    theirs, hers = unite(goes, survivor, START + HOUR)
    wallet = survivor.wallet("points")
    assert (wallet.debt, wallet.reversed, [lot.points for lot in wallet.lots]) == (5, 4, [8])
    assert [(each.points, each.expires_at) for each in hers.entries[0].postings] == [(-9, DEBT)]
    assert [(each.points, each.expires_at) for each in theirs.entries[0].postings] == [(9, DEBT)]
    assert goes.wallet("points").debt == 0


def test_limits_add_up() -> None:
    goes, survivor, day = person("mbr_1"), person("mbr_2"), local_day(START, ZONE)
    goes.usage = {"offer:fries": RuleUsage(0, 1, {day: [0, 1]}, {7: 1}, {3: 1})}
    survivor.usage = {"offer:fries": RuleUsage(0, 1, {day - 20: [0, 1]}, {7: 2}), "pay:points": RuleUsage(0, 3, {day: [5, 3]})}
    unite(goes, survivor, START + HOUR)
    used = survivor.usage["offer:fries"]
    assert (used.times, used.days, used.weeks, used.months) == (2, {day: [0, 1]}, {7: 3}, {3: 1})
    assert survivor.usage["pay:points"].times == 3


@pytest.mark.parametrize(
    ("hers", "theirs", "expected"),
    [
        ((True, 5), (True, 9), (True, 5)),
        ((True, 9), (False, 5), (False, 5)),
        ((False, 5), (True, 9), (False, 5)),
        ((False, 5), (False, 9), (False, 9)),
        ((False, 9), (False, 5), (False, 9)),
        (None, (True, 5), (True, 5)),
        (None, (False, 5), (False, 5)),
        ((True, 5), None, (True, 5)),
    ],
)
def test_the_stricter_answer_holds(hers: Any, theirs: Any, expected: Any) -> None:
    found = stricter(*({"marketing:email": Consent(*each, "1")} if each else {} for each in (hers, theirs)), ())
    assert found == {"marketing:email": Consent(*expected, "1")}


def test_a_yes_over_another_address_is_none_for_hers() -> None:
    theirs = {"marketing:email": Consent(True, 1, "1"), "marketing:sms": Consent(True, 1, "1"), "marketing:push": Consent(True, 1, "1")}
    assert stricter({}, theirs, ("email",)).keys() == {"marketing:sms", "marketing:push"}
    refused = {"marketing:email": Consent(False, 1, "1")}
    assert stricter({}, refused, ("email",)) == refused


def test_objections_suppressions_and_touches_of_both_hold_and_a_waiting_answer_ends_with_a_no() -> None:
    goes, survivor = person("mbr_1"), person("mbr_2")
    goes.profiled, goes.suppressed, goes.devices = False, {"email": "bounce", "push": "dead_token"}, []
    survivor.devices, survivor.suppressed = ["dev_2"], {"sms": "opt_out"}
    goes.touches = [Touch("a", "s", "email", START + number) for number in range(50, 0, -1)]
    survivor.touches = [Touch("b", "s", "email", START + number) for number in range(50, 0, -1)]
    goes.consents = {"marketing:email": Consent(False, START + 2, "1")}
    survivor.consents, survivor.pending = {"marketing:email": Consent(False, START, "1")}, {"marketing:email": Pending(START, START)}
    _, hers = unite(goes, survivor, START + HOUR)
    assert (survivor.profiled, survivor.suppressed, survivor.pending) == (False, {"email": "bounce", "sms": "opt_out"}, {})
    assert len(survivor.touches) == MAX_TOUCHES
    assert [each.at for each in survivor.touches] == sorted((each.at for each in survivor.touches), reverse=True)
    assert {"member.united", "member.profiling_changed", "consent.changed"} <= {each.type for each in hers.events}


def test_coupons_of_both_are_hers_and_what_she_has_of_herself_goes_first() -> None:
    goes, survivor = person("mbr_1"), person("mbr_2", START - DAY)
    held = HeldCoupon("fries", "active", START, START + DAY)
    goes.coupons, goes.redeemed, goes.lists = {"cpn_1": held}, {"fries": START}, {"vip": START}
    goes.attributes, goes.tags, goes.zone = {"size": "L", "shoe": 42}, ["press"], "Europe/Vienna"
    survivor.attributes, survivor.redeemed, survivor.lists = {"size": "M"}, {"fries": START - 5}, {"vip": START + 5}
    goes.profile.events["spin"] = EventTrack(2, START - 5, START)
    unite(goes, survivor, START + HOUR)
    assert (survivor.coupons, survivor.redeemed, survivor.lists) == ({"cpn_1": held}, {"fries": START}, {"vip": START})
    assert (survivor.attributes, survivor.tags, survivor.zone) == ({"size": "M", "shoe": 42}, ["press"], "Europe/Vienna")
    assert (survivor.joined_at, survivor.profile.events["spin"].count) == (START - DAY, 2)


@pytest.mark.parametrize(
    ("hers", "theirs", "expected"),
    [
        (None, Referred("mbr_9"), Referred("mbr_9")),
        (Referred("mbr_8"), Referred("mbr_9", "main", "txn_1"), Referred("mbr_9", "main", "txn_1")),
        (Referred("mbr_8", "main", "txn_2"), Referred("mbr_9", "main", "txn_1"), Referred("mbr_8", "main", "txn_2")),
        (None, Referred("mbr_2"), Referred("mbr_2", ended="self_referral")),
        (Referred("mbr_1"), None, Referred("mbr_1", ended="self_referral")),
    ],
)
def test_nobody_is_rewarded_for_having_brought_herself(hers: Any, theirs: Any, expected: Any) -> None:
    goes, survivor = person("mbr_1"), person("mbr_2")
    goes.referred, survivor.referred, goes.referrals = theirs, hers, 2
    unite(goes, survivor, START + HOUR)
    assert (survivor.referred, survivor.referrals) == (expected, 2)


def test_cards_of_their_own_stay_and_of_what_everybody_has_there_is_one() -> None:
    goes, survivor = person("mbr_1"), person("mbr_2")
    goes.challenges = [
        Instance("chl_1", "stamps", 1, START, NEVER, parts=[Part("a", START, 1)]),
        Instance("auto-5", "weekly", 1, START, NEVER, parts=[Part("b", START, 1)], times=1),
    ]
    survivor.challenges = [Instance("auto-5", "weekly", 1, START, NEVER, parts=[Part("c", START + 1, 1)], times=1)]
    unite(goes, survivor, START + HOUR)
    assert sorted(each.id for each in survivor.challenges) == ["auto-5", "chl_1"]
    (weekly,) = [each for each in survivor.challenges if each.id == "auto-5"]
    assert [each.transaction for each in weekly.parts] == ["b", "c"]
    assert goes.challenges == []


def goal(**more: Any) -> Views:
    """Views in which every member has a challenge: ten purchases."""
    body = {"name": "Ten", "goal": {"of": "purchases", "threshold": 10}, "automatic": True, "reward": {"points": 100}} | more
    challenge = Challenge("ten", 1, ChallengeBody.model_validate(body))
    view = replace(VIEWS(START), challenges=Challenges({"ten": challenge}, (challenge,), lambda _id, _version: challenge))
    return lambda _at: view


def ten_with(state: MemberState, *numbers: int, times: int = 0) -> None:
    parts = [Part(f"p{number}", START + number, 1) for number in numbers]
    state.challenges = [Instance("auto-5", "ten", 1, START, NEVER, parts=parts, times=times)]


def test_a_card_that_only_both_together_fill_is_rewarded_once() -> None:
    goes, survivor, effects = person("mbr_1"), person("mbr_2"), Effects()
    ten_with(goes, *range(6))
    ten_with(survivor, *range(6, 11))
    apply(survivor, United(START + HOUR, goes, "mrg_1", "same_person", "key_1", (), {}), goal(), effects=effects)
    assert [each.type for each in effects.events if each.type.startswith("challenge.")] == ["challenge.completed"]
    assert (survivor.challenges[0].times, survivor.wallet("points").earned) == (1, 100)


def test_two_full_cards_are_one_and_neither_reward_is_taken_back() -> None:
    goes, survivor, effects = person("mbr_1"), person("mbr_2"), Effects()
    ten_with(goes, *range(10), times=1)
    ten_with(survivor, *range(10, 20), times=1)
    apply(survivor, United(START + HOUR, goes, "mrg_1", "same_person", "key_1", (), {}), goal(), effects=effects)
    assert not [each.type for each in effects.events if each.type.startswith("challenge.")]
    assert survivor.challenges[0].times == 1


TIERED = views(programmes=[programme(tiers={"levels": [
    {"id": "silver", "name": "Silver", "threshold": 50}, {"id": "gold", "name": "Gold", "threshold": 150}]})])  # fmt: skip


@pytest.mark.parametrize(
    ("hers", "theirs", "points", "expected"),
    [
        ("silver", "gold", 0, "gold"),
        ("gold", "silver", 0, "gold"),
        (None, "silver", 0, "silver"),
        (None, None, 0, None),
        (None, None, 30, "silver"),
        ("silver", None, 80, "gold"),
    ],
)
def test_the_better_tier_holds_and_what_both_counted_counts(hers: Any, theirs: Any, points: int, expected: Any) -> None:
    goes, survivor = person("mbr_1"), person("mbr_2")
    for state, held in ((goes, theirs), (survivor, hers)):
        if points:
            apply(state, bought(1, START, points), VIEWS)
        state.tier = Tier(held, START, START + 100 * DAY) if held else None
    effects = Effects()
    apply(survivor, United(START + HOUR, goes, "mrg_1", "same_person", "key_1", (), {}), TIERED, effects=effects)
    assert (survivor.tier.id if survivor.tier else None) == expected
    assert [each.data["to"] for each in effects.events if each.type == "tier.changed"][-1:] == ([expected] if expected != hers else [])


def test_without_tiers_none_is_brought_along() -> None:
    goes, survivor = person("mbr_1"), person("mbr_2")
    goes.tier = Tier("gold", START)
    unite(goes, survivor, START + HOUR)
    assert survivor.tier is None
