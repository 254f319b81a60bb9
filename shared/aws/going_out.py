"""Calls to addresses that tenants name: webhooks, identity providers' keys. Whoever calls out goes through here.

Against server-side request forgery: the host is resolved once, each address that it has must be one of the public internet
(``shared.messaging.outgoing``), and the connection is made to one of these very addresses, so that a second answer of a name server
leads nowhere else. The certificate is the host's all the same.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from urllib3.connection import HTTPConnection, HTTPSConnection

from shared.kernel.errors import InvalidValue
from shared.messaging.outgoing import Target, allowed_address

Resolve = Callable[[str, int], list[str]]
_USUAL_PORTS: Final = {True: 443, False: 80}


class ForbiddenAddress(InvalidValue):
    """A host that has no address, or one that is not of the public internet."""


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, as the system resolves it. ``OSError``."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@contextmanager
def connection_to(target: Target, *, seconds: float, local: bool = False, resolve: Resolve = resolve) -> Iterator[HTTPConnection]:
    """A connection that is ended after so many seconds whatever happens. ``ForbiddenAddress``; ``OSError`` where nothing resolves.

    ``local``: this machine may be called, too, and it alone without TLS. Nothing is sent, and no redirect followed, but by the caller.
    """
    pinned = allowed_address(_addresses(target, resolve), local=local)
    if pinned is None or not (target.tls or ipaddress.ip_address(pinned).is_loopback):
        raise ForbiddenAddress("not an address of the public internet")
    connection: HTTPConnection
    if target.tls:
        # The certificate is the host's, whatever address it is at.
        connection = HTTPSConnection(pinned, target.port, timeout=seconds, server_hostname=target.host, assert_hostname=target.host)
    else:
        connection = HTTPConnection(pinned, target.port, timeout=seconds)
    with _cut_off(connection, seconds):
        yield connection


def host_header(target: Target) -> str:
    """The header ``Host``, which the address that is called cannot tell."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == _USUAL_PORTS[target.tls] else f"{host}:{target.port}"


def _addresses(target: Target, resolve: Resolve) -> list[str]:
    with suppress(ValueError):
        return [str(ipaddress.ip_address(target.host))]
    return resolve(target.host, target.port)


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
