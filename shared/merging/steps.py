"""The steps of a merge. Each may be killed at any point and done again from its beginning: it looks first, and does what is left.

Every row moves by itself, in a transaction that checks that the one whom it comes to is a member then: who was merged on, or erased,
meanwhile gets nothing any more, and the row goes to who is left, or to nobody. So two merges that cross leave what either order would have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from shared.coupons.issuing import derived_code
from shared.erasure.records import TOMBSTONES, partition
from shared.kernel.instants import SECOND
from shared.member_state.codec import encode_state
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.members.referral_codes import CODE_LENGTH, CODE_PURPOSE, KIND
from shared.members.repository import POINTER_KIND, MemberRepository, held_name
from shared.merging.errors import StillLeft
from shared.merging.model import Merge, Step
from shared.storage import keys, keys_access, keys_rights
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Action, Condition, Path
from shared.storage.items import CouponItem, IdentifierItem, SegmentRowItem
from shared.storage.keys import Key
from shared.storage.packing import pack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

T = TypeVar("T")
TIME_TO_STOP_MS: Final = 8_000
"""With less left than this a worker goes on in a new message."""
_LOOKS: Final = 2
_MOVED_ON: Final = "survivor"
_MOVE: Final = (keys.CLAIM_PREFIX,)
_DROP: Final = (keys.PROFILE, keys_access.SESSION_PREFIX)
"""Rows of her partition that move, and that go. What is not named is history, or runs out, and stays where it is."""


class OutOfTime(Exception):
    """The rest is for a new invocation."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What the steps work with."""

    scope: TenantScope
    merge: Merge

    def each(self, several: Iterable[T]) -> Iterator[T]:
        """One after another, as long as there is time; ``OutOfTime`` then."""
        for one in several:
            if self.scope.effort().time_left_ms() < TIME_TO_STOP_MS:
                raise OutOfTime
            yield one

    def survivor(self) -> MemberState:
        """Who is left now. ``ErasedMember``."""
        return StateRepository(self.scope.tenant, self.scope.table).load(self.merge.duplicate).state

    def carry_over(self, write: Callable[[WriteBatch, str], None]) -> None:
        """One transaction of a row, for whoever is left when it is made."""

        def plan(_stale: Stale) -> Plan[None]:
            batch, survivor = WriteBatch(), self.survivor().member
            batch.check(_MOVED_ON, keys.state(self.scope.tenant, survivor), Path("status") == "active")
            write(batch, survivor)
            return Plan(batch, None)

        commit(self.scope.table, plan, effort=self.scope.effort())


def identifiers(hands: Hands) -> int:
    """What led to her leads to who is left: identifiers, and her referral code. A read and a transaction each."""
    scope, gone = hands.scope, hands.merge.duplicate
    code = derived_code(scope, CODE_PURPOSE, gone, CODE_LENGTH)
    held = MemberRepository(scope.tenant, scope.table).held(gone)
    named = {keys.identifier(scope.tenant, kind, blind): held_name(kind, blind) for kind, blind in held}
    wanted = {**named, keys.identifier(scope.tenant, KIND, scope.blind(KIND, code)): ""}
    found = scope.table.get_many(wanted, consistent=True)
    hers = {key for key, raw in found.items() if IdentifierItem.read(raw).member == gone}
    left = [(key, name) for key, name in wanted.items() if key in hers or name]
    for key, name in hands.each(left):
        _lead_on(hands, key, name, leads=key in hers)
    return len(left)


def devices(hands: Hands) -> int:
    """Devices that she still uses are the survivor's; the others are nobody's. A transaction each."""
    scope, gone, done = hands.scope, hands.merge.duplicate, 0
    rows = scope.table.query_all(keys.member(scope.tenant, gone), begins=keys.DEVICE_PREFIX, consistent=True)
    for raw in hands.each(rows):
        device = raw["SK"]["S"].removeprefix(keys.DEVICE_PREFIX)
        if device in hands.survivor().devices:
            _move_device(hands, raw, device)
        else:
            _drop_device(hands, device)
        done += 1
    return done


def coupons(hands: Hands) -> int:
    """Her coupons, also those that were used: they may come back. A batch read a hundred, a transaction each that moves."""
    scope, gone = hands.scope, hands.merge.duplicate
    listed = scope.table.query_all(keys.coupons_of(scope.tenant, gone), index="GSI2")
    ids = dict.fromkeys([*hands.merge.outcome.coupons, *(raw["GSI2SK"]["S"] for raw in listed)])
    found = scope.table.get_many([keys.coupon(scope.tenant, id_) for id_ in ids], consistent=True)
    hers = [(key, CouponItem.read(raw)) for key, raw in found.items() if CouponItem.read(raw).member == gone]
    for key, item in hands.each(hers):
        _give_coupon(hands, key, listed_=item.GSI2PK is not None)
    return len(hers)


def records(hands: Hands) -> int:
    """Rows of her partition that are no history: claims move, her profile and sessions go, listings know her no more."""
    done = 0
    for raw in hands.each(partition(hands.scope, hands.merge.duplicate)):
        sk = raw["SK"]["S"]
        if sk.startswith(_MOVE):
            _move_row(hands, raw)
        elif sk.startswith(_DROP):
            hands.scope.table.delete(_key(raw))
        elif not (sk.startswith(keys.SEGMENT_PREFIX) and _bury(hands, _key(raw))):
            continue
        done += 1
    for segment, _, version in (each.rpartition("@") for each in hands.merge.outcome.segments):
        done += _bury(hands, keys.segment_row(hands.scope.tenant, hands.merge.duplicate, segment, int(version)))
    return done


