"""When a recurring campaign is due: rules of RFC 5545 (section 3.3.10) over local time, by python-dateutil. Pure.

A rule counts in wall-clock time. In the tenant's time an occurrence is one instant; in the members' own time it begins where the day
begins first on earth (UTC+14), and each member's turn is when her wall clock shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from typing import Final, NamedTuple

from dateutil.rrule import rrule, rrulestr  # type: ignore[import-untyped]
from pydantic_core import PydanticCustomError

from shared.campaigns.triggers import RecurringTrigger
from shared.kernel.instants import HOUR, Instant, day_number, wall_instant

MOST_A_YEAR: Final = 400
FIRST_ON_EARTH: Final = 14 * HOUR
LAST_ON_EARTH: Final = 12 * HOUR
"""After UTC, that the wall clock of UTC-12 shows the same."""
_PARTS: Final = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "BYHOUR", "BYMINUTE", "WKST"}
)
_FREQUENCIES: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_PICKED_ELSEWHERE: Final = {"DAILY": frozenset({"BYMONTHDAY", "BYSETPOS"}), "WEEKLY": frozenset({"BYMONTHDAY"})}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Firing(NamedTuple):
    """One occurrence: the wall clock that names it, and when its walk begins."""

    wall: str
    at: Instant


def check_rule(rule: str, starts: str) -> None:
    """A ``PydanticCustomError`` unless the rule is understood, ever happens, not more often than once an hour, and ends or stays within
    ``MOST_A_YEAR``. Some milliseconds; about a second for a rule that never happens.
    """
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    if not set(parts) <= _PARTS or len(parts) != rule.count(";") + 1 or parts.get("FREQ") not in _FREQUENCIES:
        hint = f"takes {', '.join(sorted(_PARTS))}, each once, with FREQ one of {', '.join(sorted(_FREQUENCIES))}"
        raise PydanticCustomError("invalid_rrule", hint)
    if _PICKED_ELSEWHERE.get(parts["FREQ"], frozenset()) & set(parts):
        # A day that such a rule never meets would be looked for, day by day, through eight thousand years.
        raise PydanticCustomError("invalid_rrule", "days of the month are picked by FREQ=MONTHLY")
    try:
        found = list(islice(_rule(rule, starts), MOST_A_YEAR + 1))
    except (ValueError, TypeError, OverflowError) as error:
        raise PydanticCustomError("invalid_rrule", "not a recurrence rule of RFC 5545, in local time") from error
    if not found:
        raise PydanticCustomError("invalid_rrule", "this never happens")
    if any(later - earlier < timedelta(hours=1) for earlier, later in pairwise(found)):
        raise PydanticCustomError("too_often", "at most once an hour")
    ends = "COUNT" in parts or "UNTIL" in parts
    if not ends and len(found) > MOST_A_YEAR and found[MOST_A_YEAR] - found[0] < timedelta(days=365):
        raise PydanticCustomError("too_often", "without an end at most 400 times a year")


def first_after(trigger: RecurringTrigger, zone_name: str, after: Instant) -> Firing | None:
    """The first occurrence that begins later than the instant; ``None``: it has ended."""
    return next((each for each in _firings(trigger, zone_name, after) if each.at > after), None)


def newest_until(trigger: RecurringTrigger, zone_name: str, first: Instant, now: Instant) -> tuple[Firing | None, int]:
    """Of the occurrences that begin from ``first`` to ``now``, the newest, and how many lie before it."""
    newest, before = None, -1
    for each in _firings(trigger, zone_name, first - 1):
        if each.at > now:
            break
        if each.at >= first:
            newest, before = each, before + 1
    return newest, max(before, 0)


def begins(trigger: RecurringTrigger, wall: datetime, zone_name: str) -> Instant:
    """When the walk of an occurrence begins."""
    if trigger.in_ == "member":
        return _millis(wall.replace(tzinfo=UTC)) - FIRST_ON_EARTH
    return _local(wall, zone_name)


def her_turn(wall: str, zone_name: str) -> Instant:
    """When a member's wall clock shows the occurrence: the first time where it is shown twice, the end of the gap where it is skipped."""
    return _local(datetime.fromisoformat(wall), zone_name)


def last_turn(trigger: RecurringTrigger, firing: Firing) -> Instant:
    """The last instant at which somebody's turn is."""
    return firing.at + (FIRST_ON_EARTH + LAST_ON_EARTH if trigger.in_ == "member" else 0)


def _firings(trigger: RecurringTrigger, zone_name: str, after: Instant) -> Iterator[Firing]:
    # Wall clocks are at most 14 hours from UTC, and a day more covers every change of clocks.
    since = datetime.fromtimestamp(after // 1000, UTC).replace(tzinfo=None) - timedelta(days=2)
    for wall in _rule(trigger.rrule, trigger.starts).xafter(since, inc=True):
        yield Firing(wall.isoformat(timespec="minutes"), begins(trigger, wall, zone_name))


@lru_cache(maxsize=256)
def _rule(rule: str, starts: str) -> rrule:
    found = rrulestr(rule, dtstart=datetime.fromisoformat(starts), cache=False)
    if not isinstance(found, rrule):
        raise TypeError("one rule")
    return found


def _local(wall: datetime, zone_name: str) -> Instant:
    return wall_instant(day_number(wall.date()), wall.hour * 60 + wall.minute, zone_name)


def _millis(moment: datetime) -> Instant:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
