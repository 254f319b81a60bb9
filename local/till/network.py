"""Calls of a till: one try each, with a time-out; and what an answer means for what was sent (docs/till.md). No retry here."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from shared.kernel.instants import SECOND, Instant

SLOWEST_ROUND_TRIP: Final = 10 * SECOND
"""Of an answer that took longer it is not known when its time was true."""
_LONGEST: Final = 300 * SECOND
_FIRST: Final = 500
Verdict = Literal["done", "again", "as_offline", "clock", "credential", "refused"]
_STORED_NOTHING: Final = ("not_redeemable", "hold_not_usable", "unknown_hold")
_COMES_RIGHT: Final = ("concurrent_update", "sale_arrived")


class NoAnswer(Exception):
    """Nobody answered, or not in time: it is not known what became of the call."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status. Header names in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The problem's code."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    @property
    def retry_after(self) -> int:
        """Milliseconds that the server asks to wait."""
        text = self.headers.get("retry-after", "")
        return int(text) * SECOND if text.isdigit() else 0


class Transport(Protocol):
    """One try of one call; ``NoAnswer`` if none came within the time."""

    def call(self, method: str, path: str, body: Any, timeout_ms: int) -> Reply:
        """The answer."""


class HttpTransport:
    """HTTP with a key; one connection a call, so that a dead one is never met again. The time-out is that of each wait."""

    def __init__(self, base: str, credential: str) -> None:
        parts = urlsplit(base.rstrip("/"))
        self._host, self._prefix, self._secure = parts.netloc, parts.path, parts.scheme == "https"
        self._credential = credential

    def call(self, method: str, path: str, body: Any, timeout_ms: int) -> Reply:
        """One request."""
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, timeout=timeout_ms / SECOND)
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._credential}"}
        try:
            connection.request(method, self._prefix + path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(str(error)) from error
        finally:
            connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        try:
            parsed = json.loads(text) if text else {}
        except ValueError:
            # A proxy on the way speaks for itself: 502 with a page.
            parsed = {}
        return Reply(response.status, parsed, found)


def verdict(reply: Reply) -> Verdict:
    """What an answer means for a sale, return or void that was sent. Pure.

    ``as_offline``: the guest has it, so it is settled as a sale made offline; nothing was stored, so its body may change. ``clock``:
    our time is wrong. ``refused``: for good, for a person to look at.
    """
    if reply.status < 300:
        return "done"
    if reply.status in (401, 403):
        return "credential"
    comes_right = reply.status == 409 and reply.code in _COMES_RIGHT
    if reply.status == 429 or reply.status >= 500 or comes_right:
        return "again"
    if reply.code in _STORED_NOTHING:
        return "as_offline"
    return "clock" if reply.code == "occurred_in_future" else "refused"


def delay(failures: int, chance: float) -> int:
    """How long to wait after so many failures in a row, milliseconds: full jitter, doubling from half a second to five minutes. Pure.

    ``chance`` is a random number from 0 up to 1. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return int(chance * min(_LONGEST, _FIRST << min(failures, 20)))


def skew_of(sent: Instant, received: Instant, date: str | None) -> int | None:
    """How much is to be added to our clock, from an answer's Date header (RFC 9110, section 6.6.1: whole seconds). Pure.

    ``None`` where it cannot be known: no such header, or an answer that was under way for too long. Good to a second and half the way.
    """
    if date is None or not 0 <= received - sent <= SLOWEST_ROUND_TRIP:
        return None
    try:
        theirs = int(parsedate_to_datetime(date).timestamp()) * SECOND + SECOND // 2
    except (TypeError, ValueError):
        return None
    return theirs - (sent + received) // 2
