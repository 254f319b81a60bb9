"""What frequency caps will cost: a member's messages gone through in the order of time, as the claims will come. Pure.

At one instant the higher priority goes first. A message that finds no room is lost, as it is by default; one that is deferred instead may
find room later, so of campaigns that defer this is the most that they lose.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable

from shared.campaigns.eligibility import UNCOUNTED, CapRule
from shared.forecast.planned import Planned
from shared.kernel.instants import Instant
from shared.member_state.model import Touch
from shared.tenants.messaging import Channel


def lost(touches: Iterable[Touch], planned: Iterable[Planned]) -> list[Planned]:
    """The messages for which a cap has no room. ``touches``: what she got so far. Cost: a search per message and cap."""
    sent: dict[Channel | None, list[Instant]] = defaultdict(list)
    for touch in touches:
        if not touch.held and not touch.service and touch.channel not in UNCOUNTED:
            for name in (None, touch.channel):
                insort(sent[name], touch.at)  # type: ignore[index]
    found = []
    for each in sorted(planned):
        if any(_is_full(rule, sent[rule.channel], each) for rule in each.caps):
            found.append(each)
            continue
        for name in (None, each.channel) if each.counts else ():
            insort(sent[name], each.at)
    return found


def _is_full(rule: CapRule, sent: list[Instant], message: Planned) -> bool:
    if rule.channel not in (None, message.channel):
        return False
    return len(sent) - bisect_right(sent, message.at - rule.span) >= rule.most
