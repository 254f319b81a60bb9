"""Lost cards and changed numbers: identifiers are blocked at once, usable again, replaced or taken off. Her balance is never touched.

A blocked identifier stays hers: whoever shows it is refused without being told whose it is, and nobody else can register it. Each call is
one transaction over the identifiers' own items, the list of hers, and her state, which tells of it and says who did it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shared.counter.api import IdentifiersAnswer, IdentifierSelection, ReplaceRequest
from shared.kernel.errors import NotFound, StateConflict, Unprocessable
from shared.member_state.counter_events import IdentifiersChanged
from shared.member_state.effects import Effects
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.members.errors import IdentifierTaken
from shared.members.identifiers import IdentifierKind, InvalidIdentifier, normalise
from shared.members.repository import HELD_LABEL, MemberRepository, held_name
from shared.storage import keys, keys_rights
from shared.storage.commit import Stale
from shared.storage.expressions import Path
from shared.storage.items import IdentifierItem
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

KINDS: Final = ("phone", "email", "card", "external")
PROVIDERS: Final = ("apple", "google")
"""Who she may sign in with. What is theirs is taken off, and never blocked or replaced."""
MOST: Final = 15
"""Identifiers of one kind in one call: they are items of one transaction."""
NEW: Final = "new"
What = Literal["blocked", "unblocked", "removed"]


class UnknownIdentifier(NotFound):
    """She has no such identifier."""

    code, title = "unknown_identifier", "Unknown identifier"


class LastIdentifier(StateConflict):
    """Nothing else would lead to her: no way to sign in, and no card."""

    code, title = "last_identifier", "Last identifier"


class TooManyAtOnce(Unprocessable):
    """More identifiers of this kind than one call changes: name one."""

    code, title = "too_many_identifiers", "Too many identifiers"


@dataclass(frozen=True, slots=True)
class _Hers:
    """One identifier of hers. ``blocked``: since when."""

    kind: str
    blind: str
    blocked: int | None

    @property
    def label(self) -> str:
        """Of its write."""
        return f"identifier:{self.blind}"


def block(scope: TenantScope, member: str, which: IdentifierSelection, actor: str, correlation: str = "") -> IdentifiersAnswer:
    """Nobody is found by them from now on. Those that are blocked already stay so. ``UnknownIdentifier``."""
    return _Blocking(scope, member, which.kind, actor, correlation).change("blocked", which.value)


def unblock(scope: TenantScope, member: str, which: IdentifierSelection, actor: str, correlation: str = "") -> IdentifiersAnswer:
    """The card was found."""
    return _Blocking(scope, member, which.kind, actor, correlation).change("unblocked", which.value)


def remove(scope: TenantScope, member: str, kind: str, actor: str, correlation: str = "", *, herself: bool = False) -> IdentifiersAnswer:
    """Every identifier of a kind is hers no more, and anybody's who registers it. What Apple gave for hers a worker revokes there.

    ``herself``: Apple's and Google's alone, and not the last that leads to her (``LastIdentifier``, a read more): a found telephone
    must not cost her the card. ``UnknownIdentifier``.
    """
    may_go = PROVIDERS if herself else (*KINDS, *PROVIDERS)
    if kind not in may_go:
        raise UnknownIdentifier
    return _Blocking(scope, member, kind, actor, correlation).change("removed", None, keeps_another=herself)


def revoke(scope: TenantScope, member: str, kind: Literal["apple", "google"], subject: str, actor: str, correlation: str = "") -> None:
    """The identity of a provider that told us so leads to her no more. ``UnknownIdentifier`` if it does not."""
    _Blocking(scope, member, kind, actor, correlation).change("removed", subject)


def replace(scope: TenantScope, member: str, request: ReplaceRequest, actor: str, correlation: str = "") -> IdentifiersAnswer:
    """A new card in place of the old one, which is blocked. ``IdentifierTaken`` if the new one is somebody's."""
    return _Blocking(scope, member, request.old.kind, actor, correlation).replace(request)


