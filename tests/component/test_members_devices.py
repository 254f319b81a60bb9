"""Devices: one owner at a time, harmless to repeat, and no token in our table."""

from __future__ import annotations

from typing import Any

import pytest

from shared.aws.push import PushUnavailable
from shared.kernel.instants import DAY
from shared.member_state.model import MAX_DEVICES
from tests.builders.front import Front, settings_with_everything
from tests.builders.house import House

PHONE = {"platform": "apns", "token": "token-of-a-phone"}


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    bare_house.create(settings_with_everything())
    return Front(bare_house, monkeypatch)


def test_a_device_is_registered_and_its_token_is_stored_nowhere(front: Front) -> None:
    member = front.register()
    said = front.call("add_device", PHONE, member_id=member)
    assert said.status == 201
    device = said.body["device_id"]
    assert said.body == {"device_id": device, "platform": "apns", "registered_at": "2026-11-21T10:00:00Z"}
    assert front.house.state(member).devices == [device]
    (row,) = front.rows("DEVICE#")
    assert row["endpoint"]["S"] == front.push.endpoints[PHONE["token"]]
    assert PHONE["token"] not in str(front.rows())


def test_an_app_may_register_at_every_start(front: Front) -> None:
    member = front.register()
    first = front.call("add_device", PHONE, member_id=member)
    version = front.house.state(member).version
    front.house.now += DAY
    assert front.call("add_device_of_me", PHONE, me=member).body == first.body
    assert front.house.state(member).version == version
    front.house.now += 30 * DAY
    assert front.call("add_device", PHONE, member_id=member).body["registered_at"] == "2026-12-22T10:00:00Z"


def test_a_device_follows_who_signs_in_on_it(front: Front) -> None:
    first, second = front.register(), front.register()
    device = front.call("add_device", PHONE, member_id=first).body["device_id"]
    assert front.call("add_device", PHONE, member_id=second).body["device_id"] == device
    assert (front.house.state(first).devices, front.house.state(second).devices) == ([], [device])
    assert [row["PK"]["S"].rpartition("#")[2] for row in front.rows("DEVICE#")] == [second]
    assert front.call("remove_device", member_id=first, device_id=device).status == 404


def test_removing_forgets_the_device_and_its_endpoint(front: Front) -> None:
    member = front.register()
    device = front.call("add_device", PHONE, member_id=member).body["device_id"]
    said = front.call("remove_device_of_me", me=member, device_id=device)
    assert (said.status, said.body) == (204, None)
    assert front.house.state(member).devices == []
    assert front.push.removed == [front.push.endpoints[PHONE["token"]]]
    assert front.rows("DEVICE#") == []
    again = front.call("remove_device", member_id=member, device_id=device)
    assert (again.status, again.body["code"]) == (404, "unknown_device")


def test_an_endpoint_that_cannot_be_deleted_does_not_keep_the_device(front: Front) -> None:
    member = front.register()
    device = front.call("add_device", PHONE, member_id=member).body["device_id"]
    front.push.broken = PushUnavailable()
    assert front.call("remove_device", member_id=member, device_id=device).status == 204
    assert front.house.state(member).devices == []


def test_the_eleventh_device_replaces_the_first(front: Front) -> None:
    member = front.register()
    bodies = [{"platform": "gcm", "token": f"token-{number:03d}"} for number in range(MAX_DEVICES + 1)]
    made = [front.call("add_device", body, member_id=member).body["device_id"] for body in bodies]
    assert front.house.state(member).devices == made[1:]
    assert {row["SK"]["S"].removeprefix("DEVICE#") for row in front.rows("DEVICE#")} == set(made[1:])


def test_two_who_sign_in_at_once_on_one_device_do_not_share_it(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = front.register(), front.register()
    transact, raced = front.house.table.transact, []

    def racing(batch: Any, token: str) -> None:
        if not raced:
            raced.append(token)
            assert front.call("add_device", PHONE, member_id=second).status == 201
        transact(batch, token)

    monkeypatch.setattr(front.house.table, "transact", racing)
    said = front.call("add_device", PHONE, member_id=first)
    assert (said.status, said.body["code"]) == (409, "concurrent_update")
    assert front.house.state(first).devices == []
    assert front.call("add_device", PHONE, member_id=first).status == 201
    assert len(front.house.state(first).devices) == 1
    assert front.house.state(second).devices == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"platform": "apns_sandbox", "token": "token-of-a-phone"}, 422, "channel_not_configured"),
        ({"platform": "apns", "token": "not-a-token"}, 422, "invalid_device_token"),
        ({"platform": "fax", "token": "token-of-a-phone"}, 422, "invalid_request"),
        ({"platform": "apns", "token": "with space in it"}, 422, "invalid_request"),
        ({"platform": "apns"}, 422, "invalid_request"),
        ("{", 400, "malformed_request"),
    ],
)
def test_what_is_no_device_changes_nothing(front: Front, body: Any, status: int, code: str) -> None:
    member = front.register()
    said = front.call("add_device", body, member_id=member)
    assert (said.status, said.body["code"]) == (status, code)
    assert front.house.state(member).version == 1


@pytest.mark.parametrize("device", ["x", "dev_", "dev_#STATE", "dev_0000000000000000000000", "..", "dev_" + "a" * 500])
def test_a_device_that_is_none_of_hers_is_unknown(front: Front, device: str) -> None:
    said = front.call("remove_device", member_id=front.register(), device_id=device)
    assert (said.status, said.body["code"]) == (404, "unknown_device")


def test_a_push_service_that_is_down_answers_503_and_registers_nothing(front: Front) -> None:
    member = front.register()
    front.push.broken = PushUnavailable()
    said = front.call("add_device", PHONE, member_id=member)
    assert (said.status, said.body["code"]) == (503, "push_unavailable")
    assert front.house.state(member).devices == []
