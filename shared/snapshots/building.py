"""From states to columns. Only numbers and words are kept of a state, so that tens of thousands fit into memory. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

import numpy as np

from shared.kernel.instants import NEVER
from shared.member_state.model import MemberState, Tier
from shared.profile.model import Cell
from shared.snapshots.columns import CELL, LETTERS, MEMBER, MEMBER_WORDS, NONE, SHARES_CELL, Arrays, Columns, arrange, sections
from shared.wallet.lots import latest_wait, true_expiry

_LARGEST: Final = 1 << 62
_NO_TIER: Final = Tier("", NONE, NONE)


class Builder:
    """Takes states one by one, in any order, each member once."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._numbers: dict[str, int] = {"": 0}
        self._rows: dict[str, array[int]] = {section: array("q") for section in _LAYOUT}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, state: MemberState) -> None:
        """A member as she is stored; only who is considered is a row, of the others it is kept that they are gone."""
        if not state.is_considered:
            self.add_gone(state.member, state.version)
            return
        row, profile, tier, word = self._row(state.member), state.profile, state.tier or _NO_TIER, self._word
        self._rows["member"].extend((
            state.version, 0, NEVER if state.timer is None else state.timer, state.epoch, state.as_of, state.joined_at,
            _instant(profile.first_at), _instant(profile.last_at), profile.count, profile.value, int(state.profiled), len(state.devices),
            tier.since, tier.until, word(state.status), word(state.join_source), word(state.join_location), word(tier.id),
            word(profile.last_location), word(profile.last_channel),
        ))  # fmt: skip
        for cells in (profile.cells, profile.history):
            for day, cell in cells.items():
                self._cell(row, day, cell)
        self._sections(row, state)

    def add_gone(self, member: str, version: int = 0) -> None:
        """A member who is no more: a tombstone."""
        self._row(member)
        self._rows["member"].extend((version, 1, *[NONE] * (len(MEMBER) - 2), *[0] * len(MEMBER_WORDS)))

    def columns(self) -> Columns:
        """The columns of all that were added."""
        raw: Arrays = {}
        for section, names in _LAYOUT.items():
            rows = np.array(self._rows[section], np.int64).reshape(-1, len(names)).T
            raw |= {f"{section}/{name}": np.ascontiguousarray(column) for name, column in zip(names, rows, strict=True)}
        return arrange(np.array(self._ids, dtype="S"), list(self._numbers), raw)

    def _row(self, member: str) -> int:
        self._ids.append(member)
        return len(self._ids) - 1

    def _word(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers))

    def _add(self, section: str, name: str, owner: int, *values: int) -> None:
        self._rows[section].extend((self._word(name), owner, *values))

    def _cell(self, row: int, day: int, cell: Cell) -> None:
        cells = self._rows["cell"]
        number, own = len(cells) // len(_LAYOUT["cell"]), (cell.count, cell.value, cell.quantity)
        cells.extend((row, day, *own))
        for dimension, sums in cell.by.items():
            count, value, quantity = sums if len(sums) == 3 else (*sums, 0)
            letter = dimension[0]
            if letter in SHARES_CELL:
                count, value, quantity = count - own[0], value - own[1], quantity - own[2]
            self._rows[_BY[letter]].extend((self._word(dimension[2:]), number, count, value, quantity))

    def _sections(self, row: int, state: MemberState) -> None:
        for name, value in state.attributes.items():
            self._attribute(row, name, value)
        self._standing(row, state)
        self._holdings(row, state)
        for each in state.challenges:
            ends = each.times, each.completed_at, int(each.ended)
            self._add("challenge", each.challenge, row, each.version, each.start, each.until, *ends)
        for touch in state.touches:
            answered = map(_instant, (touch.opened_at, touch.clicked_at, touch.redeemed_at))
            where = self._word(touch.step), self._word(touch.channel)
            self._add("touch", touch.campaign, row, *where, touch.at, *answered, int(touch.held))
        for name, track in state.profile.events.items():
            self._add("event", name, row, track.count, track.first_at, track.last_at)

    def _standing(self, row: int, state: MemberState) -> None:
        for key, consent in state.consents.items():
            self._add("consent", key, row, int(consent.granted), consent.at)
        for channel, reason in state.suppressed.items():
            self._add("suppressed", channel, row, self._word(reason))
        for section, names in (("tag", state.tags), ("kind", state.identifier_kinds), ("known", state.known)):
            for name in dict.fromkeys(names):
                self._add(section, name, row)
        for section, since in (("list", state.lists), ("segment", state.segments), ("redeemed", state.redeemed)):
            for name, at in since.items():
                self._add(section, name, row, at)

    def _holdings(self, row: int, state: MemberState) -> None:
        for name, wallet in state.wallets.items():
            self._add("wallet", name, row, wallet.earned, wallet.spent, wallet.debt)
            for lot in wallet.lots:
                self._add("lot", name, row, lot.points, latest_wait(lot), true_expiry(wallet, lot.expires_at))
        for hold in state.holds.values():
            self._add("hold", hold.wallet, row, hold.points, hold.until)
        for held in state.coupons.values():
            words = self._word(held.state), self._word(held.campaign)
            self._add("coupon", held.offer, row, words[0], held.active_from, held.expires_at, words[1])

    def _attribute(self, row: int, name: str, value: str | int | bool) -> None:
        if isinstance(value, bool):
            self._add("flag", name, row, int(value))
        elif isinstance(value, str):
            self._add("text", name, row, self._word(value))
        elif abs(value) < _LARGEST:
            self._add("number", name, row, value)
        else:
            self._add("odd", name, row)


def columns_of(states: Iterable[MemberState]) -> Columns:
    """The columns of some states."""
    builder = Builder()
    for state in states:
        builder.add(state)
    return builder.columns()


def _instant(value: int | None) -> int:
    return NONE if value is None else value


_BY: Final = {letter: f"by:{letter}" for letter in LETTERS}
_LAYOUT: Final[dict[str, tuple[str, ...]]] = {
    "member": (*MEMBER, *MEMBER_WORDS),
    "cell": ("owner", *CELL),
    **{section: ("key", "owner", *columns) for section, columns in sections().items()},
}
"""What a row of each section is made of, in this order."""
