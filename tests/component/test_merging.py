"""Two members turn out to be one: nothing is lost and nothing doubled. What crosses a merge: test_merging_races."""

from __future__ import annotations

from typing import Any

import pytest

from local.verify import CHECKS, take
from shared.access.collecting import collect
from shared.coupons.repository import CouponRepository
from shared.erasure.steps import Hands
from shared.erasure.working import work as forget
from shared.kernel.instants import DAY
from shared.members.repository import MemberRepository
from shared.merging.errors import UnknownMerge
from shared.storage import keys, keys_access
from shared.transactions.api import MemberReference, ReturnRequest
from shared.transactions.claims import claim
from shared.transactions.reversal import record_return
from shared.transactions.service import record
from tests.builders.front import Front
from tests.builders.house import House, sale
from tests.builders.invariants import check_united, ledger_of
from tests.builders.leaving import CARD, PHONE, PLANTED, furnish, live, readable, remains
from tests.builders.uniting import MERGERS, finish, free, heiress, points, rows_of, stored, unite
from tests.fakes.queue import FakeQueue


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    found = Front(bare_house, monkeypatch)
    furnish(found)
    return found


# -- at once --------------------------------------------------------------------------------------------------------


def test_from_the_answer_on_the_old_id_leads_to_who_is_left(front: Front) -> None:
    life, other = free(front, live(front)), heiress(front)
    before = [points(front.house.state(each)) for each in (life.member, other)]
    said = unite(front, life.member, other)
    assert (said.status, said.body["status"], said.body["member_id"], said.body["coupons"]) == (200, "accepted", other, 2)
    for member in (life.member, other):
        answer = front.call("get_member", member_id=member).body
        assert (answer["member_id"], answer["profile"]["first_name"]) == (other, "Annaplanted")
    assert points(front.house.state(other)) == sum(before)
    check_united(front.house, other)
    left = stored(front, life.member)
    assert (left.status, left.merged_into, left.timer) == ("merged", other, None)
    assert not any((left.coupons, left.segments, left.consents, left.profile.cells, left.touches, left.devices, left.known))


def test_the_ledger_shows_both_histories_in_order_page_by_page(front: Front) -> None:
    life, other, house = free(front, live(front)), heiress(front), front.house
    expected = [entry["entry_id"] for each in (life.member, other) for entry in front.call("list_ledger", member_id=each).body["data"]]
    unite(front, life.member, other)
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = front.call("list_ledger", member_id=life.member, query={"limit": "1", **cursor}).body
        seen += page["data"]
        if page.get("next_cursor") is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert {each["entry_id"] for each in seen} >= set(expected)
    assert len({each["entry_id"] for each in seen}) == len(seen) == len(expected) + 2
    assert [each["committed_at"] for each in seen] == sorted((each["committed_at"] for each in seen), reverse=True)
    pair = [each for each in seen if each["kind"] == "merge"]
    assert {(each["reference"], each["reason"]) for each in pair} == {(pair[0]["reference"], "same_person")}
    assert sum(posting["points"] for each in pair for posting in each["postings"]) == 0
    assert len(ledger_of(house, other)) < len(seen)


def test_asking_again_answers_the_same_merge_and_writes_nothing(front: Front) -> None:
    life, other = free(front, live(front)), heiress(front)
    first, version = unite(front, life.member, other).body, front.house.state(other).version
    assert unite(front, life.member, other).body == first
    assert front.house.state(other).version == version
    finish(front, life.member)
    assert unite(front, life.member, other).body["status"] == "completed"
    assert front.call("get_merge", scopes=MERGERS, member_id=life.member).body["status"] == "completed"


def test_trying_says_what_it_would_come_to_and_writes_nothing(front: Front) -> None:
    life, other = free(front, live(front)), heiress(front, profile={"first_name": "Berta", "phone": "+4915112345000"})
    before = rows_of(front)
    tried = unite(front, life.member, other, dry_run=True).body
    assert rows_of(front) == before
    done = unite(front, life.member, other).body
    ids = ("merge_id", "status")
    assert {name: value for name, value in tried.items() if name not in ids} == {n: v for n, v in done.items() if n not in ids}
    assert (tried["status"], tried["conflicts"]) == ("dry_run", ["first_name", "phone"])
    assert "last_name" in tried["filled"]
    assert "first_name" not in tried["filled"]


def test_an_address_is_of_one_or_of_the_other(front: Front) -> None:
    life, other = free(front, live(front)), heiress(front, profile={"city": "Graz", "country": "AT"})
    said = unite(front, life.member, other).body
    assert said["conflicts"] == ["street"]
    profile = front.call("get_member", member_id=other).body["profile"]
    assert (profile["city"], profile.get("street")) == ("Graz", None)


# -- what is refused ------------------------------------------------------------------------------------------------


