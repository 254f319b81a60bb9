from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.privacy import crypto
from shared.privacy.crypto import Undecipherable

keys = st.binary(min_size=32, max_size=32)
nonces = st.binary(min_size=12, max_size=12)
plaintexts = st.binary(max_size=200)
aads = st.binary(max_size=60)


def test_key_wrap_as_rfc_3394_does_it() -> None:
    # RFC 3394, section 4.6: 256 bits of key data with a 256-bit KEK.
    kek = bytes(range(32))
    key = bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
    wrapped = bytes.fromhex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21")
    assert crypto.wrap(kek, key) == wrapped
    assert crypto.unwrap(kek, wrapped) == key


@given(keys, keys, keys)
def test_a_key_unwraps_with_its_own_kek_only(kek: bytes, other: bytes, key: bytes) -> None:
    wrapped = crypto.wrap(kek, key)
    assert len(wrapped) == 40
    assert crypto.unwrap(kek, wrapped) == key
    if kek != other:
        with pytest.raises(Undecipherable):
            crypto.unwrap(other, wrapped)


@given(st.binary(max_size=64))
def test_what_was_never_wrapped_does_not_unwrap(noise: bytes) -> None:
    with pytest.raises(Undecipherable):
        crypto.unwrap(bytes(32), noise)


@given(keys, plaintexts, aads, nonces)
def test_what_is_sealed_opens(key: bytes, plaintext: bytes, aad: bytes, nonce: bytes) -> None:
    sealed = crypto.seal(key, plaintext, aad, nonce)
    assert crypto.open_sealed(key, sealed, aad) == plaintext
    assert len(sealed) == len(plaintext) + 29
    assert sealed[:13] == b"\x01" + nonce


@given(keys, keys, plaintexts, aads, aads, nonces)
def test_another_key_or_place_does_not_open(key: bytes, other: bytes, plaintext: bytes, aad: bytes, elsewhere: bytes, nonce: bytes) -> None:
    sealed = crypto.seal(key, plaintext, aad, nonce)
    if other != key:
        with pytest.raises(Undecipherable):
            crypto.open_sealed(other, sealed, aad)
    if elsewhere != aad:
        with pytest.raises(Undecipherable):
            crypto.open_sealed(key, sealed, elsewhere)


@given(keys, plaintexts, aads, nonces, st.data())
def test_a_flipped_bit_does_not_open(key: bytes, plaintext: bytes, aad: bytes, nonce: bytes, data: st.DataObject) -> None:
    sealed = bytearray(crypto.seal(key, plaintext, aad, nonce))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Undecipherable):
        crypto.open_sealed(key, bytes(sealed), aad)


@given(st.binary(max_size=80))
def test_noise_does_not_open(noise: bytes) -> None:
    with pytest.raises(Undecipherable):
        crypto.open_sealed(bytes(32), noise, b"")


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_keys_of_another_size_are_refused(size: int) -> None:
    with pytest.raises(InvalidValue):
        crypto.seal(bytes(size), b"", b"", bytes(12))
    with pytest.raises(InvalidValue):
        crypto.new_key(lambda _: bytes(size))


def test_a_nonce_has_twelve_bytes() -> None:
    with pytest.raises(InvalidValue):
        crypto.seal(bytes(32), b"", b"", bytes(16))


names = st.text(st.characters(exclude_characters="|", exclude_categories=["Cs"]), max_size=12)


@given(st.tuples(names, names, names), st.tuples(names, names, names))
def test_two_places_never_share_their_aad(first: tuple[str, str, str], second: tuple[str, str, str]) -> None:
    assert (crypto.row_aad(*first) == crypto.row_aad(*second)) == (first == second)


def test_a_place_with_the_separator_is_refused() -> None:
    with pytest.raises(InvalidValue):
        crypto.row_aad("acme1", "mbr_1|identity", "x")


def test_derivation_as_rfc_5869_does_it() -> None:
    # RFC 5869, test case 3: SHA-256, empty salt and info.
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert crypto.derive(b"\x0b" * 22, "", 42).hex() == expected


@given(st.binary(min_size=16, max_size=40), st.text(max_size=10), st.text(max_size=10))
def test_each_purpose_has_its_own_key(secret: bytes, first: str, second: str) -> None:
    assert (crypto.derive(secret, first) == crypto.derive(secret, second)) == (first == second)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(InvalidValue):
        crypto.derive(b"too short", "x")


@given(keys, st.text(max_size=30), st.text(max_size=30))
def test_equal_values_have_equal_indexes(key: bytes, first: str, second: str) -> None:
    assert (crypto.blind_index(key, "email", first) == crypto.blind_index(key, "email", second)) == (first == second)


@given(keys, keys)
def test_an_index_says_which_key_made_it(key: bytes, other: bytes) -> None:
    made = crypto.blind_index(key, "phone", "+4915123456789")
    label, _, tag = made.partition(".")
    assert (label, len(label), len(tag)) == (crypto.key_id(key), 4, 22)
    if key != other:
        assert crypto.blind_index(other, "phone", "+4915123456789").partition(".")[2] != tag


def test_kinds_are_apart() -> None:
    assert crypto.blind_index(bytes(32), "card", "1234") != crypto.blind_index(bytes(32), "external", "1234")
    with pytest.raises(InvalidValue):
        crypto.blind_index(bytes(32), "card\0", "1234")
