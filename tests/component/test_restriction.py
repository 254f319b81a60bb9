"""Restriction of processing (Art. 18 GDPR) over the API: what ends with it, what the membership still owes, and the proof."""

from __future__ import annotations

from typing import Any

import pytest

from shared.access.collecting import collect
from shared.campaigns.messages import order_of
from shared.campaigns.sending import Means, send
from shared.coupons.api import NextOfferRequest
from shared.coupons.next_offer import next_offer
from shared.member_state.errors import MemberRestricted
from shared.member_state.repository import StateRepository
from shared.member_state.service import view_member
from shared.members.repository import MemberRepository
from shared.snapshots.loading import load_members
from shared.transactions.service import record
from tests.builders.campaigns import CONSENT, Post
from tests.builders.front import Front, settings_with_everything
from tests.builders.guests import KEYS, LETTER
from tests.builders.house import FRIES, PROGRAMME, House, sale
from tests.fakes.senders import FakeSender, only

EVERYBODY = {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 0}
RESTRICT = {"restricted": True, "reason": "accuracy_contested"}
LIFT = {"restricted": False}


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    bare_house.create(settings_with_everything())
    bare_house.publish("programme", "points", PROGRAMME)
    bare_house.publish("offer", "fries", FRIES)
    bare_house.publish("segment", "everybody", {"name": "Everybody", "rule": EVERYBODY}, epoch=1)
    return Front(bare_house, monkeypatch)


def state_of(front: Front, member: str) -> Any:
    return view_member(front.house.scope(), member, front.house.now)


def restrict(front: Front, member: str, body: dict[str, Any] = RESTRICT, **how: Any) -> Any:
    who = {"me": member} if how.get("herself") else {"member_id": member}
    said = front.call("set_restriction_of_me" if "me" in who else "set_restriction", body, **who)
    assert said.status == 200, said.body
    return said.body


def test_she_leaves_every_segment_and_comes_back_with_the_lifting(front: Front) -> None:
    member = front.register()
    assert set(state_of(front, member).segments) == {"everybody@1"}
    assert restrict(front, member, herself=True)["restricted"] is True
    restricted = state_of(front, member)
    assert (restricted.segments, restricted.is_considered, restricted.may_profile) == ({}, False, False)
    assert load_members(front.house.scope(), [member]) == {}
    front.house.now += 40 * 86_400_000
    assert state_of(front, member).segments == {}
    assert restrict(front, member, LIFT, herself=True) == {"member_id": member, "restricted": False}
    assert set(state_of(front, member).segments) == {"everybody@1"}
    assert list(load_members(front.house.scope(), [member])) == [member]


def test_her_points_go_on_at_the_till_which_sees_it(front: Front) -> None:
    member = front.register(identifiers=[{"kind": "card", "value": "4711"}])
    restrict(front, member)
    record(front.house.scope(), sale(member, at=front.house.now, lines=(("burger", 900),)))
    said = front.call("identify_member", {"kind": "card", "value": "4711"}).body
    assert (said["balance"], said["restricted"]) == (9, True)
    assert front.call("get_member", member_id=member).body["restricted"] is True
    profile = front.call("get_profile", member_id=member).body
    assert (profile["purchases"], "habits" in profile) == (1, False)
    restrict(front, member, LIFT)
    assert "restricted" not in front.call("identify_member", {"kind": "card", "value": "4711"}).body
    assert "habits" in front.call("get_profile", member_id=member).body


def test_no_campaign_reaches_her_and_no_offer_is_chosen(front: Front) -> None:
    post, house = Post.of(front.house), front.house
    post.messaging(email={"from_address": "news@example.com"})
    member = house.join(consents={"marketing:email": CONSENT}, known=("email",))
    post.list_all([member], {"email": "anna@example.com"})
    post.campaign("letter", LETTER)
    restrict(front, member)
    sender = FakeSender()
    means = Means(only(sender), post.sending, KEYS)
    sent = [send(house.scope(), order_of(post.order("letter", "tell", [member], "1")), means)]
    request = NextOfferRequest.model_validate({"next_best": {"among": [{"offer": "fries", "margin": 1}]}})
    with pytest.raises(MemberRestricted):
        next_offer(house.scope(), member, request, "k1")
    assert sender.taken == []
    restrict(front, member, LIFT)
    sent.append(send(house.scope(), order_of(post.order("letter", "tell", [member], "1")), means))
    assert (sent[1], len(sender.taken)) == ({"sent": 1}, 1), "nothing of the first try is in the way of the second"


def test_each_step_leaves_a_record_and_saying_it_again_none(front: Front) -> None:
    member = front.register()
    restrict(front, member, herself=True)
    before = StateRepository(front.house.tenant, front.house.table).load(member).state.version
    restrict(front, member, herself=True)
    assert StateRepository(front.house.tenant, front.house.table).load(member).state.version == before
    front.house.now += 1000
    restrict(front, member, {"restricted": True, "reason": "legal_claims"})
    front.house.now += 1000
    restrict(front, member, LIFT)
    scope = front.house.scope()
    records = MemberRepository(scope.tenant, scope.table).consents(member, scope.cipher(member))
    kept = [(each["purpose"], each["channel"], each["granted"], each["source"]) for each in records if each["purpose"] == "restriction"]
    assert kept == [
        ("restriction", "accuracy_contested", True, "app"),
        ("restriction", "legal_claims", True, "tenant"),
        ("restriction", "legal_claims", False, "tenant"),
    ]
    assert collect(scope, member)["sections"]["restriction"]["data"] is None
    restrict(front, member)
    assert collect(front.house.scope(), member)["sections"]["restriction"]["data"]["reason"] == "accuracy_contested"


@pytest.mark.parametrize(
    "body", [{"restricted": True}, {"restricted": False, "reason": "unlawful"}, {"restricted": True, "reason": "because"}]
)
def test_a_restriction_has_one_of_the_laws_reasons(front: Front, body: dict[str, Any]) -> None:
    assert front.call("set_restriction", body, member_id=front.register()).status in (400, 422)
