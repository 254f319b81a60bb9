"""The link of a form: which member of which tenant is asked for which fields, by which step of which campaign, and what she gets.

Signed, not encrypted: it holds ids only. Whoever has the link may fill the form once; it shows nothing about the member.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from shared.kernel.instants import Instant
from shared.tenants.links import open_token, seal_token

KEY_PURPOSE: Final = "form-links"
"""The purpose under which the links' key is derived from the master secret (``shared.privacy.crypto.derive``)."""
PURPOSE: Final = "form"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a link says."""

    tenant: str
    member: str
    campaign: str
    step: str
    fields: tuple[str, ...]
    offer: str | None
    expires: Instant


def seal_invitation(key: bytes, invitation: Invitation) -> str:
    """The token of the link: about 200 characters, URL-safe."""
    payload = {
        "t": invitation.tenant,
        "m": invitation.member,
        "c": invitation.campaign,
        "s": invitation.step,
        "f": list(invitation.fields),
        "o": invitation.offer,
        "e": invitation.expires,
    }
    return seal_token(key, PURPOSE, payload, invitation.expires)


def open_invitation(key: bytes, token: str, now: Instant) -> Invitation:
    """What a link says; ``unknown_link`` (404) for any text that we did not seal, ``expired_link`` (410) after its time."""
    payload: dict[str, Any] = open_token(key, PURPOSE, token, now)
    fields = tuple(payload["f"])
    return Invitation(payload["t"], payload["m"], payload["c"], payload["s"], fields, payload.get("o"), payload["e"])
