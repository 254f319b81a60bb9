"""Which events wake which queue. Pure data: the rules of the bus are made from it, and tests read it."""

from __future__ import annotations

from typing import Any, Final

from shared.campaigns.triggers import EVENT_TYPES

SOURCE: Final = "regulars"
DETAIL_TYPE: Final = "commit"
"""One envelope per commit; ``detail.types`` lists the types of the events inside."""

CUSTOM: Final = {"prefix": "event."}
"""Events that tenants declare, in the form of the bus's patterns."""
SUBSCRIPTIONS: Final[dict[str, tuple[str | dict[str, str], ...]]] = {
    "planning": (
        *sorted(EVENT_TYPES),
        "campaign.launched",
        "campaign.resumed",
        "campaign.fired",
        "campaign.step_due",
        "campaign.date_reached",
        CUSTOM,
    ),
    "segments": (
        "segment.entered",
        "segment.left",
        "definition.published",
        "definition.retired",
    ),
    "rights": (
        "member.erased",
        "member.merged",
        "consent.confirmation_asked",
        "member.restriction_changed",
        "member.inactive",
        "member.inactivity_ended",
        "member.identifier_removed",
    ),
}
"""Queue -> types of events. A commit with at least one of them is delivered once to the queue."""

EVERY_MEMBER: Final = ("snapshots",)
"""Queues that hear every commit about a member, whatever its events."""


def detail_of(queue: str) -> dict[str, Any]:
    """What the bus compares an envelope with, to deliver it to a queue."""
    return {"aggregate": [{"prefix": "member:"}]} if queue in EVERY_MEMBER else {"types": list(SUBSCRIPTIONS[queue])}


SWEEP_INPUT: Final = {"kind": "sweep"}
"""What the schedule puts into the queue ``segments`` each minute."""
SEALING_INPUT: Final = {"kind": "seal"}
"""What the schedule puts into the queue ``audit`` every five minutes."""
STATISTICS_INPUT: Final = {"kind": "statistics"}
"""What the schedule puts into the queue ``snapshots`` each hour."""
