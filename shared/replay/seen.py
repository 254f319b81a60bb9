"""Which keys there have been, in 64 bits each: a set of Python strings would take ten times as much for a long history.

Two different keys share a fingerprint with probability n * n / 2**65: 3 in a million over ten million keys.
"""

from __future__ import annotations

import hashlib
from array import array

Fingerprint = int
_FULL = 0.7


def fingerprint(text: str) -> Fingerprint:
    """64 bits of BLAKE2b; never 0."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") or 1


class Seen:
    """A set of fingerprints: an open hash table with linear probing, between 11 and 23 bytes a key."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._mask = 1023
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: Fingerprint) -> bool:
        return self._slots[self._place(key)] == key

    def add(self, key: Fingerprint) -> None:
        """Remember it."""
        place = self._place(key)
        if self._slots[place] == key:
            return
        self._slots[place] = key
        self._count += 1
        if self._count > _FULL * self._mask:
            self._grow()

    @property
    def size(self) -> int:
        """Bytes."""
        return self._slots.itemsize * len(self._slots)

    def _place(self, key: Fingerprint) -> int:
        slots, mask = self._slots, self._mask
        place = key & mask
        while (there := slots[place]) and there != key:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old, self._mask = self._slots, 2 * self._mask + 1
        self._slots = array("Q", bytes(8 * (self._mask + 1)))
        for key in old:
            if key:
                self._slots[self._place(key)] = key
