"""SQS: sending messages, and working through a batch so that one bad message never costs the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import check_tenant
from shared.observability.logs import logger

if TYPE_CHECKING:
    from shared.tenants.scope import TenantScope

GroupKey = TypeVar("GroupKey")
Content = TypeVar("Content")
_BATCH: Final = 10
_MAX_BATCH_BYTES: Final = 200_000
_ORDER: Final = ("MessageGroupId", "MessageDeduplicationId")
"""What a message of a FIFO queue has, and its dead-letter queue asks for."""
MAX_RECEIVES: Final = 5
"""The queues' redrive limit (infra/queues.py): the last attempt says why it failed."""


class Poison(Exception):
    """A message that can never be worked on: not ours, malformed, or of another tenant. It goes to the dead-letter queue at once."""


class GivesScopes(Protocol):
    """The part of a worker's ``Runtime`` that opens scopes."""

    def worker_scope(self, tenant: str, *pks: str) -> TenantScope:
        """A scope of the tenant, if every partition key is hers."""


def named_tenant(message: Mapping[str, Any]) -> str:
    """The tenant that a message of ours names. ``Poison`` where it names none."""
    tenant = message.get("tenant")
    try:
        return check_tenant(tenant if isinstance(tenant, str) else "")
    except InvalidValue:
        raise Poison("not a tenant") from None


def message_scope(runtime: GivesScopes, tenant: str, *pks: str) -> TenantScope:
    """The third fence for a message: what it leads to is the tenant's that it names, else it is ``Poison``."""
    try:
        return runtime.worker_scope(check_tenant(tenant), *pks)
    except InvalidValue as error:
        raise Poison(str(error)) from None


@dataclass(slots=True)
class SqsQueue:
    """Sends to one standard queue. A message goes into the group of its ``tenant``: SQS delivers groups with few messages under way first,
    so that no tenant's backlog delays another's (fair queues; order is not kept by it).
    """

    client: Any
    url: str

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message, not before ``delay_seconds`` (at most 900)."""
        self.client.send_message(QueueUrl=self.url, MessageBody=_dump(body), DelaySeconds=min(delay_seconds, 900), **_group(body))

    def send_all(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Send many, ten a request; what SQS refuses is sent again, and the third time raised."""
        entries = [{"Id": str(index), "MessageBody": _dump(body), **_group(body)} for index, body in enumerate(bodies)]
        for chunk in _chunks(entries):
            left = chunk
            for attempt in range(3):
                failed = {each["Id"] for each in self.client.send_message_batch(QueueUrl=self.url, Entries=left).get("Failed", [])}
                left = [each for each in left if each["Id"] in failed]
                if not left:
                    break
                if attempt == 2:
                    raise RuntimeError(f"{len(left)} messages were not accepted by the queue")


def consume(
    event: Mapping[str, Any],
    work: Callable[[dict[str, Any]], None],
    *,
    client: Any = None,
    dead_letters: str | None = None,
    hopeless: tuple[type[Exception], ...] = (),
) -> dict[str, Any]:
    """Work through an SQS event; answers the partial batch response, so that only failed messages come again.

    A message that is ``Poison`` (or of the ``hopeless`` kinds of a domain that knows no queues), or one that fails on its
    last attempt, is put into the dead-letter queue with its reason and counts as done; if even that fails it comes again,
    and the queue's own redrive takes it.
    """
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        try:
            work(_load(record))
        except Exception as error:  # the outermost frame of one message: logged, reported, and the next one goes on
            logger().warning("message failed", extra={"message_id": record["messageId"], "reason": reason_of(error)})
            last = int(record.get("attributes", {}).get("ApproximateReceiveCount", "1")) >= MAX_RECEIVES
            done_for = last or isinstance(error, (Poison, *hopeless))
            buried = dead_letters is not None and done_for and _bury(client, dead_letters, record, error)
            if not buried:
                failed.append({"itemIdentifier": record["messageId"]})
    logger().info("batch", extra={"messages": len(event["Records"]), "failed": len(failed)})
    return {"batchItemFailures": failed}


def consume_groups(
    event: Mapping[str, Any],
    read: Callable[[dict[str, Any], Mapping[str, str]], tuple[GroupKey, Content]],
    work: Callable[[GroupKey, list[Content]], None],
    *,
    client: Any,
    dead_letters: str,
) -> dict[str, Any]:
    """Work through an event of a FIFO queue, all messages of a group at once and in order; a group that fails comes again as a whole.

    ``read`` makes group and content of a message and its attributes; what it refuses as ``Poison`` goes to the dead-letter queue.
    """
    failed: list[dict[str, str]] = []
    groups: dict[GroupKey, list[tuple[Mapping[str, Any], Content]]] = {}
    for record in event["Records"]:
        try:
            group, content = read(_load(record), record.get("attributes", {}))
        except Poison as error:
            logger().warning("message failed", extra={"message_id": record["messageId"], "reason": reason_of(error)})
            if not _bury(client, dead_letters, record, error):
                failed.append({"itemIdentifier": record["messageId"]})
            continue
        groups.setdefault(group, []).append((record, content))
    for group, messages in groups.items():
        try:
            work(group, [content for _, content in messages])
        except Exception as error:  # the outermost frame of one group: logged, reported, and the next one goes on
            logger().warning("group failed", extra={"messages": len(messages), "reason": reason_of(error)})
            failed += [{"itemIdentifier": record["messageId"]} for record, _ in messages]
    logger().info("batch", extra={"messages": len(event["Records"]), "failed": len(failed)})
    return {"batchItemFailures": failed}


def reason_of(error: Exception) -> str:
    """What went wrong, without values: the type, and our own errors' code or text."""
    code = getattr(error, "code", None)
    text = f": {code}" if isinstance(code, str) else f": {error}" if isinstance(error, Poison | InvalidValue) else ""
    return f"{type(error).__name__}{text}"[:200]


def _load(record: Mapping[str, Any]) -> dict[str, Any]:
    try:
        body = json.loads(record["body"])
    except ValueError:
        raise Poison("the body is not JSON") from None
    if not isinstance(body, dict):
        raise Poison("the body is not an object")
    return body


def _bury(client: Any, url: str, record: Mapping[str, Any], error: Exception) -> bool:
    reason = {"DataType": "String", "StringValue": reason_of(error)}
    order = {name: value for name, value in record.get("attributes", {}).items() if name in _ORDER}
    try:
        client.send_message(QueueUrl=url, MessageBody=record["body"], MessageAttributes={"reason": reason}, **order)
    except Exception:
        logger().exception("dead-letter queue not reached")
        return False
    return True


def _group(body: Mapping[str, Any]) -> dict[str, str]:
    tenant = body.get("tenant")
    return {"MessageGroupId": tenant} if isinstance(tenant, str) else {}


def _dump(body: Mapping[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))


def _chunks(entries: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    chunks: list[list[dict[str, Any]]] = []
    size = 0
    for entry in entries:
        length = len(entry["MessageBody"])
        if not chunks or len(chunks[-1]) == _BATCH or size + length > _MAX_BATCH_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(entry)
        size += length
    return chunks
