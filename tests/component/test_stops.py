"""Emergency stops: what they hold up, what goes on, and from when."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from shared.aws.runtime import NamedTenant
from shared.coupons import service
from shared.coupons.api import IssueRequest
from shared.coupons.errors import OfferStopped
from shared.coupons.repository import CouponRepository
from shared.definitions import catalogue
from shared.definitions.cache import DefinitionCache
from shared.kernel.errors import Unprocessable
from shared.kernel.instants import MINUTE
from shared.storage import keys
from shared.tenants.stopping import get_stops, set_stops
from shared.tenants.stops import Stops
from tests.builders.campaigns import Post, called, message
from tests.builders.gateway import Till, basket, refused, sold
from tests.builders.house import PROGRAMME, House

_serial = itertools.count(1)


def stop(where: House | Till, **stops: Any) -> None:
    """Set where it is asked for afterwards, so that no cache is in between."""
    scope = where.scope() if isinstance(where, House) else where.runtime.scope(NamedTenant("demo"))
    set_stops(scope, Stops(**stops), "demo-aaaaaaaaaaaa")


def coupon_of(till: Till, member: str, offer: str = "fries") -> str:
    """A coupon of hers."""
    request = IssueRequest(member_id=member, request_id=f"{offer}{member}{next(_serial)}")
    return service.issue(till.runtime.scope(NamedTenant("demo")), offer, request, None).answer.id


def reasons(body: dict[str, Any]) -> list[str]:
    return [each["code"] for each in body.get("refused", [])]


# -- redeeming --------------------------------------------------------------------------------------------------------


def test_nothing_is_redeemed_and_points_are_earned(till: Till) -> None:
    member = till.house.join()
    coupon = coupon_of(till, member)
    with_coupon = {"coupons": [{"id": coupon}]}
    assert reasons(till.call("quote", basket(member, ("fries", 300), **with_coupon)).body) == []
    stop(till, redemptions=True)
    quoted = till.call("quote", basket(member, ("fries", 300), **with_coupon))
    assert (quoted.status, reasons(quoted.body)) == (200, ["redemptions_stopped"])
    held = till.call("create_hold", basket(member, ("fries", 300), basket_id="b1", **with_coupon))
    refused(held, 409, "not_redeemable")
    assert held.errors == [("/coupons/0", "redemptions_stopped")]
    plain = till.call("record_transaction", sold(member, ("fries", 300)))
    assert plain.status == 201
    assert [lot.points for lot in till.house.state(member).wallets["points"].lots] == [3]
    stop(till)
    assert reasons(till.call("quote", basket(member, ("fries", 300), **with_coupon)).body) == []


def test_what_a_hold_has_promised_is_kept(till: Till) -> None:
    member = till.house.join()
    coupon = coupon_of(till, member)
    promised = till.call("create_hold", basket(member, ("fries", 300), basket_id="b1", coupons=[{"id": coupon}]))
    assert promised.status == 201
    stop(till, redemptions=True, offers=["fries"])
    sale = sold(member, ("fries", 300), coupons=[{"id": coupon}], hold_id=promised.body["hold_id"])
    assert till.call("record_transaction", sale).status == 201
    found = CouponRepository("demo", till.house.table).get(coupon)
    assert found is not None
    assert found.state == "redeemed"


def test_a_sale_that_was_made_offline_is_recorded_with_its_coupon(till: Till) -> None:
    member = till.house.join()
    coupon = coupon_of(till, member)
    stop(till, redemptions=True)
    sale = sold(member, ("fries", 300), coupons=[{"id": coupon, "given": 200}], offline=True)
    refused(till.call("record_transaction", sold(member, ("fries", 300), coupons=[{"id": coupon}])), 409, "not_redeemable")
    said = till.call("record_transaction", sale)
    assert said.status == 201, said.text
    assert said.body.get("offline_losses", []) == []


def test_one_offer_is_neither_issued_nor_redeemed_and_the_others_are(till: Till) -> None:
    till.house.publish("offer", "cake", {"name": "Cake", "effect": {"kind": "amount", "amount": 50}, "per_member": 3})
    member = till.house.join()
    fries, cake = coupon_of(till, member), coupon_of(till, member, "cake")
    stop(till, offers=["fries"])
    both = {"coupons": [{"id": fries}, {"id": cake}]}
    assert reasons(till.call("quote", basket(member, ("fries", 300), **both)).body) == ["offer_stopped"]
    with pytest.raises(OfferStopped) as stopped:
        coupon_of(till, member)
    assert (stopped.value.code, stopped.value.status) == ("offer_stopped", 409)
    assert coupon_of(till, member, "cake")


def test_what_the_fold_gives_by_itself_is_held_up_too(house: House) -> None:
    conversions = [{"id": "voucher", "points": 100, "offer": "fries"}]
    house.publish("programme", "points", {**PROGRAMME, "conversions": conversions})
    view = house.scope().definitions.at(house.now)
    assert view.promise("fries", house.now) is not None
    stop(house, offers=["fries"])
    assert house.scope().definitions.at(house.now).promise("fries", house.now) is None


# -- messages ---------------------------------------------------------------------------------------------------------


def test_messages_stop_in_the_middle_of_an_order(bare_house: House) -> None:
    post = Post.of(bare_house)
    post.campaign("tour", called(message("one")))
    members = [post.guest() for _ in range(3)]

    def then_stop() -> None:
        post.sender.after = lambda: None
        post.stop(messages=True)

    post.sender.after = then_stop
    assert post.deliver(post.order("tour", "one", members)) == {"sent": 1, "stopped": 2}
    assert len(post.sender.taken) == 1


# -- from when --------------------------------------------------------------------------------------------------------


def test_they_hold_everywhere_once_the_cache_has_run_out(house: House) -> None:
    elsewhere, seconds = House(house.table, house.key_table), [0.0]
    elsewhere.cache = DefinitionCache(60, lambda: seconds[0])
    assert elsewhere.scope().definitions.stops == Stops()
    stop(house, messages=True)
    seconds[0] = 59.9
    assert not elsewhere.scope().definitions.stops.messages
    seconds[0] = 60.0
    assert elsewhere.scope().definitions.stops.messages
    assert house.scope().definitions.stops.messages, "at once where they were set"


# -- setting them -----------------------------------------------------------------------------------------------------


def test_who_set_them_is_told_and_the_same_again_is_not(house: House) -> None:
    assert get_stops(house.scope()).changed_at is None
    stop(house, redemptions=True, offers=["fries", "fries"])
    envelope = Post(house).envelope(keys.stops("demo"))
    assert (envelope.aggregate, envelope.seq, envelope.types) == ("tenant:demo", 1, ["tenant.stops_changed"])
    told = {"messages": False, "redemptions": True, "offers": ["fries"], "actor": "demo-aaaaaaaaaaaa"}
    assert envelope.events[0]["data"] == told
    house.now += MINUTE
    before = get_stops(house.scope())
    assert set_stops(house.scope(), Stops(redemptions=True, offers=("fries",)), "demo-bbbbbbbbbbbb") == before
    assert get_stops(house.scope()).offers == ("fries",)


def test_an_offer_that_is_not_there_cannot_be_stopped(house: House) -> None:
    with pytest.raises(Unprocessable) as refusal:
        stop(house, offers=["fries", "nonsense"])
    assert [(each.pointer, each.code) for each in refusal.value.errors] == [("/offers/1", "unknown_offer")]
    assert get_stops(house.scope()).offers == ()


def test_tills_are_told_with_the_locations(house: House) -> None:
    stop(house, redemptions=True)
    assert catalogue.list_locations(house.scope(), 10, None, b"k" * 32).stops.redemptions
