"""Bodies of the route that gives tokens."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.tenants.base import Frozen


class RefreshRequest(Frozen):
    """A refresh token for an access token and the refresh token that comes next. The one that is sent is used up by it."""

    grant: Literal["refresh_token"]
    refresh_token: str = Field(min_length=1, max_length=2048)


class TokensAnswer(Frozen):
    """An access token for the guest's own view. Keep ``refresh_token`` in place of the one that was sent."""

    member_id: str
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 the kind of token, not one
    expires_in: int = Field(description="seconds")
    refresh_token: str
    refresh_expires_in: int = Field(description="seconds until it ends unless it is used before; at most 400 days from the sign-in")
