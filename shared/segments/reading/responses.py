"""How leaves about custom events and campaigns' messages are read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final

from shared.kernel.instants import Instant, format_rfc3339
from shared.member_state.model import Touch
from shared.profile.model import Cell
from shared.segments.bounds import COUNT, VALUE, between, least, most
from shared.segments.language.responses import CampaignResponse, Event, SinceLastEvent
from shared.segments.leaves import Answer, Moment, Reader, Truth
from shared.segments.reading.holdings import ago, in_spans
from shared.segments.reading.purchases import shown, since
from shared.segments.reading.windows import Amounts, look_ahead

_COLUMNS: Final = {"count": COUNT, "value": VALUE}


def _event(leaf: Event, moment: Moment) -> Answer:
    keys = leaf.keys

    def amounts(_day: int, cell: Cell) -> Amounts:
        surely: dict[Hashable, int] = {(name, False): least(cell, keys, column) for name, column in _COLUMNS.items()}
        return surely | {(name, True): most(cell, keys, column) for name, column in _COLUMNS.items()}

    def judge(sums: Amounts) -> Truth:
        # The value of an event may be below zero, so that a part without a name bounds the sum of values in neither direction.
        unnamed = sums.get(("count", True), 0) > sums.get(("count", False), 0)
        if leaf.metric == "value" and unnamed:
            return None
        return between(leaf.op, sums.get((leaf.metric, False), 0), sums.get((leaf.metric, True), 0), leaf.value)

    truth, until, sums = look_ahead(moment.state.profile, leaf.days, moment, amounts, judge)
    return Answer(truth, until, shown(sums, _COLUMNS))


def _since_last_event(leaf: SinceLastEvent, moment: Moment) -> Answer:
    track = moment.state.profile.events.get(leaf.event)
    return since(leaf, track.last_at if track is not None else None, moment, leaf.time_zone)


def _campaign(leaf: CampaignResponse, moment: Moment) -> Answer:
    mine = [_responded(each, leaf.response) for each in moment.state.touches if each.campaign == leaf.campaign]
    found = [at for at in mine if at is not None]
    return Answer(*in_spans([ago(at, leaf.within_days) for at in found], moment.now), format_rfc3339(max(found)) if found else None)


def _responded(touch: Touch, response: str) -> Instant | None:
    """When what is asked for became of the message."""
    if response in ("received", "held_out"):
        return touch.at if touch.held == (response == "held_out") else None
    return {"opened": touch.opened_at, "clicked": touch.clicked_at, "redeemed": touch.redeemed_at}[response]


READERS: Final[Mapping[str, Reader]] = {"event": _event, "since_last_event": _since_last_event, "campaign": _campaign}
