"""Members through the API: identified, read, changed; her own view reaches herself alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.registration import handler
from shared.coupons.issuing import blind_code, issued, new_coupon
from shared.coupons.repository import CouponRepository
from shared.http.routes import ROUTES
from shared.kernel.instants import DAY, HOUR
from shared.member_state.service import Change, Occasion, change_member
from shared.members.repository import MemberRepository
from shared.transactions.service import record
from tests.builders.front import Front, settings_with_everything
from tests.builders.house import FRIES, NOW, PROGRAMME, House, sale

PHONE = "+4915112345678"
ANNA = {"first_name": "Anna", "last_name": "Schmidt", "birth_date": "1990-04-21", "language": "de-AT"}
NOBODY = "mbr_00000000000000000000000000"
CONSENT = {"purpose": "marketing", "channel": "push", "granted": True, "document_version": "1"}
TIERS = [{"id": "gold", "name": "Gold", "threshold": 10}, {"id": "black", "name": "Black", "threshold": 100}]
REGULARS = {"name": "Regulars", "rule": {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 1}}
TITLES = {"content": {"en": {"title": "Fries for 1 euro"}, "de": {"title": "Pommes für 1 Euro"}}}


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    bare_house.create(settings_with_everything())
    bare_house.publish("programme", "points", PROGRAMME | {"tiers": {"levels": TIERS}, "spending": {"points": 1, "value": 5, "minimum": 5}})
    bare_house.publish("offer", "fries", FRIES | TITLES)
    bare_house.publish("segment", "regulars", REGULARS, epoch=1)
    return Front(bare_house, monkeypatch)


def give_coupon(front: Front, member: str) -> tuple[str, str]:
    """A coupon of hers: id and code."""
    scope, now = front.house.scope(), front.house.now
    coupon, code = new_coupon(scope, "fries", front.house.state(member), now, "test")

    def finish(_after: Any, _effects: Any, batch: Any) -> None:
        CouponRepository("demo", front.house.table).add_new(batch, coupon, blind_code(scope, code))

    change_member(scope, member, Occasion(now), lambda _state, _stale: Change([issued(coupon, now)], finish))
    assert code is not None
    return coupon.id, code


# -- identify -------------------------------------------------------------------------------------------------------


def test_every_operation_has_a_handler() -> None:
    handler.app.check_complete()


def test_the_till_sees_enough_to_greet_and_to_offer_and_no_more(front: Front) -> None:
    identifiers = [
        {"kind": "phone", "value": PHONE, "proof": "otp"},
        {"kind": "card", "value": "77-88"},
        {"kind": "external", "value": "Ä 1"},
    ]
    member = front.register(identifiers=identifiers, profile=ANNA)
    record(front.house.scope(), sale(member))
    coupon, _ = give_coupon(front, member)
    said = front.call("identify_member", {"kind": "phone", "value": "0151 12345678"}, scopes=frozenset({"members:identify"}))
    assert said.status == 200
    assert said.body == {
        "member_id": member,
        "name": "Anna S.",
        "language": "de-AT",
        "balance": 9,
        "spendable": [{"wallet": "points", "points": 9, "value": 45, "currency": "EUR"}],
        "coupons": [{"coupon_id": coupon, "offer_id": "fries", "title": "Pommes für 1 Euro", "expires_at": "2026-12-21T23:00:00Z"}],
    }
    for body in ({"kind": "card", "value": "7788"}, {"kind": "external", "value": "Ä 1"}, {"id": member}):
        assert front.call("identify_member", body).body == said.body


def test_identifying_reads_the_table_twice(front: Front) -> None:
    front.register(identifiers=[{"kind": "card", "value": "7788"}], profile=ANNA)
    table, key_table = front.house.table, front.house.key_table
    table.consumed, key_table.consumed = [], []
    assert front.call("identify_member", {"kind": "card", "value": "7788"}).status == 200
    # Of the keys: hers, and the tenant's own, which a warm function keeps.
    assert (len(table.consumed), len(key_table.consumed)) == (2, 2)


def test_points_below_the_programmes_minimum_cannot_be_spent(front: Front) -> None:
    member = front.register()
    record(front.house.scope(), sale(member, lines=(("burger", 400),)))
    body = front.call("identify_member", {"id": member}).body
    assert (body["balance"], body["spendable"][0]["points"], body["spendable"][0]["value"]) == (4, 0, 0)


def test_coupons_that_have_run_out_are_not_offered(front: Front) -> None:
    member = front.register()
    give_coupon(front, member)
    front.house.now += 60 * DAY
    assert front.call("identify_member", {"id": member}).body["coupons"] == []


@pytest.mark.parametrize("body", [{"kind": "phone", "value": PHONE}, {"kind": "phone", "value": "12"}, {"id": NOBODY}, {"id": "x#y"}])
def test_who_is_nobody_is_unknown(front: Front, body: dict[str, Any]) -> None:
    said = front.call("identify_member", body)
    assert (said.status, said.body["code"]) == (404, "unknown_member")


@pytest.mark.parametrize("body", [{}, {"kind": "phone"}, {"id": "a", "kind": "phone", "value": "b"}, {"kind": "fax", "value": "1"}])
def test_half_a_reference_is_refused(front: Front, body: dict[str, Any]) -> None:
    assert front.call("identify_member", body).status == 422


# -- profile --------------------------------------------------------------------------------------------------------


def test_a_merge_patch_replaces_removes_and_leaves(front: Front) -> None:
    member = front.register(profile=ANNA, attributes={"diet": "vegan", "seats": 2})
    patch = {"profile": {"last_name": None, "city": "Graz"}, "attributes": {"diet": None, "vip": True}}
    said = front.call("update_member", patch, member_id=member)
    assert said.status == 200
    assert said.body["profile"] == {"first_name": "Anna", "birth_date": "1990-04-21", "language": "de-AT", "city": "Graz"}
    assert said.body["attributes"] == {"seats": 2, "vip": True}
    assert front.call("get_member", member_id=member).body == said.body
    assert front.house.state(member).known == ["birth_date", "city", "first_name", "language"]


def test_her_time_zone_is_hers_until_it_is_taken_back(front: Front) -> None:
    member = front.register(profile=ANNA)
    assert "time_zone" not in front.call("get_member", member_id=member).body
    said = front.call("update_member", {"time_zone": "Asia/Tokyo"}, member_id=member)
    assert (said.status, said.body["time_zone"], front.house.state(member).zone) == (200, "Asia/Tokyo", "Asia/Tokyo")
    version = front.house.state(member).version
    for patch in ({"time_zone": "Asia/Tokyo"}, {"profile": {"first_name": "Anna"}}):
        assert front.call("update_member", patch, member_id=member).body["time_zone"] == "Asia/Tokyo"
    assert front.house.state(member).version == version
    assert "time_zone" not in front.call("update_member", {"time_zone": None}, member_id=member).body
    assert front.house.state(member).zone == ""


@pytest.mark.parametrize("name", ["Europe/Atlantis", "../etc/passwd", "+02:00", "Europe"])
def test_a_time_zone_that_does_not_exist_is_refused(front: Front, name: str) -> None:
    member = front.register(profile=ANNA)
    said = front.call("update_member", {"time_zone": name}, member_id=member)
    assert (said.status, said.body["code"]) == (422, "invalid_time_zone")
    assert [(each["pointer"], each["code"]) for each in said.body["errors"]] == [("/time_zone", "invalid_time_zone")]
    assert front.house.state(member).zone == ""


def test_a_patch_that_changes_nothing_writes_nothing(front: Front) -> None:
    member = front.register(profile=ANNA, attributes={"seats": 1})
    version = front.house.state(member).version
    patch = {"profile": {"first_name": "Anna", "city": None}, "attributes": {"seats": 1, "absent": None}}
    assert front.call("update_member", patch, member_id=member).status == 200
    assert front.house.state(member).version == version
    front.call("update_member", {"attributes": {"seats": True}}, member_id=member)
    assert front.house.state(member).attributes == {"seats": True}


def test_a_birth_date_that_comes_later_moves_her_into_segments(front: Front) -> None:
    rule = {"kind": "age", "op": "ge", "years": 18}
    front.house.publish("segment", "adults", {"name": "Adults", "rule": rule}, epoch=2)
    member = front.register()
    assert "adults@1" not in front.house.state(member).segments
    front.call("update_member", {"profile": {"birth_date": "1990-04-21"}}, member_id=member)
    assert "adults@1" in front.house.state(member).segments
    front.call("update_member", {"profile": {"birth_date": None}}, member_id=member)
    assert "adults@1" not in front.house.state(member).segments


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"profile": {"nickname": "x"}}, "/profile/nickname"),
        ({"profile": {"email": "nowhere"}}, "/profile/email"),
        ({"profile": {"gender": 1}}, "/profile/gender"),
        ({"attributes": {"a": [1]}}, "/attributes/a"),
        ({"first_name": "x"}, "/first_name"),
    ],
)
def test_a_patch_that_does_not_fit_changes_nothing(front: Front, patch: dict[str, Any], pointer: str) -> None:
    member = front.register(profile=ANNA)
    said = front.call("update_member", patch, member_id=member)
    assert said.status == 422
    assert pointer in [each["pointer"] for each in said.body["errors"]]
    assert front.house.state(member).version == 1


def test_fifty_attributes_are_enough(front: Front) -> None:
    member = front.register(attributes={f"a{i}": i for i in range(50)})
    said = front.call("update_member", {"attributes": {"one_more": 1}}, member_id=member)
    assert (said.status, said.body["code"]) == (422, "too_many_attributes")
    assert front.call("update_member", {"attributes": {"one_more": 1, "a0": None}}, member_id=member).status == 200


def test_two_patches_at_once_both_hold(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is decided again from what stood in its way."""
    member = front.register(profile=ANNA)
    transact, raced = front.house.table.transact, []

    def racing(batch: Any, token: str) -> None:
        if not raced:
            raced.append(token)
            front.call("update_member", {"profile": {"city": "Graz"}}, member_id=member)
        transact(batch, token)

    monkeypatch.setattr(front.house.table, "transact", racing)
    said = front.call("update_member", {"profile": {"first_name": "Bea"}}, member_id=member)
    assert said.status == 200
    assert (said.body["profile"]["first_name"], said.body["profile"]["city"]) == ("Bea", "Graz")


