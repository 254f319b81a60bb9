"""A suspended tenant: nothing is planned, woken or sent for it, wherever it was under way, and it goes on when it is active again.

The API of a suspended tenant: tests/component/test_authorizer.py; sessions and codes: test_sessions.py, test_one_time_codes.py.
"""

from __future__ import annotations

import pytest

from shared.campaigns import service
from shared.kernel.instants import DAY, HOUR, format_rfc3339
from shared.segments import ticks
from shared.storage import keys
from shared.storage.items import SettingsItem
from shared.storage.packing import pack
from shared.tenants.model import TenantSettings
from tests.builders.campaigns import NEWS, PUSH_SETTINGS, WELCOME, Post
from tests.builders.front import Front, settings_with_everything
from tests.builders.house import House
from tests.fakes.queue import FakeQueue


@pytest.fixture
def post(house: House) -> Post:
    return Post.of(house)


def put(house: House, settings: TenantSettings) -> None:
    house.table.put(SettingsItem.at(keys.settings("demo"), version=1, body=pack(settings.model_dump(mode="json"))))
    house.cache.forget("demo")


def suspend(house: House) -> None:
    put(house, PUSH_SETTINGS.model_copy(update={"status": "suspended"}))


def resume(house: House) -> None:
    put(house, PUSH_SETTINGS)


def test_an_order_that_was_on_its_way_is_not_sent(post: Post) -> None:
    member = post.guest()
    post.campaign("news", NEWS)
    post.list_all([member])
    assert post.mail("news") == 1
    suspend(post.house)
    assert post.deliver_all()["sent"] == 0
    assert post.sender.taken == []


def test_a_walk_that_was_under_way_ends(post: Post) -> None:
    member = post.guest()
    post.campaign("news", NEWS)
    post.list_all([member])
    post.plan(post.envelope(keys.campaign("demo", "news")))
    assert post.planning.messages
    suspend(post.house)
    assert post.walk() == 0
    assert post.sending.messages == []


def test_what_happens_triggers_nothing(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    _, told = post.registered()
    suspend(post.house)
    assert post.plan(told) == 0
    resume(post.house)
    assert post.plan(told) == 1


def test_nobody_is_woken_and_whoever_is_due_stays_due(post: Post) -> None:
    house = post.house
    house.publish("segment", "recent", {"name": "R", "rule": {"kind": "purchases", "metric": "count", "days": 2, "op": "ge", "value": 1}})
    member = post.guest()
    post.purchase(member)
    house.now += 10 * DAY
    suspend(house)
    assert ticks.sweep_tenant(house.scope(), 0, None, FakeQueue(), FakeQueue()) == 0
    resume(house)
    assert ticks.sweep_tenant(house.scope(), 0, None, FakeQueue(), FakeQueue()) == 1


def test_a_campaign_that_falls_due_waits(post: Post) -> None:
    post.campaign("news", NEWS | {"trigger": {"kind": "once", "at": format_rfc3339(post.house.now + HOUR)}})
    post.house.now += 2 * HOUR
    suspend(post.house)
    assert service.start_due(post.house.scope(), "news") is False
    resume(post.house)
    assert service.start_due(post.house.scope(), "news") is True


@pytest.mark.parametrize("operation", ["get_form", "submit_form"])
def test_its_forms_are_not_there(bare_house: House, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    front = Front(bare_house, monkeypatch)
    bare_house.create(settings_with_everything())
    token = front.invite(front.register(), "city")
    body = {"values": {"city": "Graz"}} if operation == "submit_form" else None
    suspend(bare_house)
    said = front.call(operation, body, token=token)
    assert (said.status, said.body["code"]) == (404, "unknown_link")
    resume(bare_house)
    assert front.call(operation, body, token=token).status == 200
