"""Items in daily cells: at most ``MAX_ITEMS`` named per member, all others summed under ``i:~`` of their days. Pure.

What is named plus what is under ``i:~`` is always exact, in all three amounts. A named item is exact from when it was named last; of
what it had before, the missing part is under ``i:~`` of those days. So an item that is bought often is exact, because it never is
among those with the fewest purchases.

An item with a place in the history is folded only where the history is being rewritten anyway: at a spill, which then leaves at most
``MAX_OLD_ITEMS`` of them, or by a late purchase of a day that is there. Between spills room is made among the others, of which there
is always one: the item that has just come.
"""

from __future__ import annotations

from typing import Final

from shared.profile.model import MAX_ITEMS, OTHERS, Cell, Profile

LETTER: Final = "i"
UNNAMED: Final = f"{LETTER}:{OTHERS}"
MAX_OLD_ITEMS: Final = 30
"""Items with a place in the history after a spill, once there were more items than can be named: ten places stay free for new ones."""


def is_item(key: str) -> bool:
    """Whether a dimension is an item."""
    return key[0] == LETTER


def add(cell: Cell, key: str, amounts: list[int]) -> None:
    """Book an item under its own name; ``bound`` makes room afterwards."""
    _move(cell, key, amounts, 1)


def take_out(cell: Cell, key: str, amounts: list[int]) -> None:
    """Take out of the named place what it has, and the rest from ``i:~``, as far as it was folded there.

    An item without purchases is named no longer; anything left of it was folded purchases' and goes to them.
    """
    named, unnamed = cell.by.get(key), cell.by.get(UNNAMED)
    if named is None:
        if unnamed is not None:
            _move(cell, UNNAMED, amounts, -1)
        return
    folded = [
        min(max(wanted - has, 0), max(there, 0)) for has, wanted, there in zip(named, amounts, unnamed or (0, 0, 0), strict=True)
    ]
    _move(cell, key, [wanted - part for wanted, part in zip(amounts, folded, strict=True)], -1)
    if any(folded):
        _move(cell, UNNAMED, folded, -1)
    left = cell.by.get(key)
    if left is not None and left[0] == 0 and key != UNNAMED:
        _fold(cell, key)


def bound(profile: Profile, *, history_too: bool) -> None:
    """Fold the items with the fewest purchases (then the longest not bought, then by name) until ``MAX_ITEMS`` are named.

    ``history_too``: the history is rewritten anyway. Cost: one pass over the names of all cells; a second one where there are too many.
    """
    names = _names(profile.cells) | _names(profile.history)
    excess = len(names) - MAX_ITEMS
    if excess > 0:
        candidates = names if history_too else names - _names(profile.history)
        _fold_fewest(profile, candidates, excess)


def make_room_in_history(profile: Profile) -> None:
    """At a spill, where there were too many items: leave at most ``MAX_OLD_ITEMS`` with a place in the history."""
    crowded = any(UNNAMED in cell.by for cells in (profile.cells, profile.history) for cell in cells.values())
    old = _names(profile.history) if crowded else set()
    if len(old) > MAX_OLD_ITEMS:
        _fold_fewest(profile, old, len(old) - MAX_OLD_ITEMS)


def _names(cells: dict[int, Cell]) -> set[str]:
    keys = set[str]().union(*(cell.by for cell in cells.values()))
    return {key for key in keys if key[0] == LETTER and key != UNNAMED}


def _fold_fewest(profile: Profile, candidates: set[str], number: int) -> None:
    ranks: dict[str, list[int]] = {key: [0, 0] for key in candidates}
    for cells in (profile.cells, profile.history):
        for day, cell in cells.items():
            for key in candidates & cell.by.keys():
                rank = ranks[key]
                rank[0] += cell.by[key][0]
                rank[1] = max(rank[1], day)
    for key in sorted(candidates, key=lambda each: (ranks[each], each))[:number]:
        for cells in (profile.cells, profile.history):
            for cell in cells.values():
                if key in cell.by:
                    _fold(cell, key)


def _fold(cell: Cell, key: str) -> None:
    _move(cell, UNNAMED, cell.by.pop(key), 1)


def _move(cell: Cell, key: str, amounts: list[int], sign: int) -> None:
    held = cell.by.setdefault(key, [0, 0, 0])
    for column, amount in enumerate(amounts):
        held[column] += sign * amount
    if held == [0, 0, 0]:
        del cell.by[key]
