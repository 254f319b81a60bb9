"""What lies in a member's partition, and what becomes of each kind at her erasure. What is to stay is named; everything else goes.

Every treatment is safe to repeat, and answers whether there was anything to do: what is as it should be is not written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shared.coupons.repository import CouponRepository
from shared.erasure.model import Erasure
from shared.kernel.instants import DAY, SECOND
from shared.rewards.model import key_of
from shared.rewards.repository import ClaimRepository
from shared.storage import keys, keys_access, keys_counter, keys_rights
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items import ConsentItem, SegmentRowItem
from shared.storage.keys import Key
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

TOMBSTONES: Final = 15 * DAY
"""Longer than a message about her can be on its way (infra/queues.py keeps them for 14 days)."""
BY_ERASURE: Final = "erasure"
_PAGE: Final = 100
KINDS: Final[Mapping[str, str]] = {
    keys.HISTORY: "older_days",
    keys.STATE: "states",
    keys.PROFILE: "profiles",
    keys.LEDGER_PREFIX: "ledger_entries",
    keys.CONSENT_PREFIX: "consents",
    keys.DEVICE_PREFIX: "devices",
    keys.SEGMENT_PREFIX: "segment_rows",
    keys.DELIVERY_PREFIX: "deliveries",
    keys.CLAIM_PREFIX: "reward_claims",
    keys.INBOX_PREFIX: "inbox_messages",
    keys_access.SESSION_PREFIX: "sessions",
    keys_counter.CONFIRMATION_PREFIX: "confirmations",
    keys_rights.IDENTIFIERS: "identifier_lists",
    keys_rights.ACCESS_PREFIX: "access_jobs",
}
"""What sort keys of a member's partition begin with -> what the certificate calls it. ``STATE#H`` stands before ``STATE``."""


@dataclass(frozen=True, slots=True)
class Treated:
    """Whose partition it is, and on what occasion."""

    scope: TenantScope
    erasure: Erasure

    @property
    def member(self) -> str:
        """She."""
        return self.erasure.member


def partition(scope: TenantScope, member: str) -> Iterator[RawItem]:
    """Everything in her partition, consistently, a page at a time."""
    start: RawItem | None = None
    while True:
        raws, start = scope.table.query(keys.member(scope.tenant, member), limit=_PAGE, start=start, consistent=True)
        yield from raws
        if start is None:
            return


def kind_of(sk: str) -> str:
    """What the certificate calls an item."""
    return next((name for prefix, name in KINDS.items() if sk.startswith(prefix)), "others")


def treat(work: Treated, raw: RawItem) -> bool:
    """Do with an item what is to be done; ``False`` if nothing is."""
    sk = raw["SK"]["S"]
    return next((treatment for prefix, treatment in _KEPT.items() if sk.startswith(prefix)), _delete)(work, raw)


def bury(work: Treated, segment: str, version: int) -> None:
    """A row outside the index that no message from before her erasure can replace. It goes by itself when there are none any more."""
    erasure = work.erasure
    row = SegmentRowItem.at(
        keys.segment_row(work.scope.tenant, work.member, segment, version),
        member=work.member,
        member_version=erasure.traces.version,
        inside=False,
        expires_at=(erasure.accepted_at + TOMBSTONES) // SECOND,
    )
    work.scope.table.put(row)


def _delete(work: Treated, raw: RawItem) -> bool:
    work.scope.table.delete(_key(raw))
    return True


def _leave(_work: Treated, _raw: RawItem) -> bool:
    return False


def _consent(work: Treated, raw: RawItem) -> bool:
    """That she answered, to what and when, is proof and stays; the words, which may hold a delivery or a name, go."""
    body = unpack(ConsentItem.read(raw).body)
    left = {name: value for name, value in body.items() if name not in ("text", "proof")}
    if left == body:
        return False
    work.scope.table.update(_key(raw), [Path("d").set(pack(left))])
    return True


def _delivery(work: Treated, raw: RawItem) -> bool:
    """What reports count stays; links and data that were hers go, and nobody need look at it any more."""
    if not {"d", "GSI2PK"} & raw.keys():
        return False
    changes = [Path(name).remove() for name in ("d", "GSI2PK", "GSI2SK", "out") if name in raw]
    seq = int(raw["seq"]["N"])
    as_read: Condition = Path("seq") == seq
    try:
        # A number of its own: whoever read the row before decides again, and does not bring back what is gone.
        work.scope.table.update(_key(raw), [*changes, Path("seq").set(seq + 1)], as_read)
    except ConditionFailed:
        return True
    return True


def _claim(work: Treated, raw: RawItem) -> bool:
    """A reward that waits to be handed over is cancelled, and the stock has it again. Her points are gone with her."""
    if raw["state"]["S"] != "ordered":
        return False
    scope, claims = work.scope, ClaimRepository(work.scope.tenant, work.scope.table)
    claim_id = raw["SK"]["S"].removeprefix(keys.CLAIM_PREFIX)

    def plan(_stale: Stale) -> Plan[None]:
        batch, claim = WriteBatch(), claims.get(work.member, claim_id)
        if claim is not None and claim.state == "ordered":
            claims.add_end(batch, claim, "cancelled", work.erasure.accepted_at, BY_ERASURE)
            if claim.shard is not None:
                CouponRepository(scope.tenant, scope.table).add_quota_return(batch, key_of(claim.reward), claim.shard)
        return Plan(batch, None)

    commit(scope.table, plan, effort=scope.effort())
    return True


def _segment(work: Treated, raw: RawItem) -> bool:
    is_buried = not raw["inside"]["BOOL"] and "expires_at" in raw
    if is_buried:
        return False
    _, segment, version = raw["SK"]["S"].split("#")
    bury(work, segment, int(version))
    return True


def _key(raw: RawItem) -> Key:
    return Key(raw["PK"]["S"], raw["SK"]["S"])


_KEPT: Final[Mapping[str, Callable[[Treated, RawItem], bool]]] = {
    # Both were emptied in the write that forgot her; the older days stay beside the state because readers compare their versions.
    keys.STATE: _leave,
    keys.LEDGER_PREFIX: _leave,
    keys.CONSENT_PREFIX: _consent,
    keys.DELIVERY_PREFIX: _delivery,
    keys.CLAIM_PREFIX: _claim,
    keys.SEGMENT_PREFIX: _segment,
}
