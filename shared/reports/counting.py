"""From transitions of deliveries to counters: each message is in them once, however often it is delivered.

The queue is first in, first out within a group, and a group is one shard of one tenant; SQS numbers the messages of a group in rising
order and delivers them in it. Cells and the number of the last message that is in them are one item, so that one write counts a batch and
says that it is counted: what comes again has a number that is not higher, and adds nothing (docs/adr/0019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.kernel.errors import ConcurrentUpdate, InvalidValue
from shared.relay.envelope import Unreadable, received
from shared.reports.cells import Place, add
from shared.reports.repository import ReportRepository
from shared.storage import keys
from shared.tenants.scope import TenantScope

COUNTED: Final = "delivery.counted"
_TRIES: Final = 5
_DIGITS: Final = 40
"""SQS numbers have 20 digits and need not have always: they are compared as texts of one length."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One message: what a transition of a delivery adds to which cells of a campaign."""

    number: str
    campaign: str
    key: str
    """The partition that the transition was written to: whose it is."""
    changes: tuple[tuple[Place, dict[str, int]], ...] = field(default=())


def counted(detail: Any, number: str) -> tuple[str, int, Counted]:
    """Tenant, shard and content of a message; ``InvalidValue`` for anything that is no transition of a delivery."""
    try:
        envelope = received(detail)
    except Unreadable as error:
        raise InvalidValue(str(error)) from None
    if envelope.member is None or not number.isdigit() or len(number) > _DIGITS:
        raise InvalidValue("no numbered transition of a delivery")
    campaigns = {event["data"].get("campaign") for event in envelope.events}
    campaign = campaigns.pop() if len(campaigns) == 1 else None
    if not isinstance(campaign, str):
        raise InvalidValue("not of one campaign")
    changes = tuple(_change(event) for event in envelope.events if event["type"] == COUNTED)
    return envelope.tenant, keys.report_shard(envelope.member), Counted(number.zfill(_DIGITS), campaign, envelope.key, changes)


def count(scope: TenantScope, shard: int, messages: Sequence[Counted]) -> set[str]:
    """Count messages of one shard, in their order; answers the campaigns whose numbers changed.

    A read and a write a campaign. ``ConcurrentUpdate`` if somebody else keeps counting the same shard: which is only while a message
    that took too long is delivered a second time.
    """
    campaigns: dict[str, list[Counted]] = {}
    for message in messages:
        campaigns.setdefault(message.campaign, []).append(message)
    return {campaign for campaign, its in campaigns.items() if _count(scope, shard, campaign, its)}


def _count(scope: TenantScope, shard: int, campaign: str, messages: Sequence[Counted]) -> bool:
    repository = ReportRepository(scope.tenant, scope.table)
    for _ in range(_TRIES):
        cells, applied = repository.shard(campaign, shard)
        new = [message for message in messages if message.number > applied]
        if not new:
            return False
        for message in new:
            for place, counts in message.changes:
                add(cells, place, counts)
        if repository.store(campaign, shard, cells, max(message.number for message in new), applied):
            return True
    raise ConcurrentUpdate("The report is being counted by somebody else.")


def _change(event: dict[str, Any]) -> tuple[Place, dict[str, int]]:
    data = event["data"]
    place = Place(*(data.get(part, "") for part in Place._fields))
    counts = data.get("counts")
    whole = isinstance(counts, dict) and all(isinstance(number, int) and not isinstance(number, bool) for number in counts.values())
    if not whole or not all(isinstance(part, str) for part in place):
        raise InvalidValue("not a change of counters")
    return place, dict(counts or {})
