"""Bodies of the routes of access."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.tenants.base import Answer


class AccessAnswer(Answer):
    """An access job. The links are made anew with every answer; whoever has one needs no credential."""

    access_id: str
    member_id: str
    status: Literal["accepted", "done", "failed"]
    asked_by: str = Field(description="member, or the id of the key that asked")
    asked_at: str
    ended_at: str | None = None
    readable_until: str | None = Field(default=None, description="24 hours after the files are there; then they are deleted")
    json_link: str | None = None
    html_link: str | None = None
    links_until: str | None = None
    reason: str | None = None
