"""The two consumers: messages as the queue brings them, and what is none of theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.campaign_planning import handler as planning
from functions.campaign_planning.settings import PlanningSettings
from functions.campaign_sending import handler as sending
from functions.campaign_sending.settings import SendingSettings
from shared.aws.settings import read_settings
from shared.campaigns import service
from shared.kernel.instants import HOUR, format_rfc3339
from shared.storage import keys
from shared.tenants.scope import TenantScope
from tests.builders.campaigns import NEWS, WELCOME, Post
from tests.builders.house import NOW, House
from tests.fakes.senders import only

COMMON = read_settings({"STAGE": "test", "TABLE_NAME": "main", "KEYS_TABLE_NAME": "keys"})


class FakeSqs:
    """What was sent, by queue."""

    def __init__(self) -> None:
        self.sent: dict[str, list[dict[str, Any]]] = {}
        self.reasons: list[str] = []

    def send_message(self, QueueUrl: str, MessageBody: str, **more: Any) -> None:
        self.sent.setdefault(QueueUrl, []).append(json.loads(MessageBody))
        if "MessageAttributes" in more:
            self.reasons.append(more["MessageAttributes"]["reason"]["StringValue"])

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        self.sent.setdefault(QueueUrl, []).extend(json.loads(entry["MessageBody"]) for entry in Entries)
        return {}


class FakeRuntime:
    """``Runtime`` over a house."""

    master_secret = bytes(range(32))

    def __init__(self, house: House) -> None:
        self.house, self.sqs = house, FakeSqs()

    def begin(self, context: object) -> None:
        """Nothing to begin."""

    def client(self, service_: str) -> FakeSqs:
        assert service_ == "sqs"
        return self.sqs

    def worker_scope(self, tenant: str, *pks: str) -> TenantScope:
        scope = self.house.scope()
        scope.tenant = tenant
        for pk in pks:
            scope.own(pk)
        return scope


@pytest.fixture
def post(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """A tenant, with both functions wired to it."""
    post = Post.of(bare_house)
    runtime = FakeRuntime(bare_house)
    for module in (planning, sending):
        monkeypatch.setattr(module, "runtime", lambda: runtime)
    monkeypatch.setattr(planning, "settings", lambda: PlanningSettings(COMMON, "planning", "dead", "sending"))
    monkeypatch.setattr(sending, "settings", lambda: SendingSettings(COMMON, "sending", "dead", "bucket", outbox=False))
    monkeypatch.setattr(sending, "providers", lambda: only(post.sender))
    sending._form_key.cache_clear()
    yield post
    sending._form_key.cache_clear()


def sqs() -> FakeSqs:
    client: Any = planning.runtime().client("sqs")
    assert isinstance(client, FakeSqs)
    return client


def batch(*bodies: Any) -> dict[str, Any]:
    return {"Records": [{"messageId": str(number), "body": json.dumps(body)} for number, body in enumerate(bodies)]}


def bus(detail: Any) -> dict[str, Any]:
    return {"version": "0", "source": "regulars", "detail-type": "commit", "detail": detail}


def test_from_the_bus_to_the_provider(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member, told = post.registered()
    assert planning.lambda_handler(batch(bus(told.detail()))) == {"batchItemFailures": []}
    (order,) = sqs().sent["sending"]
    assert sending.lambda_handler(batch(order)) == {"batchItemFailures": []}
    assert post.sender.members == [member]


def test_a_campaign_that_falls_due_is_walked_through(post: Post) -> None:
    members = [post.guest() for _ in range(3)]
    post.list_all(members)
    post.campaign("news", NEWS | {"trigger": {"kind": "once", "at": format_rfc3339(NOW + HOUR)}})
    post.house.now += HOUR
    planning.lambda_handler(batch({"kind": "campaign_due", "tenant": "demo", "campaign": "news"}))
    assert service.known_run(post.house.scope(), "news").state == "sending"
    planning.lambda_handler(batch(bus(post.envelope(keys.campaign("demo", "news")).detail())))
    (walk,) = sqs().sent["planning"]
    planning.lambda_handler(batch(walk))
    (order,) = sqs().sent["sending"]
    assert sorted(order["members"]) == sorted(members)


@pytest.mark.parametrize(
    ("module", "body", "reason"),
    [
        (planning, {"kind": "other"}, "Poison: no message of this queue"),
        (planning, bus("nothing"), "Poison: not an envelope"),
        (planning, {"kind": "plan", "tenant": "demo"}, "Poison: no walk over an audience"),
        (planning, {"kind": "campaign_due", "tenant": "demo"}, "Poison: no campaign that is due"),
        (planning, {"kind": "campaign_due", "tenant": "demo", "campaign": "nothing"}, "Poison: no such campaign"),
        (
            planning,
            {"kind": "plan", "tenant": "demo", "campaign": "c", "revision": 1, "cursor": {"PK": {"S": "T#other#M#mbr_1"}}},
            "Poison: a key of another tenant in an event of demo",
        ),
        (sending, {"tenant": "demo"}, "Poison: no order to send"),
        (
            sending,
            {"tenant": "Other!", "campaign": "c", "version": 1, "step": "s", "occurrence": "o", "members": ["mbr_1"]},
            "Poison: a tenant id is 4 to 26 characters a-z 0-9",
        ),
    ],
)
def test_what_can_never_be_worked_on_ends_in_the_dead_letters_with_its_reason(post: Post, module: Any, body: Any, reason: str) -> None:
    assert module.lambda_handler(batch(body)) == {"batchItemFailures": []}
    assert sqs().reasons == [reason]


def test_an_envelope_of_another_tenant_than_its_key_is_poison(post: Post) -> None:
    _, told = post.registered()
    planning.lambda_handler(batch(bus(told.detail() | {"tenant": "other"})))
    assert sqs().reasons == ["Poison: the envelope's tenant is not that of its key"]
