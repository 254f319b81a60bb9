"""Worked cases, the flips of a member, the language's refusals, and what the generated source may hold."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.challenges.model import Instance
from shared.kernel.instants import DAY, HOUR, MINUTE, NEVER, Instant, day_of, day_start, local_datetime, parse_rfc3339
from shared.member_state.model import Facts, HeldCoupon, MemberState, Tier, Touch, copy_state
from shared.profile.happenings import add_event
from shared.profile.model import Visit
from shared.profile.rules import add_visit
from shared.profile.statistics import Statistics
from shared.segments.api import why_node
from shared.segments.compiler import compile_segments
from shared.segments.context import Context
from shared.segments.model import MAX_DEPTH, MAX_LEAVES, SegmentDefinition, SegmentTooLarge
from shared.segments.parsing import HABITS, HOLDINGS, PERSON, PURCHASES, RESPONSES
from shared.segments.rules import evaluate_all, explain
from shared.tenants.model import ProfileSettings
from shared.wallet.model import SLIDING, Hold, Lot, Wallet

CASES = json.loads((Path(__file__).parents[2] / "cases" / "segments.json").read_text())
ADULT = {"kind": "age", "op": "ge", "years": 18}
NOW = parse_rfc3339("2026-11-21T10:00:00Z")


def segment(rule: dict[str, Any], name: str = "some") -> SegmentDefinition:
    return SegmentDefinition.model_validate({"id": name, "name": name, "rule": rule})


def count(days: int, op: str, value: int, **more: Any) -> dict[str, Any]:
    return {"kind": "purchases", "metric": "count", "days": days, "op": op, "value": value, **more}


def buying(*instants: Instant, value: int = 500, by: dict[str, int] | None = None, zone: str = "UTC") -> MemberState:
    state = MemberState("t", "m")
    for instant in instants:
        add_visit(state.profile, Visit(instant, value, 1000, by or {}), zone)
    return state


def visit_of(purchase: Any, case: dict[str, Any]) -> Visit:
    """A purchase of 500, or as the case says, booked with its local hour."""
    sale = purchase if isinstance(purchase, dict) else {"at": purchase, "by": case.get("by", {})}
    at, value = parse_rfc3339(sale["at"]), sale.get("value", 500)
    by = sale.get("by", {})
    hour = f"o:{local_datetime(at, case['zone']).hour:02}"
    return Visit(at, value, 1000, {**by, hour: value}, units=dict.fromkeys(by, 1000))


def state_of(case: dict[str, Any]) -> tuple[MemberState, Facts]:
    state = MemberState("t", case.get("member", "m"), attributes=case.get("attributes", {}), profiled=case.get("profiled", True))
    for purchase in case.get("purchases", ()):
        add_visit(state.profile, visit_of(purchase, case), case["zone"])
    for type_, at, amount, part in case.get("events", ()):
        add_event(state.profile, type_, parse_rfc3339(at), case["zone"], amount, part)
    for index, (offer, status, start, end) in enumerate(case.get("coupons", ())):
        state.coupons[str(index)] = HeldCoupon(offer, status, parse_rfc3339(start), parse_rfc3339(end))
    lots = [Lot(points, parse_rfc3339(start), parse_rfc3339(end)) for points, start, end in case.get("lots", ())]
    lots += [Lot(points, 0, SLIDING) for points in case.get("sliding", ())]
    lots += [Lot(points, awaits="x") for points in case.get("awaiting", ())]
    idle = parse_rfc3339(case["idle_until"]) if "idle_until" in case else NEVER
    state.wallets["points"] = Wallet(lots, debt=case.get("debt", 0), idle_until=idle)
    state.holds = {str(i): Hold("points", points, parse_rfc3339(until)) for i, (points, until) in enumerate(case.get("holds", ()))}
    state.tier = Tier(case["tier"][0], parse_rfc3339(case["tier"][1])) if "tier" in case else None
    state.joined_at = parse_rfc3339(case["joined"]) if "joined" in case else 0
    state.identifier_kinds, state.tags = case.get("kinds", []), case.get("tags", [])
    state.lists, state.devices = dict.fromkeys(case.get("lists", ()), 1), case.get("devices", [])
    for index, (challenge, start, end, *done) in enumerate(case.get("challenges", ())):
        completed = parse_rfc3339(done[0]) if done else 0
        window = (parse_rfc3339(start), parse_rfc3339(end))
        state.challenges.append(Instance(str(index), challenge, 1, *window, times=len(done), completed_at=completed))
    for touch in case.get("touches", ()):
        instants = {name: parse_rfc3339(touch[name]) for name in ("at", "opened_at", "clicked_at", "redeemed_at") if name in touch}
        state.touches.append(Touch(touch["campaign"], "s", "push", **instants, held=touch.get("held", False)))
    home = case.get("home")
    birth_date = day_of(case["birth_date"]) if "birth_date" in case else None
    return state, Facts(birth_date, case.get("gender"), case.get("language"), (home[0], home[1]) if home else None)


def context_of(case: dict[str, Any]) -> Context:
    given = case.get("statistics", {})
    quintiles = (tuple(given.get(name, ())) for name in ("recency", "frequency", "monetary"))
    statistics = Statistics(given.get("median_interval2", 60), *quintiles)
    places = {name: (north, east) for name, (north, east) in case.get("locations", {}).items()}
    profile = ProfileSettings(**case.get("profile", {}))
    return Context(case["zone"], statistics, profile, places, {}, tuple(case.get("tiers", ())))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_worked_case(case: dict[str, Any]) -> None:
    state, facts = state_of(case)
    now, until = parse_rfc3339(case["at"]), NEVER if case["until"] == "never" else parse_rfc3339(case["until"])
    definition = segment(case["rule"])
    context = context_of(case)
    assert compile_segments([definition], context).evaluate(state, facts, now) == [(case["truth"], until)]
    why = explain(definition, state, facts, now, context)
    assert (why.truth, why.valid_until) == (case["truth"], until)


def test_every_kind_of_leaf_has_a_worked_case() -> None:
    asked = {kind for case in CASES for kind in re.findall(r'"kind": "([a-z_]+)"', json.dumps(case["rule"]))}
    assert {*PERSON, *PURCHASES, *HABITS, *RESPONSES, *HOLDINGS} <= asked


def test_flips_tell_who_enters_and_leaves_and_touch_nothing() -> None:
    state = buying(NOW - 3 * DAY)
    state.segments = {"regular@1": 1, "lapsed@1": 1, "retired@4": 1}
    before = copy_state(state)
    made = [
        segment(count(7, "ge", 1), "regular"),
        segment({"kind": "since_last_purchase", "op": "at_least", "days": 30}, "lapsed"),
        segment({"kind": "since_last_purchase", "op": "less_than", "hours": 80}, "fresh"),
        segment(ADULT, "adult"),
    ]
    flips = evaluate_all(state, compile_segments(made, Context("UTC")), None, NOW)
    assert (flips.entered, flips.left) == (["fresh@1"], ["lapsed@1", "retired@4"])
    assert flips.next_change == NOW + 8 * HOUR
    assert state == before


def test_without_definitions_nothing_ever_changes() -> None:
    flips = evaluate_all(MemberState("t", "m"), compile_segments([], Context("UTC")), None, NOW)
    assert (flips.entered, flips.left, flips.next_change) == ([], [], NEVER)


def test_one_purchase_may_flip_many_segments() -> None:
    compiled = compile_segments([segment(count(30, "ge", 1), f"s{index}") for index in range(300)], Context("UTC"))
    assert len(evaluate_all(buying(NOW), compiled, None, NOW).entered) == 300


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"])
@pytest.mark.parametrize("day", ["2026-03-27", "2026-10-23", "2026-09-04", "2026-04-03"])
def test_waking_at_each_next_change_finds_the_flips_of_every_minute(zone: str, day: str) -> None:
    start = day_start(day_of(day), zone)
    state = buying(start - 40 * HOUR, start - 61 * MINUTE, start - 30 * HOUR, zone=zone)
    rules = [
        count(2, "ge", 2), count(3, "eq", 1), {"kind": "not", "rule": count(1, "ge", 1)},
        {"kind": "since_last_purchase", "op": "at_least", "hours": 25}, {"kind": "since_last_purchase", "op": "less_than", "hours": 3},
        {"kind": "all", "rules": [count(3, "ge", 1), {"kind": "since_last_purchase", "op": "at_least", "days": 1}]},
    ]  # fmt: skip
    compiled = compile_segments([segment(rule, f"s{index}") for index, rule in enumerate(rules)], Context(zone))
    minutes = range(start, start + 5 * DAY, MINUTE)
    swept = [frozenset(evaluate_all(state, compiled, None, minute).entered) for minute in minutes]
    woken, due, inside, wakes = [], start, frozenset[str](), 0
    for minute in minutes:
        if minute >= due:
            flips = evaluate_all(state, compiled, None, minute)
            inside, due, wakes = frozenset(flips.entered), flips.next_change, wakes + 1
        woken.append(inside)
    assert woken == swept
    assert wakes <= 2 + sum(before != after for before, after in pairwise(swept))


def test_facts_are_needed_only_where_a_leaf_asks() -> None:
    without, nested = segment(count(7, "ge", 1)), segment({"kind": "not", "rule": {"kind": "any", "rules": [ADULT]}})
    assert compile_segments([without, nested], Context("UTC")).needs_facts
    assert not compile_segments([without], Context("UTC")).needs_facts


def test_why_shows_what_each_leaf_looked_at() -> None:
    state = buying(NOW - 3 * DAY, NOW, by={"l:mitte": 500})
    rule = {"kind": "all", "rules": [count(7, "ge", 2), {"kind": "favourite", "of": "location", "days": 7, "is": "north"}]}
    why = explain(segment(rule), state, None, NOW, Context("UTC"))
    sums = {"count": 2, "value": 1000, "quantity": 2000, "visits": 2}
    assert [(child.value, child.truth) for child in why.children] == [(sums, True), (("mitte",), False)]
    assert why.children[0].asked == count(7, "ge", 2)
    assert (why.truth, why.valid_until) == (False, day_start(day_of("2026-11-28"), "UTC"))


def test_why_names_the_meaning_of_days_and_whose_they_are() -> None:
    rules = [
        count(7, "ge", 1), {"kind": "since_last_purchase", "op": "at_least", "days": 7},
        {"kind": "since_last_purchase", "op": "at_least", "day": "calendar", "days": 7, "time_zone": "Asia/Tokyo"},
        {"kind": "birthday", "today": True}, {"kind": "consent", "purpose": "news", "channel": "push", "granted": True},
    ]  # fmt: skip
    why = explain(segment({"kind": "all", "rules": rules}), buying(NOW), None, NOW, Context("Europe/Berlin"))
    berlin = ("calendar", "Europe/Berlin")
    expected = [berlin, ("rolling", None), ("calendar", "Asia/Tokyo"), berlin, (None, None)]
    assert [(child.day, child.zone) for child in why.children] == expected
    shown = why_node(why).model_dump(mode="json")["children"]
    assert [child["zone"] for child in shown[:3]] == ["Europe/Berlin", None, "Asia/Tokyo"]


def test_the_same_question_is_computed_once() -> None:
    rules = [count(days, "ge", value, filter={"category": "coffee"}) for days in (7, 30, 90) for value in (1, 2, 3)]
    source = compile_segments([segment({"kind": "any", "rules": rules}, f"s{index}") for index in range(5)], Context("UTC")).source
    assert source.count("bisect_left(") == len(rules) * 5
    assert len(set(re.findall(r"= (series\.sums\([^\n]+\))", source))) == 1
    assert source.count(" = None") == len(rules) + 1


def test_no_text_of_a_definition_reaches_the_source() -> None:
    evil = '"); import os; os.abort() #'
    rules = [
        {"kind": "attribute", "name": "city", "op": "eq", "value": evil},
        {"kind": "attribute", "name": "city", "op": "in", "value": [evil, "x"]},
        count(7, "ge", 1, filter={"category": evil}),
        {"kind": "tag_share", "tag": evil, "days": 7, "op": "ge", "percent": 50},
        {"kind": "favourite", "of": "tag", "days": 7, "is": evil},
    ]
    compiled = compile_segments([segment({"kind": "all", "rules": rules})], Context("UTC"))
    assert "abort" not in compiled.source
    assert "city" not in compiled.source
    assert [truth for truth, _ in compiled.evaluate(buying(NOW, by={f"c:{evil}": 500}), None, NOW)] == [False]


def test_one_and_true_are_different_values_in_one_function() -> None:
    values: list[Any] = [1, True]
    rules = [{"kind": "attribute", "name": "x", "op": "eq", "value": value} for value in values]
    compiled = compile_segments([segment(rule) for rule in rules], Context("UTC"))
    state = MemberState("t", "m", attributes={"x": True})
    assert [truth for truth, _ in compiled.evaluate(state, None, NOW)] == [None, True]


def test_a_purchase_dated_ahead_counts_from_its_day_on() -> None:
    late = parse_rfc3339("2026-11-21T23:58:00Z")
    compiled = compile_segments([segment(count(1, "ge", 1))], Context("UTC"))
    state = buying(late + 4 * MINUTE)
    midnight = day_start(day_of("2026-11-22"), "UTC")
    assert compiled.evaluate(state, None, late) == [(False, midnight)]
    assert compiled.evaluate(state, None, midnight) == [(True, midnight + DAY)]


def deep(levels: int) -> dict[str, Any]:
    rule: dict[str, Any] = ADULT
    for _ in range(levels - 1):
        rule = {"kind": "not", "rule": rule}
    return rule


def test_the_largest_allowed_trees_compile_and_answer() -> None:
    for rule in (deep(MAX_DEPTH), {"kind": "any", "rules": [ADULT] * MAX_LEAVES}):
        assert compile_segments([segment(rule)], Context("UTC")).evaluate(MemberState("t", "m"), None, NOW) == [(None, NEVER)]


@pytest.mark.parametrize(
    ("rule", "pointer", "code"),
    [
        ({"kind": "any", "rules": [ADULT] * (MAX_LEAVES + 1)}, f"/rule/rules/{MAX_LEAVES}", "too_many_leaves"),
        (deep(MAX_DEPTH + 1), "/rule" * (MAX_DEPTH + 1), "too_deep"),
        (deep(150), "/rule" * (MAX_DEPTH + 1), "too_deep"),
    ],
)
def test_too_large_a_tree_is_refused_with_a_pointer(rule: dict[str, Any], pointer: str, code: str) -> None:
    with pytest.raises(SegmentTooLarge) as refused:
        SegmentDefinition.model_validate_json(json.dumps({"id": "s", "name": "s", "rule": rule}))
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "sometimes"},
        {"kind": "all", "rules": []},
        count(7, "ge", 1, time_zone="UTC"),
        count(7, "ge", 1, weekdays=[]),
        count(7, "ge", 1, weekdays=["monday"]),
        count(7, "ge", 1, filter={"hours": {"from": 3, "until": 3}}),
        count(7, "ge", 1, filter={"hours": {"from": 24, "until": 3}}),
        count(401, "ge", 1),
        count(0, "ge", 1),
        count(7, "ge", -1),
        count(7, "ge", 1.0),  # type: ignore[arg-type]
        count(7, "ge", 1, filter={}),
        count(7, "ge", 1, filter={"tag": "x", "category": "y"}),
        count(7, "ge", 1, unknown=1),
        {"kind": "since_last_purchase", "op": "at_least"},
        {"kind": "since_last_purchase", "op": "at_least", "days": 1, "hours": 1},
        {"kind": "favourite", "of": "tag", "days": 7},
        {"kind": "favourite", "of": "tag", "days": 7, "in": []},
        {"kind": "attribute", "name": "x", "op": "eq"},
        {"kind": "attribute", "name": "x", "op": "exists", "value": 1},
        {"kind": "attribute", "name": "x", "op": "in", "value": 1},
        {"kind": "attribute", "name": "x", "op": "in", "value": []},
        {"kind": "attribute", "name": "x", "op": "in", "value": [1, "1"]},
        {"kind": "attribute", "name": "x", "op": "eq", "value": [1]},
        {"kind": "attribute", "name": "x", "op": "lt", "value": True},
        {"kind": "attribute", "name": "other:x", "op": "eq", "value": True},
        {"kind": "attribute", "name": "has_device", "op": "eq", "value": "yes"},
        {"kind": "birthday"},
        {"kind": "birthday", "today": True, "month": 1},
        {"kind": "coupon", "offer": "x", "state": "held", "expires_within_days": 1},
    ],
    ids=str,
)
def test_what_means_nothing_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        segment(rule)
    assert refused.value.error_count() == 1 or rule["kind"] == "attribute"


def test_a_definition_survives_storage() -> None:
    favourite = {"kind": "favourite", "of": "tag", "days": 7}
    once = segment({"kind": "any", "rules": [{**favourite, "in": ["a", "b"]}, {**favourite, "is": "a"}, ADULT]})
    assert SegmentDefinition.model_validate_json(once.model_dump_json()) == once


def test_the_schema_names_every_leaf() -> None:
    schema = json.dumps(SegmentDefinition.model_json_schema())
    kinds = "all any not attribute purchases since_last_purchase tag_share favourite consent birthday age coupon balance"
    assert all(f'"const": "{kind}"' in schema for kind in kinds.split())


def test_a_day_below_zero_is_answered_by_the_plain_reading() -> None:
    """A return booked without its purchase: the sum of a window may then grow by itself."""
    state = buying(NOW - 2 * DAY, NOW - 2 * DAY, by={"t:x": 500})
    add_visit(state.profile, Visit(NOW - 9 * DAY, 0, 0, {"t:x": 0}), "UTC")
    add_visit(state.profile, Visit(NOW - 9 * DAY, 900, 0, {"t:x": 900}), "UTC", -1)
    assert state.profile.cells[min(state.profile.cells)].value == -900
    rich = {"kind": "purchases", "metric": "value", "days": 10, "op": "ge", "value": 1000}
    tagged = {**rich, "filter": {"tag": "x"}}
    share = {"kind": "tag_share", "tag": "x", "days": 10, "op": "eq", "percent": 100}
    leading = {"kind": "favourite", "of": "tag", "days": 10, "is": "x"}
    made = [segment(rule) for rule in (rich, tagged, share, leading)]
    left, gone = day_start(day_of("2026-11-22"), "UTC"), day_start(day_of("2026-11-29"), "UTC")
    expected = [(False, left), (False, left), (True, gone), (True, gone)]
    assert [compile_segments([each], Context("UTC")).evaluate(state, None, NOW)[0] for each in made] == expected