# -- consents, identifiers ------------------------------------------------------------------------------------------


def test_a_consent_withdrawn_is_withdrawn_at_once_and_both_are_on_record(front: Front) -> None:
    member = front.register(consents=[CONSENT])
    front.house.now += HOUR
    said = front.call("set_consents", {"consents": [{**CONSENT, "granted": False}]}, member_id=member)
    assert said.body["consents"] == [
        {"purpose": "marketing", "channel": "push", "granted": False, "document_version": "1", "at": "2026-11-21T11:00:00Z"}
    ]
    assert not front.house.state(member).consents["marketing:push"].granted
    records = MemberRepository("demo", front.house.table).consents(member, front.house.scope().cipher(member))
    assert [(each["granted"], each["at"]) for each in records] == [(True, NOW), (False, NOW + HOUR)]


def test_the_same_answer_again_is_not_recorded_again(front: Front) -> None:
    member = front.register(consents=[CONSENT])
    assert front.call("set_consents", {"consents": [CONSENT]}, member_id=member).status == 200
    assert len(MemberRepository("demo", front.house.table).consents(member, front.house.scope().cipher(member))) == 1
    front.house.now += 1
    newer = {**CONSENT, "document_version": "2"}
    front.call("set_consents_of_me", {"consents": [newer]}, me=member)
    records = MemberRepository("demo", front.house.table).consents(member, front.house.scope().cipher(member))
    assert [(each["version"], each["actor"]) for each in records] == [("1", "demo-aaaaaaaaaaaa"), ("2", member)]


