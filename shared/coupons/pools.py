"""Pools of codes: ordered once, made in parts by a worker, withdrawn as a whole.

A code of a pool is one item, the coupon itself, at the key of its blind index (``shared.coupons.code_store``): half of the writes and
storage of a coupon with a pointer to it, found with one read less, and unique against every other code of the tenant by its key. All that
holds, redeems and returns a coupon works on it unchanged. Nothing stored tells a code; whoever has the tenant's index key makes it again.

Void: an unused code is void as soon as its pool is (``CouponRepository``), without a write to any code. A redemption that had read the pool
before it was voided may still be committed, seconds later, as if it had come before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

from shared.coupons.code_space import GUESSES, BadPattern, CodeSpace
from shared.coupons.errors import UnknownOffer
from shared.coupons.issuing import check_bearer, offer_in_force
from shared.coupons.model import Coupon
from shared.coupons.pools_api import PoolAnswer, PoolRequest
from shared.coupons.repository import POOL
from shared.coupons.rules import validity
from shared.jobs import service as jobs
from shared.kernel.errors import FieldError, KeyRequired, NotFound, Unprocessable
from shared.kernel.ids import is_id, new_ulid
from shared.kernel.instants import Instant, format_rfc3339
from shared.member_state.effects import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import JobItem, PoolItem, RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import NOT_THERE_YET, WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions.repository import check_same

PART: Final = 2_000
"""Codes of a part: ten parts, a full batch of the queue, fit into a worker's minute."""
RESERVE: Final = 100
"""Places of the space that a part may use instead of codes that were somebody else's already."""
JOB_KIND: Final = "code_pool"


class UnknownPool(NotFound):
    """No such pool of this offer."""

    code, title = "unknown_pool", "Unknown pool"


class Guessable(Unprocessable):
    """Guessing these codes would pay."""

    code, title = "guessable", "Guessable codes"

    def __init__(self, space: CodeSpace, count: int) -> None:
        try:
            advice = f"the shortest pattern that would do is {space.shortest(count)}"
        except BadPattern:
            advice = "no pattern with so many fixed characters would do"
        odds = f"{space.size} codes, {count} of them good: one guess in {space.one_in(count)} hits"
        text = f"{odds}, {GUESSES} guesses {GUESSES * count // space.size} times; {advice}"
        super().__init__("Guessing these codes would pay.", errors=(FieldError("/pattern", "guessable", text),))


