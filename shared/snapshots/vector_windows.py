"""Vector forms of the leaves about purchases and events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from shared.kernel.instants import NEVER
from shared.profile.model import KEPT_DAYS, OTHERS
from shared.segments.language.base import COMPARE, WEEKDAYS
from shared.segments.language.purchases import LETTERS
from shared.snapshots.columns import Mask
from shared.snapshots.container import Ints
from shared.snapshots.frame import Frame, Signs, certain, compared, either, three_valued

_MOST_SCORE: Final = 1 << 40
"""A value beyond it is not ranked beside a count in one number."""


def _purchases(leaf: Any, frame: Frame) -> Signs:
    weekdays = leaf.weekday_numbers if leaf.weekdays is not None else None
    others = frame.with_others(leaf.keys)
    if leaf.metric == "average":
        values, counts = (frame.window(leaf.keys, column, weekdays) for column in ("value", "count"))
        return _ratio(frame, leaf.op, 1, leaf.value, (values.sums, counts.sums), leaf.days, (values.irregular, counts.irregular, others))
    return _summed(frame, leaf, leaf.metric, weekdays, others)


def _summed(frame: Frame, leaf: Any, metric: str, weekdays: frozenset[int] | None, others: Mask | None) -> Signs:
    window = frame.window(leaf.keys, metric, weekdays)

    def at_least(wanted: int) -> Ints:
        return frame.at_least(window, wanted, leaf.days)

    def exactly(wanted: int) -> Ints:
        return frame.exactly(window, wanted, leaf.days)

    signs = compared(leaf.op, at_least, exactly, leaf.value)
    return certain(signs, either((window.irregular, others)))


def _ratio(
    frame: Frame, op: str, scale: int, target: int, sums: tuple[Ints, Ints], length: int, irregular: tuple[Mask | None, ...]
) -> Signs:
    """``scale * part`` compared with ``target * whole`` over the newest cells; unknown while the whole is nothing."""
    newest = np.repeat(frame.columns["cell/starts"][:-1], np.diff(frame.columns["cell/starts"]))
    part, whole = (running[1:] - running[newest] for running in sums)
    truths = np.where(whole > 0, COMPARE[op](scale * part, target * whole), -1).astype(np.int64)
    return three_valued(*frame.judged(truths, length), either(irregular))


def _tag_share(leaf: Any, frame: Frame) -> Signs:
    keys = (f"t:{leaf.tag}",)
    tagged, whole = frame.window(keys, "value"), frame.window((), "value")
    irregular = (tagged.irregular, whole.irregular, frame.with_others(keys))
    return _ratio(frame, leaf.op, 100, leaf.percent, (tagged.sums, whole.sums), leaf.days, irregular)


def _event(leaf: Any, frame: Frame) -> Signs:
    return _summed(frame, leaf, leaf.metric, None, frame.with_others(leaf.keys))


def _favourite(leaf: Any, frame: Frame) -> Signs | None:
    """Scores only grow while cells are added, so the best so far is a running maximum, of all names and of those asked for."""
    columns = frame.columns
    if leaf.of == "weekday":
        cells = np.arange(len(columns["cell/day"]))
        names, wanted = (columns["cell/day"] + 3) % 7, [WEEKDAYS.index(name) for name in leaf.names]
        counts, values, others = columns["cell/count"], columns["cell/value"], None
    else:
        section, letter = f"by:{LETTERS[leaf.of]}", LETTERS[leaf.of]
        cells = columns[f"{section}/owner"]
        names = np.repeat(columns[f"{section}/names"], np.diff(columns[f"{section}/starts"]))
        wanted = [columns.numbers[name] for name in leaf.names if name in columns.numbers]
        counts = columns[f"{section}/count"] + columns["cell/count"][cells]
        values = columns[f"{section}/value"] + columns["cell/value"][cells]
        others = frame.with_others((f"{letter}:{OTHERS}",))
    if len(values) and int(values.max()) * max(1, int(np.diff(columns["cell/starts"]).max())) >= _MOST_SCORE:
        return None
    owner = columns.cell_owner[cells]
    irregular = frame.ahead.copy()
    irregular[owner[(counts < 0) | (values < 0)]] = True
    score = _growing(owner, names, cells, np.maximum(counts, 0) * _MOST_SCORE + np.maximum(values, 0))
    rows = np.argsort(cells, kind="stable")
    score, owner, cells = score[rows], owner[rows], cells[rows]
    asked = np.isin(names[rows], wanted)
    score[score < _MOST_SCORE] = 0
    best, mine = _best(owner, score), _best(owner, np.where(asked, score, 0))
    last = np.flatnonzero(np.append(cells[1:] != cells[:-1], True)) if len(cells) else cells
    truths = np.where(best > 0, mine == best, -1).astype(np.int64)[last]
    return three_valued(*frame.judged(truths, leaf.days, cells[last]), either((irregular, others)))


def _growing(owner: Ints, names: Ints, cells: Ints, amounts: Ints) -> Ints:
    """For each row the sum of the rows of its owner and name that are not older, in the order given."""
    rows = np.lexsort((cells, names, owner))
    sums = np.cumsum(amounts[rows])
    first = np.ones(len(rows), np.bool_)
    first[1:] = (owner[rows][1:] != owner[rows][:-1]) | (names[rows][1:] != names[rows][:-1])
    before = (sums - amounts[rows])[np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))] if len(rows) else sums
    made = np.empty(len(rows), np.int64)
    made[rows] = sums - before
    return made


def _best(owner: Ints, score: Ints) -> Ints:
    """The running maximum within each owner: of the ranks, behind the owner's own number, so that one pass does for all."""
    if not len(score):
        return score
    each, rank = np.unique(score, return_inverse=True)
    return each[np.maximum.accumulate(owner * len(each) + rank) - owner * len(each)]


