"""A purchase: CPU of the handler's code against the bare calls it makes, and the units it reads and writes.

Both sides talk to the same engine in the same run. "Bare" is botocore's client with default settings making the very same
Query and TransactWriteItems with the bytes made beforehand.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from typing import Any

from shared.kernel.instants import DAY, format_rfc3339
from shared.limits.rates import Rates
from shared.limits.rules import Rate
from shared.storage import keys
from shared.storage.table import Table
from shared.tenants.principal import Principal, principal_to_context
from shared.transactions.service import record
from tests.benchmarks.rows import Row, cpu_each, cpu_side_by_side, row
from tests.builders.house import FRIES, NOW, PROGRAMME, House, sale
from tests.fakes import engine

SEGMENTS = 20
_CALLS = 60
_RATES = Rates(Rate(20_000, 100_000), Rate(20_000, 100_000))
"""As many as any plan has, so that calls are counted as everywhere and none is refused."""


def gateway_event(member: str, number: int, now: int) -> dict[str, Any]:
    """What the gateway hands over for one sale."""
    principal = Principal("key", "demo", "demo-aaaaaaaaaaaa", frozenset({"transactions:write"}), rates=_RATES)
    request = sale(member, at=now, lines=(("burger", 900), ("fries", 350)), receipt_number=f"bench-{number}-{uuid.uuid4().hex[:6]}")
    return {
        "version": "2.0",
        "routeKey": "POST /v1/transactions",
        "rawPath": "/v1/transactions",
        "headers": {"content-type": "application/json"},
        "requestContext": {"requestId": f"r{number}", "authorizer": {"lambda": principal_to_context(principal)}},
        "body": request.model_dump_json(exclude_defaults=True),
        "isBase64Encoded": False,
    }


def _handler(address: str) -> Any:
    """The function's own handler, wired to the engine."""
    os.environ.update(
        STAGE="bench",
        TABLE_NAME="main",
        KEYS_TABLE_NAME="keys",
        AWS_ENDPOINT_URL=address,
        AWS_REGION=engine.REGION,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        TRANSACTIONS_QUEUE_URL="none",
        DATA_BUCKET="none",
        DEAD_LETTER_URL="none",
        POWERTOOLS_METRICS_NAMESPACE="Regulars",
        POWERTOOLS_SERVICE_NAME="transaction_ingestion",
    )
    from functions.transaction_ingestion.handler import lambda_handler

    return lambda_handler


