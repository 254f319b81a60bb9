"""A crowd that a campaign is sent to, put into the table as it would stand there after each of them had joined by herself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from shared.kernel.ids import shard_of
from shared.kernel.instants import Instant
from shared.member_state.effects import Effects
from shared.member_state.model import Consent, MemberState, segment_key
from shared.member_state.repository import Loaded, Stamp, StateRepository
from shared.members.repository import Device, MemberRepository
from shared.segments.listing import LISTING_SHARDS
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.items import SegmentRowItem, WrappedKeyItem
from shared.storage.table import Table, WriteBatch
from shared.tenants.scope import TenantScope
from tests.builders.house import House
from tests.fakes import engine

SEGMENT: Final = "berliners"
RULE: Final[dict[str, Any]] = {"name": "From Berlin", "rule": {"kind": "attribute", "name": "city", "op": "eq", "value": "Berlin"}}
PHONE: Final = "+4930123456"
_AT_ONCE: Final = 25


class Person(NamedTuple):
    """Of whom nothing is random: which one she is says everything."""

    member: str
    kind: str
    device: bool
    phone: bool
    consents: tuple[str, ...]
    suppressed: tuple[str, ...] = ()

    @property
    def endpoint(self) -> str:
        return f"endpoint/{self.member}"


_KINDS: Final[tuple[tuple[int, str, bool, bool, tuple[str, ...], tuple[str, ...]], ...]] = (
    (40, "both", True, True, ("push", "sms"), ()),
    (20, "push_only", True, False, ("push",), ()),
    (20, "sms_only", False, True, ("sms",), ()),
    (8, "refused", True, True, (), ()),
    (5, "unreachable", False, False, ("push", "sms"), ()),
    (5, "dead", True, False, ("push",), ()),
    (2, "suppressed", True, True, ("push", "sms"), ("push", "sms")),
)
"""Of each hundred so many: with a device, with a phone, who said yes to, suppressed on."""


def people(number: int) -> list[Person]:
    """A mixed crowd: most can be reached by push, by SMS, or by both; the rest by neither, each for a reason of her own."""
    in_a_hundred = [kind for share, *kind in _KINDS for _ in range(share)]
    # 37 has no divisor in common with a hundred: each kind is spread over the whole crowd.
    return [Person(f"mbr_{index:026d}", *in_a_hundred[index * 37 % 100]) for index in range(number)]  # type: ignore[arg-type]


def fill(house: House, crowd: Iterable[Person]) -> None:
    """Make them all members of the tenant, in the segment and listed in it. Some thousands a second."""
    house.publish("segment", SEGMENT, RULE)
    main, wrapped = _Puts(house.table), _Puts(house.key_table)
    scope = house.scope()
    for person in crowd:
        cipher, key = scope.tenant_keys.new_member(house.tenant, person.member)
        wrapped.add([WrappedKeyItem.at(keys.member_key(house.tenant, person.member), wrapped=key).serialize()])
        batch = WriteBatch()
        repository = MemberRepository(house.tenant, house.table)
        repository.add_profile(batch, person.member, 0, {"phone": PHONE} if person.phone else {}, cipher)
        if person.device:
            repository.add_device(batch, person.member, Device(f"dev_{person.member}", "gcm", person.endpoint, house.now))
        loaded = Loaded(_state(house.tenant, person, house.now))
        StateRepository(house.tenant, house.table).add_writes(batch, loaded, Effects(), Stamp(house.now))
        main.add([*(action["Put"]["Item"] for action in batch.actions), _row(scope, person.member)])
    main.done()
    wrapped.done()
    house.listed(SEGMENT)


def list_only(house: House, crowd: Iterable[Person]) -> None:
    """Put them into the segment's listing, and nothing else: what a walk over an audience reads."""
    scope, puts = house.scope(), _Puts(house.table)
    for person in crowd:
        puts.add([_row(scope, person.member)])
    puts.done()
    house.listed(SEGMENT)


def _state(tenant: str, person: Person, now: Instant) -> MemberState:
    return MemberState(
        tenant,
        person.member,
        joined_at=now,
        join_source="app",
        as_of=now,
        attributes={"city": "Berlin"},
        segments={segment_key(SEGMENT, 1): now},
        consents={f"marketing:{channel}": Consent(granted=True, at=now, version="v1") for channel in person.consents},
        suppressed=dict.fromkeys(person.suppressed, "complaint"),
        devices=[f"dev_{person.member}"] if person.device else [],
        known=["phone"] if person.phone else [],
    )


def _row(scope: TenantScope, member: str) -> RawItem:
    row = SegmentRowItem.at(keys.segment_row(scope.tenant, member, SEGMENT, 1), member=member, member_version=1, inside=True, entered_at=0)
    row.GSI2PK = keys.segment_listing(scope.tenant, SEGMENT, 1, shard_of(member, LISTING_SHARDS))
    row.GSI2SK = member
    return row.serialize()


class _Puts:
    """Items on their way into a table, as many a request as it takes."""

    def __init__(self, table: Table) -> None:
        self._name, self._client = table.name, engine.client(str(table.endpoint))
        self._items: list[RawItem] = []

    def add(self, items: Sequence[RawItem]) -> None:
        self._items += items
        while len(self._items) >= _AT_ONCE:
            self._send(_AT_ONCE)

    def done(self) -> None:
        if self._items:
            self._send(len(self._items))

    def _send(self, number: int) -> None:
        requests = [{"PutRequest": {"Item": item}} for item in self._items[:number]]
        del self._items[:number]
        assert not self._client.batch_write_item(RequestItems={self._name: requests})["UnprocessedItems"]


def all_rows(house: House) -> Iterator[RawItem]:
    """Every delivery's row, by a walk over the whole table."""
    pages = engine.client(str(house.table.endpoint)).get_paginator("scan").paginate(TableName=house.table.name)
    return (item for page in pages for item in page["Items"] if item["SK"]["S"].startswith(keys.DELIVERY_PREFIX))
