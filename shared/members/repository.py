"""PROFILE, identifiers, consent records and devices: items <-> model, for one tenant. STATE is shared.member_state's."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import new_ulid, shard_of
from shared.kernel.instants import Instant
from shared.members.model import LISTING_SHARDS, ConsentRecord, Fields
from shared.privacy.keyring import MemberCipher
from shared.privacy.registry import GROUPS
from shared.storage import keys, keys_rights
from shared.storage.errors import RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items import ConsentItem, DeviceItem, IdentifierItem, ProfileItem
from shared.storage.items_rights import HeldIdentifiersItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table, WriteBatch
from shared.tenants.model import PushPlatform
from shared.tenants.scope import TenantScope

PROFILE_LABEL = "profile"
HELD_LABEL = "identifiers"
SHOWN_GROUP = "shown"
"""What a consent's text is sealed as."""
POINTER_KIND = "device"
"""Kind of the item that leads from a device to its owner."""


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """The personal fields as stored: sealed, group by group. ``version`` 0: there is no item."""

    version: int = 0
    sealed: tuple[tuple[str, bytes], ...] = ()

    def fields(self, cipher: MemberCipher, *groups: str) -> dict[str, str]:
        """The fields of the named groups, or of all."""
        found: dict[str, str] = {}
        for group, sealed in self.sealed:
            if not groups or group in groups:
                found |= cipher.open_json(group, sealed)
        return found


@dataclass(frozen=True, slots=True)
class Device:
    """A device that takes push messages."""

    id: str
    platform: PushPlatform
    endpoint: str
    registered_at: Instant
    status: str = "active"


