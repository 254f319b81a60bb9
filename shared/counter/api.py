"""Bodies of the counter's routes. Null fields of answers are left out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StringConstraints, model_validator

from shared.counter.model import Way
from shared.members.points_api import Reason
from shared.tenants.base import Answer
from shared.tenants.model import Frozen
from shared.transactions.answer_models import FlagView, TraceStep
from shared.transactions.api import MemberReference, Ref

Amount = Annotated[StrictInt, Field(ge=0, le=10**12)]
QrText = Annotated[str, StringConstraints(min_length=20, max_length=300)]


class ConfirmationRequest(Frozen):
    """Ask her to confirm that up to so much is spent here. The confirmation is good once, for ten minutes."""

    member: MemberReference
    location_id: Ref
    points: Amount = Field(default=0, description="as payment, for a reward or a conversion")
    value: Amount = Field(default=0, description="minor units that points and her coupons are worth in this sale")
    way: Way = Field(description="qr: her app's rotating code, at once; app: she approves there; sms, email: a code is sent to her")
    qr: QrText | None = Field(default=None, description="of way qr: the text of the code")

    @model_validator(mode="after")
    def _something(self) -> ConfirmationRequest:
        if (self.way == "qr") != (self.qr is not None):
            raise ValueError("qr goes with the way qr")
        if not self.points and not self.value:
            raise ValueError("nothing to confirm: points and value are zero")
        return self


class TypedCode(Frozen):
    """The code that she told the cashier."""

    code: Annotated[str, StringConstraints(pattern=r"^\d{6}$")]


class ConfirmationDecision(Frozen):
    """Her own answer."""

    approve: StrictBool


class ConfirmationAnswer(Answer):
    """A confirmation. ``state``: asked, confirmed, refused, used; ``expired`` once its time is over."""

    confirmation_id: str
    state: Literal["asked", "confirmed", "refused", "used", "expired"]
    way: Way
    location_id: str
    points: int
    value: int
    expires_at: str


class ConfirmationsAnswer(Answer):
    """What waits for her answer, oldest first."""

    data: tuple[ConfirmationAnswer, ...]
    next_cursor: str | None = None


class IdentifierSelection(Frozen):
    """Which identifiers: one by its value, or all that she has of the kind, as when nobody knows the number of a lost card."""

    kind: Literal["phone", "email", "card", "external"]
    value: str | None = Field(default=None, min_length=1, max_length=256)


class NewIdentifier(Frozen):
    """The card in her hand now, or the integrator's new id for her."""

    kind: Literal["card", "external"]
    value: str = Field(min_length=1, max_length=256)


class ReplaceRequest(Frozen):
    """A new identifier in place of an old one, which is blocked for good."""

    old: IdentifierSelection
    new: NewIdentifier

    @model_validator(mode="after")
    def _of_one_kind(self) -> ReplaceRequest:
        if self.old.kind != self.new.kind:
            raise ValueError("both are of one kind")
        return self


class IdentifiersAnswer(Answer):
    """How many identifiers of the kind she has, and how many of them are blocked."""

    member_id: str
    kind: str
    number: int
    blocked: int


class ReviewRequest(Frozen):
    """Why; it stands with the sale, and in the ledger where points are taken back."""

    reason: Reason


class ReviewAnswer(Answer):
    """A flagged purchase as it is now. ``points``: approved, what was left of what it earned; rejected, what was taken back."""

    transaction_id: str
    review: Literal["approved", "rejected"]
    points: int
    balance: int | None = None
    trace: tuple[TraceStep, ...] = ()


class FlaggedPurchase(Answer):
    """A purchase that waits for its review."""

    transaction_id: str
    member_id: str | None = None
    location_id: str
    business_date: str
    till_id: str | None = None
    staff_id: str | None = None
    occurred_at: str
    flags: tuple[FlagView, ...]
    points: int = Field(description="that wait")
    approved_at: str | None = Field(default=None, description="when it counts as approved if nobody decides; absent: never")


class FlaggedPage(Answer):
    """Purchases under review; those that time approves next come first."""

    data: tuple[FlaggedPurchase, ...]
    next_cursor: str | None = None


class CounterRow(Answer):
    """What one cashier did on one business date at one location. ``cashier``: the till's name for her; ``till:`` and the till where it
    named none; ``-`` where it named neither. Adjustments stand under the credential that made them, at the location ``-``.
    """

    business_date: str
    location_id: str
    cashier: str
    rule: Literal["claims", "returns", "adjustments", "flagged", "after_hours"]
    count: int
    points: int = Field(default=0, description="of adjustments, given and taken added up; of flagged purchases, that waited")
    alerted: bool = Field(default=False, description="more than the rule allows: counter.alert was told")


class CounterReport(Answer):
    """What stands out, by day, location and cashier."""

    first: str
    until: str
    data: tuple[CounterRow, ...]
    by_location: dict[str, dict[str, int]]
    by_cashier: dict[str, dict[str, int]]
