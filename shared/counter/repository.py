"""Confirmations: items <-> model, and the one write that uses one up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from shared.counter.errors import UnknownConfirmation
from shared.counter.model import Spending, Way
from shared.kernel.errors import InvalidValue
from shared.kernel.ids import is_id, natural_id, natural_parts
from shared.kernel.instants import DAY, SECOND, Instant
from shared.storage import keys, keys_counter
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items_counter import ConfirmationItem
from shared.storage.table import NOT_THERE_YET, Table, WriteBatch

LABEL: Final = "confirmation"
State = Literal["asked", "confirmed", "refused", "used"]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What was asked of a member, and what became of it."""

    member: str
    ulid: str
    state: State
    way: Way
    location: str
    points: int
    value: int
    until: Instant
    caller: str
    code: bytes | None = None
    """The sealed name of the one-time code."""

    @property
    def id(self) -> str:
        """What the till sends along. It names the member, whose id the till has."""
        return natural_id("cnf", (self.member, self.ulid))


def parts_of(confirmation_id: str) -> tuple[str, str]:
    """Member and number of an id, or ``UnknownConfirmation``."""
    try:
        member, ulid = natural_parts("cnf", confirmation_id)
        if not is_id("mbr", member):
            raise UnknownConfirmation
        keys.text(ulid)
    except (InvalidValue, ValueError):
        raise UnknownConfirmation from None
    return member, ulid


class ConfirmationRepository:
    """The confirmations of one tenant. They lie with the member and go with her; time ends them after two days."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def put(self, made: Confirmation) -> None:
        """A new one. 1 write."""
        item = ConfirmationItem.at(
            keys_counter.confirmation(self.tenant, made.member, made.ulid),
            state=made.state, way=made.way, location=made.location, points=made.points, value=made.value, until=made.until,
            caller=made.caller, body=made.code, expires_at=(made.until + 2 * DAY) // SECOND,
        )  # fmt: skip
        self.table.put(item, NOT_THERE_YET)

    def get(self, confirmation_id: str) -> Confirmation:
        """As it is now, or ``UnknownConfirmation``. 1 read."""
        member, ulid = parts_of(confirmation_id)
        raw = self.table.get(keys_counter.confirmation(self.tenant, member, ulid), consistent=True)
        if raw is None:
            raise UnknownConfirmation
        return _of(member, raw)

    def of_member(self, member: str) -> list[Confirmation]:
        """All that time has not cleaned up, oldest first. One Query."""
        pk = keys.member(self.tenant, member)
        raws = self.table.query_all(pk, begins=keys_counter.CONFIRMATION_PREFIX, consistent=True)
        return [_of(member, raw) for raw in raws]

    def answer(self, asked: Confirmation, to: Literal["confirmed", "refused"], now: Instant) -> bool:
        """She has answered; ``False`` if it is not open any more. 1 write."""
        is_open: Condition = (Path("state") == "asked") & (Path("until") > now)
        try:
            self.table.update(keys_counter.confirmation(self.tenant, asked.member, asked.ulid), [Path("state").set(to)], is_open)
        except ConditionFailed:
            return False
        return True

    def add_use(
        self, batch: WriteBatch, confirmation_id: str, member: str, spending: Spending, location: str, now: Instant, use: str
    ) -> None:
        """Use it up in the transaction of what it confirms: it is hers, confirmed, for as much, for here, and in time; once.

        ``UnknownConfirmation`` for an id that names another member.
        """
        owner, ulid = parts_of(confirmation_id)
        if owner != member:
            raise UnknownConfirmation
        is_good: Condition = (Path("state") == "confirmed") & (Path("until") > now) & (Path("location") == location)
        covers: Condition = (Path("points") >= spending.points) & (Path("value") >= spending.value)
        actions = [Path("state").set("used"), Path("used_for").set(use)]
        batch.update(LABEL, keys_counter.confirmation(self.tenant, member, ulid), actions, is_good & covers, old=True)


def why_not(raw: RawItem | None, location: str, now: Instant) -> str:
    """Why a confirmation that stood in the way could not be used."""
    if raw is None:
        return "unknown"
    found = _of("", raw)
    if found.state != "confirmed":
        return "not_confirmed" if found.state == "asked" else found.state
    if found.until <= now:
        return "expired"
    if found.location != location:
        return "other_location"
    return "too_much"


def _of(member: str, raw: RawItem) -> Confirmation:
    item = ConfirmationItem.values(raw)
    return Confirmation(
        member=member,
        ulid=item["SK"].removeprefix(keys_counter.CONFIRMATION_PREFIX),
        state=item["state"],
        way=item["way"],
        location=item["location"],
        points=item["points"],
        value=item["value"],
        until=item["until"],
        caller=item["caller"],
        code=item.get("body"),
    )
