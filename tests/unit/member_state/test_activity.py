"""Retention of inactive members in the fold: against a slow oracle over random lives and clocks, and rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import DAY, HOUR, Instant, parse_rfc3339
from shared.member_state import activity
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent, Responded, TimePassed
from shared.member_state.model import Inactivity, MemberState, Pending, Restriction
from shared.member_state.own_events import RestrictionChanged, SignedIn, WarnedOfInactivity
from shared.member_state.rules import apply
from shared.member_state.view import FoldView, Views
from shared.storage.packing import pack, unpack
from shared.tenants.rights import RetentionSettings
from tests.builders.views import views
from tests.unit.member_state.stories import bought, joined, noon

START = noon("2024-01-31")
BERLIN = ZoneInfo("Europe/Berlin")


def retaining(months: int | None = 12, days: int = 30) -> Views:
    plain, settings = views(), RetentionSettings(inactive_months=months, warn_days=days)

    def view(at: Instant) -> FoldView:
        return replace(plain(at), retention=settings)

    return view


def told(effects: Effects) -> list[tuple[str, Instant]]:
    return [(each.type, each.occurred_at) for each in effects.events if each.type.startswith("member.inactiv")]


def at_ten(day: str) -> Instant:
    return int(datetime.fromisoformat(f"{day}T10:00").replace(tzinfo=BERLIN).timestamp() * 1000)


def passed(state: MemberState, to: Instant, rules: Views) -> list[tuple[str, Instant]]:
    effects = Effects()
    apply(state, TimePassed(to), rules, effects=effects)
    return told(effects)


@pytest.mark.parametrize(
    ("last", "months", "due"),
    [
        ("2024-02-29", 12, "2025-02-28"), ("2024-01-31", 13, "2025-02-28"), ("2023-08-31", 6, "2024-02-29"),
        ("2024-03-31", 3, "2024-06-30"), ("2024-10-27", 5, "2025-03-27"), ("2024-12-30", 3, "2025-03-30"),
    ],
)  # fmt: skip
def test_months_are_the_calendars_and_end_at_ten_in_the_morning(last: str, months: int, due: str) -> None:
    rules = retaining(months)
    state = joined(rules, noon(last))
    assert state.timer == at_ten(due)
    assert passed(state, at_ten(due) - 1, rules) == []
    assert passed(state, at_ten(due), rules) == [("member.inactive", at_ten(due))]
    assert passed(state, at_ten(due) + 400 * DAY, rules) == [], "nothing ends before she was warned"


def test_the_days_count_from_the_warning_and_whatever_she_does_ends_it() -> None:
    rules = retaining(12, 30)
    state = joined(rules, START)
    due = at_ten("2025-01-31")
    passed(state, due, rules)
    apply(state, WarnedOfInactivity(due + 3 * DAY), rules)
    ends = due + 33 * DAY
    assert (state.timer, activity.is_over(state, rules(ends))) == (ends, False)
    saved = decode_state("demo", "mbr_1", unpack(pack(encode_state(state))))
    saved.version = state.version
    assert passed(state, ends, rules) == [("member.inactivity_ended", ends)]
    assert activity.is_over(state, rules(ends))
    apply(saved, SignedIn(ends - HOUR), rules)
    assert saved.inactivity is None
    assert passed(saved, ends + DAY, rules) == []
    assert not activity.is_over(saved, rules(ends + DAY))
    apply(state, SignedIn(ends + HOUR), rules)
    assert not activity.is_over(state, rules(ends + HOUR)), "even between the telling and the erasure"


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (SignedIn(START + DAY), True),
        (Responded(START + DAY, "message.clicked", "c", "s"), True),
        (Responded(START + DAY, "message.opened", "c", "s"), False),
        (Responded(START + DAY, "event.app_opened", "", ""), True),
        (Responded(START + DAY, "form.submitted", "c", "s"), True),
        (RestrictionChanged(START + DAY, None, by_herself=True), True),
        (RestrictionChanged(START + DAY, None, by_herself=False), False),
        (TimePassed(START + DAY), False),
        (bought(1, START + DAY, 5), True),
    ],
)
def test_what_is_activity(event: MemberEvent, counts: bool) -> None:
    rules = retaining()
    state = joined(rules, START)
    apply(state, event, rules)
    assert (activity.last_activity(state) > START) is counts


def test_while_her_data_are_restricted_and_where_nobody_goes_nothing_happens() -> None:
    rules = retaining()
    state = joined(rules, START)
    apply(state, RestrictionChanged(START + DAY, "legal_claims"), rules)
    assert passed(state, START + 1000 * DAY, rules) == []
    lifted = START + 1001 * DAY
    effects = Effects()
    apply(state, RestrictionChanged(lifted, None), rules, effects=effects)
    assert passed(state, lifted + 1, rules) == [("member.inactive", lifted)]
    keeps = retaining(None)
    other = joined(keeps, START)
    assert (other.timer, passed(other, START + 4000 * DAY, keeps)) == (None, [])


def test_switching_it_on_warns_first_however_long_ago_she_was_here() -> None:
    state = joined(retaining(None), START)
    rules = retaining()
    now = START + 3000 * DAY
    happened = passed(state, now, rules)
    assert [type_ for type_, _ in happened] == ["member.inactive"]
    apply(state, WarnedOfInactivity(now), rules)
    assert state.timer == now + 30 * DAY


acts = st.lists(st.tuples(st.integers(1, 500), st.sampled_from(["buy", "sign", "open", "time", "warn"])), max_size=25)


@given(acts, st.integers(3, 14), st.integers(7, 60))
def test_it_is_what_a_slow_reading_of_her_life_says(life: list[tuple[int, str]], months: int, days: int) -> None:
    """The oracle walks hour by hour; the worker warns whenever the life says so."""
    rules, now = retaining(months, days), START
    state, found = joined(rules, START), list[tuple[str, Instant]]()
    last, told_at, warned, over, expected = START, 0, 0, False, list[tuple[str, Instant]]()
    for number, (hours, what) in enumerate(life):
        to = now + hours * 24 * HOUR
        day = now - now % HOUR
        while (day := day + HOUR) <= to:
            local = datetime.fromtimestamp(day / 1000, BERLIN)
            began = datetime.fromtimestamp(last / 1000, BERLIN)
            elapsed = (local.year - began.year) * 12 + local.month - began.month
            is_last = (local.date() + timedelta(days=1)).day == 1
            full = elapsed > months or (elapsed == months and (local.day >= began.day or is_last))
            if not told_at and full and local.hour >= 10 and day > now:
                told_at = day
                expected.append(("member.inactive", day))
            if warned and not over and day >= warned + days * DAY:
                over = True
                expected.append(("member.inactivity_ended", warned + days * DAY))
        now = to
        event: MemberEvent = {
            "buy": lambda number=number, now=now: bought(number + 1, now, 5),
            "sign": lambda _n=0, now=now: SignedIn(now),
            "open": lambda _n=0, now=now: Responded(now, "message.opened", "c", "s"),
            "time": lambda _n=0, now=now: TimePassed(now),
            "warn": lambda _n=0, now=now: WarnedOfInactivity(now),
        }[what]()
        effects = Effects()
        apply(state, event, rules, effects=effects)
        found += [each for each in told(effects) if each[0] != "member.inactivity_warned"]
        if what in ("buy", "sign"):
            last, told_at, warned, over = now, 0, 0, False
        elif what == "warn" and told_at:
            warned, over = now, False
        assert state.timer is None or not told_at or state.timer > now
    assert found == expected


rows = st.builds(Restriction, st.sampled_from(["unlawful", "legal_claims"]), st.integers(1, 2**40))
waiting = st.builds(
    lambda since, step, times: Pending(since, since + step, times), st.integers(1, 2**40), st.integers(0, 10**9), st.integers(1, 3)
)


@given(
    st.none() | rows, st.dictionaries(st.sampled_from(["marketing:email", "news:email"]), waiting), st.integers(0, 2**40),
    st.none() | st.builds(Inactivity, st.integers(1, 2**40), st.integers(0, 2**40), st.booleans()), st.sampled_from(["", "Asia/Tokyo"]),
)  # fmt: skip
def test_the_codec_keeps_what_the_law_makes_of_her(
    restriction: Restriction | None, pending: dict[str, Pending], active: int, idle: Inactivity | None, zone: str
) -> None:
    state = MemberState("demo", "mbr_1", restriction=restriction, pending=pending, active_at=active, inactivity=idle, zone=zone)
    assert decode_state("demo", "mbr_1", unpack(pack(encode_state(state)))) == state


@given(st.integers(parse_rfc3339("2023-01-01T00:00:00Z"), parse_rfc3339("2027-01-01T00:00:00Z")), st.integers(3, 30), st.integers(0, 1200))
def test_the_preview_draws_the_line_where_the_fold_does(now: Instant, months: int, ago: int) -> None:
    last = now - ago * DAY
    rules = retaining(months)
    state = MemberState("demo", "mbr_1", version=1, joined_at=last)
    inactive = activity.inactive_from(state, rules(now)) <= now
    assert (last < activity.inactive_before(months, now, rules(now).zone)) is inactive


def test_an_import_passes_over_it_and_the_present_tells_of_it() -> None:
    rules = retaining()

    def history(at: Instant) -> FoldView:
        return replace(rules(at), gifts=False)

    state = joined(history, START)
    later = START + 900 * DAY
    assert passed(state, later, history) == []
    assert (state.inactivity, state.timer) == (None, later + 1)
    assert passed(state, later + DAY, rules) == [("member.inactive", later)]
    warned = later + 2 * DAY
    apply(state, WarnedOfInactivity(warned), rules)
    assert passed(state, warned + 31 * DAY, history) == []
    assert (activity.is_over(state, rules(warned)), state.timer) == (False, warned + 31 * DAY + 1)
    assert passed(state, warned + 32 * DAY, rules) == [("member.inactivity_ended", warned + 31 * DAY)]
