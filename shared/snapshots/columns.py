"""The columns of a set of members: what leaves ask, as arrays. Pure.

``ids`` are sorted. A member is a row; what she has one of is a column of the rows (``member/timer``). Her days are cells, newest first
(``cell/starts`` has where each row's begin). Whatever she may have several of is a *section*: rows sorted by name, then by owner, so that
who has a tag, or the days on which a category was bought, is one slice. The owner of a section's row is a member's row; of ``by:c``,
``by:t``, ... it is a cell, and what the row counts is stored as what is missing to the cell's own (mostly nothing).

Names and other words are numbers: places in ``words``. No personal fact is here: those stay sealed beside the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from shared.snapshots.container import Container, Ints, Texts, write

Mask = npt.NDArray[np.bool_]
Arrays = dict[str, Ints]

NONE: Final = -1
"""An instant that never was."""
MEMBER: Final = (
    "version", "gone", "timer", "epoch", "as_of", "joined_at", "first_at", "last_at", "count", "value", "profiled", "devices",
    "tier_since", "tier_until",
)  # fmt: skip
MEMBER_WORDS: Final = ("status", "join_source", "join_location", "tier", "last_location", "last_channel")
CELL: Final = ("day", "count", "value", "quantity")
SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("value",), "number": ("value",), "flag": ("value",), "odd": (),
    "consent": ("granted", "at"), "suppressed": ("reason",), "tag": (), "kind": (), "known": (), "list": ("since",), "segment": ("since",),
    "wallet": ("earned", "spent", "debt"), "lot": ("points", "since", "until"), "hold": ("points", "until"),
    "coupon": ("state", "active_from", "expires_at", "campaign"), "redeemed": ("at",),
    "challenge": ("version", "start", "until", "times", "completed_at", "ended"),
    "touch": ("step", "channel", "at", "opened_at", "clicked_at", "redeemed_at", "held"),
    "event": ("count", "first_at", "last_at"),
}  # fmt: skip
"""Section -> its columns beside name and owner. ``text``, ``number``, ``flag`` are attributes by type; ``odd`` names numbers too large."""
LETTERS: Final = "ctlhioepv"
BY: Final = ("count", "value", "quantity")
SHARES_CELL: Final = frozenset("ctlhio")
"""Letters whose rows are stored as what is missing to their cell's count, value and quantity."""
WORDS: Final = frozenset(
    {f"member/{name}" for name in MEMBER_WORDS}
    | {"text/value", "suppressed/reason", "coupon/state", "coupon/campaign", "touch/step", "touch/channel"}
)
"""Columns that hold places in ``words``."""


def sections() -> dict[str, tuple[str, ...]]:
    """Every section, those of the dimensions included."""
    return {**SECTIONS, **{f"by:{letter}": BY for letter in LETTERS}}


class Columns:
    """Members as arrays; those of a file are read when they are first asked for."""

    def __init__(self, ids: Texts, words: Callable[[], list[str]], read: Callable[[str], Ints]) -> None:
        self.ids = ids
        self._words = words
        self._read = read
        self._kept: Arrays = {}

    @classmethod
    def of(cls, ids: Texts, words: list[str], arrays: Arrays) -> Columns:
        """Columns in memory."""
        return cls(ids, lambda: words, arrays.__getitem__)

    @classmethod
    def decode(cls, container: Container) -> Columns:
        """The columns of a file."""
        return cls(container.texts("ids"), lambda: container.words("words"), container.ints)

    def encode(self, meta: Mapping[str, object]) -> bytes:
        """The file of these columns."""
        arrays = {name: self[name] for name in _stored()}
        return write({**meta, "rows": len(self)}, arrays, {"ids": self.ids}, {"words": self.words})

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> Ints:
        if name not in self._kept:
            self._kept[name] = self._read(name)
        return self._kept[name]

    @cached_property
    def words(self) -> list[str]:
        """The words; a name's number is its place."""
        return self._words()

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Word -> its number."""
        return {word: number for number, word in enumerate(self.words)}

    @cached_property
    def cell_owner(self) -> Ints:
        """The row of each cell's member."""
        return owners(self["cell/starts"])

    def part(self, section: str, name: str) -> slice:
        """Where the rows of a name are in a section: nowhere, if nobody has it."""
        number = self.numbers.get(name)
        names = self[f"{section}/names"]
        at = int(np.searchsorted(names, number)) if number is not None else len(names)
        if number is None or at == len(names) or names[at] != number:
            return slice(0, 0)
        starts = self[f"{section}/starts"]
        return slice(int(starts[at]), int(starts[at + 1]))

    def rows_of(self, ids: Iterable[str]) -> Ints:
        """The rows of those of the members that are here."""
        wanted = np.array(sorted(ids), dtype="S")
        if not len(self) or not len(wanted):
            return np.zeros(0, np.int64)
        found = np.minimum(np.searchsorted(self.ids, wanted), len(self) - 1).astype(np.int64)
        here: Ints = found[self.ids[found] == wanted]
        return here

    def mask_of(self, ids: Iterable[str]) -> Mask:
        """Which rows are those members'."""
        mask = np.zeros(len(self), np.bool_)
        mask[self.rows_of(ids)] = True
        return mask

    def without(self, dropped: Mask) -> Columns:
        """The same without some rows."""
        return arrange(self.ids[~dropped], self.words, _kept_rows(self, ~dropped))

    def joined(self, younger: Columns) -> Columns:
        """Both together. Of a member who is in both, the row with the newer version; those that are gone stay as tombstones."""
        if not len(self) or not len(younger):
            return younger if not len(self) else self
        here = np.searchsorted(self.ids, younger.ids)
        both = (here < len(self)) & (self.ids[np.minimum(here, len(self) - 1)] == younger.ids)
        newer = younger["member/version"][both] >= self["member/version"][here[both]]
        mine_out, theirs_out = np.zeros(len(self), np.bool_), np.zeros(len(younger), np.bool_)
        mine_out[here[both][newer]] = True
        theirs_out[np.flatnonzero(both)[~newer]] = True
        return _together(self.without(mine_out), younger.without(theirs_out))

    def alive(self) -> Columns:
        """The same without tombstones."""
        gone = self["member/gone"] > 0
        return self.without(gone) if gone.any() else self


