"""Real commits through the real stream: every event once per delivery, in order, in the form of the catalogue."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from functions.event_relay import handler
from shared.coupons import baskets, service
from shared.coupons.api import HoldCouponRequest, IssueRequest, RedeemCouponRequest
from shared.definitions.api import OfferRequest
from shared.definitions.service import create, publish
from shared.kernel.instants import HOUR
from shared.member_state.service import tick_member
from shared.relay.catalogue import CATALOGUE, envelope_schema, schema_of
from shared.transactions import reversal
from shared.transactions.service import record
from tests.builders.house import FRIES, House, sale
from tests.builders.stream import BusOfTest, Stream

pytestmark = pytest.mark.stream

REGULARS: dict[str, Any] = {"name": "R", "rule": {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 1}}


@pytest.fixture
def stream(dynamodb: str, house: House) -> Stream:
    return Stream(dynamodb, house.table.name)


def play(house: House) -> str:
    """A bit of everything; answers the member."""
    house.publish("segment", "regulars", REGULARS)
    member = house.join()
    sold = record(house.scope(), sale(member)).answer["transaction_id"]
    record(house.scope(), sale(None))
    reversal.void(house.scope(), sold)
    for owner in (member, None):
        coupon = service.issue(house.scope(), "fries", IssueRequest(member_id=owner, request_id=f"r{owner}"), None).answer
        baskets.hold(house.scope(), HoldCouponRequest(id=coupon.id, basket_id="b1"))
        baskets.redeem(house.scope(), RedeemCouponRequest(id=coupon.id, basket_id="b1"))
    create(house.scope(), "offer", OfferRequest.model_validate({"id": "new", "definition": FRIES}))
    publish(house.scope(), "offer", "new", None, 60, hooks={})
    house.now += HOUR
    tick_member(house.scope(), member, house.now)
    return member


def test_what_was_committed_is_on_the_bus_in_the_form_of_the_catalogue(house: House, stream: Stream) -> None:
    member, bus = play(house), BusOfTest()
    envelopes = bus.relay(stream)
    assert bus.failures == []
    for each in envelopes:
        jsonschema.Draft202012Validator(envelope_schema()).validate(each)
        for event in each["events"]:
            jsonschema.Draft202012Validator(schema_of(CATALOGUE[event["type"]])).validate(event)
    hers = [each for each in envelopes if each["aggregate"] == f"member:{member}"]
    assert [each["seq"] for each in hers] == list(range(1, house.state(member).version + 1))
    assert [event["type"] for event in hers[1]["events"]] == ["transaction.recorded", "segment.entered"]
    assert {each["aggregate"].split(":")[0] for each in envelopes} == {"member", "sale", "coupon", "definition"}
    ids = [event["id"] for each in envelopes for event in each["events"]]
    assert len(ids) == len(set(ids))


def test_relaying_twice_tells_the_same(dynamodb: str, house: House) -> None:
    play(house)
    first, second = BusOfTest(), BusOfTest()
    assert first.relay(Stream(dynamodb, house.table.name)) == second.relay(Stream(dynamodb, house.table.name))


def test_the_handler_reads_a_batch_and_reports_no_item_as_failed(house: House, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def __init__(self) -> None:
            self.entries: list[dict[str, Any]] = []
            self.messages: list[dict[str, Any]] = []

        def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # botocore's own name
            poison = [each for each in Entries if "sale:" in each["Detail"]]
            self.entries += [each for each in Entries if each not in poison]
            answers = [{"ErrorCode": "InternalFailure"} if each in poison else {"EventId": "1"} for each in Entries]
            return {"FailedEntryCount": len(poison), "Entries": answers}

        def send_message(self, **request: Any) -> None:
            self.messages.append(request)

    client = Client()
    wiring = type("Wiring", (), {"client": lambda _self, _name: client})()
    urls = type("Urls", (), {"bus_name": "regulars-test", "reports_queue_url": "reports", "failure_queue_url": "failures"})()
    monkeypatch.setattr(handler, "runtime", lambda: wiring)
    monkeypatch.setattr(handler, "settings", lambda: urls)
    monkeypatch.setattr(handler.time, "sleep", lambda _seconds: None)
    play(house)
    assert handler.lambda_handler({"Records": stream.records()}) == {"batchItemFailures": []}
    assert {each["EventBusName"] for each in client.entries} == {"regulars-test"}
    assert {(each["Source"], each["DetailType"]) for each in client.entries} == {("regulars", "commit")}
    (kept,) = client.messages
    assert kept["MessageAttributes"]["reason"]["StringValue"] == "the bus did not take it: InternalFailure"
    assert '"aggregate":"sale:' in kept["MessageBody"]
