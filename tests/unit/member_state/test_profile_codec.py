"""The codec of states and cells: lossless, compact, and old bytes decode for ever."""

from __future__ import annotations

import base64
import random

from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import HOUR, NEVER, day_start
from shared.member_state.cells_codec import decode_cells, encode_cells
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.model import HeldCoupon, MemberState, Touch
from shared.profile.model import Cell, EventTrack, Profile, Visit
from shared.profile.rules import add_visit, spill
from shared.storage.packing import pack, unpack
from shared.wallet.model import Posting

STATE_2 = (
    "0eHJFX{}~umCJ5}Fc3xmh4oaG4Gsyb{)dICHn<I{6Cy~-qUyi*UfaA<7RlHiX2xe8SS|MQ?Y*dy7fg?&d2()VbdEEljnVNe59@r=tzm1bW?KT;Oi8SPxBX&P"
    ")ir^iI^Vo1rg{p{L>If+Ju6&g(6-so`jG_+jbaH9ZtXVY7^F(8LULuOWM@9UO4k8EFu!o`TFo<ltj2a|Z^Me;u^QUO4T1KiDgm^lOF2wDiDd^-4x#`ED&<~u"
    "xV;b+Wl@?yN=U}=1xSSn#FXR|@+2s#)g&810M$p|hDc7%H~(PBf)az`0$#UFo<b(p{6pQ+qNc^;+ZSPQT#oM1q>2TfUSrmRdPOZW?Q^?#pO|y~@S@`3ZhiRB"
    "BP_Ue(lATMkmaA$1y%Nrv4X~A;u|-z26(s7DwMV@!Ja0h;nX3tLc?5pji0JtX8!K{u{*m+&3DXqXw?*hny<=#y;<d{wrzHC_fP?_@Mr)JSV-s}{?wt~u06hi"
    "+0quz@ta^#<k&;yl>4~CAP!+}x@=CsoUuYMW7F9A1E8Dvjs"
)
"""Bytes that format 2 wrote, base85."""
HISTORY_2 = (
    "0eHJFX{~09j)v>cvC7K_JE6p?4jA%4O{O5#IwqzDI;LR18|zr;80lC7y$=AX4GrD"
)


def test_a_state_of_format_2_decodes() -> None:
    state = decode_state("demo", "mbr_1", unpack(base64.b85decode(STATE_2)))
    assert state.touches == [
        Touch("welcome", "hello", "push", 1790000100000, 1790000200000, 1790000300000),
        Touch("news", "tell", "push", 1790000000500),
    ]
    bought = (Posting("points", "convert", -20, 0, 1800000000000),)
    assert state.coupons["cpn_1"] == HeldCoupon("fries", "held", 1794000000000, NEVER, bought)
    assert (state.profiled, state.lists, state.tags, state.attributes) == (True, {}, ["press"], {"shoe": 42, "vip": True})
    profile = state.profile
    assert (profile.first_at, profile.last_at, profile.count, profile.value) == (1790000000000, 1795251000000, 4, 3150)
    assert (profile.last_location, profile.last_channel, profile.events) == ("", "", {})
    assert profile.cells[20_778] == Cell(
        2,
        1800,
        3000,
        {
            "h:pos": [1, 1250, 0], "h:app": [1, 550, 0], "l:mitte": [2, 1800, 0], "c:mains": [2, 1450, 0], "c:sides": [1, 350, 0],
            "t:vegetarian": [1, 350, 0], "p:points": [2, 17, 0],
        },
    )  # fmt: skip
    assert decode_state("demo", "mbr_1", unpack(pack(encode_state(state)))) == state


def test_a_history_of_format_2_decodes() -> None:
    cells = decode_cells(unpack(base64.b85decode(HISTORY_2)))
    assert cells == {20_500: Cell(1, 450, 500, {"h:pos": [1, 450, 0], "l:nord": [1, 450, 0], "t:~": [2, 90, 0]})}


