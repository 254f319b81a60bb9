"""The senders over AWS: what they call, what an answer means; and the outbox of a local stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ParamValidationError, ReadTimeoutError
from botocore.session import get_session
from botocore.validate import ParamValidator

from shared.aws.email_sending import SesSender
from shared.aws.handing_over import calling_once
from shared.aws.push_sending import SnsSender
from shared.aws.senders import senders
from shared.aws.sms_sending import SmsSender
from shared.messaging.email import unsubscribe_headers
from shared.messaging.fence import Fence
from shared.messaging.outbox import Outbox
from shared.messaging.port import Message, Result, Sender, Sent, Throttled, Unclear, Unreachable
from shared.tenants.messaging import CHANNELS, EmailSettings, SmsSettings
from tests.fakes.senders import FakeSender

ORIGIN = {"tenant": "demo", "member": "mbr_1", "delivery": "dlv_1", "campaign": "c", "step": "s"}
MESSAGE = Message("Fries", "1 € today", {"step": "s"}, origin=ORIGIN)
MAIL = replace(
    MESSAGE,
    headers=unsubscribe_headers("https://x.example/u/a/b"),
    settings=EmailSettings(from_address="a@b.example", reply_to="c@b.example", configuration_set="x", ses_tenant="y"),
)
SMS = replace(MESSAGE, settings=SmsSettings(origination="pool-1", configuration_set="x", protect_configuration="y", max_price="0.05"))


class FakeClient:
    """Answers or raises what it is told, and checks requests as botocore would."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: list[dict[str, Any]] = []

    def _call(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, str]:
        self.calls.append(request)
        shape = get_session().get_service_model(service).operation_model(operation).input_shape
        assert not ParamValidator().validate(request, shape).has_errors()
        if self.error is not None:
            raise self.error
        return {"MessageId": "m-1"}

    def publish(self, **request: Any) -> dict[str, str]:
        return self._call("sns", "Publish", request)

    def send_email(self, **request: Any) -> dict[str, str]:
        return self._call("sesv2", "SendEmail", request)

    def send_text_message(self, **request: Any) -> dict[str, str]:
        return self._call("pinpoint-sms-voice-v2", "SendTextMessage", request)


def refusal(code: str, status: int = 400, reason: str = "") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError({**answer, "Reason": reason} if reason else answer, "Send")


def test_one_publish_to_the_endpoint() -> None:
    sns = FakeClient()
    assert SnsSender(sns).send("arn:e", MESSAGE) == Sent("m-1")
    ((call),) = sns.calls
    assert (call["TargetArn"], call["MessageStructure"]) == ("arn:e", "json")
    assert json.loads(call["Message"])["default"] == "Fries"
    assert "mbr_1" not in json.dumps(call)


def test_one_mail_to_the_address() -> None:
    ses = FakeClient()
    assert SesSender(ses).send("anna@example.com", replace(MAIL, html="<p>x</p>")) == Sent("m-1")
    ((call),) = ses.calls
    assert call["Destination"] == {"ToAddresses": ["anna@example.com"]}
    assert call["TenantName"] == "y"


@pytest.mark.parametrize("lacking", ["List-Unsubscribe", "List-Unsubscribe-Post"])
def test_marketing_that_nobody_can_unsubscribe_from_is_not_sent(lacking: str) -> None:
    ses = FakeClient()
    headers = {name: value for name, value in MAIL.headers.items() if name != lacking}
    assert SesSender(ses).send("anna@example.com", replace(MAIL, headers=headers)) == Unreachable("no_unsubscribe")
    mailbox_only = {**MAIL.headers, "List-Unsubscribe": "<mailto:no@b.example>"}
    assert SesSender(ses).send("anna@example.com", replace(MAIL, headers=mailbox_only)) == Unreachable("no_unsubscribe")
    assert ses.calls == []
    assert SesSender(ses).send("anna@example.com", replace(MAIL, headers={}, service=True)) == Sent("m-1")


def test_one_sms_to_the_number() -> None:
    provider = FakeClient()
    assert SmsSender(provider).send("+491701234567", SMS) == Sent("m-1")
    ((call),) = provider.calls
    assert (call["DestinationPhoneNumber"], call["MessageBody"]) == ("+491701234567", "1 € today")


