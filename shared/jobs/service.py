"""A bulk body goes to an encrypted object, its pointer to a queue, its outcome to the job's parts.

The message never holds personal data: ``{"tenant", "job", "part"}``. Working on a part twice is harmless, because each record
is exactly-once by itself; the part's outcome is overwritten by the later run, which counts the earlier ones as replayed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from shared.kernel.errors import AppError, InvalidValue, NotFound
from shared.kernel.ids import check_tenant, is_id, new_id
from shared.limits.plans import Allowed, check_size
from shared.storage import keys
from shared.storage.items import JobItem, JobPartItem
from shared.storage.packing import pack, unpack
from shared.tenants.scope import TenantScope
from shared.transactions.answer_models import JobAnswer, RefusedRecord

MAX_LISTED: Final = 200
"""Refused records listed per part; the count is exact beyond it."""
PREFIX: Final = "bulk/"


class UnknownJob(NotFound):
    """No such job in this tenant."""

    code, title = "unknown_job", "Unknown job"


class NotAPointer(InvalidValue):
    """A message that is no pointer to a part of a bulk job, and never will be."""


def check_pointer(message: Mapping[str, Any]) -> None:
    """``NotAPointer`` unless the message is one that ``accept`` sends."""
    if not all(isinstance(message.get(name), kind) for name, kind in (("tenant", str), ("job", str), ("part", int))):
        raise NotAPointer("not a pointer to a bulk job")
    try:
        check_tenant(message["tenant"])
    except InvalidValue:
        raise NotAPointer("not a tenant") from None
    if not is_id("job", message["job"]):
        raise NotAPointer("not a job")


class ObjectStore(Protocol):
    """Where bodies of bulk jobs lie (S3; a dictionary in tests)."""

    def put(self, name: str, body: bytes) -> None:
        """Store, encrypted at rest."""

    def get(self, name: str) -> bytes:
        """Read back."""


class Queue(Protocol):
    """Where pointers go (SQS; a list in tests)."""

    def send(self, body: dict[str, Any]) -> None:
        """Send one message."""


@dataclass(slots=True)
class Outcome:
    """What became of the records of a part."""

    accepted: int = 0
    replayed: int = 0
    warned: int = 0
    refused: list[tuple[int, AppError]] = field(default_factory=list)


def accept(
    scope: TenantScope, kind: str, records: Sequence[Any], extra: dict[str, Any], store: ObjectStore, queue: Queue, *, pointer: str
) -> JobAnswer:
    """Store a bulk body as a job of one part and send its pointer. One item, one object, one message.

    ``PlanLimit`` for more records than the tenant's plan has in one call; ``pointer`` is where they are in the body.
    """
    check_size(Allowed.of(scope.definitions.settings.plan).bulk_records, len(records), pointer, "records a call")
    now = scope.clock()
    job_id = new_id("job", now)
    store.put(object_name(scope.tenant, job_id), json.dumps({"records": records, **extra}, separators=(",", ":")).encode())
    scope.table.put(JobItem.at(keys.job(scope.tenant, job_id), kind=kind, parts=1, records=len(records), created_at=now))
    queue.send({"tenant": scope.tenant, "job": job_id, "part": 0})
    return JobAnswer(job_id=job_id, status="queued", records=len(records))


def object_name(tenant: str, job_id: str) -> str:
    """Where a job's body lies."""
    return f"{PREFIX}{tenant}/{job_id}.json"


def body_of(message: dict[str, Any], store: ObjectStore) -> dict[str, Any]:
    """The body that a message points at."""
    body: dict[str, Any] = json.loads(store.get(object_name(message["tenant"], message["job"])))
    return body


def finish(scope: TenantScope, message: dict[str, Any], outcome: Outcome) -> None:
    """Write down what became of a part. The errors name places in the record, never its values."""
    refused = [
        [index, error.code, error.detail, [[each.pointer, each.code, each.detail] for each in error.errors]]
        for index, error in sorted(outcome.refused, key=lambda each: each[0])[:MAX_LISTED]
    ]
    body = pack([outcome.accepted, outcome.replayed, outcome.warned, len(outcome.refused), refused])
    scope.table.put(JobPartItem.at(keys.job_part(scope.tenant, message["job"], message["part"]), body=body))


def read(scope: TenantScope, job_id: str) -> JobAnswer:
    """A job with its counts and refused records. One Query."""
    if not is_id("job", job_id):
        raise UnknownJob
    raws = scope.table.query_all(keys.job(scope.tenant, job_id).pk, consistent=True)
    heads = [raw for raw in raws if raw["SK"]["S"] == "JOB"]
    if not heads:
        raise UnknownJob
    head = JobItem.read(heads[0])
    parts = [unpack(JobPartItem.read(raw).body) for raw in raws if raw["SK"]["S"] != "JOB"]
    refused = tuple(_refused(row) for part in parts for row in part[4])
    done = len(parts) == int(head.parts)
    return JobAnswer(
        job_id=job_id,
        status="done" if done else "running" if parts else "queued",
        records=int(head.records),
        accepted=sum(part[0] for part in parts),
        replayed=sum(part[1] for part in parts),
        warned=sum(part[2] for part in parts),
        refused_count=sum(part[3] for part in parts),
        refused=refused,
    )


def parts_done(scope: TenantScope, job_id: str) -> dict[int, int]:
    """Part -> its records that are there, by this run or an earlier one. One Query."""
    raws = scope.table.query_all(keys.job(scope.tenant, job_id).pk, begins=keys.PART_PREFIX, consistent=True)
    bodies = {int(raw["SK"]["S"].removeprefix(keys.PART_PREFIX)): unpack(JobPartItem.read(raw).body) for raw in raws}
    return {part: body[0] + body[1] for part, body in bodies.items()}


def _refused(row: list[Any]) -> RefusedRecord:
    index, code, detail, errors = row
    named = tuple({"pointer": pointer, "code": each, "detail": text} for pointer, each, text in errors)
    return RefusedRecord(index=index, code=code, detail=detail, errors=named)


