"""Tokens of links: what was sealed opens, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import encode_ulid
from shared.messaging.links import (
    Unsubscribing,
    link_address,
    open_link,
    open_unsubscribe,
    pixel_address,
    seal_link,
    seal_unsubscribe,
    unsubscribe_address,
)
from shared.tenants.links import UnknownLink
from shared.tenants.messaging import CHANNELS

KEY = bytes(range(32))
MEMBER = "mbr_01HZXW4T5R3E8K9M2N6P7Q0S1V"
members = st.builds(lambda millis, tail: f"mbr_{encode_ulid(millis, tail)}", st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
characters = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(members, st.text(max_size=50).filter(str.isascii), st.integers(0, 255))
def test_a_link_is_whose_and_of_what_it_was_sealed_for(member: str, delivery: str, link: int) -> None:
    token = seal_link(KEY, "click", "demo", member, delivery, link)
    assert len(token) == 39
    found = open_link(KEY, "click", "demo", token)
    assert (found.member, found.link) == (member, link)
    assert found.among(["other", delivery, "another"]) == delivery
    assert found.among([]) is None


@given(st.integers(0, 38), characters)
def test_a_changed_link_does_not_open(place: int, instead: str) -> None:
    token = seal_link(KEY, "click", "demo", MEMBER, "dlv_1", 3)
    changed = token[:place] + instead + token[place + 1 :]
    if changed != token:
        with pytest.raises(UnknownLink):
            open_link(KEY, "click", "demo", changed)


def test_a_link_is_good_for_its_tenant_kind_and_key_alone() -> None:
    token = seal_link(KEY, "click", "demo", MEMBER, "dlv_1")
    for key, kind, tenant in ((KEY, "click", "other"), (KEY, "open", "demo"), (KEY[::-1], "click", "demo")):
        with pytest.raises(UnknownLink):
            open_link(key, kind, tenant, token)  # type: ignore[arg-type]


@given(st.text(max_size=300))
def test_any_text_is_refused_as_an_unknown_link(text: str) -> None:
    with pytest.raises(UnknownLink):
        open_link(KEY, "click", "demo", text)
    with pytest.raises(UnknownLink):
        open_unsubscribe(KEY, "demo", text)


@given(members, st.sampled_from(CHANNELS), st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,47}\Z"))
def test_unsubscribing_says_who_and_what(member: str, channel: str, purpose: str) -> None:
    token = seal_unsubscribe(KEY, "demo", member, channel, purpose, "dlv_1")  # type: ignore[arg-type]
    found = open_unsubscribe(KEY, "demo", token)
    assert (found.member, found.channel, found.purpose) == (member, channel, purpose)
    assert found.is_of("dlv_1")
    assert not found.is_of("dlv_2")
    with pytest.raises(UnknownLink):
        open_unsubscribe(KEY, "other", token)
    with pytest.raises(UnknownLink):
        open_unsubscribe(KEY, "demo", token[:-1] + ("A" if token[-1] != "A" else "B"))


def test_what_cannot_be_sealed() -> None:
    for call in (
        lambda: seal_link(KEY, "click", "demo", "mbr_1", "d"),
        lambda: seal_link(KEY, "click", "demo", MEMBER, "d", 256),
        lambda: seal_unsubscribe(KEY, "demo", MEMBER, "email", "Not A Name", "d"),
    ):
        with pytest.raises(InvalidValue):
            call()


def test_links_that_were_sent_open_for_ever() -> None:
    sent = "AY_7wmi4G5E00FU1j3BkOwJ_mpTgbWFya2V0aW5nhUe-nzKV3orb6LVUbsyQhQ"
    said = open_unsubscribe(KEY, "demo", sent)
    assert said == Unsubscribing(MEMBER, "email", "marketing", said.delivery)
    assert said.is_of("dlv_1")
    found = open_link(KEY, "click", "demo", "AY_7wmi4G5E00FU1j3BkO3-alOADjRtOKjtLUL4")
    assert (found.member, found.link, found.is_of("dlv_1")) == (MEMBER, 3, True)


def test_addresses() -> None:
    assert link_address("https://api.example", "demo", "t") == "https://api.example/l/demo/t"
    assert pixel_address("https://api.example", "demo", "t") == "https://api.example/o/demo/t.gif"
    assert unsubscribe_address("https://api.example", "demo", "t") == "https://api.example/u/demo/t"
