"""Being forgotten: at once, wholly, once, and provably; the books and the reports stay as they were."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from local.verify import CHECKS, take
from shared.aws.push import PushUnavailable
from shared.campaigns.deliveries import DeliveryRepository
from shared.coupons.repository import CouponRepository
from shared.erasure import working
from shared.erasure.errors import StillThere, UnknownErasure
from shared.erasure.model import STEPS
from shared.erasure.repository import ErasureRepository
from shared.erasure.service import ask
from shared.erasure.steps import Hands
from shared.kernel.instants import DAY, MINUTE
from shared.kernel.shards import quota_shards
from shared.member_state.cells_codec import encode_cells
from shared.member_state.errors import ErasedMember
from shared.member_state.events import TagsChanged
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Occasion, change_member
from shared.members.errors import ChannelNotConfigured
from shared.privacy.crypto import Undecipherable
from shared.relay.envelope import Envelope
from shared.rewards.model import key_of
from shared.segments.listing import record_flips
from shared.snapshots.loading import listed, load_members
from shared.storage import keys, keys_rights
from shared.storage.items import HistoryItem, QuotaItem
from shared.storage.packing import pack
from shared.transactions.service import record
from tests.builders import leaving
from tests.builders.front import Front
from tests.builders.house import House, sale
from tests.builders.invariants import bucket_of, ledger_of
from tests.builders.leaving import CARD, EMAIL, PHONE, PLANTED, Life, finish, furnish, live, plainly, readable, remains
from tests.fakes.faulty import FaultyTable, Killed
from tests.fakes.queue import FakeQueue


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    found = Front(bare_house, monkeypatch)
    furnish(found)
    return found


def empty_history() -> dict[str, Any]:
    return HistoryItem.raw(keys.history("demo", "mbr_1"), history_version=1, body=pack(encode_cells({})))


def erase(front: Front, member: str, **more: Any) -> Any:
    return front.call("erase_member", member_id=member, **more)


def raw_state(front: Front, member: str) -> Any:
    house = front.house
    raw = house.table.get(keys.state(house.tenant, member))
    assert raw is not None
    return StateRepository(house.tenant, house.table).decode(member, raw, None)


# -- at once --------------------------------------------------------------------------------------------------------


def test_from_the_answer_on_she_is_no_member_any_more(front: Front) -> None:
    life = live(front)
    said = erase(front, life.member)
    assert (said.status, said.body["status"], said.body["asked_by"]) == (202, "accepted", "demo-aaaaaaaaaaaa")
    for operation, body in (("get_member", None), ("get_wallet", None), ("update_member", {"profile": {"city": "Graz"}})):
        assert front.call(operation, body, member_id=life.member).body["code"] == "member_erased"
    assert front.call("identify_member", {"kind": "card", "value": CARD}).status == 410
    loaded = raw_state(front, life.member)
    state = loaded.state
    assert (state.status, state.timer, loaded.sealed_facts) == ("erased", None, None)
    emptied = (state.coupons, state.segments, state.consents, state.attributes, state.tags, state.devices, state.holds, state.touches,
               state.challenges, state.journeys, state.known, state.profile.cells, state.profile.history, state.zone)  # fmt: skip
    assert not any(emptied)


def test_asking_again_answers_the_same_erasure_and_writes_nothing(front: Front) -> None:
    life = live(front)
    first = erase(front, life.member).body
    version = raw_state(front, life.member).state.version
    assert erase(front, life.member).body == first
    assert raw_state(front, life.member).state.version == version


def test_she_asks_for_herself(front: Front) -> None:
    life = live(front)
    said = front.call("erase_member_of_me", me=life.member)
    assert (said.status, said.body["asked_by"]) == (202, "member")
    assert front.call("get_erasure_of_me", me=life.member).body["erasure_id"] == said.body["erasure_id"]


def test_who_is_no_member_cannot_be_erased_and_who_is_one_has_no_certificate(front: Front) -> None:
    assert erase(front, leaving.somebody()).body["code"] == "unknown_member"
    member = front.register()
    assert front.call("get_erasure", member_id=member).body["code"] == "unknown_erasure"
    with pytest.raises(UnknownErasure):
        finish(front, member)


def test_it_needs_a_scope_of_its_own(front: Front) -> None:
    member = front.register()
    assert erase(front, member, scopes=frozenset({"members:write"})).status == 403
    assert front.house.state(member).status == "active"


# -- the books ------------------------------------------------------------------------------------------------------


def test_what_is_left_is_booked_out_and_the_books_still_hold(front: Front) -> None:
    life, house = live(front), front.house
    before = {name: (wallet.earned, wallet.spent) for name, wallet in house.state(life.member).wallets.items()}
    entries = len(ledger_of(house, life.member))
    house.now += MINUTE
    erase(front, life.member)
    finish(front, life.member)
    state, ledger = raw_state(front, life.member).state, ledger_of(house, life.member)
    assert len(ledger) == entries + 1
    assert (ledger[0].kind, ledger[0].reason) == ("expire", "erasure")
    for name, wallet in state.wallets.items():
        assert (wallet.earned, wallet.spent, wallet.lots, wallet.debt) == (*before[name], [], 0)
        assert wallet.earned == wallet.spent + wallet.expired + wallet.reversed
        booked = [posting for entry in ledger for posting in entry.postings if posting.wallet == name]
        assert sum(posting.points for posting in booked) == 0
        assert -sum(each.points for each in booked if bucket_of(each) == "expired") == wallet.expired


def test_every_copy_agrees_with_its_owner_afterwards(front: Front) -> None:
    life, other = live(front), front.register()
    record(front.house.scope(), sale(other, front.house.now))
    reports = {name: set(CHECKS[name](take(remains(front)))) for name in ("reports of campaigns", "offline losses")}
    erase(front, life.member)
    finish(front, life.member)
    picture = take(remains(front))
    found = {name: [line for line in check(picture) if life.member in line] for name, check in CHECKS.items()}
    assert not any(found.values()), found
    assert {name: set(CHECKS[name](picture)) for name in reports} == reports


def test_deliveries_still_count_and_hold_nothing_of_her(front: Front) -> None:
    life = live(front)
    before = take(remains(front)).delivered
    erase(front, life.member)
    finish(front, life.member)
    assert take(remains(front)).delivered == before
    rows = remains(front, keys.DELIVERY_PREFIX)
    assert len(rows) == 2
    assert not [row for row in rows if "d" in row or "GSI2PK" in row]


def test_who_read_a_delivery_before_does_not_bring_back_what_is_gone(front: Front) -> None:
    life, house = live(front), front.house
    deliveries = DeliveryRepository(house.tenant, house.table, house.scope().effort)
    read_before = [each for each in deliveries.of_member(life.member, "summer") if each.state == "failed"]
    erase(front, life.member)
    finish(front, life.member)
    for each in read_before:
        assert each.data
        assert deliveries.move(each, "sent", house.now)
    rows = remains(front, keys.DELIVERY_PREFIX)
    assert [row["state"]["S"] for row in rows] == ["sent", "sent"]
    assert not [row for row in rows if "d" in row]


# -- wholly ---------------------------------------------------------------------------------------------------------


def test_nothing_leads_to_her_and_nothing_of_hers_is_left(front: Front) -> None:
    life, house = live(front), front.house
    key = house.key_table.get(keys.member_key(house.tenant, life.member))
    assert key is not None
    copies = remains(front)
    erase(front, life.member)
    assert finish(front, life.member)
    left = remains(front)
    assert house.key_table.get(keys.member_key(house.tenant, life.member)) is None
    assert not [raw for raw in left if raw["SK"]["S"] == "ID"]
    assert {raw["SK"]["S"].partition("#")[0] for raw in left if keys.member_of(raw["PK"]["S"]) == life.member} == {
        "STATE", "L", "CONSENT", "DLV", "RWD", "SEG",
    }  # fmt: skip
    text = json.dumps([readable(raw) for raw in left], default=str)
    assert [planted for planted in PLANTED if planted in text] == []
    assert front.push.removed == list(front.push.endpoints.values())
    (older_days,) = [raw for raw in left if raw["SK"]["S"] == keys.HISTORY]
    assert readable(older_days)["d"] == readable(empty_history())["d"]
    # A copy of before is noise: the key is gone, and no other opens it.
    profile = next(raw for raw in copies if raw["SK"]["S"] == keys.PROFILE)
    stored = leaving.profile_of(profile)
    cipher = house.scope().new_cipher(life.member)
    with pytest.raises(Undecipherable):
        stored.fields(cipher)


def test_coupons_are_void_a_claim_gives_its_stock_back_and_listings_forget_her(front: Front) -> None:
    life, house = live(front), front.house
    erase(front, life.member)
    finish(front, life.member)
    found = CouponRepository(house.tenant, house.table).get_many([life.coupon, life.held])
    assert {coupon.state for coupon in found.values()} == {"void"}
    assert len(found) == 2
    (claim,) = remains(front, keys.CLAIM_PREFIX)
    assert claim["state"]["S"] == "cancelled"
    shards = [keys.quota(house.tenant, key_of("mug"), shard) for shard in range(quota_shards(leaving.STOCK))]
    assert sum(int(QuotaItem.read(raw).used) for raw in house.table.get_many(shards, consistent=True).values()) == 0
    assert [row for row in remains(front, keys.SEGMENT_PREFIX) if "GSI2PK" in row or row["inside"]["BOOL"]] == []
    assert life.member not in list(listed(house.scope()))
    assert load_members(house.scope(), [life.member]) == {}


@pytest.mark.parametrize("listed_before", [True, False])
def test_a_message_from_before_does_not_list_her_again(front: Front, listed_before: bool) -> None:
    life, house = live(front), front.house
    seq = house.state(life.member).version
    assert "regulars@1" in house.state(life.member).segments
    if not listed_before:
        house.table.delete(keys.segment_row(house.tenant, life.member, "regulars", 1))
    erase(front, life.member)
    finish(front, life.member)
    for segment, version in (("regulars", 1), ("was-in", 2)):
        flip = {"type": "segment.entered", "occurred_at": house.now, "data": {"segment": segment, "segment_version": version}}
        member, pk = life.member, keys.member(house.tenant, life.member)
        late = Envelope("x", house.tenant, pk, f"member:{member}", member, seq, house.now, "", "live", (flip,))
        record_flips(house.scope(), late)
    assert [row["SK"]["S"] for row in remains(front, keys.SEGMENT_PREFIX) if row["inside"]["BOOL"] or "GSI2PK" in row] == []


def test_a_device_that_is_somebody_elses_by_now_keeps_its_messages(front: Front) -> None:
    life, house = live(front), front.house
    erase(front, life.member)
    device = {"platform": "apns", "token": "token-of-her-phone"}
    heir = front.register(device=device)
    finish(front, life.member)
    assert front.push.removed == []
    assert len(house.state(heir).devices) == 1
    (pointer,) = [raw for raw in remains(front, "ID") if "#ID#device#" in raw["PK"]["S"]]
    assert pointer["member"]["S"] == heir


# -- the certificate ------------------------------------------------------------------------------------------------


def test_the_certificate_says_who_asked_what_was_done_when_and_how_much(front: Front) -> None:
    life, house = live(front), front.house
    erase(front, life.member)
    house.now += MINUTE
    finish(front, life.member)
    said = front.call("get_erasure", member_id=life.member)
    assert (said.status, said.body["status"]) == (200, "completed")
    assert said.body["accepted_at"] < said.body["completed_at"]
    assert [each["step"] for each in said.body["steps"]] == list(STEPS)
    counts = said.body["counts"]
    assert {name: counts[name] for name in ("identifiers", "devices", "coupons", "inbox_messages", "deliveries", "sessions")} == {
        "identifiers": 2, "devices": 1, "coupons": 2, "inbox_messages": 1, "deliveries": 2, "sessions": 1,
    }  # fmt: skip
    assert "others" not in counts
    assert [planted for planted in PLANTED if planted in json.dumps(said.body)] == []
    (row,) = remains(front, "ERASE")
    assert readable(row)["d"]["traces"] == [0, [], [], []]


# -- killed anywhere ------------------------------------------------------------------------------------------------


class Doubtful:
    """A house of one tenant after the other, over tables that die where a test says."""

    def __init__(self, dynamodb: str, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tables = (FaultyTable(dynamodb, house.table.name), FaultyTable(dynamodb, house.key_table.name))
        self._monkeypatch, self._number = monkeypatch, 0

    def life(self) -> tuple[Front, Life]:
        self._number += 1
        front = Front(House(*self.tables, tenant=f"tenant{self._number:03}"), self._monkeypatch)
        furnish(front)
        return front, live(front)

    def until_done(self, front: Front, life: Life) -> int:
        """Ask and work until it is done, however often it dies; answers how often."""
        for times in range(4):
            try:
                ask(front.house.scope(), life.member, "key_1")
                finish(front, life.member)
            except Killed:
                for table in self.tables:
                    table.disarm()
                # Another execution: nothing is kept but what is stored.
                front.house.cache.forget(front.house.tenant)
            else:
                return times
        raise AssertionError("it does not end")


@pytest.fixture
def doubtful(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Doubtful:
    return Doubtful(dynamodb, bare_house, monkeypatch)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("which", [0, 1])
def test_killed_at_any_call_and_resumed_it_ends_the_same(doubtful: Doubtful, which: int, when: Literal["before", "after"]) -> None:
    front, life = doubtful.life()
    doubtful.tables[which].arm(10_000, when, "kill")
    assert doubtful.until_done(front, life) == 0
    calls, expected = doubtful.tables[which].calls, plainly(front, life)
    doubtful.tables[which].disarm()
    assert calls > (1, 30)[which == 0]
    for at in range(1, calls + 1):
        front, life = doubtful.life()
        doubtful.tables[which].arm(at, when, "kill")
        assert doubtful.until_done(front, life) == 1, at
        assert plainly(front, life) == expected, at
        assert front.push.removed == list(front.push.endpoints.values()) * len(front.push.removed)


def test_without_the_push_service_the_step_is_done_again(front: Front) -> None:
    life = live(front)
    erase(front, life.member)
    front.push.broken = PushUnavailable()
    with pytest.raises(PushUnavailable):
        finish(front, life.member)
    erasure = ErasureRepository("demo", front.house.table).get(life.member)
    assert erasure is not None
    assert erasure.next_step == "devices"
    front.push.broken = ChannelNotConfigured("gone with its application")
    assert finish(front, life.member)


def test_out_of_time_it_goes_on_in_a_new_message(front: Front) -> None:
    life, queue, left = live(front), FakeQueue(), iter([*[60_000] * 4, 1_000])
    erase(front, life.member)
    front.house.time_left = lambda: next(left, 60_000)
    assert not working.work(Hands(front.house.scope(), front.push), life.member, queue)
    assert queue.take() == [{"kind": "erasure", "tenant": "demo", "member": life.member}]
    assert working.work(Hands(front.house.scope(), front.push), life.member, queue)
    assert not queue.take()


def test_what_does_not_go_is_never_certified(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    life = live(front)
    erase(front, life.member)
    monkeypatch.setattr(front.house.key_table, "delete", lambda *_: None)
    with pytest.raises(StillThere):
        finish(front, life.member)
    assert front.call("get_erasure", member_id=life.member).body["status"] == "accepted"


def test_a_change_that_races_with_the_erasure_is_refused(front: Front) -> None:
    """She is erased between the read and the write of somebody's change: the write is not made on what is left of her."""
    house, member = front.house, front.register()
    loaded = StateRepository(house.tenant, house.table).load(member)
    erase(front, member)
    before = raw_state(front, member).state.version
    change = Change([TagsChanged(house.now, added=("late",))], lambda *_: None)
    with pytest.raises(ErasedMember):
        change_member(house.scope(), member, Occasion(house.now), lambda *_: change, loaded=loaded)
    assert raw_state(front, member).state.version == before


