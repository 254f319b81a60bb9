"""Push messages over SNS: one Publish per device. SNS has no token that would make a second call harmless, so there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from shared.messaging.payloads import MessageTooLarge, sns_attributes, sns_message
from shared.messaging.push import Message, PushResult, Sent, Throttled, Unclear, Unreachable

_DISABLED: Final = {"EndpointDisabled": "endpoint_disabled", "NotFound": "endpoint_unknown"}
"""The device's own end: only a new registration by the app brings it back."""
_REFUSED: Final = {
    "PlatformApplicationDisabled": "application_disabled",
    "InvalidParameter": "refused_by_provider",
    "ParameterValueInvalid": "refused_by_provider",
    "AuthorizationError": "not_authorized",
    "AccessDenied": "not_authorized",
}
_BUSY: Final = frozenset({"Throttled", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"})


def publishing_client(region: str, endpoint: str | None = None) -> Any:
    """An SNS client that calls once: botocore's own retries would send a push again whose answer got lost."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1, "mode": "standard"})
    return botocore.session.get_session().create_client("sns", region_name=region, endpoint_url=endpoint, config=config)


@dataclass(slots=True)
class SnsSender:
    """``PushSender`` on SNS. ``client`` must not retry: see ``publishing_client``."""

    client: Any

    def send(self, endpoint: str, message: Message) -> PushResult:
        """One Publish. Whatever is not surely refused or taken is ``Unclear``."""
        try:
            text = sns_message(message)
        except MessageTooLarge as error:
            return Unreachable(error.code)
        try:
            answer = self.client.publish(
                TargetArn=endpoint, Message=text, MessageStructure="json", MessageAttributes=sns_attributes(message)
            )
        except ClientError as error:
            return _meaning(error)
        except (EndpointConnectionError, ConnectTimeoutError):
            return Throttled()
        except BotoCoreError:
            return Unclear()
        return Sent(answer["MessageId"])


def _meaning(error: ClientError) -> PushResult:
    # The query protocol says ``EndpointDisabled``, the model's exception is called ``EndpointDisabledException``.
    code = str(error.response.get("Error", {}).get("Code", "")).removesuffix("Exception")
    if code in _BUSY or f"{code}Exception" in _BUSY:
        return Throttled()
    if code in _DISABLED:
        return Unreachable(_DISABLED[code], dead=True)
    if code in _REFUSED:
        return Unreachable(_REFUSED[code])
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
    # The provider's 4xx is an answer about this request: it was not carried out. A 5xx may come after it was.
    return Unreachable("refused_by_provider") if 400 <= status < 500 else Unclear()
