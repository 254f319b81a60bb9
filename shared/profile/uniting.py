"""Two profiles become one: what one guest would have who had made the purchases of both. Pure.

Exact as long as the bounds are not met: names of a day beyond ``MAX_DIMENSIONS`` are summed under ``~`` of their letter, items beyond
``MAX_ITEMS`` under ``i:~`` of their days. Sums of days and of the whole are exact always.
"""

from __future__ import annotations

from shared.profile import items
from shared.profile.model import MAX_EVENT_TYPES, Cell, EventTrack, Profile
from shared.profile.rules import add_cell


def unite(profile: Profile, other: Profile) -> bool:
    """Add the other's days and sums; answers whether the history changed. ``other`` is left as it is."""
    history_changed = False
    for cells, is_old in ((other.cells, False), (other.history, True)):
        for day, cell in cells.items():
            in_history = day in profile.history or (is_old and day not in profile.cells)
            history_changed |= in_history
            add_cell((profile.history if in_history else profile.cells).setdefault(day, Cell()), cell)
    items.bound(profile, history_too=history_changed)
    _unite_sums(profile, other)
    return history_changed


def _unite_sums(profile: Profile, other: Profile) -> None:
    if other.last_at is not None and (profile.last_at is None or other.last_at > profile.last_at):
        profile.last_location, profile.last_channel = other.last_location, other.last_channel
    profile.first_at = min((at for at in (profile.first_at, other.first_at) if at is not None), default=None)
    profile.last_at = max((at for at in (profile.last_at, other.last_at) if at is not None), default=None)
    profile.count += other.count
    profile.value += other.value
    for type_, track in other.events.items():
        own = profile.events.get(type_)
        if own is None:
            profile.events[type_] = EventTrack(track.count, track.first_at, track.last_at)
        else:
            own.count += track.count
            own.first_at, own.last_at = min(own.first_at, track.first_at), max(own.last_at, track.last_at)
    while len(profile.events) > MAX_EVENT_TYPES:
        del profile.events[min(profile.events, key=lambda each: (profile.events[each].last_at, each))]
