"""Which keys sign members' tokens: generations of one derivation (``shared.tenants.tokens``), counted in one item of the operator.

A rotation names the next generation ten minutes before it signs, so that whoever verifies offline finds its public key in the JWKS
first, and every environment, which looks once a minute, knows of it. The generation before goes on verifying until the next rotation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.kernel.errors import StateConflict, Unavailable
from shared.kernel.instants import MINUTE, Clock, Instant, format_rfc3339
from shared.observability.logs import logger
from shared.storage import keys_access
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items_access import SigningItem
from shared.storage.table import NOT_THERE_YET, Table
from shared.tenants.base import Frozen
from shared.tenants.tokens import LIFETIME, Generations, TokenSigner

LEAD: Final = 10 * MINUTE
"""From the beginning of a rotation until the new key signs; longer than the JWKS and the generation are cached (5 and 1 minutes)."""
REST: Final = LIFETIME + 5 * MINUTE
"""From then until the next rotation may begin: what the key before signed has ended by then."""
CACHE_SECONDS: Final = 60


class RotationUnderWay(StateConflict):
    """Tokens of the generation before may still be in use; a rotation now would end them."""

    code, title = "rotation_under_way", "Rotation under way"


class SigningKeysAnswer(Frozen):
    """The keys of members' tokens. ``kids`` are in the JWKS, the one that signs now first; ``generation`` is the newest."""

    generation: int
    signs_from: str | None = None
    kids: tuple[str, ...]


def generations_at(newest: int, since: Instant, now: Instant) -> Generations:
    """Which generation signs at the instant: the newest from ``since`` on, until then the one before."""
    shown = (newest, newest - 1) if newest > 1 else (1,)
    return Generations(newest if now >= since else max(1, newest - 1), shown)


class SigningKeys:
    """The generations as stored, looked up once a minute: half a read unit. ``monotonic`` is in seconds."""

    def __init__(self, table: Table, clock: Clock, monotonic: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock
        self._monotonic = monotonic
        self._kept: tuple[float, int, Instant] | None = None

    def __call__(self) -> Generations:
        """What holds now."""
        now, kept = self._monotonic(), self._kept
        if kept is None or now - kept[0] >= CACHE_SECONDS:
            kept = self._kept = (now, *self._look(kept))
        return generations_at(kept[1], kept[2], self._clock())

    def _look(self, kept: tuple[float, int, Instant] | None) -> tuple[int, Instant]:
        try:
            return stored(self._table)
        except Unavailable:
            if kept is None:
                raise
            # A rotation is told ten minutes ahead, so what was known a minute ago still holds.
            logger().warning("signing keys not looked up")
            return kept[1], kept[2]


def stored(table: Table) -> tuple[int, Instant]:
    """The newest generation, and from when on it signs. 1 read."""
    raw = table.get(keys_access.signing(), consistent=True)
    if raw is None:
        return 1, 0
    item = SigningItem.read(raw)
    return int(item.generation), int(item.since)


def show(table: Table, master: bytes, now: Instant) -> SigningKeysAnswer:
    """The keys there are. 1 read."""
    return _answer(master, *stored(table), now)


def rotate(table: Table, master: bytes, now: Instant) -> SigningKeysAnswer:
    """Begin a rotation. ``RotationUnderWay`` too soon after the last. A read and a write."""
    newest, since = stored(table)
    too_soon = newest > 1 and now < since + REST
    if too_soon:
        raise RotationUnderWay(f"The next one may begin at {format_rfc3339(since + REST)}.")
    unchanged: Condition = Path("generation") == newest if newest > 1 else NOT_THERE_YET
    item = SigningItem.at(keys_access.signing(), generation=newest + 1, since=now + LEAD)
    try:
        table.put(item, unchanged)
    except ConditionFailed:
        raise RotationUnderWay("Somebody else began one at the same moment.") from None
    return _answer(master, newest + 1, now + LEAD, now)


def _answer(master: bytes, newest: int, since: Instant, now: Instant) -> SigningKeysAnswer:
    held = generations_at(newest, since, now)
    kids = tuple(str(each["kid"]) for each in TokenSigner(master, generations=lambda: held).jwks()["keys"])
    return SigningKeysAnswer(generation=newest, signs_from=format_rfc3339(since) if since else None, kids=kids)
