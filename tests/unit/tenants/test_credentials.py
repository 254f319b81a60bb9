from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.kernel.modes import nth_test_of
from shared.tenants import credentials as keys

live_tenants = st.from_regex(r"\A[a-z0-9]{4,26}\Z").filter(lambda tenant: tenant != "operator")
tenants = live_tenants | st.builds(nth_test_of, live_tenants, st.integers(1, 99))
seeds = st.binary(min_size=4, max_size=16)


def entropy(seed: bytes) -> object:
    return lambda size: hashlib.shake_256(seed + size.to_bytes(2, "big")).digest(size)


@given(tenants, seeds)
def test_a_new_key_is_read_back(tenant: str, seed: bytes) -> None:
    made = keys.new_api_key(tenant, entropy(seed))  # type: ignore[arg-type]
    assert keys.parse_api_key(made.printable) == (tenant, made.key_id, made.secret)
    assert re.fullmatch(rf"{tenant}-[a-z2-7]{{12}}", made.key_id)
    assert re.fullmatch(r"[0-9A-Za-z]{32}", made.secret)


@given(seeds, seeds)
def test_other_randomness_makes_another_key(first: bytes, second: bytes) -> None:
    one, two = (keys.new_api_key("acme", entropy(seed)) for seed in (first, second))  # type: ignore[arg-type]
    assert (one.secret == two.secret) == (first == second)
    assert (one.key_id == two.key_id) == (first == second)


@given(st.text())
def test_any_text_is_a_key_or_none(text: str) -> None:
    assert keys.parse_api_key(text) is None
    assert keys.parse_api_key("lyk_" + text) is None


@given(tenants, seeds, st.text(max_size=3), st.data())
def test_a_changed_key_is_none_or_another(tenant: str, seed: bytes, noise: str, data: st.DataObject) -> None:
    printable = keys.new_api_key(tenant, entropy(seed)).printable  # type: ignore[arg-type]
    at = data.draw(st.integers(0, len(printable) - 1))
    changed = printable[:at] + noise + printable[at + 1 :]
    parsed = keys.parse_api_key(changed)
    assert parsed is None or f"lyk_{parsed.key_id}_{parsed.secret}" == changed


@pytest.mark.parametrize(
    "text",
    [
        "lyk_acme-abcdefghijkl_" + "a" * 31,
        "lyk_acme-abcdefghijkl_" + "a" * 33,
        "lyk_acme-abcdefghijkl_" + "a" * 32 + "\n",
        "lyk_acme-abcdefghijk1_" + "a" * 32,
        "lyk_Acme-abcdefghijkl_" + "a" * 32,
        "lyk_abc-abcdefghijkl_" + "a" * 32,
        "lyk_operator-abcdefghijkl_" + "a" * 32,
        "lyk_operator-root_" + "a" * 15,
        "lyk_operator-root_with spaces in the secret",
        "LYK_acme-abcdefghijkl_" + "a" * 32,
    ],
)
def test_texts_that_are_no_key(text: str) -> None:
    assert keys.parse_api_key(text) is None


def test_no_tenant_is_the_operator() -> None:
    assert keys.is_reserved("operator")
    with pytest.raises(InvalidValue):
        keys.new_api_key("operator", entropy(b"seed"))  # type: ignore[arg-type]
    with pytest.raises(InvalidValue):
        keys.new_api_key("a#b", entropy(b"seed"))  # type: ignore[arg-type]


def test_the_operators_key() -> None:
    secret = "an-operator_secret.16+"
    parsed = keys.parse_api_key(keys.operator_key(secret))
    assert parsed == ("operator", "operator-root", secret)
    assert keys.matches_operator(secret, parsed.secret)
    assert not keys.matches_operator(secret, secret + "x")


def test_a_missing_operator_secret_matches_nothing() -> None:
    assert not keys.matches_operator("", "")
    assert not keys.matches_operator("short", "short")
    with pytest.raises(InvalidValue):
        keys.operator_key("short")


@given(st.binary(min_size=1, max_size=32), st.text(max_size=40), st.text(max_size=40))
def test_a_digest_matches_its_secret_only(pepper: bytes, secret: str, other: str) -> None:
    stored = keys.digest(pepper, secret)
    assert len(stored) == 64
    assert keys.matches(pepper, other, stored) == (other == secret)
    assert not keys.matches(pepper + b"x", secret, stored)


def test_a_digest_as_rfc_4231_has_it() -> None:
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert keys.digest(b"Jefe", "what do ya want for nothing?") == expected


def test_no_secret_is_printed() -> None:
    made = keys.new_api_key("acme", entropy(b"seed"))  # type: ignore[arg-type]
    assert made.secret not in repr(made)
    assert made.secret not in repr(keys.parse_api_key(made.printable))