@pytest.mark.parametrize("body", [{}, {"consents": []}, {"consents": [CONSENT] * 2}, {"consents": [{"purpose": "Marketing!"}]}, "nothing"])
def test_consents_that_do_not_fit_are_refused(front: Front, body: Any) -> None:
    member = front.register()
    assert front.call("set_consents", body, member_id=member).status in (400, 422)
    assert front.house.state(member).version == 1


def test_a_proven_identifier_finds_her_from_then_on(front: Front) -> None:
    member = front.register()
    said = front.call("add_identifier", {"kind": "phone", "value": PHONE, "proof": "otp"}, member_id=member)
    assert (said.status, said.body["identifiers"]) == (201, ["external", "phone"])
    assert front.call("identify_member", {"kind": "phone", "value": PHONE}).body["member_id"] == member
    again = front.call("add_identifier", {"kind": "phone", "value": PHONE, "proof": "otp"}, member_id=member)
    assert (again.status, again.body["identifiers"]) == (200, ["external", "phone"])
    other = front.register()
    taken = front.call("add_identifier", {"kind": "phone", "value": PHONE, "proof": "otp"}, member_id=other)
    assert (taken.status, taken.body["code"]) == (409, "identifier_taken")
    assert member not in json.dumps(taken.body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "phone", "value": PHONE}, "proof_required"),
        ({"kind": "email", "value": "a@b.example"}, "proof_required"),
        ({"kind": "card", "value": "?"}, "invalid_identifier"),
        ({"kind": "google", "value": "1"}, "invalid_request"),
    ],
)
def test_identifiers_that_are_not_proven_or_none_are_refused(front: Front, body: dict[str, Any], code: str) -> None:
    said = front.call("add_identifier", body, member_id=front.register())
    assert (said.status, said.body["code"]) == (422, code)


