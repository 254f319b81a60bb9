"""Direct access to what the local stage stores, for tools that check or repair it. The story itself uses HTTP alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from local import console, deploy
from local.env import running_instance
from shared.storage.errors import RawItem
from shared.storage.table import Credentials, Table

REGION = "us-east-1"
_CREDENTIALS = Credentials("test", "test", "")
_LOGIN: dict[str, Any] = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
"""The local AWS takes any."""


@dataclass(slots=True)
class Store:
    """Tables, queues and bucket of a local deployment."""

    endpoint: str
    outputs: Mapping[str, str]
    main: Table
    keys: Table

    @classmethod
    def at(cls, endpoint: str, outputs: Mapping[str, str]) -> Store:
        """Of a deployment's address and outputs."""
        made = (Table(outputs[name], REGION, endpoint, _CREDENTIALS) for name in ("TableName", "KeysTableName"))
        return cls(endpoint, outputs, *made)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Store:
        """Of the instance that runs."""
        if "endpoint" not in facts:
            raise console.Failure("nothing is deployed here", "Run `make up` (or `make demo`).")
        return cls.at(facts["endpoint"], deploy.outputs_of(running_instance()))

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS."""
        session: Any = boto3
        return session.client(service, region_name=REGION, endpoint_url=self.endpoint, **_LOGIN)

    def scan(self) -> Iterator[RawItem]:
        """Every item of the main table. Tools only: no function may scan."""
        dynamodb = self.client("dynamodb")
        for page in dynamodb.get_paginator("scan").paginate(TableName=self.outputs["TableName"], ConsistentRead=True):
            yield from page["Items"]