def test_an_open_hold_refuses_it(front: Front) -> None:
    life, other = live(front), heiress(front)
    said = unite(front, life.member, other)
    assert (said.status, said.body["code"]) == (409, "hold_open")
    assert unite(front, life.member, other, dry_run=True).body["code"] == "hold_open"
    assert unite(front, other, life.member).status == 200, "a basket of who is left goes on"


def test_herself_somebody_who_went_and_nobody_are_refused(front: Front) -> None:
    life, other, third = free(front, live(front)), heiress(front), heiress(front)
    assert unite(front, other, other).body["code"] == "same_member"
    unite(front, life.member, other)
    assert unite(front, other, life.member).body["code"] == "same_member"
    refused = unite(front, life.member, third)
    assert (refused.status, refused.body["code"]) == (409, "member_merged")
    assert other in refused.body["detail"]
    assert unite(front, "mbr_1", third).body["code"] == "unknown_member"
    assert front.call("get_merge", scopes=MERGERS, member_id=third).body["code"] == "unknown_merge"
    with pytest.raises(UnknownMerge):
        finish(front, third)
    front.call("erase_member", member_id=third)
    assert unite(front, third, other).body["code"] == "member_erased"
    assert unite(front, other, third).body["code"] == "member_erased"


def test_who_has_her_data_restricted_is_left_alone(front: Front) -> None:
    life, other = free(front, live(front)), heiress(front)
    assert front.call("set_restriction", {"restricted": True, "reason": "accuracy_contested"}, member_id=other).status == 200
    assert unite(front, life.member, other).body["code"] == "member_restricted"
    assert unite(front, other, life.member).body["code"] == "member_restricted"


def test_it_needs_a_scope_of_its_own(front: Front) -> None:
    one, other = heiress(front), heiress(front)
    body = {"from_member_id": one, "reason": "same_person"}
    assert front.call("merge_member", body, scopes=frozenset({"members:write"}), member_id=other).status == 403
    assert front.house.state(one).member == one


# -- afterwards -----------------------------------------------------------------------------------------------------


def test_whatever_led_to_her_leads_to_who_is_left(front: Front) -> None:
    life, other, house = free(front, live(front)), heiress(front), front.house
    code = front.call("get_referral_code", member_id=life.member).body["code"]
    unite(front, life.member, other)
    finish(front, life.member)
    for kind, value in (("card", CARD), ("phone", PHONE)):
        assert front.call("identify_member", {"kind": kind, "value": value}).body["member_id"] == other
    members = MemberRepository(house.tenant, house.table)
    assert members.held(life.member) == []
    assert {kind for kind, _ in members.held(other)} == {"card", "phone", "external"}
    assert front.register(identifiers=[{"kind": "external", "value": "a friend"}], referral_code=code)
    found = CouponRepository(house.tenant, house.table).get_many([life.coupon, life.held])
    assert {coupon.member for coupon in found.values()} == {other}
    assert {each["coupon_id"] for each in front.call("list_member_coupons", member_id=other).body["data"]} == {life.coupon, life.held}
    (device,) = remains(front, keys.DEVICE_PREFIX)
    assert keys.member_of(device["PK"]["S"]) == other
    (claimed,) = remains(front, keys.CLAIM_PREFIX)
    assert front.call("hand_over_reward", member_id=life.member, claim_id=claimed["SK"]["S"].removeprefix("RWD#")).status == 200
    assert remains(front, keys_access.SESSION_PREFIX) == []
    assert [raw["PK"]["S"] for raw in remains(front, keys.PROFILE) if life.member in raw["PK"]["S"]] == []
    assert [raw for raw in remains(front, keys.SEGMENT_PREFIX) if life.member in raw["PK"]["S"] and raw["inside"]["BOOL"]] == []


def test_every_copy_agrees_with_its_owner_afterwards(front: Front) -> None:
    life, other = free(front, live(front)), heiress(front)
    unite(front, life.member, other)
    finish(front, life.member)
    picture = take(remains(front))
    found = {name: [line for line in check(picture) if life.member in line or other in line] for name, check in CHECKS.items()}
    found.pop("listing rows of segments")
    assert not any(found.values()), found


def test_a_coupon_can_be_used_before_the_rows_have_followed(front: Front) -> None:
    life, other, house = free(front, live(front)), heiress(front), front.house
    unite(front, life.member, other)
    listed = front.call("list_member_coupons", member_id=other).body["data"]
    assert life.coupon in {each["coupon_id"] for each in listed}
    used = sale(other, house.now, lines=(("fries", 350),), coupons=[{"id": life.coupon}])
    assert record(house.scope(), used).answer["discounts"][0]["coupon_id"] == life.coupon
    finish(front, life.member)
    assert life.coupon not in house.state(other).coupons
    assert front.call("get_coupon_qr", member_id=other, coupon_id=life.held).status == 200