def former(hands: Hands) -> int:
    """Who had been merged into her leads straight to who is left. A read and a write each."""
    scope, done = hands.scope, 0
    survivor = hands.survivor().member
    for member in hands.each((hands.merge.duplicate, *hands.merge.outcome.former)):
        where = keys.state(scope.tenant, member)
        raw = scope.table.get(where)
        if raw is None:
            continue
        state = StateRepository(scope.tenant, scope.table).decode(member, raw, None).state
        if state.merged_into in (None, survivor):
            continue
        state.merged_into = survivor
        changes = [Path("d").set(pack(encode_state(state))), Path("version").set(Path("version") + 1)]
        as_read: Condition = Path("version") == state.version
        with suppress(ConditionFailed):
            # Without ``out``: what that commit told is not told again.
            scope.table.update(where, [*changes, Path("out").remove()], as_read)
        done += 1
    return done


def verify(hands: Hands) -> int:
    """Look at everything once more; what came while the work went on is done, and looked at again. ``StillLeft`` if that does not end."""
    for _ in range(_LOOKS):
        if not sum(step(hands) for step in (identifiers, devices, coupons, records, former)):
            return 0
    raise StillLeft


WORK: Final[Mapping[Step, Callable[[Hands], int]]] = {
    "identifiers": identifiers,
    "devices": devices,
    "coupons": coupons,
    "records": records,
    "former": former,
    "verified": verify,
}


def _lead_on(hands: Hands, key: Key, name: str, *, leads: bool) -> None:
    """An identifier; ``name``: how it is named among hers (empty: it is not). One that leads elsewhere by now is only no longer hers."""
    scope, gone = hands.scope, hands.merge.duplicate

    def write(batch: WriteBatch, survivor: str) -> None:
        still_hers: Condition = Path("member") == gone
        if leads:
            batch.update("identifier", key, [Path("member").set(survivor)], still_hers)
        if name and leads:
            batch.update("held", keys_rights.identifiers_of(scope.tenant, survivor), [Path("ids").add({name})])
        if name:
            batch.update("left", keys_rights.identifiers_of(scope.tenant, gone), [Path("ids").delete({name})])

    hands.carry_over(write)


def _move_device(hands: Hands, raw: RawItem, device: str) -> None:
    scope, gone = hands.scope, hands.merge.duplicate
    pointer = keys.identifier(scope.tenant, POINTER_KIND, device)

    def write(batch: WriteBatch, survivor: str) -> None:
        batch.put_raw("device", raw | {"PK": {"S": keys.member(scope.tenant, survivor)}})
        batch.delete("left", _key(raw), Path("PK").exists())
        batch.update("pointer", pointer, [Path("member").set(survivor)], Path("member") == gone)

    hands.carry_over(write)


def _drop_device(hands: Hands, device: str) -> None:
    """One that she uses no more. What leads to somebody else by now stays theirs."""
    scope, gone = hands.scope, hands.merge.duplicate
    with suppress(ConditionFailed):
        scope.table.delete(keys.identifier(scope.tenant, POINTER_KIND, device), Path("member") == gone)
    scope.table.delete(keys.device(scope.tenant, gone, device))


def _give_coupon(hands: Hands, key: Key, *, listed_: bool) -> None:
    scope, gone = hands.scope, hands.merge.duplicate

    def write(batch: WriteBatch, survivor: str) -> None:
        changes: list[Action] = [Path("member").set(survivor), Path("version").set(Path("version") + 1), Path("out").remove()]
        if listed_:
            changes.append(Path("GSI2PK").set(keys.coupons_of(scope.tenant, survivor)))
        batch.update("coupon", key, changes, Path("member") == gone)

    hands.carry_over(write)


def _move_row(hands: Hands, raw: RawItem) -> None:
    """As it was read: who has changed it meanwhile finds it where it is, and the next look finds it again."""
    as_read: Condition = Path("version") == int(raw["version"]["N"])

    def write(batch: WriteBatch, survivor: str) -> None:
        moved = {name: value for name, value in raw.items() if name != "out"}
        batch.put_raw("moved", moved | {"PK": {"S": keys.member(hands.scope.tenant, survivor)}})
        batch.delete("left", _key(raw), as_read)

    hands.carry_over(write)


def _bury(hands: Hands, where: Key) -> bool:
    """A row outside the index that no message from before the merge can replace. It goes by itself when there are none any more."""
    merge = hands.merge
    raw = hands.scope.table.get(where)
    if raw is not None and not raw["inside"]["BOOL"] and int(raw["member_version"]["N"]) >= merge.outcome.version:
        return False
    until = (merge.at + TOMBSTONES) // SECOND
    row = SegmentRowItem.at(where, member=merge.duplicate, member_version=merge.outcome.version, inside=False, expires_at=until)
    hands.scope.table.put(row)
    return True


def _key(raw: RawItem) -> Key:
    return Key(raw["PK"]["S"], raw["SK"]["S"])
