"""Refusals about campaigns."""

from __future__ import annotations

from shared.kernel.errors import NotFound, StateConflict, Unprocessable


class UnknownCampaign(NotFound):
    """No such campaign in this tenant."""

    code, title = "unknown_campaign", "Unknown campaign"


class CampaignNotInForce(StateConflict):
    """It is a draft, its version is not in force yet, or it was retired."""

    code, title = "campaign_not_in_force", "Campaign not in force"


class WrongCampaignState(StateConflict):
    """What is asked for is not possible in the campaign's state, which ``detail`` names."""

    code, title = "wrong_campaign_state", "Not possible in this state"


class NotLaunchable(Unprocessable):
    """Something about the campaign cannot work; ``errors`` points at it."""

    code, title = "campaign_not_launchable", "Campaign not launchable"


class UnusableContent(Unprocessable):
    """A text with an unknown variable or with braces that mean nothing; ``errors`` points at each."""

    code, title = "unusable_content", "Content not usable"
