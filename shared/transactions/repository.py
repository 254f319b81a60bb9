"""The record of a sale, which is also the record of its request: it answers every replay, for ever. Items <-> model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import natural_parts
from shared.kernel.instants import Instant
from shared.profile.model import Visit
from shared.programmes.outcome import Award
from shared.storage import keys, keys_counter
from shared.storage.errors import RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import NOT_THERE_YET, Table, WriteBatch
from shared.transactions.answers import pack_trace, unpack_trace
from shared.transactions.api import PROOFS
from shared.transactions.errors import RequestReused, UnknownTransaction
from shared.transactions.model import NaturalKey
from shared.wallet.model import Posting

REQUEST_LABEL = "request"
AWAITED: Final = "awaited"
_UNITS: Final = 4
"""The place of units in a stored visit."""
_WITH_UNITS: Final = "cti"
_GONE: Final = ("returned", "voided")
_LISTED: Final = ("GSI2PK", "GSI2SK")
MAX_WAITING: Final = 20
"""Returns that may wait for one sale."""


def payload_hash(body: BaseModel) -> bytes:
    """What makes a replay the same request: the body's meaning, not its bytes, nor what it proves itself with."""
    return hashlib.sha256(body.model_dump_json(exclude_defaults=True, exclude=PROOFS).encode()).digest()[:16]


@dataclass(frozen=True, slots=True)
class Review:
    """That a sale was flagged, and what became of it. ``until``: when time approves it (0: it does not)."""

    state: Literal["pending", "approved", "rejected"]
    until: Instant = 0
    by: str = ""
    reason: str = ""
    at: Instant = 0
    points: int = 0
    """Approved: what was left of what it earned; rejected: what was taken back."""


