"""Everything that is kept of a member, by the entries of the registry of personal data: each is collected, or it is said why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

from shared.campaigns.deliveries import DeliveryRepository
from shared.campaigns.writing import kept_links
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import NEVER, Instant, format_rfc3339
from shared.member_state.effects import LedgerEntry
from shared.member_state.model import MemberState
from shared.member_state.repository import Loaded, StateRepository
from shared.member_state.service import peek
from shared.members.identifiers import mask
from shared.members.objections import contacts_of, standing
from shared.members.profiles import get_profile
from shared.members.repository import MemberRepository
from shared.merging.repository import MergeRepository
from shared.messaging.inbox import opened
from shared.privacy.keyring import MemberCipher
from shared.privacy.registry import ENTRIES, PROFILE_GROUPS, PURPOSES, Entry
from shared.rewards.repository import ClaimRepository
from shared.storage import keys, keys_access, keys_counter
from shared.storage.errors import RawItem
from shared.storage.items import DeviceItem
from shared.storage.items_access import SessionItem
from shared.storage.items_counter import ConfirmationItem
from shared.tenants.scope import TenantScope
from shared.transactions.errors import UnknownTransaction
from shared.transactions.repository import SaleRepository, natural_key

_PAGE: Final = 100


@dataclass
class Source:
    """What is read of her, each once."""

    scope: TenantScope
    loaded: Loaded

    @property
    def member(self) -> str:
        """Her id."""
        return self.loaded.state.member

    @cached_property
    def state(self) -> MemberState:
        """Her state as of now."""
        return peek(self.scope, self.loaded, self.scope.clock())

    @cached_property
    def cipher(self) -> MemberCipher:
        """Her key."""
        return self.scope.cipher(self.member)

    @cached_property
    def fields(self) -> dict[str, str]:
        """Her personal fields."""
        stored = MemberRepository(self.scope.tenant, self.scope.table).profile(self.member)
        return stored.fields(self.cipher) if stored.version else {}

    @cached_property
    def ledger(self) -> list[tuple[Instant, LedgerEntry]]:
        """Every entry with when it was committed, newest commit first."""
        repository, found, start = StateRepository(self.scope.tenant, self.scope.table), [], None
        while True:
            rows, start = repository.ledger_of(self.loaded.state, _PAGE, start)
            found += [(committed_at, entry) for _, committed_at, entries in rows for entry in entries]
            if start is None:
                return found

    @property
    def persons(self) -> tuple[str, ...]:
        """Her id, and those of members who turned out to be her: what lies in their partitions is hers."""
        return self.member, *self.loaded.state.former

    def rows_of_all(self, prefix: str) -> Iterator[tuple[MemberCipher, RawItem]]:
        """Items of each partition that is hers, with the key that opens them."""
        for member in self.persons:
            cipher = self.scope.cipher(member)
            for raw in self.scope.table.query_all(keys.member(self.scope.tenant, member), begins=prefix, consistent=True):
                yield cipher, raw

    def rows(self, prefix: str) -> list[RawItem]:
        """Items of her partition."""
        return self.scope.table.query_all(keys.member(self.scope.tenant, self.member), begins=prefix, consistent=True)


def collect(scope: TenantScope, member: str) -> dict[str, Any]:
    """Every entry of the registry: what it is, what for, on which ground, for how long, where, and what is there.

    ``ErasedMember``, ``UnknownMember``. About one Query a kind, and a read for each sale and coupon.
    """
    source = Source(scope, StateRepository(scope.tenant, scope.table).load(member))
    sections = {entry.name: _about(entry) | _data(entry, source) for entry in ENTRIES}
    head = {"member_id": source.member, "controller": scope.definitions.settings.name, "made_at": format_rfc3339(scope.clock())}
    return head | {"sections": sections}


def _about(entry: Entry) -> dict[str, Any]:
    grounds = sorted({PURPOSES[purpose].basis for purpose in entry.purposes})
    recipients = sorted({PURPOSES[purpose].recipients for purpose in entry.purposes})
    about = {"what": entry.what, "purposes": list(entry.purposes), "legal_grounds": grounds}
    return about | {"recipients": recipients, "kept": entry.retention, "protection": entry.protection}


def _data(entry: Entry, source: Source) -> dict[str, Any]:
    if entry.name in NOT_COPIED:
        return {"data": None, "note": NOT_COPIED[entry.name]}
    return {"data": COLLECTORS[entry.name](source)}


def _field(name: str) -> Callable[[Source], Any]:
    return lambda source: source.fields.get(name)


def _facts(source: Source) -> Any:
    return {name: value for name, value in asdict(source.loaded.facts(source.cipher)).items() if value is not None}


def _identifiers(source: Source) -> Any:
    held = MemberRepository(source.scope.tenant, source.scope.table).held(source.member)
    shown: Mapping[str, str] = {kind: mask(kind, source.fields[kind]) for kind in ("phone", "email") if kind in source.fields}
    return [{"kind": kind, "shown": shown.get(kind, "***")} for kind, _ in held]


def _attributes(source: Source) -> Any:
    state = source.state
    lists = {name: _at(since) for name, since in state.lists.items()}
    return {"attributes": state.attributes, "tags": state.tags, "lists": lists, "time_zone": state.zone or None}


def _consents(source: Source) -> Any:
    scope = source.scope
    repository = MemberRepository(scope.tenant, scope.table)
    records = [record for member in source.persons for record in repository.consents(member, scope.cipher(member))]
    return [record | {name: _at(record[name]) for name in ("at", "asked_at") if name in record} for record in records]


def _restriction(source: Source) -> Any:
    """What stands; each restriction and lifting is a record among the consents."""
    stands = source.state.restriction
    return {"reason": stands.reason, "since": _at(stands.since)} if stands is not None else None


def _devices(source: Source) -> Any:
    items = [DeviceItem.read(raw) for raw in source.rows(keys.DEVICE_PREFIX)]
    return [{"id": each.SK.removeprefix(keys.DEVICE_PREFIX), "platform": each.platform, "status": each.status,
             "push_endpoint": each.endpoint, "registered_at": _at(int(each.registered_at))} for each in items]  # fmt: skip


def _sessions(source: Source) -> Any:
    items = [SessionItem.read(raw) for raw in source.rows(keys_access.SESSION_PREFIX)]
    return [{"since": _at(int(each.created_at)), "last_used": _at(int(each.rotated_at)), "ended": each.ended} for each in items]


def _confirmations(source: Source) -> Any:
    items = [ConfirmationItem.values(raw) for raw in source.rows(keys_counter.CONFIRMATION_PREFIX)]
    names = ("state", "way", "location", "points", "value")
    return [{name: item[name] for name in names} | {"until": _at(item["until"])} for item in items]


def _profile(source: Source) -> Any:
    """What her purchases say, the segments that she is in with the rule of each, and what campaigns sent her."""
    said = get_profile(source.scope, source.member).model_dump(mode="json", exclude_none=True)
    served = source.scope.definitions.at(source.scope.clock()).served_segments
    segments = [
        {"segment": key, "since": _at(since), "name": served[id_].body.get("name") if id_ in served else None,
         "rule": served[id_].body.get("rule") if id_ in served else None}
        for key, since in source.state.segments.items()
        for id_ in [key.rpartition("@")[0]]
    ]  # fmt: skip
    touches = [{"campaign": each.campaign, "step": each.step, "channel": each.channel, "at": _at(each.at), "held_out": each.held}
               for each in source.state.touches]  # fmt: skip
    return {"purchases": said, "segments": segments, "messages_counted": touches}


def _ledger(source: Source) -> Any:
    return [
        {"kind": entry.kind, "occurred_at": _at(entry.at), "committed_at": _at(committed_at), "reference": entry.reference,
         "reason": entry.reason or None, "postings": [asdict(posting) | {
             "available_at": _at(posting.available_at), "expires_at": _at(posting.expires_at)} for posting in entry.postings]}
        for committed_at, entry in source.ledger
    ]  # fmt: skip


def _sales(source: Source) -> Any:
    """Sales that her ledger names, and those that she had by a claim; a sale that booked nothing stands in her profile's sums."""
    repository, found = SaleRepository(source.scope.tenant, source.scope.table), []
    named = dict.fromkeys(entry.reference for _, entry in source.ledger if (entry.reference or "").startswith("txn_"))
    for id_ in named:
        try:
            sale = repository.get(natural_key(id_ or ""))
        except UnknownTransaction:
            continue
        if sale.member in source.persons:
            found.append({"transaction": sale.id, "status": sale.status, "basket": sale.basket, "answer": sale.answer})
    return found