amount = st.integers(-5, 5) | st.integers(-(10**6), 10**6)
quantity = st.integers(-9, 9).map(lambda pieces: 1000 * pieces) | st.integers(-3000, 3000)
letters = st.sampled_from("lhoctipve")
dimension = st.builds(lambda letter, name: f"{letter}:{name}", letters, st.sampled_from(["a", "b", "c", "~", "x:y"]))
amounts = st.tuples(st.integers(-2, 5), amount, quantity).map(list)
cell = st.builds(Cell, st.integers(-2, 5), amount, quantity, st.dictionaries(dimension, amounts))
histories = st.dictionaries(st.integers(0, 21_000), cell, max_size=12)


@given(histories)
def test_cells_come_back_as_they_were(cells: dict[int, Cell]) -> None:
    assert decode_cells(unpack(pack(encode_cells(cells)))) == cells


instants = st.integers(1, NEVER)
lengths = st.integers(0, 10**9)
tracks = st.builds(lambda count, first, length: EventTrack(count, first, first + length), st.integers(1, 99), instants, lengths)
text = st.text(max_size=5)


@given(
    st.builds(
        Profile,
        cells=histories,
        first_at=st.none() | instants,
        last_at=st.none() | instants,
        count=st.integers(-1, 9),
        value=amount,
        last_location=text,
        last_channel=text,
        events=st.dictionaries(text, tracks, max_size=3),
    ),
    st.booleans(),
    st.dictionaries(text, instants, max_size=3),
    st.lists(
        st.builds(Touch, text, text, text, instants, *[st.none() | instants] * 3, st.booleans()),
        max_size=4,
    ),
    st.dictionaries(text, st.builds(HeldCoupon, text, st.just("active"), instants, instants | st.just(NEVER), campaign=text), max_size=3),
)
def test_what_is_new_in_format_3_comes_back(
    profile: Profile, profiled: bool, lists: dict[str, int], touches: list[Touch], coupons: dict[str, HeldCoupon]
) -> None:
    state = MemberState("demo", "mbr_1", profile=profile, profiled=profiled, lists=lists, touches=touches, coupons=coupons)
    state.coupons["paid"] = HeldCoupon("x", "active", 1, 2, (Posting("points", "convert", -5),), "spring")
    assert decode_state("demo", "mbr_1", unpack(pack(encode_state(state)))) == state


def guest(purchases: int, days: int) -> tuple[MemberState, int]:
    """Three items of two categories a purchase, one of them tagged; and the largest state that she ever had, packed."""
    rng, state, most, today = random.Random(1), MemberState("demo", "mbr_1"), 0, 20_778
    menu = [(f"item-number-{number}", "abcdef"[number % 6], rng.choice([250, 320, 450, 890])) for number in range(40)]
    weights = [1 / (place + 1) for place in range(40)]
    for moment in sorted(rng.randrange(days * 14) for _ in range(purchases)):
        day, hour = today - days + moment // 14, 8 + moment % 14
        picks = dict.fromkeys(rng.choices(menu, weights, k=3))
        by: dict[str, int] = {"p:points": 9, "v:visits": 1}
        units: dict[str, int] = {}
        for place, (item, category, price) in enumerate(picks):
            for key in (f"i:{item}", f"c:{category}", *(["t:vegetarian"] if place == 0 else [])):
                by[key], units[key] = by.get(key, 0) + price, units.get(key, 0) + 1000
        value = sum(price for _, _, price in picks)
        location, channel = rng.choices(["mitte", "nord"], [8, 1])[0], rng.choices(["pos", "app"], [7, 3])[0]
        by |= {f"l:{location}": value, f"h:{channel}": value, f"o:{hour:02d}": value}
        add_visit(state.profile, Visit(day_start(day, "UTC") + hour * HOUR, value, 1000 * len(picks), by, 1, units), "UTC")
        spill(state.profile, day)
        most = max(most, len(pack(encode_state(state))))
    return state, most


def test_the_hot_state_stays_within_two_write_units() -> None:
    for purchases, days in ((10, 90), (130, 390), (1000, 390)):
        state, most = guest(purchases, days)
        assert most <= 2048, (purchases, most)
        assert decode_cells(unpack(pack(encode_cells(state.profile.history)))) == state.profile.history
