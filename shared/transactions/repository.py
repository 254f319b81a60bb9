"""The record of a sale, which is also the record of its request: it answers every replay, for ever. Items <-> model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import natural_parts
from shared.profile.model import Visit
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import NOT_THERE_YET, Table, WriteBatch
from shared.transactions.errors import RequestReused, UnknownTransaction
from shared.transactions.model import NaturalKey
from shared.wallet.model import Posting

REQUEST_LABEL = "request"


def payload_hash(body: BaseModel) -> bytes:
    """What makes a replay the same request: the body's meaning, not its bytes."""
    return hashlib.sha256(body.model_dump_json(exclude_defaults=True).encode()).digest()[:16]


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
    earned: tuple[Posting, ...]
    spent: tuple[Posting, ...]
    coupons: tuple[str, ...]

    @property
    def id(self) -> str:
        """The transaction's id."""
        return self.key.id("txn")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sale left, to be undone exactly by a return."""

    answer: dict[str, Any]
    visit: Visit
    earned: tuple[Posting, ...] = ()
    spent: tuple[Posting, ...] = ()
    coupons: tuple[str, ...] = ()


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
        try:
            where = self._key(key)
        except InvalidValue:
            raise UnknownTransaction from None
        raw = self.table.get(where)
        if raw is None:
            raise UnknownTransaction
        return self.decode(key, raw)

    def decode(self, key: NaturalKey, raw: RawItem) -> SaleRecord:
        """Stored item -> sale."""
        item = RequestItem.read(raw)
        basket, answer, visit, earned, spent, coupons = unpack(item.body)
        return SaleRecord(
            key=key,
            hash=item.hash,
            version=int(item.version),
            status=item.status or "recorded",
            member=item.member,
            basket=basket,
            answer=answer,
            visit=Visit(visit[0], visit[1], visit[2], visit[3]),
            earned=tuple(Posting(*each) for each in earned),
            spent=tuple(Posting(*each) for each in spent),
            coupons=tuple(coupons),
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
    ) -> None:
        """Record a sale if its natural key is new; the stored one is returned if it is not."""
        item = self._item(key, hash_, 1, "recorded", member, basket, outcome, out)
        batch.put_raw(REQUEST_LABEL, item, NOT_THERE_YET, old=True)

    def add_change(self, batch: WriteBatch, sale: SaleRecord, status: str, out: str | None = None) -> None:
        """A return or void: only a sale that is as it was read."""
        unchanged = (Path("v") == sale.version) & (Path("s") == "recorded")
        actions = [Path("s").set(status), Path("v").set(sale.version + 1), Path("out").set(out) if out else Path("out").remove()]
        batch.update("sale", self._key(sale.key), actions, unchanged, old=True)

    def add_claim(self, batch: WriteBatch, sale: SaleRecord, outcome: Outcome, member: str) -> None:
        """The same sale with a member, decided anew."""
        unchanged = (Path("v") == sale.version) & Path("m").does_not_exist()
        item = self._item(sale.key, sale.hash, sale.version + 1, "recorded", member, sale.basket, outcome, None)
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
    ) -> RawItem:
        visit = outcome.visit
        body = [
            basket,
            outcome.answer,
            [visit.at, visit.value, visit.quantity, visit.by],
            [_posting_row(each) for each in outcome.earned],
            [_posting_row(each) for each in outcome.spent],
            outcome.coupons,
        ]
        return RequestItem.raw(self._key(key), hash=hash_, body=pack(body), version=version, status=status, member=member, out=out)

    def _key(self, key: NaturalKey) -> keys.Key:
        return keys.request(self.tenant, "txn", key.source, key.text())


def check_same(stored: bytes, sent: bytes) -> None:
    """``RequestReused`` unless a replay has the payload that was stored."""
    if stored != sent:
        raise RequestReused("This key was used for another request. Send a new key, or look the stored one up.")


def _posting_row(posting: Posting) -> list[Any]:
    return [posting.wallet, posting.kind, posting.points, posting.available_at, posting.expires_at]
