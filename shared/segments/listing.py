"""Listing rows: who is in a segment, for lists and audiences. Derived from events; membership itself is owned by STATE.

A row is written only over a lower version of the member, so that duplicated and shuffled messages leave what STATE says.
Who left keeps her row outside the index, because a late "entered" must meet the newer version.
"""

from __future__ import annotations

import re
from typing import Any, Final

from shared.definitions.model import Definition
from shared.kernel.ids import NAME_PATTERN, shard_of
from shared.kernel.pages import open_cursor, seal_cursor
from shared.relay.envelope import Envelope
from shared.segments.api import CountAnswer, MembersPage, SegmentMember
from shared.segments.errors import SegmentNotInForce, UnknownSegment
from shared.storage import keys
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Path
from shared.storage.items import FanOutItem, SegmentRowItem
from shared.tenants.scope import TenantScope

LISTING_SHARDS: Final = 1
"""GSI2 partitions of a segment's listing, by crc32 of the member's id. Readers walk all of them."""
FLIPS: Final = {"segment.entered": True, "segment.left": False}
_COUNT_PAGE: Final = 1000
_NAME: Final = re.compile(NAME_PATTERN)


def record_flips(scope: TenantScope, envelope: Envelope) -> int:
    """Bring the rows of a commit's flips up to date; answers how many were written. One write a segment version.

    The last flip of each version counts. Only envelopes about a member have flips, and their ``seq`` is her version.
    """
    member = envelope.member
    if member is None or envelope.aggregate != f"member:{member}":
        return 0
    last = {(str(each["data"]["segment"]), int(each["data"]["segment_version"])): each for each in envelope.events if each["type"] in FLIPS}
    return sum(
        _put_row(scope, member, segment, version, envelope.seq, FLIPS[flip["type"]], flip["occurred_at"])
        for (segment, version), flip in last.items()
    )


def members_page(scope: TenantScope, segment: str, limit: int, cursor: str | None, key: bytes) -> MembersPage:
    """Members of the served version, by shard and id. One or two Queries of the index."""
    served = served_version(scope, segment)
    context = f"{scope.tenant}|{segment}@{served.version}"
    position: dict[str, Any] = open_cursor(key, context, cursor) if cursor else {"shard": 0, "after": None}
    shard: int = position["shard"]
    after: str | None = position["after"]
    found: list[str] = []
    while shard < LISTING_SHARDS and len(found) < limit:
        raws, last = _query(scope, served, shard, after, limit - len(found))
        found += [raw["GSI2SK"]["S"] for raw in raws]
        shard, after = (shard, last["GSI2SK"]["S"]) if last else (shard + 1, None)
    more = seal_cursor(key, context, {"shard": shard, "after": after}) if shard < LISTING_SHARDS else None
    data = tuple(SegmentMember(member_id=member) for member in found)
    return MembersPage(segment=segment, version=served.version, data=data, next_cursor=more)


def count(scope: TenantScope, segment: str) -> CountAnswer:
    """Size of the served version: walks the index, half a read unit per 4 KB of keys."""
    served, total = served_version(scope, segment), 0
    for shard in range(LISTING_SHARDS):
        after: str | None = None
        while True:
            raws, last = _query(scope, served, shard, after, _COUNT_PAGE)
            total += len(raws)
            if last is None:
                break
            after = last["GSI2SK"]["S"]
    raw = scope.table.get(keys.fan_out(scope.tenant, segment, served.version))
    progress = FanOutItem.read(raw) if raw is not None else None
    if progress is not None and progress.status == "complete":
        return CountAnswer(segment=segment, version=served.version, count=total, state="exact")
    evaluated, needed = (int(progress.done), progress.needed) if progress is not None else (0, None)
    whole = None if needed is None else int(needed)
    return CountAnswer(segment=segment, version=served.version, count=total, state="backfilling", evaluated=evaluated, needed=whole)


def listed_version(scope: TenantScope, segment: str) -> int | None:
    """The served version, once everybody who is in it is listed; ``None`` before, and where none is served. 1 read."""
    served = scope.definitions.at(scope.clock()).served_segments.get(segment)
    raw = scope.table.get(keys.fan_out(scope.tenant, segment, served.version)) if served is not None else None
    is_whole = raw is not None and FanOutItem.read(raw).status == "complete"
    return served.version if served is not None and is_whole else None


def served_version(scope: TenantScope, segment: str) -> Definition:
    """The version that lists and audiences read now. No request when the definitions are cached; one to tell which refusal."""
    served = scope.definitions.at(scope.clock()).served_segments.get(segment)
    if served is not None:
        return served
    if not _NAME.fullmatch(segment) or scope.repository.newest("segment", segment) is None:
        raise UnknownSegment
    raise SegmentNotInForce


def _query(scope: TenantScope, served: Definition, shard: int, after: str | None, limit: int) -> tuple[list[RawItem], RawItem | None]:
    partition = keys.segment_listing(scope.tenant, served.id, served.version, shard)
    start: RawItem | None = None
    if after is not None:
        row = keys.segment_row(scope.tenant, after, served.id, served.version)
        start = {"GSI2PK": {"S": partition}, "GSI2SK": {"S": after}, "PK": {"S": row.pk}, "SK": {"S": row.sk}}
    return scope.table.query(partition, index="GSI2", limit=limit, start=start)


def _put_row(scope: TenantScope, member: str, segment: str, version: int, member_version: int, inside: bool, at: int) -> bool:
    row: Any = SegmentRowItem.at(
        keys.segment_row(scope.tenant, member, segment, version),
        member=member,
        member_version=member_version,
        inside=inside,
        entered_at=at if inside else None,
    )
    if inside:
        row.GSI2PK = keys.segment_listing(scope.tenant, segment, version, shard_of(member, LISTING_SHARDS))
        row.GSI2SK = member
    older_or_none = Path("PK").does_not_exist() | (Path("member_version") < member_version)
    try:
        scope.table.put(row, older_or_none)
    except ConditionFailed:
        return False
    return True
