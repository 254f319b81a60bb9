"""Which campaigns come to the same members too close to one another. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from shared.campaigns.eligibility import CapRule
from shared.forecast.planned import Planned
from shared.kernel.instants import DAY, Instant

Pair = tuple[str, str]
"""In the order of ids."""
Nearest = tuple[int, Instant]
"""How many milliseconds apart, and the instant of the earlier message."""


def window_of(caps: Iterable[CapRule]) -> int:
    """The window of the tightest cap: of the one that lets through the fewest messages in its time; a day where there is none.

    Milliseconds.
    """
    tightest = min(caps, key=lambda rule: (rule.most / rule.span, rule.span), default=None)
    return tightest.span if tightest is not None else DAY


def meetings(planned: Sequence[Planned], window: int) -> dict[Pair, Nearest]:
    """The pairs of campaigns of which one member gets messages less than ``window`` apart, each with how close they come.

    Cost: each message is compared with those of the window behind it.
    """
    found: dict[Pair, Nearest] = {}
    ordered = sorted(planned)
    for place, first in enumerate(ordered):
        for second in islice(ordered, place + 1, None):
            apart = second.at - first.at
            if apart >= window:
                break
            if first.campaign != second.campaign:
                is_in_order = first.campaign < second.campaign
                pair = (first.campaign, second.campaign) if is_in_order else (second.campaign, first.campaign)
                if pair not in found or apart < found[pair][0]:
                    found[pair] = (apart, first.at)
    return found


@dataclass(slots=True)
class Collision:
    """A pair, over all members: how many it meets at, and where it comes closest."""

    members: int
    nearest: Nearest


def together(people: Iterable[Sequence[Planned]], window: int) -> dict[Pair, Collision]:
    """Every pair that meets at anybody."""
    found: dict[Pair, Collision] = {}
    for planned in people:
        for pair, nearest in meetings(planned, window).items():
            known = found.setdefault(pair, Collision(0, nearest))
            known.members, known.nearest = known.members + 1, min(known.nearest, nearest)
    return found
