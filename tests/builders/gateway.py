"""The function transaction_ingestion as it is deployed: its own settings and wiring, gateway events, S3, SQS and KMS by moto."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from moto import mock_aws

from functions.transaction_ingestion import handler
from functions.transaction_ingestion.settings import IngestionSettings, ingestion_settings
from shared.aws.runtime import Runtime
from shared.http.routes import ROUTES, Route
from shared.kernel.instants import format_rfc3339
from shared.storage import keys
from shared.storage.items import KeyringItem
from shared.storage.table import botocore_session
from shared.tenants.principal import Principal
from tests.builders.house import NOW, House, sale
from tests.unit.http.events import event_for

REGION = "us-east-1"
_serial = itertools.count(1)
BY_OPERATION: dict[str, Route] = {route.operation: route for route in ROUTES if route.function == "transaction_ingestion"}
NOBODY = "mbr_00000000000000000000000000"
LINE = {"id": "1", "item_id": "burger", "unit_price": 900}
TILL = frozenset({"transactions:write", "transactions:read", "transactions:review", "reports:read"})


@dataclass(frozen=True)
class Said:
    """An answer. ``text`` is its body as sent."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Pointer and code of each thing wrong."""
        return [(each["pointer"], each["code"]) for each in self.body.get("errors", [])]


@dataclass
class Cloud:
    """Moto's services, started once for many tests: clients are the slow part."""

    kms: Any
    sqs: Any
    s3: Any
    kms_key: str
    of_functions: dict[str, Any] = field(default_factory=dict)
    """Clients that functions made, kept as in a warm environment."""


@contextmanager
def running_cloud() -> Iterator[Cloud]:
    """Moto in this process."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        kms, sqs, s3 = (botocore_session().create_client(name, region_name=REGION) for name in ("kms", "sqs", "s3"))
        yield Cloud(kms, sqs, s3, kms.create_key()["KeyMetadata"]["KeyId"])


class Till:
    """Calls of tills, over tenants whose tables are the house's, with queues and a bucket of the test's own."""

    def __init__(self, house: House, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house, self.sqs, self.s3, self.kms, self.kms_key = house, cloud.sqs, cloud.s3, cloud.kms, cloud.kms_key
        number = next(_serial)
        self.queue, self.dead = (self.sqs.create_queue(QueueName=f"{name}-{number}")["QueueUrl"] for name in ("transactions", "dead"))
        self.bucket = f"data-of-test-{number}"
        self.s3.create_bucket(Bucket=self.bucket)
        values = {"STAGE": "test", "AWS_REGION": REGION, "TABLE_NAME": house.table.name, "KEYS_TABLE_NAME": house.key_table.name}
        values |= {"TRANSACTIONS_QUEUE_URL": self.queue, "DEAD_LETTER_URL": self.dead, "DATA_BUCKET": self.bucket}
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        for name in ("TENANT_ROLE_ARN", "LOCAL_CLOCK", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name, raising=False)
        settings: IngestionSettings = ingestion_settings()
        self.runtime = Runtime(settings.common, wall=lambda: house.now / 1000)
        # The tables are on an engine that takes transactions seriously; everything else is moto's.
        self.runtime.table, self.runtime.key_table = house.table, house.key_table
        self.runtime._clients = cloud.of_functions
        monkeypatch.setattr(handler, "settings", lambda: settings)
        monkeypatch.setattr(handler, "runtime", lambda: self.runtime)
        self.give_keys(house.tenant)

    def give_keys(self, tenant: str) -> None:
        """A keyring as the operator makes one: wrapped by KMS for this tenant alone."""
        context = {"tenant": tenant}
        plain = (bytes(range(32)), bytes(range(32, 64)))
        sealed = [self.kms.encrypt(KeyId=self.kms_key, Plaintext=each, EncryptionContext=context) for each in plain]
        kek, index_key = (each["CiphertextBlob"] for each in sealed)
        self.house.key_table.put(KeyringItem.at(keys.tenant_keyring(tenant), kek=kek, index_key=index_key))

    # -- calls --------------------------------------------------------------------------------------------------------

    def call(
        self,
        operation: str,
        body: Any = None,
        *,
        tenant: str | None = None,
        scopes: frozenset[str] = TILL,
        location: str | None = None,
        caller: Any = ...,
        query: dict[str, str] | None = None,
        **path: str,
    ) -> Said:
        """Call an operation with a key of a tenant. ``body`` may be text that is not JSON; ``caller`` replaces the principal."""
        if caller is ...:
            of = tenant or self.house.tenant
            caller = Principal(kind="key", tenant=of, id=f"{of}-aaaaaaaaaaaa", scopes=scopes, location=location)
        sent = body if isinstance(body, str) or body is None else json.dumps(body)
        parameters = {"pathParameters": path, "queryStringParameters": query}
        answer = handler.lambda_handler(event_for(BY_OPERATION[operation], caller, **parameters, body=sent))
        return Said(answer["statusCode"], answer.get("body", ""), answer["headers"])

    # -- the queue ----------------------------------------------------------------------------------------------------

    def waiting(self, url: str | None = None) -> list[dict[str, Any]]:
        """The messages of a queue, taken out of it."""
        found: list[dict[str, Any]] = []
        while batch := self.sqs.receive_message(
            QueueUrl=url or self.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        ).get("Messages"):
            for message in batch:
                self.sqs.delete_message(QueueUrl=url or self.queue, ReceiptHandle=message["ReceiptHandle"])
            found += batch
        return found

    def deliver(self, *bodies: Any, receives: int = 1) -> list[str]:
        """Hand messages to the function as Lambda does; answers the ids of those that come again: their places in the batch."""
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        attributes = {"ApproximateReceiveCount": str(receives)}
        records = [{"messageId": str(place), "body": text, "attributes": attributes} for place, text in enumerate(texts)]
        answer = handler.lambda_handler({"Records": records})
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def work(self) -> list[str]:
        """Deliver everything that waits."""
        return self.deliver(*(message["Body"] for message in self.waiting()))

    # -- what is stored -----------------------------------------------------------------------------------------------

    def stored(self) -> list[Any]:
        """Everything in both tables, the bucket and the queue's length, in comparable form."""
        tables = [each._client.scan(TableName=each.name, ConsistentRead=True)["Items"] for each in (self.house.table, self.house.key_table)]
        items = [sorted(found, key=lambda item: (item["PK"]["S"], item["SK"]["S"])) for found in tables]
        names = [each["Key"] for each in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]
        counts = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        return [*items, names, counts]


