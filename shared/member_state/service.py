"""The one way to change a member: load, advance, decide, fold, commit. Every use case about a member goes through here.

Cost: one consistent Query of the state (and history), one transaction. Definitions come from the cache; the member's key
is read only when a live segment asks for a personal fact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from shared.coupons.promises import add_promised
from shared.kernel.errors import ConcurrentUpdate
from shared.kernel.instants import Instant
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent, Mode, TimePassed
from shared.member_state.model import Facts, MemberState
from shared.member_state.repository import STATE_LABEL, Loaded, Stamp, StateRepository
from shared.member_state.rules import advance, apply, needs_facts
from shared.member_state.view import Views
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

T = TypeVar("T")
COMPANION: Final = "other:"
"""Before the labels of a companion's writes."""


@dataclass(slots=True)
class Companion:
    """Another member to whom something happens in the same commit: the other side of a transfer or a referral.

    ``decide`` loads her anew each time it is called; ``events`` is asked after the first member's fold, with its effects.
    """

    loaded: Loaded
    events: Callable[[Effects], Sequence[MemberEvent]]


@dataclass(slots=True)
class Change(Generic[T]):
    """A decision about a member: what happens to her, what else is written, and what to answer.

    ``finish`` makes the answer from the state after the fold and may add writes (the request record stores the answer).
    """

    events: Sequence[MemberEvent]
    finish: Callable[[MemberState, Effects, WriteBatch], T]
    request: str | None = None
    facts: Facts | None = None
    """New personal facts, sealed already in ``sealed_facts``."""
    sealed_facts: bytes | None = None
    companion: Companion | None = None


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A decision that needs no write."""

    result: T


Decide = Callable[[MemberState, Stale], Change[T] | Done[T]]
"""Called again, with what stood in the way, when the world moved."""


@dataclass(slots=True)
class Occasion:
    """Circumstances of a change: when it happened, in which mode, for whose correlation id."""

    at: Instant
    correlation: str = ""
    mode: Mode = "live"
    due_shards: int = field(default=1)


class MemberSession:
    """One member kept in memory over several changes in a row (a batch of her sales): each but the first saves its read."""

    def __init__(self, scope: TenantScope, member: str, loaded: Loaded | None = None) -> None:
        self._scope = scope
        self._member = member
        self._repository = StateRepository(scope.tenant, scope.table)
        self._loaded = loaded

    def change(self, occasion: Occasion, decide: Decide[T], *, replay: Callable[[RawItem], T] | None = None) -> T:
        """Carry out one change, exactly once. See ``shared.storage.commit`` for races and retries."""
        current, self._loaded = self._loaded or self._repository.load(self._member), None
        member = current.state.member

        def plan(stale: Stale) -> Plan[T]:
            nonlocal current
            raw = stale.get(STATE_LABEL)
            if raw is not None:
                current = self._repository.again(current, raw)
            elif stale:
                # Something else than the state stood in the way; the fold has consumed the state, so it is read again.
                current = self._repository.load(self._member)
            if current.state.member != member:
                raise ConcurrentUpdate("She was merged into another member meanwhile.")
            return _plan(self._scope, self._repository, current, occasion, decide, stale)

        answers_before = None if replay is None else _Once(replay)
        result = commit(self._scope.table, plan, effort=self._scope.effort(), replay=answers_before)
        if answers_before is None or not answers_before.used:
            # What was committed is what is in memory; after a replay it is not.
            self._loaded = current
        return result


class _Once(Generic[T]):
    """A replay that remembers whether it answered."""

    def __init__(self, replay: Callable[[RawItem], T]) -> None:
        self._replay = replay
        self.used = False

    def __call__(self, raw: RawItem) -> T:
        answer = self._replay(raw)
        self.used = True
        return answer


def change_member(
    scope: TenantScope,
    member: str,
    occasion: Occasion,
    decide: Decide[T],
    *,
    replay: Callable[[RawItem], T] | None = None,
    loaded: Loaded | None = None,
) -> T:
    """One change of one member."""
    return MemberSession(scope, member, loaded).change(occasion, decide, replay=replay)


def view_member(scope: TenantScope, member: str, at: Instant) -> MemberState:
    """A member as of an instant, for reading: time is advanced in memory, nothing is written. One Query."""
    return peek(scope, StateRepository(scope.tenant, scope.table).load(member), at)


def peek(scope: TenantScope, loaded: Loaded, at: Instant) -> MemberState:
    """Advance a loaded state in memory."""
    views = scope.definitions.fold_at
    advance(loaded.state, at, views, _facts(scope, loaded, at, views), Effects())
    return loaded.state


def tick_member(scope: TenantScope, member: str, now: Instant, correlation: str = "") -> bool:
    """Let time pass for a member whose timer is due. ``False`` if it was not (the index is only a hint)."""
    loaded = StateRepository(scope.tenant, scope.table).load(member)
    if loaded.state.timer is None or loaded.state.timer > now:
        behind = loaded.state.epoch < scope.definitions.fold_at(now).epoch
        if not behind:
            return False

    def decide(_state: MemberState, _stale: Stale) -> Change[bool]:
        return Change([TimePassed(now)], lambda _after, _effects, _batch: True)

    return change_member(scope, member, Occasion(now, correlation), decide, loaded=loaded)


def _plan(
    scope: TenantScope, repository: StateRepository, current: Loaded, occasion: Occasion, decide: Decide[T], stale: Stale
) -> Plan[T]:
    views, state, effects = _views(scope, occasion), current.state, Effects()
    facts = _facts(scope, current, occasion.at, views)
    advance(state, occasion.at, views, facts, effects)
    change = decide(state, stale)
    batch = WriteBatch()
    if isinstance(change, Done):
        return Plan(batch, change.result)
    if change.sealed_facts is not None:
        current.sealed_facts, facts = change.sealed_facts, change.facts
    for event in change.events:
        apply(state, event, views, facts, effects)
    result = change.finish(state, effects, batch)
    stamp = Stamp(scope.clock(), occasion.correlation, occasion.mode, occasion.due_shards)
    add_promised(scope, batch, state, effects)
    repository.add_writes(batch, current, effects, stamp)
    if change.companion is not None:
        _add_companion(scope, repository, change.companion, occasion, effects, batch, stamp)
    return Plan(batch, result, change.request)


def _add_companion(
    scope: TenantScope,
    repository: StateRepository,
    companion: Companion,
    occasion: Occasion,
    effects: Effects,
    batch: WriteBatch,
    stamp: Stamp,
) -> None:
    """The other member's fold and writes, under the version that she was read with."""
    views, state, hers = _views(scope, occasion), companion.loaded.state, Effects()
    facts = _facts(scope, companion.loaded, occasion.at, views)
    advance(state, occasion.at, views, facts, hers)
    for event in companion.events(effects):
        apply(state, event, views, facts, hers)
    add_promised(scope, batch, state, hers)
    repository.add_writes(batch, companion.loaded, hers, stamp, prefix=COMPANION)


def _views(scope: TenantScope, occasion: Occasion) -> Views:
    """The definitions of each instant; for imported history those in force now: there were none of ours then."""
    definitions = scope.definitions
    if occasion.mode == "historical":
        now = scope.clock()
        return lambda _at: definitions.at(now).fold_of_history
    return definitions.fold_at


def _facts(scope: TenantScope, loaded: Loaded, at: Instant, views: Views) -> Facts | None:
    """The personal facts, opened only when a live segment asks for them: one read of the keys table."""
    if loaded.sealed_facts is None or not needs_facts(loaded.state, views, at):
        return None
    return loaded.facts(scope.cipher(loaded.state.member))
