"""Bodies of the campaigns' routes and of the forms that messages link to."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from shared.campaigns.model import CampaignState
from shared.coupons.personal import ShownParameter
from shared.tenants.model import Frozen
from shared.transactions.answer_models import Answer


class CampaignStateAnswer(Answer):
    """Where a campaign stands. ``version`` is the definition's at its launch, absent before."""

    campaign_id: str
    state: CampaignState
    version: int | None = None
    revision: int
    scheduled_for: str | None = None
    launched_at: str | None = None
    ended_at: str | None = None


class ReportAnswer(Answer):
    """Counts of deliveries. Of those claimed: sent, failed, unknown, or still on their way (``claimed`` less the three).

    ``opened``, ``clicked``, ``redeemed`` and ``submitted`` count deliveries, each once, however often it happened.
    """

    campaign_id: str
    state: CampaignState
    claimed: int = 0
    held_out: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    opened: int = 0
    clicked: int = 0
    redeemed: int = 0
    submitted: int = 0


class DeliveryAnswer(Answer):
    """A delivery that a person must look at: it failed, or nobody knows whether it went out (it is not sent again)."""

    delivery_id: str
    member_id: str
    step: str
    channel: Literal["push"]
    state: Literal["failed", "unknown"]
    reason: str | None = None
    claimed_at: str
    coupon_id: str | None = None


class DeliveryPage(Answer):
    """Deliveries to look at, newest claim first."""

    data: tuple[DeliveryAnswer, ...]
    next_cursor: str | None = None


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
