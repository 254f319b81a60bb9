"""Messages between planning and sending."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.campaigns.messages import Order, Walk, order_of, walk_of
from shared.kernel.errors import InvalidValue

ORDER = Order("demo", "welcome", 3, "gift", "registered", ("mbr_1", "mbr_2"), expires=5, attempt=2)
WALK = Walk("demo", "news", 4, 2, 1, {"PK": {"S": "T#demo#M#mbr_1"}})


def test_what_is_sent_is_what_comes() -> None:
    assert order_of(json.loads(json.dumps(ORDER.message()))) == ORDER
    assert walk_of(json.loads(json.dumps(WALK.message()))) == WALK
    back = Order("demo", "c", 1, "s", "o", ("m",), rung=2, since=7, outcome="event", data="c2VhbGVk")
    assert order_of(json.loads(json.dumps(back.message()))) == back
    fired = Walk("demo", "news", 0, occurrence="2026-06-01T09:00", version=3, expires=9)
    assert walk_of(json.loads(json.dumps(fired.message()))) == fired
    assert order_of(Order("demo", "c", 1, "s", "o", ("m",)).message()) == Order("demo", "c", 1, "s", "o", ("m",))


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": "Demo!"},
        {"tenant": None},
        {"campaign": ""},
        {"version": "3"},
        {"version": True},
        {"members": []},
        {"members": ["m"] * 101},
        {"members": ["a#b"]},
        {"members": "mbr_1"},
        {"expires": "soon"},
        {"attempt": -1},
        {"rung": "1"},
        {"since": -1},
        {"outcome": 1},
        {"data": b""},
    ],
)
def test_what_is_no_order_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        order_of(ORDER.message() | change)


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": 1},
        {"revision": None},
        {"cursor": {}},
        {"cursor": {"PK": {"N": "1"}}},
        {"segment_version": "1"},
        {"occurrence": 1},
        {"version": "1"},
        {"expires": "x"},
    ],
)
def test_what_is_no_walk_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        walk_of(WALK.message() | change)
