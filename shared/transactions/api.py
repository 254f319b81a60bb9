"""Bodies of the till's routes. Names are API.md's and stay."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StringConstraints, model_validator

from shared.coupons.model import Channel
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import day_of, parse_rfc3339
from shared.member_state.events import Mode
from shared.programmes.model import LineKind
from shared.tenants.model import Frozen

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
Quantity = Annotated[str, StringConstraints(pattern=r"^-?\d{1,7}(\.\d{1,3})?$")]
"""A decimal string, three places at most, so that weight needs no float."""
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

    kind: Literal["cash", "card", "gift_card", "points", "voucher", "other"]
    amount: Money
    reference: Ref | None = None


class CouponReference(Frozen):
    """A coupon by its id or printable code. Codes travel in bodies, never in paths."""

    id: str | None = Field(default=None, max_length=64)
    code: str | None = Field(default=None, min_length=4, max_length=64)

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
    coupons: tuple[CouponReference, ...] = Field(default=(), max_length=12)
    points_to_spend: Annotated[StrictInt, Field(ge=0, le=10**9)] = 0
    member: MemberReference | None = None
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
    tenders: tuple[Tender, ...] = Field(default=(), max_length=20)
    hold_id: Ref | None = None


class LookupRequest(Frozen):
    """A sale's natural key."""

    source: Ref
    location_id: Ref
    business_date: Date
    till_id: Ref | None = None
    receipt_number: Ref


class ClaimRequest(Frozen):
    """Who bought it."""

    member: MemberReference


class ReturnRequest(Frozen):
    """A whole sale comes back. ``original`` by id or natural key; source and receipt number of the return make it safe to repeat."""

    source: Ref
    location_id: Ref
    business_date: Date
    till_id: Ref | None = None
    receipt_number: Ref
    occurred_at: Timestamp
    transaction_id: str | None = Field(default=None, max_length=400)
    original: LookupRequest | None = None
    reason: Annotated[str, StringConstraints(max_length=200)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> ReturnRequest:
        if (self.transaction_id is None) == (self.original is None):
            raise ValueError("give either transaction_id or original")
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


# -- answers --------------------------------------------------------------------------------------------------------


class Answer(Frozen):
    """An answer; null fields are left out."""


class LineOutcome(Answer):
    """What a line costs."""

    id: str
    amount: int
    discount: int
    net: int


class CouponOutcome(Answer):
    """What a coupon took off, and where."""

    coupon_id: str
    offer_id: str
    amount: int
    lines: dict[str, int]


class Refusal(Answer):
    """A coupon, or points, that cannot be used on this basket, and why."""

    subject: str
    code: str
    detail: str


class Warned(Answer):
    """Stored as sent, but worth a look."""

    code: str
    pointer: str
    detail: str


class TraceStep(Answer):
    """One rule of one programme: what it matched and gave, or why not."""

    programme: str
    version: int
    rule: str
    lines: tuple[str, ...] | None = None
    base: int = 0
    formula: str | None = None
    rounding: str | None = None
    points: int = 0
    reason: str | None = None


class Totals(Answer):
    """Sums in minor units. ``due`` is what remains to be paid by other tenders."""

    amount: int
    discount: int
    paid_with_points: int
    due: int


class Points(Answer):
    """What the basket earns and spends. Balance after it; absent for anonymous sales."""

    earned: int = 0
    spent: int = 0
    balance: int | None = None
    available_at: str | None = None
    expires_at: str | None = None


class Receipt(Answer):
    """Lines of at most 40 characters for the printed receipt."""

    lines: tuple[str, ...]


class Decision(Answer):
    """What quote, hold and transaction answer alike."""

    currency: str
    totals: Totals
    lines: tuple[LineOutcome, ...]
    discounts: tuple[CouponOutcome, ...] | None = None
    refused: tuple[Refusal, ...] | None = None
    warnings: tuple[Warned, ...] | None = None
    points: Points
    tier: str | None = None
    trace: tuple[TraceStep, ...] | None = None
    receipt: Receipt | None = None
    cashier_prompts: tuple[str, ...] | None = None
    near_misses: tuple[str, ...] | None = None


class QuoteAnswer(Decision):
    """A price that nothing was written for."""

    member_id: str | None = None


class HoldAnswer(Answer):
    """What is set aside, and until when."""

    hold_id: str
    state: Literal["held", "released", "committed", "expired"]
    until: str
    member_id: str
    points: int
    coupons: tuple[str, ...] = ()
    decision: Decision | None = None


class TransactionAnswer(Decision):
    """A recorded sale. A replay answers the same, with status 200."""

    transaction_id: str
    status: Literal["recorded", "returned", "voided"] = "recorded"
    member_id: str | None = None
    occurred_at: str
    location_id: str
    receipt_number: str


class ExplanationAnswer(Answer):
    """The trace of a stored decision."""

    transaction_id: str
    trace: tuple[TraceStep, ...]
    refused: tuple[Refusal, ...] = ()
    warnings: tuple[Warned, ...] = ()


class ReversalAnswer(Answer):
    """A return or void: exactly what was reversed."""

    transaction_id: str
    reversal_id: str
    kind: Literal["return", "void"]
    points_reversed: int
    points_given_back: int
    coupons_reissued: tuple[str, ...] = ()
    balance: int | None = None


class EventAnswer(Answer):
    """The event is recorded (or was before)."""

    event_id: str
    recorded: bool


class RefusedRecord(Answer):
    """A record of a bulk job that was refused."""

    index: int
    code: str
    detail: str
    errors: tuple[dict[str, str], ...] = ()


class JobAnswer(Answer):
    """A bulk job. ``done`` when accepted + replayed + refused = records."""

    job_id: str
    status: Literal["queued", "running", "done"]
    records: int
    accepted: int = 0
    replayed: int = 0
    warned: int = 0
    refused_count: int = 0
    refused: tuple[RefusedRecord, ...] = ()
