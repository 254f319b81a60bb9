"""What a till knows from its last contact: how wrong its clock is, the public keys, what its location may give. A cache.

Losing it costs nothing but that the till gives nothing offline until it has had contact again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from shared.kernel.instants import Instant
from shared.tenants.jwks import JwkSet
from shared.tenants.model import OfflineAllowance


@dataclass(slots=True)
class Known:
    """All of it. ``skew``: to be added to the till's clock, milliseconds; ``contact``: when we last answered, in true time."""

    skew: int | None = None
    contact: Instant | None = None
    jwks: dict[str, Any] | None = None
    location: dict[str, Any] | None = None
    stops: dict[str, Any] | None = None

    @property
    def stopped(self) -> bool:
        """Whether the tenant had stopped all redeeming when we last made contact."""
        return bool((self.stops or {}).get("redemptions"))

    @property
    def keys(self) -> JwkSet:
        """The public keys; none before the first contact."""
        return JwkSet.of(self.jwks if self.jwks is not None else {"keys": []})

    @property
    def allowance(self) -> OfflineAllowance | None:
        """What the location may give. An allowance of a newer form than we can read gives nothing."""
        offline = (self.location or {}).get("offline")
        try:
            return OfflineAllowance.model_validate(offline) if offline else None
        except ValidationError:
            return None

    @property
    def zone(self) -> str:
        """The location's time zone, as far as it is known."""
        return (self.location or {}).get("time_zone") or "UTC"


class Memory(Protocol):
    """Where it is kept."""

    def load(self) -> Known:
        """What was saved last."""

    def save(self, known: Known) -> None:
        """Keep it."""


class FileMemory:
    """A file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Known:
        """What was saved last; nothing where that cannot be read."""
        try:
            return Known(**json.loads(self._path.read_text()))
        except (OSError, ValueError, TypeError):
            return Known()

    def save(self, known: Known) -> None:
        """Keep it."""
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(asdict(known)))
        new.replace(self._path)
