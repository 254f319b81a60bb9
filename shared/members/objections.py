"""Objections to marketing that outlive a membership: a phone number or address whose owner was erased stays without it.

They are kept as keyed hashes of the contact, made when she is erased (``shared.erasure.steps``). Whoever brings the contact back,
an import, a till, a form, brings no consent with it; only she herself gives one anew, signed in, over a contact that is proven hers.
Messages of the purpose ``service`` are no marketing and are not held back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from shared.kernel.errors import FieldError, StateConflict
from shared.kernel.instants import Instant
from shared.member_state.events import ConsentsChanged
from shared.member_state.model import MemberState
from shared.members.model import ConsentRecord
from shared.members.silencing import ADDRESSES
from shared.storage import keys_rights
from shared.storage.keys import Key
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

SERVICE: Final = "service"
SOURCE: Final = "objection"
"""The source of a consent that an objection took away."""
_FIELDS: Final[Mapping[str, str]] = {channel: name for name, channel in ADDRESSES.items()}


class ObjectionStands(StateConflict):
    """The owner of this contact objected to marketing; only she can take it back."""

    code, title = "objection_stands", "An objection stands"

    def __init__(self, pointers: Iterable[str]) -> None:
        errors = tuple(FieldError(pointer, self.code, "whoever owns the contact objected") for pointer in pointers)
        super().__init__("Only the guest herself can consent again: signed in, and over a contact that is proven hers.", errors=errors)


class Objections:
    """The objections against the contacts of one member: channels by name, and where each is kept."""

    def __init__(self, found: Mapping[str, frozenset[Key]] | None = None) -> None:
        self._found = dict(found or {})

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def channels(self) -> frozenset[str]:
        """Channels that one stands against."""
        return frozenset(self._found)

    def against(self, record: ConsentRecord) -> bool:
        """Whether a consent may not be taken for granted."""
        return record.is_yes and record.purpose != SERVICE and record.channel in self._found

    def without(self, records: Iterable[ConsentRecord]) -> tuple[ConsentRecord, ...]:
        """The answers that somebody brings, as they may be believed: what an objection stands against is no consent."""
        return tuple(replace(each, granted=False, source=SOURCE, state="") if self.against(each) else each for each in records)

    def withdrawn(self, state: MemberState, at: Instant, actor: str) -> tuple[ConsentRecord, ...]:
        """What she had allowed over channels that an objection stands against now."""
        given = ((*key.rpartition(":")[::2], consent) for key, consent in state.consents.items())
        records = (ConsentRecord(purpose, channel, True, consent.version, at, SOURCE, actor) for purpose, channel, consent in given
                   if consent.granted)  # fmt: skip
        return tuple(replace(each, granted=False) for each in records if self.against(each))

    def add_end(self, batch: WriteBatch, channels: Iterable[str]) -> None:
        """She has consented anew over these channels herself: what stood against them goes. Labels ``objection:<n>``."""
        gone = sorted(key for channel in set(channels) for key in self._found.get(channel, ()))
        for number, key in enumerate(gone):
            batch.delete(f"objection:{number}", key)


def changed_by(records: Sequence[ConsentRecord], at: Instant) -> list[ConsentsChanged]:
    """What the state is told of records; nothing where there are none."""
    pending = tuple(each.key for each in records if each.state == "pending")
    return [ConsentsChanged(at, {each.key: each.current for each in records}, pending)] if records else []


def standing(scope: TenantScope, contacts: Mapping[str, str]) -> Objections:
    """The objections against contacts, by kind (``phone``, ``email``), consistently. One batch read where there are any contacts."""
    where: dict[Key, str] = {
        keys_rights.objection(scope.tenant, ADDRESSES[kind], scope.blind(kind, value)): ADDRESSES[kind]
        for kind, value in contacts.items()
        if kind in ADDRESSES
    }
    found = scope.table.get_many(where, consistent=True)
    channels = {where[key] for key in found}
    return Objections({channel: frozenset(key for key in found if where[key] == channel) for channel in channels})


def contacts_of(fields: Mapping[str, str]) -> dict[str, str]:
    """The contacts among fields of a profile."""
    return {name: fields[name] for name in ADDRESSES if name in fields}


def asks(records: Iterable[ConsentRecord]) -> bool:
    """Whether any of the answers is one that an objection could stand against."""
    return any(each.is_yes and each.purpose != SERVICE and each.channel in _FIELDS for each in records)


def believed(scope: TenantScope, records: tuple[ConsentRecord, ...], fields: Mapping[str, str]) -> tuple[ConsentRecord, ...]:
    """Answers that come with a new member, as far as they may be believed. One batch read where one is asked for."""
    return standing(scope, contacts_of(fields)).without(records) if asks(records) else records


def is_proven(state: MemberState, channel: str) -> bool:
    """Whether she has proven a contact of the channel to be hers."""
    return _FIELDS.get(channel) in state.identifier_kinds
