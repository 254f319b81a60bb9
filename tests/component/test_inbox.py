"""The inbox in the app: a message is there once, sealed, newest first, and reading it counts as opening it."""

from __future__ import annotations

import json

import pytest

from shared.kernel.pages import InvalidCursor
from shared.members.inbox import UnknownMessage, list_inbox, read_message
from shared.messaging.inbox import InboxSender, message_id
from shared.messaging.port import Message, Sent, Unreachable
from shared.storage import keys
from tests.builders.house import House

KEY = bytes(range(32))


def message(house: House, member: str, number: int = 1, at: int = 1_000) -> Message:
    origin = {"tenant": house.tenant, "member": member, "delivery": f"dlv_{number}", "campaign": "summer", "step": "tell"}
    return Message(f"Title {number}", "Hello Anna", {"deep_link": "app://x", "step": "tell"}, origin=origin, at=at)


def joined(house: House) -> str:
    member = house.join()
    house.scope().new_cipher(member)
    return member


def sender(house: House) -> InboxSender:
    return InboxSender(lambda _tenant: house.scope())


def rows(house: House, member: str) -> list[dict[str, dict[str, object]]]:
    return house.table.query_all(keys.member(house.tenant, member), begins=keys.INBOX_PREFIX, consistent=True)


def test_handing_over_again_leaves_one_message_and_no_text_is_readable(house: House) -> None:
    member = joined(house)
    first = sender(house).send(member, message(house, member))
    assert first == sender(house).send(member, message(house, member)) == Sent(message_id("dlv_1", 1_000))
    (row,) = rows(house, member)
    assert "Anna" not in json.dumps(row, default=repr)
    assert int(str(row["expires_at"]["N"])) == 1 + 90 * 86_400


def test_it_is_read_newest_first_page_by_page(house: House) -> None:
    member = joined(house)
    for number in range(1, 6):
        sender(house).send(member, message(house, member, number, at=number * 1_000))
    first = list_inbox(house.scope(), member, 2, None, KEY)
    assert [each.title for each in first.data] == ["Title 5", "Title 4"]
    assert (first.data[0].body, first.data[0].deep_link, first.data[0].read_at) == ("Hello Anna", "app://x", None)
    second = list_inbox(house.scope(), member, 2, first.next_cursor, KEY)
    third = list_inbox(house.scope(), member, 2, second.next_cursor, KEY)
    assert [each.title for each in (*second.data, *third.data)] == ["Title 3", "Title 2", "Title 1"]
    assert third.next_cursor is None
    other = joined(house)
    with pytest.raises(InvalidCursor):
        list_inbox(house.scope(), other, 2, first.next_cursor, KEY)
    assert list_inbox(house.scope(), other, 2, None, KEY).data == ()


def test_no_more_than_two_hundred_are_shown(house: House) -> None:
    member = joined(house)
    for number in range(203):
        sender(house).send(member, message(house, member, number, at=number * 1_000))
    shown, cursor = 0, None
    while shown == 0 or cursor is not None:
        page = list_inbox(house.scope(), member, 150, cursor, KEY)
        shown, cursor = shown + len(page.data), page.next_cursor
    assert shown == 200


def test_reading_it_is_told_once(house: House) -> None:
    member = joined(house)
    id_ = message_id("dlv_1", 1_000)
    sender(house).send(member, message(house, member))
    version = house.state(member).version
    answer = read_message(house.scope(), member, id_)
    assert answer.read_at is not None
    told = json.dumps(house.table.get(keys.state(house.tenant, member)), default=repr)
    assert "message.opened" in told
    assert "dlv_1" in told
    sender(house).send(member, message(house, member))
    again = read_message(house.scope(), member, id_)
    assert again.read_at == answer.read_at
    assert house.state(member).version == version + 1
    with pytest.raises(UnknownMessage):
        read_message(house.scope(), member, message_id("dlv_2", 1_000))
    with pytest.raises(UnknownMessage):
        read_message(house.scope(), joined(house), id_)


def test_who_was_erased_has_no_inbox(house: House) -> None:
    member = joined(house)
    house.key_table.delete(keys.member_key(house.tenant, member))
    assert sender(house).send(member, message(house, member)) == Unreachable("erased", dead=True)
