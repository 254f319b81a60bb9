"""Vector forms of the leaves about what she has: tier, points, coupons, campaigns' messages. Pure.

What time alone settles (points that become available or expire, coupons, tiers) is believed only of members for whom nothing has
fallen due since they were stored; of the others ``Frame.due`` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from shared.kernel.instants import DAY, NEVER
from shared.segments.language.base import COMPARE
from shared.snapshots.columns import NONE
from shared.snapshots.container import Ints
from shared.snapshots.frame import Frame, Signs, certain, either
from shared.snapshots.vector_person import having, yes

_REDEEMED: Final = "redeemed"


def _tier(leaf: Any, frame: Frame) -> Signs | None:
    numbers, held, levels = frame.columns.numbers, frame.columns["member/tier"], frame.context.tiers
    names, unknown = leaf.names, np.zeros(len(held), np.bool_)
    if leaf.at_least is not None:
        if leaf.at_least not in levels:
            return None
        names = levels[levels.index(leaf.at_least) :]
        unknown = ~np.isin(held, [numbers[name] for name in ("", *levels) if name in numbers])
    has = np.isin(held, [numbers[name] for name in names if name in numbers])
    signs = yes(has)
    if leaf.days is not None:
        then = frame.columns["member/tier_since"] + leaf.days * DAY
        passed = np.where(frame.now >= then, NEVER, -then)
        signs = np.where(has, passed if leaf.op == "at_least" else -passed, -NEVER)
    return Signs(np.where(unknown, -NEVER, signs), np.where(unknown, NEVER, signs), frame.due)


class Spans(NamedTuple):
    """Numbers that count from one instant until before another, each of a member."""

    owner: Ints
    since: Ints
    until: Ints
    number: Ints


def _lots(leaf: Any, frame: Frame) -> Spans:
    rows = frame.columns.part("lot", leaf.wallet)
    return Spans(*(frame.columns[f"lot/{name}"][rows] for name in ("owner", "since", "until", "points")))


def _holds(leaf: Any, frame: Frame) -> Spans:
    rows = frame.columns.part("hold", leaf.wallet)
    owner, until, points = (frame.columns[f"hold/{name}"][rows] for name in ("owner", "until", "points"))
    return Spans(owner, np.zeros(len(owner), np.int64), until, points)


def _balance(leaf: Any, frame: Frame) -> Signs:
    lots, holds = _lots(leaf, frame), _holds(leaf, frame)
    spans = Spans(*(np.concatenate(pair) for pair in zip(lots, holds._replace(number=-holds.number), strict=True)))
    return _compared(leaf, frame, spans)


def _points(leaf: Any, frame: Frame) -> Signs:
    if leaf.state == "available":
        return _balance(leaf, frame)
    if leaf.state == "held":
        return _compared(leaf, frame, _holds(leaf, frame))
    lots = _lots(leaf, frame)
    return _compared(leaf, frame, lots._replace(since=np.zeros(len(lots.owner), np.int64), until=np.minimum(lots.since, lots.until)))


def _expiring(leaf: Any, frame: Frame) -> Signs:
    lots = _lots(leaf, frame)
    ending = lots.until < NEVER
    soon = Spans(*(column[ending] for column in lots))
    return _compared(leaf, frame, soon._replace(since=np.maximum(soon.since, soon.until - leaf.within_days * DAY)))


def _compared(leaf: Any, frame: Frame, spans: Spans) -> Signs:
    """``shared.segments.reading.holdings`` says what counts when; whose points pay a debt first is left to it."""
    columns, now = frame.columns, frame.now
    wallets = columns.part("wallet", leaf.wallet)
    owing = np.zeros(len(columns), np.bool_)
    owing[columns["wallet/owner"][wallets][columns["wallet/debt"][wallets] != 0]] = True
    lives = spans.until > np.maximum(spans.since, now)
    owner, since, until, number = (column[lives] for column in spans)
    who, at = np.concatenate([owner, owner]), np.concatenate([np.maximum(since, now), until])
    return certain(_stepped(leaf, frame, who, at, np.concatenate([number, -number])), either((owing, frame.due)))


def _stepped(leaf: Any, frame: Frame, who: Ints, at: Ints, change: Ints) -> Ints:
    """The truth now, and the first later instant at which it is another, from changes of a number that starts at 0."""
    before = at < NEVER
    rows = np.lexsort((at[before], who[before]))
    who, at, change = who[before][rows], at[before][rows], change[before][rows]
    at_zero = bool(COMPARE[leaf.op](0, leaf.value))
    truth = np.full(len(frame), at_zero, np.bool_)
    until = np.full(len(frame), NEVER, np.int64)
    if len(who):
        sums = np.cumsum(change)
        first = np.flatnonzero(np.append(True, who[1:] != who[:-1]))
        sums -= np.repeat((sums - change)[first], np.diff(np.append(first, len(who))))
        # Of several changes at one instant the last sum counts.
        last = np.append((who[1:] != who[:-1]) | (at[1:] != at[:-1]), True)
        who, at = who[last], at[last]
        holds = np.asarray(COMPARE[leaf.op](np.maximum(sums[last], 0), leaf.value))
        present = at <= frame.now
        truth[who[present]] = holds[present]
        flips = np.flatnonzero(~present & (holds != truth[who]))
        # Written from the latest to the earliest, so that the earliest stays.
        until[who[flips][::-1]] = at[flips][::-1]
    return np.where(truth, until, -until)


def _coupon(leaf: Any, frame: Frame) -> Signs:
    columns = frame.columns
    if leaf.state == _REDEEMED:
        return certain(yes(having(columns, "redeemed", [leaf.offer])), frame.due)
    rows = columns.part("coupon", leaf.offer)
    mine = columns["coupon/state"][rows] == columns.numbers.get(leaf.state, -1)
    owner = columns["coupon/owner"][rows][mine]
    if leaf.state == "held":
        mask = np.zeros(len(columns), np.bool_)
        mask[owner] = True
        return certain(yes(mask), frame.due)
    ends = columns["coupon/expires_at"][rows][mine]
    begins = _ahead(columns["coupon/active_from"][rows][mine], ends, leaf.expires_within_days)
    return certain(_in_spans(frame, owner, begins, ends), frame.due)


def _ahead(begins: Ints, ends: Ints, days: int | None) -> Ints:
    """From when "it ends at most so many days of 24 hours from now" is true; of what has no end, never."""
    return begins if days is None else np.where(ends < NEVER, np.maximum(begins, ends - days * DAY), NEVER)


def _ago(at: Ints, days: int | None) -> Ints:
    """Until when "at most so many days of 24 hours ago" is true."""
    return np.full(len(at), NEVER, np.int64) if days is None else at + days * DAY


def _in_spans(frame: Frame, owner: Ints, begins: Ints, ends: Ints) -> Ints:
    """Whether now is in the union of her half-open spans, until when; or until the next of them begins. One pass for each of a member's."""
    now = frame.now
    order = np.lexsort((ends, begins, owner))
    owner, begins, ends = owner[order], begins[order], ends[order]
    end, coming = np.full(len(frame), now, np.int64), np.full(len(frame), NEVER, np.int64)
    place = np.arange(len(owner)) - np.searchsorted(owner, owner)
    for number in range(int(place.max()) + 1 if len(place) else 0):
        these = place == number
        who, first, last = owner[these], begins[these], ends[these]
        extends = (first <= end[who]) & (end[who] < last)
        end[who[extends]] = last[extends]
        ahead = (now < first) & (first < last)
        coming[who[ahead]] = np.minimum(coming[who[ahead]], first[ahead])
    return np.where(end > now, np.minimum(end, NEVER), -coming)


