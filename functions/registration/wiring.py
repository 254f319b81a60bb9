"""What the routes of this function are served with, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from functions.registration.settings import RegistrationSettings
from shared.aws.apple import Apple
from shared.aws.objects import S3Store
from shared.aws.queues import SqsQueue
from shared.aws.runtime import Runtime
from shared.http.app import Answer, HttpApp, Request
from shared.kernel.ids import is_id
from shared.member_state.errors import UnknownMember
from shared.members import service
from shared.members.lookup_limits import LookupLimits
from shared.tenants import sessions
from shared.tenants.apple_client import AppleSide
from shared.tenants.scope import TenantScope

WRITE = "members:write"


@dataclass(frozen=True, slots=True)
class Wiring:
    """The handler's own functions: asked with every request, made with the first."""

    app: HttpApp
    settings: Callable[[], RegistrationSettings]
    runtime: Callable[[], Runtime]
    desk: Callable[[], service.Desk]
    session_desk: Callable[[], sessions.SessionDesk]
    derived: Callable[[str], bytes]
    apple: Callable[[], AppleSide] = Apple
    lookups: LookupLimits = field(default_factory=LookupLimits)
    """How many members each credential has looked for."""

    def scope(self, request: Request) -> TenantScope:
        """The caller's tenant."""
        return self.runtime().scope(request.principal)

    def store(self) -> S3Store:
        """Where bulk bodies and copies of personal data lie."""
        return S3Store(self.runtime().client("s3"), self.settings().bucket)

    def queue(self, url: str) -> SqsQueue:
        """A queue that this function sends to."""
        return SqsQueue(self.runtime().client("sqs"), url)

    def on(self, operation: str, work: Callable[[Wiring, Request], Answer]) -> None:
        """Register what serves a route."""
        self.app.operation(operation)(partial(work, self))

    def both(self, operation: str, work: Callable[[Wiring, Request, TenantScope, str], Answer]) -> None:
        """Register what serves the integrator's route and its mirror under /v1/me, which only ever reaches the caller."""

        def handler(request: Request) -> Answer:
            return work(self, request, self.scope(request), member_of(request))

        self.app.operation(*mirrored(operation))(handler)


def mirrored(*operations: str) -> list[str]:
    """Operations of the integrator, and their mirrors under /v1/me."""
    return [*operations, *(f"{operation}_of_me" for operation in operations)]


def member_of(request: Request) -> str:
    """The member that the call is about; a text that is no member's id is nobody's."""
    if not is_id("mbr", request.member_id):
        raise UnknownMember
    return request.member_id


def actor_of(request: Request) -> service.Actor:
    """Who calls, and whether with the right to change members."""
    return service.Actor(request.principal.id, WRITE in request.principal.scopes)


def done(outcome: tuple[Any, bool]) -> Answer:
    """What was made, with 201; a repetition answers 200 and says so."""
    answer, replayed = outcome
    return Answer(200, answer, {"idempotent-replayed": "true"}) if replayed else Answer(201, answer)
