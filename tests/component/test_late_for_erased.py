"""Whatever still comes for a member who is forgotten is answered as for nobody, counted, and no error. And who wakes the worker."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from functions.member_rights import handler
from shared.campaigns.messages import order_of
from shared.campaigns.sending import Means, send
from shared.erasure.repository import ErasureRepository
from shared.erasure.service import ask
from shared.erasure.steps import Hands
from shared.erasure.working import message_of, work
from shared.http.body import parse_model
from shared.members import lists
from shared.relay.envelope import of_record
from shared.storage import keys
from shared.transactions import bulk, reversal
from shared.transactions.api import ReturnRequest, TransactionRequest
from shared.transactions.service import record
from tests.builders.campaigns import KEYS
from tests.builders.front import Front
from tests.builders.guests import Guests
from tests.builders.house import House, sale
from tests.builders.leaving import finish, furnish, live, somebody
from tests.fakes.push import FakePush
from tests.fakes.queue import FakeQueue
from tests.fakes.senders import FakeSender, only

Counted = Callable[[], Counter[str]]


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    found = Front(bare_house, monkeypatch)
    furnish(found)
    return found


@pytest.fixture
def guests(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Guests:
    return Guests(bare_house, monkeypatch)


@pytest.fixture
def counted(capsys: pytest.CaptureFixture[str]) -> Counted:
    """What was counted as late since the last call, by what it was."""

    def read() -> Counter[str]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"late_for_erased"' in line]
        return Counter(line["operation"] for line in lines)

    return read


def erased(front: Front) -> str:
    member = live(front).member
    front.call("erase_member", member_id=member)
    finish(front, member)
    return member


# -- what comes late ------------------------------------------------------------------------------------------------


def test_a_sale_and_a_return_are_recorded_without_her(front: Front, counted: Counted) -> None:
    scope, member = front.house.scope(), front.register()
    sold = record(scope, sale(member, front.house.now)).answer["transaction_id"]
    front.call("erase_member", member_id=member)
    counted()
    later = sale(member, front.house.now)
    assert "member_id" not in record(scope, later).answer
    assert counted() == {"sale": 1}
    body = later.model_dump(include={"source", "location_id", "business_date", "occurred_at"})
    back = ReturnRequest.model_validate(body | {"receipt_number": "back", "transaction_id": sold})
    assert reversal.record_return(scope, back).answer
    assert counted() == {"return": 1}


def test_sales_in_bulk_are_recorded_without_her(front: Front, counted: Counted) -> None:
    member = erased(front)
    counted()
    raws = [json.loads(sale(member, front.house.now).model_dump_json(exclude_defaults=True)) for _ in range(2)]
    outcome = bulk.record_all(front.house.scope(), raws, None, lambda raw: parse_model(TransactionRequest, json.dumps(raw).encode()))
    assert (outcome.accepted, outcome.refused) == (2, [])
    assert counted() == {"sale": 2}


def test_what_the_api_is_asked_for_her_answers_410_and_is_counted(front: Front, counted: Counted) -> None:
    member = live(front).member
    token = front.invite(member, "email")
    front.call("erase_member", member_id=member)
    counted()
    assert front.call("submit_form", {"values": {"email": "a@example.com"}}, token=token).status == 410
    assert front.call("get_wallet", member_id=member).status == 410
    assert counted() == {"submit_form": 1, "get_wallet": 1}


def test_a_list_job_refuses_her_alone(front: Front, counted: Counted) -> None:
    member, other = erased(front), front.register()
    counted()
    outcome = lists.change_all(front.house.scope(), "tasting", [{"member_id": each, "on": True} for each in (member, other)])
    assert (outcome.accepted, [index for index, _ in outcome.refused]) == (1, [0])
    assert counted() == {"list": 1}


def test_a_message_on_its_way_is_not_sent(guests: Guests, counted: Counted) -> None:
    member = guests.guest()
    guests.letter(member)
    order = order_of(guests.post.order("letter", "tell", [member], "2"))
    ask(guests.house.scope(), member, "key_1")
    counted()
    sender = FakeSender()
    assert send(guests.house.scope(), order, Means(only(sender), guests.post.sending, KEYS)) == {"gone": 1}
    assert sender.taken == []
    assert counted() == {"message": 1}


def test_links_of_her_letters_lead_nowhere_and_still_say_that_she_wants_no_more(guests: Guests, counted: Counted) -> None:
    member = guests.guest()
    letter = guests.letter(member)
    by_kind = {kind: next(link for link in guests.links(html.unescape(letter.html)) if f"/{kind}/" in link) for kind in "lou"}
    ask(guests.house.scope(), member, "key_1")
    work(Hands(guests.house.scope(), FakePush()), member, FakeQueue())
    counted()
    assert guests.call(by_kind["l"]).status == 404
    assert guests.call(by_kind["o"]).status == 200
    assert guests.call(by_kind["u"], "POST", "List-Unsubscribe=One-Click").status == 200
    assert counted() == {"click": 1, "response": 1, "unsubscribing": 1}


# -- the function ---------------------------------------------------------------------------------------------------


class Worker:
    """The function over a tenant; ``dead`` is its dead-letter queue."""

    def __init__(self, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dead: list[str] = []
        self.own: list[dict[str, Any]] = []
        self.house = front.house
        home = SimpleNamespace(begin=lambda _context: None, worker_scope=self._scope, client=lambda _name: self)
        settings = SimpleNamespace(queue_url="own", dead_letter_url="dead")
        wiring = {"runtime": home, "settings": settings, "push": front.push, "recipients": None}
        for name, value in wiring.items():
            monkeypatch.setattr(handler, name, lambda value=value: value)

    def _scope(self, tenant: str, *pks: str) -> Any:
        scope = self.house.scope()
        scope.tenant = tenant
        for pk in pks:
            scope.own(pk)
        return scope

    def send_message(self, **request: Any) -> None:
        if request["QueueUrl"] == "dead":
            self.dead.append(request["MessageAttributes"]["reason"]["StringValue"])
        else:
            self.own.append(json.loads(request["MessageBody"]))

    def hears(self, *bodies: Any) -> dict[str, Any]:
        records = [{"messageId": str(number), "body": json.dumps(body)} for number, body in enumerate(bodies)]
        return handler.lambda_handler({"Records": records})


def commit_of(front: Front, member: str) -> dict[str, Any]:
    """Her last commit as the bus delivers it."""
    raw = front.house.table.get(keys.state(front.house.tenant, member))
    envelope = of_record({"dynamodb": {"NewImage": raw, "Keys": raw}})
    assert envelope is not None
    return {"detail": envelope.detail()}


def test_the_commit_of_an_erasure_wakes_the_worker_and_again_does_nothing(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, member = Worker(front, monkeypatch), live(front).member
    front.call("erase_member", member_id=member)
    woken = commit_of(front, member)
    assert woken["detail"]["types"] == ["member.erased"]
    assert worker.hears(woken) == {"batchItemFailures": []}
    done = ErasureRepository("demo", front.house.table).get(member)
    assert done is not None
    assert done.status == "completed"
    assert worker.hears(woken, message_of("demo", member)) == {"batchItemFailures": []}
    assert ErasureRepository("demo", front.house.table).get(member) == done
    assert worker.dead == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"kind": "other"}, "Poison: no message of this queue"),
        ({"kind": "erasure", "tenant": "demo", "member": "x"}, "Poison: not a member"),
        ({"kind": "erasure", "tenant": "NO", "member": somebody()}, "Poison"),
        ({"kind": "erasure", "tenant": "demo", "member": somebody()}, "UnknownErasure: unknown_erasure"),
        ({"detail": {}}, "Poison: not an envelope"),
    ],
)
def test_what_can_never_be_done_is_put_aside(front: Front, monkeypatch: pytest.MonkeyPatch, body: Any, reason: str) -> None:
    worker = Worker(front, monkeypatch)
    assert worker.hears(body) == {"batchItemFailures": []}
    (found,) = worker.dead
    assert found.startswith(reason)


def test_an_envelope_of_another_tenant_than_its_key_erases_nobody(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, member = Worker(front, monkeypatch), live(front).member
    front.call("erase_member", member_id=member)
    woken = commit_of(front, member)
    woken["detail"]["tenant"] = "other"
    worker.hears(woken)
    assert len(worker.dead) == 1
    assert front.call("get_erasure", member_id=member).body["status"] == "accepted"


def test_an_envelope_of_another_member_than_its_key_erases_nobody(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, member, other = Worker(front, monkeypatch), live(front).member, front.register()
    front.call("erase_member", member_id=member)
    woken = commit_of(front, member)
    woken["detail"]["key"] = keys.member("demo", other)
    worker.hears(woken)
    assert worker.dead == ["Poison: the envelope names another member than its key"]
    assert front.call("get_erasure", member_id=member).body["status"] == "accepted"


def test_what_fails_comes_again(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, member = Worker(front, monkeypatch), live(front).member
    front.call("erase_member", member_id=member)
    front.push.broken = OSError()
    assert worker.hears(message_of("demo", member)) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    front.push.broken = None
    assert worker.hears(message_of("demo", member)) == {"batchItemFailures": []}
    assert front.call("get_erasure", member_id=member).body["status"] == "completed"
