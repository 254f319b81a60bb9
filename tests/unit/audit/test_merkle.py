"""Hash trees against the known roots of RFC 6962's own test data, and against a slow definition."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audit import merkle

# The eight leaves of the reference implementation of certificate transparency, and roots over the first so many of them.
DATA = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=40).map(lambda data: [merkle.leaf(each) for each in data])


@pytest.mark.parametrize("size", sorted(ROOTS))
def test_the_reference_implementations_roots(size: int) -> None:
    assert merkle.root([merkle.leaf(each) for each in DATA[:size]]).hex() == ROOTS[size]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert merkle.root([]) == hashlib.sha256(b"").digest()


@given(LEAVES, st.data())
def test_a_path_proves_its_leaf_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    beside = merkle.path(leaves, index)
    assert merkle.root_by_path(leaves[index], index, len(leaves), beside) == merkle.root(leaves)
    assert merkle.root_by_path(merkle.leaf(b"another entry"), index, len(leaves), beside) != merkle.root(leaves)
    with pytest.raises(ValueError, match="too"):
        merkle.root_by_path(leaves[index], index, len(leaves), [*beside, leaves[0]])


@given(LEAVES, st.data())
def test_a_changed_leaf_changes_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    changed = [*leaves[:index], merkle.leaf(b"another entry"), *leaves[index + 1 :]]
    assert merkle.root(changed) != merkle.root(leaves)