class MemberRepository:
    """What is stored about the members of one tenant beside their state."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    # -- profile ----------------------------------------------------------------------------------------------------

    def profile(self, member: str) -> StoredProfile:
        """The stored fields, consistently. 1 read unit."""
        return self.decode_profile(self.table.get(keys.profile(self.tenant, member)))

    @staticmethod
    def decode_profile(raw: RawItem | None) -> StoredProfile:
        """Stored item -> sealed groups."""
        if raw is None:
            return StoredProfile()
        item = ProfileItem.read(raw)
        groups: dict[str, str] = unpack(item.body)
        return StoredProfile(int(item.version), tuple((group, base64.b64decode(text)) for group, text in groups.items()))

    def add_profile(self, batch: WriteBatch, member: str, expected: int, fields: Fields, cipher: MemberCipher) -> None:
        """Write all fields, if the stored version is still ``expected`` (0: none yet). Label ``profile``."""
        sealed: dict[str, str] = {}
        for group, names in GROUPS.items():
            values = {name: fields[name] for name in names if name in fields}
            if values:
                sealed[group] = base64.b64encode(cipher.seal_json(group, values)).decode()
        item = ProfileItem.at(keys.profile(self.tenant, member), version=expected + 1, body=pack(sealed))
        item.GSI2PK = keys.members_listing(self.tenant, shard_of(member, LISTING_SHARDS))
        item.GSI2SK = member
        unchanged: Condition = Path("version") == expected if expected else Path("PK").does_not_exist()
        batch.put(PROFILE_LABEL, item, unchanged, old=True)

    # -- identifiers ------------------------------------------------------------------------------------------------

    def add_identifier(self, batch: WriteBatch, label: str, kind: str, blind: str, member: str) -> None:
        """Take an identifier for a member, if nobody has it; who has it is returned if somebody does."""
        item = IdentifierItem.at(keys.identifier(self.tenant, kind, blind), member=member, kind=kind)
        batch.put(label, item, Path("PK").does_not_exist(), old=True)

    def add_held(self, batch: WriteBatch, member: str, taken: Iterable[tuple[str, str]]) -> None:
        """Note identifiers, each as kind and blind index, as hers, in the transaction that takes them. Label ``identifiers``.

        They are keyed hashes: without this nobody could tell from a member which items lead to her, as her erasure must.
        """
        names = {held_name(kind, blind) for kind, blind in taken}
        if names:
            batch.update(HELD_LABEL, keys_rights.identifiers_of(self.tenant, member), [Path("ids").add(names)])

    def held(self, member: str) -> list[tuple[str, str]]:
        """The identifiers that lead to a member, each as kind and blind index, sorted; consistently. 1 read unit."""
        raw = self.table.get(keys_rights.identifiers_of(self.tenant, member))
        # A set has no empty one: what is left of it when the last was taken off is an item without it.
        names = sorted(HeldIdentifiersItem.values(raw).get("ids", ())) if raw is not None else []
        return [(kind, blind) for kind, _, blind in (name.partition(":") for name in names)]

    # -- consents ---------------------------------------------------------------------------------------------------

    def add_consents(
        self, batch: WriteBatch, member: str, records: tuple[ConsentRecord, ...], now: Instant, cipher: MemberCipher | None = None
    ) -> None:
        """Append records. Labels ``consent:<purpose>:<channel>``. ``cipher`` seals the texts that were shown, where there are any."""
        for record in records:
            body: dict[str, Any] = {
                "purpose": record.purpose,
                "channel": record.channel,
                "granted": record.granted,
                "version": record.version,
                "at": record.at,
                "source": record.source,
                "actor": record.actor,
            }
            more = {"proof": record.proof, "state": record.state, "asked_at": record.asked_at}
            body |= {name: value for name, value in more.items() if value}
            if record.text:
                if cipher is None:
                    raise InvalidValue("a text that was shown is stored sealed")
                body["text"] = base64.b64encode(cipher.seal_json(SHOWN_GROUP, record.text)).decode()
            key = keys.consent(self.tenant, member, new_ulid(now))
            batch.put(f"consent:{record.key}", ConsentItem.at(key, body=pack(body)), Path("PK").does_not_exist())

    def consents(self, member: str, cipher: MemberCipher) -> list[dict[str, Any]]:
        """Every record of a member, oldest first, with the texts that were shown opened."""
        raws = self.table.query_all(keys.member(self.tenant, member), begins=keys.CONSENT_PREFIX, consistent=True)
        records: list[dict[str, Any]] = [unpack(ConsentItem.read(raw).body) for raw in raws]
        for record in records:
            record["text"] = cipher.open_json(SHOWN_GROUP, base64.b64decode(record["text"])) if "text" in record else ""
        return records

    # -- devices ----------------------------------------------------------------------------------------------------

    def owner_of(self, device_id: str) -> str | None:
        """The member who uses a device now. 1 read unit."""
        raw = self.table.get(self._pointer(device_id))
        return IdentifierItem.read(raw).member if raw is not None else None

    def device(self, member: str, device_id: str) -> Device | None:
        """A device of a member. 1 read unit."""
        raw = self.table.get(keys.device(self.tenant, member, device_id))
        if raw is None:
            return None
        item = DeviceItem.read(raw)
        platform: Any = item.platform
        return Device(device_id, platform, item.endpoint or "", int(item.registered_at), item.status)

    def add_device(self, batch: WriteBatch, member: str, device: Device, gone: str | None = None) -> None:
        """Put a device and its pointer, unless it is another member's now. Labels ``device`` and ``pointer``.

        ``gone`` is an owner who is no member any more.
        """
        item = DeviceItem.at(
            keys.device(self.tenant, member, device.id),
            platform=device.platform,
            endpoint=device.endpoint,
            status=device.status,
            registered_at=device.registered_at,
        )
        nobody_elses = Path("PK").does_not_exist() | (Path("member") == member)
        if gone is not None:
            nobody_elses = nobody_elses | (Path("member") == gone)
        batch.put("device", item)
        pointer = IdentifierItem.at(self._pointer(device.id), member=member, kind=POINTER_KIND)
        batch.put("pointer", pointer, nobody_elses, old=True)

    def add_device_end(self, batch: WriteBatch, member: str, device_id: str) -> None:
        """Delete a device and, if it still leads to this member, its pointer. Labels ``device:<id>`` and ``pointer:<id>``."""
        batch.delete(f"device:{device_id}", keys.device(self.tenant, member, device_id))
        hers_or_nobodys = Path("PK").does_not_exist() | (Path("member") == member)
        batch.delete(f"pointer:{device_id}", self._pointer(device_id), hers_or_nobodys)

    def _pointer(self, device_id: str) -> keys.Key:
        return keys.identifier(self.tenant, POINTER_KIND, device_id)


def held_name(kind: str, blind: str) -> str:
    """How an identifier is named among those of its member."""
    return f"{kind}:{blind}"


def read_fields(scope: TenantScope, member: str, *groups: str) -> dict[str, str]:
    """Her personal fields, opened: 1 read of the profile and 1 of her key. All groups unless some are named."""
    profile = MemberRepository(scope.tenant, scope.table).profile(member)
    return profile.fields(scope.cipher(member), *groups) if profile.version else {}
