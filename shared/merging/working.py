"""Carrying out a merge, a step at a time, from wherever it stands. Two workers at once do no harm: every step is safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from shared.member_state.errors import ErasedMember
from shared.merging.errors import UnknownMerge
from shared.merging.repository import MergeRepository
from shared.merging.steps import WORK, Hands, OutOfTime
from shared.observability.logs import logger
from shared.tenants.scope import TenantScope

KIND = "merge"


class Queue(Protocol):
    """The worker's own queue."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


def work(scope: TenantScope, duplicate: str, own: Queue) -> bool:
    """Go on with the merge of a member; answers whether nothing is left to do. Without the time for it the rest is a new message.

    Who is left may have been erased meanwhile: then it is the erasure that cleans up after both. ``UnknownMerge`` if there is none.
    Raises what a step raises: the message comes again, and with it the step.
    """
    repository = MergeRepository(scope.tenant, scope.table)
    while True:
        merge = repository.get(duplicate)
        if merge is None:
            raise UnknownMerge
        step = merge.next_step
        if step is None:
            return True
        try:
            WORK[step](Hands(scope, merge))
        except OutOfTime:
            own.send(message_of(scope.tenant, duplicate))
            return False
        except ErasedMember:
            return True
        after = merge.after(step, scope.clock())
        if repository.store(after) and after.next_step is None:
            logger().info("merged", extra={"member": duplicate, "merge": after.id})


def message_of(tenant: str, duplicate: str) -> dict[str, Any]:
    """What the worker sends itself."""
    return {"kind": KIND, "tenant": tenant, "member": duplicate}
