from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel import money
from shared.kernel.errors import InvalidValue

amounts = st.integers(-(10**15), 10**15)
denominators = st.one_of(st.integers(1, 20), st.integers(1, 10**9))


def half_up(value: Fraction) -> int:
    magnitude = floor(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


@given(amounts, denominators)
def test_divide_rounds_as_exact_fractions_do(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert money.divide(numerator, denominator, "floor") == floor(exact)
    assert money.divide(numerator, denominator, "half_up") == half_up(exact)
    assert money.divide(numerator, denominator, "half_even") == round(exact)


@given(st.integers(-(10**6), 10**6))
def test_halves(whole: int) -> None:
    numerator = 2 * whole + 1
    assert money.divide(numerator, 2, "half_even") % 2 == 0
    assert abs(money.divide(numerator, 2, "half_up")) == (abs(numerator) + 1) // 2
    assert money.divide(numerator, 2, "floor") == whole


@pytest.mark.parametrize("denominator", [0, -1])
def test_a_denominator_is_above_zero(denominator: int) -> None:
    with pytest.raises(InvalidValue):
        money.divide(1, denominator, "floor")


weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=12)


@given(amounts, weights)
def test_parts_sum_to_the_total(total: int, shares: list[int]) -> None:
    assert sum(money.allocate(total, shares)) == total


@given(amounts, weights.filter(any))
def test_each_part_is_within_one_unit_of_its_exact_share(total: int, shares: list[int]) -> None:
    for part, share in zip(money.allocate(total, shares), shares, strict=True):
        assert abs(part - Fraction(total * share, sum(shares))) < 1
        assert share != 0 or part == 0


@given(amounts, weights)
def test_a_negative_total_is_the_mirror(total: int, shares: list[int]) -> None:
    assert money.allocate(-total, shares) == [-part for part in money.allocate(total, shares)]


@given(amounts, weights.filter(any))
def test_a_larger_weight_never_gets_less(total: int, shares: list[int]) -> None:
    parts = money.allocate(abs(total), shares)
    ordered = sorted(zip(shares, parts, strict=True))
    assert all(low[1] <= high[1] for low, high in pairwise(ordered) if low[0] < high[0])


def test_the_last_cents_go_to_the_largest_remainders_then_to_the_earlier_line() -> None:
    assert money.allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert money.allocate(10, [0, 3, 3, 1]) == [0, 4, 4, 2]
    assert money.allocate(5, [0, 0]) == [5, 0]
    assert money.allocate(5, []) == []


def test_negative_weights_are_refused() -> None:
    with pytest.raises(InvalidValue):
        money.allocate(1, [1, -1])


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1290, "EUR", "12.90 EUR"), (-5, "EUR", "-0.05 EUR"), (1290, "JPY", "1290 JPY"), (1, "KWD", "0.001 KWD"), (0, "USD", "0.00 USD")],
)
def test_money_as_people_read_it(minor: int, currency: str, text: str) -> None:
    assert money.format_money(minor, currency) == text


@pytest.mark.parametrize("currency", ["", "eur", "XXX", "EURO"])
def test_unknown_currencies_are_refused(currency: str) -> None:
    with pytest.raises(InvalidValue):
        money.currency_exponent(currency)


def test_no_currency_has_two_exponents() -> None:
    groups = (money._NO_MINOR, money._TWO, money._THREE)
    assert len(frozenset().union(*groups)) == sum(map(len, groups))
