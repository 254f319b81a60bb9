"""Members who turn out to be one: made, united, and looked at afterwards."""

from __future__ import annotations

import json
from typing import Any

from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.merging.working import work
from shared.storage import keys
from shared.transactions import holds
from shared.transactions.service import record
from tests.builders.front import Front
from tests.builders.house import sale
from tests.builders.leaving import Life, readable, remains
from tests.fakes.queue import FakeQueue

MERGERS = frozenset({"members:merge"})


def free(front: Front, life: Life) -> Life:
    """Nothing of hers is held any more."""
    for hold in list(front.house.state(life.member).holds):
        holds.release(front.house.scope(), hold)
    return life


def heiress(front: Front, **more: Any) -> str:
    """Somebody who has bought something already."""
    member = front.register(**more)
    record(front.house.scope(), sale(member, front.house.now))
    return member


def unite(front: Front, duplicate: str, into: str, **more: Any) -> Any:
    """The answer to the call that merges them."""
    body = {"from_member_id": duplicate, "reason": "same_person", **more}
    return front.call("merge_member", body, scopes=MERGERS, member_id=into)


def rows_of(front: Front) -> list[str]:
    """Everything stored, to be compared."""
    return sorted(json.dumps(readable(raw), sort_keys=True, default=str) for raw in remains(front))


def finish(front: Front, duplicate: str) -> bool:
    """Let the rows of who has gone follow; answers whether all have."""
    return work(front.house.scope(), duplicate, FakeQueue())


def points(state: MemberState) -> int:
    """What she has, less what she owes."""
    wallet = state.wallets["points"]
    return sum(lot.points for lot in wallet.lots) - wallet.debt


def stored(front: Front, member: str) -> MemberState:
    """A state as it lies there, merged or not."""
    house = front.house
    raw = house.table.get(keys.state(house.tenant, member))
    assert raw is not None
    return StateRepository(house.tenant, house.table).decode(member, raw, None).state