def _since(frame: Frame, leaf: Any, at: Ints, zone: str | None = None) -> Signs:
    """How long ago instants were; none of those below 0."""
    known = at >= 0
    if leaf.day == "calendar":
        its_zone = zone or frame.context.zone
        then = np.full(len(at), NEVER, np.int64)
        then[known] = frame.starts_of(frame.local_days(at[known], its_zone) + leaf.days, its_zone)
    else:
        then = at + leaf.milliseconds
    return _passed(leaf.op, known, then, frame.now)


def _passed(op: str, known: Mask, then: Ints, now: int) -> Signs:
    """Whether instants have come."""
    is_past = np.where(now >= then, NEVER, -then)
    signs = is_past if op == "at_least" else -is_past
    return Signs(np.where(known, signs, -NEVER), np.where(known, signs, NEVER))


def _since_last(leaf: Any, frame: Frame) -> Signs:
    if not leaf.keys:
        return _since(frame, leaf, frame.columns["member/last_at"], leaf.time_zone)
    window = frame.window(leaf.keys, "visits")
    newest = frame.end_day(window, 1, 0)
    known = newest > frame.today - KEPT_DAYS
    passed = frame.today - newest >= leaf.days
    truth = np.where(known, np.where(passed, leaf.op == "at_least", leaf.op == "less_than"), -1).astype(np.int64)
    # Until it has passed, or until nobody knows any more.
    ends = newest + np.where(passed, KEPT_DAYS, min(leaf.days, KEPT_DAYS))
    return three_valued(truth, frame.until(ends, known, NEVER), either((window.irregular, frame.with_others(leaf.keys))))


def _since_first(leaf: Any, frame: Frame) -> Signs:
    return _since(frame, leaf, frame.columns["member/first_at"], leaf.time_zone)


def _joined(leaf: Any, frame: Frame) -> Signs:
    at = frame.columns["member/joined_at"]
    return _since(frame, leaf, np.where(at > 0, at, -1), leaf.time_zone)


def _since_event(leaf: Any, frame: Frame) -> Signs:
    rows = frame.columns.part("event", leaf.event)
    at = np.full(len(frame), -1, np.int64)
    at[frame.columns["event/owner"][rows]] = frame.columns["event/last_at"][rows]
    return _since(frame, leaf, at, leaf.time_zone)


FORMS: Final[Mapping[str, Callable[[Any, Frame], Signs | None]]] = {
    "purchases": _purchases, "event": _event, "tag_share": _tag_share, "favourite": _favourite,
    "since_last_purchase": _since_last, "since_first_purchase": _since_first, "joined": _joined, "since_last_event": _since_event,
}  # fmt: skip
