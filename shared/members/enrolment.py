"""Enrolling: one transaction that makes a member, or none. Every proven identifier, the profile, STATE version 1, the consents.

Cost: one write to the keys table (an orphan key is harmless, so it goes first), then one transaction of 3 items and one per
identifier and consent. One batch read more where consents to be written to by e-mail or SMS come with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.coupons.promises import add_promised
from shared.kernel.ids import new_id
from shared.kernel.instants import Instant
from shared.member_state.effects import Effects
from shared.member_state.events import Mode, Registered
from shared.member_state.model import MemberState, Scalar
from shared.member_state.repository import Loaded, Stamp, StateRepository, seal_facts
from shared.member_state.rules import apply
from shared.member_state.view import Views
from shared.members.claims import Claim
from shared.members.errors import IdentifierTaken
from shared.members.model import ConsentRecord, Fields, facts_of, known
from shared.members.objections import believed
from shared.members.repository import MemberRepository
from shared.privacy.keyring import MemberCipher
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import IdentifierItem, RequestItem
from shared.storage.keys import Key
from shared.storage.packing import pack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions.repository import REQUEST_LABEL, check_same
from shared.wallet.model import Posting

_CLAIM = "id:"


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """A call with a key of its own: where its record lies, and what makes a repetition the same call."""

    key: Key
    hash: bytes


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Everything about a new member. ``call`` makes a registration without an identity safe to repeat."""

    at: Instant
    mode: Mode
    source: str
    location: str
    claims: tuple[Claim, ...]
    fields: Fields
    attributes: Mapping[str, Scalar]
    consents: tuple[ConsentRecord, ...] = ()
    call: KeyedCall | None = None
    correlation: str = ""
    referrer: str | None = None
    tags: tuple[str, ...] = ()
    opening: tuple[Posting, ...] = ()
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The member; ``state`` is ``None`` if she was one before."""

    member: str
    state: MemberState | None = None


def enrol(scope: TenantScope, enrolment: Enrolment) -> Enrolled:
    """Make the member, exactly once. Who claims an identity (or repeats a keyed call) again gets the member that is there.

    ``IdentifierTaken`` if any other identifier is somebody's; nothing is stored then.
    """
    return _Attempt(scope, enrolment).carry_out()


class _Attempt:
    """One enrolment being committed: the member's id and key stay, the claims may get fewer."""

    def __init__(self, scope: TenantScope, enrolment: Enrolment) -> None:
        self.scope = scope
        self.given = enrolment
        self.member = new_id("mbr", scope.clock())
        self.claims = {f"{_CLAIM}{index}": claim for index, claim in enumerate(enrolment.claims)}
        self.cipher: MemberCipher = scope.new_cipher(self.member)
        self.repository = MemberRepository(scope.tenant, scope.table)
        self.consents = believed(scope, enrolment.consents, enrolment.fields)

    def carry_out(self) -> Enrolled:
        """Commit, or answer who is there."""
        return commit(self.scope.table, self._plan, effort=self.scope.effort(), replay=self._replay)

    def _plan(self, stale: Stale) -> Plan[Enrolled]:
        self._settle(stale)
        state, batch = MemberState(self.scope.tenant, self.member, as_of=self.given.at), WriteBatch()
        facts = facts_of(self.given.fields)
        loaded = Loaded(state, sealed_facts=seal_facts(facts, self.cipher))
        effects, views = Effects(), self._views()
        apply(state, self._event(), views, facts, effects)
        if (call := self.given.call) is not None:
            record = RequestItem.at(call.key, hash=call.hash, body=pack([]), member=self.member)
            batch.put(REQUEST_LABEL, record, Path("PK").does_not_exist(), old=True)
        taken = {label: (claim.kind, self.scope.blind(claim.kind, claim.value)) for label, claim in self.claims.items()}
        for label, identifier in taken.items():
            self.repository.add_identifier(batch, label, *identifier, self.member)
        self.repository.add_held(batch, self.member, taken.values())
        self.repository.add_profile(batch, self.member, 0, self.given.fields, self.cipher)
        self.repository.add_consents(batch, self.member, self.consents, self.scope.clock(), self.cipher)
        stamp = Stamp(self.scope.clock(), self.given.correlation, self.given.mode)
        add_promised(self.scope, batch, state, effects)
        StateRepository(self.scope.tenant, self.scope.table).add_writes(batch, loaded, effects, stamp)
        return Plan(batch, Enrolled(self.member, state), self._request())

    def _event(self) -> Registered:
        given = self.given
        return Registered(
            at=given.at,
            source=given.source,
            location=given.location,
            identifier_kinds=tuple(sorted({claim.kind for claim in self.claims.values()})),
            known=known(given.fields),
            attributes=dict(given.attributes),
            consents={record.key: record.current for record in self.consents},
            referrer=given.referrer,
            tags=given.tags,
            opening=given.opening,
            zone=given.zone,
            pending=tuple(record.key for record in self.consents if record.state == "pending"),
        )

    def _views(self) -> Views:
        """Definitions of the instant; for imported history those in force now, as every historical change is decided."""
        definitions, now = self.scope.definitions, self.scope.clock()
        return definitions.fold_at if self.given.mode != "historical" else lambda _at: definitions.at(now).fold_of_history

    def _request(self) -> str | None:
        """The write whose existence answers a repetition: the call's own record, else the identity."""
        if self.given.call is not None:
            return REQUEST_LABEL
        return next((label for label, claim in self.claims.items() if claim.kind in ("apple", "google")), None)

    def _settle(self, stale: Stale) -> None:
        """Give up optional claims that are somebody's; refuse for the others."""
        taken = {label: self.claims[label] for label in stale if label.startswith(_CLAIM)}
        refused = {label: claim for label, claim in taken.items() if not claim.optional}
        if refused:
            owners = frozenset(IdentifierItem.read(raw).member for label in refused if (raw := stale[label]) is not None)
            raise IdentifierTaken([claim.pointer for claim in refused.values()], owners)
        for label in taken:
            del self.claims[label]

    def _replay(self, raw: RawItem) -> Enrolled:
        """Who is there: the member of the identity, or of the call's record."""
        if self.given.call is None:
            return Enrolled(IdentifierItem.read(raw).member)
        record = RequestItem.read(raw)
        check_same(record.hash, self.given.call.hash)
        return Enrolled(str(record.member))