def _challenge(leaf: Any, frame: Frame) -> Signs:
    columns = frame.columns
    rows = columns.part("challenge", leaf.challenge)
    owner, start, until, times = (columns[f"challenge/{name}"][rows] for name in ("owner", "start", "until", "times"))
    if leaf.state == "active":
        return certain(_in_spans(frame, owner, _ahead(start, until, leaf.within_days), until), frame.due)
    mine = times > 0 if leaf.state == "completed" else (times == 0) & (until < NEVER)
    at = (columns["challenge/completed_at"][rows] if leaf.state == "completed" else until)[mine]
    return certain(_in_spans(frame, owner[mine], at, _ago(at, leaf.within_days)), frame.due)


def _campaign(leaf: Any, frame: Frame) -> Signs:
    columns = frame.columns
    rows = columns.part("touch", leaf.campaign)
    if leaf.response in ("received", "held_out"):
        at = columns["touch/at"][rows]
        mine = (columns["touch/held"][rows] > 0) == (leaf.response == "held_out")
    else:
        at = columns[f"touch/{leaf.response}_at"][rows]
        mine = at != NONE
    return certain(_in_spans(frame, columns["touch/owner"][rows][mine], at[mine], _ago(at[mine], leaf.within_days)))


FORMS: Final[Mapping[str, Callable[[Any, Frame], Signs | None]]] = {
    "tier": _tier, "balance": _balance, "points": _points, "points_expiring": _expiring, "coupon": _coupon, "challenge": _challenge,
    "campaign": _campaign,
}  # fmt: skip
