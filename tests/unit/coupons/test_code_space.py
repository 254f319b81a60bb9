"""Codes of a pool: never twice, made again the same, read back with their check character, and refused where guessing pays."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coupons.code_space import ALPHABET, BadPattern, CodeSpace, check_character
from shared.kernel.errors import InvalidValue

KEY = bytes(range(32))
ISO = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"


def made(space: CodeSpace, stop: int, start: int = 0, key: bytes = KEY) -> list[str]:
    return list(space.codes(key, start, stop))


@pytest.mark.parametrize(
    ("alphabet", "check", "pattern"),
    [(DIGITS, False, "X-###"), (DIGITS, True, "##-##"), ("ABCDEFGH", False, "#0#1"), ("ABCDEFGH", True, "#####-0")],
)
def test_a_whole_space_is_said_once_each(alphabet: str, check: bool, pattern: str) -> None:
    space = CodeSpace(pattern, alphabet, check)
    codes = made(space, space.size)
    assert len(set(codes)) == len(codes) == len(alphabet) ** (pattern.count("#") - check)
    assert all(space.fits(code) for code in codes)


def test_a_part_made_alone_is_that_part_of_the_whole() -> None:
    space = CodeSpace("SUMMER-####-####")
    assert made(space, 300, 200) == made(space, 300)[200:]


def test_another_key_makes_other_codes() -> None:
    space = CodeSpace("SUMMER-####-####")
    assert not set(made(space, 500)) & set(made(space, 500, key=bytes(32)))


def test_neighbours_have_nothing_in_common() -> None:
    """Of two codes in a row each place is equal by chance only, once in thirty: a hundred neighbours agree in far less than a fifth."""
    codes = made(CodeSpace("########", check=False), 101)
    equal = sum(a == b for one, other in pairwise(codes) for a, b in zip(one, other, strict=True))
    assert equal < 800 / 5


def test_the_pattern_is_kept_as_written() -> None:
    code = made(CodeSpace("A-##-7##"), 1)[0]
    assert (code[:2], code[4], code[5], len(code)) == ("A-", "-", "7", 8)


@pytest.mark.parametrize(
    ("text", "alphabet", "character"),
    [
        # Published: ISO/IEC 7064 MOD 11,10 in the standard's example and as the German tax id carries it; MOD 37,36 as the GRid's.
        ("0794", DIGITS, "5"),
        ("8609574271", DIGITS, "9"),
        ("4703689281", DIGITS, "6"),
        ("6592997048", DIGITS, "9"),
        ("A12425GABC1234002", ISO, "M"),
    ],
)
def test_check_characters_are_those_of_the_standard(text: str, alphabet: str, character: str) -> None:
    assert check_character(text, alphabet) == character


@given(st.text(ALPHABET, min_size=1, max_size=20), st.data())
def test_one_wrong_character_is_always_found(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(st.sampled_from(sorted(set(ALPHABET) - {text[place]})))
    assert check_character(text) != check_character(text[:place] + wrong + text[place + 1 :])


@pytest.mark.parametrize("code", ["", "SUMMER-2345", "summer-2222-2222", "SUMMER-2222+2222", "SUMMER-0000-0000", "WINTER-2222-2222"])
def test_what_the_pattern_cannot_say_does_not_fit(code: str) -> None:
    assert not CodeSpace("SUMMER-####-####").fits(code)


@pytest.mark.parametrize(
    ("pattern", "count", "guesses", "guessable", "one_in", "shortest"),
    [
        # 30**7 = 21.87e9 codes; a million of them and a million guesses need more than 1e12.
        ("SUMMER-####-####", 1_000_000, 1_000_000, True, 21_870, "SUMMER-####-######"),
        ("SUMMER-####-####", 21_869, 1_000_000, False, 1_000_045, "SUMMER-####-####"),
        ("SUMMER-####-####", 21_870, 1_000_000, True, 1_000_000, "SUMMER-####-#####"),
        ("SUMMER-####-######", 1_000_000, 1_000_000, False, 19_683_000, "SUMMER-####-######"),
        ("####-####-####", 1, 1_000_000, False, 30**11, "####-##"),
        ("#####-X", 10, 10, False, 81_000, "###-X"),
    ],
)
def test_the_odds_are_told(pattern: str, count: int, guesses: int, guessable: bool, one_in: int, shortest: str) -> None:
    space = CodeSpace(pattern)
    assert (space.is_guessable(count, guesses), space.one_in(count), space.shortest(count, guesses)) == (guessable, one_in, shortest)


@given(st.integers(1, 10**6), st.integers(1, 10**7), st.integers(3, 20), st.booleans())
def test_the_shortest_pattern_is_good_and_one_less_is_not(count: int, guesses: int, length: int, check: bool) -> None:
    shortest = CodeSpace("X-" + "#" * length, check=check).shortest(count, guesses)
    assert not CodeSpace(shortest, check=check).is_guessable(count, guesses)
    less = shortest[:-1]
    if less.count("#") - check >= 2 and len(less) >= 4:
        assert CodeSpace(less, check=check).is_guessable(count, guesses)


@pytest.mark.parametrize(
    ("pattern", "alphabet"),
    [("###", ALPHABET), ("#" * 65, ALPHABET), ("ABCDEF", ALPHABET), ("AB##", ALPHABET), ("a####", ALPHABET), ("%s####", ALPHABET),
     ("######", "ABCDEFG"), ("######", "AABCDEFG"), ("######", "ABCDEFGHJ"), ("######", "ABCDEFG-"), ("######", "")],
)  # fmt: skip
def test_what_makes_no_codes_is_refused(pattern: str, alphabet: str) -> None:
    with pytest.raises(BadPattern):
        CodeSpace(pattern, alphabet)


def test_no_code_lies_beyond_the_space() -> None:
    space = CodeSpace("X-##", DIGITS, check=False)
    with pytest.raises(InvalidValue):
        made(space, 101)
    with pytest.raises(BadPattern, match="64"):
        CodeSpace("X" * 60 + "####").shortest(10**6)
