"""Bodies of the till's routes. Names are API.md's and stay. What they answer is in ``answer_models``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import day_of, parse_rfc3339
from shared.member_state.events import Mode
from shared.programmes.conditions import Channel
from shared.programmes.selectors import LineKind, TenderKind
from shared.tenants.model import Frozen, Language

MAX_EXT_BYTES = 2048
MAX_BULK = 500


def _instant(value: str) -> str:
    parse_rfc3339(value)
    return value


def _date(value: str) -> str:
    day_of(value)
    return value


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(str(value)) > MAX_EXT_BYTES:
        raise InvalidValue(f"ext takes at most {MAX_EXT_BYTES} bytes")
    return value


Timestamp = Annotated[str, StringConstraints(max_length=40), AfterValidator(_instant)]
"""RFC 3339 with an offset."""
Date = Annotated[str, StringConstraints(max_length=10), AfterValidator(_date)]
Ref = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]
"""A reference that the till's system chose."""
Money = Annotated[StrictInt, Field(ge=-(10**12), le=10**12, description="minor units")]
def _not_negative(value: str) -> str:
    if value.startswith("-"):
        raise PydanticCustomError("negative_quantity", "goods that come back are sent as a return; a correction has a negative price")
    return value


Quantity = Annotated[str, StringConstraints(pattern=r"^-?\d{1,7}(\.\d{1,3})?$"), AfterValidator(_not_negative)]
"""A decimal string, three places at most, so that weight needs no float. What comes back is a return."""
Token = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[\x21-\x7e]+$")]
PROOFS = {"identification", "confirmation_id"}
"""Fields that prove who asks: no part of what is asked, so that the same request with another proof is the same request."""
Ext = Annotated[dict[str, Any], AfterValidator(_small)]


class MemberReference(Frozen):
    """A member by id, or by one of her identifiers."""

    id: str | None = Field(default=None, max_length=64)
    kind: Literal["apple", "google", "phone", "email", "card", "external"] | None = None
    value: str | None = Field(default=None, min_length=1, max_length=256)

    @model_validator(mode="after")
    def _one_of_both(self) -> MemberReference:
        if (self.id is None) == (self.kind is None) or (self.kind is None) != (self.value is None):
            raise ValueError("give either id, or kind and value")
        return self


class LineDiscount(Frozen):
    """A discount that the till has given already."""

    origin: Ref
    amount: Annotated[StrictInt, Field(ge=0, le=10**12)]


class BasketLine(Frozen):
    """One line of a receipt."""

    id: Ref
    parent_line_id: Ref | None = None
    kind: LineKind = "item"
    item_id: Ref | None = None
    pos_code: Ref | None = None
    name: Annotated[str, StringConstraints(max_length=200)] | None = None
    category: Ref | None = None
    tags: tuple[Ref, ...] | None = Field(default=None, max_length=20)
    quantity: Quantity = "1"
    unit_price: Money
    amount: Money | None = Field(default=None, description="as printed; quantity x unit_price where it is left out")
    discounts: tuple[LineDiscount, ...] = Field(default=(), max_length=20)
    tax_rate: Annotated[str, StringConstraints(pattern=r"^\d{1,2}(\.\d{1,4})?$")] | None = Field(default=None, description="percent")
    tax_amount: Money | None = None
    member_id: Ref | None = None


class Tender(Frozen):
    """How (a part of) the bill was paid."""

    kind: TenderKind
    amount: Money
    reference: Ref | None = None


