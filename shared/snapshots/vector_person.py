"""Vector forms of the leaves about who she is. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np

from shared.kernel.instants import NEVER
from shared.segments.geometry import locations_within
from shared.segments.language.base import COMPARE
from shared.segments.language.person import BOT_KINDS, WALLET_CARD_KINDS
from shared.snapshots.columns import Columns, Mask
from shared.snapshots.container import Ints
from shared.snapshots.frame import Frame, Signs, certain

_WORDS: Final = {"tier": "tier", "status": "status", "join_source": "join_source", "join_location": "join_location"}
_NUMBERS: Final = {"lifetime_purchases": "count", "lifetime_value": "value"}
_LARGEST: Final = (1 << 62) + 1
_TYPES: Final[Mapping[type, str]] = {str: "text", int: "number", bool: "flag"}


def yes(mask: Mask) -> Ints:
    """Yes for ever, or no for ever."""
    return np.where(mask, NEVER, -NEVER)


def having(columns: Columns, section: str, names: Iterable[str]) -> Mask:
    """Who has one of the names in a section."""
    mask = np.zeros(len(columns), np.bool_)
    for name in names:
        mask[columns[f"{section}/owner"][columns.part(section, name)]] = True
    return mask


def _attribute(leaf: Any, frame: Frame) -> Signs:
    columns = frame.columns
    prefix, colon, rest = leaf.name.partition(":")
    if colon:
        return _of_values(leaf, having(columns, "kind" if prefix == "has_identifier" else "known", [rest]).astype(np.int64))
    if leaf.name == "has_device":
        return _of_values(leaf, (columns["member/devices"] > 0).astype(np.int64))
    if leaf.name in _NUMBERS:
        return _of_values(leaf, columns[f"member/{_NUMBERS[leaf.name]}"])
    if leaf.name in _WORDS:
        values = columns[f"member/{_WORDS[leaf.name]}"]
        signs = _of_words(leaf, columns, values)
        return signs._replace(unsure=frame.due) if leaf.name == "tier" else signs
    return _declared(leaf, columns)


def _of_values(leaf: Any, values: Ints) -> Signs:
    """A built-in value that is never missing; its type is that of what it is compared with."""
    if leaf.op in ("exists", "missing"):
        return certain(np.full(len(values), NEVER if leaf.op == "exists" else -NEVER, np.int64))
    return certain(yes(_tested(leaf, values)))


def _tested(leaf: Any, values: Ints) -> Mask:
    if leaf.op == "in":
        return np.isin(values, [int(each) for each in leaf.value if abs(each) <= _LARGEST])
    # A number beyond the columns' width compares as the farthest that fits: nothing stored lies beyond it.
    wanted = max(min(int(leaf.value), _LARGEST), -_LARGEST)
    return np.asarray(COMPARE[leaf.op](values, wanted))


def _of_words(leaf: Any, columns: Columns, values: Ints) -> Signs:
    """A word, missing where it is empty."""
    empty = columns.numbers.get("", -1)
    there = values != empty
    if leaf.op in ("exists", "missing"):
        return certain(yes(there if leaf.op == "exists" else ~there))
    choices = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    if not isinstance(choices[0], str):
        return _unknown(len(values))
    truth = there & _said(leaf, columns, values)
    return Signs(yes(truth), yes(truth | ~there))


def _said(leaf: Any, columns: Columns, values: Ints) -> Mask:
    """The comparison of words: by their numbers where it is equality, else once for each word that occurs."""
    if leaf.op in ("eq", "ne", "in"):
        choices = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
        found = np.isin(values, [columns.numbers[each] for each in choices if each in columns.numbers])
        return ~found if leaf.op == "ne" else found
    each, place = np.unique(values, return_inverse=True)
    return np.array([COMPARE[leaf.op](columns.words[number], leaf.value) for number in each], np.bool_)[place]


def _declared(leaf: Any, columns: Columns) -> Signs:
    rows = {section: columns.part(section, leaf.name) for section in ("text", "number", "flag", "odd")}
    owner = {section: columns[f"{section}/owner"][part] for section, part in rows.items()}
    spoken = columns["text/value"][rows["text"]] != columns.numbers.get("", -1)
    owner["text"] = owner["text"][spoken]
    if leaf.op in ("exists", "missing"):
        there = np.zeros(len(columns), np.bool_)
        for its in owner.values():
            there[its] = True
        return certain(yes(there if leaf.op == "exists" else ~there))
    choices = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    kind = type(choices[0])
    section = _TYPES[kind]
    values = columns[f"{section}/value"][rows[section]]
    values = values[spoken] if section == "text" else values
    truth, known = np.zeros(len(columns), np.bool_), np.zeros(len(columns), np.bool_)
    known[owner[section]] = True
    truth[owner[section]] = _said(leaf, columns, values) if kind is str else _tested(leaf, values)
    unsure = np.zeros(len(columns), np.bool_)
    unsure[owner["odd"]] = kind is int
    return Signs(yes(truth), yes(truth | ~known), unsure)


def _unknown(rows: int) -> Signs:
    never = np.full(rows, NEVER, np.int64)
    return Signs(-never, never)


def _consent(leaf: Any, frame: Frame) -> Signs:
    columns = frame.columns
    rows = columns.part("consent", f"{leaf.purpose}:{leaf.channel}")
    truth, known = np.zeros(len(columns), np.bool_), np.zeros(len(columns), np.bool_)
    owner = columns["consent/owner"][rows]
    known[owner] = True
    truth[owner] = (columns["consent/granted"][rows] > 0) == leaf.granted
    return Signs(yes(truth), yes(truth | ~known))


def _has(leaf: Any, frame: Frame) -> Signs | None:
    if leaf.of == "device":
        return certain(yes(frame.columns["member/devices"] > 0))
    kinds = {"wallet_card": WALLET_CARD_KINDS, "bot": BOT_KINDS}.get(leaf.of)
    return None if kinds is None else certain(yes(having(frame.columns, "kind", kinds)))


def _identifier(leaf: Any, frame: Frame) -> Signs:
    return certain(yes(having(frame.columns, "kind", [leaf.identifier])))


def _member_tag(leaf: Any, frame: Frame) -> Signs:
    return certain(yes(having(frame.columns, "tag", [leaf.tag])))


def _list(leaf: Any, frame: Frame) -> Signs:
    return certain(yes(having(frame.columns, "list", [leaf.list])))


def _bucket(leaf: Any, frame: Frame) -> Signs:
    """crc32 goes on from where it stopped, so the salt is read once."""
    salted = zlib.crc32(f"{leaf.salt}|".encode())
    numbers = np.array([zlib.crc32(member, salted) for member in frame.columns.ids.tolist()], np.int64) % 100
    return certain(yes((numbers >= leaf.from_) & (numbers < leaf.until)))


def _radius(leaf: Any, frame: Frame) -> Signs:
    """Of the last location (her home is personal): each location that occurs is measured once."""
    within = locations_within(leaf, frame.context)
    each, place = np.unique(frame.columns["member/last_location"], return_inverse=True)
    found = [within.get(frame.columns.words[number]) for number in each]
    truth, unknown = np.array([answer is True for answer in found], np.bool_), np.array([answer is None for answer in found], np.bool_)
    return Signs(yes(truth[place]), yes((truth | unknown)[place]))


FORMS: Final[Mapping[str, Callable[[Any, Frame], Signs | None]]] = {
    "attribute": _attribute, "consent": _consent, "has": _has, "identifier": _identifier, "member_tag": _member_tag, "list": _list,
    "bucket": _bucket, "radius": _radius,
}  # fmt: skip
