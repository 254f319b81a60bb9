"""Which addresses a call of ours to a tenant's system may go to: the public internet's alone (no server-side request forgery). Pure.

A host is resolved once, every address that it has is checked here, and the call goes to one of these very addresses, so that no second
answer of a name server can lead elsewhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from shared.kernel.errors import InvalidValue

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_EMBEDDING: Final = (
    # An address of another network inside: translation (RFC 6052, 8215), 6to4 (RFC 3056), Teredo (RFC 4380).
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),
    ipaddress.ip_network("2001::/32"),
    # Mapped addresses, and compatible ones, long deprecated (RFC 4291); and the metadata services of clouds.
    ipaddress.ip_network("::ffff:0:0/96"),
    ipaddress.ip_network("::/96"),
    ipaddress.ip_network("fd00:ec2::/32"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("168.63.129.16/32"),
    # Of no use to anybody, and taken for public by some versions of ``ipaddress``: relays of 6to4 (RFC 7526), documentation (RFC 9637),
    # identifiers of segment routing (RFC 9602), dummy prefix (RFC 9780), site-local (RFC 3879).
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("3fff::/20"),
    ipaddress.ip_network("5f00::/16"),
    ipaddress.ip_network("100:0:0:1::/64"),
    ipaddress.ip_network("fec0::/10"),
)
_PORTS: Final = frozenset({443, 8443})


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes to."""

    host: str
    port: int
    path: str
    tls: bool


def target_of(url: str, *, local: bool = False) -> Target:
    """The parts of an https address, port 443 or 8443. ``local``: also plain http and any port, as of this machine. ``InvalidValue``."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidValue("not an address") from None
    plain = parts.scheme == "http" and local
    if (parts.scheme != "https" and not plain) or not parts.hostname or parts.username is not None or parts.password is not None:
        raise InvalidValue("an address is https, and has a host and no user")
    number = port or (80 if plain else 443)
    if number not in _PORTS and not local:
        raise InvalidValue("an address has port 443 or 8443")
    if any(character <= " " or character > "~" for character in url):
        raise InvalidValue("an address is ASCII without blanks")
    return Target(parts.hostname, number, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), parts.scheme == "https")


def is_public(address: Address) -> bool:
    """Whether it is one of the public internet: not private, loopback, link-local, shared, multicast, reserved, and none inside another."""
    embeds = any(address.version == network.version and address in network for network in _EMBEDDING)
    is_special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast or address.is_reserved
    return address.is_global and not is_special and not embeds


def allowed_address(resolved: Sequence[str], *, local: bool = False) -> str | None:
    """The one to call of those that a host has; ``None`` unless each of them may be called. ``local``: loopback may be, too."""
    addresses = [ipaddress.ip_address(each.partition("%")[0]) for each in resolved]
    allowed = [is_public(each) or (local and each.is_loopback) for each in addresses]
    return str(addresses[0]) if addresses and all(allowed) else None
