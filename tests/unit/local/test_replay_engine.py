"""The engine of a replay: order, repetition, waiting returns, coupons, budgets; and time that passes between events."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.replay_definitions import read_definitions
from shared.definitions.model import Definition, DefinitionSet
from shared.kernel.instants import parse_rfc3339
from shared.member_state.effects import Effects
from shared.replay.engine import Replay
from shared.replay.events import EVENT
from shared.replay.seen import Seen, fingerprint

CASES = Path(__file__).parents[2] / "cases" / "replay"
SET, CATALOGUE = read_definitions(CASES / "coffee.json")
LINES = [json.loads(each) for each in (CASES / "coffee.jsonl").read_text().splitlines()]
DAY = "2026-03-02"


def fed(*events: dict[str, Any], definitions: DefinitionSet = SET, **more: Any) -> Replay:
    replay = Replay(definitions, CATALOGUE, **more)
    for each in events:
        replay.feed(EVENT.validate_json(json.dumps(each), strict=True))
    return replay


def joined(member: str = "ann", **more: Any) -> dict[str, Any]:
    return {"type": "registration", "at": "2026-03-01T12:00:00Z", "member": member, **more}


def natural(number: str) -> dict[str, str]:
    return {"source": "till", "location_id": "corner", "business_date": DAY, "receipt_number": number}


def bought(number: str, price: int = 1000, at: str = "2026-03-02T14:00:00Z", member: str | None = "ann", **more: Any) -> dict[str, Any]:
    body = {"type": "purchase", **natural(number), "occurred_at": at, "currency": "USD"}
    line = {"id": "1", "item_id": "latte", "unit_price": price}
    return body | {"lines": [line]} | ({"member": {"id": member}} if member else {}) | more


def returned(number: str, of: str, at: str = "2026-03-03T14:00:00Z") -> dict[str, Any]:
    return {"type": "return", **natural(number), "occurred_at": at, "original": natural(of)}


def points(replay: Replay, member: str = "ann") -> int:
    wallet = replay.world.members[member].state.wallets["stars"]
    return sum(lot.points for lot in wallet.lots) - wallet.debt


def with_programme(**changes: Any) -> DefinitionSet:
    """The example's definitions with another programme body."""
    changed = [
        Definition(each.kind, each.id, 1, each.status, {**each.body, **(changes if each.kind == "programme" else {})}, effective_from=0)
        for each in SET.definitions
    ]
    return DefinitionSet(SET.tenant, SET.settings, SET.locations, tuple(changed))


def test_a_repetition_changes_nothing() -> None:
    once = fed(*LINES)
    keyed = ("purchase", "return", "event", "coupon", "registration")
    twice = fed(*(each for line in LINES for each in ([line] * 2 if line["type"] in keyed else [line])))
    for id_ in ("ann", "bob"):
        assert twice.world.members[id_].state == once.world.members[id_].state
    refused_ones_do_not_count = once.refusals["purchase", "insufficient_points"]
    assert twice.counts["purchase", "repeated"] == sum(once.counts["purchase", each] for each in ("done", "anonymous")) + 2 * 1
    assert twice.refusals["purchase", "insufficient_points"] == 2 * refused_ones_do_not_count


@pytest.mark.parametrize("key", ["k1", None])
def test_a_movement_is_a_repetition_only_by_its_key(key: str | None) -> None:
    given_ = {"type": "adjustment", "at": "2026-03-02T10:00:00Z", "member": "ann", "wallet": "stars", "points": 7, "reason": "sorry"}
    move = given_ | ({"key": key} if key else {})
    assert points(fed(joined(), move, move)) == 5 + (7 if key else 14)


def test_a_return_before_its_sale_waits_and_is_settled_on_its_arrival() -> None:
    replay = fed(joined(), returned("r", "1"))
    assert (replay.waiting, replay.counts["return", "waiting"]) == (1, 1)
    replay.feed(EVENT.validate_json(json.dumps(bought("1")), strict=True))
    assert points(replay) == 5, "the welcome alone"
    assert (replay.waiting, replay.counts["return", "waiting"], replay.counts["return", "done"]) == (0, 0, 1)