# -- afterwards -----------------------------------------------------------------------------------------------------


def test_who_comes_back_is_a_new_member(front: Front) -> None:
    life = live(front)
    erase(front, life.member)
    finish(front, life.member)
    again = front.register(identifiers=[{"kind": "phone", "value": PHONE, "proof": "otp"}, {"kind": "card", "value": CARD}])
    assert again != life.member
    assert front.house.state(again).wallets == {}


def marketing(channel: str = "email", purpose: str = "marketing") -> dict[str, Any]:
    return {"purpose": purpose, "channel": channel, "granted": True, "document_version": "2"}


def granted(front: Front, member: str) -> set[str]:
    return {key for key, consent in front.house.state(member).consents.items() if consent.granted}


def forgotten(front: Front) -> None:
    life = live(front)
    erase(front, life.member)
    finish(front, life.member)


def test_an_erased_contact_that_is_imported_stays_without_marketing(front: Front) -> None:
    forgotten(front)
    body = {
        "source": "import", "identifiers": [{"kind": "external", "value": "1"}], "profile": {"email": EMAIL.upper(), "phone": PHONE},
        "consents": [marketing(), marketing("sms"), marketing("push"), marketing(purpose="service")],
    }  # fmt: skip
    assert front.call("import_members", {"members": [body]}).status == 202
    front.work()
    scope = front.house.scope()
    blind = scope.blind("external", "1")
    raw = front.house.table.get(keys.identifier("demo", "external", blind))
    assert raw is not None
    assert granted(front, raw["member"]["S"]) == {"marketing:push", "service:email"}