def _bare(address: str, member: str) -> Callable[[int], object]:
    """The same two requests by botocore alone, with its defaults."""
    client = engine.client(address)
    pk = keys.member("demo", member)
    query = {
        "TableName": "main",
        "KeyConditionExpression": "#p = :p AND begins_with(#s, :s)",
        "ExpressionAttributeNames": {"#p": "PK", "#s": "SK"},
        "ExpressionAttributeValues": {":p": {"S": pk}, ":s": {"S": "STATE"}},
        "ConsistentRead": True,
    }
    state = client.query(**query)["Items"][0]

    def calls(number: int) -> None:
        client.query(**query)
        sale_key = f"T#demo#REQ#bare#{number}#{uuid.uuid4().hex}"
        sale_item = {"PK": {"S": sale_key}, "SK": {"S": "REQ"}, "h": {"B": b"x" * 16}, "d": {"B": b"x" * 430}}
        entry = {"PK": {"S": pk}, "SK": {"S": f"L#{uuid.uuid4().hex}"}, "k": {"S": "purchase"}, "d": {"B": b"x" * 120}}
        when = {"ConditionExpression": "attribute_not_exists(#p)", "ExpressionAttributeNames": {"#p": "PK"}}
        same = {"ConditionExpression": "#v = :v", "ExpressionAttributeNames": {"#v": "version"}}
        puts = [
            {"TableName": "main", "Item": sale_item, "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **when},
            {"TableName": "main", "Item": entry},
            {"TableName": "main", "Item": state, "ExpressionAttributeValues": {":v": state["version"]}, **same},
        ]
        client.transact_write_items(TransactItems=[{"Put": put} for put in puts], ClientRequestToken=str(uuid.uuid4()))

    return calls


def _table_engine(table: Table, member: str, house: House) -> float:
    """CPU of the decision and the writes' bytes without any request: the engine with full trace."""
    from shared.member_state.repository import StateRepository
    from shared.transactions.gathering import circumstances
    from shared.transactions.rules import decide

    repository = StateRepository("demo", table)
    scope = house.scope()
    request = sale(member, at=house.now, lines=(("burger", 900), ("fries", 350)))
    state = repository.load(member).state
    catalogue = scope.items(["burger", "fries"])

    def work(_number: int) -> None:
        decide(request, [], circumstances(scope, house.now, request, catalogue, state))

    return cpu_each(work, 500)


def cpu_rows() -> list[Row]:
    """Handler against bare calls."""
    with engine.running_engine() as address:
        engine.create_tables(engine.client(address), "main", "keys")
        house = _house(address)
        member = house.join()
        lambda_handler = _handler(address)
        house.now = _wall()
        answer = lambda_handler(gateway_event(member, 0, house.now), None)
        assert answer["statusCode"] == 201, answer["body"]
        works = {
            "ours": lambda number: lambda_handler(gateway_event(member, number, house.now), None),
            "bare": _bare(address, house.join()),
            "making": lambda number: gateway_event(member, number, house.now),
        }
        spent = cpu_side_by_side(works, _CALLS)
        deciding = _table_engine(house.table, member, house)
    handler, bare = spent["ours"] - spent["making"], spent["bare"]
    return [
        row("handler, one sale", handler * 1e6, "us CPU", "from the gateway's event to its answer, log line and metrics included"),
        row("bare botocore, the same two requests", bare * 1e6, "us CPU", "bytes made beforehand"),
        row("handler / bare", handler / bare, "x", "must <= 1.25"),
        row("decision with full trace", deciding * 1e6, "us CPU", "coupons, points, earning"),
        row("decision / handler", deciding / handler, "x", "must <= 0.10"),
    ]


def unit_rows() -> list[Row]:
    """Units per purchase for guests with 1, 30 and 365 purchases, one a day."""
    rows = []
    with engine.running_engine() as address:
        engine.create_tables(engine.client(address), "main", "keys")
        house = _house(address)
        for before in (0, 29, 364):
            house.now = NOW
            member = house.join(at=NOW - (before + 1) * DAY)
            for number in range(before):
                at = NOW - (before - number) * DAY
                record(house.scope(), sale(member, at=at, lines=(("burger", 900), ("fries", 350), ("salad", 700))[: 1 + number % 3]))
            house.scope().items(["burger", "fries"])
            rows += _units(house, member, NOW, f"purchase {before + 1}, the day's first")
            rows += _units(house, member, NOW + 1, f"purchase {before + 2}, the day's second")
    return rows


def _units(house: House, member: str, at: int, name: str) -> list[Row]:
    """What one purchase reads and writes. A day's first re-arms the timer, unless the sweep has done it: two units of the index."""
    house.table.consumed = []
    record(house.scope(), sale(member, at=at, lines=(("burger", 900), ("fries", 350))))
    used, house.table.consumed = house.table.consumed, None
    reads = sum(each.get("CapacityUnits", 0) for each in used[:-1])
    index = sum(each["CapacityUnits"] for each in used[-1].get("GlobalSecondaryIndexes", {}).values())
    raw = house.table.get(keys.state("demo", member)) or {}
    note = f"{index:.0f} of them index; packed state {len(raw['d']['B'])} bytes"
    return [row(f"write units: {name}", used[-1]["CapacityUnits"], "WU", note), row(f"read units: {name}", reads, "RU")]


def _house(address: str) -> House:
    house = House(engine.table(address, "main"), engine.table(address, "keys")).create()
    house.publish("programme", "points", PROGRAMME)
    house.publish("offer", "fries", FRIES)
    for number in range(SEGMENTS):
        rule = {"kind": "purchases", "metric": "count", "days": 5 + number * 3, "op": "ge", "value": 1 + number}
        house.publish("segment", f"s{number}", {"name": f"S{number}", "rule": rule}, epoch=number + 1)
    return house


def _wall() -> int:
    import time

    return int(time.time() * 1000)


def run() -> list[Row]:
    """Every row, some 30 seconds."""
    return cpu_rows() + unit_rows()


if __name__ == "__main__":
    for each in run():
        print(json.dumps(each))
    print(format_rfc3339(_wall()))
