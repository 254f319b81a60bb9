"""Bodies of the inbox's routes."""

from __future__ import annotations

from pydantic import Field

from shared.tenants.base import Answer


class InboxMessageAnswer(Answer):
    """A message in her inbox. ``data`` is for the app: ids of the campaign and delivery, and of a coupon that came with it."""

    id: str
    title: str
    body: str
    deep_link: str | None = Field(default=None, description="where a tap leads")
    data: dict[str, str] = Field(default_factory=dict)
    campaign_id: str
    sent_at: str
    read_at: str | None = None


class InboxPage(Answer):
    """Messages, newest first; the 200 newest of the last 90 days."""

    data: tuple[InboxMessageAnswer, ...]
    next_cursor: str | None = None