# -- reading --------------------------------------------------------------------------------------------------------


def test_the_wallet_says_what_expires_when_and_what_it_is_worth(front: Front) -> None:
    member = front.register()
    record(front.house.scope(), sale(member))
    (wallet,) = front.call("get_wallet", member_id=member).body["wallets"]
    assert wallet == {
        "wallet": "points",
        "name": "Points",
        "unit": "points",
        "available": 9,
        "pending": 0,
        "held": 0,
        "earned": 9,
        "spent": 0,
        "expired": 0,
        "reversed": 0,
        "debt": 0,
        "value": 45,
        "lots": [{"points": 9, "expires_at": "2027-11-21T23:00:00Z"}],
    }
    front.house.now += 400 * DAY
    (wallet,) = front.call("get_wallet_of_me", me=member).body["wallets"]
    assert (wallet["available"], wallet["expired"], wallet["lots"]) == (0, 9, [])


def test_the_ledger_is_read_page_by_page_newest_first(front: Front) -> None:
    member = front.register()
    receipts = []
    for _ in range(3):
        front.house.now += HOUR
        receipts.append(record(front.house.scope(), sale(member, at=front.house.now)).answer["transaction_id"])
    first = front.call("list_ledger", member_id=member, query={"limit": "2"}).body
    rest = front.call("list_ledger", member_id=member, query={"limit": "2", "cursor": first["next_cursor"]}).body
    assert [each["reference"] for each in [*first["data"], *rest["data"]]] == receipts[::-1]
    assert "next_cursor" not in rest
    assert first["data"][0]["postings"] == [{"wallet": "points", "kind": "earn", "points": 9, "expires_at": "2027-11-21T23:00:00Z"}]


def test_a_cursor_is_of_no_use_for_another_member(front: Front) -> None:
    member, other = front.register(), front.register()
    for _ in range(2):
        record(front.house.scope(), sale(member))
    cursor = front.call("list_ledger", member_id=member, query={"limit": "1"}).body["next_cursor"]
    for wrong in (cursor, "x", cursor[:-2] + ("BB" if cursor.endswith("AA") else "AA")):
        said = front.call("list_ledger", member_id=other, query={"cursor": wrong})
        assert (said.status, said.body["code"]) == (422, "invalid_cursor")


