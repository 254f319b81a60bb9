"""What providers tell, and what follows for the guest: through the function, on a real engine."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from functions.delivery_feedback import handler
from shared.kernel.instants import MINUTE, format_rfc3339
from shared.members import api, changes
from shared.members.repository import Device, MemberRepository
from shared.members.silencing import UnknownSuppression, lift
from shared.messaging.port import OPTED_OUT
from shared.storage import keys
from shared.storage.items import IdentifierItem, TenantEntryItem
from shared.storage.table import WriteBatch
from tests.builders.guests import Guests
from tests.builders.house import House

ENDPOINT = "arn:aws:sns:eu-central-1:123456789012:endpoint/GCM/regulars-test-demo-gcm/3f08fd15"
NOBODY = "mbr_00000000000000000000000000"


class Worker:
    """The function over the guests' tenant; ``dead`` is its dead-letter queue, ``tokens`` what push knows."""

    def __init__(self, guests: Guests, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dead: list[str] = []
        self.tokens: dict[str, str] = {}
        sqs = SimpleNamespace(send_message=lambda **request: self.dead.append(request["MessageAttributes"]["reason"]["StringValue"]))
        house = guests.house

        def worker_scope(tenant: str, *pks: str) -> Any:
            scope = House(house.table, house.key_table, tenant=tenant, now=house.now).scope() if tenant != "demo" else house.scope()
            for pk in pks:
                scope.own(pk)
            return scope

        home = SimpleNamespace(begin=lambda _context: None, worker_scope=worker_scope, client=lambda _name: sqs, table=house.table)
        settings = SimpleNamespace(common=SimpleNamespace(stage="test"), dead_letter_url="dead")
        push = SimpleNamespace(token_of=self.tokens.get)
        for name, value in (("runtime", home), ("settings", settings), ("push", push)):
            monkeypatch.setattr(handler, name, lambda value=value: value)

    def hears(self, body: dict[str, Any], times: int = 1) -> None:
        """The queue gives the function a body."""
        for _ in range(times):
            record = {"messageId": "1", "body": json.dumps(body), "attributes": {"ApproximateReceiveCount": "1"}}
            assert handler.lambda_handler({"Records": [record]}) == {"batchItemFailures": []}


@pytest.fixture
def guests(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Guests:
    return Guests(bare_house, monkeypatch)


@pytest.fixture
def worker(guests: Guests, monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(guests, monkeypatch)


def ses(guests: Guests, type_: str, origin: Any, address: str = "anna@example.com", **part: Any) -> dict[str, Any]:
    name = type_.lower()
    recipients = {"bounce": "bouncedRecipients", "complaint": "complainedRecipients"}.get(name, "recipients")
    inner = {"timestamp": format_rfc3339(guests.house.now), recipients: [{"emailAddress": address}], **part}
    tags = {each: [origin[each]] for each in ("tenant", "member", "delivery", "campaign")}
    mail = {"timestamp": format_rfc3339(guests.house.now), "tags": tags}
    return {"source": "aws.ses", "detail": {"eventType": type_, name: inner, "mail": mail}}


def sms(type_: str, origin: Any) -> dict[str, Any]:
    context = {each: origin[each] for each in ("tenant", "member", "delivery")}
    return {"eventType": type_, "eventTimestamp": 1, "messageId": "m", "destinationPhoneNumber": "+4930123456", "context": context}


def granted(guests: Guests, member: str) -> set[str]:
    return {name for name, each in guests.house.state(member).consents.items() if each.granted}


def responses(guests: Guests, member: str) -> set[str]:
    return set().union(*(each.responded for each in guests.post.deliveries(member)))


# -- e-mail -----------------------------------------------------------------------------------------------------------


def test_a_hard_bounce_closes_the_channel_however_often_it_is_told(guests: Guests, worker: Worker) -> None:
    member = guests.guest()
    letter = guests.letter(member)
    body = ses(guests, "Bounce", letter.origin, bounceType="Permanent", bounceSubType="General")
    worker.hears(body)
    assert guests.told(member) == ["channel.suppressed"]
    version = guests.house.state(member).version
    worker.hears(body, times=2)
    state = guests.house.state(member)
    assert (state.suppressed, state.version) == ({"email": "bounce"}, version)
    assert responses(guests, member) == {"bounced"}
    assert granted(guests, member) == {"marketing:email", "marketing:sms", "marketing:push", "marketing:inbox"}
    assert guests.post.deliver(guests.post.order("letter", "tell", [member], "2")) == {"suppressed": 1}


def test_what_follows_is_done_again_if_it_broke_off_before_it_was_noted(guests: Guests, worker: Worker) -> None:
    """Suppressed, and the note of it lost; then the same is told again."""
    member = guests.guest()
    letter = guests.letter(member)
    body = ses(guests, "Bounce", letter.origin, bounceType="Permanent")
    guests.post.happens(member)
    worker.hears(ses(guests, "Bounce", {**letter.origin, "delivery": "dlv_none"}, bounceType="Permanent"))
    assert (guests.house.state(member).suppressed, responses(guests, member)) == ({"email": "bounce"}, set())
    worker.hears(body)
    assert responses(guests, member) == {"bounced"}


def test_a_soft_bounce_is_counted_and_no_more(guests: Guests, worker: Worker) -> None:
    member = guests.guest()
    letter = guests.letter(member)
    worker.hears(ses(guests, "Bounce", letter.origin, bounceType="Transient"))
    assert (guests.house.state(member).suppressed, responses(guests, member)) == ({}, {"bounced"})


def test_a_complaint_withdraws_what_she_allowed_by_e_mail(guests: Guests, worker: Worker) -> None:
    member = guests.guest()
    letter = guests.letter(member)
    worker.hears(ses(guests, "Complaint", letter.origin, complaintFeedbackType="abuse"), times=2)
    assert guests.house.state(member).suppressed == {"email": "complaint"}
    assert granted(guests, member) == {"marketing:sms", "marketing:push", "marketing:inbox"}
    (record,) = MemberRepository("demo", guests.house.table).consents(member, guests.house.scope().cipher(member))
    assert (record["source"], record["proof"], record["channel"]) == ("complaint", letter.origin["delivery"], "email")
    assert responses(guests, member) == {"complained"}


def test_a_bounce_of_an_old_address_holds_nothing_back(guests: Guests, worker: Worker) -> None:
    member = guests.guest()
    letter = guests.letter(member)
    worker.hears(ses(guests, "Bounce", letter.origin, "old@example.com", bounceType="Permanent"))
    assert (guests.house.state(member).suppressed, responses(guests, member)) == ({}, {"bounced"})


def test_delivered_and_opened(guests: Guests, worker: Worker) -> None:
    member = guests.guest()
    letter = guests.letter(member)
    worker.hears(ses(guests, "Delivery", letter.origin), times=2)
    worker.hears(ses(guests, "Open", letter.origin))
    assert guests.told(member) == ["message.opened"]
    assert responses(guests, member) == {"delivered", "opened"}


# -- SMS --------------------------------------------------------------------------------------------------------------


TEXT: dict[str, Any] = {
    "name": "Text", "trigger": {"kind": "once"},
    "steps": [{"id": "tell", "channel": "sms", "content": {"en": {"title": "T", "body": "B"}}}],
}  # fmt: skip


def test_an_sms_that_arrived_and_a_number_that_does_not_exist(guests: Guests, worker: Worker) -> None:
    member = guests.guest()
    origin = guests.letter(member, TEXT, campaign="text").origin
    worker.hears(sms("TEXT_DELIVERED", origin))
    assert (guests.house.state(member).suppressed, responses(guests, member)) == ({}, {"delivered"})
    worker.hears(sms("TEXT_INVALID", origin))
    assert guests.house.state(member).suppressed == {"sms": "bounce"}


def stop(number: str = "+4930123456", to: str = "+491700000") -> dict[str, Any]:
    return {"originationNumber": number, "destinationNumber": to, "messageBody": "STOP", "inboundMessageId": "i"}


def test_a_guest_who_writes_stop_gets_no_more_sms(guests: Guests, worker: Worker) -> None:
    guests.house.table.put(TenantEntryItem.at(keys.tenant_entry("demo"), tenant="demo", status="active", due_shards=1))
    member = guests.guest()
    blind = guests.house.scope().blind("phone", "+4930123456")
    guests.house.table.put(IdentifierItem.at(keys.identifier("demo", "phone", blind), member=member, kind="phone"))
    guests.post.messaging(sms={"origination": "+491711111"})
    worker.hears(stop())
    assert guests.house.state(member).suppressed == {}
    guests.post.messaging(sms={"origination": "+491700000"})
    worker.hears(stop("+4930999999"))
    worker.hears(stop(), times=2)
    assert guests.house.state(member).suppressed == {"sms": "opt_out"}
    assert granted(guests, member) == {"marketing:email", "marketing:push", "marketing:inbox"}
    assert worker.dead == []


def test_an_opt_out_that_the_provider_keeps_is_learned_when_we_send(guests: Guests) -> None:
    member = guests.guest()
    guests.post.campaign("text", TEXT)
    guests.post.sender.answers["+4930123456"] = OPTED_OUT
    assert guests.post.deliver(guests.post.order("text", "tell", [member])) == {"failed": 1}
    assert guests.house.state(member).suppressed == {"sms": "opt_out"}
    assert "marketing:sms" not in granted(guests, member)


# -- push -------------------------------------------------------------------------------------------------------------


def gone(guests: Guests, at: int) -> dict[str, Any]:
    failure = {"EventType": "DeliveryFailure", "FailureType": "InvalidPlatformToken", "Service": "SNS"}
    return {**failure, "EndpointArn": ENDPOINT, "Time": format_rfc3339(at)}


def test_a_device_that_push_cannot_reach_is_hers_no_longer(guests: Guests, worker: Worker) -> None:
    member = guests.guest()
    device = f"dev_{guests.house.scope().blind('device:gcm', 'token-of-hers')}"
    batch = WriteBatch()
    MemberRepository("demo", guests.house.table).add_device(batch, member, Device(device, "gcm", ENDPOINT, guests.house.now))
    guests.house.table.transact(batch, "t")
    guests.post.give_devices(member, ())
    worker.tokens[ENDPOINT] = "token-of-hers"
    worker.hears(gone(guests, guests.house.now - MINUTE))
    repository = MemberRepository("demo", guests.house.table)
    assert repository.owner_of(device) == member, "registered again after it failed"
    worker.hears(gone(guests, guests.house.now + MINUTE), times=2)
    assert (repository.owner_of(device), repository.device(member, device)) == (None, None)
    assert worker.dead == []


# -- what is not ours -------------------------------------------------------------------------------------------------


def test_what_is_of_nobody_here_goes_to_the_dead_letters_with_its_reason(guests: Guests, worker: Worker) -> None:
    letter = guests.letter(guests.guest())
    worker.hears({"hello": "world"})
    worker.hears(ses(guests, "Delivery", {**letter.origin, "tenant": "nobodys"}))
    worker.hears(ses(guests, "Bounce", {**letter.origin, "member": "someone"}, bounceType="Permanent"))
    worker.hears(ses(guests, "Bounce", {**letter.origin, "tenant": "../demo"}, bounceType="Permanent"))
    reasons = ["of no provider that we know", "unknown_tenant", "it names no member", "a tenant id is 4 to 26 characters a-z 0-9"]
    assert worker.dead == [f"Poison: {reason}" for reason in reasons]


def test_of_who_is_forgotten_nothing_is_noted(guests: Guests, worker: Worker) -> None:
    letter = guests.letter(guests.guest())
    worker.hears(ses(guests, "Bounce", {**letter.origin, "member": NOBODY}, bounceType="Permanent"))
    assert worker.dead == []


# -- used again -------------------------------------------------------------------------------------------------------


def test_a_new_address_opens_its_channel_again(guests: Guests, worker: Worker) -> None:
    member = guests.guest()
    letter = guests.letter(member)
    worker.hears(ses(guests, "Bounce", letter.origin, bounceType="Permanent"))
    scope = guests.house.scope()
    changes.update_member(scope, member, api.ProfilePatch.model_validate({"profile": {"city": "Berlin"}}))
    assert guests.house.state(member).suppressed == {"email": "bounce"}
    changes.update_member(scope, member, api.ProfilePatch.model_validate({"profile": {"email": "new@example.com"}}))
    assert guests.house.state(member).suppressed == {}
    assert "channel.restored" in guests.told(member)
    worker.hears(ses(guests, "Bounce", {**letter.origin, "delivery": "dlv_none"}, bounceType="Permanent"))
    assert guests.house.state(member).suppressed == {}


def test_a_channel_is_opened_by_hand(guests: Guests, worker: Worker) -> None:
    member = guests.guest()
    worker.hears(ses(guests, "Complaint", guests.letter(member).origin))
    lift(guests.house.scope(), member, "email")
    assert guests.told(member) == ["channel.restored"]
    for channel in ("email", "nonsense"):
        with pytest.raises(UnknownSuppression):
            lift(guests.house.scope(), member, channel)
