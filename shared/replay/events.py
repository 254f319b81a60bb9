"""What a replay is fed: one model per type of event, named as the routes name their bodies. docs/replay.md explains them."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr, StringConstraints, TypeAdapter, model_validator

from shared.members.points_api import AdjustmentRequest, ConversionRequest, Points, Reason
from shared.tenants.model import Frozen, Name
from shared.transactions.api import Date, EventRequest, LookupRequest, Ref, ReturnRequest, Timestamp, TransactionRequest

ConsentName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,30}:[a-z_]{1,30}$")]
EventType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}(\.[a-z][a-z0-9_]{0,30})?$")]


class Identifier(Frozen):
    """Something else that purchases may name her by."""

    kind: Literal["apple", "google", "phone", "email", "card", "external"]
    value: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class OpeningBalance(Frozen):
    """Points that she brings along."""

    wallet: Name = "points"
    points: Points
    available_at: Timestamp | None = None
    expires_at: Timestamp | None = None


class Registration(Frozen):
    """Somebody becomes a member. A second one of the same ``member`` changes nothing."""

    type: Literal["registration"]
    at: Timestamp
    member: Ref
    source: Annotated[str, StringConstraints(max_length=64)] = "import"
    location: Annotated[str, StringConstraints(max_length=64)] = ""
    identifiers: tuple[Identifier, ...] = Field(default=(), max_length=10)
    attributes: dict[Name, StrictStr | StrictInt | StrictBool] = Field(default_factory=dict, max_length=50)
    tags: tuple[Ref, ...] = Field(default=(), max_length=50)
    birth_date: Date | None = None
    gender: Annotated[str, StringConstraints(max_length=30)] | None = None
    language: Annotated[str, StringConstraints(max_length=20)] | None = None
    known: tuple[Name, ...] = Field(default=(), max_length=50, description="further personal fields that have a value, by name")
    consents: dict[ConsentName, StrictBool] = Field(default_factory=dict, max_length=50, description="purpose:channel -> answer")
    referrer: Ref | None = Field(default=None, description="the member who brought her")
    opening_balances: tuple[OpeningBalance, ...] = Field(default=(), max_length=20)


class Purchase(TransactionRequest):
    """A finished sale, as tills send it. ``mode`` and ``hold_id`` are not asked: it is decided as of its own time."""

    type: Literal["purchase"]


class Return(ReturnRequest):
    """A sale, or a part of it, comes back."""

    type: Literal["return"]


class Void(Frozen):
    """A sale is cancelled: as if it never was."""

    type: Literal["void"]
    at: Timestamp
    transaction_id: str | None = Field(default=None, max_length=400)
    original: LookupRequest | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Void:
        if (self.transaction_id is None) == (self.original is None):
            raise ValueError("give either transaction_id or original")
        return self


class CustomEvent(Frozen):
    """Something the member did. The body of the events route, with its ``type`` under the name ``event``."""

    type: Literal["event"]
    event: EventType
    event_id: Ref
    member_id: Ref
    occurred_at: Timestamp
    campaign_id: Ref | None = None
    step: Ref | None = None
    properties: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")], StrictBool | StrictInt | Ref] = Field(
        default_factory=dict, max_length=20
    )

    def request(self) -> EventRequest:
        """As the route takes it."""
        return EventRequest.model_construct(**{**self.__dict__, "type": self.event})


class CouponGiven(Frozen):
    """She receives an offer. ``coupon`` names the coupon, so that a purchase can present it by that id or code."""

    type: Literal["coupon"]
    at: Timestamp
    member: Ref
    offer: Name
    coupon: Ref | None = None


class ChallengeReceived(Frozen):
    """She receives a challenge: each time is an instance of its own. With ``receipt`` it is safe to repeat."""

    type: Literal["challenge"]
    at: Timestamp
    member: Ref
    challenge: Name
    receipt: Ref | None = None


class _Keyed(Frozen):
    """``key`` makes it safe to repeat; without one it is never taken for a repetition."""

    at: Timestamp
    member: Ref
    key: Ref | None = None


class Adjustment(AdjustmentRequest, _Keyed):
    """Points given or taken by hand."""

    type: Literal["adjustment"]


class Transfer(_Keyed):
    """Points for another member, ``to``."""

    type: Literal["transfer"]
    to: Ref
    wallet: Name = "points"
    points: Points
    reason: Reason | None = None


class Conversion(ConversionRequest, _Keyed):
    """Points become vouchers, as a programme offers it."""

    type: Literal["conversion"]


ReplayEvent = (
    Registration | Purchase | Return | Void | CustomEvent | CouponGiven | ChallengeReceived | Adjustment | Transfer | Conversion
)
EVENT: Final[TypeAdapter[ReplayEvent]] = TypeAdapter(Annotated[ReplayEvent, Field(discriminator="type")])
"""``EVENT.validate_json(line, strict=True)`` reads one line."""
