"""A real DynamoDB engine in a process of its own (dynoxide, in memory): for races, tokens and capacity, where moto lies."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session
import pytest

from local.tools import dynoxide
from shared.storage.table import Credentials, Table

REGION = "us-east-1"
CREDENTIALS = Credentials("test", "test", "test")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_engine() -> Iterator[str]:
    """Start the engine, answer its address, and stop it. Skips where the platform has none."""
    binary = dynoxide()
    if binary is None or not binary.exists():
        pytest.fail("dynoxide is not installed; run `make setup`")
    port = free_port()
    process = subprocess.Popen([str(binary), "serve", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(5)


def _wait(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("the engine did not start")


@cache
def client(endpoint: str) -> Any:
    """A botocore client of the engine, made once: making one takes longer than most tests."""
    session = botocore.session.get_session()
    session.set_credentials("test", "test")
    return session.create_client("dynamodb", region_name=REGION, endpoint_url=endpoint)


def create_tables(dynamodb: Any, main: str, keys: str, *, stream: bool = True) -> None:
    """Both tables as the state stack makes them (a test in tests/infra compares them with the template), or without the stream."""
    dynamodb.create_table(TableName=main, **(MAIN_TABLE if stream else without_stream()))
    dynamodb.create_table(TableName=keys, **KEYS_TABLE)


def _key(name: str, kind: str) -> dict[str, str]:
    return {"AttributeName": name, "KeyType": kind}


def _index(name: str) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [_key(f"{name}PK", "HASH"), _key(f"{name}SK", "RANGE")],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }


def _strings(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


MAIN_TABLE: dict[str, Any] = {
    "KeySchema": [_key("PK", "HASH"), _key("SK", "RANGE")],
    "AttributeDefinitions": _strings("PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK"),
    "GlobalSecondaryIndexes": [_index("GSI1"), _index("GSI2")],
    "BillingMode": "PAY_PER_REQUEST",
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}
KEYS_TABLE: dict[str, Any] = {
    "KeySchema": [_key("PK", "HASH"), _key("SK", "RANGE")],
    "AttributeDefinitions": _strings("PK", "SK"),
    "BillingMode": "PAY_PER_REQUEST",
}


def without_stream() -> dict[str, Any]:
    """The main table without its stream, which on the engine makes each write dearer the more were made before."""
    return {name: value for name, value in MAIN_TABLE.items() if name != "StreamSpecification"}


def table(endpoint: str, name: str) -> Table:
    """One of our tables on the engine; all of them share one client of the product's own settings."""
    is_of_keys = "keys" in name
    return share_client(Table(name, REGION, endpoint, CREDENTIALS, noted=not is_of_keys), endpoint)


def share_client(table: Table, endpoint: str) -> Any:
    """The same table over the one client that the tests of an engine share."""
    table.__dict__["_client"] = _product_client(endpoint)
    return table


@cache
def _product_client(endpoint: str) -> Any:
    return Table("any", REGION, endpoint, CREDENTIALS)._client
