"""E-mail over SES v2: one SendEmail per address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.aws.handing_over import hand_over
from shared.messaging.email import NO_UNSUBSCRIBE, can_unsubscribe, email_request
from shared.messaging.port import Message, Result, Unreachable
from shared.tenants.messaging import EmailSettings

STAGE_TAG: Final = "stage"
_REFUSALS: Final[Mapping[str, Unreachable]] = {
    "MessageRejected": Unreachable("message_rejected"),
    "MailFromDomainNotVerified": Unreachable("domain_not_verified"),
    "AccountSuspended": Unreachable("account_suspended"),
    "SendingPaused": Unreachable("sending_paused"),
    "NotFound": Unreachable("unknown_to_provider"),
    "AccessDenied": Unreachable("not_authorized"),
}


@dataclass(slots=True)
class SesSender:
    """``Sender`` of e-mail. ``client`` must not retry: see ``calling_once``."""

    client: Any
    stage: str = ""
    """Comes back in the events about a message, which all stages of an account are told."""

    def send(self, address: str, message: Message) -> Result:
        """One SendEmail in the name of the tenant; none for marketing that nobody could unsubscribe from."""
        settings = message.settings
        if not isinstance(settings, EmailSettings):
            return Unreachable("not_configured")
        if not can_unsubscribe(message):
            return NO_UNSUBSCRIBE
        request = email_request(address, message, settings)
        if self.stage:
            request["EmailTags"].append({"Name": STAGE_TAG, "Value": self.stage})
        return hand_over(lambda: str(self.client.send_email(**request)["MessageId"]), _REFUSALS)