def test_a_return_that_cannot_be_is_refused_by_its_code() -> None:
    void = {"type": "void", "at": "2026-03-04T00:00:00Z", "original": natural("9")}
    replay = fed(joined(), bought("1"), returned("r1", "1"), returned("r2", "1"), void)
    assert replay.refusals == {("return", "already_reversed"): 1, ("void", "unknown_transaction"): 1}
    assert points(replay) == 5


def test_sales_of_nobody_known_are_counted_and_can_come_back() -> None:
    replay = fed(bought("1", member=None), bought("2", member="stranger"), returned("r", "1"))
    assert replay.counts == {("purchase", "anonymous"): 2, ("return", "done"): 1}


def test_members_are_found_by_an_identifier_too() -> None:
    card = {"kind": "card", "value": "77"}
    assert points(fed(joined(identifiers=[card]), bought("1") | {"member": card})) == 15


def test_a_coupon_is_used_once_comes_back_and_is_used_again() -> None:
    given_ = {"type": "coupon", "at": "2026-03-02T10:00:00Z", "member": "ann", "offer": "latte", "coupon": "c1"}
    with_it = {"coupons": [{"id": "c1"}]}
    replay = fed(joined(), given_, bought("1", **with_it), bought("2", **with_it))
    assert replay.refusals == {("purchase", "redeemed"): 1}
    assert replay.world.coupons["c1"].state == "redeemed"
    for each in (returned("r", "1"), bought("3", at="2026-03-04T14:00:00Z", coupons=[{"code": "offer:latte"}])):
        replay.feed(EVENT.validate_json(json.dumps(each), strict=True))
    assert (replay.world.coupons["c1"].state, replay.counts["purchase", "done"]) == ("redeemed", 2)
    assert points(replay) == 5, "a free latte earns nothing"


def test_settled_purchases_are_never_refused() -> None:
    replay = fed(joined(), bought("1", coupons=[{"id": "none"}], points_to_spend=500), settled=True)
    assert (replay.counts["purchase", "done"], dict(replay.refusals), points(replay)) == (1, {}, 15)


def test_a_budget_is_given_to_the_last_point_and_filled_again_by_a_return() -> None:
    rule = {"id": "spend", "kind": "per_amount", "points": 1, "per": 100, "limits": {"budget": 15}}
    definitions = with_programme(earning=[rule], bonuses=[], tiers=None)
    first, second, back = bought("1", 1000), bought("2", 600), returned("r", "1")
    replay = fed(joined(), first, second, definitions=definitions)
    assert (points(replay), replay.world.budgets["stars/spend"]) == (10, 10), "six more than are left: nothing"
    replay = fed(joined(), first, back, second, definitions=definitions)
    assert (points(replay), replay.world.budgets["stars/spend"]) == (6, 6)


def test_both_sides_of_a_referral_are_rewarded_once_and_lose_it_with_the_return() -> None:
    friends = (joined(), joined("bob", referrer="ann"), bought("1", member="bob"), bought("2", member="bob"))
    replay = fed(*friends)
    assert (points(replay), points(replay, "bob")) == (5 + 10, 5 + 20 + 5)
    replay = fed(*friends, returned("r", "1"))
    assert (points(replay), points(replay, "bob")) == (5, 5 + 10)
    assert replay.world.members["ann"].state.referrals == 0


