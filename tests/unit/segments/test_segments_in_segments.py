"""Segments that name segments, and who objects to profiling."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from shared.definitions.model import Definition, DefinitionSet
from shared.definitions.references import broken_references
from shared.definitions.segment_references import nesting_problems
from shared.kernel.instants import DAY, NEVER, parse_rfc3339
from shared.member_state.model import Consent, MemberState
from shared.profile.model import Visit
from shared.profile.rules import add_visit
from shared.segments.compiler import compile_segments
from shared.segments.context import Context
from shared.segments.expanding import circle, expanded, is_behavioural, leaves_of, size
from shared.segments.model import SegmentDefinition
from shared.segments.parsing import rule_of
from shared.segments.rules import evaluate_all, explain
from shared.segments.sizes import MAX_EXPANDED, MAX_NESTED
from shared.tenants.model import EventSettings, Location, TenantSettings

NOW = parse_rfc3339("2026-11-21T10:00:00Z")
VIP = {"kind": "attribute", "name": "vip", "op": "eq", "value": True}
RECENT = {"kind": "purchases", "metric": "count", "days": 7, "op": "ge", "value": 1}


def of(name: str) -> dict[str, Any]:
    return {"kind": "segment", "segment": name}


def context(**rules: dict[str, Any]) -> Context:
    return Context("UTC", segments={name: rule_of(rule) for name, rule in rules.items()})


def segment(rule: dict[str, Any], id_: str = "s") -> SegmentDefinition:
    return SegmentDefinition.model_validate({"id": id_, "name": "s", "rule": rule})


def member(**fields: Any) -> MemberState:
    state = MemberState("t", "m", **fields)
    add_visit(state.profile, Visit(NOW - DAY, 500, 1000, {"l:mitte": 500}), "UTC")
    return state


# -- naming one another ---------------------------------------------------------------------------------------------


def test_a_segment_is_what_it_names_by_way_of_others() -> None:
    tenant = context(vips={"kind": "not", "rule": VIP}, both={"kind": "all", "rules": [of("vips"), RECENT]})
    state = member(attributes={"vip": False})
    why = explain(segment(of("both")), state, None, NOW, tenant)
    assert (why.truth, why.asked) == (True, of("both"))
    assert [child.asked["kind"] for child in why.children[0].children] == ["segment", "purchases"]
    assert compile_segments([segment(of("both"))], tenant).evaluate(state, None, NOW) == [(True, why.valid_until)]


def test_what_is_not_in_force_is_unknown_and_so_is_its_opposite() -> None:
    for rule in (of("gone"), {"kind": "not", "rule": of("gone")}):
        assert compile_segments([segment(rule)], context()).evaluate(member(), None, NOW) == [(None, NEVER)]
    assert explain(segment(of("gone")), member(), None, NOW, context()).reason == "segment_not_in_force"


def test_a_circle_that_two_publications_closed_breaks_nothing() -> None:
    tenant = context(a={"kind": "any", "rules": [of("b"), VIP]}, b={"kind": "any", "rules": [of("a"), RECENT]})
    compiled = compile_segments([segment(of("a"))], tenant)
    assert compiled.evaluate(member(), None, NOW)[0][0] is True
    assert circle("a", tenant.segments) == ("a", "b", "a")
    assert explain(segment(of("a")), member(), None, NOW, tenant).truth is True


def test_no_more_is_evaluated_than_may_be() -> None:
    wide = {"kind": "any", "rules": [VIP] * 200}
    tenant = context(w=wide, all={"kind": "any", "rules": [of("w")] * 200})
    assert size(tenant.segments["all"], tenant.segments) == (40_000, 2)
    assert len(list(leaves_of(expanded(rule_of(of("all")), tenant)))) <= MAX_EXPANDED + 400


def deepest(levels: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"kind": "all", "rules": [RECENT, RECENT | {"days": levels}]}
    for level in range(levels - 2):
        rule = {"kind": "any" if level % 2 else "all", "rules": [RECENT | {"days": 9 + level}, rule]}
    return rule


def test_the_deepest_nesting_compiles() -> None:
    names = [f"n{number}" for number in range(MAX_NESTED)]
    rules = {name: deepest(11) for name in names}
    for name, inner in pairwise(names):
        node = rules[name]
        while node["rules"][1].get("rules"):
            node = node["rules"][1]
        node["rules"][1] = of(inner)
    tenant = context(**rules)
    assert size(tenant.segments["n0"], tenant.segments)[1] == MAX_NESTED
    assert compile_segments([segment(rules["n0"])], tenant).evaluate(member(), None, NOW)[0][0] is True


# -- publishing -----------------------------------------------------------------------------------------------------

SETTINGS = TenantSettings(name="T", currency="EUR", time_zone="UTC", events={"booking": EventSettings()})
PLACES = {"mitte": Location(id="mitte", name="M", latitude_e6=1, longitude_e6=1), "food-truck": Location(id="food-truck", name="F")}


def known(**rules: dict[str, Any]) -> DefinitionSet:
    found = [Definition("segment", id_, 1, "published", {"name": "S", "rule": rule}, effective_from=1) for id_, rule in rules.items()]
    levels = {"name": "P", "wallet": "stars", "tiers": {"levels": [{"id": "gold", "name": "G", "threshold": 0}]}, "earning": []}
    programme = Definition("programme", "p", 1, "published", levels, effective_from=1)
    return DefinitionSet("t", SETTINGS, PLACES, (*found, programme))


def problems(whole: DefinitionSet, id_: str, rule: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each.pointer, each.code) for each in nesting_problems(whole, id_, {"name": "S", "rule": rule}, NOW)]


def test_a_circle_is_refused_and_named() -> None:
    whole = known(a=of("b"), b={"kind": "any", "rules": [VIP, of("c")]}, c=VIP)
    [refused] = nesting_problems(whole, "c", {"name": "S", "rule": {"kind": "all", "rules": [VIP, of("a")]}}, NOW)
    assert (refused.pointer, refused.code) == ("/definition/rule/rules/1/segment", "segment_circle")
    assert "c -> a -> b -> c" in refused.detail
    assert problems(whole, "c", of("c")) == [("/definition/rule/segment", "segment_circle")]
    assert problems(whole, "d", of("a")) == []


def test_too_many_leaves_and_too_deep_a_nesting_are_refused_also_of_those_that_name_it() -> None:
    wide = {"kind": "any", "rules": [VIP] * 200}
    most = known(w=wide, five={"kind": "any", "rules": [of("w")] * 5})
    assert problems(most, "six", {"kind": "any", "rules": [of("five"), VIP]}) == [
        ("/definition/rule/rules/0/segment", "too_many_leaves_expanded")
    ]
    assert problems(most, "five", {"kind": "any", "rules": [of("w")] * 5}) == []
    assert problems(known(w=VIP, five={"kind": "any", "rules": [of("w")] * 6}), "w", wide) == [
        ("/definition/rule", "too_many_leaves_expanded")
    ]
    row = known(**{f"n{number}": of(f"n{number + 1}") for number in range(MAX_NESTED - 1)}, **{f"n{MAX_NESTED - 1}": VIP})
    assert problems(row, "more", of("n1")) == []
    assert problems(row, "more", of("n0")) == [("/definition/rule/segment", "nested_too_deep")]


@pytest.mark.parametrize(
    ("rule", "where", "code"),
    [
        (of("none"), "/segment", "unknown_segment"),
        ({"kind": "points", "wallet": "points", "state": "held", "op": "ge", "value": 1}, "/wallet", "unknown_wallet"),
        ({"kind": "points_expiring", "wallet": "points", "within_days": 1, "op": "ge", "value": 1}, "/wallet", "unknown_wallet"),
        ({"kind": "tier", "is": "none"}, "/is", "unknown_tier"),
        ({"kind": "tier", "in": ["gold", "none"]}, "/in/1", "unknown_tier"),
        ({"kind": "tier", "at_least": "none"}, "/at_least", "unknown_tier"),
        ({"kind": "challenge", "challenge": "none", "state": "active"}, "/challenge", "unknown_challenge"),
        ({"kind": "campaign", "campaign": "none", "response": "opened"}, "/campaign", "unknown_campaign"),
        ({"kind": "event", "event": "none", "days": 7, "op": "ge", "value": 1}, "/event", "unknown_event"),
        ({"kind": "event", "event": "booking", "metric": "value", "days": 7, "op": "ge", "value": 1}, "/metric", "unknown_property"),
        ({"kind": "event", "event": "booking", "by": "web", "days": 7, "op": "ge", "value": 1}, "/by", "unknown_property"),
        ({"kind": "since_last_event", "event": "none", "op": "at_least", "days": 7}, "/event", "unknown_event"),
        ({"kind": "radius", "of": "home", "location": "mars", "metres": 1}, "/location", "unknown_location"),
        ({"kind": "radius", "of": "home", "location": "food-truck", "metres": 1}, "/location", "location_without_coordinates"),
        (
            {"kind": "since_last_purchase", "op": "at_least", "day": "calendar", "days": 7, "filter": {"location": "mars"}},
            "/filter/location", "unknown_location",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_there_is_pointed_at(rule: dict[str, Any], where: str, code: str) -> None:
    segment(rule)
    found = broken_references(known(), "segment", {"name": "S", "rule": {"kind": "not", "rule": rule}}, NOW)
    assert [(each.pointer, each.code) for each in found] == [(f"/definition/rule/rule{where}", code)]


def test_what_is_there_may_be_named() -> None:
    rules = [
        of("a"), {"kind": "tier", "at_least": "gold"}, {"kind": "event", "event": "booking", "days": 7, "op": "ge", "value": 1},
        {"kind": "radius", "of": "home", "location": "mitte", "metres": 1},
        {"kind": "points", "wallet": "stars", "state": "held", "op": "ge", "value": 1},
    ]  # fmt: skip
    assert broken_references(known(a=VIP), "segment", {"name": "S", "rule": {"kind": "all", "rules": rules}}, NOW) == ()


# -- opting out -----------------------------------------------------------------------------------------------------

BEHAVIOUR = [
    RECENT, {"kind": "since_last_purchase", "op": "less_than", "days": 30},
    {"kind": "since_first_purchase", "op": "less_than", "days": 30},
    {"kind": "tag_share", "tag": "x", "days": 7, "op": "ge", "percent": 0},
    {"kind": "favourite", "of": "location", "days": 7, "is": "mitte"},
    {"kind": "tag_strength", "tag": "x", "op": "ge", "percent": 0},
    {"kind": "prefers", "tag": "x"}, {"kind": "lifecycle", "in": ["active"]},
    {"kind": "usual_interval", "op": "ge", "days": 0}, {"kind": "rfm", "of": "recency", "op": "ge", "value": 1},
    {"kind": "event", "event": "e", "days": 7, "op": "eq", "value": 0},
    {"kind": "since_last_event", "event": "e", "op": "at_least", "days": 1},
    {"kind": "campaign", "campaign": "c", "response": "opened"},
    {"kind": "radius", "of": "last_location", "location": "mitte", "metres": 9},
    {"kind": "attribute", "name": "lifetime_purchases", "op": "ge", "value": 0},
    {"kind": "attribute", "name": "lifetime_value", "op": "ge", "value": 0},
]  # fmt: skip
OTHER = [
    VIP, {"kind": "consent", "purpose": "news", "channel": "push", "granted": True}, {"kind": "fact", "of": "gender", "is": "x"},
    {"kind": "birthday", "today": True}, {"kind": "age", "op": "ge", "years": 18}, {"kind": "joined", "op": "at_least", "days": 1},
    {"kind": "radius", "of": "home", "location": "mitte", "metres": 9}, {"kind": "tier", "is": "gold"},
    {"kind": "balance", "wallet": "w", "op": "ge", "value": 0}, {"kind": "points", "wallet": "w", "state": "held", "op": "ge", "value": 0},
    {"kind": "points_expiring", "wallet": "w", "within_days": 1, "op": "ge", "value": 0}, {"kind": "list", "list": "l"},
    {"kind": "coupon", "offer": "o", "state": "active"}, {"kind": "challenge", "challenge": "c", "state": "active"},
    {"kind": "bucket", "salt": "s", "from": 0, "until": 100}, {"kind": "member_tag", "tag": "t"}, {"kind": "has", "of": "device"},
    {"kind": "identifier", "identifier": "phone"}, {"kind": "attribute", "name": "join_source", "op": "exists"},
]  # fmt: skip


@pytest.mark.parametrize("rule", BEHAVIOUR, ids=str)
def test_who_objects_is_in_no_segment_that_looks_at_behaviour_not_even_in_its_opposite(rule: dict[str, Any]) -> None:
    tenant = context(other={"kind": "any", "rules": [VIP, rule]})
    rules = [rule, {"kind": "not", "rule": rule}, {"kind": "any", "rules": [VIP, {"kind": "not", "rule": of("other")}]}, VIP]
    definitions = [segment(each, f"s{index}") for index, each in enumerate(rules)]
    compiled, objector = compile_segments(definitions, tenant), member(attributes={"vip": True}, profiled=False)
    assert compiled.evaluate(objector, None, NOW) == [(False, NEVER)] * 3 + [(True, NEVER)]
    assert evaluate_all(objector, compiled, None, NOW).entered == ["s3@1"]
    whys = [explain(each, objector, None, NOW, tenant) for each in definitions]
    assert [(why.truth, why.reason, why.children, why.value) for why in whys[:3]] == [(False, "profiling_objected", (), None)] * 3
    assert (whys[3].truth, whys[3].reason) == (True, None)


@pytest.mark.parametrize("rule", OTHER, ids=str)
def test_the_rest_is_asked_of_everybody(rule: dict[str, Any]) -> None:
    assert not is_behavioural(rule_of(rule), Context("UTC"))
    state = member(profiled=False, consents={"news:push": Consent(True, 1, "1")}, joined_at=1)
    definition = segment(rule)
    asked = compile_segments([definition], Context("UTC")).evaluate(state, None, NOW)
    state.profiled = True
    assert compile_segments([definition], Context("UTC")).evaluate(state, None, NOW) == asked