class Queue(Protocol):
    """Where pointers to parts go (SQS; a list in tests)."""

    def send_all(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Send many messages."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as its item says; ``template`` is what each of its coupons is."""

    id: str
    space: CodeSpace
    count: int
    template: Coupon
    status: Literal["active", "void"] = "active"

    @property
    def job(self) -> str:
        """The job that makes it."""
        return "job" + self.id.removeprefix(POOL)

    @property
    def parts(self) -> int:
        """How many parts it is made in."""
        return -(-self.count // PART)

    def span(self, part: int) -> tuple[int, int]:
        """Which places of the space a part is made from."""
        return part * PART, min((part + 1) * PART, self.count)

    def reserve(self, part: int) -> tuple[int, int]:
        """Which places it falls back to. Beyond those of all parts, and inside the space: a pool fills a millionth of it at most."""
        start = self.parts * PART + part * RESERVE
        return start, start + RESERVE


# -- order ----------------------------------------------------------------------------------------------------------


def order(
    scope: TenantScope, offer_id: str, request: PoolRequest, idempotency_key: str | None, queue: Queue, correlation: str = ""
) -> tuple[PoolAnswer, bool]:
    """A new pool, and messages for its parts; ``True`` with it where the same request made it before.

    3 items in one transaction, a message per 2,000 codes. A repeated call sends the messages of parts that are not made again.
    """
    key = request.request_id or idempotency_key
    if key is None:
        hint = FieldError("/request_id", "required", "or send an Idempotency-Key")
        raise KeyRequired("Ordering again must not make a second pool; send a key.", errors=(hint,))
    now = scope.clock()
    natural = hashlib.sha256(f"{offer_id}|{key}".encode()).hexdigest()
    record_key = keys.request(scope.tenant, "pool", "order", natural)
    payload = hashlib.sha256(request.model_dump_json(exclude={"request_id"}).encode()).digest()[:16]

    def replayed(raw: RawItem) -> tuple[Pool, bool]:
        item = RequestItem.read(raw)
        check_same(item.hash, payload)
        return load(scope, offer_id, unpack(item.body)[0]), True

    def plan(_stale: Stale) -> Plan[tuple[Pool, bool]]:
        pool = _new(scope, offer_id, request, now)
        batch = WriteBatch()
        batch.put("request", RequestItem.at(record_key, hash=payload, body=pack([pool.id])), NOT_THERE_YET, old=True)
        batch.put("pool", _item(scope.tenant, pool, now, correlation), NOT_THERE_YET)
        job = JobItem.at(keys.job(scope.tenant, pool.job), kind=JOB_KIND, parts=pool.parts, records=pool.count, created_at=now)
        batch.put("job", job, NOT_THERE_YET)
        return Plan(batch, (pool, False), "request")

    stored = scope.table.get(record_key)
    pool, again = replayed(stored) if stored is not None else commit(scope.table, plan, effort=scope.effort(), replay=replayed)
    made = parts_made(scope, pool) if again else {}
    if pool.status == "active":
        queue.send_all([{"tenant": scope.tenant, "job": pool.job, "part": part} for part in range(pool.parts) if part not in made])
    return _answer(pool, sum(made.values())), again


def _new(scope: TenantScope, offer_id: str, request: PoolRequest, now: Instant) -> Pool:
    """A pool that may be made: of an offer in force, and not guessable."""
    body, version = offer_in_force(scope, offer_id, now)
    check_bearer(body)
    active_from, expires_at = validity(body, now, scope.definitions.settings.time_zone)
    if expires_at <= now:
        raise UnknownOffer("The offer has ended.")
    space = request.space
    if space.is_guessable(request.count):
        raise Guessable(space, request.count)
    id_ = f"{POOL}_{new_ulid(now)}"
    template = Coupon("", offer_id, version, "active", None, active_from, expires_at, issued_by=id_)
    return Pool(id_, space, request.count, template)


# -- read and void --------------------------------------------------------------------------------------------------


def read(scope: TenantScope, offer_id: str, pool_id: str) -> PoolAnswer:
    """A pool and how far it is made. One read and one Query."""
    pool = load(scope, offer_id, pool_id)
    return _answer(pool, sum(parts_made(scope, pool).values()))


def void(scope: TenantScope, offer_id: str, pool_id: str, correlation: str = "") -> PoolAnswer:
    """Withdraw every unused code of a pool at once: one write. Voiding again changes nothing."""
    pool = load(scope, offer_id, pool_id)

    def plan(stale: Stale) -> Plan[Pool]:
        batch, after = WriteBatch(), replace(pool, status="void")
        if pool.status == "active" and not stale:
            event = DomainEvent("pool.voided", scope.clock(), _told(pool))
            changes = [Path("status").set("void"), Path("version").set(Path("version") + 1)]
            changes.append(Path("out").set(envelope([event], Stamp(scope.clock(), correlation))))
            batch.update("pool", keys.pool(scope.tenant, pool.id), changes, Path("status") == "active")
        return Plan(batch, after)

    return _answer(commit(scope.table, plan, effort=scope.effort()), sum(parts_made(scope, pool).values()))


def load(scope: TenantScope, offer_id: str | None, pool_id: str) -> Pool:
    """The pool, consistently; ``UnknownPool`` also where it is another offer's. 1 read unit."""
    raw = scope.table.get(keys.pool(scope.tenant, pool_id)) if is_id(POOL, pool_id) else None
    if raw is None:
        raise UnknownPool
    item = PoolItem.read(raw)
    offer, version, pattern, alphabet, check, count, active_from, expires_at = unpack(item.body)
    if offer_id not in (None, offer):
        raise UnknownPool
    template = Coupon("", offer, version, "active", None, active_from, expires_at, issued_by=pool_id)
    return Pool(pool_id, CodeSpace(pattern, alphabet, check), count, template, "void" if item.status == "void" else "active")


def parts_made(scope: TenantScope, pool: Pool) -> dict[int, int]:
    """Part -> how many codes of it are stored. One Query."""
    return jobs.parts_done(scope, pool.job)


def _item(tenant: str, pool: Pool, now: Instant, correlation: str) -> PoolItem:
    body, space = pool.template, pool.space
    fields = [body.offer, body.offer_version, space.pattern, space.alphabet, space.check, pool.count, body.active_from, body.expires_at]
    out = envelope([DomainEvent("pool.ordered", now, _told(pool))], Stamp(now, correlation))
    return PoolItem.at(keys.pool(tenant, pool.id), status="active", version=1, body=pack(fields), out=out)


def _told(pool: Pool) -> dict[str, object]:
    return {"pool": pool.id, "offer": pool.template.offer, "count": pool.count}


def _answer(pool: Pool, made: int) -> PoolAnswer:
    space, coupon = pool.space, pool.template
    return PoolAnswer(
        pool_id=pool.id,
        job_id=pool.job,
        offer_id=coupon.offer,
        offer_version=coupon.offer_version,
        status="void" if pool.status == "void" else "ready" if made >= pool.count else "making",
        count=pool.count,
        made=made,
        pattern=space.pattern,
        space=str(space.size),
        one_guess_in=str(space.one_in(pool.count)),
        shortest_pattern=space.shortest(pool.count),
        active_from=format_rfc3339(coupon.active_from),
        expires_at=format_rfc3339(coupon.expires_at),
    )
