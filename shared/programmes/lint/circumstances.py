"""Who buys, where and when, so that several conditions hold at once: found if there is any, and checked by the engine. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from shared.kernel.instants import DAY, HOUR, MINUTE, NEVER, Instant, day_of, day_start, format_rfc3339, local_day
from shared.programmes.conditions import ALWAYS, MemberFacts, Scene, When, unmet
from shared.programmes.lint.model import Example
from shared.programmes.lint.subject import NOWHERE, Subject

_DAYS: Final = 22
"""Days looked at: each weekday three times, so that an hour that the clocks skip once is found the next time."""
_NOON: Final = "12:00"
LATEST: Final[Instant] = NEVER - 60 * 366 * DAY
"""The calendar of the engine ends with the year 9999, and points earned may live for decades."""
_NOBODY_JOINED_BEFORE: Final = day_of("1900-01-01")
_NOBODY: Final = MemberFacts()
_Place = tuple[str, frozenset[str]]
"""A location, and the groups that it is in."""


def circumstances(whens: Iterable[When], subject: Subject) -> Example | None:
    """An example without lines in which all of the conditions hold, at the first time from ``subject.at`` on; ``None`` if there is none.

    A member may be of every segment and have every tag at once, but has one tier, of those that there are. A location that a condition
    names need not exist, one that is in a group must. It is not her first purchase unless a condition asks for it.
    """
    asked = tuple(dict.fromkeys(when for when in whens if when != ALWAYS))
    return _found(asked, subject.tiers, subject.at, subject.zone, _places(asked, subject))


def anytime(subject: Subject) -> Example:
    """Circumstances in which nothing is asked for."""
    found = circumstances((), subject)
    moment = format_rfc3339(subject.at)
    return found or Example(lines=(), at=moment, location=NOWHERE, channel="pos", joined=moment)


def _places(whens: Iterable[When], subject: Subject) -> tuple[_Place, ...]:
    """Where it could be, if a condition says where: every location that one names, and one of each kind that is in a group of theirs."""
    named = dict.fromkeys(location for when in whens for location in when.locations)
    groups = frozenset(group for when in whens for group in when.location_groups)
    kinds = subject.examples_of_groups.items() if groups else ()
    inside = [location for kind, location in kinds if not groups.isdisjoint(kind)]
    return tuple((each, subject.locations.get(each, frozenset())) for each in dict.fromkeys([*named, *inside]))


@lru_cache(maxsize=4096)
def _found(whens: tuple[When, ...], known: frozenset[str], at: Instant, zone: str, places: tuple[_Place, ...]) -> Example | None:
    first = {when.first_purchase for when in whens if when.first_purchase is not None}
    tiers, channels = (_common(whens, name) for name in ("tiers", "channels"))
    tiers = None if tiers is None else tuple(tier for tier in tiers if tier in known)
    where = _where(whens, places)
    if len(first) > 1 or () in (tiers, channels) or where is None:
        return None
    moment = _moment(whens, at, zone)
    joined = _joined(whens, at if moment is None else moment, zone)
    if moment is None or joined is None:
        return None
    return Example(
        lines=(),
        at=format_rfc3339(moment),
        location=where[0],
        location_groups=tuple(sorted(where[1])),
        channel=channels[0] if channels else "pos",
        tier=tiers[0] if tiers else None,
        segments=tuple(dict.fromkeys(name for when in whens for name in when.segments)),
        tags=tuple(dict.fromkeys(name for when in whens for name in when.tags)),
        joined=format_rfc3339(joined),
        first_purchase=first == {True},
    )


def _where(whens: Iterable[When], places: Iterable[_Place]) -> _Place | None:
    """The first of the places that every condition about the place allows; ``None`` if there is none."""
    asking = [_place_of(when) for when in whens if when.locations or when.location_groups]
    if not asking:
        return NOWHERE, frozenset()
    scenes = ((place, Scene(0, "UTC", "UTC", place[0], "", "", place[1])) for place in places)
    return next((place for place, scene in scenes if all(unmet(when, _NOBODY, scene) is None for when in asking)), None)


def _place_of(when: When) -> When:
    """Only what it says of the place."""
    return When(locations=when.locations, location_groups=when.location_groups)


def _common(whens: Sequence[When], name: str) -> tuple[str, ...] | None:
    """What all lists of that name have in common, in the first one's order; ``None`` where there is no list."""
    lists: list[tuple[str, ...]] = [each for each in (getattr(when, name) for when in whens) if each]
    if not lists:
        return None
    return tuple(name for name in lists[0] if all(name in each for each in lists[1:]))


def _joined(whens: Sequence[When], moment: Instant, zone: str) -> Instant | None:
    """When she joined: a day before, unless the conditions say otherwise. Never after the purchase."""
    first = max((day_of(when.joined_from) for when in whens if when.joined_from is not None), default=None)
    last = min((day_of(when.joined_until) for when in whens if when.joined_until is not None), default=None)
    today = local_day(moment, zone)
    day = min(today - 1 if first is None or first < today else today, today if last is None else last)
    if day < _NOBODY_JOINED_BEFORE or (first is not None and day < first):
        return None
    return min(day_start(day, zone), moment)


def _moment(whens: Sequence[When], at: Instant, zone: str) -> Instant | None:
    """The first time from ``at`` on that all conditions about time and the day of joining allow.

    Times at which all hold, if there are any on a day, begin with a start of hours or with midnight.
    """
    timed = [_time_of(when) for when in whens]
    froms = [day_of(when.date_from) for when in whens if when.date_from is not None]
    froms += [day_of(when.joined_from) for when in whens if when.joined_from is not None]
    untils = [day_of(when.date_until) for when in whens if when.date_until is not None]
    first = max([local_day(at, zone), *froms])
    last = min([first + _DAYS - 1, *untils])
    if first >= LATEST // DAY:
        return None
    hours = sorted({when.hours.start for when in whens if when.hours is not None})
    starts = [_NOON, *hours, "00:00", "23:59"] if not hours else [*hours, "00:00"]
    for day in range(first, last + 1):
        midnight = day_start(day, zone)
        for start in starts:
            # Where the clocks change in the night the wall shows another time: the engine says whether it fits.
            for shift in (0, HOUR, -HOUR):
                moment = midnight + (int(start[:2]) * 60 + int(start[3:])) * MINUTE + shift
                scene = Scene(moment, zone, zone, NOWHERE, "pos", "")
                if moment >= at and local_day(moment, zone) == day and all(unmet(when, _NOBODY, scene) is None for when in timed):
                    return moment
    return None


def _time_of(when: When) -> When:
    """Only what it says of the time."""
    return When(weekdays=when.weekdays, hours=when.hours, date_from=when.date_from, date_until=when.date_until)
