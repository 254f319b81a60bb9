"""How fast an order may be worked off: slots of campaign and credential, leased in blocks of at most a second from the table."""

from __future__ import annotations

from collections import deque
from typing import Final

from shared.campaigns.model import CampaignBody, Channel
from shared.campaigns.throttle import lease, slot
from shared.kernel.instants import SECOND, Instant
from shared.storage import keys
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.tenants.scope import TenantScope

HORIZON: Final = 5 * SECOND
"""A worker waits so long for a slot; what lies further ahead is left to another message."""
_TRIES: Final = 5


class Pacer:
    """The slots of one order. ``size``: how many messages it has at most, so that no more slots are taken."""

    def __init__(self, scope: TenantScope, campaign: str, body: CampaignBody, size: int) -> None:
        self._scope = scope
        self._size = size
        self._own = (f"campaign|{campaign}", body.per_second) if body.per_second is not None else None
        self._blocks: dict[str, deque[Instant]] = {}

    def ready(self, channel: Channel) -> int | None:
        """Wait for the next slot of everything that limits a channel; ``None`` once it is there, else in how many seconds to ask again.

        No request without a limit; with one, a read and a write for each block.
        """
        limits = [self._own] if self._own is not None else []
        of_channel = self._scope.definitions.settings.messaging.per_second.get(channel)
        if of_channel is not None:
            limits.append((f"channel|{channel}", of_channel))
        for name, per_second in limits:
            seconds = None if self._blocks.get(name) else self._lease(name, per_second or 1)
            if seconds is not None:
                return seconds
        slots = [self._blocks[name].popleft() for name, _ in limits]
        ahead = max(slots, default=0) - self._scope.clock()
        if ahead > 0:
            self._scope.effort().sleep(ahead / SECOND)
        return None

    def _lease(self, name: str, per_second: int) -> int | None:
        """Take a block of slots; ``None``, or the seconds until there may be some."""
        key, table = keys.throttle(self._scope.tenant, name), self._scope.table
        wanted = min(per_second, self._size)
        for _ in range(_TRIES):
            raw, now = table.get(key), self._scope.clock()
            before = int(raw["next_at"]["N"]) if raw is not None else 0
            granted_from, next_at = lease(before, now, per_second, wanted)
            if granted_from - now > HORIZON:
                return -((now - granted_from) // SECOND)
            as_it_was: Condition = Path("next_at") == before if raw is not None else Path("PK").does_not_exist()
            try:
                table.update(key, [Path("next_at").set(next_at)], as_it_was)
            except ConditionFailed:
                continue
            self._blocks[name] = deque(slot(granted_from, per_second, number) for number in range(wanted))
            return None
        return 1
