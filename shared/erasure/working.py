"""Carrying out an erasure, a step at a time, from wherever it stands. Two workers at once do no harm: every step is safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from shared.erasure.errors import UnknownErasure
from shared.erasure.repository import ErasureRepository
from shared.erasure.steps import Endpoints, Hands, OutOfTime, do
from shared.observability.logs import logger
from shared.tenants.apple_client import AppleSide
from shared.tenants.scope import TenantScope

KIND = "erasure"


class Queue(Protocol):
    """The worker's own queue."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


def work(scope: TenantScope, member: str, push: Endpoints, own: Queue, apple: AppleSide | None = None) -> bool:
    """Go on with a member's erasure; answers whether it is complete. Without the time for it the rest is a new message.

    ``UnknownErasure`` if nobody asked for it. Raises what a step raises: the message comes again, and with it the step.
    """
    repository, hands = ErasureRepository(scope.tenant, scope.table), Hands(scope, push, apple)
    while True:
        erasure = repository.get(member)
        if erasure is None:
            raise UnknownErasure
        step = erasure.next_step
        if step is None:
            return True
        try:
            after = do(step, hands, erasure).after(step, scope.clock())
        except OutOfTime:
            own.send(message_of(scope.tenant, member))
            return False
        if repository.store(after) and after.next_step is None:
            logger().info("erased", extra={"member": member, "erasure": after.id})


def message_of(tenant: str, member: str) -> dict[str, Any]:
    """What the worker sends itself."""
    return {"kind": KIND, "tenant": tenant, "member": member}
