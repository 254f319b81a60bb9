"""SMS over AWS End User Messaging: one SendTextMessage per number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.aws.handing_over import hand_over
from shared.messaging.port import OPTED_OUT, Message, Result, Unreachable
from shared.messaging.sms import is_number, sms_request, too_large
from shared.tenants.messaging import SmsSettings

_REFUSALS: Final[Mapping[str, Unreachable]] = {
    # By the reason of a Conflict or Validation; she may opt in again only by writing to us, which comes back as an event.
    "DESTINATION_PHONE_NUMBER_OPTED_OUT": OPTED_OUT,
    "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION": Unreachable("country_blocked"),
    "DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE": Unreachable("number_blocked"),
    "DESTINATION_COUNTRY_BLOCKED": Unreachable("country_blocked"),
    "COUNTRY_NOT_ENABLED": Unreachable("country_blocked"),
    "PRICE_OVER_THRESHOLD": Unreachable("too_expensive"),
    "ServiceQuotaExceeded": Unreachable("spend_limit_reached"),
    "ResourceNotFound": Unreachable("unknown_to_provider"),
    "AccessDenied": Unreachable("not_authorized"),
}


@dataclass(slots=True)
class SmsSender:
    """``Sender`` of SMS. ``client`` must not retry: see ``calling_once``. Addresses are E.164 numbers with ``+``."""

    client: Any

    def send(self, address: str, message: Message) -> Result:
        """One SendTextMessage."""
        settings = message.settings
        if not isinstance(settings, SmsSettings):
            return Unreachable("not_configured")
        if not is_number(address):
            return Unreachable("invalid_number")
        if too_large(message.body) is not None:
            return Unreachable("message_too_large")
        request = sms_request(address, message, settings)
        return hand_over(lambda: str(self.client.send_text_message(**request)["MessageId"]), _REFUSALS)
