"""Bodies of the routes that give tokens and send codes."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, RootModel

from shared.tenants.base import Frozen, Language

CODE_PATTERN: Final = r"^[0-9]{6}$"


class RefreshRequest(Frozen):
    """A refresh token for an access token and the refresh token that comes next. The one that is sent is used up by it."""

    grant: Literal["refresh_token"]
    refresh_token: str = Field(min_length=1, max_length=2048)


class CodeGrant(Frozen):
    """A one-time code for an access token and a session. ``otp_id`` is what ``POST /v1/otp`` answered."""

    grant: Literal["otp"]
    otp_id: str = Field(min_length=1, max_length=2048)
    code: Annotated[str, Field(pattern=CODE_PATTERN)]


class TokensRequest(RootModel[Annotated[RefreshRequest | CodeGrant, Field(discriminator="grant")]]):
    """What is given for tokens, told apart by ``grant``."""

    model_config = ConfigDict(frozen=True)


class CodeRequest(Frozen):
    """Send a code to a phone number or address. The answer is the same whether or not somebody is known by it."""

    kind: Literal["phone", "email"]
    value: str = Field(min_length=1, max_length=254)
    language: Language | None = Field(default=None, description="of the text; none: the tenant's first")


class CodeSent(Frozen):
    """What to send with the code that she types in."""

    otp_id: str
    expires_in: int = Field(description="seconds")
    resend_in: int = Field(description="seconds until another one may be sent")


class ProveRequest(Frozen):
    """The code that was sent to the phone number or address that waits on the caller's profile."""

    otp_id: str = Field(min_length=1, max_length=2048)
    code: Annotated[str, Field(pattern=CODE_PATTERN)]


class TokensAnswer(Frozen):
    """An access token for the guest's own view, and the refresh token that comes next: the one that was sent is used up."""

    member_id: str
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 the kind of token, not one
    expires_in: int = Field(description="seconds")
    refresh_token: str
    refresh_expires_in: int = Field(description="seconds until it ends unless it is used before; at most 400 days from the sign-in")