def _coupons(source: Source) -> Any:
    scope = source.scope
    rows = scope.table.query_all(keys.coupons_of(scope.tenant, source.member), index="GSI2")
    ids = dict.fromkeys([*(row["GSI2SK"]["S"] for row in rows), *source.state.coupons])
    coupons = CouponRepository(scope.tenant, scope.table).get_many(list(ids)).values()
    claims = ClaimRepository(scope.tenant, scope.table)
    return {
        "coupons": [{"id": each.id, "offer": each.offer, "state": each.state, "from": _at(each.active_from), "until": _at(each.expires_at),
                     "why": each.choice.kind if each.choice is not None else None} for each in coupons if each.member in source.persons],
        "rewards": [{"id": each.id, "reward": each.reward, "state": each.state, "at": _at(each.at), "points": each.points}
                    for each in map(claims.decode, source.rows(keys.CLAIM_PREFIX))],
    }  # fmt: skip


def _deliveries(source: Source) -> Iterator[dict[str, Any]]:
    for cipher, raw in source.rows_of_all(keys.DELIVERY_PREFIX):
        row = DeliveryRepository.decode(raw)
        is_letter = row.channel in ("email", "sms", "push", "inbox")
        yield {
            "campaign": row.campaign, "step": row.step, "occurrence": row.occurrence, "channel": row.channel, "state": row.state,
            "at": _at(row.claimed_at), "reason": row.reason, "language": row.language, "variant": row.variant,
            "responses": {name: _at(at) for name, at in row.responses.items()},
            "links": list(kept_links(cipher, row.data)) if is_letter and row.data else [],
        }  # fmt: skip


