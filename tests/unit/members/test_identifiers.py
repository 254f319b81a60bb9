from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.members.identifiers import KINDS, IdentifierKind, InvalidIdentifier, mask, normalise


@pytest.mark.parametrize(
    ("kind", "text", "normalised"),
    [
        ("phone", "+49 1512 3456789", "+4915123456789"),
        ("phone", "+49 (0)1512-3456789", "+4915123456789"),
        ("phone", "tel:+1-201-555-0123", "+12015550123"),
        ("email", "  Anna.Muster@Example.COM ", "anna.muster@example.com"),
        ("email", "ANNA+shop@example.co.uk", "anna+shop@example.co.uk"),
        ("email", "A\u0308nna@BÜCHER.example", "änna@bücher.example"),
        ("card", "2890 1234-5678.ab", "289012345678AB"),
        ("card", "0042", "0042"),
        ("external", "  crm:4711 ", "crm:4711"),
        ("external", "e\u0301", "é"),
        ("apple", "000544.abc123.1321", "000544.abc123.1321"),
        ("google", "110169484474386276334", "110169484474386276334"),
    ],
)
def test_one_spelling_for_each(kind: IdentifierKind, text: str, normalised: str) -> None:
    assert normalise(kind, text) == normalised


def test_a_national_number_needs_a_region() -> None:
    assert normalise("phone", "01512 3456789", "DE") == "+4915123456789"
    assert normalise("phone", "+4915123456789", "US") == "+4915123456789"
    with pytest.raises(InvalidIdentifier):
        normalise("phone", "01512 3456789")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("phone", ""),
        ("phone", "+49"),
        ("phone", "+4915123456789 ext. 5"),
        ("phone", "+999123456789"),
        ("phone", "+" + "1" * 50),
        ("phone", "anna"),
        ("email", "anna"),
        ("email", "@example.com"),
        ("email", "anna@"),
        ("email", "anna@localhost"),
        ("email", "a..b@example.com"),
        ("email", ".a@example.com"),
        ("email", "a@b@example.com"),
        ("email", "a b@example.com"),
        ("email", "a@example..com"),
        ("email", "a@-example.com"),
        ("email", "a\u200b@example.com"),
        ("email", "a@192.168.0.1"),
        ("email", "a" * 65 + "@example.com"),
        ("email", "a@" + "b" * 250 + ".com"),
        ("card", "123"),
        ("card", "1" * 33),
        ("card", "12#4"),
        ("card", "١٢٣٤"),
        ("card", "ß1234"),
        ("external", ""),
        ("external", "   "),
        ("external", "a" * 129),
        ("external", "a\nb"),
        ("external", "a\u200bb"),
        ("apple", ""),
        ("apple", "a b"),
        ("google", "a" * 256),
    ],
)
def test_what_is_no_identifier_is_refused_without_being_repeated(kind: IdentifierKind, text: str) -> None:
    with pytest.raises(InvalidIdentifier) as refused:
        normalise(kind, text, pointer="/identifiers/0/value")
    error = refused.value
    assert (error.status, error.code, error.errors[0].pointer) == (422, "invalid_identifier", "/identifiers/0/value")
    with pytest.raises(InvalidIdentifier) as other:
        normalise(kind, "\0", pointer="/identifiers/0/value")
    assert (error.detail, error.errors) == (other.value.detail, other.value.errors)


@given(st.sampled_from(KINDS), st.text(max_size=60))
def test_any_text_is_taken_or_refused_and_what_is_taken_stays(kind: IdentifierKind, text: str) -> None:
    try:
        normalised = normalise(kind, text)
    except InvalidIdentifier:
        return
    assert normalise(kind, normalised) == normalised
    assert unicodedata.is_normalized("NFC", normalised)


locals_ = st.text(st.sampled_from("abcxyzÄÖé0189+_-"), min_size=1, max_size=20)


@given(locals_, st.sampled_from(["example.com", "bücher.example", "a.b.example.org"]), st.sampled_from(["", " ", "\t"]))
def test_case_and_edges_of_an_address_do_not_matter(local: str, domain: str, edge: str) -> None:
    assume("ß" not in local)
    address = f"{local}@{domain}"
    plain = normalise("email", address)
    assert normalise("email", edge + address.upper() + edge) == plain
    assert normalise("email", unicodedata.normalize("NFD", address)) == plain


@given(st.text("0123456789ABCDEFGHabcdefgh", min_size=4, max_size=32), st.data())
def test_separators_on_a_card_do_not_matter(number: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(number)))
    separator = data.draw(st.sampled_from([" ", "-", ".", " - "]))
    assert normalise("card", number[:at] + separator + number[at:]) == normalise("card", number)


@pytest.mark.parametrize(
    ("kind", "normalised", "masked"),
    [
        ("phone", "+4915123456734", "+49***34"),
        ("email", "anna@example.com", "a***@example.com"),
        ("card", "289012342890", "***2890"),
        ("card", "0042", "***42"),
        ("external", "anna@example.com", "***"),
        ("apple", "000544.abc123.1321", "***"),
    ],
)
def test_masks(kind: IdentifierKind, normalised: str, masked: str) -> None:
    assert mask(kind, normalised) == masked


@given(st.text("0123456789ABCDEFGH", min_size=4, max_size=32))
def test_a_mask_shows_at_most_half_of_a_card(number: str) -> None:
    assert len(mask("card", number)) - 3 <= len(number) / 2
