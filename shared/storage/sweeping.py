"""Finding and deleting everything of one tenant in a table, whatever it is: for removing a tenant, and for nothing else.

Nothing lists a tenant's partitions (a purchase's key is its receipt's, an identifier's a keyed hash), so the table is read from end to
end, which only the removal's own role may (docs/adr/0022). Costs 1 read unit per 8 KB of the whole table, whosever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from shared.kernel.errors import InvalidValue
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.keys import Key
from shared.storage.table import Table

PAGE: Final = 500
"""Items that one request reads."""


def find(table: Table, tenant: str, start: Key | None) -> tuple[list[Key], Key | None]:
    """Keys of the tenant's items in the next page of the table, and where the rest begins."""
    request: dict[str, Any] = {
        "TableName": table.name,
        "ProjectionExpression": "PK, SK",
        "FilterExpression": "begins_with(PK, :p)",
        "ExpressionAttributeValues": {":p": {"S": keys.prefix(tenant)}},
        "Limit": PAGE,
        "ConsistentRead": True,
    }
    if start is not None:
        request["ExclusiveStartKey"] = {"PK": {"S": start.pk}, "SK": {"S": start.sk}}
    items, last = table.scan(request)
    return [_key(raw) for raw in items], _key(last) if last else None


def delete(table: Table, tenant: str, found: Sequence[Key]) -> None:
    """Delete them, one by one; of those that are gone already nothing is said. 1 write unit per KB."""
    if any(keys.tenant_of(key.pk) != tenant for key in found):
        raise InvalidValue(f"a key of another tenant in the removal of {tenant}")
    for key in found:
        table.delete(key)


def _key(raw: RawItem) -> Key:
    return Key(raw["PK"]["S"], raw["SK"]["S"])
