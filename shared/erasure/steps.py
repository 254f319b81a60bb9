"""The steps of an erasure. Each may be killed at any point and done again from its beginning: it looks first, and does what is left.

Each answers how much there was left to do, so that the last step can tell that nothing is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from shared.coupons.issuing import derived_code
from shared.erasure.errors import StillThere
from shared.erasure.model import Erasure, Step
from shared.erasure.records import Treated, bury, kind_of, partition, treat
from shared.kernel.errors import AppError, Gone
from shared.members.referral_codes import CODE_LENGTH, CODE_PURPOSE, KIND
from shared.members.repository import POINTER_KIND, MemberRepository
from shared.members.silencing import ADDRESSES
from shared.messaging.port import Sender
from shared.storage import keys, keys_rights
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items import CouponItem, DeviceItem, IdentifierItem, SegmentRowItem
from shared.storage.items_rights import ObjectionItem
from shared.storage.table import NOT_THERE_YET
from shared.tenants.apple_client import AppleSide, forget_token, revoke_token
from shared.tenants.scope import TenantScope

T = TypeVar("T")
TIME_TO_STOP_MS: Final = 8_000
"""With less left than this a worker goes on in a new message."""
_LOOKS: Final = 2
_TRIES: Final = 3


class OutOfTime(Exception):
    """The rest is for a new invocation."""


class Endpoints(Protocol):
    """The push service, as far as it forgets (``shared.aws.push.SnsPush``)."""

    def remove(self, endpoint: str) -> None:
        """Delete an endpoint; deleting again is no error."""


@dataclass(frozen=True, slots=True)
class Recipients:
    """The way to a tenant's webhooks. ``secret``: of an endpoint, by tenant, name and version."""

    sender: Sender
    secret: Callable[[str, str, int], bytes]


@dataclass(frozen=True, slots=True)
class Hands:
    """What the steps work with. Without ``apple`` there is no way to Apple, without ``recipients`` none to the tenant's webhooks."""

    scope: TenantScope
    push: Endpoints
    apple: AppleSide | None = None
    recipients: Recipients | None = None

    def each(self, several: Iterable[T]) -> Iterator[T]:
        """One after another, as long as there is time; ``OutOfTime`` then."""
        for one in several:
            if self.scope.effort().time_left_ms() < TIME_TO_STOP_MS:
                raise OutOfTime
            yield one

    @property
    def members(self) -> MemberRepository:
        """The tenant's members."""
        return MemberRepository(self.scope.tenant, self.scope.table)


def survey(hands: Hands, erasure: Erasure) -> Erasure:
    """Count what there is, and find which identifiers lead to her. One Query a page, and a read."""
    counts, scope = Counter({"coupons": len(erasure.traces.coupons)}), hands.scope
    found: list[tuple[str, str]] = []
    for each in erasure.persons:
        counts.update(kind_of(raw["SK"]["S"]) for raw in partition(scope, each.member))
        held, code = hands.members.held(each.member), derived_code(scope, CODE_PURPOSE, each.member, CODE_LENGTH)
        counts["identifiers"] += len(held)
        found += [*held, (KIND, scope.blind(KIND, code))]
    return erasure.surveyed(counts, tuple(dict.fromkeys(found)))


def objections(hands: Hands, erasure: Erasure) -> int:
    """Her phone and e-mail, proven or not, get no marketing any more, whoever brings them: kept as keyed hashes. A write each."""
    scope = hands.scope
    contacts = {(kind, blind) for kind, blind in erasure.traces.identifiers if kind in ADDRESSES}
    for each in erasure.persons:
        fields = _contact_of(hands, each.member)
        contacts |= {(kind, scope.blind(kind, fields[kind])) for kind in ADDRESSES if kind in fields}
    return sum(_object(scope, kind, blind, erasure.accepted_at) for kind, blind in hands.each(sorted(contacts)))


def revoke_apple(hands: Hands, erasure: Erasure) -> Erasure:
    """What Apple gave for her sign-in is revoked there. Tried ``_TRIES`` times; the certificate says whether it came about, and an Apple
    that does not answer holds up no erasure. Done again it is asked again, which Apple takes.
    """
    found: Counter[str] = Counter()
    for each in hands.each(erasure.persons):
        outcome = _revoked(hands, each.member)
        if outcome is not None:
            found["apple_revoked" if outcome else "apple_not_revocable"] += 1
    return replace(erasure, counts={**erasure.counts, **found})


def _revoked(hands: Hands, member: str) -> bool | None:
    effort = hands.scope.effort()
    for _ in range(_TRIES):
        try:
            return revoke_token(hands.scope, member, hands.apple or _NOBODY)
        except OSError:
            if effort.time_left_ms() < TIME_TO_STOP_MS:
                raise OutOfTime from None
            effort.sleep(1)
    return False


class _Nobody:
    """Where there is no way to Apple."""

    def post(self, what: str, form: Mapping[str, str]) -> None:  # noqa: ARG002
        return None


_NOBODY: Final = _Nobody()


def devices(hands: Hands, erasure: Erasure) -> int:
    """Her devices: the endpoint with the push service, what leads from the device to her, the device. Another's is left alone."""
    return sum(_devices_of(hands, each) for each in erasure.persons)


