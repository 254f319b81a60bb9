"""A table as the house sees it: keys and raw items in, raw items out, our errors. One per set of credentials.

Expressions and codecs are pynamodb's, the client is botocore's own (docs/adr/0001). Costs in the docstrings are request
units of DynamoDB.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Final, TypeVar

import botocore.session
from botocore.config import Config
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action, AddAction, DeleteAction, RemoveAction, SetAction, Update

from shared.kernel.errors import InvalidValue
from shared.storage import noting
from shared.storage.errors import ConditionFailed, RawItem, StorageThrottled, TransactionCancelled, storage_errors, translate
from shared.storage.items import Item
from shared.storage.keys import Key

I = TypeVar("I", bound=Item)  # noqa: E741
MAX_ACTIONS: Final = 100
"""Writes of one transaction: DynamoDB's own limit (TransactWriteItems)."""
_CONFIG: Final = Config(
    # Retries live in commit(): a till gives up after 5 s, and botocore's defaults would use all of it.
    connect_timeout=1,
    read_timeout=3,
    retries={"total_max_attempts": 2, "mode": "standard"},
    max_pool_connections=16,
    # Both cost a tenth of a call's CPU: the codecs make well-typed requests, and the agent's name is the same each time.
    parameter_validation=False,
    user_agent="regulars",
)
HASTE: Final = 0.3
_HASTY: Final = _CONFIG.merge(Config(connect_timeout=HASTE, read_timeout=HASTE, retries={"total_max_attempts": 1, "mode": "standard"}))
_GET_CHUNK: Final = 100


@cache
def botocore_session() -> botocore.session.Session:
    """One session per process: it keeps the service models, so that a tenant's client is cheap to make."""
    return botocore.session.get_session()


