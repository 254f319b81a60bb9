"""Whoever else has data of hers is told that she is erased (GDPR, article 19): the tenant's webhooks, which campaigns may have sent it to.

All of them, since nobody remembers for ever which of them did. A receiver knows by ``webhook-id`` what it was told. One that does not
answer is asked again over an hour; one that refuses, or never answers, is counted on the certificate, and holds up no erasure: when
this step begins, nothing of hers is left here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

from shared.erasure.model import Erasure
from shared.erasure.steps import Hands, Recipients
from shared.kernel.instants import MINUTE, SECOND
from shared.messaging.port import Message, Sent, Throttled, Unclear, provider_settings
from shared.observability.logs import logger
from shared.tenants.scope import TenantScope

EVENT: Final = "member.erased"
WAITS: Final = tuple(minutes * MINUTE // SECOND for minutes in (1, 5, 15, 15, 15))
"""Seconds until those are asked again who did not answer. A queue delays a message for 15 minutes at most."""
TIME_FOR_ONE_MS: Final = 15_000
"""With less left than this the next endpoint is asked in a new invocation."""


def tell(hands: Hands, erasure: Erasure) -> tuple[Erasure, int | None]:
    """Tell whoever was not told yet. With it the seconds until it has to go on; ``None``: there is nothing more to do."""
    scope, recipients = hands.scope, hands.recipients
    if recipients is None:
        return erasure, None
    endpoints, told = scope.definitions.settings.messaging.webhooks, dict(erasure.told)
    for name in sorted(endpoints.keys() - told.keys()):
        if scope.effort().time_left_ms() < TIME_FOR_ONE_MS:
            break
        outcome = _told(scope, erasure, name, recipients)
        if outcome is not None:
            told[name] = outcome
    left = endpoints.keys() - told.keys()
    if left and erasure.rounds < len(WAITS):
        return replace(erasure, told=told, rounds=erasure.rounds + 1), WAITS[erasure.rounds]
    for name in sorted(left | {name for name, heard in told.items() if not heard}):
        logger().warning("not told of an erasure", extra={"endpoint": name, "erasure": erasure.id})
    outcomes = Counter("webhooks_told" if heard else "webhooks_not_told" for heard in (*told.values(), *(False for _ in left)))
    return replace(erasure, told=told, counts={**erasure.counts, **outcomes}), None


def _told(scope: TenantScope, erasure: Erasure, name: str, recipients: Recipients) -> bool | None:
    """Whether an endpoint has heard of every id that was hers; ``None``: it may yet."""
    messaging = scope.definitions.settings.messaging
    settings = provider_settings("webhook", messaging, name, lambda name, version: recipients.secret(scope.tenant, name, version))
    for number, person in enumerate(erasure.persons):
        origin = {"tenant": scope.tenant, "member": person.member, "delivery": f"{erasure.id}-{number}", "campaign": "", "step": ""}
        message = Message("", "", origin=origin, settings=settings, at=erasure.accepted_at, event=EVENT)
        result = recipients.sender.send(name, message)
        if not isinstance(result, Sent):
            return None if isinstance(result, Throttled | Unclear) else False
    return True
