"""Merging two members. What is asked holds at once: from that write on the one id leads to the other member, whose points, profile and
consents are those of both. The many rows follow by a worker (``shared.merging.working``), which the commit's event wakes.

One transaction over both states, so that neither a sale nor another merge comes between; whoever was deciding about one of them meanwhile
is asked to repeat the call, and meets who is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared.kernel.ids import is_id, new_id
from shared.kernel.instants import format_rfc3339
from shared.member_state.effects import Effects
from shared.member_state.errors import MemberRestricted, UnknownMember
from shared.member_state.model import MAX_FORMER, MemberState, copy_state
from shared.member_state.repository import Loaded, StateRepository
from shared.member_state.service import Change, Companion, Done, Occasion, change_member, peek
from shared.member_state.uniting import stricter
from shared.member_state.uniting_events import MergedAway, United
from shared.members.changes import ProfileEdit
from shared.members.model import ConsentRecord, known
from shared.members.objections import contacts_of, standing
from shared.members.repository import read_fields
from shared.merging.api import MergeAnswer, MergedWallet, MergeRequest
from shared.merging.errors import HoldOpen, MemberMerged, SameMember, TooManyMerged, UnknownMerge
from shared.merging.model import STEPS, Merge, Outcome
from shared.merging.repository import MergeRepository
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

SOURCE: Final = "merge"
_ADDRESS: Final = frozenset({"street", "postal_code", "city", "country"})
"""Parts of one address: they are filled together, or not at all."""


def merge(scope: TenantScope, member: str, request: MergeRequest, actor: str, correlation: str = "") -> MergeAnswer:
    """``request.from_member_id`` turned out to be ``member``, who is left. Asking again answers the same merge.

    Two Queries, four reads (a batch more where she gets a contact), and a transaction of at most nine items and what a better tier
    gives. ``SameMember``, ``MemberMerged``, ``HoldOpen``,
    ``TooManyMerged``, ``MemberRestricted``; ``UnknownMember`` and ``ErasedMember`` of either.
    """
    if not is_id("mbr", request.from_member_id):
        raise UnknownMember
    work = _Merging(scope, member, request, actor, correlation)
    if request.dry_run:
        return work.tried()
    return change_member(scope, request.from_member_id, Occasion(work.now, correlation), work.decide)


def progress(scope: TenantScope, duplicate: str) -> MergeAnswer:
    """How far the merge of a member is. 1 read unit. ``UnknownMerge`` for one who was not merged, ``UnknownMember``."""
    found = MergeRepository(scope.tenant, scope.table).get(duplicate)
    if found is None:
        StateRepository(scope.tenant, scope.table).load(duplicate)
        raise UnknownMerge
    return _answer(found)


@dataclass
class _Merging:
    """One request to merge."""

    scope: TenantScope
    member: str
    request: MergeRequest
    actor: str
    correlation: str
    now: int = field(init=False)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.scope.clock()
        self.id = new_id("mrg", self.now)
        self._states = StateRepository(self.scope.tenant, self.scope.table)
        self._merges = MergeRepository(self.scope.tenant, self.scope.table)

    def tried(self) -> MergeAnswer:
        """What it would come to, decided in memory."""
        goes, survivor = self._states.load(self.request.from_member_id), self._states.load(self.member)
        before = self._before(goes.state, survivor.state)
        if before is not None:
            return before
        together = _Together(self, peek(self.scope, goes, self.now), survivor)
        return _answer(together.record, "dry_run")

    def decide(self, state: MemberState, _stale: Stale) -> Change[MergeAnswer] | Done[MergeAnswer]:
        """What becomes of the one who goes, with the other as she is now."""
        survivor = self._states.load(self.member)
        before = self._before(state, survivor.state)
        if before is not None:
            return Done(before)
        together = _Together(self, state, survivor)
        away = MergedAway(self.now, survivor.state.member, self.id, self.request.reason, self.actor)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> MergeAnswer:
            self._merges.add_new(batch, together.record)
            together.add(batch)
            return _answer(together.record)

        return Change([away], finish, companion=Companion(survivor, lambda _effects: [together.event]))

    def _before(self, goes: MemberState, survivor: MemberState) -> MergeAnswer | None:
        """The answer of this very merge, if it was carried out; raises where there can be none."""
        asked = self.request.from_member_id
        if goes.member != asked:
            stored = self._merges.get(asked)
            if stored is not None and goes.member == survivor.member:
                return _answer(stored)
            raise MemberMerged(goes.member)
        if goes.member == survivor.member:
            raise SameMember
        if goes.holds:
            raise HoldOpen("A basket holds points or a coupon of the member who would go.")
        if len(goes.former) + len(survivor.former) + 1 > MAX_FORMER:
            raise TooManyMerged(f"At most {MAX_FORMER} members may turn out to be one.")
        if goes.restriction is not None or survivor.restriction is not None:
            raise MemberRestricted("The processing of her data is restricted; nothing is changed until that is lifted.")
        return None


class _Together:
    """What the two are together: the survivor's profile, her consents, the record, and what her state is told."""

    def __init__(self, work: _Merging, goes: MemberState, survivor: Loaded) -> None:
        scope, hers = work.scope, survivor.state
        self._scope, self._work, self._member = scope, work, hers.member
        self._edit = ProfileEdit(scope, hers.member)
        own, theirs = dict(self._edit.fields), read_fields(scope, goes.member)
        has_address = bool(_ADDRESS & own.keys())
        gaps = {name: value for name, value in theirs.items() if name not in own and not (has_address and name in _ADDRESS)}
        self._filled = self._edit.change(gaps)
        differing = [name for name in sorted(own.keys() & theirs.keys()) if own[name] != theirs[name]]
        differing += sorted((_ADDRESS & theirs.keys()) - own.keys()) if has_address else []
        self._consents(goes, hers, differing)
        self.record = Merge(
            work.id, goes.member, hers.member, work.request.reason, work.actor, work.now, self._outcome(goes, hers, differing),
            work.correlation,
        )  # fmt: skip
        self.event = United(
            work.now, copy_state(goes), work.id, work.request.reason, work.actor, known(self._edit.fields), self._answers
        )  # fmt: skip
        if self._filled:
            survivor.sealed_facts = self._edit.sealed_facts()

    def _consents(self, goes: MemberState, hers: MemberState, differing: list[str]) -> None:
        """The stricter of both; and what an objection stands against over a contact that she has now, no more."""
        # What only waits for a confirmation is no answer yet, and would be confirmed by a link to an id that is none any more.
        answered = {key: each for key, each in goes.consents.items() if key not in goes.pending}
        self._answers = stricter(hers.consents, answered, differing)
        contacts = contacts_of({name: self._edit.fields[name] for name in self._filled})
        united = MemberState(hers.tenant, hers.member, consents=self._answers)
        self._objected = standing(self._scope, contacts).withdrawn(united, self._work.now, self._work.actor)
        self._answers |= {each.key: each.current for each in self._objected}
        self._changed = {key: each for key, each in self._answers.items() if hers.consents.get(key) != each}

    def _outcome(self, goes: MemberState, hers: MemberState, differing: list[str]) -> Outcome:
        attributes = (name for name, value in goes.attributes.items() if hers.attributes.get(name, value) != value)
        withdrawn = (key for key, each in self._changed.items() if not each.granted and key in hers.consents)
        return Outcome(
            wallets=tuple((name, sum(lot.points for lot in each.lots), each.debt) for name, each in sorted(goes.wallets.items())),
            filled=self._filled,
            conflicts=(*differing, *sorted(f"attributes.{name}" for name in attributes)),
            withdrawn=tuple(sorted(withdrawn)),
            coupons=tuple(sorted(goes.coupons)),
            segments=tuple(sorted(goes.segments)),
            former=tuple(goes.former),
            version=goes.version + 1,
        )

    def add(self, batch: WriteBatch) -> None:
        """Her profile, and the records of consents that an objection took away. Those of the other stay where they are, as proof."""
        records: tuple[ConsentRecord, ...] = self._objected
        self._edit.add_withdrawn(batch, records, self._work.now)
        if self._filled:
            self._edit.add(batch)


def _answer(record: Merge, status: str = "") -> MergeAnswer:
    outcome, completed = record.outcome, record.done.get(STEPS[-1])
    return MergeAnswer(
        merge_id=record.id,
        member_id=record.survivor,
        from_member_id=record.duplicate,
        status=status or record.status,
        wallets=tuple(MergedWallet(wallet=name, points=points, debt=debt) for name, points, debt in outcome.wallets),
        coupons=len(outcome.coupons),
        filled=outcome.filled,
        conflicts=outcome.conflicts,
        consents_withdrawn=outcome.withdrawn,
        merged_at=format_rfc3339(record.at),
        completed_at=format_rfc3339(completed) if completed is not None else None,
    )
