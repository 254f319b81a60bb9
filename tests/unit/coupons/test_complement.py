"""Personal parameters that are what goes with the item she buys most."""

from __future__ import annotations

import pytest

from shared.coupons.model import OfferBody
from shared.coupons.personal import Complement, asks_what_goes_with, problem, resolve
from shared.kernel.instants import local_day
from shared.member_state.model import MemberState
from shared.profile.model import Cell
from tests.builders.house import NOW

ZONE = "Europe/Berlin"
GOES_WITH = {"coffee": ("croissant", "water", "cake"), "tea": ("scone",)}
OFFER = {
    "name": "Try this", "effect": {"kind": "free_item", "item": "cookie"}, "content": {"en": {"title": "For you"}},
    "personal": {"effect.item": {"complement": "item", "days": 90, "without": ["water"], "otherwise": "cookie"}},
}  # fmt: skip


def member(*bought: tuple[int, str, int], profiled: bool = True) -> MemberState:
    """Who bought items so many days ago, so often."""
    state, today = MemberState("demo", "m", as_of=NOW), local_day(NOW, ZONE)
    state.profiled = profiled
    for back, item, times in bought:
        cell = state.profile.cells.setdefault(today - back, Cell())
        cell.count += times
        cell.by[f"i:{item}"] = [times, 300 * times, 1000 * times]
    return state


@pytest.mark.parametrize(
    ("her", "expected"),
    [
        (member((1, "coffee", 3), (2, "tea", 2)), "croissant"),
        (member((1, "coffee", 3), (2, "croissant", 1)), "cake"),
        (member((1, "coffee", 3), (95, "croissant", 1)), "croissant"),
        (member((1, "coffee", 3), (2, "tea", 4)), "scone"),
        (member((1, "coffee", 9), (2, "croissant", 1), (3, "cake", 1)), "cookie"),
        (member((1, "cola", 3)), "cookie"),
        (member((95, "coffee", 3)), "cookie"),
        (member((1, "~", 9), (1, "tea", 1)), "scone"),
        (member((1, "coffee", 3), profiled=False), "cookie"),
        (member(), "cookie"),
    ],
)
def test_it_is_the_best_that_she_has_not_bought_herself(her: MemberState, expected: str) -> None:
    body = OfferBody.model_validate(OFFER)
    assert resolve(body.personal, her, NOW, ZONE, GOES_WITH) == (("effect.item", expected),)
    assert resolve(body.personal, her, NOW, ZONE) == (("effect.item", "cookie"),)


def test_it_stands_where_an_item_stands_and_nowhere_else() -> None:
    expression = Complement(complement="item", days=30, otherwise="x")
    assert problem("scope.items", expression) is None
    assert problem("effect.item", expression) is None
    assert problem("scope.categories", expression) is not None
    assert problem("effect.amount", expression) is not None


def test_only_offers_that_ask_are_looked_up() -> None:
    assert asks_what_goes_with(OfferBody.model_validate(OFFER).personal)
    plain = OFFER | {"personal": {"scope.categories": {"favourite": "category", "days": 9, "otherwise": "a"}}}
    assert not asks_what_goes_with(OfferBody.model_validate(plain).personal)
