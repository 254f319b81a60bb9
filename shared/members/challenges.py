"""Challenges of a member: giving her one, exactly once per request, and reading how far she is."""

from __future__ import annotations

import hashlib
from typing import Final

from shared.challenges import rules
from shared.challenges.errors import TooManyChallenges, UnknownChallenge
from shared.challenges.model import UNLIMITED, Base, Challenge, ChallengeBody, Instance, StreakGoal
from shared.kernel.ids import derived_id, is_id
from shared.kernel.instants import NEVER, Instant, format_rfc3339
from shared.member_state.challenges import has_room, received_at
from shared.member_state.effects import Effects
from shared.member_state.errors import UnknownMember
from shared.member_state.events import ChallengeGiven
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Occasion, change_member, view_member
from shared.member_state.view import FoldView
from shared.members import challenges_api as api
from shared.members.answers import when
from shared.members.repository import read_fields
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.content import Reader
from shared.tenants.scope import TenantScope
from shared.transactions.repository import REQUEST_LABEL, check_same, payload_hash

MAX_COMPLETED: Final = 10
Gave = tuple[api.GivenChallengeAnswer, bool]
"""The answer, and whether it was given before."""


def give(scope: TenantScope, challenge_id: str, request: api.GiveChallengeRequest, actor: str, correlation: str = "") -> Gave:
    """She receives a challenge that is in force, once per ``request_id``; ``UnknownChallenge``, ``UnknownMember`` or ``TooManyChallenges``.

    One read, one Query, and one transaction of three items.
    """
    if not is_id("mbr", request.member_id):
        raise UnknownMember
    now, hashed = scope.clock(), payload_hash(request)
    loaded = StateRepository(scope.tenant, scope.table).load(request.member_id)
    name = hashlib.sha256(f"{challenge_id}|{request.member_id}|{request.request_id}".encode()).hexdigest()[:32]
    key = keys.request(scope.tenant, "challenge", "given", name)

    def answer_before(raw: RawItem) -> Gave:
        item = RequestItem.read(raw)
        check_same(item.hash, hashed)
        return api.GivenChallengeAnswer.model_validate(unpack(item.body)), True

    stored = scope.table.get(key)
    if stored is not None:
        return answer_before(stored)
    view = scope.definitions.at(now).fold
    challenge = view.challenges.in_force.get(challenge_id)
    if challenge is None:
        raise UnknownChallenge
    instance = derived_id("chl", now, name)

    def decide(state: MemberState, _stale: Stale) -> Change[Gave]:
        if not has_room(state, view, now):
            raise TooManyChallenges

        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> Gave:
            answer = _given(after, next(each for each in after.challenges if each.id == instance))
            record = RequestItem.at(key, hash=hashed, body=pack(answer.model_dump(exclude_none=True)), member=after.member)
            batch.put(REQUEST_LABEL, record, Path("PK").does_not_exist(), old=True)
            return answer, False

        return Change([ChallengeGiven(now, instance, challenge_id, challenge.version, actor)], finish, request=REQUEST_LABEL)

    return change_member(scope, loaded.state.member, Occasion(now, correlation), decide, replay=answer_before, loaded=loaded)


def list_challenges(scope: TenantScope, member: str) -> api.ChallengesAnswer:
    """Her challenges with their progress as of now, in her language. 1 Query, and 1 read for the language where there are any."""
    now = scope.clock()
    state, view = view_member(scope, member, now), scope.definitions.at(now).fold
    if not (state.challenges or view.challenges.automatic):
        return api.ChallengesAnswer(member_id=state.member, data=())
    found = [(instance, challenge) for instance in state.challenges if (challenge := _version_of(view, instance)) is not None]
    found += _not_begun(state, view, now)
    language = read_fields(scope, state.member, "identity").get("language")
    reader, order = scope.reader(language), {challenge.id: challenge.body.sort_order for _, challenge in found}
    rows = [(instance, _view(instance, challenge, view.zone, now, reader)) for instance, challenge in found]
    open_ = [(instance, row) for instance, row in rows if row.state == "open" and instance.until > now]
    completed = [(instance, row) for instance, row in rows if row.state == "completed"]
    open_.sort(key=lambda pair: (order[pair[0].challenge], pair[0].until, pair[0].start, pair[0].challenge, pair[0].id))
    completed.sort(key=lambda pair: -pair[0].completed_at)
    return api.ChallengesAnswer(member_id=state.member, data=tuple(row for _, row in [*open_, *completed[:MAX_COMPLETED]]))


def _version_of(view: FoldView, instance: Instance) -> Challenge | None:
    """The version that she received; of one without an end only while the challenge is in force, or once it is completed."""
    over = instance.until >= NEVER and not instance.times and instance.challenge not in view.challenges.in_force
    return None if over else view.challenges.version(instance.challenge, instance.version)


def _not_begun(state: MemberState, view: FoldView, now: Instant) -> list[tuple[Instance, Challenge]]:
    """What every member has now, where nothing has counted yet."""
    there = {(each.challenge, each.start) for each in state.challenges}
    found: list[tuple[Instance, Challenge]] = []
    for each in view.challenges.automatic:
        start, until = rules.window_of(each.body.window, received_at(state, each), now, view.zone)
        if until > now and (each.id, start) not in there:
            found.append((Instance("", each.id, each.version, start, until), each))
    return found


def _view(
    instance: Instance, challenge: Challenge, zone: str, now: Instant, reader: Reader
) -> api.ChallengeView:
    body, goal = challenge.body, challenge.body.goal
    whole = rules.progress(body, instance.base, instance.parts, zone)
    whole.times = instance.times
    done, needed = _progress(body, whole, zone, now)
    is_open = instance.times < body.times and now < instance.until
    reward = body.reward
    return api.ChallengeView(
        challenge_id=challenge.id,
        instance_id=instance.id or None,
        state="completed" if instance.times and not is_open else "open",
        of=goal.of,
        counted="cumulative" if isinstance(goal, StreakGoal) else goal.counted,
        per=goal.per if isinstance(goal, StreakGoal) else None,
        done=done,
        needed=needed,
        left=max(needed - done, 0) if is_open else 0,
        times=instance.times,
        repeat=body.times if body.times < UNLIMITED else None,
        starts_at=format_rfc3339(instance.start),
        ends_at=when(instance.until),
        completed_at=format_rfc3339(instance.completed_at) if instance.times else None,
        reward=api.ChallengeReward(
            points=reward.points,
            wallet=reward.wallet if reward.points is not None else None,
            offer_id=reward.offer,
            badge=reward.badge,
        ),
        **reader.shown(body.content, body.name, teased=not instance.id),
    )


def _progress(body: ChallengeBody, whole: Base, zone: str, now: Instant) -> tuple[int, int]:
    """What is done and needed, as people count it; all of it, once nothing more can be completed."""
    goal = body.goal
    if isinstance(goal, StreakGoal):
        is_broken = whole.last + 1 < rules.period_of(goal.per, now, zone)
        done, needed, unit = 0 if is_broken else whole.done, goal.periods, 1
    else:
        done, needed, unit = whole.done, rules.threshold_of(goal), rules.UNIT if goal.of == "items" else 1
    if whole.times >= body.times:
        done = needed
    return min(done, needed) // unit, -(-needed // unit)


def _given(state: MemberState, instance: Instance) -> api.GivenChallengeAnswer:
    return api.GivenChallengeAnswer(
        member_id=state.member,
        challenge_id=instance.challenge,
        instance_id=instance.id,
        starts_at=format_rfc3339(instance.start),
        ends_at=when(instance.until),
    )