def _devices_of(hands: Hands, erasure: Erasure) -> int:
    scope, done = hands.scope, 0
    rows = scope.table.query_all(keys.member(scope.tenant, erasure.member), begins=keys.DEVICE_PREFIX, consistent=True)
    for raw in hands.each(rows):
        item = DeviceItem.read(raw)
        device = item.SK.removeprefix(keys.DEVICE_PREFIX)
        if item.endpoint and hands.members.owner_of(device) in (None, erasure.member):
            _forget_endpoint(hands.push, item.endpoint)
        _release(scope, keys.identifier(scope.tenant, POINTER_KIND, device), erasure.member)
        scope.table.delete(keys.device(scope.tenant, erasure.member, device))
        done += 1
    return done


def identifiers(hands: Hands, erasure: Erasure) -> int:
    """Nothing leads to her any more: neither an identifier nor her referral code. One batch read, a write each."""
    scope = hands.scope
    wanted = [keys.identifier(scope.tenant, kind, blind) for kind, blind in erasure.traces.identifiers]
    found = scope.table.get_many(wanted, consistent=True)
    persons = {each.member for each in erasure.persons}
    hers = {key: owner for key, raw in found.items() if (owner := IdentifierItem.read(raw).member) in persons}
    for key, owner in hands.each(list(hers.items())):
        _release(scope, key, owner)
    return len(hers)


def coupons(hands: Hands, erasure: Erasure) -> int:
    """Coupons that could still be used are void, also those that a basket holds. A batch read a hundred, a write each."""
    scope = hands.scope
    where = [keys.coupon(scope.tenant, coupon) for coupon in erasure.traces.coupons]
    found = scope.table.get_many(where, consistent=True)
    usable = [key for key, raw in found.items() if CouponItem.read(raw).state in ("active", "held")]
    not_used: Condition = Path("state").is_in("active", "held")
    changes = [Path("state").set("void"), Path("version").set(Path("version") + 1)]
    changes += [Path(name).remove() for name in ("hold_until", "hold_basket", "out")]
    for key in hands.each(usable):
        try:
            scope.table.update(key, changes, not_used)
        except ConditionFailed:
            continue
    return len(usable)


def records(hands: Hands, erasure: Erasure) -> int:
    """Her partition: what is to stay loses what is personal, the rest goes. One Query a page, a write for each item that is not as it
    should be.
    """
    work, done = Treated(hands.scope, erasure), 0
    for person in erasure.persons:
        for raw in hands.each(partition(hands.scope, person.member)):
            done += treat(Treated(hands.scope, person), raw)
    pairs = [(segment, int(version)) for segment, _, version in (each.rpartition("@") for each in erasure.traces.segments)]
    rows = {keys.segment_row(hands.scope.tenant, erasure.member, *pair): pair for pair in pairs}
    buried = hands.scope.table.get_many(rows, consistent=True)
    missing = [pair for key, pair in rows.items() if key not in buried or SegmentRowItem.read(buried[key]).inside]
    for segment, version in hands.each(missing):
        bury(work, segment, version)
    return done + len(missing)


def key(hands: Hands, erasure: Erasure) -> int:
    """Her key: whatever was sealed with it, in whatever copy, is noise. The table of keys has no backups."""
    done = 0
    for each in erasure.persons:
        done += forget_token(hands.scope, each.member)
        where = keys.member_key(hands.scope.tenant, each.member)
        if hands.scope.key_table.get(where) is not None:
            hands.scope.key_table.delete(where)
            done += 1
    return done


def verify(hands: Hands, erasure: Erasure) -> int:
    """Look at everything once more; what came while the work went on is done, and looked at again. ``StillThere`` if that does not end."""
    for _ in range(_LOOKS):
        left = sum(step(hands, erasure) for step in (devices, identifiers, coupons, records, key))
        if not left:
            return 0
    raise StillThere


def do(step: Step, hands: Hands, erasure: Erasure) -> Erasure:
    """Carry out one step of our own; answers the erasure with what it found. Telling others (``shared.erasure.telling``) is none."""
    if step == "surveyed":
        return survey(hands, erasure)
    if step == "apple":
        return revoke_apple(hands, erasure)
    _WORK[step](hands, erasure)
    return erasure


_WORK: Final[Mapping[Step, Callable[[Hands, Erasure], int]]] = {
    "objections": objections,
    "devices": devices,
    "identifiers": identifiers,
    "coupons": coupons,
    "records": records,
    "key": key,
    "verified": verify,
}


def _object(scope: TenantScope, kind: str, blind: str, at: int) -> bool:
    where = keys_rights.objection(scope.tenant, ADDRESSES[kind], blind)
    try:
        scope.table.put(ObjectionItem.at(where, since=at, reason="erasure"), NOT_THERE_YET)
    except ConditionFailed:
        return False
    return True


def _contact_of(hands: Hands, member: str) -> dict[str, str]:
    """The contacts of a profile that can still be read."""
    try:
        stored = hands.members.profile(member)
        return stored.fields(hands.scope.cipher(member), "contact") if stored.version else {}
    except Gone:
        return {}


def _forget_endpoint(push: Endpoints, endpoint: str) -> None:
    try:
        push.remove(endpoint)
    except AppError as error:
        # What the service does not know, or whose application is gone, is gone; only what it could not do now is tried again.
        if error.status >= 500:
            raise


def _release(scope: TenantScope, where: keys.Key, member: str) -> None:
    """Delete what leads to her; what leads to somebody else by now stays."""
    hers_or_nobodys = Path("PK").does_not_exist() | (Path("member") == member)
    try:
        scope.table.delete(where, hers_or_nobodys)
    except ConditionFailed:
        return