# -- bodies and calls -------------------------------------------------------------------------------------------------


def sold(member: str | None = None, *lines: tuple[str, int], **more: Any) -> dict[str, Any]:
    """The body of a sale."""
    return sale(member, lines=lines or (("burger", 900),), **more).model_dump(mode="json", exclude_defaults=True)


def basket(member: str | None = None, *lines: tuple[str, int], **more: Any) -> dict[str, Any]:
    """The body of a quote; of a hold with a ``basket_id``."""
    body = sold(member, *lines)
    del body["business_date"], body["receipt_number"]
    return body | more


def return_of(transaction: str, **more: Any) -> dict[str, Any]:
    """The body of a return, with a receipt number of its own."""
    body = sold()
    kept = {name: body[name] for name in ("source", "location_id", "business_date", "receipt_number", "occurred_at")}
    return kept | {"transaction_id": transaction} | more


def happened(member: str, **more: Any) -> dict[str, Any]:
    """The body of an event."""
    return {"event_id": f"e{next(_serial)}", "member_id": member, "type": "app_opened", "occurred_at": format_rfc3339(NOW)} | more


def recorded(till: Till, body: dict[str, Any]) -> str:
    """Record a sale; answers its id."""
    said = till.call("record_transaction", body)
    assert said.status == 201, said.text
    transaction: str = said.body["transaction_id"]
    return transaction


def held(till: Till, member: str, **more: Any) -> str:
    """Hold something; answers the hold's id."""
    said = till.call("create_hold", basket(member, basket_id=f"hold-{next(_serial)}", **more))
    assert said.status == 201, said.text
    hold: str = said.body["hold_id"]
    return hold


def every_call(till: Till) -> dict[str, tuple[Any, dict[str, Any]]]:
    """A good call of every operation: body and path."""
    member = till.house.join()
    anonymous, bought, hold = recorded(till, sold()), recorded(till, sold(member)), held(till, member)
    job = till.call("import_transactions", {"transactions": [sold()]}).body["job_id"]
    till.waiting()
    lookup = sold()
    till.call("record_transaction", lookup)
    names = ("source", "location_id", "business_date", "receipt_number")
    calls: dict[str, tuple[Any, dict[str, Any]]] = {
        "quote": (basket(member), {}),
        "create_hold": (basket(member, basket_id="new"), {}),
        "get_hold": (None, {"hold_id": hold}),
        "release_hold": (None, {"hold_id": hold}),
        "extend_hold": ({"ttl_seconds": 60}, {"hold_id": hold}),
        "record_transaction": (sold(member), {}),
        "lookup_transaction": ({name: lookup[name] for name in names}, {}),
        "import_transactions": ({"transactions": [sold(member)]}, {}),
        "get_job": (None, {"job_id": job}),
        "get_transaction": (None, {"transaction_id": bought}),
        "explain_transaction": (None, {"transaction_id": bought}),
        "void_transaction": (None, {"transaction_id": bought}),
        "claim_transaction": ({"member": {"id": member}}, {"transaction_id": anonymous}),
        "record_return": (return_of(bought), {}),
        "report_offline_losses": (None, {"location_id": "mitte"}),
        "approve_transaction": ({"reason": "checked"}, {"transaction_id": bought}),
        "reject_transaction": ({"reason": "checked"}, {"transaction_id": bought}),
        "report_counter": (None, {}),
        "list_flagged": (None, {}),
        "record_event": (happened(member), {}),
    }
    assert calls.keys() == BY_OPERATION.keys()
    return calls


def refused(said: Said, status: int, code: str, what: str = "") -> None:
    """A problem document with that status and code."""
    assert (said.status, said.body["code"]) == (status, code), f"{what}: {said.text}"
    assert said.headers["content-type"] == "application/problem+json"
    assert said.body["type"] == f"urn:regulars:problem:{code}"