SENDERS: dict[str, tuple[Callable[[Any], Sender], str, Message]] = {
    "push": (SnsSender, "arn:e", MESSAGE),
    "email": (SesSender, "a@b.example", MAIL),
    "sms": (SmsSender, "+49170", SMS),
}
SAME_FOR_ALL = [
    (refusal("Throttling"), Throttled()),
    (refusal("ThrottlingException"), Throttled()),
    (refusal("ThrottledException", 429), Throttled()),
    (refusal("TooManyRequestsException", 429), Throttled()),
    (EndpointConnectionError(endpoint_url="http://x"), Throttled()),
    (ConnectTimeoutError(endpoint_url="http://x"), Throttled()),
    (refusal("InternalError", 500), Unclear()),
    (ReadTimeoutError(endpoint_url="http://x"), Unclear()),
    (refusal("SomethingNew", 418), Unreachable("refused_by_provider")),
    (ParamValidationError(report="x"), Unreachable("refused_by_provider")),
]
EACH: list[tuple[str, Exception, Result]] = [
    ("push", refusal("EndpointDisabled"), Unreachable("endpoint_disabled", dead=True)),
    ("push", refusal("EndpointDisabledException"), Unreachable("endpoint_disabled", dead=True)),
    ("push", refusal("NotFound", 404), Unreachable("endpoint_unknown", dead=True)),
    ("push", refusal("PlatformApplicationDisabled"), Unreachable("application_disabled")),
    ("push", refusal("InvalidParameter"), Unreachable("refused_by_provider")),
    ("email", refusal("MessageRejected"), Unreachable("message_rejected")),
    ("email", refusal("MailFromDomainNotVerifiedException"), Unreachable("domain_not_verified")),
    ("email", refusal("AccountSuspendedException"), Unreachable("account_suspended")),
    ("email", refusal("SendingPausedException"), Unreachable("sending_paused")),
    ("email", refusal("LimitExceededException"), Throttled()),
    ("email", refusal("BadRequestException"), Unreachable("refused_by_provider")),
    ("sms", refusal("ConflictException", reason="DESTINATION_PHONE_NUMBER_OPTED_OUT"), Unreachable("opted_out", dead=True)),
    ("sms", refusal("ConflictException", reason="RESOURCE_NOT_ACTIVE"), Unreachable("refused_by_provider")),
    ("sms", refusal("ValidationException", reason="PRICE_OVER_THRESHOLD"), Unreachable("too_expensive")),
    ("sms", refusal("ServiceQuotaExceededException", 402, "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"), Unreachable("spend_limit_reached")),
    ("sms", refusal("com.amazonaws#AccessDeniedException"), Unreachable("not_authorized")),
    ("sms", refusal("InternalServerException", 500), Unclear()),
]
EACH += [(channel, error, meaning) for channel in SENDERS for error, meaning in SAME_FOR_ALL]


@pytest.mark.parametrize(("channel", "error", "meaning"), EACH)
def test_what_an_error_means(channel: str, error: Exception, meaning: Result) -> None:
    make, address, message = SENDERS[channel]
    client = FakeClient(error)
    assert make(client).send(address, message) == meaning
    assert len(client.calls) == 1


@pytest.mark.parametrize(
    ("channel", "address", "message", "reason"),
    [
        ("push", "arn:e", Message("a", "x" * 5000), "message_too_large"),
        ("email", "a@b.example", MESSAGE, "not_configured"),
        ("sms", "+49170", MESSAGE, "not_configured"),
        ("sms", "0170", SMS, "invalid_number"),
        ("sms", "+49170", replace(SMS, body="x" * 1601), "message_too_large"),
    ],
)
def test_what_cannot_be_sent_is_not(channel: str, address: str, message: Message, reason: str) -> None:
    client = FakeClient()
    assert SENDERS[channel][0](client).send(address, message) == Unreachable(reason)
    assert client.calls == []


@pytest.mark.parametrize("service", ["sns", "sesv2", "pinpoint-sms-voice-v2"])
def test_the_clients_call_once(monkeypatch: pytest.MonkeyPatch, service: Any) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = calling_once(service, "us-east-1")
    assert client.meta.config.retries["total_max_attempts"] == 1


# -- the outbox -----------------------------------------------------------------------------------------------------------


class FakeStore:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, name: str, body: bytes) -> None:
        self.objects[name] = body


def test_the_outbox_shows_what_was_taken_and_nothing_else() -> None:
    sender, store = FakeSender(), FakeStore()
    outbox = Outbox("push", sender, store, lambda: 0)
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


def test_the_outbox_shows_a_page_as_the_guest_has_it() -> None:
    store = FakeStore()
    message = replace(MAIL, html="<b>x</b>", headers={"List-Unsubscribe": "<y>"})
    Outbox("email", FakeSender(), store, lambda: 0).send("anna@example.com", message)
    record = json.loads(store.objects["outbox/demo/mbr_1/dlv_1.json"])
    assert (record["html"], record["headers"], record["address"]) == ("<b>x</b>", {"List-Unsubscribe": "<y>"}, "anna@example.com")


def test_a_stage_has_a_sender_for_every_channel_and_a_local_one_keeps_what_they_send() -> None:
    def no_scope(tenant: str) -> Any:
        raise AssertionError(tenant)

    assert set(senders("us-east-1", None, lambda: 0, no_scope)) == set(CHANNELS)
    store = FakeStore()
    local = senders("us-east-1", "http://127.0.0.1:1", lambda: 0, no_scope, store)
    assert local["sms"].send("+491701234567", SMS) == Sent("local-dlv_1")
    assert json.loads(store.objects["outbox/demo/mbr_1/dlv_1.json"])["channel"] == "sms"
    assert all(isinstance(each, Fence) and isinstance(each.inner, Outbox) for each in local.values())
