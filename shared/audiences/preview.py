"""How many members a rule is true of: estimated from a random sample at once, or counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from shared.audiences import api, drafts
from shared.audiences.asking import IN, OUT, UNDECIDED, Question, Rebuild
from shared.audiences.errors import SnapshotNotReady, TooManyUndecided
from shared.audiences.sampling import Interval, Sample, interval, seed_of, texts
from shared.kernel.instants import MINUTE, Clock, Instant, format_rfc3339
from shared.snapshots.loading import listed
from shared.snapshots.model import ObjectStore
from shared.snapshots.reading import Snapshot, open_snapshot
from shared.tenants.scope import TenantScope

MOST_READ: Final = 20_000
"""Members read from the table for one answer."""
SMALL: Final = 2_000
"""So many members are counted without a snapshot."""
MOST_LISTED: Final = 20_000
"""Ids read from the list of members to sample from, without a snapshot: at most 40 pages."""
_STEP: Final = 5 * MINUTE
"""Without a snapshot a repeat within this time looks at the same members."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What was looked at, and what came out."""

    count: Interval
    population: int
    looked_at: int
    read: int
    examples: tuple[str, ...]
    sampled_as_of: Instant | None = None
    from_table: bool = False
    whole: bool = True


def preview(scope: TenantScope, request: api.PreviewRequest, store: ObjectStore, rebuild: Rebuild, wall: Clock) -> api.PreviewAnswer:
    """Reads the snapshot's objects once each, and from the table only whom its columns leave undecided (of an estimate: in the sample).

    ``SnapshotNotReady``: nothing but reading everybody would be exact. ``TooManyUndecided``: the same, for this rule.
    """
    now = scope.clock()
    draft = drafts.of_body(scope, request.rule, now) if request.rule is not None else None
    if draft is None:
        draft = drafts.of_segment(scope, request.segment or "", request.version, now)
    context = scope.definitions.at(now).segment_context
    question = Question(scope, draft.rule, now, context)
    snapshot = open_snapshot(scope, store, wall())
    if request.mode == "exact":
        found = _counted(question, snapshot, draft.text, request.sample)
    else:
        found = _estimated(question, snapshot, draft.text, request)
    if snapshot is None or question.lost:
        rebuild()
    return api.PreviewAnswer(
        mode=request.mode,
        count=found.count.estimate,
        low=found.count.low,
        high=found.count.high,
        population=found.population,
        looked_at=found.looked_at,
        source="table" if found.from_table else "snapshot",
        whole=found.whole,
        sampled_as_of=format_rfc3339(found.sampled_as_of) if found.sampled_as_of is not None else None,
        as_of=format_rfc3339(now),
        time_zone=context.zone,
        undecided_read=found.read,
        leaves=question.leaves,
        sample=found.examples,
    )


# -- estimate -------------------------------------------------------------------------------------------------------


def _estimated(question: Question, snapshot: Snapshot | None, text: str, request: api.PreviewRequest) -> _Found:
    scope = question.scope
    as_of = snapshot.as_of if snapshot is not None else question.now // _STEP * _STEP
    sample = Sample(request.size, seed_of(scope.tenant, text, str(as_of)))
    population, whole = 0, True
    if snapshot is not None:
        for part in question.parts(snapshot):
            population += len(part.ids)
            sample.offer(part.ids, part.codes)
    else:
        ids = list(islice(listed(scope), MOST_LISTED + 1))
        whole, ids = len(ids) <= MOST_LISTED, ids[:MOST_LISTED]
        population = len(ids)
        sample.offer(texts(ids), np.full(len(ids), UNDECIDED, np.int64))
    codes = dict(zip(sample.ids.astype("U").tolist(), sample.codes.tolist(), strict=True))
    unknown = [member for member, code in codes.items() if code == UNDECIDED]
    answers = {state.member: is_in for state, is_in in question.decide(unknown)}
    gone = len(unknown) - len(answers)
    inside = [member for member, code in codes.items() if code == IN or answers.get(member, False)]
    looked_at = len(codes) - gone
    return _Found(
        interval(len(inside), looked_at, population - gone),
        population - gone,
        looked_at,
        len(unknown),
        tuple(inside[: request.sample]),
        as_of,
        from_table=snapshot is None,
        whole=whole,
    )


# -- exact ----------------------------------------------------------------------------------------------------------


def _counted(question: Question, snapshot: Snapshot | None, text: str, examples: int) -> _Found:
    sample = Sample(examples, seed_of(question.scope.tenant, text))
    inside, population, read = 0, 0, 0
    for named, others, undecided in _ranges(question, snapshot):
        read += len(undecided)
        if read > MOST_READ:
            raise refused_to_read(question, read)
        answers = [(state.member, is_in) for state, is_in in question.decide(undecided)]
        together = [*named, *(member for member, is_in in answers if is_in)]
        sample.offer(texts(together), np.full(len(together), IN, np.int64))
        inside += len(together)
        population += len(named) + others + len(answers)
    exactly = Interval(inside, inside, inside)
    found = tuple(sample.ids.astype("U").tolist())
    return _Found(exactly, population, population, read, found, from_table=snapshot is None)


def _ranges(question: Question, snapshot: Snapshot | None) -> Iterator[tuple[list[str], int, list[str]]]:
    """Ranges of members: who is in, how many are out, who must be read."""
    if snapshot is None:
        yield [], 0, everybody(question)
        return
    for part in question.parts(snapshot):
        yield part.named(IN), int((part.codes == OUT).sum()), part.named(UNDECIDED)


def everybody(question: Question) -> list[str]:
    """The ids of all members of a small tenant, from the list. ``SnapshotNotReady`` of a larger one."""
    ids = list(islice(listed(question.scope), SMALL + 1))
    if len(ids) > SMALL:
        raise SnapshotNotReady("The snapshot of this tenant is being made. Repeat the call, or ask for an estimate.")
    return ids


def refused_to_read(question: Question, read: int) -> SnapshotNotReady | TooManyUndecided:
    """Why so many members are not read from the table for one answer: an object is lost, or the rule asks what no column tells."""
    if question.lost:
        return SnapshotNotReady("A part of the snapshot is being made again. Repeat the call, or ask for an estimate.")
    text = f"At least {read} members would have to be read, more than {MOST_READ}. Ask for an estimate, or export them."
    return TooManyUndecided(text)