def _inbox(source: Source) -> Any:
    messages = [opened(cipher, raw) for cipher, raw in source.rows_of_all(keys.INBOX_PREFIX)]
    return [{"title": each.title, "body": each.body, "data": each.data, "campaign": each.campaign, "sent_at": _at(each.sent_at),
             "read_at": _at(each.read_at) if each.read_at is not None else None} for each in messages]  # fmt: skip


def _merges(source: Source) -> Any:
    """Who turned out to be her, when, and why."""
    repository = MergeRepository(source.scope.tenant, source.scope.table)
    found = (repository.get(member) for member in source.loaded.state.former)
    return [{"member_id": each.duplicate, "into": each.survivor, "at": _at(each.at), "reason": each.reason,
             "fields_not_taken": list(each.outcome.conflicts)} for each in found if each is not None]  # fmt: skip


def _objections(source: Source) -> Any:
    return sorted(standing(source.scope, contacts_of(source.fields)).channels)


def _at(instant: Instant) -> str | None:
    """An instant; none for never and for none."""
    return format_rfc3339(instant) if 0 < instant < NEVER - 1000 else None


COLLECTORS: Final[Mapping[str, Callable[[Source], Any]]] = {
    **{name: _field(name) for fields in PROFILE_GROUPS.values() for name in fields},
    "sealed facts": _facts,
    "identifiers": _identifiers,
    "attributes and tags": _attributes,
    "consents": _consents,
    "restriction": _restriction,
    "devices": _devices,
    "sessions": _sessions,
    "confirmations": _confirmations,
    "profile of purchases": _profile,
    "ledger": _ledger,
    "sales": _sales,
    "coupons and claims": _coupons,
    "deliveries": lambda source: list(_deliveries(source)),
    "inbox": _inbox,
    "objections": _objections,
    "merges": _merges,
}
NOT_COPIED: Final[Mapping[str, str]] = {
    "one-time codes": "Digests that hold for minutes, under nobody's name.",
    "confirmation mails": "A count by address that holds for two days, under nobody's name.",
    "Apple's token": "What we end her sign-in with at Apple by; it says nothing of her.",
    "staff accounts": "Of the tenant's staff, not of her.",
    "recipients of tests": "Of people who try things out for the tenant, not of its guests.",
    "names of cashiers": "Of the tenant's staff, not of her.",
    "snapshot": "The same as above, in another form.",
    "exports": "Copies of the above that staff asked for.",
    "imports": "What an import brought is above.",
    "audit log": "It says what keys of the tenant did and read; the tenant answers from it who did what to her data.",
    "sent messages": "Local stages only.",
    "access files": "Files like this one.",
    "erasure": "Only of who is erased.",
    "her key": "A secret that protects the above.",
}
"""Entries of which there is nothing of their own to show, and why."""
