"""Bodies of the campaigns' routes and of the forms that messages link to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from shared.campaigns.model import CampaignState, Channel
from shared.coupons.personal import ShownParameter
from shared.tenants.base import Answer
from shared.tenants.model import Frozen


class CampaignStateAnswer(Answer):
    """Where a campaign stands. ``version`` is the definition's at its launch, absent before."""

    campaign_id: str
    state: CampaignState
    version: int | None = None
    revision: int
    scheduled_for: str | None = None
    launched_at: str | None = None
    ended_at: str | None = None
    next_at: str | None = Field(default=None, description="recurring: when the next occurrence begins")


class DeliveryAnswer(Answer):
    """A delivery that a person must look at: it failed, or nobody knows whether it went out (it is not sent again)."""

    delivery_id: str
    member_id: str
    step: str
    channel: Channel
    state: Literal["failed", "unknown"]
    reason: str | None = None
    claimed_at: str
    coupon_id: str | None = None


class DeliveryPage(Answer):
    """Deliveries to look at, newest claim first."""

    data: tuple[DeliveryAnswer, ...]
    next_cursor: str | None = None


# -- triggering by calls --------------------------------------------------------------------------------------------


class Recipient(Frozen):
    """One member, and what texts may show of the occasion: names that the campaign declares, at most 2 KB as JSON."""

    member_id: str = Field(max_length=40)
    data: dict[str, bool | int | Annotated[str, Field(max_length=2000)]] = Field(default_factory=dict, max_length=20)


class TriggerRequest(Frozen):
    """Who is to get a campaign that calls trigger. ``key`` names the occurrence; the header Idempotency-Key does the same."""

    key: str | None = Field(default=None, min_length=1, max_length=128)
    recipients: tuple[Recipient, ...] = Field(min_length=1, max_length=100)


class RecipientAnswer(Answer):
    """What became of a recipient."""

    member_id: str
    status: Literal["accepted", "unknown_member", "erased"]


class TriggerAnswer(Answer):
    """The occurrence, and what became of each recipient. Who is accepted goes through the campaign, once per key."""

    campaign_id: str
    occurrence: str
    recipients: tuple[RecipientAnswer, ...]


# -- forms ----------------------------------------------------------------------------------------------------------


class FormField(Answer):
    """A field to fill."""

    name: str
    type: Literal["date", "text", "email", "phone", "choice", "language"]
    required: bool = True
    choices: tuple[str, ...] | None = None


class FormAnswer(Answer):
    """The fields of a form. Nothing about the person is shown: who has the link need not be her."""

    campaign: str
    step: str
    fields: tuple[FormField, ...]


class FormSubmission(Frozen):
    """The values by field name."""

    values: dict[str, Any] = Field(min_length=1, max_length=20)


class FormCoupon(Answer):
    """What one got for it."""

    id: str
    offer: str
    title: str | None = None
    expires_at: str
    parameters: dict[str, ShownParameter] | None = Field(
        default=None, description="what the offer's personal parameters were fixed to for her, by their place in its terms"
    )


class FormReceipt(Answer):
    """The form is taken. Submitted again, the same receipt answers."""

    submitted: bool = True
    coupon: FormCoupon | None = None
