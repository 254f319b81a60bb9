"""What a member did beside buying: opens and clicks of messages, and events that the tenant declares. Exactly once by event id."""

from __future__ import annotations

import hashlib

from shared.kernel.instants import MINUTE, parse_rfc3339
from shared.member_state.effects import Effects
from shared.member_state.events import Responded
from shared.member_state.model import MemberState
from shared.member_state.service import Change, MemberSession, Occasion
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions.answer_models import EventAnswer
from shared.transactions.api import EventRequest
from shared.transactions.errors import OccurredInFuture
from shared.transactions.repository import REQUEST_LABEL, check_same, payload_hash


def record_event(scope: TenantScope, request: EventRequest, correlation: str = "") -> EventAnswer:
    """Record an event of a member, or answer that it was recorded before. ``event_id`` is unique per member."""
    now, at = scope.clock(), parse_rfc3339(request.occurred_at)
    if at > now + 5 * MINUTE:
        raise OccurredInFuture
    at, hash_ = min(at, now), payload_hash(request)
    # A type without a dot is the tenant's own; ours have one and are reserved but for the responses below.
    type_ = request.type if "." in request.type else f"event.{request.type}"
    natural = hashlib.sha256(f"{request.member_id}|{request.event_id}".encode()).hexdigest()

    def replay(raw: RawItem) -> EventAnswer:
        check_same(RequestItem.read(raw).hash, hash_)
        return EventAnswer(event_id=request.event_id, recorded=False)

    def decide(_state: MemberState, _stale: Stale) -> Change[EventAnswer]:
        event = Responded(at, type_, request.campaign_id, request.step, dict(request.properties))

        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> EventAnswer:
            key = keys.request(scope.tenant, "event", "event", natural)
            record = RequestItem.at(key, hash=hash_, body=pack([]), member=after.member)
            batch.put(REQUEST_LABEL, record, Path("PK").does_not_exist(), old=True)
            return EventAnswer(event_id=request.event_id, recorded=True)

        return Change([event], finish, request=REQUEST_LABEL)

    return MemberSession(scope, request.member_id).change(Occasion(at, correlation), decide, replay=replay)
