"""Push messages over SNS: one Publish per device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.aws.handing_over import hand_over
from shared.messaging.payloads import MessageTooLarge, sns_attributes, sns_message
from shared.messaging.port import Message, Result, Unreachable

_REFUSALS: Final[Mapping[str, Unreachable]] = {
    # The device's own end: only a new registration by the app brings it back.
    "EndpointDisabled": Unreachable("endpoint_disabled", dead=True),
    "NotFound": Unreachable("endpoint_unknown", dead=True),
    "PlatformApplicationDisabled": Unreachable("application_disabled"),
    "AuthorizationError": Unreachable("not_authorized"),
    "AccessDenied": Unreachable("not_authorized"),
}


@dataclass(slots=True)
class SnsSender:
    """``Sender`` of push. ``client`` must not retry: see ``calling_once``. Addresses are endpoints' ARNs."""

    client: Any

    def send(self, address: str, message: Message) -> Result:
        """One Publish."""
        try:
            text = sns_message(message)
        except MessageTooLarge as error:
            return Unreachable(error.code)
        request = {"Message": text, "MessageStructure": "json", "MessageAttributes": sns_attributes(message)}
        return hand_over(lambda: str(self.client.publish(TargetArn=address, **request)["MessageId"]), _REFUSALS)
