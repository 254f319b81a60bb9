"""Members from the table, many at a time: what the columns do not know, and what a snapshot is made from."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator
from typing import Final

from shared.kernel.errors import Gone, NotFound
from shared.member_state.model import Facts, MemberState
from shared.member_state.repository import Loaded, StateRepository
from shared.segments.fan_out import MEMBER_SHARDS
from shared.storage import keys
from shared.storage.errors import RawItem, StorageThrottled
from shared.storage.items import HistoryItem, StateItem, WrappedKeyItem
from shared.storage.keys import Key
from shared.storage.table import Table
from shared.tenants.scope import TenantScope

_MEMBERS: Final = 50
"""A request takes a hundred keys: the state and the history of so many."""
_PAGE: Final = 500
_ATTEMPTS: Final = 5
_END: Final = "~"
"""Sorts after every member's id."""
_WAITS: Final = (0.05, 1.0)


def load_members(scope: TenantScope, ids: Iterable[str]) -> dict[str, MemberState]:
    """Those of the members who are considered, as stored. A request of 100 keys for each 50 of them, read units as for single reads."""
    return {loaded.state.member: loaded.state for loaded in load_stored(scope, ids) if loaded.state.is_considered}


def load_stored(scope: TenantScope, ids: Iterable[str]) -> Iterator[Loaded]:
    """Every member who has a state, of whatever status, consistently read. Nobody has one whose registration never ended."""
    repository = StateRepository(scope.tenant, scope.table)
    wanted = sorted(ids)
    for start in range(0, len(wanted), _MEMBERS):
        chunk = wanted[start : start + _MEMBERS]
        where = [make(scope.tenant, member) for member in chunk for make in (keys.state, keys.history)]
        found = get_patiently(scope, scope.table, where)
        for member in chunk:
            raw, history = found.get(keys.state(scope.tenant, member)), found.get(keys.history(scope.tenant, member))
            if raw is None:
                continue
            loaded = repository.decode(member, raw, history) if _belongs(raw, history) else _again(repository, member)
            if loaded is not None:
                yield loaded


def get_patiently(scope: TenantScope, table: Table, where: Iterable[Key]) -> dict[Key, RawItem]:
    """Items by key, consistently read; what the table has no capacity for now is asked for again, after a growing wait with jitter."""
    wanted, effort = list(where), scope.effort()
    for attempt in range(_ATTEMPTS):
        try:
            return table.get_many(wanted, consistent=True)
        except StorageThrottled:
            if attempt == _ATTEMPTS - 1:
                raise
            effort.sleep(random.uniform(0, min(_WAITS[1], _WAITS[0] * 4**attempt)))  # noqa: S311 - jitter  # nosec B311
    raise AssertionError("not reached")


def facts_of(scope: TenantScope, several: Iterable[Loaded]) -> dict[str, Facts]:
    """The personal facts of members: one read of the keys table for each. Who was erased meanwhile is left out."""
    sealed = {loaded.state.member: loaded for loaded in several if loaded.sealed_facts is not None}
    found = get_patiently(scope, scope.key_table, [keys.member_key(scope.tenant, member) for member in sealed]) if sealed else {}
    facts: dict[str, Facts] = {}
    for member, loaded in sealed.items():
        raw = found.get(keys.member_key(scope.tenant, member))
        if raw is not None:
            facts[member] = loaded.facts(scope.tenant_keys.member(scope.tenant, member, WrappedKeyItem.read(raw).wrapped))
    return facts


def listed(scope: TenantScope, after: str = "", before: str = _END) -> Iterator[str]:
    """The ids of all members between two, in order, from the list of members. Half a read unit for each 4 KB of keys."""
    return heapq.merge(*(_listed(scope, shard, after, before) for shard in range(MEMBER_SHARDS)))


def _listed(scope: TenantScope, shard: int, after: str, before: str) -> Iterator[str]:
    partition = keys.members_listing(scope.tenant, shard)
    start: RawItem | None = None
    while True:
        rows, start = scope.table.query(partition, index="GSI2", between=(after or "!", before), limit=_PAGE, start=start)
        for row in rows:
            scope.own(row["PK"]["S"])
            if after < row["GSI2SK"]["S"] < before:
                yield row["GSI2SK"]["S"]
        if start is None:
            return


def chunks(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """Ids, so many at a time."""
    chunk: list[str] = []
    for member in ids:
        chunk.append(member)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _belongs(raw: RawItem, history: RawItem | None) -> bool:
    """Whether the two were written together: a batch is not read at one moment."""
    version: int = StateItem.values(raw).get("history_version", 0)
    its_own: int = HistoryItem.values(history)["history_version"] if history is not None else 0
    return its_own == version


def _again(repository: StateRepository, member: str) -> Loaded | None:
    """One member by a read of her own."""
    try:
        loaded = repository.load(member)
    except (NotFound, Gone):
        return None
    # Who was merged leads to another member, who is asked for by her own id.
    return loaded if loaded.state.member == member else None