@dataclass(frozen=True, slots=True)
class SaleRecord:
    """A recorded sale as stored."""

    key: NaturalKey
    hash: bytes
    version: int
    status: str
    member: str | None
    basket: dict[str, Any]
    answer: dict[str, Any]
    visit: Visit
    awards: tuple[Award, ...]
    spent: tuple[Posting, ...]
    coupons: tuple[str, ...]
    given: list[Any]
    """The circumstances of its decision (``shared.transactions.given``)."""
    budgets: tuple[tuple[str, int, int], ...] = ()
    """(budget, shard, points) taken from budgets."""
    returned: Mapping[str, int] = field(default_factory=dict)
    """Line -> thousandths of units that have come back."""
    waiting: tuple[NaturalKey, ...] = ()
    """Returns that arrived before the sale and are still to be settled."""
    counts_units: bool = True
    """Whether the profile was told quantities by dimension: not of sales from before it kept them."""
    review: Review | None = None

    @property
    def id(self) -> str:
        """The transaction's id."""
        return self.key.id("txn")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sale left: what is needed to answer it again, to undo it exactly, and to decide it again."""

    answer: dict[str, Any]
    visit: Visit
    given: list[Any]
    awards: tuple[Award, ...] = ()
    spent: tuple[Posting, ...] = ()
    coupons: tuple[str, ...] = ()
    budgets: tuple[tuple[str, int, int], ...] = ()
    review: Review | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """The place of a sale that has not arrived: its returns have."""

    version: int
    waiting: tuple[NaturalKey, ...]


def natural_key(transaction_id: str) -> NaturalKey:
    """The natural key that an id is."""
    try:
        source, location, business_date, till, receipt = natural_parts("txn", transaction_id)
    except (InvalidValue, ValueError):
        raise UnknownTransaction from None
    return NaturalKey(source, location, business_date, till, receipt)


class SaleRepository:
    """The sales of one tenant."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def get(self, key: NaturalKey) -> SaleRecord:
        """A sale, or ``UnknownTransaction``. 1 read unit per 4 KB."""
        found = self.find(key)
        if not isinstance(found, SaleRecord):
            raise UnknownTransaction
        return found

    def find(self, key: NaturalKey) -> SaleRecord | Awaited | None:
        """A sale, or what waits for it, or nothing."""
        try:
            where = self._key(key)
        except InvalidValue:
            return None
        raw = self.table.get(where)
        if raw is None:
            return None
        return awaited_of(raw) or self.decode(key, raw)

    def decode(self, key: NaturalKey, raw: RawItem) -> SaleRecord:
        """Stored item -> sale."""
        item = RequestItem.read(raw)
        basket, answer, visit, awards, spent, coupons, given, trace, budgets = unpack(item.body)
        lines = [line["id"] for line in basket["lines"]]
        versions = [(id_, version) for id_, version in given[2]]
        if trace:
            answer["trace"] = unpack_trace(trace, versions, lines)
        return SaleRecord(
            key=key,
            hash=item.hash,
            version=int(item.version),
            status=item.status or "recorded",
            member=item.member,
            basket=basket,
            answer=answer,
            visit=_visit_of(visit),
            counts_units=len(visit) > _UNITS,
            awards=tuple(_award_of(row, versions, lines) for row in awards),
            spent=tuple(Posting(*each) for each in spent),
            coupons=tuple(coupons),
            given=given,
            budgets=tuple((key, shard, points) for key, shard, points in budgets),
            returned=unpack(item.returned) if item.returned else {},
            waiting=_keys_of(item.waiting),
            review=_review_of(item),
        )

    def add_new(
        self,
        batch: WriteBatch,
        key: NaturalKey,
        hash_: bytes,
        basket: Mapping[str, Any],
        outcome: Outcome,
        member: str | None,
        out: str | None = None,
        awaited: Awaited | None = None,
    ) -> None:
        """Record a sale if its natural key is new (or only awaited); the stored one is returned if it is not."""
        version = 1 if awaited is None else awaited.version + 1
        unchanged = NOT_THERE_YET if awaited is None else _awaited_as_read(awaited)
        item = self._item(key, hash_, version, "recorded", member, basket, outcome, out, awaited.waiting if awaited else ())
        batch.put_raw(REQUEST_LABEL, item, unchanged, old=True)

    def add_waiting(self, batch: WriteBatch, key: NaturalKey, returning: NaturalKey, awaited: Awaited | None) -> None:
        """A return waits for a sale that has not arrived."""
        waiting = (*(awaited.waiting if awaited is not None else ()), returning)
        version = awaited.version + 1 if awaited is not None else 1
        unchanged = NOT_THERE_YET if awaited is None else _awaited_as_read(awaited)
        item = RequestItem.raw(self._key(key), hash=b"-", body=pack([]), version=version, status=AWAITED, waiting=_pack_keys(waiting))
        batch.put_raw("sale", item, unchanged, old=True)

    def add_change(
        self,
        batch: WriteBatch,
        sale: SaleRecord,
        status: str,
        *,
        returned: Mapping[str, int] | None = None,
        settled: NaturalKey | None = None,
        out: str | None = None,
    ) -> None:
        """A return or void: only of a sale that is as it was read. ``settled`` waits no longer."""
        actions = [Path("s").set(status), Path("v").set(sale.version + 1), Path("out").set(out) if out else Path("out").remove()]
        if returned is not None:
            actions.append(Path("r").set(pack(dict(returned))))
        if sale.review is not None and status in _GONE:
            # Nobody has to look at what is undone.
            actions += [Path(name).remove() for name in _LISTED]
        if settled in sale.waiting:
            left = tuple(each for each in sale.waiting if each != settled)
            actions.append(Path("w").set(_pack_keys(left)) if left else Path("w").remove())
        unchanged = Path("v") == sale.version
        batch.update("sale", self._key(sale.key), actions, unchanged, old=True)

    def add_review(self, batch: WriteBatch, sale: SaleRecord, review: Review) -> None:
        """Somebody has decided: only of a sale that is as it was read. It is listed no more."""
        told = pack([review.by, review.reason, review.at, review.points])
        actions = [Path("rv").set(review.state), Path("rb").set(told), Path("v").set(sale.version + 1), Path("out").remove()]
        actions += [Path(name).remove() for name in _LISTED]
        batch.update("sale", self._key(sale.key), actions, Path("v") == sale.version, old=True)

    def under_review(self, now: Instant, limit: int, start: RawItem | None) -> tuple[list[SaleRecord], RawItem | None]:
        """A page of sales that wait for a person, those that time approves next first. One Query, one batch read."""
        span = (keys_counter.review_from(now + 1), keys_counter.review_from(0) + "~")
        rows, last = self.table.query(keys_counter.reviews(self.tenant), between=span, index="GSI2", limit=limit, start=start)
        where = [keys.Key(row["PK"]["S"], row["SK"]["S"]) for row in rows]
        found = self.table.get_many(where)
        ids = [row["GSI2SK"]["S"].split("#", 2)[2] for row in rows]
        return [self.decode(natural_key(id_), found[key]) for id_, key in zip(ids, where, strict=True) if key in found], last

    def add_claim(self, batch: WriteBatch, sale: SaleRecord, outcome: Outcome, member: str) -> None:
        """The same sale with a member, decided anew."""
        unchanged = (Path("v") == sale.version) & Path("m").does_not_exist()
        item = self._item(sale.key, sale.hash, sale.version + 1, "recorded", member, sale.basket, outcome, None, ())
        batch.put_raw("sale", item, unchanged, old=True)

    def _item(
        self,
        key: NaturalKey,
        hash_: bytes,
        version: int,
        status: str,
        member: str | None,
        basket: Mapping[str, Any],
        outcome: Outcome,
        out: str | None,
        waiting: tuple[NaturalKey, ...],
    ) -> RawItem:
        # The trace is stored apart, but keeps its place: a replay answers the same to the byte.
        visit, answer = outcome.visit, {name: 0 if name == "trace" else value for name, value in outcome.answer.items()}
        lines = [line["id"] for line in basket["lines"]]
        programmes, review = [id_ for id_, _ in outcome.given[2]], outcome.review
        body = [
            basket,
            answer,
            _visit_row(visit),
            [_award_row(each, programmes, lines) for each in outcome.awards],
            [_posting_row(each) for each in outcome.spent],
            outcome.coupons,
            outcome.given,
            pack_trace(outcome.answer.get("trace", ()), programmes, lines),
            outcome.budgets,
        ]
        return RequestItem.raw(
            self._key(key),
            hash=hash_,
            body=pack(body),
            version=version,
            status=status,
            member=member,
            out=out,
            waiting=_pack_keys(waiting) if waiting else None,
            **(self._listed(key, visit.at, review) if review is not None else {}),
        )

    def _listed(self, key: NaturalKey, at: Instant, review: Review) -> dict[str, str | int | None]:
        place = keys_counter.review(review.until, at, key.id("txn"))
        return {
            "review": review.state, "review_until": review.until or None, "GSI2PK": keys_counter.reviews(self.tenant), "GSI2SK": place
        }  # fmt: skip

    def _key(self, key: NaturalKey) -> keys.Key:
        return keys.request(self.tenant, "txn", key.source, key.text())


