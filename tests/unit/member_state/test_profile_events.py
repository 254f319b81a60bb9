"""What the fold makes of custom events, campaign touches, objections and lists; and what sales from before do to a profile of today."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coupons.issuing import campaign_of
from shared.coupons.personal import Favourite, Number, resolve
from shared.kernel.errors import InvalidValue
from shared.kernel.ids import natural_id
from shared.kernel.instants import DAY, HOUR, MINUTE, NEVER, Instant, local_day
from shared.member_state.effects import Effects
from shared.member_state.events import CouponChanged, CouponIssued, ListsChanged, ProfilingChanged, Responded, Reversed, Touched
from shared.member_state.model import MAX_LISTS, HeldCoupon, MemberState
from shared.member_state.rules import apply
from shared.member_state.view import Views
from shared.profile.model import MAX_EVENT_TYPES, MAX_EVENT_VALUES, EventTrack, Profile, Visit
from shared.profile.rules import add_visit, all_cells
from shared.tenants.model import EventSettings
from shared.transactions.repository import _visit_of, _visit_row
from tests.builders.house import NOW
from tests.builders.views import ZONE, views
from tests.unit.member_state.stories import joined
from tests.unit.transactions.shop import POINTS, Shop, receipt

SPINS = {"spin": EventSettings(value="score", by="wheel")}


def declared(**events: EventSettings) -> Views:
    plain = views()(0)
    return lambda _at: replace(plain, events=events or SPINS)


def spin(at: Instant, **properties: Any) -> Responded:
    return Responded(at, "event.spin", properties=properties)


def test_a_declared_event_counts_in_its_own_local_day() -> None:
    state, live = joined(views(), NOW), declared()
    apply(state, spin(NOW, score=7, wheel="red"), live)
    apply(state, spin(NOW + MINUTE, score=5, wheel="blue"), live)
    apply(state, spin(NOW - 3 * DAY, score=True, wheel=4), live)
    today = local_day(NOW, ZONE)
    assert state.profile.cells[today].by == {"e:spin": [2, 12, 0], "e:spin:red": [1, 7, 0], "e:spin:blue": [1, 5, 0]}
    assert state.profile.cells[today - 3].by == {"e:spin": [1, 0, 0]}
    assert state.profile.events == {"spin": EventTrack(3, NOW - 3 * DAY, NOW + MINUTE)}
    assert (state.profile.count, state.profile.cells[today].count) == (0, 0)


def test_what_is_not_declared_is_told_and_not_counted() -> None:
    state, effects = joined(views(), NOW), Effects()
    for type_ in ("event.other", "message.opened", "spin"):
        apply(state, Responded(NOW, type_, properties={"score": 1}), declared(), effects=effects)
    assert (state.profile.cells, state.profile.events) == ({}, {})
    assert [event.type for event in effects.events] == ["event.other", "message.opened", "spin"]


def test_the_values_of_an_event_are_bounded_and_their_sum_is_exact() -> None:
    state, live = joined(views(), NOW), declared()
    for number in range(MAX_EVENT_VALUES + 9):
        apply(state, spin(NOW - number % 4 * DAY, score=1, wheel=f"w{number}"), live)
    apply(state, spin(NOW, score=1, wheel="w0"), live)
    apply(state, spin(NOW, score=1, wheel="x" * 65), live)
    cells = [cell for _, cell in all_cells(state.profile)]
    parts = {key for cell in cells for key in cell.by if key.startswith("e:spin:")}
    assert len(parts) == MAX_EVENT_VALUES + 1
    assert sum(cell.by["e:spin"][0] for cell in cells) == MAX_EVENT_VALUES + 11
    assert sum(row[0] for cell in cells for key, row in cell.by.items() if key in parts) == MAX_EVENT_VALUES + 11
    assert sum(cell.by.get("e:spin:w0", [0])[0] for cell in cells) == 2


def test_types_of_events_are_bounded() -> None:
    state, names = joined(views(), NOW), [f"n{number:02d}" for number in range(MAX_EVENT_TYPES + 1)]
    live = declared(**{name: EventSettings() for name in names})
    for number, name in enumerate(names):
        apply(state, Responded(NOW + number, f"event.{name}"), live)
    assert sorted(state.profile.events) == names[1:]


def test_a_void_of_the_only_purchase_leaves_the_days_events() -> None:
    state, live = joined(views(), NOW), declared()
    visit = Visit(NOW, 500, 1000, {"l:mitte": 500, "h:app": 500, "o:11": 500})
    add_visit(state.profile, visit, ZONE)
    apply(state, spin(NOW), live)
    add_visit(state.profile, visit, ZONE, -1, recompute=True)
    (cell,) = state.profile.cells.values()
    assert cell.by == {"e:spin": [1, 0, 0]}
    assert (state.profile.first_at, state.profile.last_at, state.profile.last_location, state.profile.last_channel) == (None, None, "", "")


def place(ago: int, location: str, channel: str = "pos", hour: int = 0) -> Visit:
    return Visit(NOW - ago * DAY + hour * HOUR, 100, 1000, {f"l:{location}": 100, f"h:{channel}": 100})


def test_the_last_place_is_that_of_the_newest_purchase_however_late_others_come() -> None:
    profile = Profile()
    for visit in (place(3, "a"), place(1, "b", "app"), place(2, "c")):
        add_visit(profile, visit, ZONE)
    assert (profile.last_location, profile.last_channel) == ("b", "app")
    add_visit(profile, place(1, "b", "app"), ZONE, -1)
    assert profile.last_location == "b", "a return: she was there"


@pytest.mark.parametrize(
    ("others", "expected"),
    [([place(2, "a"), place(4, "b")], ("a", "pos")), ([place(2, "a"), place(2, "b", "pos", 1)], ("", "pos")), ([], ("", ""))],
)
def test_after_a_void_the_last_place_is_that_of_the_last_day_left_if_it_had_one(others: list[Visit], expected: tuple[str, str]) -> None:
    profile = Profile()
    for visit in (*others, place(0, "x", "app")):
        add_visit(profile, visit, ZONE)
    add_visit(profile, place(0, "x", "app"), ZONE, -1, recompute=True)
    assert (profile.last_location, profile.last_channel) == expected


def test_a_campaigns_coupon_redeemed_is_the_answer_to_its_newest_touch() -> None:
    state, live = joined(views(), NOW), views()
    for at, campaign, held in ((1, "spring", False), (2, "spring", False), (3, "spring", True), (4, "other", False)):
        apply(state, Touched(NOW + at, campaign, "hello", "push", held), live)
    apply(state, CouponIssued(NOW + 5, "cpn_1", "fries", NOW, NEVER, "campaign:spring"), live)
    apply(state, CouponIssued(NOW + 5, "cpn_2", "cake", NOW, NEVER, "gift"), live)
    assert [state.coupons[id_].campaign for id_ in ("cpn_1", "cpn_2")] == ["spring", ""]
    for id_ in ("cpn_1", "cpn_2"):
        apply(state, CouponChanged(NOW + 9, id_, "redeemed"), live)
    assert [(each.at - NOW, each.redeemed_at) for each in state.touches] == [(4, None), (3, None), (2, NOW + 9), (1, None)]
    again = {"cpn_1": HeldCoupon("fries", "active", NOW, NEVER, campaign="spring")}
    apply(state, Reversed(NOW + 20, "txn_1", "void", Visit(NOW + 9, 0, 0, {}), reissued=again), live)
    assert all(each.redeemed_at is None for each in state.touches)


def test_who_is_held_out_gets_no_answer_and_another_event() -> None:
    state, effects = joined(views(), NOW), Effects()
    apply(state, Touched(NOW, "spring", "hello", "push", held=True), views(), effects=effects)
    apply(state, Responded(NOW, "message.clicked", "spring", "hello"), views())
    (touch,) = state.touches
    assert (touch.held, touch.opened_at, touch.clicked_at) == (True, None, None)
    assert [event.type for event in effects.events] == ["message.held_out"]


def test_the_campaign_of_a_coupon_is_read_from_what_it_is_issued_by() -> None:
    delivery = natural_id("dlv", ("spring", "hello", "1", "push"))
    issued_by = [delivery, "form:spring", None, "demo-aaaa", "dlv_!"]
    assert [campaign_of(each) for each in issued_by] == ["spring", "spring", "", "", ""]


def test_an_objection_is_told_and_what_is_personal_falls_back() -> None:
    state, effects = joined(views(), NOW), Effects()
    add_visit(state.profile, Visit(NOW, 1000, 1000, {"c:mains": 1000}), ZONE)
    number = {"days": 90, "at_least": 0, "at_most": 5000, "otherwise": 77}
    personal = {
        "minimum_basket": Number.model_validate({"of": "average_basket", **number}),
        "effect.points": Number.model_validate({"of": "points", **number, "days": None}),
        "scope.categories": Favourite.model_validate({"favourite": "category", "days": 90, "otherwise": "sides"}),
    }
    before = dict(resolve(personal, state, NOW, ZONE))
    apply(state, ProfilingChanged(NOW, False), views(), effects=effects)
    after = dict(resolve(personal, state, NOW, ZONE))
    assert before == {"minimum_basket": 1000, "effect.points": 0, "scope.categories": "mains"}
    assert after == {"minimum_basket": 77, "effect.points": 0, "scope.categories": "sides"}
    assert [(event.type, event.data) for event in effects.events] == [("member.profiling_changed", {"allowed": False})]


def test_lists_keep_since_when_and_are_bounded() -> None:
    state = joined(views(), NOW)
    apply(state, ListsChanged(NOW, ("a", "b"), ()), views())
    apply(state, ListsChanged(NOW + 5, ("a", "c"), ("b", "never")), views())
    assert state.lists == {"a": NOW, "c": NOW + 5}
    with pytest.raises(InvalidValue):
        apply(state, ListsChanged(NOW + 6, tuple(f"l{number}" for number in range(MAX_LISTS)), ()), views())


LINES = [["burger", 900], ["fries", 350, "2"], ["salad", 700]]


def test_a_sale_books_items_hours_and_units() -> None:
    shop = Shop({"points": POINTS})
    state = shop.join(at=NOW - DAY)
    sale = shop.sell(state, receipt(NOW, LINES), NOW)
    assert sale is not None
    (cell,) = state.profile.cells.values()
    assert {key: row for key, row in cell.by.items() if key[0] in "iot"} == {
        "i:burger": [1, 900, 1000],
        "i:fries": [1, 700, 2000],
        "i:salad": [1, 700, 1000],
        "o:11": [1, 2300, 4000],
        "t:vegetarian": [1, 1400, 3000],
    }
    assert _visit_of(_visit_row(sale.visit)) == sale.visit
    left = shop.reverse(state, sale, {"2": "1"}).sale
    assert cell_of(state).by["i:fries"] == [1, 350, 1000]
    shop.reverse(state, left)
    assert state.profile.cells == {}


def cell_of(state: MemberState) -> Any:
    (cell,) = state.profile.cells.values()
    return cell


@given(st.lists(st.sampled_from(["1", "2", "3"]), max_size=3, unique=True))
def test_a_sale_recorded_before_items_were_kept_takes_out_what_it_booked(parts: list[str]) -> None:
    """Its record has no units and no such names, and its cell, read from the old format, has neither."""
    shop = Shop({"points": POINTS})
    state = shop.join(at=NOW - DAY)
    sale = shop.sell(state, receipt(NOW, LINES), NOW)
    assert sale is not None
    old_names = {key: value for key, value in sale.visit.by.items() if key[0] not in "io"}
    old = _visit_of([sale.visit.at, sale.visit.value, sale.visit.quantity, old_names])
    sale = replace(sale, visit=old, counts_units=False)
    cell = cell_of(state)
    cell.by = {key: [count, value, 0] for key, (count, value, _) in cell.by.items() if key[0] not in "io"}
    for part in parts:
        done = shop.reverse(state, sale, {part: None})
        sale = replace(done.sale, visit=old, counts_units=False)
        assert all(row[2] == 0 for each in state.profile.cells.values() for row in each.by.values())
    if len(parts) < 3:
        shop.reverse(state, sale, void=True)
    assert state.profile.cells == {}
