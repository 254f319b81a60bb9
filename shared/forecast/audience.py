"""The members that a campaign is for: how many, and some of them by chance, as they are in the table.

The columns of the snapshot decide about most; of the others, and for everything that messages ask of a member, those in the sample are
read. Without a snapshot the list of members is sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import numpy as np

from shared.audiences.asking import IN, OUT, UNDECIDED, Question, Rebuild
from shared.audiences.preview import MOST_LISTED, MOST_READ, everybody, refused_to_read
from shared.audiences.sampling import Interval, Sample, interval, seed_of, texts
from shared.campaigns.errors import UnknownCampaign
from shared.campaigns.model import CampaignBody
from shared.definitions.errors import BrokenReference
from shared.definitions.model import Definition, DefinitionSet
from shared.definitions.references import named_offers
from shared.forecast.reach import Person
from shared.kernel.errors import FieldError
from shared.kernel.instants import Clock, Instant
from shared.segments.context import Context
from shared.segments.parsing import Rule, rule_of, stored_segment
from shared.snapshots.loading import listed
from shared.snapshots.model import ObjectStore
from shared.snapshots.reading import Snapshot, open_snapshot
from shared.tenants.scope import TenantScope

ALL: Final[Mapping[str, Any]] = {"kind": "bucket", "salt": "everybody", "from": 0, "until": 100}
"""A rule that is true of everybody."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A version of a campaign as it is asked about, and the definitions beside it, read now."""

    definition: Definition
    body: CampaignBody
    known: DefinitionSet
    context: Context


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was found: how many are in the audience, and the members of it that were looked at."""

    audience: Interval
    population: int
    people: tuple[Person, ...]
    from_table: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Source:
    """Where the snapshot lies, the clock that its marks go by, and who is told to make it again."""

    store: ObjectStore
    wall: Clock
    rebuild: Rebuild


def asked_about(scope: TenantScope, campaign: str, version: int | None) -> Asked:
    """The newest version, draft or not, or the one that is named. ``UnknownCampaign``. Two or three reads."""
    newest = scope.repository.newest("campaign", campaign)
    if newest is None:
        raise UnknownCampaign
    known = scope.repository.load(named_offers("campaign", newest.body))
    found = newest
    if version not in (None, newest.version):
        others = (each for each in known.definitions if (each.kind, each.id, each.version) == ("campaign", campaign, version))
        older = next(others, None)
        if older is None:
            raise UnknownCampaign
        found = older
        known = scope.repository.load(named_offers("campaign", found.body))
    return Asked(found, CampaignBody.model_validate(found.body), known, context_of(known, scope.clock()))


def context_of(known: DefinitionSet, now: Instant) -> Context:
    """What rules mean: segments in force, and of those that are not, the newest draft, since campaigns are planned before they hold."""
    context = known.at(now).segment_context
    drafts = {each.id: each for each in sorted(known.definitions, key=lambda each: each.version) if each.kind == "segment"}
    ahead = {id_: stored_segment(id_, each.version, each.body).rule for id_, each in drafts.items() if each.status != "retired"}
    return replace(context, segments={**ahead, **context.segments})


def audience_rule(body: CampaignBody, context: Context, pointer: str = "/definition/audience/segment") -> Rule:
    """Whom a campaign is for, as one rule. ``BrokenReference`` for a segment that there is not."""
    segment, audience_filter = body.audience.segment, body.audience.filter
    if segment is not None and segment not in context.segments:
        raise BrokenReference("There is no such segment.", errors=(FieldError(pointer, "unknown_segment", "no segment of this id"),))
    parts: list[Mapping[str, Any]] = [{"kind": "segment", "segment": segment}] if segment is not None else []
    parts += [audience_filter] if audience_filter is not None else []
    return rule_of(parts[0] if len(parts) == 1 else {"kind": "all", "rules": parts} if parts else ALL)


def draw(scope: TenantScope, rule: Rule, context: Context, source: Source, size: int, *, seed: str = "", exact: bool = False) -> Drawn:
    """Who a rule is true of now. Reads the snapshot's objects once each and ``size`` members of the table, exact also whom no column
    decides. The same ``seed`` draws the same members of the same snapshot.

    ``SnapshotNotReady`` and ``TooManyUndecided`` as a preview answers them.
    """
    question = Question(scope, rule, scope.clock(), context)
    snapshot = open_snapshot(scope, source.store, source.wall())
    found = _exactly(question, snapshot, size) if exact else _about(question, snapshot, size, seed)
    if snapshot is None or question.lost:
        source.rebuild()
    return found


def _about(question: Question, snapshot: Snapshot | None, size: int, text: str) -> Drawn:
    """Whom the columns put in is counted; of the others that may be in, and of those, a sample is looked at."""
    seed = seed_of(question.scope.tenant, text, str(snapshot.as_of if snapshot is not None else 0))
    sample, certain, candidates, population, whole = Sample(size, seed), 0, 0, 0, True
    if snapshot is None:
        ids = list(islice(listed(question.scope), MOST_LISTED + 1))
        whole, ids = len(ids) <= MOST_LISTED, ids[:MOST_LISTED]
        population = candidates = len(ids)
        sample.offer(texts(ids), np.full(len(ids), UNDECIDED, np.int64))
    else:
        for part in question.parts(snapshot):
            possible = part.codes != OUT
            population, candidates = population + len(part.ids), candidates + int(possible.sum())
            certain += int((part.codes == IN).sum())
            sample.offer(part.ids[possible], part.codes[possible])
    looked = list(question.look(sample.ids.astype("U").tolist(), facts=True))
    gone = len(sample.ids) - len(looked)
    people = tuple(Person(state, facts) for state, facts, is_in in looked if is_in)
    about = interval(len(people), len(looked), candidates - gone)
    everyone_decided = snapshot is not None and certain == candidates
    found = Interval(certain, certain, certain) if everyone_decided else about
    return Drawn(found, population - gone, people, snapshot is None, whole)


def _exactly(question: Question, snapshot: Snapshot | None, size: int) -> Drawn:
    sample, inside, population, read = Sample(size, seed_of(question.scope.tenant)), 0, 0, 0
    ranges = (
        [([], 0, everybody(question))]
        if snapshot is None
        else ((part.named(IN), int((part.codes == OUT).sum()), part.named(UNDECIDED)) for part in question.parts(snapshot))
    )
    for named, others, undecided in ranges:
        read += len(undecided)
        if read > MOST_READ:
            raise refused_to_read(question, read)
        answers = [(state.member, is_in) for state, is_in in question.decide(undecided)]
        together = [*named, *(member for member, is_in in answers if is_in)]
        sample.offer(texts(together), np.full(len(together), IN, np.int64))
        inside, population = inside + len(together), population + len(named) + others + len(answers)
    looked = question.look(sample.ids.astype("U").tolist(), facts=True)
    people = tuple(Person(state, facts) for state, facts, is_in in looked if is_in)
    return Drawn(Interval(inside, inside, inside), population, people, snapshot is None, whole=True)

