"""Whoever else has data of hers is told that she is erased (GDPR, article 19): the tenant's webhooks, which campaigns may have sent it to.

All of them, since nobody remembers for ever which of them did, and of each id that was hers. A receiver knows by ``webhook-id`` what it
was told. One that does not answer is asked again over an hour; one that refuses, or never answers, is counted on the certificate. Nothing
of hers is left here when this begins: it is the certificate alone that waits.
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
SOON: Final = 5
"""Seconds until a new invocation goes on where this one had no time left."""
TIME_FOR_ONE_MS: Final = 15_000
"""With less left than this the next call is for a new invocation. One takes at most 5 seconds."""


def tell(hands: Hands, erasure: Erasure) -> tuple[Erasure, int | None]:
    """Tell whoever was not told yet. With it the seconds until it has to go on; ``None``: there is nothing more to do.

    A round ends when everybody was asked; who was silent in it is not asked again before the next.
    """
    if hands.recipients is None:
        return erasure, None
    endpoints = sorted(hands.scope.definitions.settings.messaging.webhooks)
    told, silent = dict(erasure.told), set(erasure.silent)
    for name in endpoints:
        for number, person in enumerate(erasure.persons):
            if name in silent or _unit(name, number) in told:
                continue
            if hands.scope.effort().time_left_ms() < TIME_FOR_ONE_MS:
                return replace(erasure, told=told, silent=tuple(sorted(silent))), SOON
            outcome = _told(hands.scope, hands.recipients, erasure, name, number, person.member)
            if outcome is None:
                silent.add(name)
            else:
                told[_unit(name, number)] = outcome
    if silent and erasure.rounds < len(WAITS):
        return replace(erasure, told=told, silent=(), rounds=erasure.rounds + 1), WAITS[erasure.rounds]
    heard = {name: all(told.get(_unit(name, number), False) for number in range(len(erasure.persons))) for name in endpoints}
    for name in (name for name, has_heard in heard.items() if not has_heard):
        logger().warning("not told of an erasure", extra={"endpoint": name, "erasure": erasure.id})
    outcomes = Counter("webhooks_told" if has_heard else "webhooks_not_told" for has_heard in heard.values())
    return replace(erasure, told=told, silent=(), counts={**erasure.counts, **outcomes}), None


def _unit(name: str, number: int) -> str:
    return f"{name}/{number}"


def _told(scope: TenantScope, recipients: Recipients, erasure: Erasure, name: str, number: int, member: str) -> bool | None:
    """Whether an endpoint has heard of one id; ``None``: it may yet."""

    def secret(name: str, version: int) -> bytes:
        return recipients.secret(scope.tenant, name, version)

    settings = provider_settings("webhook", scope.definitions.settings.messaging, name, secret)
    origin = {"tenant": scope.tenant, "member": member, "delivery": f"{erasure.id}-{number}", "campaign": "", "step": ""}
    result = recipients.sender.send(name, Message("", "", origin=origin, settings=settings, at=erasure.accepted_at, event=EVENT))
    return None if isinstance(result, Throttled | Unclear) else isinstance(result, Sent)
