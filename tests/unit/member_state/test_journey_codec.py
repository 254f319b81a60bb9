"""Where she stands in campaigns, as stored: lossless, at no cost where there is nothing, and bytes from before decode for ever."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import NEVER
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.model import MAX_JOURNEYS, HeldCoupon, Journey, MemberState, Touch
from shared.storage.packing import pack, unpack

STATE_3 = (
    "0eHJFX{}~mRM8H?APoE$o_QE^x{o1?F^X}Kz%r+MF#fxD1sRbvkP>ojujTAc+wk;Wo1O*crAeFO-G004=^u(eXec49$pEsE8)8Zfj7DX6FN15?<Lf*+=FGoJ"
    "0R(clMKX!)UoNZj=ZKjZJ~<>!3G39$)8)9ty9*G267H=Yw}}3BEiP?A05#70NNS{KxoA_u@@$h=v(n`Uz*fPn%zOdRKMof7LZy}jzs3o2QPYZ#hh(N18mWXnWZI-nhUyE_2y2}"
)
"""Bytes that format 3 wrote before it knew of journeys, zones and service messages, base85."""


def test_bytes_from_before_journeys_decode_and_are_written_as_they_were() -> None:
    stored = base64.b85decode(STATE_3)
    state = decode_state("demo", "mbr_1", unpack(stored))
    assert state == MemberState(
        "demo",
        "mbr_1",
        joined_at=1790000000000,
        as_of=1795000000000,
        epoch=7,
        timer=1796000000000,
        touches=[
            Touch("welcome", "hello", "push", 1790000100000, 1790000200000, None, 1790000400000, True),
            Touch("news", "tell", "push", 1790000000500),
        ],
        coupons={"cpn_1": HeldCoupon("fries", "active", 1794000000000, 1799000000000, campaign="welcome")},
        suppressed={"push": "dead_token"},
        tags=["press"],
        lists={"vip": 1790000000000},
        attributes={"shoe": 42},
    )
    assert pack(encode_state(state)) == stored


text = st.text(max_size=5)
instants = st.integers(1, NEVER)
journeys = st.builds(
    Journey, text, st.integers(1, 99), text, text, instants, text, text, st.integers(0, 100), st.integers(0, 4), st.integers(0, NEVER)
)
touches = st.builds(Touch, text, text, text, instants, *[st.none() | instants] * 3, st.booleans(), st.booleans())


@given(st.lists(journeys, max_size=4), text, st.lists(touches, max_size=3))
def test_what_is_new_comes_back(waiting: list[Journey], zone: str, told: list[Touch]) -> None:
    state = MemberState("demo", "mbr_1", zone=zone, journeys=waiting, touches=told)
    assert decode_state("demo", "mbr_1", unpack(pack(encode_state(state)))) == state


def test_an_empty_list_costs_nothing_and_a_full_one_little() -> None:
    plain = MemberState("demo", "mbr_1")
    assert len(encode_state(plain)) == 19
    zoned = MemberState("demo", "mbr_1", zone="Europe/Berlin")
    assert len(pack(encode_state(zoned))) - len(pack(encode_state(plain))) <= 24
    full = MemberState("demo", "mbr_1")
    full.journeys = [
        Journey(f"campaign-{n % 7}", 3, f"member:mbr_01KAJ5QV0000000000000000AA:{100 + 17 * n}:0", "remind", 1790000000000 + 7_654_321 * n,
                "transaction.recorded", "wait", 50, 0, 1789000000000 + 1_234_567 * n)
        for n in range(MAX_JOURNEYS)
    ]  # fmt: skip
    assert len(pack(encode_state(full))) <= 2048
