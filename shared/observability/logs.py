"""One JSON object per line, with the request's ids and without anything about a person."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from logging import LogRecord
from typing import Any, Final

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from shared.privacy.registry import PRIVATE_NAMES

_PERSONAL_WORDS: Final = frozenset(
    {
        *("phone", "phones", "email", "emails", "mail", "birth", "birthday", "birthdate", "address", "addresses"),
        *("token", "tokens", "secret", "secrets", "password", "card", "cards", "authorization", "cookie", "body"),
    }
)
"""Words that make a field personal wherever they stand in its name: ``identity_token``, ``birth_date``, ``homeAddress``."""
_PERSONAL_NAMES: Final = frozenset(
    {
        *("name", "names", "first_name", "last_name", "full_name", "given_name", "family_name", "display_name", "nickname"),
        *("code", "codes", "coupon_code", "claim_code", "otp", "otp_code"),
    }
)
"""Whole names; ``function_name`` and ``error_code`` tell nothing about a person."""
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_MAX_TEXT: Final = 500
_QUOTE_THEIR_INPUT: Final = (ValueError, LookupError)
"""Exceptions whose text usually repeats the offending value."""
_MAX_FRAMES: Final = 12


@lru_cache(maxsize=1024)
def is_personal(key: str) -> bool:
    """Whether a field of that name may hold something about a person or a credential."""
    words = [word.lower() for word in _WORD.findall(key)]
    whole = "_".join(words)
    return whole in _PERSONAL_NAMES or whole in PRIVATE_NAMES or not _PERSONAL_WORDS.isdisjoint(words)


def redact(value: Any) -> Any:
    """A copy without the fields whose names are personal, at any depth of mappings, lists and tuples."""
    if isinstance(value, Mapping):
        return {key: redact(inner) for key, inner in value.items() if not is_personal(str(key))}
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    return value


class SafeFormatter(LambdaPowertoolsFormatter):
    """Powertools' JSON lines, redacted, and with exceptions as types and places.

    The text of an exception is kept unless its kind quotes input (``KeyError`` of an address, pydantic's errors).
    """

    def __init__(self) -> None:
        super().__init__(utc=True, use_rfc3339=True, serialize_stacktrace=False)

    def serialize(self, log: Any) -> str:
        """The line itself; extra keys, context keys and message objects all pass here."""
        return super().serialize(redact(log))

    def _extract_log_exception(self, log_record: LogRecord) -> Any:
        error = log_record.exc_info[1] if log_record.exc_info else None
        if error is None:
            return None, None, None
        return describe_exception(error), type(error).__name__, None


def describe_exception(error: BaseException) -> list[dict[str, Any]]:
    """The exception and its causes, outermost first: type, place, and the text where it is safe to keep."""
    described: list[dict[str, Any]] = []
    here: BaseException | None = error
    while here is not None and len(described) < 5:
        frames = traceback.extract_tb(here.__traceback__)[-_MAX_FRAMES:]
        entry: dict[str, Any] = {"type": f"{type(here).__module__}.{type(here).__qualname__}"}
        if not isinstance(here, _QUOTE_THEIR_INPUT):
            entry["text"] = str(here)[:_MAX_TEXT]
        entry["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        described.append(entry)
        here = here.__cause__ or (None if here.__suppress_context__ else here.__context__)
    return described


@cache
def logger() -> Logger:
    """The logger of this process. Service and level come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL."""
    return Logger(logger_formatter=SafeFormatter())


@contextmanager
def log_context(**keys: str | None) -> Iterator[None]:
    """Keys (``tenant=``, ``member=``, ``correlation_id=``, ...) on every line inside the block; the ones before come back after it."""
    log = logger()
    given = {key: value for key, value in keys.items() if value is not None}
    before = {key: value for key, value in log.get_current_keys().items() if key in given}
    log.append_keys(**given)
    try:
        yield
    finally:
        log.remove_keys([key for key in given if key not in before])
        log.append_keys(**before)
