"""Which events wake which queue. Pure data: the rules of the bus are made from it, and tests read it."""

from __future__ import annotations

from typing import Final

SOURCE: Final = "regulars"
DETAIL_TYPE: Final = "commit"
"""One envelope per commit; ``detail.types`` lists the types of the events inside."""

SUBSCRIPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "planning": (
        "member.registered",
        "transaction.recorded",
        "segment.entered",
        "segment.left",
        "tier.changed",
        "form.submitted",
        "campaign.launched",
        "campaign.resumed",
        "coupon.redeemed",
        "message.opened",
        "message.clicked",
    ),
    "segments": (
        "segment.entered",
        "segment.left",
        "definition.published",
        "definition.retired",
    ),
}
"""Queue -> types of events. A commit with at least one of them is delivered once to the queue."""

SWEEP_INPUT: Final = {"kind": "sweep"}
"""What the schedule puts into the queue ``segments`` each minute."""
