"""What the till's routes answer. Names are API.md's and stay. Null fields are left out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.tenants.base import Answer


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
    counts_as: Literal["tender"] | None = Field(default=None, description="a voucher that pays, and lowers no line")
    left: int | None = Field(default=None, description="what stays on a voucher's code")
    points: int | None = Field(default=None, description="the points that it gave, where it gives points")


class PromotionOutcome(Answer):
    """What an automatic promotion took off, and where."""

    promotion_id: str
    version: int
    title: str = Field(description="in the guest's language, if the basket says it, else in the tenant's first")
    amount: int
    lines: dict[str, int]
    points: int | None = Field(default=None, description="the points that it gave, where it gives points")


class TaxOutcome(Answer):
    """The lines of one tax rate together: before our discounts, after them (``net``), and the tax on that."""

    rate: str | None = Field(default=None, description="percent; absent: of the lines that do not say their rate")
    amount: int
    discount: int
    net: int
    tax: int


class AddedItem(Answer):
    """An item that the till adds for nothing."""

    item_id: str
    quantity: str


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


class OfflineLoss(Answer):
    """What a till gave while it was offline, and what does not hold: it is booked to the location."""

    subject: str
    reason: str
    amount: int | None = Field(default=None, description="minor units; absent: nobody knows")
    coupon_id: str | None = None
    offer_id: str | None = None


class OfflineLossSum(Answer):
    """Losses of one reason."""

    reason: str
    count: int
    amount: int = Field(description="minor units, of those that have one")
    without_amount: int = Field(description="how many of them nobody could put a value on")


class OfflineLossDay(Answer):
    """Losses of one business date."""

    business_date: str
    count: int
    amount: int
    reasons: tuple[OfflineLossSum, ...]


class OfflineLossesAnswer(Answer):
    """What a location lost to sales that were made offline, by the business date and the reason. Days without a loss are left out."""

    location_id: str
    first: str = Field(description="the first business date")
    until: str = Field(description="the last one, inclusive")
    currency: str
    count: int
    amount: int
    days: tuple[OfflineLossDay, ...]


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
    limit: str | None = None


class TierProgress(Answer):
    """Where she stands: ``projected`` is the tier that the window so far would give, ``missing`` what the next one needs."""

    tier: str | None = None
    until: str | None = None
    projected: str | None = None
    next: str | None = None
    next_name: str | None = None
    missing: int | None = None
    counts: Literal["points", "spend", "visits"]
    counted: int


class Totals(Answer):
    """Sums in minor units. ``due`` is what remains to be paid by other tenders."""

    amount: int
    discount: int
    paid_with_points: int
    paid_with_vouchers: int | None = None
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
    promotions: tuple[PromotionOutcome, ...] | None = Field(default=None, description="automatic ones, in the order of working")
    taxes: tuple[TaxOutcome, ...] | None = Field(default=None, description="by rate, where a line says anything of its tax")
    added_items: tuple[AddedItem, ...] | None = None
    refused: tuple[Refusal, ...] | None = None
    warnings: tuple[Warned, ...] | None = None
    points: Points
    tier: str | None = None
    tier_progress: TierProgress | None = None
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


class FlagView(Answer):
    """Why a purchase is under review."""

    code: str = Field(description="purchases_in_shift, after_hours, identifier_blocked, unconfirmed_spending")
    detail: str


class ReviewedBy(Answer):
    """Who decided about a flagged purchase, and why."""

    by: str
    reason: str
    at: str


class TransactionAnswer(Decision):
    """A recorded sale. A replay answers the same, with status 200."""

    transaction_id: str
    status: Literal["recorded", "partly_returned", "returned", "voided"] = "recorded"
    member_id: str | None = None
    occurred_at: str
    location_id: str
    receipt_number: str
    offline_losses: tuple[OfflineLoss, ...] | None = Field(default=None, description="what the till gave offline and what does not hold")
    flags: tuple[FlagView, ...] | None = Field(default=None, description="why the purchase is under review: its points wait for that")
    review: Literal["pending", "approved", "rejected"] | None = None
    reviewed: ReviewedBy | None = None


class ExplanationAnswer(Answer):
    """The decision made again from what was stored of it. ``identical``: it gave the trace that was answered then, to the last point."""

    transaction_id: str
    trace: tuple[TraceStep, ...]
    refused: tuple[Refusal, ...] = ()
    warnings: tuple[Warned, ...] = ()
    identical: bool
    programmes: dict[str, int] = Field(default_factory=dict, description="programme -> the version that it was decided with")


class LineReturned(Answer):
    """What came back of a line: thousandths of a unit, its value after discounts, and the points that it had earned."""

    line_id: str
    quantity: str
    value: int
    points: int


class ReversalAnswer(Answer):
    """A return or void: exactly what was reversed. ``waiting``: the original has not arrived yet."""

    transaction_id: str
    reversal_id: str
    kind: Literal["return", "void"]
    status: Literal["settled", "waiting", "refused"] = "settled"
    reason: str | None = Field(default=None, description="why a return that waited for its sale was refused when it arrived")
    transaction_status: Literal["partly_returned", "returned", "voided"] | None = None
    value: int = Field(default=0, description="of what came back, after discounts")
    money: int = Field(default=0, description="of it, what is owed in money: not what points or vouchers paid")
    points_reversed: int = 0
    points_not_reversed: int = Field(default=0, description="earned points that are gone and, by the programme's policy, stay gone")
    points_given_back: int = 0
    lines: tuple[LineReturned, ...] = ()
    coupons_reissued: tuple[str, ...] = ()
    balance: int | None = None
    trace: tuple[TraceStep, ...] | None = Field(default=None, description="of each award what was taken back, and what was given back")


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
