"""Getting small public documents (an identity provider's keys) over HTTPS. Bounded in time and size, and never redirected."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

TIMEOUT_SECONDS: Final = 3.0
MAX_BYTES: Final = 64 * 1024
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_CHUNK: Final = 8192


class NotFetched(OSError):
    """Unreachable, too slow, too large, not 200, or an address that is not fetched at all. Names the host, never the whole address."""


class Fetcher:
    """``fetch`` of ``shared.tenants.jwks.JwksSource``. ``local``: plain HTTP is taken too, but only from this machine."""

    def __init__(self, *, local: bool = False) -> None:
        self._local = local
        self._pool = urllib3.PoolManager(num_pools=4, retries=False)

    def __call__(self, url: str) -> bytes:
        """The body at an address, or ``NotFetched``. At most 3 seconds and 64 kB."""
        parts = urlsplit(url)
        from_this_machine = self._local and parts.scheme == "http" and parts.hostname in _LOOPBACK
        if parts.scheme != "https" and not from_this_machine:
            raise NotFetched("only https is fetched")
        deadline = time.monotonic() + TIMEOUT_SECONDS
        try:
            return self._read(url, deadline)
        except (HTTPError, ValueError) as error:
            raise NotFetched(f"{parts.hostname}: {type(error).__name__}") from None

    def _read(self, url: str, deadline: float) -> bytes:
        timeout = urllib3.Timeout(total=TIMEOUT_SECONDS)
        answer = self._pool.request("GET", url, timeout=timeout, redirect=False, preload_content=False)
        try:
            if answer.status != 200:
                raise NotFetched(f"status {answer.status}")
            body = b""
            for chunk in answer.stream(_CHUNK, decode_content=True):
                body += chunk
                # The pool's time-out is per read: a server that drips must not hold us.
                if len(body) > MAX_BYTES or time.monotonic() > deadline:
                    raise NotFetched("too large or too slow")
            return body
        finally:
            answer.release_conn()
