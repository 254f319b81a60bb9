"""The recount: it agrees with what the house writes, and finds a planted difference of each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.verify import CHECKS, liabilities, take
from shared.campaigns.deliveries import DeliveryRepository
from shared.campaigns.model import Delivery
from shared.kernel.instants import DAY, HOUR
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.effects import Effects
from shared.member_state.events import CouponIssued, HoldPlaced, Purchased, Registered, Reversed
from shared.member_state.model import MemberState
from shared.member_state.repository import Loaded, Stamp, StateRepository
from shared.member_state.rules import apply
from shared.profile.model import Visit
from shared.reports.cells import Place, encode
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.items import (
    CouponItem,
    IdentifierItem,
    OfflineLossItem,
    ReportItem,
    RequestItem,
    SegmentRowItem,
    SettingsItem,
)
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.model import TenantSettings
from shared.wallet.model import Posting
from tests.builders.house import NOW
from tests.builders.views import views

ANNA = "mbr_01KAJ5QV0000000000000000AA"
RULE = {"kind": "purchases", "metric": "count", "days": 2, "op": "ge", "value": 1}
Store = dict[keys.Key, RawItem]


class NoTable:
    """The repository is used for its items only."""


def put(store: Store, raw: RawItem) -> None:
    store[keys.Key(raw["PK"]["S"], raw["SK"]["S"])] = raw


def commit(store: Store, state: MemberState, *events: Any) -> None:
    """Fold events and take in every item that the commit writes."""
    effects, batch = Effects(), WriteBatch()
    for event in events:
        apply(state, event, views(RULE), None, effects)
    repository = StateRepository("demo", NoTable())  # type: ignore[arg-type]
    repository.add_writes(batch, Loaded(state), effects, Stamp(NOW))
    for action in batch.actions:
        put(store, action["Put"]["Item"])


def earned(points: int, at: int) -> Posting:
    return Posting("points", "earn", points, 0, at + 30 * DAY)


@pytest.fixture
def store() -> Store:
    """What a member's weeks leave: purchases, a return of spent points, a coupon, a segment, a campaign's messages."""
    found: Store = {}
    state = MemberState("demo", ANNA, as_of=NOW)
    visit = Visit(NOW, 1000, 1000, {"l:mitte": 1000})
    commit(found, state, Registered(NOW, "app", ""), Purchased(NOW, "txn_1", visit, (earned(10, NOW),)))
    commit(found, state, Purchased(NOW + HOUR, "txn_2", visit, (earned(4, NOW),), {"points": 8}))
    commit(found, state, Reversed(NOW + HOUR, "txn_1", "return", visit, (earned(10, NOW),)))
    assert state.wallets["points"].debt == 4
    commit(found, state, Purchased(NOW + HOUR, "txn_3", visit, (earned(20, NOW),)))
    commit(found, state, CouponIssued(NOW + HOUR, "cpn_1", "fries", NOW, NOW + 9 * DAY))
    commit(found, state, HoldPlaced(NOW + HOUR, "hold_1", "points", 2, NOW + 2 * HOUR, ("cpn_1",)))
    put(found, coupon("active").serialize())
    put(found, row(inside=True).serialize())
    put(found, row("s9", inside=False).serialize())
    put(found, IdentifierItem.at(keys.identifier("demo", "card", "blind"), member=ANNA, kind="card").serialize())
    put(found, delivery("sent", responses={"opened": NOW}))
    put(found, delivery("held_out", "2"))
    put(found, counted("summer", 1, {"planned": 1, "claimed": 1, "sent": 1}))
    put(found, counted("summer", 2, {"planned": 1, "held_out": 1, "opened": 1}))
    return found


def coupon(state: str) -> CouponItem:
    dates = {"active_from": NOW, "coupon_expires_at": NOW + 9 * DAY}
    return CouponItem.at(
        keys.coupon("demo", "cpn_1"), offer="fries", offer_version=1, state=state, member=ANNA, version=1, body=pack({}), **dates
    )


def row(segment: str = "s1", *, inside: bool) -> SegmentRowItem:
    return SegmentRowItem.at(keys.segment_row("demo", ANNA, segment, 1), member=ANNA, member_version=2, inside=inside)


def delivery(state: Any, occurrence: str = "1", **more: Any) -> RawItem:
    row = Delivery("summer", 1, "tell", occurrence, ANNA, "push", state, NOW, **more)
    repository: Any = DeliveryRepository("demo", None, None)  # type: ignore[arg-type]
    item: RawItem = repository.item(None, row, NOW).serialize()
    return item


def counted(campaign: str, shard: int, counts: dict[str, int]) -> RawItem:
    body = pack(encode({Place("tell", "", "push", ""): counts}))
    item: RawItem = ReportItem.at(keys.report("demo", campaign, shard), applied="1", body=body).serialize()
    return item


def changed_state(store: Store, change: Callable[[MemberState], object]) -> None:
    """Write the state differently, and nothing else."""
    key = keys.state("demo", ANNA)
    state = decode_state("demo", ANNA, unpack(store[key]["d"]["B"]))
    change(state)
    store[key] = store[key] | {"d": {"B": pack(encode_state(state))}}


def without(store: Store, start: str) -> None:
    """Lose the first item whose sort key starts so."""
    del store[next(key for key in store if key.sk.startswith(start))]


def grow(state: MemberState) -> None:
    state.wallets["points"].lots[0].points += 1


def found(store: Store) -> dict[str, list[str]]:
    """The checks that disagree, with what they say."""
    picture = take(store.values())
    return {name: said for name, check in CHECKS.items() if (said := list(check(picture)))}


def test_what_the_house_writes_agrees(store: Store) -> None:
    picture = take(store.values())
    assert (picture.items, list(picture.states)) == (len(store), [("demo", ANNA)])
    assert found(store) == {}


LOSS = keys.offline_loss("demo", "mitte", "2026-11-21", "redeemed")


def lossy_sale(status: str) -> RawItem:
    """A sale that was made offline with a coupon that had been used."""
    basket = {"location_id": "mitte", "business_date": "2026-11-21"}
    body = [basket, {"offline_losses": [{"subject": "coupons/0", "reason": "redeemed", "amount": 100}]}]
    return RequestItem.raw(keys.request("demo", "txn", "till", "1"), hash=b"-", body=pack(body), version=1, status=status)


def test_an_offline_loss_is_booked_while_its_sale_stands(store: Store) -> None:
    put(store, lossy_sale("voided"))
    put(store, OfflineLossItem.at(LOSS, number=0, amount=0, unpriced=0).serialize())
    assert found(store) == {}
    put(store, lossy_sale("partly_returned"))
    put(store, OfflineLossItem.at(LOSS, number=1, amount=100, unpriced=0).serialize())
    assert found(store) == {}


def _state_key() -> keys.Key:
    return keys.state("demo", ANNA)


def _other_timer(store: Store) -> None:
    store[_state_key()] = store[_state_key()] | {"GSI1SK": {"S": keys.due_at(NOW + 50 * DAY, f"M#{ANNA}")}}


def _no_timer(store: Store) -> None:
    store[_state_key()] = {name: value for name, value in store[_state_key()].items() if not name.startswith("GSI1")}


def _erased(store: Store) -> None:
    store[_state_key()] = store[_state_key()] | {"status": {"S": "erased"}}


PLANTED: dict[str, tuple[str, Callable[[Store], object]]] = {
    "a lost ledger entry": ("balances from the ledger", lambda store: without(store, keys.LEDGER_PREFIX)),
    "a point too many": ("balances from the ledger", lambda store: changed_state(store, grow)),
    "an expiry that nobody counted": (
        "balances from the ledger",
        lambda store: changed_state(store, lambda state: setattr(state.wallets["points"], "expired", 1)),
    ),
    "a coupon that is not there": ("members' copies of coupons", lambda store: without(store, "CPN")),
    "a coupon that was redeemed": ("members' copies of coupons", lambda store: put(store, coupon("redeemed").serialize())),
    "a coupon that she does not know of": (
        "coupons that members can use", lambda store: changed_state(store, lambda state: state.coupons.clear()),
    ),
    "a row that is missing": ("listing rows of segments", lambda store: without(store, "SEG#s1")),
    "a row of one who left": ("listing rows of segments", lambda store: put(store, row(inside=False).serialize())),
    "a row of one who never was in it": ("listing rows of segments", lambda store: put(store, row("s9", inside=True).serialize())),
    "a timer that is missing": ("timers in the due index", _no_timer),
    "another timer": ("timers in the due index", _other_timer),
    "a timer of one who is erased": ("timers in the due index", _erased),
    "an identifier of nobody": (
        "identifiers",
        lambda store: put(store, IdentifierItem.at(keys.identifier("demo", "card", "b"), member="mbr_x", kind="card").serialize()),
    ),
    "a delivery that was not counted": ("reports of campaigns", lambda store: put(store, delivery("failed", "3"))),
    "a response that was not counted": (
        "reports of campaigns",
        lambda store: put(store, delivery("sent", responses={"opened": NOW, "clicked": NOW})),
    ),
    "an offline loss that no sale tells of": (
        "offline losses",
        lambda store: put(store, OfflineLossItem.at(LOSS, number=1, amount=100, unpriced=0).serialize()),
    ),
    "an offline loss that was not booked": ("offline losses", lambda store: put(store, lossy_sale("recorded"))),
    "a counter of nothing": (
        "reports of campaigns",
        lambda store: put(store, counted("spring", 0, {"sent": 1})),
    ),
}


@pytest.mark.parametrize("difference", PLANTED)
def test_a_planted_difference_is_found_where_it_is(store: Store, difference: str) -> None:
    where, plant = PLANTED[difference]
    plant(store)
    said = found(store)
    assert list(said) == [where]
    assert len(said[where]) >= 1


def test_every_check_has_a_difference_that_it_finds() -> None:
    assert {where for where, _ in PLANTED.values()} == set(CHECKS)


def test_what_is_owed_to_members_is_told_by_wallet_with_its_worth(store: Store) -> None:
    settings = TenantSettings.model_validate(
        {"name": "Demo", "currency": "EUR", "time_zone": "Europe/Berlin", "wallets": {"points": {"points": 2, "value": 5}}}
    )
    put(store, SettingsItem.at(keys.settings("demo"), version=1, body=pack(settings.model_dump(mode="json"))).serialize())
    assert liabilities(take(store.values())) == [("demo", "points", "16", "0.40 EUR")]


def test_one_who_is_gone_has_no_timer_and_that_agrees(store: Store) -> None:
    _erased(store)
    _no_timer(store)
    assert found(store) == {}


def test_members_of_the_same_id_in_two_tenants_are_two(store: Store) -> None:
    copy = {keys.Key(key.pk.replace("T#demo#", "T#other#"), key.sk): raw for key, raw in store.items()}
    moved = [raw | {"PK": {"S": key.pk}} for key, raw in copy.items() if not key.sk.startswith(keys.LEDGER_PREFIX)]
    said = [line for check in CHECKS.values() for line in check(take([*store.values(), *moved]))]
    assert said == [f"{ANNA}: the ledger says 0 points, the state 16"]