def owners(starts: Ints) -> Ints:
    """For each row the number of the group that it is in, from where the groups start."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def arrange(ids: Texts, words: list[str], raw: Arrays) -> Columns:
    """Columns from rows in any order. ``raw`` has ``cell/owner`` and for each section ``key`` and ``owner`` instead of an index.

    Cells of one owner come newest first, and rows of one name and owner keep their order. Words that nothing names are left out.
    """
    order = np.argsort(ids, kind="stable")
    rank = _inverse(order)
    made: Arrays = {f"member/{name}": raw[f"member/{name}"][order] for name in (*MEMBER, *MEMBER_WORDS)}
    owner = rank[raw["cell/owner"]]
    cells = np.lexsort((-raw["cell/day"], owner))
    made["cell/starts"] = np.searchsorted(owner[cells], np.arange(len(ids) + 1))
    made |= {f"cell/{name}": raw[f"cell/{name}"][cells] for name in CELL}
    cell_rank = _inverse(cells)
    for section, columns in sections().items():
        its_owner = (cell_rank if section.startswith("by:") else rank)[raw[f"{section}/owner"]]
        key = raw[f"{section}/key"]
        rows = np.lexsort((its_owner, key))
        made[f"{section}/names"], starts = np.unique(key[rows], return_index=True)
        made[f"{section}/starts"] = np.append(starts, len(rows)).astype(np.int64)
        made[f"{section}/owner"] = its_owner[rows]
        made |= {f"{section}/{name}": raw[f"{section}/{name}"][rows] for name in columns}
    return Columns.of(ids[order], *_used_words(words, made))


def _used_words(words: list[str], made: Arrays) -> tuple[list[str], Arrays]:
    """Only the words that are used, numbered in the same order: what an erased member alone had must not stay behind."""
    naming = [*WORDS, *(f"{section}/names" for section in sections())]
    used = np.unique(np.concatenate([made[name] for name in naming]))
    if len(used) == len(words):
        return words, made
    renumbered = np.zeros(len(words), np.int64)
    renumbered[used] = np.arange(len(used))
    return [words[number] for number in used], {**made, **{name: renumbered[made[name]] for name in naming}}


def _kept_rows(columns: Columns, keep: Mask) -> Arrays:
    """``raw`` of some of the rows, in their order."""
    row = np.cumsum(keep) - 1
    raw: Arrays = {f"member/{name}": columns[f"member/{name}"][keep] for name in (*MEMBER, *MEMBER_WORDS)}
    cells = keep[columns.cell_owner]
    cell_row = np.cumsum(cells) - 1
    raw["cell/owner"] = row[columns.cell_owner[cells]]
    raw |= {f"cell/{name}": columns[f"cell/{name}"][cells] for name in CELL}
    for section, names in sections().items():
        owner = columns[f"{section}/owner"]
        of_cells = section.startswith("by:")
        rows = (cells if of_cells else keep)[owner]
        raw[f"{section}/key"] = columns[f"{section}/names"][owners(columns[f"{section}/starts"])][rows]
        raw[f"{section}/owner"] = (cell_row if of_cells else row)[owner[rows]]
        raw |= {f"{section}/{name}": columns[f"{section}/{name}"][rows] for name in names}
    return raw


def _together(mine: Columns, theirs: Columns) -> Columns:
    """Two sets of different members as one."""
    words = list(mine.words)
    numbers = dict(mine.numbers)
    renumbered = np.array([numbers.setdefault(word, len(numbers)) for word in theirs.words], np.int64)
    words += list(numbers)[len(words) :]
    every = np.ones(len(mine), np.bool_), np.ones(len(theirs), np.bool_)
    first, second = _kept_rows(mine, every[0]), _kept_rows(theirs, every[1])
    for name in [name for name in second if name in WORDS or name.endswith("/key")]:
        second[name] = renumbered[second[name]]
    for name in [name for name in second if name.endswith("/owner")]:
        second[name] = second[name] + (len(mine["cell/day"]) if name.startswith("by:") else len(mine))
    ids = np.concatenate([mine.ids, theirs.ids])
    return arrange(ids, words, {name: np.concatenate([first[name], second[name]]) for name in first})


def _inverse(order: npt.NDArray[np.intp]) -> Ints:
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


def _stored() -> list[str]:
    names = [f"member/{name}" for name in (*MEMBER, *MEMBER_WORDS)]
    names += ["cell/starts", *(f"cell/{name}" for name in CELL)]
    for section, columns in sections().items():
        names += [f"{section}/{name}" for name in ("names", "starts", "owner", *columns)]
    return names
