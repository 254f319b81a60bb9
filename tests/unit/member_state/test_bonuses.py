"""Bonuses: worked cases, birthdays whenever they are swept, and the counting of limits."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import DAY, HOUR, Instant, day_of, local_datetime, local_day
from shared.member_state.bonuses import is_birthday
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent, ProfileChanged, Registered, Responded, TimePassed
from shared.member_state.model import MAX_TAGS, MAX_USAGE, USAGE_DAYS, Facts, MemberState
from shared.member_state.rules import apply, needs_facts
from shared.member_state.usage import count_usage, last_day, uncount_usage, usage_of
from shared.programmes.conditions import Usage
from shared.wallet.model import Posting
from shared.wallet.rules import available, pending
from tests.builders.views import ZONE, programme, views
from tests.unit.member_state.stories import bought, joined, noon, starts

CASES = json.loads((Path(__file__).parents[2] / "cases" / "bonuses.json").read_text())
BIRTHDAY = {"id": "cake", "on": "birthday", "points": 20}


def event_of(written: list[Any], state: MemberState) -> MemberEvent:
    """One step of a case."""
    at, verb = noon(written[0]), written[1]
    if verb == "join":
        more = written[2] if len(written) > 2 else {}
        opening = (Posting("points", "open", more["opening"]),) if "opening" in more else ()
        return Registered(at, "app", more.get("location", ""), known=tuple(more.get("known", ())), opening=opening)
    if verb == "profile":
        return ProfileChanged(at, tuple(written[2]))
    if verb == "attribute":
        return ProfileChanged(at, tuple(state.known), {written[2]: 1})
    if verb == "tag":
        return ProfileChanged(at, tuple(state.known), tags=tuple(written[2]))
    return Responded(at, written[2]) if verb == "say" else TimePassed(at)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_worked_case(case: dict[str, Any]) -> None:
    plain = views(programmes=[programme(bonuses=case["bonuses"], **case.get("programme", {}))], gifts=case.get("gifts", True))
    view = replace(plain(0), groups_of=lambda location: frozenset(case.get("groups", {}).get(location, ())))
    live = lambda _at: view  # noqa: E731
    facts = Facts(day_of(case["born"])) if "born" in case else None
    state, effects = MemberState("demo", "mbr_1"), Effects()
    for written in case["steps"]:
        if written[1] == "born":
            facts = Facts(day_of(written[2]))
        apply(state, event_of(written, state), live, facts, effects)
        state.version += 1
    given_ = [(each.occurred_at, each.data) for each in effects.events if each.type == "bonus.given"]
    written_as = 16 if "born" in case else 10
    assert [[stamp(at)[:written_as], data["bonus"]] for at, data in given_] == case["given"]
    points = {each["id"]: each["points"] for each in case["bonuses"]}
    assert [data for _, data in given_] == [
        {"programme": "main", "bonus": bonus, "wallet": "points", "points": points[bonus]} for _, bonus in case["given"]
    ]
    booked = [(each.kind, each.reference, each.at) for each in effects.entries if each.kind == "bonus"]
    assert booked == [("bonus", f"main/{data['bonus']}", at) for at, data in given_]
    wallet = state.wallet("points")
    assert (available(wallet, state.holds, "points"), pending(wallet)) == (case["balance"], case.get("pending", 0))
    assert sum(posting.points for each in effects.entries for posting in each.postings) == case["balance"] + case.get("pending", 0)


def stamp(at: Instant) -> str:
    return local_datetime(at, ZONE).strftime("%Y-%m-%d %H:%M")


@given(st.dates(date(1950, 1, 1), date(2020, 12, 31)), st.lists(st.integers(0, 1500), max_size=8), st.integers(0, 30))
def test_every_birthday_is_kept_once_however_late_the_sweep(born: date, sweeps: list[int], days_late: int) -> None:
    live = views(programmes=[programme(bonuses=[BIRTHDAY])])
    facts = Facts(day_of(born.isoformat()))
    begin = noon("2023-06-15")
    end = begin + 1500 * DAY + days_late * DAY
    told: list[list[Any]] = []
    for times in ([], sorted(sweeps)):
        state, effects = MemberState("demo", "mbr_1"), Effects()
        apply(state, Registered(begin, "app", ""), live, facts, effects)
        state.version = 1
        for each in [*(begin + sweep * DAY for sweep in times), end]:
            apply(state, TimePassed(each), live, facts, effects)
        told.append([stamp(each.occurred_at) for each in effects.events if each.type == "bonus.given"])
    expected = []
    for year in range(2023, 2029):
        leapless = born.month == 2 and born.day == 29 and year % 4 != 0
        day = date(year, 2, 28) if leapless else date(year, born.month, born.day)
        if begin < starts(day.isoformat()) <= end:
            expected.append(f"{day.isoformat()} 00:00")
    assert told == [expected, expected]


def test_waking_by_the_timer_finds_every_birthday() -> None:
    live = views(programmes=[programme(bonuses=[BIRTHDAY])])
    facts = Facts(day_of("1992-02-29"))
    state, effects = MemberState("demo", "mbr_1"), Effects()
    apply(state, Registered(noon("2026-06-01"), "app", ""), live, facts, effects)
    state.version = 1
    woken = []
    for _ in range(3):
        assert state.timer is not None
        woken.append(stamp(state.timer))
        apply(state, TimePassed(state.timer), live, facts, effects)
    assert woken == ["2027-02-28 00:00", "2028-02-29 00:00", "2029-02-28 00:00"]
    assert state.wallet("points").earned == 60


def test_personal_facts_are_needed_only_for_a_birthday_that_is_known() -> None:
    cake, plain = views(programmes=[programme(bonuses=[BIRTHDAY])]), views(programmes=[programme()])
    state = joined(cake, noon("2026-01-01"))
    assert not needs_facts(state, cake, state.as_of)
    state.known = ["birth_date"]
    assert needs_facts(state, cake, state.as_of)
    assert not needs_facts(state, plain, state.as_of)


def test_imported_history_arms_the_timer_for_birthdays_to_come() -> None:
    live = views(programmes=[programme(bonuses=[BIRTHDAY])], gifts=False)
    state = MemberState("demo", "mbr_1")
    apply(state, Registered(noon("2026-01-01"), "import", ""), live, Facts(day_of("1990-03-10")))
    assert state.timer == starts("2026-03-10")


def test_bonuses_of_several_programmes_come_in_their_order() -> None:
    hello = {"id": "hello", "on": "registration", "points": 10}
    second = programme("b_first", priority=5, wallet="stars", bonuses=[hello])
    live = views(programmes=[programme("a_last", bonuses=[hello]), second])
    effects = Effects()
    joined(live, noon("2026-01-01"), effects)
    assert [each.data["programme"] for each in effects.events if each.type == "bonus.given"] == ["b_first", "a_last"]


def test_a_bonus_lifts_a_tier_that_counts_a_lifetime_of_points() -> None:
    tiers = {"window": "lifetime", "levels": [{"id": "silver", "name": "Silver", "threshold": 10}]}
    walk = {"id": "walk", "on": "event", "event": "walked", "points": 10}
    live = views(programmes=[programme(bonuses=[walk], tiers=tiers)])
    state = joined(live, noon("2026-01-01"))
    effects = apply(state, Responded(noon("2026-01-02"), "event.walked"), live)
    assert [each.type for each in effects.events] == ["event.walked", "bonus.given", "tier.changed"]


def test_the_day_of_birth_is_no_birthday() -> None:
    live, born = views(programmes=[programme(bonuses=[BIRTHDAY])]), Facts(day_of("2026-03-10"))
    assert not is_birthday(live(0), born, starts("2026-03-10"))
    assert is_birthday(live(0), born, starts("2027-03-10"))
    assert not is_birthday(live(0), born, starts("2027-03-10") + 1)


def test_points_that_an_event_releases_are_told() -> None:
    walk = {"id": "hello", "on": "registration", "points": 10}
    live = views(programmes=[programme(bonuses=[walk], pending={"until_event": "confirmed"})])
    state = joined(live, noon("2026-01-01"))
    effects = apply(state, Responded(noon("2026-01-02"), "event.confirmed"), live)
    told = [(each.type, each.data, each.cause) for each in effects.events]
    assert told == [
        ("event.confirmed", {}, None),
        ("points.available", {"wallet": "points", "points": 10}, "event.confirmed"),
    ]


def test_tags_are_replaced_whole_and_bounded() -> None:
    live = views()
    state = joined(live, noon("2026-01-01"))
    effects = apply(state, ProfileChanged(noon("2026-01-02"), (), tags=("vip", "dog", "dog")), live)
    assert state.tags == ["dog", "vip"]
    assert effects.events[0].data == {"fields": ["tags"]}
    apply(state, ProfileChanged(noon("2026-01-03"), ("first_name",)), live)
    assert state.tags == ["dog", "vip"]
    with pytest.raises(InvalidValue):
        apply(state, ProfileChanged(noon("2026-01-04"), (), tags=tuple(f"t{number}" for number in range(MAX_TAGS + 1))), live)


def test_a_referrer_is_remembered_from_joining() -> None:
    state = MemberState("demo", "mbr_1")
    apply(state, Registered(noon("2026-01-01"), "app", "", referrer="mbr_2"), views())
    assert state.referred is not None
    assert (state.referred.by, state.referred.transaction, state.referred.ended) == ("mbr_2", "", "")


def test_usage_is_counted_in_all_and_by_day() -> None:
    state = MemberState("demo", "mbr_1")
    count_usage(state, "p/r", 10, 100)
    count_usage(state, "p/r", 5, 100)
    count_usage(state, "p/r", 3, 101)
    assert usage_of(state, "p/r", 100) == Usage(18, 3, 15, 2)
    assert usage_of(state, "p/r", 102) == Usage(18, 3, 0, 0)
    assert usage_of(state, "p/other", 100) == Usage()


def test_days_that_no_till_is_late_by_are_forgotten_but_never_the_last() -> None:
    state = MemberState("demo", "mbr_1")
    for day in (100, 101, 100 + USAGE_DAYS + 1):
        count_usage(state, "p/r", 1, day)
    assert sorted(state.usage["p/r"].days) == [101, 100 + USAGE_DAYS + 1]
    assert last_day(state, "p/r") == 100 + USAGE_DAYS + 1
    count_usage(state, "p/r", 1, 50)
    assert usage_of(state, "p/r", 50) == Usage(4, 4, 0, 0), "too late for its day, but counted in all"


def test_the_rule_used_longest_ago_is_forgotten_first() -> None:
    state = MemberState("demo", "mbr_1")
    for number in range(MAX_USAGE):
        count_usage(state, f"p/r{number}", 1, 100)
    count_usage(state, "p/r0", 1, 100)
    count_usage(state, "p/new", 1, 100)
    assert len(state.usage) == MAX_USAGE
    assert "p/r1" not in state.usage
    assert {"p/r0", "p/r2", "p/new"} <= set(state.usage)


amounts = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 50), st.integers(100, 104)), max_size=12)


@given(amounts)
def test_what_is_taken_back_leaves_what_was_before(drawn: list[tuple[str, int, int]]) -> None:
    state, plain = MemberState("demo", "mbr_1"), MemberState("demo", "mbr_1")
    for key, points, day in drawn[::2]:
        count_usage(plain, key, points, day)
    for key, points, day in [*drawn[::2], *drawn[1::2]]:
        count_usage(state, key, points, day)
    for key, points, day in drawn[1::2]:
        uncount_usage(state, key, points, day)
    assert state.usage == plain.usage


def test_nothing_is_taken_back_below_zero_or_of_what_is_forgotten() -> None:
    state = MemberState("demo", "mbr_1")
    uncount_usage(state, "p/r", 5, 100)
    assert state.usage == {}
    count_usage(state, "p/r", 5, 100)
    count_usage(state, "p/r", 5, 101)
    uncount_usage(state, "p/r", 7, 100, times=0)
    assert usage_of(state, "p/r", 100) == Usage(3, 2, 0, 1)


def test_a_profile_that_purchases_alone_change_gives_no_bonus() -> None:
    full = {"id": "full", "on": "profile_completed", "points": 5, "fields": ["first_name"]}
    live = views(programmes=[programme(bonuses=[full])])
    state = joined(live, noon("2026-01-01"))
    effects = apply(state, bought(1, noon("2026-01-02") + HOUR, 10), live)
    assert [each.type for each in effects.events] == ["transaction.recorded"]
    assert local_day(state.as_of, ZONE) == day_of("2026-01-02")
