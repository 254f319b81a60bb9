"""Rewards: exactly once for their points, never more than there are, and back again as they were."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, Literal

import pytest

from shared.coupons.repository import CouponRepository
from shared.kernel.errors import AppError
from shared.kernel.instants import DAY, MINUTE, format_rfc3339
from shared.kernel.shards import quota_shards
from shared.members import points
from shared.members.points_api import AdjustmentRequest
from shared.members.service import Actor
from shared.rewards import ending, service
from shared.rewards.api import CancelClaimRequest, ClaimAnswer, ClaimRequest
from shared.rewards.catalogue import list_rewards
from shared.rewards.errors import RewardRefused
from shared.rewards.model import key_of
from shared.rewards.repository import ClaimRepository
from shared.storage import keys
from shared.storage.items import QuotaItem
from shared.transactions import holds
from shared.transactions.api import CouponReference, HoldRequest
from shared.transactions.service import quote, record
from tests.builders.front import ALL, Front
from tests.builders.house import PROGRAMME, SETTINGS, House, sale
from tests.builders.invariants import check_member, ledger_of
from tests.component.test_races import together, until_done
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable, Killed

MUG: dict[str, Any] = {
    "name": "Mug",
    "price": 100,
    "gives": {"kind": "item", "item": "mug"},
    "stock": 60,
    "limits": {"per_week": 2},
    "content": {"en": {"title": "A mug", "text": "Hand made"}, "de": {"title": "Eine Tasse"}},
}
GIFT: dict[str, Any] = {"name": "Free fries", "price": 40, "gives": {"kind": "coupon", "offer": "free-fries"}, "sort_order": -1}
OFFER: dict[str, Any] = {"name": "Fries", "effect": {"kind": "free_item", "item": "fries"}, "per_member": 3}
CANCEL = CancelClaimRequest(reason="she changed her mind")


def furnished(house: House) -> House:
    """A tenant with a mug and free fries for points."""
    house.create()
    house.publish("programme", "points", PROGRAMME)
    house.publish("offer", "free-fries", OFFER)
    house.publish("reward", "fries", GIFT)
    offer_reward(house, "mug", MUG)
    return house


def offer_reward(house: House, id_: str, body: dict[str, Any]) -> None:
    """Publish a reward with its stock."""
    house.publish("reward", id_, body)
    if "stock" in body:
        CouponRepository(house.tenant, house.table).create_quota(key_of(id_), body["stock"])


@pytest.fixture
def house(bare_house: House) -> House:
    return furnished(bare_house)


@pytest.fixture
def faulty(dynamodb: str, bare_house: House) -> House:
    """The same over a table that can fail."""
    table = FaultyTable(dynamodb, bare_house.table.name)
    return furnished(House(table, engine.table(dynamodb, bare_house.key_table.name)))


@pytest.fixture
def front(house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    return Front(house, monkeypatch)


def with_points(house: House, amount: int, expires_at: int | None = None) -> str:
    member = house.join()
    until = format_rfc3339(expires_at) if expires_at is not None else None
    request = AdjustmentRequest(points=amount, reason="to begin with", expires_at=until)
    points.adjust(house.scope(), member, request, Actor("staff", may_write=True), f"begin-{member}")
    return member


def claim(house: House, member: str, reward: str = "mug", call: str = "1") -> ClaimAnswer:
    return service.claim(house.scope(), member, ClaimRequest(reward_id=reward), member, call)[0]


def refused(house: House, member: str, reward: str = "mug", call: str = "other") -> str:
    with pytest.raises(RewardRefused) as caught:
        claim(house, member, reward, call)
    return caught.value.reason


def available(house: House, member: str) -> int:
    return sum(lot.points for lot in house.state(member).wallets["points"].lots)


def taken(house: House, reward: str = "mug", stock: int = 60) -> int:
    where = [keys.quota(house.tenant, key_of(reward), shard) for shard in range(quota_shards(stock))]
    return sum(int(QuotaItem.read(raw).used) for raw in house.table.get_many(where, consistent=True).values())


# -- having one -----------------------------------------------------------------------------------------------------


def test_an_item_costs_its_points_once_and_waits_to_be_handed_over(front: Front) -> None:
    house = front.house
    member = with_points(house, 250)
    headers, scopes = {"idempotency-key": "c1"}, ALL
    said = front.call("claim_reward", {"reward_id": "mug"}, member_id=member, headers=headers, scopes=scopes)
    assert (said.status, said.body["state"], said.body["points"], said.body["item_id"]) == (201, "ordered", 100, "mug")
    again = front.call("claim_reward", {"reward_id": "mug"}, member_id=member, headers=headers, scopes=scopes)
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (200, said.body, "true")
    other = front.call("claim_reward", {"reward_id": "fries"}, member_id=member, headers=headers, scopes=scopes)
    assert (other.status, other.body["code"]) == (422, "request_reused")
    without = front.call("claim_reward", {"reward_id": "mug"}, member_id=member, scopes=scopes)
    assert without.body["code"] == "idempotency_key_required"
    assert (available(house, member), taken(house)) == (150, 1)
    place = {"member_id": member, "claim_id": said.body["claim_id"]}
    for _ in range(2):
        given = front.call("hand_over_reward", {}, scopes=scopes, **place)
        assert (given.status, given.body["state"]) == (200, "handed_over")
    gone = front.call("cancel_reward", {"reason": "too late"}, scopes=scopes, **place)
    assert (gone.status, gone.body["code"]) == (409, "reward_handed_over")
    (convert,) = (entry for entry in ledger_of(house, member) if entry.kind == "convert")
    assert convert.reference == said.body["claim_id"]
    check_member(house, member)


def test_a_coupon_of_a_reward_is_used_like_any_other(house: House) -> None:
    member = with_points(house, 100)
    made = claim(house, member, "fries")
    assert (made.state, made.points, made.code is not None) == ("given", 40, True)
    request = sale(member, lines=(("fries", 350),), coupons=[CouponReference(code=made.code)])
    assert quote(house.scope(), request)["totals"]["discount"] == 350
    record(house.scope(), request)
    with pytest.raises(RewardRefused, match="used"):
        ending.cancel(house.scope(), member, made.claim_id, CANCEL, "staff")
    with pytest.raises(RewardRefused, match="nothing to hand over"):
        ending.hand_over(house.scope(), member, made.claim_id, "staff")
    check_member(house, member)


def test_what_is_refused_and_why(house: House) -> None:
    member = with_points(house, 1000)
    offer_reward(house, "gold-only", MUG | {"when": {"tiers": ["gold"]}})
    offer_reward(house, "here-only", MUG | {"when": {"locations": ["mitte"]}})
    house.publish("reward", "nothing", GIFT | {"gives": {"kind": "coupon", "offer": "ended"}})
    offer_reward(house, "dear", MUG | {"price": 5000})
    offer_reward(house, "last", MUG | {"stock": 1})
    assert refused(house, member, "gold-only") == "wrong_tier"
    assert refused(house, member, "here-only") == "wrong_location"
    assert refused(house, member, "nothing") == "unknown_offer"
    assert refused(house, member, "dear") == "insufficient_points"
    claim(house, member, "last", "l1")
    assert refused(house, with_points(house, 1000), "last") == "exhausted"
    for number in range(2):
        claim(house, member, call=f"m{number}")
    assert refused(house, member) == "limit_per_week"
    for number in range(3):
        claim(house, member, "fries", f"f{number}")
    assert refused(house, member, "fries") == "too_many_coupons"
    with pytest.raises(AppError) as caught:
        claim(house, member, "unheard-of")
    assert caught.value.code == "unknown_reward"
    here = ClaimRequest(reward_id="here-only", location_id="mitte")
    assert service.claim(house.scope(), member, here, member, "h1")[0].state == "ordered"
    house.now += 7 * DAY
    assert claim(house, member, call="next-week").state == "ordered"
    check_member(house, member)


def test_points_that_are_held_for_a_basket_buy_nothing(house: House) -> None:
    member = with_points(house, 100)
    request = sale(member, lines=(("burger", 900),), points_to_spend=50)
    only_of_sales = {"business_date", "receipt_number", "mode", "training", "offline", "tenders", "hold_id"}
    holds.place(house.scope(), HoldRequest(**request.model_dump(exclude=only_of_sales), basket_id="b1"))
    assert refused(house, member) == "insufficient_points"


# -- the catalogue --------------------------------------------------------------------------------------------------


def test_the_catalogue_says_what_she_can_have_in_her_language(front: Front) -> None:
    house = front.house
    offer_reward(house, "last", MUG | {"stock": 1, "price": 200})
    claim(house, with_points(house, 500), "last")
    member = with_points(house, 60)
    claim(house, member, "fries")
    listed = front.call("list_member_rewards", member_id=member).body
    rows = {each["reward_id"]: (each["title"], each["available"], each.get("reason"), each.get("missing")) for each in listed["data"]}
    assert list(rows) == ["fries", "mug", "last"]
    assert rows == {
        "fries": ("Free fries", False, "insufficient_points", 20),
        "mug": ("A mug", False, "insufficient_points", 80),
        "last": ("A mug", False, "exhausted", 180),
    }
    assert [(each["reward_id"], each["state"]) for each in listed["claims"]] == [("fries", "given")]
    own = front.call("list_member_rewards_of_me", me=member)
    assert own.body["data"] == listed["data"]


# -- and back -------------------------------------------------------------------------------------------------------


def test_a_cancelled_claim_gives_everything_back_as_it_was(house: House) -> None:
    soon = house.now + 3 * DAY
    member = with_points(house, 100, soon)
    made = claim(house, member)
    cancelled = ending.cancel(house.scope(), member, made.claim_id, CANCEL, "staff")
    assert (cancelled.state, available(house, member), taken(house)) == ("cancelled", 100, 0)
    assert ending.cancel(house.scope(), member, made.claim_id, CANCEL, "staff") == cancelled
    assert {lot.expires_at for lot in house.state(member).wallets["points"].lots} == {soon}
    assert key_of("mug") not in house.state(member).usage
    (entry,) = (each for each in ledger_of(house, member) if each.kind == "give_back")
    assert (entry.reference, entry.reason, entry.actor) == (made.claim_id, "she changed her mind", "staff")
    with pytest.raises(RewardRefused, match="cancelled"):
        ending.hand_over(house.scope(), member, made.claim_id, "staff")
    check_member(house, member)


def test_points_that_have_expired_since_do_not_come_back_to_life(house: House) -> None:
    member = with_points(house, 100, house.now + 3 * DAY)
    made = claim(house, member)
    house.now += 4 * DAY
    ending.cancel(house.scope(), member, made.claim_id, CANCEL, "staff")
    assert available(house, member) == 0
    check_member(house, member)


def test_an_unused_coupon_is_void_with_its_claim(house: House) -> None:
    member = with_points(house, 100)
    made = claim(house, member, "fries")
    ending.cancel(house.scope(), member, made.claim_id, CANCEL, "staff")
    assert made.coupon_id is not None
    coupon = CouponRepository(house.tenant, house.table).get(made.coupon_id)
    assert coupon is not None
    assert (coupon.state, house.state(member).coupons, available(house, member)) == ("void", {}, 100)
    assert claim(house, member, "fries", "2").state == "given"


def test_a_coupon_that_has_expired_is_not_changed_back_into_points(house: House) -> None:
    member = with_points(house, 100)
    made = claim(house, member, "fries")
    house.now += 40 * DAY
    with pytest.raises(RewardRefused, match="expired"):
        ending.cancel(house.scope(), member, made.claim_id, CANCEL, "staff")


@pytest.mark.parametrize("claim_id", ["nonsense", "rwd_01K00000000000000000000000"])
def test_what_she_has_not_claimed_is_unknown(house: House, claim_id: str) -> None:
    member = with_points(house, 100)
    with pytest.raises(AppError) as caught:
        ending.cancel(house.scope(), member, claim_id, CANCEL, "staff")
    assert caught.value.code == "unknown_claim"
    mine = claim(house, member)
    with pytest.raises(AppError):
        ending.hand_over(house.scope(), with_points(house, 1), mine.claim_id, "staff")


# -- at the same time, and broken off -------------------------------------------------------------------------------


def test_of_forty_who_want_the_last_ten_exactly_ten_get_one(house: House) -> None:
    offer_reward(house, "few", MUG | {"stock": 10})
    members = [with_points(house, 100) for _ in range(40)]
    results = together([partial(until_done, partial(claim, house, member, "few")) for member in members])
    got = [each for each in results if isinstance(each, ClaimAnswer)]
    reasons = {each.reason for each in results if isinstance(each, RewardRefused)}
    assert (len(got), reasons, taken(house, "few", 10)) == (10, {"exhausted"}, 10)
    assert sum(available(house, member) for member in members) == 3000


def test_her_points_pay_for_one_of_two_at_once(house: House) -> None:
    member = with_points(house, 150)
    results = together([partial(until_done, partial(claim, house, member, "mug", f"c{number}")) for number in range(6)])
    assert len([each for each in results if isinstance(each, ClaimAnswer)]) == 1
    assert (available(house, member), taken(house)) == (50, 1)
    check_member(house, member)


def test_one_claim_is_ended_once_however_many_try(house: House) -> None:
    member = with_points(house, 100)
    made = claim(house, member)
    cancel = partial(ending.cancel, house.scope(), member, made.claim_id, CANCEL, "staff")
    give = partial(ending.hand_over, house.scope(), member, made.claim_id, "staff")
    results = together([partial(until_done, each) for each in (cancel, give) * 4])
    states = {each.state for each in results if isinstance(each, ClaimAnswer)}
    assert len(states) == 1
    assert (available(house, member), taken(house)) == ((100, 0) if states == {"cancelled"} else (0, 1))
    check_member(house, member)


@pytest.mark.parametrize("reward", ["mug", "fries"])
@pytest.mark.parametrize("how", ["kill", "lose"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_claim_and_its_end_killed_anywhere_happen_once(
    faulty: House, reward: str, when: Literal["before", "after"], how: Literal["kill", "lose"]
) -> None:
    table = faulty.table
    assert isinstance(table, FaultyTable)
    _ = faulty.scope().definitions, faulty.scope().offers_in_force(["free-fries"], faulty.now), faulty.scope().tenant_keys
    for at in range(1, 9):
        member = with_points(faulty, 300)
        for step in ("claim", "cancel"):
            made = ClaimRepository(faulty.tenant, table).newest(member, 1)
            work = (
                partial(claim, faulty, member, reward)
                if step == "claim"
                else partial(ending.cancel, faulty.scope(), member, made[0].id, CANCEL, "staff")
            )
            table.arm(at, when, how)
            with suppress(Killed, AppError):
                work()
            table.disarm()
            work()
        assert (available(faulty, member), taken(faulty)) == (300, 0)
        assert [each.state for each in ClaimRepository(faulty.tenant, table).newest(member, 10)] == ["cancelled"]
        assert faulty.state(member).coupons == {}
        check_member(faulty, member)
        faulty.now += MINUTE


def test_the_stock_may_be_raised(house: House) -> None:
    offer_reward(house, "few", MUG | {"stock": 1})
    claim(house, with_points(house, 100), "few")
    assert refused(house, with_points(house, 100), "few") == "exhausted"
    house.publish("reward", "few", MUG | {"stock": 3}, version=2)
    CouponRepository(house.tenant, house.table).create_quota(key_of("few"), 3)
    for _ in range(2):
        claim(house, with_points(house, 100), "few")
    assert refused(house, with_points(house, 100), "few") == "exhausted"


def test_a_listed_catalogue_without_rewards_is_empty(bare_house: House) -> None:
    bare_house.create(SETTINGS)
    member = bare_house.join()
    listed = list_rewards(bare_house.scope(), member)
    assert (listed.data, listed.claims) == ((), ())
