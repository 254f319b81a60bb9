"""Bodies of preview and test send."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from shared.tenants.base import Answer, Frozen, Language, Name
from shared.tenants.messaging import Channel


class _Request(Frozen):
    member_id: str = Field(min_length=1, max_length=64)
    step: Name
    data: dict[str, Any] = Field(default_factory=dict, max_length=20, description="what a call would give, where a call triggers it")


class PreviewRequest(_Request):
    """What a member would read. ``language`` instead of hers."""

    channel: Channel
    language: Language | None = None


class Warned(Answer):
    """Something to look at: a value that she lacks, or why she would not get it now."""

    code: str = Field(description="missing_value, or a reason: no_consent, suppressed, unreachable, unknown_offer, too_many_coupons, ...")
    name: str | None = Field(default=None, description="of the value, as the text names it")


class PreviewAnswer(Answer):
    """The finished texts. Links are not tracked, and what they prove is false: they lead nowhere. Its coupon is a sample."""

    campaign_version: int
    language: str | None
    title: str
    body: str
    html: str | None = None
    deep_link: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[Warned, ...] = ()


class SendTestRequest(_Request):
    """Send it to her for a look; she is one of the settings' ``messaging.test_members``."""

    channels: tuple[Channel, ...] = Field(min_length=1, max_length=5)


class TestResult(Answer):
    """What the provider said. ``id``: its own, of the message."""

    channel: Channel
    result: Literal["sent", "refused", "busy", "unclear"]
    id: str | None = None
    reason: str | None = None


class TestSendAnswer(Answer):
    """A channel each."""

    campaign_version: int
    results: tuple[TestResult, ...]