class _Blocking:
    """One call about identifiers of one kind."""

    def __init__(self, scope: TenantScope, member: str, kind: str, actor: str, correlation: str) -> None:
        self.scope = scope
        self.kind = kind
        self.actor = actor
        self.correlation = correlation
        self.now = scope.clock()
        self.loaded = StateRepository(scope.tenant, scope.table).load(member)
        self.member = self.loaded.state.member
        self.members = MemberRepository(scope.tenant, scope.table)

    def change(self, what: What, value: str | None, *, keeps_another: bool = False) -> IdentifiersAnswer:
        """Block, free or take off those that are meant; what is so already is left alone."""
        name = self._blind(value) if value is not None else None

        def decide(_state: MemberState, _stale: Stale) -> Change[IdentifiersAnswer] | Done[IdentifiersAnswer]:
            every = self._hers()
            meant = self._meant(every, name)
            if keeps_another and not self._has_another():
                raise LastIdentifier("Prove a phone number or an address, or get a card, first.")
            due = [each for each in meant if what == "removed" or (each.blocked is None) == (what == "blocked")]
            if not due:
                return Done(self._answer(every))
            kept = what != "removed" or len(due) < len(every)

            def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> IdentifiersAnswer:
                for each in due:
                    self._add(batch, each, what)
                if what == "removed":
                    self._add_gone(batch, due)
                return self._answer(_after_change(every, due, what, self.now))

            return Change([IdentifiersChanged(self.now, self.kind, what, self.actor, kept)], finish)

        return change_member(self.scope, self.member, Occasion(self.now, self.correlation), decide, loaded=self.loaded)

    def replace(self, request: ReplaceRequest) -> IdentifiersAnswer:
        """Over the old items, the new one, and the list of hers: all or none. Repeating it changes nothing."""
        name = self._blind(request.old.value) if request.old.value is not None else None
        new = self._blind(request.new.value)

        def decide(_state: MemberState, stale: Stale) -> Change[IdentifiersAnswer] | Done[IdentifiersAnswer]:
            every = self._hers()
            is_hers = any(each.blind == new and each.blocked is None for each in every)
            if NEW in stale and not is_hers:
                raise IdentifierTaken(["/new/value"])
            old = [each for each in self._meant(every, name) if each.blind != new]
            due = [each for each in old if each.blocked is None]
            if is_hers and not due:
                return Done(self._answer(every))

            def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> IdentifiersAnswer:
                for each in due:
                    self._add(batch, each, "blocked")
                after = _after_change(every, due, "blocked", self.now)
                if not is_hers:
                    self.members.add_identifier(batch, NEW, self.kind, new, self.member)
                    self.members.add_held(batch, self.member, [(self.kind, new)])
                    after = [*after, _Hers(self.kind, new, None)]
                return self._answer(after)

            return Change([IdentifiersChanged(self.now, self.kind, "replaced", self.actor)], finish)

        return change_member(self.scope, self.member, Occasion(self.now, self.correlation), decide, loaded=self.loaded)

    def _hers(self, *kinds: str) -> list[_Hers]:
        """What she has of the kind, or of those that are named, as it is now. A read, and a batch read."""
        wanted, held = kinds or (self.kind,), self.members.held(self.member)
        where = {keys.identifier(self.scope.tenant, kind, blind): (kind, blind) for kind, blind in held if kind in wanted}
        found = self.scope.table.get_many(where, consistent=True)
        items = {where[key]: IdentifierItem.values(raw) for key, raw in found.items()}
        return [_Hers(*name, item.get("blocked")) for name, item in sorted(items.items()) if item["member"] == self.member]

    def _has_another(self) -> bool:
        """Whether something of another kind leads to her that is not blocked."""
        others = [kind for kind in (*KINDS, *PROVIDERS) if kind != self.kind]
        return any(each.blocked is None for each in self._hers(*others))

    def _meant(self, every: Sequence[_Hers], name: str | None) -> list[_Hers]:
        meant = [each for each in every if name is None or each.blind == name]
        if not meant:
            raise UnknownIdentifier
        if len(meant) > MOST:
            raise TooManyAtOnce(f"She has {len(meant)} of them.")
        return meant

    def _add(self, batch: WriteBatch, each: _Hers, what: What) -> None:
        """The write of one identifier, if it is still as it was read."""
        key = keys.identifier(self.scope.tenant, each.kind, each.blind)
        as_read = Path("blocked").does_not_exist() if each.blocked is None else Path("blocked") == each.blocked
        as_read = as_read & (Path("member") == self.member)
        if what == "removed":
            batch.delete(each.label, key, as_read)
        elif what == "blocked":
            batch.update(each.label, key, [Path("blocked").set(self.now)], as_read)
        else:
            batch.update(each.label, key, [Path("blocked").remove()], as_read)

    def _add_gone(self, batch: WriteBatch, gone: Sequence[_Hers]) -> None:
        names = {held_name(each.kind, each.blind) for each in gone}
        batch.update(HELD_LABEL, keys_rights.identifiers_of(self.scope.tenant, self.member), [Path("ids").delete(names)])

    def _blind(self, value: str) -> str:
        kind: IdentifierKind = self.kind  # type: ignore[assignment]
        try:
            return self.scope.blind(kind, normalise(kind, value, self.scope.definitions.settings.country))
        except InvalidIdentifier:
            raise UnknownIdentifier from None

    def _answer(self, every: Sequence[_Hers]) -> IdentifiersAnswer:
        blocked = sum(each.blocked is not None for each in every)
        return IdentifiersAnswer(member_id=self.member, kind=self.kind, number=len(every), blocked=blocked)


def _after_change(every: Sequence[_Hers], changed: Sequence[_Hers], what: What, now: int) -> list[_Hers]:
    rest = [each for each in every if each not in changed]
    if what == "removed":
        return rest
    return [*rest, *(_Hers(each.kind, each.blind, now if what == "blocked" else None) for each in changed)]
