"""Hash trees as certificate logs have them (RFC 6962, section 2.1): leaves and nodes are hashed with different first bytes, so that no
node can pass for a leaf. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

Hash = bytes
"""32 bytes of SHA-256."""


def leaf(data: bytes) -> Hash:
    """The hash of one entry's bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def root(leaves: Sequence[Hash]) -> Hash:
    """The hash of the whole tree; of none, the hash of nothing."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return _node(root(leaves[:split]), root(leaves[split:]))


def path(leaves: Sequence[Hash], index: int) -> list[Hash]:
    """The audit path (RFC 6962, section 2.1.1): the hashes beside the way from a leaf to the root, the lowest first."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*path(leaves[:split], index), root(leaves[split:])]
    return [*path(leaves[split:], index - split), root(leaves[:split])]


def root_by_path(own: Hash, index: int, size: int, beside: Sequence[Hash]) -> Hash:
    """The root that a leaf at that place of a tree of that size leads to; the true one if the path proves it."""
    if size == 1:
        if beside:
            raise ValueError("a path that is too long")
        return own
    if not beside:
        raise ValueError("a path that is too short")
    split = _split(size)
    if index < split:
        return _node(root_by_path(own, index, split, beside[:-1]), beside[-1])
    return _node(beside[-1], root_by_path(own, index - split, size - split, beside[:-1]))


def _node(left: Hash, right: Hash) -> Hash:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1