def test_a_contact_that_is_nobodys_keeps_its_consents(front: Front) -> None:
    forgotten(front)
    member = front.register(profile={"email": "new@example.com"}, consents=[marketing()])
    assert granted(front, member) == {"marketing:email"}


def test_staff_cannot_allow_what_she_objected_to_and_no_profile_brings_it_back(front: Front) -> None:
    forgotten(front)
    member = front.register(profile={"email": EMAIL})
    said = front.call("set_consents", {"consents": [marketing("push"), marketing()]}, member_id=member)
    assert (said.status, said.body["code"], said.body["errors"][0]["pointer"]) == (409, "objection_stands", "/consents/1")
    other = front.register(profile={"email": "new@example.com"}, consents=[marketing(), marketing("push")])
    front.call("update_member", {"profile": {"email": EMAIL}}, member_id=other)
    assert granted(front, other) == {"marketing:push"}
    third = front.register(profile={"email": "third@example.com"}, consents=[marketing()])
    token = front.invite(third, "email")
    assert front.call("submit_form", {"values": {"email": EMAIL}}, token=token).status == 200
    assert granted(front, third) == set()


def test_she_herself_consents_anew_over_a_contact_that_is_proven_hers(front: Front) -> None:
    forgotten(front)
    waiting = front.register(profile={"email": EMAIL})
    assert front.call("set_consents", {"consents": [marketing()]}, me=waiting, member_id=waiting).status == 403
    said = front.call("set_consents_of_me", {"consents": [marketing()]}, me=waiting)
    assert said.body["code"] == "objection_stands"
    proven = {"kind": "email", "value": EMAIL, "proof": "otp"}
    assert front.call("add_identifier", proven, member_id=waiting).status == 201
    assert front.call("set_consents", {"consents": [marketing()]}, member_id=waiting).body["code"] == "objection_stands"
    assert front.call("set_consents_of_me", {"consents": [marketing()]}, me=waiting).status == 200
    assert granted(front, waiting) == {"marketing:email"}
    where = keys_rights.objection("demo", "email", front.house.scope().blind("email", EMAIL))
    assert front.house.table.get(where) is None
    next_one = front.register(profile={"email": EMAIL}, consents=[marketing()])
    assert granted(front, next_one) == {"marketing:email"}


def test_a_late_sale_is_recorded_without_her(front: Front) -> None:
    forgotten(front)
    member = next(raw["PK"]["S"].rpartition("#")[2] for raw in remains(front, "ERASE"))
    answer = record(front.house.scope(), sale(member, front.house.now + DAY - DAY)).answer
    assert "member_id" not in answer
    assert answer["warnings"]
