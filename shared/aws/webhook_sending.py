"""Webhooks of campaigns: one POST, signed as Standard Webhooks has it, to an address of the public internet, not redirected, 5 seconds.

Nothing here is ``Unclear``: a receiver knows by ``webhook-id`` what it has, so that a try whose answer got lost is made again.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Clock
from shared.messaging.outgoing import Target, allowed_address, target_of
from shared.messaging.port import Message, Result, Sent, Throttled, Unreachable, WebhookTarget
from shared.messaging.webhooks import MAX_BODY, signed_headers, webhook_body

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_SECONDS: Final = 5.0
_BUSY: Final = frozenset({408, 425, 429})
Resolve = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, as the system resolves it. ``OSError``."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(slots=True)
class WebhookSender:
    """``Sender`` of webhooks. ``local``: loopback may be called, over plain http and any port, as on a local stage."""

    clock: Clock
    local: bool = False
    resolve: Resolve = resolve
    timeout: float = TIMEOUT_SECONDS

    def send(self, address: str, message: Message) -> Result:  # noqa: ARG002  (the target travels with the message)
        """One POST. 2xx: taken; 410: never again; other 4xx and 3xx: refused; the rest may be tried again."""
        settings = message.settings
        if not isinstance(settings, WebhookTarget):
            return Unreachable("not_configured")
        body = webhook_body(message)
        if len(body) > MAX_BODY:
            return Unreachable("message_too_large")
        try:
            target = target_of(settings.url, local=self.local)
        except InvalidValue:
            return Unreachable("forbidden_address")
        try:
            pinned = allowed_address(self._addresses(target), local=self.local)
            if pinned is None:
                return Unreachable("forbidden_address")
            headers = signed_headers(message.origin["delivery"], body, settings.secret, self.clock())
            status = self._post(target, pinned, body, headers)
        except (OSError, ValueError, HTTPError, http.client.HTTPException):
            # ValueError: a certificate of another host, or a name that is none.
            return Throttled()
        return _meaning(status, message.origin["delivery"])

    def _addresses(self, target: Target) -> list[str]:
        with suppress(ValueError):
            return [str(ipaddress.ip_address(target.host))]
        return self.resolve(target.host, target.port)

    def _post(self, target: Target, pinned: str, body: bytes, headers: dict[str, str]) -> int:
        connection: HTTPConnection
        if target.tls:
            # The certificate is the host's, whatever address it is at.
            connection = HTTPSConnection(
                pinned, target.port, timeout=self.timeout, server_hostname=target.host, assert_hostname=target.host
            )
        else:
            connection = HTTPConnection(pinned, target.port, timeout=self.timeout)
        has_usual_port = target.port == (443 if target.tls else 80)
        host = f"[{target.host}]" if ":" in target.host else target.host
        with _cut_off(connection, self.timeout):
            connection.request("POST", target.path, body, {"host": host if has_usual_port else f"{host}:{target.port}", **headers})
            return int(connection.getresponse().status)


@contextmanager
def _cut_off(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    """End the connection after so long whatever happens: a time-out of a socket starts again with every byte."""

    def cut() -> None:
        if connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        connection.close()


def _meaning(status: int, delivery: str) -> Result:
    if 200 <= status < 300:
        return Sent(delivery)
    if status == 410:
        return Unreachable("gone", dead=True)
    if status in _BUSY or status >= 500:
        return Throttled()
    return Unreachable(f"status_{status}")
