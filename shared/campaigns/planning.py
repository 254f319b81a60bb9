"""Who is to get a campaign: from events and dates of members, whose waiting has ended, or by walking through an audience.

Orders go to the sending queue.

Planning writes no delivery and decides nothing for good: a message told twice or out of order only makes an order twice, and
the claim refuses the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from shared.campaigns.eligibility import DEFERRED
from shared.campaigns.messages import MAX_MEMBERS, Order, Queue, Walk
from shared.campaigns.model import SENDABLE, CampaignState, Run
from shared.campaigns.repository import CampaignRepository
from shared.campaigns.rules import occurrence_of, short, triggered
from shared.campaigns.service import complete
from shared.campaigns.versions import body_of, version_of
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import DAY, Instant
from shared.members.model import LISTING_SHARDS as MEMBER_SHARDS
from shared.observability.logs import logger
from shared.relay.envelope import Envelope
from shared.segments.listing import LISTING_SHARDS as SEGMENT_SHARDS
from shared.segments.listing import listed_version
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.tenants.scope import TenantScope

TIME_TO_STOP_MS: Final = 8_000
"""With less left than this a walk goes on in a new message."""
PAGE: Final = 10 * MAX_MEMBERS
"""Members of one Query: ten orders, which is one request to the queue."""
UNTIL_LISTED_SECONDS: Final = 10
"""After which a walk looks again whether its segment is listed."""
LISTING_PATIENCE: Final[Instant] = DAY
"""For how long it does."""
_BEGUN: Final = frozenset({"campaign.launched", "campaign.resumed"})
_FIRED: Final = "campaign.fired"
_STEP_DUE: Final = "campaign.step_due"
_DATE_REACHED: Final = "campaign.date_reached"
_GOES_ON: Final[frozenset[CampaignState]] = SENDABLE | {"paused"}
"""States in which who waited goes on; in one that is paused she is made to wait again."""


def on_events(scope: TenantScope, envelope: Envelope, sending: Queue, own: Queue) -> int:
    """Order what the events of a commit trigger and whom they bring back, and begin the walks of campaigns begun; answers how many orders.

    History triggers nothing, and nor does a suspended tenant. One read of the campaigns that match, then one message an order.
    """
    if scope.definitions.settings.status != "active":
        return 0
    for event in envelope.events:
        _begin(scope, event, own)
    if envelope.member is None:
        return 0
    back = [order for event in envelope.events if event["type"] == _STEP_DUE and (order := _goes_on(scope, event, envelope.member))]
    new = list(_orders(scope, envelope, envelope.member)) if envelope.mode != "historical" else []
    named = {order.campaign for order in (*back, *new)}
    running = CampaignRepository(scope.tenant, scope.table).runs(named) if named else {}
    states = {campaign: run.state for campaign, run in running.items()}
    wanted = [order for order in back if states.get(order.campaign) in _GOES_ON]
    wanted += [order for order in new if states.get(order.campaign) == "active"]
    sending.send_all([order.message() for order in wanted])
    return len(wanted)


def walk(scope: TenantScope, position: Walk, sending: Queue, own: Queue) -> int:
    """Hand over the audience from a position on, until all is done or time is short; answers how many members.

    Ends where the campaign was paused, cancelled or begun anew since, or the tenant suspended. One Query of the index and one request
    to the queue for 1,000 members; memory does not grow with the audience.
    """
    run = CampaignRepository(scope.tenant, scope.table).run(position.campaign)
    definition = version_of(scope, position.campaign, position.version or run.version) if run is not None else None
    is_active = scope.definitions.settings.status == "active"
    if run is None or definition is None or not is_active or not _still_walked(run, position):
        return 0
    body = body_of(scope.tenant, definition)
    occurrence = position.occurrence or str(run.launched_at)
    first = Order(scope.tenant, run.campaign, definition.version, body.steps[0].id, occurrence, (), position.expires)
    segment, here, total = body.audience.segment, position, 0
    if segment is not None and here.segment_version is None:
        listed = listed_version(scope, segment)
        if listed is None and _waits_for_listing(scope, here, own):
            return 0
        here = replace(here, segment_version=listed)
    shards = SEGMENT_SHARDS if segment is not None else MEMBER_SHARDS
    while here.shard < shards:
        if scope.effort().time_left_ms() < TIME_TO_STOP_MS:
            own.send(here.message())
            return total
        members, after = _page(scope, segment, here)
        sending.send_all([replace(first, members=tuple(chunk)).message() for chunk in _chunks(members)])
        total += len(members)
        here = replace(here, cursor=after) if after else replace(here, shard=here.shard + 1, cursor=None)
    complete(scope, run.campaign, position.revision)
    return total


def _still_walked(run: Run, position: Walk) -> bool:
    if position.occurrence:
        return run.state in ("active", "completed")
    return run.state == "sending" and run.revision == position.revision


def _begin(scope: TenantScope, event: Mapping[str, Any], own: Queue) -> None:
    """A walk is its own message, so that the other events of the commit do not wait for it."""
    if event["type"] in _BEGUN:
        run = CampaignRepository(scope.tenant, scope.table).run(str(event["data"]["campaign"]))
        if run is not None and run.state == "sending":
            own.send(Walk(scope.tenant, run.campaign, run.revision, version=run.version).message())
    elif event["type"] == _FIRED:
        data = event["data"]
        occurrence, version, expires = str(data["occurrence"]), int(data["version"]), data.get("expires")
        own.send(Walk(scope.tenant, str(data["campaign"]), 0, occurrence=occurrence, version=version, expires=expires).message())


def _waits_for_listing(scope: TenantScope, here: Walk, own: Queue) -> bool:
    """The walk comes again, unless it has waited for a day: then nobody is listed, and nobody gets it."""
    now = scope.clock()
    until = here.listed_by if here.listed_by is not None else now + LISTING_PATIENCE
    if now >= until:
        logger().warning("segment never listed", extra={"campaign": here.campaign})
        return False
    own.send(replace(here, listed_by=until).message(), UNTIL_LISTED_SECONDS)
    return True


def _orders(scope: TenantScope, envelope: Envelope, member: str) -> Iterator[Order]:
    """What the events trigger, by the definitions in force."""
    now = scope.clock()
    view = scope.definitions.at(now)
    served = {id_: definition.version for id_, definition in view.served_segments.items()}
    for event in envelope.events:
        if event["type"] == _DATE_REACHED:
            yield from _dated(scope, event, member)
    for definition in view.campaigns.values():
        body = body_of(scope.tenant, definition)
        for event in envelope.events:
            if triggered(body, event, served, now):
                expires = int(event["occurred_at"]) + body.max_event_age
                step, occurrence = body.steps[0].id, occurrence_of(event)
                yield Order(scope.tenant, definition.id, definition.version, step, occurrence, (member,), expires)


def _dated(scope: TenantScope, event: Mapping[str, Any], member: str) -> Iterator[Order]:
    """A date that a campaign waits for, by the version that told it, if it is not too long ago."""
    data, at = event["data"], int(event["occurred_at"])
    definition = version_of(scope, str(data["campaign"]), int(data["version"]))
    body = body_of(scope.tenant, definition) if definition is not None else None
    if definition is not None and body is not None and scope.clock() - at <= body.max_event_age:
        occurrence = short(str(data["occurrence"]))
        yield Order(scope.tenant, definition.id, definition.version, body.steps[0].id, occurrence, (member,), at + body.max_event_age)


def _goes_on(scope: TenantScope, event: Mapping[str, Any], member: str) -> Order | None:
    """Her waiting has ended: she goes on with the version that she waited with, if that is not too long ago."""
    data, at = event["data"], int(event["occurred_at"])
    definition = version_of(scope, str(data["campaign"]), int(data["version"]))
    body = body_of(scope.tenant, definition) if definition is not None else None
    if definition is None or body is None or scope.clock() - at > body.max_event_age:
        return None
    # Only what was deferred has a patience that goes on; a wait or a rung ends at its time.
    since = int(data.get("since", 0)) if data.get("reason") in DEFERRED else 0
    return Order(
        tenant=scope.tenant,
        campaign=definition.id,
        version=definition.version,
        step=str(data["step"]),
        occurrence=str(data["occurrence"]),
        members=(member,),
        expires=at + body.max_event_age,
        rung=int(data.get("rung", 0)),
        since=since,
        outcome=str(data["outcome"]),
    )


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
