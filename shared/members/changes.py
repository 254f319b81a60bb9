"""Changing a member: profile fields and attributes, identifiers, consents. Each is one conditional transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.kernel.errors import FieldError
from shared.kernel.instants import Instant
from shared.member_state.effects import Effects
from shared.member_state.events import IdentifierAdded, ProfileChanged
from shared.member_state.model import MAX_ATTRIBUTES, MemberState, Scalar
from shared.member_state.repository import StateRepository, seal_facts
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.members import api, double_opt_in
from shared.members.age import check_age
from shared.members.answers import consent_answers, member_answer
from shared.members.claims import proven_claim
from shared.members.errors import IdentifierTaken, TooManyAttributes
from shared.members.model import ConsentRecord, checked_zone, facts_of, known, merged, normalised
from shared.members.objections import Objections, ObjectionStands, asks, changed_by, contacts_of, is_proven, standing
from shared.members.repository import PROFILE_LABEL, MemberRepository, StoredProfile, read_fields
from shared.members.service import Actor, consent_records
from shared.members.silencing import lifted_by
from shared.storage.commit import Stale
from shared.storage.errors import RawItem
from shared.storage.items import IdentifierItem
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

_IDENTIFIER_LABEL = "identifier"


class ProfileEdit:
    """A member's profile item being changed inside a decision about her: read once, decided again from what stood in the way."""

    def __init__(self, scope: TenantScope, member: str) -> None:
        self._repository = MemberRepository(scope.tenant, scope.table)
        self._member = member
        self.cipher = scope.cipher(member)
        self.fields: dict[str, str] = {}
        self._read(self._repository.profile(member))

    def _read(self, stored: StoredProfile) -> None:
        self._version = stored.version
        self._before = stored.fields(self.cipher)
        self.fields = dict(self._before)

    def refresh(self, stale: Stale) -> None:
        """Start again from the item that a failed condition met."""
        if PROFILE_LABEL in stale:
            self._read(MemberRepository.decode_profile(stale[PROFILE_LABEL]))

    def change(self, patch: Mapping[str, str | None]) -> tuple[str, ...]:
        """Apply a merge patch; answers the names of the fields that it changes."""
        self.fields = merged(self._before, patch)
        return tuple(sorted(name for name in patch if self.fields.get(name) != self._before.get(name)))

    def event(
        self,
        at: Instant,
        changed: tuple[str, ...],
        attributes: Mapping[str, Scalar | None] | None = None,
        cause: str = "",
        tags: tuple[str, ...] | None = None,
        zone: str | None = None,
    ) -> ProfileChanged:
        """What the state is told."""
        return ProfileChanged(at, known(self.fields), dict(attributes or {}), changed, cause, tags, zone)

    def sealed_facts(self) -> bytes:
        """The facts that stand beside the state."""
        return seal_facts(facts_of(self.fields), self.cipher)

    def add(self, batch: WriteBatch) -> None:
        """The profile's write."""
        self._repository.add_profile(batch, self._member, self._version, self.fields, self.cipher)

    def add_withdrawn(self, batch: WriteBatch, records: tuple[ConsentRecord, ...], now: Instant) -> None:
        """The records of consents that a new contact does not have."""
        self._repository.add_consents(batch, self._member, records, now)


def update_member(scope: TenantScope, member: str, patch: api.ProfilePatch, correlation: str = "") -> api.MemberAnswer:
    """Change profile fields and attributes by a merge patch. What changes nothing writes nothing. ``TooYoung``. 3 reads, 1 transaction."""
    loaded = StateRepository(scope.tenant, scope.table).load(member)
    member, now, settings = loaded.state.member, scope.clock(), scope.definitions.settings
    given: dict[str, Any] = patch.profile.model_dump(exclude_unset=True) if patch.profile is not None else {}
    fields = normalised(given, settings.country, now, settings.time_zone, "/profile")
    zone = checked_zone(patch.time_zone) if "time_zone" in patch.model_fields_set else None
    edit, objections = ProfileEdit(scope, member), standing(scope, contacts_of({n: value for n, value in fields.items() if value}))

    def decide(state: MemberState, stale: Stale) -> Change[api.MemberAnswer] | Done[api.MemberAnswer]:
        edit.refresh(stale)
        changed = edit.change(fields)
        if {"birth_date", "country"} & set(changed):
            check_age(settings, edit.fields, now, "/profile/birth_date")
        attributes = changed_attributes(state, patch.attributes)
        tags = tuple(sorted(set(patch.tags))) if patch.tags is not None else tuple(state.tags)
        if not changed and not attributes and tags == tuple(state.tags) and zone in (None, state.zone):
            return Done(member_answer(state, edit.fields))
        withdrawn = objections.withdrawn(state, now, member) if changed else ()

        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> api.MemberAnswer:
            if changed:
                edit.add(batch)
            edit.add_withdrawn(batch, withdrawn, now)
            return member_answer(after, edit.fields)

        events = [
            edit.event(now, changed, attributes, tags=tags, zone=zone),
            *lifted_by(state, changed, edit.fields, now),
            *changed_by(withdrawn, now),
        ]
        return Change(events, finish, facts=facts_of(edit.fields), sealed_facts=edit.sealed_facts())

    return change_member(scope, member, Occasion(now, correlation), decide, loaded=loaded)