def _review_of(item: RequestItem) -> Review | None:
    state: Any = item.review
    if state is None:
        return None
    return Review(state, int(item.review_until or 0), *(unpack(item.reviewed) if item.reviewed else ()))


def awaited_of(raw: RawItem) -> Awaited | None:
    """The item as that of a sale which has not arrived, if it is one."""
    item = RequestItem.read(raw)
    return Awaited(int(item.version), _keys_of(item.waiting)) if item.status == AWAITED else None


def _awaited_as_read(awaited: Awaited) -> Condition:
    as_read: Condition = (Path("v") == awaited.version) & (Path("s") == AWAITED)
    return as_read


def check_same(stored: bytes, sent: bytes) -> None:
    """``RequestReused`` unless a replay has the payload that was stored."""
    if stored != sent:
        raise RequestReused("This key was used for another request. Send a new key, or look the stored one up.")


def _visit_row(visit: Visit) -> list[Any]:
    """Units as one number for each dimension that has its own, in their order."""
    return [visit.at, visit.value, visit.quantity, visit.by, [visit.units.get(key, 0) for key in visit.by if key[0] in _WITH_UNITS]]


def _visit_of(row: list[Any]) -> Visit:
    at, value, quantity, by, *units = row
    counted = [key for key in by if key[0] in _WITH_UNITS]
    return Visit(at, value, quantity, by, 1, dict(zip(counted, units[0], strict=True)) if units else {})


def _posting_row(posting: Posting) -> list[Any]:
    return [posting.wallet, posting.kind, posting.points, posting.available_at, posting.expires_at]


def _award_row(award: Award, programmes: Sequence[str], lines: Sequence[str]) -> list[Any]:
    """Parts as one number a line; the awaited event, mostly none, goes last."""
    parts = dict(award.parts)
    posting = award.posting
    row = [programmes.index(award.programme), [parts.get(line, 0) for line in lines], dict(award.usage), *_posting_row(posting)]
    return [*row, posting.awaits] if posting.awaits else row


def _award_of(row: list[Any], programmes: Sequence[tuple[str, int]], lines: Sequence[str]) -> Award:
    index, parts, usage, *posting = row
    programme, version = programmes[index]
    by_line = tuple((line, points) for line, points in zip(lines, parts, strict=True) if points)
    return Award(programme, version, Posting(*posting), by_line, tuple(usage.items()))


def _pack_keys(waiting: Sequence[NaturalKey]) -> bytes:
    return pack([[each.source, each.location, each.business_date, each.till, each.receipt] for each in waiting])


def _keys_of(packed: bytes | None) -> tuple[NaturalKey, ...]:
    return tuple(NaturalKey(*each) for each in unpack(packed)) if packed else ()
