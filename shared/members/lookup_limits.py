"""Nobody walks through phone numbers at the till: look-ups by an identifier are counted by the hour and credential.

Known and unknown cost the same requests here: none, and one write for a block of them (``shared.limits.lookups``). What was looked for
stays in memory, as a hash that no other process can make; the table has two numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Protocol

from shared.kernel.errors import TooManyRequests
from shared.kernel.instants import SECOND
from shared.limits.lookups import Hour, hour_of, seconds_left
from shared.observability.logs import logger
from shared.observability.measures import count_limits_unavailable
from shared.storage import keys_limits
from shared.storage.errors import StorageError
from shared.storage.expressions import Path
from shared.storage.items_limits import LookupsItem
from shared.tenants.scope import TenantScope

MAX_CREDENTIALS: Final = 200
_KEPT_SECONDS: Final = 7200


class TooManyLookups(TooManyRequests):
    """This credential has looked for too many members in this hour. ``retry_after`` is when the next one begins."""

    code, title = "too_many_lookups", "Too many look-ups of members"


class Named(Protocol):
    """A member as a call names her: by one of her identifiers, or by her id, which nobody can guess."""

    @property
    def kind(self) -> str | None: ...

    @property
    def value(self) -> str | None: ...


@dataclass(slots=True)
class LookupLimits:
    """The counts of one execution environment."""

    hours: OrderedDict[tuple[str, str], Hour] = field(default_factory=OrderedDict)

    def admit(self, scope: TenantScope, credential: str, named: Named | None) -> None:
        """``TooManyLookups`` if the credential has used up its look-ups of this hour, as far as this environment knows. No request."""
        if _counts(named) and self._hour(scope, credential).closed:
            raise TooManyLookups(retry_after=seconds_left(scope.clock()))

    def note(self, scope: TenantScope, credential: str, named: Named | None, *, known: bool) -> None:
        """Count a look-up that was answered. One write for each block, whatever they found; a table that is silent closes nobody."""
        if named is None or not _counts(named):
            return
        hour = self._hour(scope, credential)
        if hour.note(f"{hash((named.kind, named.value)):x}", known=known):
            try:
                _add(scope, credential, hour)
            except StorageError as error:
                logger().warning("look-ups not counted", extra={"reason": type(error).__name__})
                count_limits_unavailable("lookups")

    def _hour(self, scope: TenantScope, credential: str) -> Hour:
        subject, number = (scope.tenant, credential), hour_of(scope.clock())
        kept = self.hours.get(subject)
        if kept is None or kept.number != number:
            kept = self.hours[subject] = Hour(number)
        self.hours.move_to_end(subject)
        if len(self.hours) > MAX_CREDENTIALS:
            self.hours.popitem(last=False)
        return kept


def _counts(named: Named | None) -> bool:
    return named is not None and named.kind is not None


def _add(scope: TenantScope, credential: str, hour: Hour) -> None:
    key, ends = keys_limits.lookups(scope.tenant, credential, hour.number), scope.clock() // SECOND + _KEPT_SECONDS
    changes = [Path("missed").add(hour.missed), Path("found").add(hour.found), Path("expires_at").set(ends)]
    sums = LookupsItem.read(scope.table.hasty.update(key, changes))
    bounds = scope.definitions.settings.lookups
    missed, found = int(sums.missed), int(sums.found)
    hour.added(missed, found, most_missed=bounds.missed_per_hour, most_found=bounds.found_per_hour)
