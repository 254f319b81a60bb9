"""SMS: how many parts a text takes, and the request of AWS End User Messaging (``pinpoint-sms-voice-v2.SendTextMessage``). Pure.

A text of the GSM 7-bit alphabet (3GPP TS 23.038) has 160 septets in one part and 153 in each of several; any other one is UCS-2, of 70
and 67 units. Characters of the extension table take two septets, those outside the basic plane two units, and neither is cut in two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.messaging.port import Message
from shared.tenants.messaging import SmsSettings

MAX_PARTS: Final = 10
MAX_CHARACTERS: Final = 1600
"""What the provider takes."""
MAX_TTL_SECONDS: Final = 3 * 24 * 3600
_MIN_TTL_SECONDS: Final = 5
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
_E164: Final = re.compile(r"\+[1-9][0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Size:
    """What a text takes. ``units``: septets of GSM-7, or 16-bit units of UCS-2."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    parts: int


def size_of(text: str) -> Size:
    """How many parts it is; the empty text is one part."""
    is_gsm = all(character in _BASIC or character in _EXTENSION for character in text)
    if is_gsm:
        widths, whole, part = [2 if character in _EXTENSION else 1 for character in text], 160, 153
    else:
        widths, whole, part = [2 if ord(character) > 0xFFFF else 1 for character in text], 70, 67
    units = sum(widths)
    parts = 1 if units <= whole else _parts(widths, part)
    return Size("GSM-7" if is_gsm else "UCS-2", units, parts)


def _parts(widths: list[int], room: int) -> int:
    parts, used = 1, 0
    for width in widths:
        if used + width > room:
            parts, used = parts + 1, 0
        used += width
    return parts


def is_number(address: str) -> bool:
    """Whether it is a number as E.164 has it, with ``+``."""
    return _E164.fullmatch(address) is not None


def too_large(text: str) -> str | None:
    """Why it is more than is sent, or ``None``."""
    parts = size_of(text).parts
    if parts > MAX_PARTS or len(text) > MAX_CHARACTERS:
        return f"{parts} parts, {len(text)} characters; an SMS has at most {MAX_PARTS} and {MAX_CHARACTERS}"
    return None


def sms_request(address: str, message: Message, settings: SmsSettings) -> dict[str, Any]:
    """The parameters of SendTextMessage. ``Context`` comes back in the events about the message: ids only."""
    request: dict[str, Any] = {
        "DestinationPhoneNumber": address,
        "OriginationIdentity": settings.origination,
        "MessageBody": message.body,
        "MessageType": "TRANSACTIONAL" if message.service else "PROMOTIONAL",
        "TimeToLive": max(_MIN_TTL_SECONDS, min(message.ttl_seconds, MAX_TTL_SECONDS)),
        "Context": {name: message.origin[name] for name in ("tenant", "member", "delivery") if message.origin.get(name)},
    }
    optional = {
        "ConfigurationSetName": settings.configuration_set,
        "ProtectConfigurationId": settings.protect_configuration,
        "MaxPrice": settings.max_price,
    }
    return request | {name: value for name, value in optional.items() if value is not None}