def raw_key(key: Key) -> RawItem:
    """A key in the low-level form."""
    return {"PK": {"S": key.pk}, "SK": {"S": key.sk}}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary credentials of a tenant's session. ``None`` where a table takes the function's own."""

    access_key: str
    secret_key: str
    token: str


class TooManyWrites(InvalidValue):
    """One write more than a transaction takes."""


@dataclass(slots=True)
class WriteBatch:
    """The writes of one transaction, each with a label that its refusal is reported by."""

    labels: list[str] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)

    def put(self, label: str, item: Item, when: Condition | None = None, *, old: bool = False) -> None:
        """Put the item, if the condition holds; ``old`` asks for the item in the way."""
        self._add(label, "Put", {"Item": item.serialize()}, when, old=old)

    def put_raw(self, label: str, item: RawItem, when: Condition | None = None, *, old: bool = False) -> None:
        """Put an item that is encoded already."""
        self._add(label, "Put", {"Item": item}, when, old=old)

    def update(self, label: str, key: Key, actions: Sequence[Action], when: Condition | None = None, *, old: bool = False) -> None:
        """Update attributes of an item."""
        self._add(label, "Update", {"Key": raw_key(key)}, when, actions=actions, old=old)

    def check(self, label: str, key: Key, when: Condition) -> None:
        """Write nothing, but let the transaction happen only if the condition holds."""
        self._add(label, "ConditionCheck", {"Key": raw_key(key)}, when)

    def delete(self, label: str, key: Key, when: Condition | None = None) -> None:
        """Delete an item."""
        self._add(label, "Delete", {"Key": raw_key(key)}, when)

    def _add(
        self, label: str, verb: str, action: dict[str, Any], when: Condition | None, *, actions: Sequence[Action] = (), old: bool = False
    ) -> None:
        if label in self.labels:
            raise InvalidValue(f"two writes are labelled {label!r}")
        if len(self.actions) >= MAX_ACTIONS:
            raise TooManyWrites(f"a transaction takes at most {MAX_ACTIONS} writes")
        action |= expressions(when, actions)
        if old:
            action["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        self.labels.append(label)
        self.actions.append({verb: action})


NOT_THERE_YET: Final[Condition] = Path("PK").does_not_exist()
"""The condition of everything that is made once."""
_PREPARED: Final[dict[int, dict[str, Any]]] = {
    id(NOT_THERE_YET): {"ConditionExpression": "attribute_not_exists (#0)", "ExpressionAttributeNames": {"#0": "PK"}}
}
"""Expressions without values, made beforehand: they stand on every purchase."""


def expressions(when: Condition | None, actions: Sequence[Action] = ()) -> dict[str, Any]:
    """The expression parameters of a request."""
    if not actions and id(when) in _PREPARED:
        return dict(_PREPARED[id(when)])
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    result: dict[str, Any] = {}
    if actions:
        update = Update()
        for action in actions:
            update.add_action(action)
        result["UpdateExpression"] = update.serialize(names, values)
    if when is not None:
        result["ConditionExpression"] = when.serialize(names, values)
    if names:
        result["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in names.items()}
    if values:
        result["ExpressionAttributeValues"] = values
    return result


class Table:
    """One table under one set of credentials. ``noted``: entries of the audit log ride with its writes (``shared.storage.noting``)."""

    def __init__(
        self, name: str, region: str, endpoint: str | None = None, credentials: Credentials | None = None, *, noted: bool = True
    ) -> None:
        self.name = name
        self._noted = noted
        self._config = _CONFIG
        self._region = region
        self.endpoint = endpoint
        self._credentials = credentials
        self.consumed: list[dict[str, Any]] | None = None
        """Set to a list to collect ConsumedCapacity of every call (tests and benchmarks)."""

    @cached_property
    def hasty(self) -> Table:
        """The same table under the same credentials, for what is not worth waiting for: given up after ``HASTE`` seconds, never noted."""
        other = Table(self.name, self._region, self.endpoint, self._credentials, noted=False)
        other._config = _HASTY
        return other

    @cached_property
    def _client(self) -> Any:
        credentials = self._credentials
        return botocore_session().create_client(
            "dynamodb",
            region_name=self._region,
            endpoint_url=self.endpoint,
            config=self._config,
            aws_access_key_id=credentials.access_key if credentials else None,
            aws_secret_access_key=credentials.secret_key if credentials else None,
            aws_session_token=credentials.token if credentials else None,
        )

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        if self.consumed is not None:
            request["ReturnConsumedCapacity"] = "INDEXES"
        with storage_errors():
            answer: dict[str, Any] = getattr(self._client, operation)(**request)
        if self.consumed is not None:
            capacity = answer.get("ConsumedCapacity", [])
            self.consumed.extend(capacity if isinstance(capacity, list) else [capacity])
        return answer

    # -- reads ------------------------------------------------------------------------------------------------------

    def get(self, key: Key, *, consistent: bool = True) -> RawItem | None:
        """One item: 1 read unit per 4 KB (half if not consistent)."""
        item: RawItem | None = self._call("get_item", TableName=self.name, Key=raw_key(key), ConsistentRead=consistent).get("Item")
        return item

    def get_many(self, keys: Iterable[Key], *, consistent: bool = False) -> dict[Key, RawItem]:
        """Several items by key, 100 a request; what DynamoDB leaves unprocessed is asked for again, at most 5 times."""
        wanted, found = list(dict.fromkeys(keys)), {}
        for start in range(0, len(wanted), _GET_CHUNK):
            chunk: list[RawItem] = [raw_key(key) for key in wanted[start : start + _GET_CHUNK]]
            for _ in range(5):
                answer = self._call("batch_get_item", RequestItems={self.name: {"Keys": chunk, "ConsistentRead": consistent}})
                for item in answer.get("Responses", {}).get(self.name, []):
                    found[Key(item["PK"]["S"], item["SK"]["S"])] = item
                chunk = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                if not chunk:
                    break
            else:
                raise StorageThrottled("unprocessed keys remain")
        return found

    def query(
        self,
        pk: str,
        *,
        begins: str | None = None,
        between: tuple[str, str] | None = None,
        index: str | None = None,
        limit: int | None = None,
        start: RawItem | None = None,
        forward: bool = True,
        consistent: bool = False,
    ) -> tuple[list[RawItem], RawItem | None]:
        """One page of a partition in sort-key order, and the key to go on from."""
        hash_name, range_name = (f"{index}PK", f"{index}SK") if index else ("PK", "SK")
        condition, values = "#p = :p", {":p": {"S": pk}}
        names = {"#p": hash_name}
        if begins is not None:
            condition, names["#s"], values[":s"] = condition + " AND begins_with(#s, :s)", range_name, {"S": begins}
        elif between is not None:
            condition, names["#s"] = condition + " AND #s BETWEEN :a AND :b", range_name
            values |= {":a": {"S": between[0]}, ":b": {"S": between[1]}}
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": forward,
        }
        if index:
            request["IndexName"] = index
        elif consistent:
            request["ConsistentRead"] = True
        if limit is not None:
            request["Limit"] = limit
        if start is not None:
            request["ExclusiveStartKey"] = start
        answer = self._call("query", **request)
        return answer["Items"], answer.get("LastEvaluatedKey")

    def query_all(self, pk: str, *, begins: str | None = None, index: str | None = None, consistent: bool = False) -> list[RawItem]:
        """Every item of a partition that is known to be small."""
        items, start = self.query(pk, begins=begins, index=index, consistent=consistent)
        while start is not None:
            more, start = self.query(pk, begins=begins, index=index, consistent=consistent, start=start)
            items += more
        return items

    def scan(self, request: dict[str, Any]) -> tuple[list[RawItem], RawItem | None]:
        """One page of the whole table: for ``shared.storage.sweeping`` alone, whose role is the only one that may."""
        answer = self._call("scan", **request)
        return answer["Items"], answer.get("LastEvaluatedKey")

    # -- writes -----------------------------------------------------------------------------------------------------

    def put(self, item: Item, when: Condition | None = None, *, old: bool = False) -> None:
        """Put one item; ``ConditionFailed`` if the condition does not hold. 1 write unit per KB, 2 where the call is noted."""
        self._write("Put", {"Item": item.serialize(), **expressions(when)}, old=old)

    def update(self, key: Key, actions: Sequence[Action], when: Condition | None = None, *, old: bool = False) -> RawItem:
        """Update one item and answer it as it is then; where the call is noted, as a read right behind it finds it."""
        request = {"Key": raw_key(key), **expressions(when, actions)}
        changed = self._write("Update", request, old=old, more={"ReturnValues": "ALL_NEW"})
        return (self.get(key) or {}) if changed is None else changed["Attributes"]

    def delete(self, key: Key, when: Condition | None = None) -> None:
        """Delete one item (no error if there is none and no condition)."""
        self._write("Delete", {"Key": raw_key(key), **expressions(when)})

    def put_raw(self, item: RawItem) -> None:
        """Put an item that is encoded already, and nothing with it."""
        self._call("put_item", TableName=self.name, Item=item)

    def _write(self, verb: str, request: dict[str, Any], *, old: bool = False, more: Mapping[str, Any] | None = None) -> Any:
        """One write, or the transaction of it and the call's entry, which answers ``None``."""
        request = {"TableName": self.name, **request}
        if old:
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        actions, note = noting.with_entry([{verb: request}], self.name) if self._noted else ([], None)
        if note is None:
            return self._call(f"{verb.lower()}_item", **request, **(more or {}))
        try:
            self._send(actions, ["it"], str(uuid.uuid4()))
        except TransactionCancelled as cancelled:
            raise ConditionFailed(cancelled.failed["it"]) from cancelled
        note.written = True
        return None

    def transact(self, batch: WriteBatch, token: str) -> None:
        """All writes or none: 2 write units per KB each. Sent again with the same token within 10 minutes, it happens once.

        Raises ``TransactionCancelled`` with the labels whose condition failed; that outweighs a conflict beside it.
        """
        actions = [{verb: {"TableName": self.name, **action} for verb, action in entry.items()} for entry in batch.actions]
        actions, note = noting.with_entry(actions, self.name) if self._noted else (actions, None)
        self._send(actions, batch.labels, token)
        if note is not None:
            note.written = True

    def _send(self, actions: list[dict[str, Any]], labels: Sequence[str], token: str) -> None:
        try:
            self._call("transact_write_items", TransactItems=actions, ClientRequestToken=token)
        except self._client.exceptions.TransactionCanceledException as error:
            raise self._cancelled(labels, error.response.get("CancellationReasons", []), error) from error

    @staticmethod
    def _cancelled(labels: Sequence[str], reasons: Sequence[Mapping[str, Any]], error: Any) -> Exception:
        failed = {
            label: reason.get("Item")
            for label, reason in zip(labels, reasons, strict=False)
            if reason.get("Code") == "ConditionalCheckFailed"
        }
        if failed:
            return TransactionCancelled(failed)
        for reason in reasons:
            code = reason.get("Code", "None")
            if code != "None":
                error.response["Error"]["Code"] = code
                return translate(error)
        return translate(error)


__all__ = ["AddAction", "Credentials", "DeleteAction", "RemoveAction", "SetAction", "Table", "WriteBatch", "raw_key"]
