"""What a service message may not be. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from shared.campaigns.content import COUPON, asked_for
from shared.campaigns.errors import ServiceWithOffer
from shared.campaigns.model import CampaignBody
from shared.campaigns.steps import ChallengeStep, IssueStep, SendStep
from shared.kernel.errors import FieldError

_CODE = "service_with_offer"


def check_service(body: CampaignBody) -> None:
    """``ServiceWithOffer`` with pointers for a service campaign that advertises: it asks for no marketing consent, so it may not."""
    if body.message_class != "service":
        return
    problems = tuple(_advertising(body))
    if problems:
        raise ServiceWithOffer("A service message may contain no offer; see errors.", errors=problems)


def _advertising(body: CampaignBody) -> Iterator[FieldError]:
    for index, step in enumerate(body.steps):
        pointer = f"/definition/steps/{index}"
        if isinstance(step, IssueStep | ChallengeStep):
            yield FieldError(pointer, _CODE, "a service campaign gives nothing")
        if not isinstance(step, SendStep):
            continue
        if step.offer is not None:
            yield FieldError(f"{pointer}/offer", _CODE, "a service message brings no coupon")
        if step.form is not None and step.form.offer is not None:
            yield FieldError(f"{pointer}/form/offer", _CODE, "its form brings no coupon")
        if not COUPON.isdisjoint(asked_for(step)):
            yield FieldError(f"{pointer}/content", _CODE, "its text shows no coupon")
