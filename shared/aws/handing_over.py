"""Calls that hand a message over to a provider: made once, and what their errors mean. None of these providers takes a token that would
make a second call harmless, so botocore's own retries, which would send a message again whose answer got lost, are off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
)

from shared.messaging.port import Result, Sent, Throttled, Unclear, Unreachable
from shared.storage.table import botocore_session

Service = Literal["sns", "sesv2", "pinpoint-sms-voice-v2"]
_BUSY: Final = frozenset(
    {"Throttled", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "LimitExceeded"}
)
_REFUSED: Final = "refused_by_provider"
_NOTHING_WENT_OUT: Final = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError, NoCredentialsError)


def calling_once(service: Service, region: str, endpoint: str | None = None) -> Any:
    """A client that calls once, and waits for 5 seconds at most."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1, "mode": "standard"})
    return botocore_session().create_client(service, region_name=region, endpoint_url=endpoint, config=config)


def hand_over(call: Callable[[], str], refusals: Mapping[str, Unreachable]) -> Result:
    """One call, which answers the message's id. ``refusals``: by the error's code, or by its reason, without ``Exception`` at the end.

    Whatever is not surely refused or taken is ``Unclear``.
    """
    try:
        return Sent(call())
    except ClientError as error:
        return _meaning(error, refusals)
    except _NOTHING_WENT_OUT:
        return Throttled()
    except ParamValidationError:
        return Unreachable(_REFUSED)
    except BotoCoreError:
        return Unclear()


def _meaning(error: ClientError, refusals: Mapping[str, Unreachable]) -> Result:
    # The query protocol says ``EndpointDisabled``, the model's exception is called ``EndpointDisabledException``.
    response: Mapping[str, Any] = error.response
    code = str(response.get("Error", {}).get("Code", "")).rpartition("#")[2].removesuffix("Exception")
    reason = str(response.get("Reason", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
    if code in _BUSY or f"{code}Exception" in _BUSY:
        return Throttled()
    known = refusals.get(reason) or refusals.get(code)
    if known is not None:
        return known
    # The provider's 4xx is an answer about this request: it was not carried out. A 5xx may come after it was.
    return Unreachable(_REFUSED) if 400 <= status < 500 else Unclear()