def test_her_coupons_have_the_state_that_holds_now(front: Front) -> None:
    member, other = front.register(profile={"language": "de"}), front.register()
    coupon, code = give_coupon(front, member)
    give_coupon(front, other)
    (seen,) = front.call("list_member_coupons", member_id=member).body["data"]
    assert (seen["coupon_id"], seen["state"], seen["code"], seen["title"]) == (coupon, "active", code, "Pommes für 1 Euro")
    assert front.call("list_member_coupons_of_me", me=member).body["data"] == [seen]
    record(front.house.scope(), sale(member, lines=(("fries", 350),), coupons=[{"id": coupon}]))
    assert front.call("list_member_coupons", member_id=member).body["data"][0]["state"] == "redeemed"
    front.house.now += 60 * DAY
    assert front.call("list_member_coupons", member_id=other).body["data"][0]["state"] == "expired"


def test_the_profile_says_what_her_purchases_say(front: Front) -> None:
    member = front.register()
    record(front.house.scope(), sale(member, lines=(("burger", 900), ("fries", 350))))
    front.house.now += 10 * DAY
    record(front.house.scope(), sale(member, at=front.house.now, lines=(("salad", 750),)))
    body = front.call("get_profile", member_id=member).body
    assert [(each["days"], each["count"], each["value"], each["average_basket"]) for each in body["windows"]] == [
        (7, 1, 750, 750),
        (30, 2, 2000, 1000),
        (90, 2, 2000, 1000),
        (365, 2, 2000, 1000),
    ]
    favourites = {"location": "mitte", "category": "mains", "channel": "pos", "tag": "vegetarian"}
    assert {name: each for name, each in body["habits"]["favourites"].items() if name in favourites} == favourites
    assert [(each["tag"], each["value"], each["share_percent"]) for each in body["habits"]["tags"]] == [("vegetarian", 1100, 55)]
    assert (body["purchases"], body["value"], body["segments"]) == (2, 2000, 1)
    assert body["tier"]["tier"] == "gold"
    assert body["tier"]["next"] == {"tier": "black", "name": "Black", "missing": 81}
    assert (body["first_purchase_at"], body["last_purchase_at"]) == ("2026-11-21T10:00:00Z", "2026-12-01T10:00:00Z")


def test_a_profile_without_purchases_is_empty(front: Front) -> None:
    body = front.call("get_profile", member_id=front.register()).body
    assert body["windows"][0] == {"days": 7, "count": 0, "value": 0, "quantity": 0, "visits": 0}
    assert (body["habits"], body["tier"]["counted"]) == ({"favourites": {}, "complements": [], "tags": []}, 0)


def test_segments_and_why(front: Front) -> None:
    member = front.register()
    out = front.call("explain_membership", member_id=member, segment_id="regulars").body
    assert (out["inside"], out["why"]["truth"]) == (False, "false")
    record(front.house.scope(), sale(member))
    listed = front.call("list_member_segments", member_id=member).body["segments"]
    assert listed == [{"segment_id": "regulars", "version": 1, "name": "Regulars", "entered_at": "2026-11-21T10:00:00Z"}]
    said = front.call("explain_membership", member_id=member, segment_id="regulars").body
    assert (said["segment"], said["version"], said["inside"], said["why"]["truth"]) == ("regulars", 1, True, "true")
    assert said["why"]["asked"] == REGULARS["rule"]
    assert said["why"]["valid_until"] == "2026-12-20T23:00:00Z"
    front.house.now += 40 * DAY
    assert front.call("list_member_segments", member_id=member).body["segments"] == []


def test_an_unknown_segment_has_no_why(front: Front) -> None:
    said = front.call("explain_membership", member_id=front.register(), segment_id="nothing/here")
    assert (said.status, said.body["code"]) == (404, "unknown_segment")


# -- who may see whom -----------------------------------------------------------------------------------------------

