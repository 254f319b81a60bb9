"""Getting small public documents (an identity provider's keys) over HTTPS. Bounded in time and size, never redirected, and from the public
internet alone, as webhooks are: the address is a tenant's to name.
"""

from __future__ import annotations

import http.client
import time
from typing import Final

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from shared.aws.going_out import Resolve, connection_to, host_header, resolve
from shared.kernel.errors import InvalidValue
from shared.messaging.outgoing import Target, target_of

TIMEOUT_SECONDS: Final = 3.0
MAX_BYTES: Final = 64 * 1024
_CHUNK: Final = 8192


class NotFetched(OSError):
    """Unreachable, too slow, too large, not 200, or an address that is not fetched at all. Names the host, never the whole address."""


class Fetcher:
    """``fetch`` of ``shared.tenants.jwks.JwksSource``. ``local``: plain HTTP is taken too, but only from this machine."""

    def __init__(self, *, local: bool = False, resolve: Resolve = resolve) -> None:
        self._local = local
        self._resolve = resolve

    def __call__(self, url: str) -> bytes:
        """The body at an address, or ``NotFetched``. At most 3 seconds and 64 kB."""
        try:
            target = target_of(url, local=self._local)
        except InvalidValue as error:
            raise NotFetched(str(error)) from None
        deadline = time.monotonic() + TIMEOUT_SECONDS
        try:
            with connection_to(target, seconds=TIMEOUT_SECONDS, local=self._local, resolve=self._resolve) as connection:
                return _read(connection, target, deadline)
        except NotFetched:
            raise
        except (OSError, ValueError, HTTPError, http.client.HTTPException) as error:
            # ValueError: a forbidden address, a certificate of another host, or a name that is none.
            raise NotFetched(f"{target.host}: {type(error).__name__}") from None


def _read(connection: HTTPConnection, target: Target, deadline: float) -> bytes:
    connection.request("GET", target.path, headers={"host": host_header(target)}, preload_content=False)
    answer = connection.getresponse()
    if answer.status != 200:
        raise NotFetched(f"status {answer.status}")
    body = b""
    for chunk in answer.stream(_CHUNK, decode_content=True):
        body += chunk
        # The time-out is per read: a server that drips must not hold us.
        if len(body) > MAX_BYTES or time.monotonic() > deadline:
            raise NotFetched("too large or too slow")
    return body