def test_a_return_of_an_old_sale_takes_back_exactly_what_it_gave(front: Front) -> None:
    house = front.house
    one, other = heiress(front), heiress(front)
    bought = sale(one, house.now, lines=(("burger", 900),))
    sold = record(house.scope(), bought).answer
    expected = sum(points(house.state(each)) for each in (one, other)) - sold["points"]["earned"]
    unite(front, one, other)
    house.now += DAY
    body = {"source": "till", "location_id": "mitte", "business_date": "2026-11-22", "receipt_number": "back",
            "transaction_id": sold["transaction_id"], "occurred_at": "2026-11-22T10:00:00Z"}  # fmt: skip
    back = record_return(house.scope(), ReturnRequest.model_validate(body)).answer
    assert back["points_reversed"] == sold["points"]["earned"]
    state = house.state(other)
    assert (points(state), state.profile.count) == (expected, 2)
    check_united(house, other)
    assert record(house.scope(), bought).replayed
    assert points(house.state(other)) == expected


def test_a_sale_of_hers_claimed_again_for_who_is_left_is_the_same_claim(front: Front) -> None:
    house = front.house
    one, other, third = heiress(front), heiress(front), heiress(front)
    answer = record(house.scope(), sale(None, house.now)).answer
    reference = {"id": one}
    said = claim(house.scope(), answer["transaction_id"], _reference(reference))
    unite(front, one, other)
    again = claim(house.scope(), answer["transaction_id"], _reference({"id": other}))
    assert (again.replayed, again.answer) == (True, said.answer)
    with pytest.raises(Exception, match="member already"):
        claim(house.scope(), answer["transaction_id"], _reference({"id": third}))


def _reference(body: dict[str, str]) -> Any:
    return MemberReference.model_validate(body)


def test_points_given_by_hand_before_are_not_given_again(front: Front) -> None:
    one, other = heiress(front), heiress(front)
    body, headers = {"points": 7, "reason": "sorry for the wait"}, {"idempotency-key": "once"}
    assert front.call("adjust_points", body, member_id=one, headers=headers).status == 201
    unite(front, one, other)
    before = points(front.house.state(other))
    assert front.call("adjust_points", body, member_id=one, headers=headers).status == 200
    assert points(front.house.state(other)) == before


def test_a_chain_becomes_one_step(front: Front) -> None:
    one, two, three = heiress(front), heiress(front), heiress(front)
    everything = sum(points(front.house.state(each)) for each in (one, two, three))
    unite(front, one, two)
    unite(front, two, three)
    assert (front.house.state(one).member, front.house.state(one).former) == (three, [two, one])
    assert stored(front, one).merged_into == two
    for each in (one, two):
        finish(front, each)
    assert stored(front, one).merged_into == three
    assert points(front.house.state(one)) == everything
    check_united(front.house, three)


def test_erasing_who_is_left_erases_who_she_was(front: Front) -> None:
    life, other, house = free(front, live(front)), heiress(front), front.house
    unite(front, life.member, other)
    finish(front, life.member)
    asked = front.call("erase_member", member_id=life.member)
    assert (asked.status, asked.body["member_id"]) == (202, other)
    assert front.call("erase_member", member_id=life.member).body == asked.body
    assert front.call("get_erasure", member_id=life.member).body == asked.body
    assert forget(Hands(house.scope(), front.push), other, FakeQueue())
    for member in (life.member, other):
        assert front.call("get_member", member_id=member).body["code"] == "member_erased"
        assert house.key_table.get(keys.member_key(house.tenant, member)) is None
    assert [word for word in PLANTED if word in str([readable(raw) for raw in remains(front)])] == []
    assert not [raw for raw in remains(front, "ID") if raw["SK"]["S"] == "ID"]


def test_erased_before_the_rows_followed_nothing_comes_back(front: Front) -> None:
    life, other, house = free(front, live(front)), heiress(front), front.house
    unite(front, life.member, other)
    front.call("erase_member", member_id=other)
    assert finish(front, life.member), "the erasure cleans up after both"
    assert forget(Hands(house.scope(), front.push), other, FakeQueue())
    assert finish(front, life.member)
    assert not [raw for raw in remains(front, "ID") if raw["SK"]["S"] == "ID"]
    assert remains(front, keys.DEVICE_PREFIX) == []
    assert remains(front, keys.PROFILE) == []


def test_the_access_file_has_both_histories_and_says_so(front: Front) -> None:
    life, other = free(front, live(front)), heiress(front)
    of_both = [collect(front.house.scope(), each)["sections"] for each in (life.member, other)]
    unite(front, life.member, other)
    finish(front, life.member)
    found = collect(front.house.scope(), life.member)["sections"]
    for name in ("consents", "deliveries", "inbox", "sales"):
        assert len(found[name]["data"]) == sum(len(each[name]["data"]) for each in of_both), name
    assert [each["member_id"] for each in found["merges"]["data"]] == [life.member]
