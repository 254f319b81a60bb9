"""The SNS adapter and the outbox of a local stage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from shared.aws.push_sending import SnsSender, publishing_client
from shared.messaging.push import Message, OutboxPush, PushResult, Sent, Throttled, Unclear, Unreachable
from tests.fakes.push_sending import FakeSender

ORIGIN = {"tenant": "demo", "member": "mbr_1", "delivery": "dlv_1", "campaign": "c", "step": "s"}
MESSAGE = Message("Fries", "1 € today", {"step": "s"}, origin=ORIGIN)


class FakeSns:
    """Answers or raises what it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: list[dict[str, Any]] = []

    def publish(self, **request: Any) -> dict[str, str]:
        self.calls.append(request)
        if self.error is not None:
            raise self.error
        return {"MessageId": "m-1"}


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Publish")  # type: ignore[typeddict-item]


def test_one_publish_to_the_endpoint() -> None:
    sns = FakeSns()
    assert SnsSender(sns).send("arn:e", MESSAGE) == Sent("m-1")
    ((call),) = sns.calls
    assert (call["TargetArn"], call["MessageStructure"]) == ("arn:e", "json")
    assert json.loads(call["Message"])["default"] == "Fries"
    assert "mbr_1" not in json.dumps(call)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (refusal("EndpointDisabled"), Unreachable("endpoint_disabled", dead=True)),
        (refusal("EndpointDisabledException"), Unreachable("endpoint_disabled", dead=True)),
        (refusal("NotFound", 404), Unreachable("endpoint_unknown", dead=True)),
        (refusal("PlatformApplicationDisabled"), Unreachable("application_disabled")),
        (refusal("InvalidParameter"), Unreachable("refused_by_provider")),
        (refusal("SomethingNew", 418), Unreachable("refused_by_provider")),
        (refusal("Throttling"), Throttled()),
        (refusal("ThrottlingException"), Throttled()),
        (refusal("ThrottledException", 429), Throttled()),
        (EndpointConnectionError(endpoint_url="http://x"), Throttled()),
        (ConnectTimeoutError(endpoint_url="http://x"), Throttled()),
        (refusal("InternalError", 500), Unclear()),
        (ReadTimeoutError(endpoint_url="http://x"), Unclear()),
    ],
)
def test_what_an_error_means(error: Exception, meaning: PushResult) -> None:
    assert SnsSender(FakeSns(error)).send("arn:e", MESSAGE) == meaning


def test_what_is_too_large_is_not_sent() -> None:
    sns = FakeSns()
    assert SnsSender(sns).send("arn:e", Message("a", "x" * 5000)) == Unreachable("message_too_large")
    assert sns.calls == []


def test_the_client_calls_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = publishing_client("us-east-1")
    assert client.meta.config.retries["total_max_attempts"] == 1


class FakeStore:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, name: str, body: bytes) -> None:
        self.objects[name] = body


def test_the_outbox_shows_what_was_taken_and_nothing_else() -> None:
    sender, store = FakeSender(), FakeStore()
    outbox = OutboxPush(sender, store, lambda: 0)
    sender.answers["arn:dead"] = Unreachable("endpoint_disabled")
    assert outbox.send("arn:dead", MESSAGE) == Unreachable("endpoint_disabled")
    assert store.objects == {}
    assert outbox.send("arn:e", MESSAGE) == Sent("msg-1")
    assert json.loads(store.objects["outbox/demo/mbr_1/dlv_1.json"]) == {
        **ORIGIN,
        "channel": "push",
        "title": "Fries",
        "body": "1 € today",
        "data": {"step": "s"},
        "endpoint": "arn:e",
        "sent_at": "1970-01-01T00:00:00Z",
    }
