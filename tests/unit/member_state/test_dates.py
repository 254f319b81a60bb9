"""Dates that campaigns begin on: worked cases. The sweeps are in ``test_campaign_sweeps``."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from shared.kernel.instants import DAY, HOUR, NEVER, Instant, day_number, format_rfc3339, parse_rfc3339
from shared.member_state.dates import date_rule, due_dates, next_date
from shared.member_state.effects import Effects
from shared.member_state.events import JourneyMoved, ProfileChanged, Registered, TimePassed
from shared.member_state.model import Facts, HeldCoupon, MemberState
from shared.member_state.rules import apply, needs_facts
from shared.member_state.view import DateRule, Views
from shared.profile.model import Profile
from shared.wallet.model import SLIDING, Lot, Wallet
from tests.builders.views import views

BERLIN = "Europe/Berlin"


def at(text: str) -> Instant:
    return parse_rfc3339(text)


def rule(of: Any, days: int = 0, minute: int = 600, **more: Any) -> DateRule:
    return DateRule("c", 1, of, days, minute, **more)


def found(state: MemberState, wanted: DateRule, after: str, days: int = 40, born: date | None = None) -> list[tuple[str, str]]:
    facts = Facts(birth_date=day_number(born)) if born is not None else None
    start = at(after)
    reached = due_dates(state, facts, (wanted,), start, start + days * DAY, BERLIN)
    first = next_date(state, facts, (wanted,), start, BERLIN)
    assert first == (reached[0].at if reached else first)
    assert reached or first > start + days * DAY
    return [(format_rfc3339(each.at), each.occurrence) for each in reached]


NOBODY = MemberState("demo", "m")


def test_a_birthday_is_named_by_its_own_year() -> None:
    born = date(1990, 1, 3)
    assert found(NOBODY, rule("birthday", 10), "2026-12-01T00:00:00Z", born=born) == [("2026-12-24T09:00:00Z", "birthday:2027")]
    assert found(NOBODY, rule("birthday", 10), "2026-12-24T09:00:00Z", born=born) == []


def test_a_leap_day_is_kept_on_the_28th_in_common_years() -> None:
    born = date(2004, 2, 29)
    assert found(NOBODY, rule("birthday"), "2027-02-20T00:00:00Z", born=born) == [("2027-02-28T09:00:00Z", "birthday:2027")]
    assert found(NOBODY, rule("birthday"), "2028-02-20T00:00:00Z", born=born) == [("2028-02-29T09:00:00Z", "birthday:2028")]


def test_who_was_born_or_has_joined_today_has_no_birthday_or_anniversary_yet() -> None:
    joined = MemberState("demo", "m", joined_at=at("2028-02-29T05:00:00Z"))
    assert found(NOBODY, rule("birthday"), "2028-02-28T00:00:00Z", born=date(2028, 2, 29)) == []
    assert found(joined, rule("anniversary"), "2028-02-28T00:00:00Z") == []
    joined = MemberState("demo", "m", joined_at=at("2024-02-29T05:00:00Z"))
    assert found(joined, rule("anniversary"), "2027-02-01T00:00:00Z") == [("2027-02-28T09:00:00Z", "anniversary:2027")]


def test_without_a_birth_date_or_a_visit_there_is_nothing() -> None:
    for wanted in (rule("birthday"), rule("no_visit", 1), rule("lot_expiry"), rule("coupon_expiry"), rule("anniversary")):
        assert next_date(NOBODY, None, (wanted,), at("2026-01-01T00:00:00Z"), BERLIN) == NEVER


def test_a_minute_that_the_clocks_skip_is_the_end_of_the_gap_and_one_shown_twice_the_first() -> None:
    visited = MemberState("demo", "m", profile=Profile(last_at=at("2026-03-26T12:00:00Z")))
    assert found(visited, rule("no_visit", 3, 150), "2026-03-27T00:00:00Z") == [("2026-03-29T01:00:00Z", "no_visit:2026-03-26")]
    assert found(visited, rule("no_visit", 2, 150), "2026-03-27T00:00:00Z") == [("2026-03-28T01:30:00Z", "no_visit:2026-03-26")]
    visited.profile.last_at = at("2026-10-22T23:30:00Z")  # the 23rd in Berlin
    assert found(visited, rule("no_visit", 2, 150), "2026-10-23T00:00:00Z") == [("2026-10-25T00:30:00Z", "no_visit:2026-10-23")]


def test_lots_that_expire_together_are_one_occurrence() -> None:
    midnight, idle = at("2026-06-20T22:00:00Z"), at("2026-06-21T10:00:00Z")
    wallet = Wallet([Lot(5, 0, midnight), Lot(7, at("2026-06-19T00:00:00Z"), midnight), Lot(0, 0, midnight - DAY), Lot(4, 0, SLIDING)],
                    idle_until=idle)  # fmt: skip
    state = MemberState("demo", "m", wallets={"points": wallet, "stars": Wallet([Lot(1)])})
    both = [("2026-06-20T08:00:00Z", f"lot:points:{midnight}"), ("2026-06-21T08:00:00Z", f"lot:points:{idle}")]
    assert found(state, rule("lot_expiry"), "2026-06-01T00:00:00Z") == both, "an expiry at midnight ends the day before"
    assert found(state, rule("lot_expiry", wallet="points"), "2026-06-01T00:00:00Z") == both
    assert found(state, rule("lot_expiry", wallet="stars"), "2026-06-01T00:00:00Z") == []
    assert found(state, rule("lot_expiry", 10), "2026-06-01T00:00:00Z")[0] == ("2026-06-10T08:00:00Z", f"lot:points:{midnight}")


def test_only_coupons_that_can_be_used_then() -> None:
    ends = at("2026-06-20T22:00:00Z")
    plain = HeldCoupon("fries", "active", at("2026-05-01T00:00:00Z"), ends)
    coupons = {
        "k1": plain,
        "k2": replace(plain, offer="cake"),
        "held": replace(plain, state="held"),
        "later": replace(plain, active_from=at("2026-06-15T00:00:00Z")),
        "always": replace(plain, expires_at=NEVER),
        "early": replace(plain, expires_at=at("2026-06-20T07:00:00Z")),
    }
    state = MemberState("demo", "m", coupons=coupons)
    on_the_10th = [("2026-06-10T08:00:00Z", name) for name in ("coupon:early", "coupon:k1", "coupon:k2")]
    assert found(state, rule("coupon_expiry", 10), "2026-06-01T00:00:00Z") == on_the_10th
    assert found(state, rule("coupon_expiry", 10, offer="cake"), "2026-06-01T00:00:00Z") == [("2026-06-10T08:00:00Z", "coupon:k2")]
    last_day = found(state, rule("coupon_expiry"), "2026-06-01T00:00:00Z")
    assert [name for _, name in last_day] == ["coupon:k1", "coupon:k2", "coupon:later"], "at ten that of before ten is gone"


def test_a_trigger_as_it_is_stored_is_a_rule() -> None:
    trigger = {"kind": "date", "of": "coupon_expiry", "days": 10, "at": "07:05", "offer": "fries", "wallet": None}
    assert date_rule("c", 4, trigger) == DateRule("c", 4, "coupon_expiry", 10, 425, None, "fries")
    assert date_rule("c", 1, {"kind": "date", "of": "birthday"}) == DateRule("c", 1, "birthday", 0, 600)


# -- in the fold ----------------------------------------------------------------------------------------------------------


def live(*rules: DateRule, gifts: bool = True) -> Views:
    view = replace(views(gifts=gifts)(0), dates=rules)
    return lambda _at: view


def member(started: Instant, views_: Views, **more: Any) -> MemberState:
    state = MemberState("demo", "m", as_of=started)
    apply(state, Registered(started, "app", "", known=("birth_date",), **more), views_, BORN)
    state.version = 1
    return state


BORN = Facts(birth_date=day_number(date(1990, 6, 20)))


def told(state: MemberState, to: Instant, views_: Views) -> list[tuple[Instant, object]]:
    effects = Effects()
    apply(state, TimePassed(to), views_, BORN, effects)
    return [(each.occurred_at, each.data["occurrence"]) for each in effects.events if each.type == "campaign.date_reached"]


def test_it_is_told_in_her_own_zone() -> None:
    on_birthdays = live(rule("birthday"))
    state = member(at("2026-06-01T00:00:00Z"), on_birthdays, zone="Asia/Tokyo")
    assert state.timer == at("2026-06-20T01:00:00Z")
    apply(state, ProfileChanged(at("2026-06-02T00:00:00Z"), ("birth_date",), zone="America/New_York"), on_birthdays, BORN)
    assert state.timer is not None
    assert told(state, at("2026-07-01T00:00:00Z"), on_birthdays) == [(at("2026-06-20T14:00:00Z"), "birthday:2026")]


def test_a_change_of_zone_is_a_change_of_the_profile() -> None:
    state = member(at("2026-06-01T00:00:00Z"), live())
    tokyo = "Asia/Tokyo"
    for zone, fields, after in ((tokyo, ["time_zone"], tokyo), (tokyo, [], tokyo), (None, [], tokyo), ("", ["time_zone"], "")):
        effects = apply(state, ProfileChanged(state.as_of + 1, ("birth_date",), zone=zone), live())
        assert (effects.events[0].data, state.zone) == ({"fields": fields}, after)


def test_what_lay_behind_when_it_became_known_is_not_told() -> None:
    on_birthdays = live(rule("birthday", 3))
    state = member(at("2026-06-17T08:00:01Z"), on_birthdays)
    assert told(state, at("2026-07-01T00:00:00Z"), on_birthdays) == []


def test_imported_history_tells_none_but_arms_the_timer_for_the_next() -> None:
    state = member(at("2025-06-01T00:00:00Z"), live(rule("birthday"), gifts=False))
    assert told(state, at("2025-12-01T00:00:00Z"), live(rule("birthday"), gifts=False)) == []
    assert state.timer == at("2026-06-20T08:00:00Z")


def test_nobody_is_told_of_who_is_merged() -> None:
    on_birthdays = live(rule("birthday"))
    state = member(at("2026-06-01T00:00:00Z"), on_birthdays)
    state.status = "merged"
    assert told(state, at("2026-07-01T00:00:00Z"), on_birthdays) == []


def test_only_birthdays_need_personal_facts() -> None:
    state = member(at("2026-06-01T00:00:00Z"), live())
    now = at("2026-06-02T00:00:00Z")
    assert needs_facts(state, live(rule("no_visit", 3), rule("birthday")), now)
    assert not needs_facts(state, live(rule("no_visit", 3), rule("anniversary")), now)
    state.known = []
    assert not needs_facts(state, live(rule("birthday")), now)


def test_without_such_campaigns_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant that has none pays for none: the functions are not called, nor those of journeys."""

    def refuse(*_args: object) -> Instant:
        raise AssertionError("asked without need")

    monkeypatch.setattr("shared.member_state.dates.next_date", refuse)
    monkeypatch.setattr("shared.member_state.dates.due_dates", refuse)
    monkeypatch.setattr("shared.member_state.journeys.next_due", refuse)
    state = member(at("2026-06-01T00:00:00Z"), live())
    assert told(state, at("2026-07-01T00:00:00Z"), live()) == []
    with pytest.raises(AssertionError, match="without need"):
        member(at("2026-06-01T00:00:00Z"), live(rule("birthday")))
    with pytest.raises(AssertionError, match="without need"):
        apply(state, JourneyMoved(state.as_of, "c", 1, "o", "s", state.as_of + HOUR), live())
