"""Money as integers of minor units, and the roundings that have a name. No float and no Decimal anywhere.

Exponents: ISO 4217 (https://www.six-group.com/en/products-services/financial-information/data-standards.html).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final, Literal

from shared.kernel.errors import InvalidValue

Rounding = Literal["floor", "half_up", "half_even"]

_NO_MINOR: Final = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())
_THREE: Final = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
_TWO: Final = frozenset(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC"
    " CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD"
    " KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO"
    " NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL"
    " THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG".split()
)


def currency_exponent(currency: str) -> int:
    """Digits behind the point: 2 for EUR, 0 for JPY, 3 for KWD. ``InvalidValue`` for an unknown code."""
    if currency in _TWO:
        return 2
    if currency in _NO_MINOR:
        return 0
    if currency in _THREE:
        return 3
    raise InvalidValue(f"unknown currency {currency!r}")


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """``numerator / denominator`` rounded as named; ``denominator`` > 0.

    ``floor`` rounds towards minus infinity, ``half_up`` rounds halves away from zero, ``half_even`` to the even
    neighbour (banker's rounding).
    """
    if denominator <= 0:
        raise InvalidValue("the denominator must be above zero")
    quotient, remainder = divmod(numerator, denominator)
    if rounding == "floor" or remainder == 0:
        return quotient
    twice = 2 * remainder
    if twice > denominator:
        return quotient + 1
    if twice < denominator:
        return quotient
    if rounding == "half_even":
        return quotient + (quotient & 1)
    return quotient + 1 if numerator >= 0 else quotient


def allocate(total: int, weights: list[int]) -> list[int]:
    """``total`` over ``weights`` in proportion, to the last unit: largest remainders first, then the earlier line.

    Zero weights get nothing unless all are zero, where everything goes to the first. The parts sum to ``total``.
    """
    if not weights:
        return []
    if any(weight < 0 for weight in weights):
        raise InvalidValue("weights must not be negative")
    whole = sum(weights)
    if whole == 0:
        return [total] + [0] * (len(weights) - 1)
    sign = -1 if total < 0 else 1
    parts = [abs(total) * weight // whole for weight in weights]
    missing = abs(total) - sum(parts)
    order = sorted(range(len(weights)), key=lambda i: (-(abs(total) * weights[i] % whole), i))
    for index in order[:missing]:
        parts[index] += 1
    return [sign * part for part in parts]


def allocate_by_group(total: int, weights: list[int], groups: Sequence[Hashable]) -> list[int]:
    """``total`` over groups in proportion to their weights, then over the weights of each group; both as ``allocate``.

    The part of each group is within one unit of its exact share, however many lines it has, and none is more than its weight while
    ``total`` is not more than all of them. One group: the same as ``allocate``.
    """
    if len(set(groups)) <= 1:
        return allocate(total, weights)
    places: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    shares = allocate(total, [sum(weights[place] for place in members) for members in places.values()])
    parts = [0] * len(weights)
    for share, members in zip(shares, places.values(), strict=True):
        for place, part in zip(members, allocate(share, [weights[place] for place in members]), strict=True):
            parts[place] = part
    return parts


def format_money(minor: int, currency: str) -> str:
    """``12.90 EUR``: for people, never parsed again."""
    exponent = currency_exponent(currency)
    sign, digits = ("-" if minor < 0 else ""), str(abs(minor)).rjust(exponent + 1, "0")
    number = digits if exponent == 0 else f"{digits[:-exponent]}.{digits[-exponent:]}"
    return f"{sign}{number} {currency}"
