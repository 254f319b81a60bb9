"""Which of many candidates have nothing to do with each other, so that each part can be chosen by itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Touch:
    """The lines whose prices one looks at, and of them those that it may lower; ``free``: its terms say nothing of others."""

    reads: frozenset[str]
    writes: frozenset[str]
    free: bool


def independent_parts(touches: Sequence[Touch], depend: Callable[[int, int], bool]) -> list[list[int]]:
    """Places in groups, each in order: of different groups none lowers what another looks at, and none depends on another.

    Linear in the lines; whether two depend on each other is asked only of those that are not ``free``, beside each other.
    """
    groups = _Groups(len(touches))
    readers: dict[str, list[int]] = {}
    for place, touch in enumerate(touches):
        for line in touch.reads:
            readers.setdefault(line, []).append(place)
    for place, touch in enumerate(touches):
        for reader in (each for line in touch.writes for each in readers.get(line, ())):
            groups.join(place, reader)
    for place in (place for place, touch in enumerate(touches) if not touch.free):
        for other in range(len(touches)):
            if groups.head(other) != groups.head(place) and depend(place, other):
                groups.join(place, other)
    return groups.members()


class _Groups:
    """Places that were joined, directly or through others."""

    def __init__(self, number: int) -> None:
        self._above = list(range(number))

    def head(self, place: int) -> int:
        """The first of its group."""
        above = self._above
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    def join(self, one: int, other: int) -> None:
        """Their groups are one."""
        first, second = sorted((self.head(one), self.head(other)))
        self._above[second] = first

    def members(self) -> list[list[int]]:
        """Each group, the first of its places first."""
        found: dict[int, list[int]] = {}
        for place in range(len(self._above)):
            found.setdefault(self.head(place), []).append(place)
        return list(found.values())
