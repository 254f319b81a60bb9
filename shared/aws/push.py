"""SNS mobile push: one endpoint per device token. The algorithm is the one that AWS documents for tokens and endpoints
(docs.aws.amazon.com/sns/latest/dg/mobile-platform-endpoint.html). ``CustomUserData`` stays empty: no personal data there, and
no conflict of attributes.
"""

from __future__ import annotations

import re
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.kernel.errors import Unavailable
from shared.members.errors import ChannelNotConfigured, InvalidDeviceToken

_EXISTS: Final = re.compile(r".*Endpoint (arn:aws[a-z-]*:sns:[^ ]+) already exists with the same [Tt]oken.*", re.DOTALL)


class PushUnavailable(Unavailable):
    """SNS did not take the call now; repeat it."""

    code, title = "push_unavailable", "Push service unavailable"


class SnsPush:
    """``PushRegistry`` of ``shared.members.devices`` on SNS."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ensure_endpoint(self, application: str, token: str, endpoint: str | None = None) -> str:
        """The enabled endpoint of a token: 2 calls for a known one, 3 where it was changed or disabled. Repeating is harmless."""
        endpoint = endpoint or self._create(application, token)
        attributes = self._attributes(endpoint)
        if attributes is None:
            endpoint = self._create(application, token)
            attributes = self._attributes(endpoint) or {}
        if attributes.get("Token") != token or attributes.get("Enabled", "").lower() != "true":
            changes = {"Token": token, "Enabled": "true"}
            self._call("set_endpoint_attributes", EndpointArn=endpoint, Attributes=changes)
        return endpoint

    def token_of(self, endpoint: str) -> str | None:
        """The token of an endpoint; ``None`` if there is no such endpoint."""
        return (self._attributes(endpoint) or {}).get("Token")

    def remove(self, endpoint: str) -> None:
        """Delete an endpoint; deleting again is no error."""
        self._call("delete_endpoint", EndpointArn=endpoint)

    def _create(self, application: str, token: str) -> str:
        try:
            arn: str = self._client.create_platform_endpoint(PlatformApplicationArn=application, Token=token)["EndpointArn"]
        except BotoCoreError as error:
            raise PushUnavailable from error
        except ClientError as error:
            exists = _EXISTS.match(error.response["Error"].get("Message", ""))
            if _code(error) == "InvalidParameter" and exists:
                return exists[1]
            raise _refusal(error) from error
        return arn

    def _attributes(self, endpoint: str) -> dict[str, str] | None:
        try:
            attributes: dict[str, str] = self._client.get_endpoint_attributes(EndpointArn=endpoint)["Attributes"]
        except BotoCoreError as error:
            raise PushUnavailable from error
        except ClientError as error:
            if _code(error) in ("NotFound", "NotFoundException"):
                return None
            raise _refusal(error) from error
        return attributes

    def _call(self, operation: str, **request: Any) -> None:
        try:
            getattr(self._client, operation)(**request)
        except BotoCoreError as error:
            raise PushUnavailable from error
        except ClientError as error:
            raise _refusal(error) from error


def _code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))


def _refusal(error: ClientError) -> Exception:
    """Our word for what SNS says. Its text may quote the token, so it goes nowhere."""
    if _code(error) in ("InvalidParameter", "InvalidParameterException"):
        return InvalidDeviceToken("The push service does not take this token.")
    if _code(error) in ("NotFound", "NotFoundException", "PlatformApplicationDisabled", "PlatformApplicationDisabledException"):
        return ChannelNotConfigured("The tenant's push application is missing or switched off.")
    return PushUnavailable()