def test_what_falls_due_between_events_is_told_with_its_own_instant() -> None:
    heard: list[tuple[str, int]] = []

    def hear(_member: str, effects: Effects) -> None:
        heard.extend((entry.kind, entry.at) for entry in effects.entries)

    replay = fed(joined(), bought("1"), bought("2", at="2026-06-01T12:00:00Z"), hear=hear)
    assert heard[2:4] == [("expire", parse_rfc3339("2026-04-01T04:00:00Z")), ("expire", parse_rfc3339("2026-04-02T04:00:00Z"))]
    replay.finish(parse_rfc3339("2027-01-01T00:00:00Z"))
    assert heard[-1] == ("expire", parse_rfc3339("2026-07-02T04:00:00Z"))
    assert points(replay) == 0


def test_a_new_version_holds_from_its_instant_and_a_return_keeps_the_old_one() -> None:
    body = {**SET.definitions[0].body, "tiers": None, "returns": {"points_gone": "pending_only"}}
    second = {**body, "earning": [{"id": "spend", "kind": "per_amount", "points": 3, "per": 100}], "returns": {}}
    switch = parse_rfc3339("2026-03-03T00:00:00Z")
    versions = (
        Definition("programme", "stars", 1, "published", body, effective_from=0),
        Definition("programme", "stars", 2, "published", second, effective_from=switch),
        *(each for each in SET.definitions if each.kind == "offer"),
    )
    definitions = DefinitionSet(SET.tenant, SET.settings, SET.locations, versions)
    sales = (joined(), bought("1"), bought("2", at="2026-03-04T14:00:00Z"))
    assert points(fed(*sales, definitions=definitions)) == 5 + 10 + 30
    old, new = returned("r1", "1", "2026-03-05T14:00:00Z"), returned("r2", "2", "2026-03-05T14:00:00Z")
    assert points(fed(*sales, old, definitions=definitions)) == 45, "its version takes back only what is pending"
    assert points(fed(*sales, new, definitions=definitions)) == 15


def test_a_refused_purchase_leaves_no_trace_but_that_time_has_passed() -> None:
    late = {"at": "2026-06-01T12:00:00Z", "points_to_spend": 5000}
    heard: Counter[str] = Counter()
    replay = fed(joined(), bought("1"), bought("2", **late), hear=lambda _, effects: heard.update(each.kind for each in effects.entries))
    assert heard == {"bonus": 1, "purchase": 1, "expire": 2}
    assert replay.world.members["ann"].state.profile.count == 1


def test_a_sale_comes_back_part_by_part_and_never_twice() -> None:
    two = bought("1") | {"lines": [{"id": "1", "item_id": "latte", "unit_price": 500, "quantity": "2"}]}
    one = {"lines": [{"line_id": "1", "quantity": "1"}]}
    replay = fed(joined(), two, *(returned(f"r{number}", "1") | one for number in range(3)))
    assert points(replay) == 5
    assert replay.refusals == {("return", "already_reversed"): 1}
    assert points(fed(joined(), two, returned("r0", "1") | one)) == 10


def test_nobody_gives_away_or_is_given_more_than_there_is() -> None:
    transfer = {"type": "transfer", "at": "2026-03-02T10:00:00Z", "member": "ann", "to": "bob", "wallet": "stars", "points": 6}
    offer = {"type": "coupon", "at": "2026-03-02T10:00:00Z", "member": "ann", "offer": "latte"}
    replay = fed(joined(), joined("bob"), transfer, transfer | {"points": 5}, transfer | {"to": "ann"}, *[offer] * 6)
    refused = [("transfer", "insufficient_points"), ("transfer", "invalid_request"), ("coupon", "too_many_coupons")]
    assert replay.refusals == dict.fromkeys(refused, 1)
    assert (points(replay), points(replay, "bob")) == (0, 10)


