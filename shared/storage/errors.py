"""What DynamoDB says, in our words. Nothing outside shared/storage sees a botocore or pynamodb exception."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from shared.kernel.errors import Unavailable

RawItem = dict[str, dict[str, Any]]


class StorageError(Exception):
    """Root of what storage raises. Failed conditions are for services to turn into answers; the rest is 503, repeat the call."""


class ConditionFailed(StorageError):
    """A single write's condition did not hold; ``old`` is the item that stood in its way, if it was asked for."""

    def __init__(self, old: RawItem | None = None) -> None:
        super().__init__("condition failed")
        self.old = old


class TransactionCancelled(StorageError):
    """A transaction did not happen. ``failed`` maps the label of each write whose condition failed to the item found there."""

    def __init__(self, failed: dict[str, RawItem | None]) -> None:
        super().__init__(f"conditions failed: {', '.join(sorted(failed))}")
        self.failed = failed


class StorageConflict(Unavailable, StorageError):
    """Another transaction touched the same items at the same moment. Nothing was written; the same request may be sent again."""


class StorageThrottled(Unavailable, StorageError):
    """Too many requests for a table or partition. Nothing was written; the same request may be sent again."""


class OutcomeUnknown(Unavailable, StorageError):
    """The connection broke or timed out: the write may have happened. Only the same token, or a read, tells."""


class StorageUnavailable(Unavailable, StorageError):
    """DynamoDB cannot be used now, and sending again did not help."""


_THROTTLES: Final = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "LimitExceededException", "ThrottlingError"}
)
_CONFLICTS: Final = frozenset({"TransactionConflictException", "TransactionInProgressException", "TransactionConflict"})
_UNKNOWN: Final = frozenset({"InternalServerError", "ServiceUnavailable", "InternalFailure"})


def translate(error: ClientError) -> Exception:
    """Our word for a service error; an error that is a bug of ours stays as it is."""
    code = error.response.get("Error", {}).get("Code", "")
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(error.response.get("Item"))  # type: ignore[arg-type]
    if code in _THROTTLES:
        return StorageThrottled(code)
    if code in _CONFLICTS:
        return StorageConflict(code)
    if code in _UNKNOWN:
        return OutcomeUnknown(code)
    return error


@contextmanager
def storage_errors() -> Iterator[None]:
    """Round every call of the client."""
    try:
        yield
    except ClientError as error:
        translated = translate(error)
        if translated is error:
            raise
        raise translated from error
    except (NoConnection, HTTPClientError) as error:
        raise OutcomeUnknown(type(error).__name__) from error
    except BotoCoreError as error:
        raise StorageUnavailable(type(error).__name__) from error
