from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel import ids
from shared.kernel.errors import InvalidValue

millis = st.integers(0, (1 << 48) - 1)
randomness = st.binary(min_size=10, max_size=10)


def test_a_ulid_of_the_specification() -> None:
    # https://github.com/ulid/spec: 01ARZ3NDEKTSV4RRFFQ69G5FAV is of 2016-07-30T23:54:10.259Z.
    assert ids.ulid_millis("01ARZ3NDEKTSV4RRFFQ69G5FAV") == 1469922850259


def test_the_ends_of_the_range() -> None:
    assert ids.encode_ulid(0, bytes(10)) == "0" * 26
    assert ids.encode_ulid((1 << 48) - 1, b"\xff" * 10) == "7" + "Z" * 25


@given(millis, randomness)
def test_a_ulid_gives_its_instant_back(instant: int, noise: bytes) -> None:
    ulid = ids.encode_ulid(instant, noise)
    assert len(ulid) == 26
    assert ids.ulid_millis(ulid) == instant


@given(millis, randomness, millis, randomness)
def test_ulids_sort_by_time_then_noise(first: int, noise: bytes, second: int, other: bytes) -> None:
    earlier, later = ids.encode_ulid(first, noise), ids.encode_ulid(second, other)
    assert (earlier < later) == ((first, noise) < (second, other))


@pytest.mark.parametrize(("instant", "noise"), [(-1, bytes(10)), (1 << 48, bytes(10)), (0, bytes(9)), (0, bytes(11))])
def test_what_is_no_ulid_is_refused(instant: int, noise: bytes) -> None:
    with pytest.raises(InvalidValue):
        ids.encode_ulid(instant, noise)


@pytest.mark.parametrize(
    "text", ["", "01ARZ3NDEKTSV4RRFFQ69G5FA", "81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAI", "01arz3ndektsv4rrffq69g5fav"]
)
def test_texts_that_are_no_ulid_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        ids.ulid_millis(text)


@given(millis, randomness)
def test_an_id_says_what_it_is(instant: int, noise: bytes) -> None:
    made = ids.new_id("mbr", instant, lambda size: noise[:size])
    assert ids.is_id("mbr", made)
    assert not ids.is_id("txn", made)
    assert not ids.is_id("mbr", made + "0")


@pytest.mark.parametrize("text", ["abc", "Abcd", "a" * 27, "ab#cd", "", "abcd-", "äbcd"])
def test_tenants_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        ids.check_tenant(text)


@pytest.mark.parametrize("text", ["abcd", "a1b2", "z" * 26])
def test_tenants_that_are_taken(text: str) -> None:
    assert ids.check_tenant(text) == text


parts = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5).map(tuple)


@given(parts)
def test_a_natural_id_reads_back(given_parts: tuple[str, ...]) -> None:
    made = ids.natural_id("txn", given_parts)
    if made != "txn_":
        assert ids.natural_parts("txn", made) == given_parts


@given(parts, parts)
def test_different_parts_make_different_ids(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    assert (ids.natural_id("txn", first) == ids.natural_id("txn", second)) == (first == second)


def test_escapes_in_parts_do_not_meet() -> None:
    assert ids.natural_id("txn", ("a|b",)) != ids.natural_id("txn", ("a", "b"))
    assert ids.natural_parts("txn", ids.natural_id("txn", ("%7C", "|", "%25"))) == ("%7C", "|", "%25")


@pytest.mark.parametrize("text", ["", "txn_", "txn", "mbr_YQ", "txn_A", "txn__w"])
def test_texts_that_are_no_natural_id_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        ids.natural_parts("txn", text)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 512))
def test_a_shard_is_within_its_number_and_the_same_everywhere(text: str, shards: int) -> None:
    assert ids.shard_of(text, shards) == zlib.crc32(text.encode("utf-8")) % shards
    assert 0 <= ids.shard_of(text, shards) < shards


def test_a_derived_id_is_the_same_for_the_same_parts_and_has_the_form_of_a_new_one() -> None:
    made = ids.derived_id("cpn", 1469922850259, "mbr_1", "7", "0")
    assert made == ids.derived_id("cpn", 1469922850259, "mbr_1", "7", "0")
    assert ids.is_id("cpn", made)
    assert ids.ulid_millis(made.removeprefix("cpn_")) == 1469922850259


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_derived_ids_of_different_parts_differ(one: list[str], other: list[str]) -> None:
    same = ids.derived_id("cpn", 1, *one) == ids.derived_id("cpn", 1, *other)
    assert same == (one == other)


def test_derived_ids_tell_where_a_part_ends() -> None:
    assert ids.derived_id("cpn", 1, "a", "bc") != ids.derived_id("cpn", 1, "ab", "c")
