"""Keys: a tenant's prefix starts no other tenant's key, and client text cannot break out of its place."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.storage import keys
from shared.storage.packing import pack, unpack

tenants = st.from_regex(r"[a-z0-9]{4,26}", fullmatch=True)
texts = st.text(min_size=1, max_size=20)
MAKERS = [
    maker
    for _, maker in inspect.getmembers(keys, inspect.isfunction)
    if list(inspect.signature(maker).parameters)[:1] == ["tenant"] and maker.__module__ == keys.__name__
]
SAMPLES: dict[str, Any] = {"int": 3, "str": "x"}


def partition(maker: Any, tenant: str) -> str:
    """The partition key that a maker gives for a tenant."""
    parameters = list(inspect.signature(maker).parameters.values())[1:]
    made = maker(tenant, *(SAMPLES[str(parameter.annotation)] for parameter in parameters))
    return made.pk if isinstance(made, keys.Key) else made


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_every_partition_belongs_to_its_tenant(maker: Any) -> None:
    pk = partition(maker, "acme")
    owner = keys.OPERATOR if maker is keys.tenant_entry else "acme"
    assert pk.startswith(f"T#{owner}#")
    assert keys.tenant_of(pk) == owner


@given(tenants, tenants)
def test_no_tenants_prefix_starts_anothers_key(one: str, other: str) -> None:
    assert keys.member(other, "m").startswith(keys.prefix(one)) == (one == other)


@given(tenants, texts, texts)
def test_client_text_cannot_leave_its_place(tenant: str, source: str, receipt: str) -> None:
    try:
        made = keys.request(tenant, "txn", source, receipt)
    except InvalidValue:
        return
    assert made.pk.count("#") == 5
    assert made.pk.isascii()


@given(tenants, st.tuples(texts, texts), st.tuples(texts, texts))
def test_different_requests_have_different_keys(tenant: str, one: tuple[str, str], other: tuple[str, str]) -> None:
    try:
        first, second = keys.request(tenant, "txn", *one), keys.request(tenant, "txn", *other)
    except InvalidValue:
        return
    assert (first == second) == (one == other)


@pytest.mark.parametrize("wrong", ["abc", "Acme", "a#me", "acme#", "", "x" * 27, "acme b"])
def test_what_is_no_tenant_id_makes_no_key(wrong: str) -> None:
    with pytest.raises(InvalidValue):
        keys.prefix(wrong)


def test_the_due_index_sorts_by_instant() -> None:
    instants = [0, 999, 1000, 1_795_255_200_000, 253_402_300_799_000]
    rows = [keys.due_at(instant, "M#mbr_1") for instant in instants]
    assert rows == sorted(rows)
    assert [row for row in rows if row <= keys.due_until(1000)] == rows[:3]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_packed_bodies_are_read_back(value: Any) -> None:
    assert unpack(pack(value)) == value


def test_a_body_of_format_1_is_readable_for_ever() -> None:
    stored = bytes.fromhex(GOLDEN)
    assert unpack(stored) == {"lines": [{"id": "1", "item_id": "fries", "unit_price": 350}], "points": {"earned": 3}}


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(InvalidValue, match="unknown format 7f"):
        unpack(b"\x7fxyz")


GOLDEN = "0178bb2f69ad66abc616798880482bca4c2d460b33635303500ac2cc53c6b5b500f03f19b7"