def test_an_offer_is_used_as_often_as_its_limit_says() -> None:
    limited = tuple(
        Definition(each.kind, each.id, 1, each.status, {**each.body, **({"limit": 1} if each.kind == "offer" else {})}, effective_from=0)
        for each in SET.definitions
    )
    definitions = DefinitionSet(SET.tenant, SET.settings, SET.locations, limited)
    offer = {"type": "coupon", "at": "2026-03-02T10:00:00Z", "member": "ann", "offer": "latte"}
    use = {"coupons": [{"code": "offer:latte"}]}
    sales = (joined(), offer, offer, bought("1", **use), bought("2", **use), returned("r", "1"), bought("3", **use))
    replay = fed(*sales, definitions=definitions)
    assert replay.refusals == {("purchase", "exhausted"): 1}
    assert replay.counts["purchase", "done"] == 2


def test_a_voucher_keeps_what_is_left_and_gets_back_what_it_paid() -> None:
    voucher = {"name": "Ten dollars", "effect": {"kind": "voucher", "value": 1000, "remainder": "kept", "counts_as": "tender"}}
    offers = (Definition("offer", "ten", 1, "published", voucher, effective_from=0), *SET.definitions)
    given_ = {"type": "coupon", "at": "2026-03-02T10:00:00Z", "member": "ann", "offer": "ten", "coupon": "v1"}
    use = {"coupons": [{"id": "v1"}]}
    sales = [joined(), given_, bought("1", 300, **use), bought("2", 900, **use)]
    seen = []
    for each in (sales[:3], sales, [*sales, returned("r1", "1")], [*sales, returned("r1", "1"), returned("r2", "2")]):
        coupon = fed(*each, definitions=DefinitionSet(SET.tenant, SET.settings, SET.locations, offers)).world.coupons["v1"]
        seen.append((coupon.state, coupon.left if coupon.state == "active" else None))
    assert seen == [("active", 700), ("redeemed", None), ("active", 300), ("active", None)]


def test_points_become_coupons_by_themselves_as_many_as_there_are_points_for() -> None:
    conversions = [{"id": "auto", "points": 10, "offer": "latte", "automatic": True}]
    offers = tuple(
        Definition(each.kind, each.id, 1, each.status, {**each.body, "per_member": 50}, effective_from=0)
        for each in SET.definitions
        if each.kind == "offer"
    )
    body = {**SET.definitions[0].body, "conversions": conversions, "tiers": None, "bonuses": []}
    programme = Definition("programme", "stars", 1, "published", body, effective_from=0)
    replay = fed(joined(), bought("1", 12_300), definitions=DefinitionSet(SET.tenant, SET.settings, SET.locations, (programme, *offers)))
    replay.finish()
    assert (len(replay.world.coupons), points(replay)) == (12, 3)


@given(st.permutations(range(6)))
def test_the_order_between_members_does_not_matter(order: list[int]) -> None:
    mine = {
        name: [joined(name), bought(f"{name}1", member=name), bought(f"{name}2", 700, "2026-03-20T14:00:00Z", name)]
        for name in ("ann", "bob")
    }
    turns = {"ann": iter(mine["ann"]), "bob": iter(mine["bob"])}
    interleaved = [next(turns["ann" if number % 2 else "bob"]) for number in order]
    one, other = fed(*mine["ann"], *mine["bob"]), fed(*interleaved)
    for replay in (one, other):
        replay.finish(parse_rfc3339("2026-04-05T00:00:00Z"))
    assert {id_: each.state for id_, each in one.world.members.items()} == {id_: each.state for id_, each in other.world.members.items()}


@given(st.lists(st.integers(0, 3000)))
def test_the_compact_set_is_a_set(numbers: list[int]) -> None:
    seen, wanted = Seen(), set()
    for number in numbers:
        key = fingerprint(str(number))
        assert (key in seen) == (key in wanted)
        seen.add(key)
        wanted.add(key)
        assert len(seen) == len(wanted)


def test_the_compact_set_grows_and_stays_small() -> None:
    seen, keys = Seen(), [fingerprint(str(number)) for number in range(5000)]
    for key in keys:
        seen.add(key)
    assert all(key in seen for key in keys)
    assert not any(fingerprint(f"other{number}") in seen for number in range(5000))
    assert 11 <= seen.size / len(seen) <= 23
