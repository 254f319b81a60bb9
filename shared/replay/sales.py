"""Sales that may come back, each as some hundred bytes: what a return asks of them, and what has come back so far. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter

from shared.transactions.model import SaleStatus
from shared.transactions.returning import Sold

_WORDS: Final = (
    b'{"member":"m","sold":{"at":1555,"location":"","channel":"pos","lines":[{"id":"1","kind":"item","item":"","category":"",'
    b'"tags":[],"units":1000,"amount":,"net":,"member":null,"unit_price":,"full":,"tax":0,"tax_on_top":false,"known":true}],'
    b'"awards":[{"programme":"","version":1,"posting":{"wallet":"points","kind":"earn","points":,"available_at":0,'
    b'"expires_at":253402300799000,"awaits":""},"parts":[["1",]],"usage":[]}],"spent":[],"paid_with_points":0,"coupons":{},'
    b'"opened_visit":false},"budgets":{},"returned":{},"status":"recorded"}'
)


@dataclass(slots=True)
class Sale:
    """A recorded sale. ``returned`` is what has come back in all: line -> thousandths."""

    member: str | None
    sold: Sold
    budgets: Mapping[str, int] = field(default_factory=dict)
    """What it took from budgets."""
    taken: Mapping[str, int] = field(default_factory=dict)
    """Coupon -> what it took off or paid."""
    returned: dict[str, int] = field(default_factory=dict)
    status: SaleStatus = "recorded"

    @property
    def gone(self) -> bool:
        """Nothing of it is left."""
        return self.status in ("returned", "voided")


_CODEC: Final[TypeAdapter[Sale]] = TypeAdapter(Sale)


def pack_sale(sale: Sale) -> bytes:
    """As bytes (RFC 1950 with a preset dictionary)."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, 13, 7, zlib.Z_DEFAULT_STRATEGY, _WORDS)
    return deflate.compress(_CODEC.dump_json(sale)) + deflate.flush()


def unpack_sale(packed: bytes) -> Sale:
    """What ``pack_sale`` took."""
    inflate = zlib.decompressobj(13, _WORDS)
    return _CODEC.validate_json(inflate.decompress(packed) + inflate.flush())
