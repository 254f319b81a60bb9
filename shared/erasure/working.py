"""Carrying out an erasure, a step at a time, from wherever it stands. Two workers at once do no harm: every step is safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from shared.erasure.errors import UnknownErasure
from shared.erasure.repository import ErasureRepository
from shared.erasure.steps import Hands, OutOfTime, do
from shared.erasure.telling import tell
from shared.observability.logs import logger

KIND = "erasure"


class Queue(Protocol):
    """The worker's own queue."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


def work(hands: Hands, member: str, own: Queue) -> bool:
    """Go on with a member's erasure; answers whether it is complete. What has to wait, for time or for others, is a new message.

    ``UnknownErasure`` if nobody asked for it. Raises what a step raises: the message comes again, and with it the step.
    """
    scope = hands.scope
    repository = ErasureRepository(scope.tenant, scope.table)
    while True:
        erasure = repository.get(member)
        if erasure is None:
            raise UnknownErasure
        step = erasure.next_step
        if step is None:
            return True
        try:
            after, wait = tell(hands, erasure) if step == "recipients" else (do(step, hands, erasure), None)
        except OutOfTime:
            own.send(message_of(scope.tenant, member))
            return False
        if wait is not None:
            # Whoever was faster has sent a message of its own.
            if repository.store(after.once_more()):
                own.send(message_of(scope.tenant, member), wait)
            return False
        after = after.after(step, scope.clock())
        if repository.store(after) and after.next_step is None:
            logger().info("erased", extra={"member": member, "erasure": after.id})


def message_of(tenant: str, member: str) -> dict[str, Any]:
    """What the worker sends itself."""
    return {"kind": KIND, "tenant": tenant, "member": member}