class CouponReference(Frozen):
    """A coupon by its id or printable code. Codes travel in bodies, never in paths."""

    id: str | None = Field(default=None, max_length=64)
    code: str | None = Field(default=None, min_length=4, max_length=64)
    given: Annotated[StrictInt, Field(ge=0, le=10**12)] | None = Field(
        default=None, description="of a sale made offline: what the till took off for it, minor units"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> CouponReference:
        if (self.id is None) == (self.code is None):
            raise ValueError("give either id or code")
        return self


class Basket(Frozen):
    """What quote, hold and transaction have in common."""

    source: Ref
    location_id: Ref
    till_id: Ref | None = None
    staff_id: Ref | None = None
    channel: Channel = "pos"
    occurred_at: Timestamp
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    prices_include_tax: StrictBool = True
    order_id: Ref | None = None
    check_id: Ref | None = None
    checks_in_order: Annotated[StrictInt, Field(ge=1, le=100)] | None = None
    lines: tuple[BasketLine, ...] = Field(min_length=1, max_length=500)
    coupons: tuple[CouponReference, ...] = Field(default=(), max_length=30)
    tenders: tuple[Tender, ...] = Field(default=(), max_length=20)
    points_to_spend: Annotated[StrictInt, Field(ge=0, le=10**9)] = 0
    member: MemberReference | None = None
    language: Language | None = Field(default=None, description="the guest's, for titles; else the tenant's first")
    identification: Token | None = Field(default=None, description="what identify answered; without it nothing is proven of her")
    confirmation_id: Token | None = Field(default=None, description="of spending above the tenant's limit; good once")
    ext: Ext = Field(default_factory=dict)

    @model_validator(mode="after")
    def _lines_have_ids(self) -> Basket:
        ids = {line.id for line in self.lines}
        if len(ids) != len(self.lines):
            raise ValueError("two lines have the same id")
        if any(line.parent_line_id is not None and line.parent_line_id not in ids for line in self.lines):
            raise ValueError("parent_line_id names no line of this basket")
        return self


class QuoteRequest(Basket):
    """A basket to price; nothing is written."""


class HoldRequest(Basket):
    """A basket to hold points and coupons for. ``basket_id`` makes it safe to repeat."""

    basket_id: Ref
    ttl_seconds: Annotated[StrictInt, Field(ge=10, le=86400)] = 600


class ExtendRequest(Frozen):
    """More time for a hold, from now."""

    ttl_seconds: Annotated[StrictInt, Field(ge=10, le=86400)] = 600


class TransactionRequest(Basket):
    """A finished sale. Its natural key: source, location, business date, till (if given), receipt number."""

    business_date: Date
    receipt_number: Ref
    mode: Mode = "live"
    training: StrictBool = False
    offline: StrictBool = False
    hold_id: Ref | None = None

    def kept(self, member: str | None) -> dict[str, Any]:
        """The sale as it is stored: who bought is named by her id alone, or not at all.

        A till may name her by card, phone or address. That must not stay in the books: they outlive her erasure.
        """
        basket = self.model_dump(mode="json", exclude_defaults=True, exclude={"member", *PROOFS})
        return basket | {"member": {"id": member}} if member is not None else basket


class LookupRequest(Frozen):
    """A sale's natural key."""

    source: Ref
    location_id: Ref
    business_date: Date
    till_id: Ref | None = None
    receipt_number: Ref


class ClaimRequest(Frozen):
    """Who bought it, and at which till and by whom that is said."""

    member: MemberReference
    till_id: Ref | None = None
    staff_id: Ref | None = None


class ReturnedLine(Frozen):
    """How much of a line of the original came back."""

    line_id: Ref
    quantity: Quantity | None = Field(default=None, description="all that is left of the line, if left out")


class ReturnRequest(Frozen):
    """A sale comes back: all that is left of it, or the lines that are listed.

    ``original`` by id or natural key; the return's own natural key makes it safe to repeat. An original that has not arrived
    yet is no error: the return waits for it, and is settled with it.
    """

    source: Ref
    location_id: Ref
    business_date: Date
    till_id: Ref | None = None
    staff_id: Ref | None = None
    receipt_number: Ref
    occurred_at: Timestamp
    transaction_id: str | None = Field(default=None, max_length=400)
    original: LookupRequest | None = None
    lines: tuple[ReturnedLine, ...] = Field(default=(), max_length=500)
    reason: Annotated[str, StringConstraints(max_length=200)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> ReturnRequest:
        if (self.transaction_id is None) == (self.original is None):
            raise ValueError("give either transaction_id or original")
        if len({line.line_id for line in self.lines}) != len(self.lines):
            raise ValueError("a line is listed twice")
        return self


class BulkTransactionsRequest(Frozen):
    """Up to 500 sales. Each is checked by itself: a bad one is refused with its index, the others go on."""

    transactions: tuple[dict[str, Any], ...] = Field(min_length=1, max_length=MAX_BULK)
    mode: Mode | None = Field(default=None, description="for those that name none")


class EventRequest(Frozen):
    """Something the member did. ``event_id`` makes it safe to repeat."""

    event_id: Ref
    member_id: Ref
    type: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}(\.[a-z][a-z0-9_]{0,30})?$")]
    occurred_at: Timestamp
    campaign_id: Ref | None = None
    step: Ref | None = None
    properties: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")], StrictBool | StrictInt | Ref] = Field(
        default_factory=dict, max_length=20
    )
