"""Bodies of the routes about members' challenges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.tenants.base import Answer
from shared.tenants.content import GuestText
from shared.tenants.model import Frozen

Text = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class GiveChallengeRequest(Frozen):
    """Who receives it. The same ``request_id`` again gives nothing more; another one gives another instance."""

    member_id: Text
    request_id: Text


class GivenChallengeAnswer(Answer):
    """One receipt of a challenge: an instance of its own, with its own window."""

    member_id: str
    challenge_id: str
    instance_id: str
    starts_at: str
    ends_at: str | None = None


class ChallengeReward(Answer):
    """What each completion gives."""

    points: int | None = None
    wallet: str | None = None
    offer_id: str | None = None
    badge: str | None = None


class ChallengeView(GuestText):
    """A challenge as of now. ``done``, ``needed`` and ``left`` are of the next completion: minor units, items, visits, purchases, or
    (streaks) periods in a row; parts of an item are rounded down. The teaser while nothing has counted.
    """

    challenge_id: str
    instance_id: str | None = Field(default=None, description="absent: every member has it, and nothing has counted yet")
    state: Literal["open", "completed"]
    of: Literal["spend", "items", "visits", "purchases", "streak"]
    counted: Literal["cumulative", "single_purchase"] = "cumulative"
    per: Literal["day", "week", "month"] | None = None
    done: int
    needed: int
    left: int
    times: int = Field(description="completions so far")
    repeat: int | None = Field(default=None, description="completions that are possible; absent: any number")
    starts_at: str
    ends_at: str | None = None
    completed_at: str | None = None
    reward: ChallengeReward


class ChallengesAnswer(Answer):
    """What is open, by sort order, of equal ones what ends first before; then what she has completed, newest first, at most 10."""

    member_id: str
    data: tuple[ChallengeView, ...]
