"""Who is to get a campaign: from events of members, or by walking through an audience. Orders go to the sending queue.

Planning writes no delivery and decides nothing for good: a message told twice or out of order only makes an order twice, and
the claim refuses the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from shared.campaigns.messages import MAX_MEMBERS, Order, Queue, Walk
from shared.campaigns.repository import CampaignRepository
from shared.campaigns.rules import occurrence_of, triggered
from shared.campaigns.service import complete
from shared.campaigns.versions import body_of, version_of
from shared.kernel.errors import InvalidValue
from shared.members.model import LISTING_SHARDS as MEMBER_SHARDS
from shared.relay.envelope import Envelope
from shared.segments.listing import LISTING_SHARDS as SEGMENT_SHARDS
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.tenants.scope import TenantScope

TIME_TO_STOP_MS: Final = 8_000
"""With less left than this a walk goes on in a new message."""
PAGE: Final = 10 * MAX_MEMBERS
"""Members of one Query: ten orders, which is one request to the queue."""
_BEGUN: Final = ("campaign.launched", "campaign.resumed")


def on_events(scope: TenantScope, envelope: Envelope, sending: Queue, own: Queue) -> int:
    """Order what the events of a commit trigger, and begin the walks of campaigns begun; answers how many orders.

    History triggers nothing. One read of the campaigns that match, then one message an order.
    """
    if envelope.mode == "historical":
        return 0
    for event in envelope.events:
        if event["type"] in _BEGUN:
            _begin(scope, str(event["data"]["campaign"]), own)
    if envelope.member is None:
        return 0
    orders = list(_orders(scope, envelope, envelope.member))
    running = CampaignRepository(scope.tenant, scope.table).runs({order.campaign for order in orders}) if orders else {}
    active = [order for order in orders if order.campaign in running and running[order.campaign].state == "active"]
    sending.send_all([order.message() for order in active])
    return len(active)


def walk(scope: TenantScope, position: Walk, sending: Queue, own: Queue) -> int:
    """Hand over the audience from a position on, until all is done or time is short; answers how many members.

    Ends where the campaign was paused, cancelled or begun anew since. One Query of the index and one request to the queue for
    1,000 members; memory does not grow with the audience.
    """
    run = CampaignRepository(scope.tenant, scope.table).run(position.campaign)
    definition = version_of(scope, position.campaign, run.version) if run is not None else None
    if run is None or definition is None or run.state != "sending" or run.revision != position.revision:
        return 0
    body = body_of(scope.tenant, definition)
    first = Order(scope.tenant, run.campaign, run.version, body.steps[0].id, str(run.launched_at), ())
    segment, here, total = body.audience.segment, position, 0
    shards = SEGMENT_SHARDS if segment is not None else MEMBER_SHARDS
    while here.shard < shards:
        if scope.effort().time_left_ms() < TIME_TO_STOP_MS:
            own.send(here.message())
            return total
        members, after = _page(scope, segment, here)
        sending.send_all([replace(first, members=tuple(chunk)).message() for chunk in _chunks(members)])
        total += len(members)
        here = replace(here, cursor=after) if after else replace(here, shard=here.shard + 1, cursor=None)
    complete(scope, run.campaign, run.revision)
    return total


def _begin(scope: TenantScope, campaign: str, own: Queue) -> None:
    """The walk is its own message, so that the other events of the commit do not wait for it."""
    run = CampaignRepository(scope.tenant, scope.table).run(campaign)
    definition = version_of(scope, campaign, run.version) if run is not None else None
    if run is None or definition is None or run.state != "sending":
        return
    segment = body_of(scope.tenant, definition).audience.segment
    served = scope.definitions.at(scope.clock()).served_segments.get(segment) if segment is not None else None
    own.send(Walk(scope.tenant, campaign, run.revision, served.version if served is not None else None).message())


def _orders(scope: TenantScope, envelope: Envelope, member: str) -> Iterator[Order]:
    """What the events trigger, by the definitions in force."""
    now = scope.clock()
    view = scope.definitions.at(now)
    served = {id_: definition.version for id_, definition in view.served_segments.items()}
    for definition in view.campaigns.values():
        body = body_of(scope.tenant, definition)
        for event in envelope.events:
            if triggered(body, event, served, now):
                expires = int(event["occurred_at"]) + body.max_event_age
                step, occurrence = body.steps[0].id, occurrence_of(event)
                yield Order(scope.tenant, definition.id, definition.version, step, occurrence, (member,), expires)


def _page(scope: TenantScope, segment: str | None, here: Walk) -> tuple[list[str], RawItem | None]:
    """Members of a shard of the listing from the cursor on. A segment that is not served lists nobody."""
    if segment is None:
        partition = keys.members_listing(scope.tenant, here.shard)
    elif here.segment_version is None:
        return [], None
    else:
        partition = keys.segment_listing(scope.tenant, segment, here.segment_version, here.shard)
    start = dict(here.cursor) if here.cursor is not None else None
    if start is not None:
        scope.own(start["PK"]["S"])
    rows, last = scope.table.query(partition, index="GSI2", limit=PAGE, start=start)
    members = [keys.member_of(row["PK"]["S"]) for row in rows]
    if None in members:
        raise InvalidValue("a listing names what is no member")
    return [member for member in members if member is not None], last


def _chunks(members: list[str]) -> list[list[str]]:
    return [members[start : start + MAX_MEMBERS] for start in range(0, len(members), MAX_MEMBERS)]
