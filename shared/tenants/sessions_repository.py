"""Members' sessions: items <-> model, for one tenant. They lie in the member's partition, and end with her."""

from __future__ import annotations

from shared.kernel.instants import DAY, SECOND, Instant
from shared.storage import keys, keys_access
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items_access import SessionItem
from shared.storage.table import NOT_THERE_YET, Table
from shared.tenants.refresh import Session

REUSED = "reused"


class SessionRepository:
    """The sessions of one tenant's members."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def get(self, member: str, family: str) -> Session | None:
        """A session, consistently. 1 read unit."""
        raw = self.table.get(keys_access.session(self.tenant, member, family))
        return None if raw is None else _session(member, SessionItem.read(raw))

    def of_member(self, member: str) -> list[Session]:
        """Every session of a member, the oldest first. 1 read unit."""
        raws = self.table.query_all(keys.member(self.tenant, member), begins=keys_access.SESSION_PREFIX, consistent=True)
        return sorted((_session(member, SessionItem.read(raw)) for raw in raws), key=lambda each: each.created_at)

    def add(self, session: Session) -> None:
        """A new session. 1 write unit."""
        self.table.put(self._item(session), NOT_THERE_YET)

    def rotate(self, before: Session, digest: bytes, now: Instant) -> Session | None:
        """The next generation; ``None`` if the session is no longer as it was. 1 write unit."""
        after = Session(
            before.member, before.family, digest, before.generation + 1, before.created_at, now, previous=before.digest
        )
        unchanged: Condition = (Path("digest") == before.digest) & Path("ended").does_not_exist()
        try:
            self.table.put(self._item(after), unchanged)
        except ConditionFailed:
            return None
        return after

    def end(self, session: Session, reason: str) -> None:
        """No token of it holds any more. Kept until it would have ended, so that whoever comes late is told the same. 1 write unit."""
        key = keys_access.session(self.tenant, session.member, session.family)
        try:
            self.table.update(key, [Path("ended").set(reason)], Path("PK").exists())
        except ConditionFailed:
            return

    def remove(self, session: Session) -> None:
        """Forget it. 1 write unit."""
        self.table.delete(keys_access.session(self.tenant, session.member, session.family))

    def _item(self, session: Session) -> SessionItem:
        return SessionItem.at(
            keys_access.session(self.tenant, session.member, session.family),
            digest=session.digest,
            previous=session.previous,
            generation=session.generation,
            created_at=session.created_at,
            rotated_at=session.rotated_at,
            expires_at=(session.ends_at + DAY) // SECOND,
        )


def _session(member: str, item: SessionItem) -> Session:
    return Session(
        member=member,
        family=item.SK.removeprefix(keys_access.SESSION_PREFIX),
        digest=item.digest,
        generation=int(item.generation),
        created_at=int(item.created_at),
        rotated_at=int(item.rotated_at),
        previous=item.previous,
        ended=item.ended,
    )