ABOUT_A_MEMBER = [route for route in ROUTES if route.function == "registration" and "{member_id}" in route.path]
OWN = [route for route in ROUTES if route.function == "registration" and route.scope == "me" and route.operation != "erase_member_of_me"]
"""But for the last that she does here, which tests/component/test_erasure.py is about."""
BODIES: dict[str, Any] = {
    "update_member": {"profile": {"city": "Graz"}},
    "set_consents": {"consents": [CONSENT]},
    "merge_member": {"from_member_id": NOBODY, "reason": "same_person"},
    "set_profiling": {"allowed": False},
    "set_restriction": {"restricted": True, "reason": "unlawful"},
    "set_restriction_of_me": {"restricted": True, "reason": "unlawful"},
    "add_device": {"platform": "apns", "token": "token-of-a-phone"},
    "add_identifier": {"kind": "card", "value": "1234"},
    "block_identifier": {"kind": "external"},
    "unblock_identifier": {"kind": "external"},
    "replace_identifier": {"old": {"kind": "card"}, "new": {"kind": "card", "value": "1234"}},
    "adjust_points": {"points": 5, "reason": "goodwill"},
    "transfer_points": {"to": {"kind": "card", "value": "9"}, "points": 1},
    "convert_points": {"programme": "points", "conversion": "voucher"},
    "claim_reward": {"reward_id": "mug"},
    "hand_over_reward": {},
    "cancel_reward": {"reason": "changed her mind"},
    "set_tier": {"tier": "gold", "reason": "press"},
}
REFUSED_BY_STATE = {"transfer_points_of_me": 409, "convert_points_of_me": 422, "claim_reward_of_me": 404, "get_erasure_of_me": 404}
"""The tenant of these tests lets nobody give points away, converts none, and has no rewards."""
KEYED = {"idempotency-key": "a-call-of-a-test"}


def about(front: Front, route: Any, member: str, **more: Any) -> Any:
    """A sensible call of a route that is about a member."""
    path = {"member_id": member, "segment_id": "regulars", "device_id": "dev_00000000000000", "coupon_id": "cpn_nothing",
            "access_id": "acc_nothing"}  # fmt: skip
    path |= {"claim_id": "rwd_nothing", "message_id": f"inb_{NOBODY.removeprefix('mbr_')}", "channel": "email", "kind": "card"}
    wanted = {name: value for name, value in path.items() if f"{{{name}}}" in route.path}
    return front.call(route.operation, BODIES.get(route.operation), headers=KEYED, **wanted, **more)


def test_who_is_not_a_member_here_is_unknown_everywhere(front: Front) -> None:
    for member in (NOBODY, "mbr_x", "mbr_1#STATE", "..", "tenant"):
        for route in ABOUT_A_MEMBER:
            said = about(front, route, member)
            assert (said.status, said.body["code"]) == (404, "unknown_member"), (route.operation, member)


def test_a_member_of_another_tenant_is_unknown_everywhere(front: Front) -> None:
    member = front.register()
    front.house.tenant = "acme"
    front.house.create(settings_with_everything())
    front.house.publish("segment", "regulars", REGULARS)
    for route in ABOUT_A_MEMBER:
        said = about(front, route, member)
        assert (said.status, said.body["code"]) == (404, "unknown_member"), route.operation


def test_a_key_without_the_scope_and_a_members_token_are_refused_everywhere(front: Front) -> None:
    member = front.register()
    for route in ABOUT_A_MEMBER:
        for said in (about(front, route, member, scopes=frozenset({"transactions:read"})), about(front, route, member, me=member)):
            assert (said.status, said.body["code"]) == (403, "insufficient_scope"), route.operation
    assert front.house.state(member).version == 1


def test_her_own_view_is_hers_and_takes_no_keys(front: Front) -> None:
    member, other = front.register(), front.register()
    for route in OWN:
        body = BODIES.get(route.operation.removesuffix("_of_me"))
        named = {"device_id": "dev_00000000000000", "coupon_id": "cpn_nothing", "message_id": f"inb_{NOBODY.removeprefix('mbr_')}"}
        named |= {"access_id": "acc_nothing", "kind": "apple"}
        path = {name: value for name, value in named.items() if f"{{{name}}}" in route.path}
        assert front.call(route.operation, body, **path).status == 403, route.operation
        said = front.call(route.operation, body, me=member, headers=KEYED, **path)
        expected = REFUSED_BY_STATE.get(route.operation, route.status)
        assert said.status == (404 if path else expected), route.operation
        assert other not in json.dumps(said.body)
    assert front.house.state(other).version == 1
