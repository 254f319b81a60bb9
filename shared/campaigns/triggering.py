"""Triggering a campaign by a call: its recipients, and what the call says of each."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Final

from shared.campaigns.api import Recipient, RecipientAnswer, TriggerAnswer, TriggerRequest
from shared.campaigns.errors import NotTriggerable, UnusableRecipients
from shared.campaigns.messages import Order, Queue
from shared.campaigns.model import ApiTrigger, CampaignBody
from shared.campaigns.participant import CALL
from shared.campaigns.service import in_force, known_run
from shared.kernel.errors import FieldError, Gone, KeyRequired
from shared.kernel.ids import is_id
from shared.member_state.errors import UnknownMember
from shared.member_state.repository import StateRepository
from shared.observability.measures import count_late
from shared.tenants.scope import TenantScope

MAX_DATA: Final = 2048
"""Bytes of a recipient's data as JSON."""


def trigger(scope: TenantScope, campaign: str, request: TriggerRequest, call: str | None, sending: Queue) -> TriggerAnswer:
    """Send the campaign to the recipients that there are: once each per key, however often it is called. ``call``: the Idempotency-Key.

    ``NotTriggerable`` unless it is active and calls trigger it; ``UnusableRecipients`` with pointers. Nothing is stored: who is accepted
    is in the queue, with her data sealed by her own key. One read; of each recipient a Query, and a read of her key where she has data.
    """
    key = request.key or call
    if key is None:
        hint = FieldError("/key", "required", "or the header Idempotency-Key")
        raise KeyRequired("Nobody must get it twice; send a key.", errors=(hint,))
    definition, body = in_force(scope, campaign)
    if not isinstance(body.trigger, ApiTrigger):
        raise NotTriggerable("No calls trigger this campaign.")
    run = known_run(scope, campaign)
    if run.state != "active":
        raise NotTriggerable(f"The campaign is {run.state}.")
    problems = tuple(_problems(body.trigger, request))
    if problems:
        raise UnusableRecipients("The recipients do not fit; see errors.", errors=problems)
    occurrence = f"api:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    answers, orders = [], []
    for recipient in request.recipients:
        status, order = _order(scope, campaign, definition.version, body, occurrence, recipient)
        answers.append(RecipientAnswer(member_id=recipient.member_id, status=status))
        orders += [order] if order is not None else []
    sending.send_all([order.message() for order in orders])
    return TriggerAnswer(campaign_id=campaign, occurrence=occurrence, recipients=tuple(answers))


def _problems(declared: ApiTrigger, request: TriggerRequest) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, each in enumerate(request.recipients):
        if each.member_id in seen:
            yield FieldError(f"/recipients/{index}/member_id", "duplicate_recipient", "named twice")
        seen.add(each.member_id)
        for name in sorted(set(each.data) - set(declared.data)):
            yield FieldError(f"/recipients/{index}/data", "unknown_field", f"the campaign does not declare {name[:48]}")
        if len(json.dumps(each.data, ensure_ascii=False).encode()) > MAX_DATA:
            yield FieldError(f"/recipients/{index}/data", "too_large", f"at most {MAX_DATA} bytes")


def _order(
    scope: TenantScope, campaign: str, version: int, body: CampaignBody, occurrence: str, recipient: Recipient
) -> tuple[str, Order | None]:
    """What became of a recipient, and her order. A merged member leads to her survivor."""
    if not is_id("mbr", recipient.member_id):
        return "unknown_member", None
    try:
        member = StateRepository(scope.tenant, scope.table).load(recipient.member_id).state.member
        sealed = scope.cipher(member).seal_json(CALL, recipient.data) if recipient.data else b""
    except UnknownMember:
        return "unknown_member", None
    except Gone:
        count_late("campaign_call")
        return "erased", None
    data, expires = base64.b64encode(sealed).decode(), scope.clock() + body.max_event_age
    return "accepted", Order(scope.tenant, campaign, version, body.steps[0].id, occurrence, (member,), expires, data=data)
