from __future__ import annotations

import hashlib
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.privacy.crypto import Undecipherable
from shared.privacy.keyring import TenantKeys

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def counted() -> object:
    """Entropy that is different each time and the same in each run."""
    numbers = count()
    return lambda size: hashlib.shake_256(next(numbers).to_bytes(4, "big")).digest(size)


@given(json_values)
def test_a_field_group_opens_for_its_member(value: object) -> None:
    keys = TenantKeys.from_tenant_key(b"t" * 32)
    cipher, wrapped = keys.new_member("acme1", "mbr_1")
    sealed = cipher.seal_json("contact", value)
    assert keys.member("acme1", "mbr_1", wrapped).open_json("contact", sealed) == value


def test_a_field_group_opens_nowhere_else() -> None:
    keys = TenantKeys.from_tenant_key(b"t" * 32)
    cipher, wrapped = keys.new_member("acme1", "mbr_1")
    sealed = cipher.seal_json("contact", {"email": "a@example.com"})
    another, _ = keys.new_member("acme1", "mbr_2")
    for reader, group in (
        (cipher, "identity"),
        (keys.member("acme1", "mbr_2", wrapped), "contact"),
        (keys.member("acme2", "mbr_1", wrapped), "contact"),
        (another, "contact"),
    ):
        with pytest.raises(Undecipherable):
            reader.open_json(group, sealed)


def test_another_tenants_key_does_not_unwrap() -> None:
    _, wrapped = TenantKeys.from_tenant_key(b"t" * 32).new_member("acme1", "mbr_1")
    with pytest.raises(Undecipherable):
        TenantKeys.from_tenant_key(b"u" * 32).member("acme1", "mbr_1", wrapped)


def test_two_seals_of_one_value_differ() -> None:
    entropy = counted()
    cipher, _ = TenantKeys.from_tenant_key(b"t" * 32).new_member("acme1", "mbr_1", entropy)  # type: ignore[arg-type]
    assert cipher.seal_json("contact", {}) != cipher.seal_json("contact", {})


def test_each_member_has_her_own_key() -> None:
    keys = TenantKeys.from_tenant_key(b"t" * 32)
    first, second = keys.new_member("acme1", "mbr_1"), keys.new_member("acme1", "mbr_2")
    assert first[0].dek != second[0].dek
    assert first[1] != second[1]


def test_the_two_keys_of_a_tenant_differ() -> None:
    keys = TenantKeys.from_tenant_key(b"t" * 32)
    assert keys.kek != keys.index_key
    assert keys.index("email", "a@example.com") == TenantKeys.from_tenant_key(b"t" * 32).index("email", "a@example.com")


def test_no_key_is_printed() -> None:
    keys = TenantKeys.from_tenant_key(b"t" * 32)
    cipher, _ = keys.new_member("acme1", "mbr_1")
    assert repr(keys.kek) not in repr(keys)
    assert repr(cipher.dek) not in repr(cipher)
