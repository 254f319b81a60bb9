"""Refusals about campaigns."""

from __future__ import annotations

from shared.kernel.errors import NotFound, StateConflict, Unprocessable


class UnknownCampaign(NotFound):
    """No such campaign in this tenant."""

    code, title = "unknown_campaign", "Unknown campaign"


class CampaignNotInForce(StateConflict):
    """It is a draft, its version is not in force yet, or it was retired."""

    code, title = "campaign_not_in_force", "Campaign not in force"


class ApprovalNeeded(StateConflict):
    """The tenant wants a second person's approval of the version, and there is none yet."""

    code, title = "approval_needed", "Approval needed"


class WrongCampaignState(StateConflict):
    """What is asked for is not possible in the campaign's state, which ``detail`` names."""

    code, title = "wrong_campaign_state", "Not possible in this state"


class NotLaunchable(Unprocessable):
    """Something about the campaign cannot work; ``errors`` points at it."""

    code, title = "campaign_not_launchable", "Campaign not launchable"


class UnusableContent(Unprocessable):
    """A text with an unknown variable or with braces that mean nothing; ``errors`` points at each."""

    code, title = "unusable_content", "Content not usable"


class ServiceWithOffer(Unprocessable):
    """A service message may not advertise: no coupon, no points, no form with an offer; ``errors`` points at each."""

    code, title = "service_with_offer", "Service message with an offer"


class NotTriggerable(StateConflict):
    """The campaign is not triggered by calls, or is not active; ``detail`` says which."""

    code, title = "campaign_not_triggerable", "Campaign not triggerable"


class UnusableRecipients(Unprocessable):
    """A recipient is named twice, or its data is not what the campaign declares; ``errors`` points at each."""

    code, title = "unusable_recipients", "Recipients not usable"
