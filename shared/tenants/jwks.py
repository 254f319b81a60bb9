"""Providers' public keys: parsed out of a JWK set (RFC 7517), fetched at most as often as is decent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from shared.kernel.errors import InvalidValue, Unavailable
from shared.kernel.instants import HOUR, MINUTE, SECOND, Clock, Instant

ALGORITHMS: Final = ("RS256", "ES256")
FRESH_FOR: Final = HOUR
REFETCH_AFTER: Final = 5 * MINUTE
"""The least time between two fetches while there are keys, however many unknown key ids are asked for."""
RETRY_AFTER: Final = 10 * SECOND
"""The least time between two fetches while there are none."""
_MIN_RSA_BITS: Final = 2048


class ProviderUnavailable(Unavailable):
    """The identity provider's keys cannot be fetched and none are kept."""

    code, title, retry_after = "identity_provider_unavailable", "Identity provider unavailable", 10


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key and the one algorithm that it is for."""

    algorithm: str
    public_key: Any


@dataclass(frozen=True, slots=True)
class JwkSet:
    """Usable keys by key id: public RSA keys of 2048 bits and more, and P-256 keys. All others are left out."""

    keys: Mapping[str, SigningKey]

    @classmethod
    def of(cls, document: Any) -> JwkSet:
        """The usable keys of a JWK set; ``InvalidValue`` if it is no JWK set at all."""
        entries = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise InvalidValue("not a JWK set")
        keys: dict[str, SigningKey] = {}
        for entry in entries:
            key = _signing_key(entry) if isinstance(entry, dict) else None
            kid = entry.get("kid") if isinstance(entry, dict) else None
            if key is not None and isinstance(kid, str) and kid:
                keys[kid] = key
        return cls(keys)

    def get(self, kid: str) -> SigningKey | None:
        """The key of that id, if there is a usable one."""
        return self.keys.get(kid)


@dataclass(slots=True)
class _Kept:
    keys: JwkSet | None
    fetched: Instant
    attempted: Instant


class JwksSource:
    """Keeps key sets by address for the life of a process. ``fetch`` gets a body or raises ``OSError``; it bounds its own time.

    An old set is served while a fetch fails; an unknown key id causes one fetch per address and 5 minutes.
    """

    def __init__(self, fetch: Callable[[str], bytes], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def keys_for(self, url: str, kid: str) -> JwkSet:
        """The keys at that address, fetched again if they lack ``kid`` or are an hour old. ``ProviderUnavailable`` without any."""
        now = self._clock()
        kept = self._kept.get(url)
        if kept is None or self._is_due(kept, kid, now):
            kept = self._refreshed(url, kept, now)
        if kept.keys is None:
            raise ProviderUnavailable
        return kept.keys

    @staticmethod
    def _is_due(kept: _Kept, kid: str, now: Instant) -> bool:
        since_attempt = now - kept.attempted
        if kept.keys is None:
            return since_attempt >= RETRY_AFTER
        wanted = kept.keys.get(kid) is None or now - kept.fetched >= FRESH_FOR
        return wanted and since_attempt >= REFETCH_AFTER

    def _refreshed(self, url: str, kept: _Kept | None, now: Instant) -> _Kept:
        try:
            made = _Kept(JwkSet.of(json.loads(self._fetch(url))), fetched=now, attempted=now)
        except (OSError, ValueError):
            # Unreachable, or not keys: what we have stays good for as long as nothing better comes.
            made = _Kept(None, now, now) if kept is None else _Kept(kept.keys, kept.fetched, now)
        self._kept[url] = made
        return made


def _signing_key(entry: dict[str, Any]) -> SigningKey | None:
    kind = entry.get("kty")
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(kind) if isinstance(kind, str) else None
    fit = (
        algorithm is not None
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) == algorithm
        and (algorithm == "RS256" or entry.get("crv") == "P-256")
        and "d" not in entry  # a private key in a public set is nobody's to trust
    )
    if not fit:
        return None
    try:
        public_key: Any = jwt.PyJWK(entry, algorithm=algorithm).key
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        return None
    if algorithm == "RS256" and public_key.key_size < _MIN_RSA_BITS:
        return None
    return SigningKey(str(algorithm), public_key)
