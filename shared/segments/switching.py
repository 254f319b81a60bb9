"""What a switch of definitions changes about segments, and whom it concerns. Pure.

A member who meets a switch late is told of as if she had met it at once (``shared.member_state.rules.advance``). So whoever is in what
she should be in, and need not be woken earlier than she will be, needs neither a read nor a write: she meets it with her next event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.definitions.model import DefinitionSet
from shared.kernel.instants import NEVER, Instant
from shared.member_state.model import Facts, MemberState, segment_key
from shared.member_state.rules import missed_switch
from shared.member_state.view import Views
from shared.profile.statistics import Statistics
from shared.segments.context import Context
from shared.segments.expanding import expanded, leaves_of
from shared.segments.parsing import Rule, StoredSegment

_FIFTHS: Final = "rfm"
_RHYTHM: Final = "lifecycle"


@dataclass(frozen=True, slots=True)
class Affected:
    """Versions whose answers may be others from a switch on, those that are evaluated no longer, and what the rules mean then."""

    segments: tuple[StoredSegment, ...]
    ended: tuple[str, ...]
    """Keys. Who is in another version of the segment as well only lets go of it."""
    live: tuple[str, ...]
    """Keys of all versions that are evaluated from the switch on."""
    context: Context


def affected(whole: DefinitionSet, switch: Instant) -> Affected:
    """What is another at the switch than directly before it: new and replaced versions, every segment that names one, at whatever
    depth, and what looks at statistics that have changed.
    """
    before, after = _rules(whole, switch - 1), _rules(whole, switch)
    old, new = whole.at(switch - 1).segment_context, whole.at(switch).segment_context
    stale = stale_kinds(old.statistics, new.statistics)
    found = []
    for key, (stored, rule) in after.items():
        was = before.get(key)
        if was is None or was[1] != rule or any(leaf.kind in stale for leaf in leaves_of(rule)):
            found.append(stored)
    return Affected(tuple(found), tuple(key for key in before if key not in after), tuple(after), new)


def others_of(key: str, keys: tuple[str, ...]) -> list[str]:
    """Those of the keys that are other versions of the key's segment."""
    segment = key.rpartition("@")[0]
    return [each for each in keys if each != key and each.rpartition("@")[0] == segment]


def is_concerned(state: MemberState, facts: Facts | None, views: Views, now: Instant) -> bool:
    """Whether a switch that she has not met changes what she is in, or when to look at her again. The state is not changed."""
    switch = missed_switch(state, views, now)
    due = NEVER if state.timer is None else state.timer
    if switch is None:
        # Whose timer is due is woken anyway; nobody else has missed anything.
        return due <= now and state.epoch < views(now).epoch
    flips = views(switch).segments.evaluate(state, facts, switch)
    kept = [key for key in state.segments if key not in flips.left]
    left = [key for key in flips.left if not others_of(key, tuple(kept))]
    return bool(flips.entered or left or flips.next_change < due or due <= now)


def _rules(whole: DefinitionSet, at: Instant) -> dict[str, tuple[StoredSegment, Rule]]:
    """What is evaluated at an instant, by key, with the rule that it stands for then."""
    view = whole.at(at)
    stored = (whole.segment(each.id, each.version) for each in view.live_segments)
    return {segment_key(each.id, each.version): (each, expanded(each.rule, view.segment_context)) for each in stored if each is not None}


def stale_kinds(old: Statistics, new: Statistics) -> frozenset[str]:
    """The kinds of leaves that may answer otherwise with the other statistics."""
    fifths = (old.recency, old.frequency, old.monetary) != (new.recency, new.frequency, new.monetary)
    return frozenset([_FIFTHS] * fifths + [_RHYTHM] * (old.median_interval2 != new.median_interval2))
