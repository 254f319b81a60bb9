"""Staff: items <-> model, for one tenant. Who is an owner stands in one item more, so that two changes at once cannot lose the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast

from shared.kernel.ids import new_ulid
from shared.kernel.instants import Instant
from shared.storage import keys_access
from shared.storage.errors import ConditionFailed, RawItem, TransactionCancelled
from shared.storage.expressions import Condition, Path
from shared.storage.items_access import OwnersItem, StaffItem
from shared.storage.table import NOT_THERE_YET, Table, WriteBatch
from shared.tenants.principal import EVERYWHERE, Place
from shared.tenants.staff import StaffGroup

Status = Literal["active", "disabled", "removing"]
ACTIVE: Final = "active"


@dataclass(frozen=True, slots=True)
class Staff:
    """One of the staff as stored. Tokens that were issued at ``not_before`` or earlier open nothing."""

    id: str
    group: StaffGroup
    status: Status
    place: Place
    label: str | None
    invited_at: Instant
    invited_by: str
    not_before: Instant | None = None
    revision: int = 1

    @property
    def is_owner(self) -> bool:
        """Whether they can do anything that an owner may, everywhere, now."""
        return self.group == "owner" and self.status == ACTIVE and self.place == EVERYWHERE


@dataclass(frozen=True, slots=True)
class Roster:
    """Who owns the tenant's side of things, and how many staff there are in all."""

    owners: frozenset[str] = frozenset()
    count: int = 0
    version: int = 0

    def after(self, before: Staff | None, then: Staff | None) -> Roster:
        """With one change; its version is that of what it replaces."""
        gone = {before.id} if before is not None else set()
        come = {then.id} if then is not None and then.is_owner else set()
        number = self.count + (then is not None) - (before is not None)
        return Roster((self.owners - gone) | come, number, self.version)


class StaffRepository:
    """The staff of one tenant. The authorizer finds somebody by one read."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def get(self, staff_id: str) -> Staff | None:
        """Somebody by id. 1 read unit."""
        raw = self.table.get(keys_access.staff(self.tenant, staff_id))
        return None if raw is None else _staff(raw)

    def page(self, limit: int, after: str | None) -> tuple[list[Staff], str | None]:
        """Staff by id, and the id to go on behind. 1 read unit per 4 KB."""
        pk = keys_access.api_keys(self.tenant)
        start: RawItem | None = {"PK": {"S": pk}, "SK": {"S": keys_access.staff(self.tenant, after).sk}} if after else None
        raws, last = self.table.query(pk, begins=keys_access.STAFF_PREFIX, limit=limit, start=start, consistent=True)
        return [_staff(raw) for raw in raws], _id_of(last["SK"]["S"]) if last else None

    def roster(self) -> Roster:
        """The owners, as stored now. 1 read unit."""
        raw = self.table.get(keys_access.staff_owners(self.tenant))
        if raw is None:
            return Roster()
        item = OwnersItem.read(raw)
        return Roster(frozenset(item.owners.split()), int(item.number), int(item.version))

    def store(self, before: Staff | None, then: Staff | None, roster: Roster, now: Instant) -> bool:
        """One change with its roster, or ``False`` if either is no longer as it was read. A transaction of two writes."""
        batch = WriteBatch()
        known = before if before is not None else then
        if known is None:
            raise ValueError("a change of nobody")
        key = keys_access.staff(self.tenant, known.id)
        as_read: Condition = NOT_THERE_YET if before is None else Path("revision") == before.revision
        if then is None:
            batch.delete("staff", key, as_read)
        else:
            batch.put("staff", self._item(then, known.revision + (before is not None)), as_read)
        as_it_was: Condition = Path("version") == roster.version if roster.version else NOT_THERE_YET
        owners = " ".join(sorted(roster.owners))
        item = OwnersItem.at(keys_access.staff_owners(self.tenant), owners=owners, number=roster.count, version=roster.version + 1)
        batch.put("owners", item, as_it_was)
        try:
            self.table.transact(batch, new_ulid(now))
        except (TransactionCancelled, ConditionFailed):
            return False
        return True

    def _item(self, one: Staff, revision: int) -> StaffItem:
        return StaffItem.at(
            keys_access.staff(self.tenant, one.id), group=one.group, status=one.status, location=one.place.location,
            location_group=one.place.group, label=one.label, invited_at=one.invited_at, invited_by=one.invited_by,
            not_before=one.not_before, revision=revision,
        )  # fmt: skip


def _id_of(sk: str) -> str:
    return sk.removeprefix(keys_access.STAFF_PREFIX)


def _staff(raw: RawItem) -> Staff:
    item = StaffItem.read(raw)
    return Staff(
        id=_id_of(item.SK),
        group=cast("StaffGroup", item.group),
        status=cast("Status", item.status),
        place=Place(item.location, item.location_group),
        label=item.label,
        invited_at=int(item.invited_at),
        invited_by=item.invited_by,
        not_before=int(item.not_before) if item.not_before is not None else None,
        revision=int(item.revision),
    )
