"""API keys: items <-> model, for one tenant. Only the digests of secrets are stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from shared.kernel.instants import Instant
from shared.storage import keys_access
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items_access import ApiKeyItem
from shared.storage.table import NOT_THERE_YET, Table
from shared.tenants.credentials import NewKey
from shared.tenants.principal import EVERYWHERE, Place

PEPPER_PURPOSE: Final = "api-key-pepper"
"""The purpose under which the digests' pepper is derived from the master secret (``shared.privacy.crypto.derive``)."""
ACTIVE: Final = "active"
REVOKED: Final = "revoked"
Which = Literal["current", "previous"]
"""Which of a key's two secrets."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as stored. ``digest`` is ``credentials.digest`` of its secret, in hexadecimal; ``previous`` that of the secret before,
    which holds before ``previous_until``. ``ends_at``: from then on it opens nothing. Days of last use are ISO dates, UTC.
    """

    key_id: str
    digest: str = field(repr=False)
    scopes: frozenset[str]
    status: str
    label: str | None
    location: str | None
    created_at: Instant
    ends_at: Instant | None = None
    generation: int = 1
    rotated_at: Instant | None = None
    last_used_on: str | None = None
    previous: str | None = field(default=None, repr=False)
    previous_until: Instant | None = None
    previous_used_on: str | None = None
    location_group: str | None = None

    @property
    def place(self) -> Place:
        """Where it is good."""
        return Place(self.location, self.location_group)

    def used_on(self, which: Which) -> str | None:
        """The day on which that secret was last seen."""
        return self.last_used_on if which == "current" else self.previous_used_on

    def opens(self, now: Instant) -> bool:
        """Whether the key is neither revoked nor over."""
        return self.status == ACTIVE and (self.ends_at is None or now < self.ends_at)


class KeyRepository:
    """The API keys of one tenant. The authorizer finds a key from its id by one read."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def put(
        self,
        key: NewKey,
        digest: str,
        scopes: Iterable[str],
        label: str | None = None,
        place: Place = EVERYWHERE,
        now: Instant = 0,
        ends_at: Instant | None = None,
    ) -> StoredKey:
        """Store a new key and answer it. 1 write unit."""
        item = ApiKeyItem.at(
            keys_access.api_key(self.tenant, key.key_id),
            digest=bytes.fromhex(digest),
            scopes=" ".join(sorted(set(scopes))),
            status=ACTIVE,
            location=place.location,
            location_group=place.group,
            label=label,
            created_at=now,
            ends_at=ends_at,
        )
        self.table.put(item, NOT_THERE_YET)
        return _stored(item)

    def get(self, key_id: str) -> StoredKey | None:
        """A key by id, revoked ones too. 1 read unit."""
        raw = self.table.get(keys_access.api_key(self.tenant, key_id))
        return None if raw is None else _stored(ApiKeyItem.read(raw))

    def page(self, limit: int, after: str | None) -> tuple[list[StoredKey], str | None]:
        """Keys by id, revoked ones too, and the id to go on behind. 1 read unit per 4 KB."""
        pk = keys_access.api_keys(self.tenant)
        start: RawItem | None = {"PK": {"S": pk}, "SK": {"S": keys_access.api_key(self.tenant, after).sk}} if after else None
        raws, last = self.table.query(pk, begins=keys_access.API_KEY_PREFIX, limit=limit, start=start, consistent=True)
        return [_stored(ApiKeyItem.read(raw)) for raw in raws], _id_of(last["SK"]["S"]) if last else None

    def replace_secret(self, known: StoredKey, digest: str, previous_until: Instant, now: Instant) -> StoredKey | None:
        """The new secret beside the present one, which holds until then; the one before that ends at once.

        ``None`` if the key is no longer as ``known`` says. 1 write unit.
        """
        as_known = (Path("digest") == bytes.fromhex(known.digest)) & (Path("status") == ACTIVE)
        used = Path("previous_used_on").set(known.last_used_on) if known.last_used_on else Path("previous_used_on").remove()
        actions = [
            Path("digest").set(bytes.fromhex(digest)),
            Path("generation").set(known.generation + 1),
            Path("rotated_at").set(now),
            Path("last_used_on").remove(),
            Path("previous").set(bytes.fromhex(known.digest)),
            Path("previous_until").set(previous_until),
            used,
        ]
        try:
            raw = self.table.update(keys_access.api_key(self.tenant, known.key_id), actions, as_known)
        except ConditionFailed:
            return None
        return _stored(ApiKeyItem.read(raw))

    def note_use(self, known: StoredKey, which: Which, day: str) -> bool:
        """Note that a secret was used on that day; ``False`` if that is known already, or the secret was replaced. 1 write unit."""
        name = "last_used_on" if which == "current" else "previous_used_on"
        same_secret: Condition = Path("digest") == bytes.fromhex(known.digest)
        news: Condition = Path(name).does_not_exist() | (Path(name) < day)
        try:
            self.table.update(keys_access.api_key(self.tenant, known.key_id), [Path(name).set(day)], same_secret & news)
        except ConditionFailed:
            return False
        return True

    def revoke(self, key_id: str) -> bool:
        """Switch a key off for good; ``False`` if there is none. Revoking again changes nothing. 1 write unit."""
        it_is_there = Path("PK").exists()
        try:
            self.table.update(keys_access.api_key(self.tenant, key_id), [Path("status").set(REVOKED)], it_is_there)
        except ConditionFailed:
            return False
        return True


def _id_of(sk: str) -> str:
    return sk.removeprefix(keys_access.API_KEY_PREFIX)


def _stored(item: ApiKeyItem) -> StoredKey:
    return StoredKey(
        key_id=_id_of(item.SK),
        digest=item.digest.hex(),
        scopes=frozenset(item.scopes.split()),
        status=item.status,
        label=item.label,
        location=item.location,
        location_group=item.location_group,
        created_at=int(item.created_at),
        ends_at=_whole(item.ends_at),
        generation=int(item.generation),
        rotated_at=_whole(item.rotated_at),
        last_used_on=item.last_used_on,
        previous=item.previous.hex() if item.previous is not None else None,
        previous_until=_whole(item.previous_until),
        previous_used_on=item.previous_used_on,
    )


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