def changed_attributes(state: MemberState, patch: Mapping[str, Scalar | None]) -> dict[str, Scalar | None]:
    """What of a patch differs from what is there (``1`` is not ``True``); ``TooManyAttributes`` if there would be too many."""
    held = state.attributes
    changed = {
        name: value for name, value in patch.items() if (type(held.get(name)), held.get(name)) != (type(value), value)
    }  # fmt: skip
    after = held.keys() - {name for name, value in changed.items() if value is None} | {n for n, v in changed.items() if v is not None}
    if len(after) > MAX_ATTRIBUTES:
        hint = FieldError("/attributes", "too_many_attributes", f"at most {MAX_ATTRIBUTES}")
        raise TooManyAttributes(f"A member has at most {MAX_ATTRIBUTES} attributes.", errors=(hint,))
    return changed


def add_identifier(scope: TenantScope, member: str, request: api.IdentifierRequest, correlation: str = "") -> tuple[api.MemberAnswer, bool]:
    """Attach a proven identifier; answers whether it is new. ``IdentifierTaken`` if another member has it.

    Attaching what she has already answers the same and writes nothing. 3 reads, 1 transaction.
    """
    claim = proven_claim(scope.definitions.settings, request)
    loaded = StateRepository(scope.tenant, scope.table).load(member)
    member, now = loaded.state.member, scope.clock()
    fields = read_fields(scope, member)
    repository, before = MemberRepository(scope.tenant, scope.table), member_answer(loaded.state, fields)

    def replay(raw: RawItem) -> tuple[api.MemberAnswer, bool]:
        owner = IdentifierItem.read(raw).member
        if owner != member:
            raise IdentifierTaken([claim.pointer], frozenset({owner}))
        return before, False

    def decide(_state: MemberState, _stale: Stale) -> Change[tuple[api.MemberAnswer, bool]]:
        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> tuple[api.MemberAnswer, bool]:
            identifier = (claim.kind, scope.blind(claim.kind, claim.value))
            repository.add_identifier(batch, _IDENTIFIER_LABEL, *identifier, member)
            repository.add_held(batch, member, [identifier])
            return member_answer(after, fields), True

        return Change([IdentifierAdded(now, claim.kind)], finish, request=_IDENTIFIER_LABEL)

    return change_member(scope, member, Occasion(now, correlation), decide, replay=replay, loaded=loaded)


def set_consents(
    scope: TenantScope, member: str, request: api.ConsentsRequest, actor: Actor, correlation: str = ""
) -> api.ConsentsAnswer:
    """Record answers: they hold at once. An answer that is the current one, to the same document, is not recorded again.

    Marketing by e-mail may have to wait for her confirmation (``shared.members.double_opt_in``).
    ``ObjectionStands`` where the owner of her contact objected, unless she herself says so over a contact that is proven hers. Two reads
    more where marketing by e-mail or SMS is allowed, and one with a text that was shown.
    """
    now, loaded = scope.clock(), StateRepository(scope.tenant, scope.table).load(member)
    records = consent_records(request.consents, now, request.source, actor)
    repository, hers = MemberRepository(scope.tenant, scope.table), loaded.state.member
    objections = standing(scope, contacts_of(read_fields(scope, hers, "contact"))) if asks(records) else Objections()
    cipher = scope.cipher(hers) if any(each.text for each in records) else None

    def decide(state: MemberState, _stale: Stale) -> Change[api.ConsentsAnswer] | Done[api.ConsentsAnswer]:
        anew = {each.channel for each in records if objections.against(each)}
        is_her_own_word = actor.id == state.member and all(is_proven(state, channel) for channel in anew)
        if anew and not is_her_own_word:
            raise ObjectionStands(f"/consents/{index}" for index, each in enumerate(records) if objections.against(each))
        settled = double_opt_in.for_member(scope.definitions.settings, records, state, actor.id)
        fresh = tuple(each for each in settled if double_opt_in.is_news(state, each, now))
        if not fresh:
            return Done(_consents(state))

        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> api.ConsentsAnswer:
            repository.add_consents(batch, after.member, fresh, now, cipher)
            objections.add_end(batch, anew)
            return _consents(after)

        return Change(changed_by(fresh, now), finish)

    return change_member(scope, hers, Occasion(now, correlation), decide, loaded=loaded)


def _consents(state: MemberState) -> api.ConsentsAnswer:
    return api.ConsentsAnswer(member_id=state.member, consents=consent_answers(state))
