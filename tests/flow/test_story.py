"""The story on the local AWS, deployed by the CDK: real HTTP, queues, streams and schedules, on the sample day."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest

from local import clock, demo, dlq, tick, verify
from local.client import Client, Refused
from local.store import Store
from local.story import Teller
from tests.builders.planted import Needles
from tests.flow.conftest import DeployedStack

SAMPLE = Path(__file__).parents[2] / "events" / "samples" / "coffee_day"


@pytest.fixture(scope="module")
def store(stack: DeployedStack) -> Store:
    """Direct access to what the stack stores."""
    return Store.at(stack.instance.endpoint, stack.outputs)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo keeps its notes."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def teller(stack: DeployedStack, store: Store, home: Path) -> Teller:
    """The story, played once: every number in it was read again."""
    return demo.tell(store, {"api_url": stack.api_url, "operator_key": stack.operator_key}, home, SAMPLE)


def test_the_story_can_be_told_twice(teller: Teller, stack: DeployedStack, store: Store, home: Path) -> None:
    again = demo.tell(store, {"api_url": stack.api_url, "operator_key": stack.operator_key}, home, SAMPLE)
    assert int(again.run) == int(teller.run) + 1


def test_its_tenant_can_send_e_mail(teller: Teller, stack: DeployedStack, store: Store) -> None:
    operator = Client(stack.api_url, stack.operator_key)
    sender = operator.get(f"/v1/tenants/{teller.tenant}")["settings"]["messaging"]["email"]["from_address"]
    content = {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "x"}}}}
    letter = {"Destination": {"ToAddresses": ["guest@anywhere.example"]}, "Content": content}
    assert store.client("sesv2").send_email(FromEmailAddress=sender, **letter)["MessageId"]


def test_every_copy_agrees_with_its_owner(teller: Teller, store: Store) -> None:
    def differences() -> list[str]:
        picture = verify.take(store.scan())
        return [line for check in verify.CHECKS.values() for line in check(picture)]

    for _ in range(100):
        if not differences():
            break
        time.sleep(0.2)
    assert differences() == []


def test_what_was_loaded_agrees_with_the_files(teller: Teller, store: Store) -> None:
    """Visits, value and the segment of who bought, against a count of the files that shares no code with the product."""
    with (SAMPLE / "sales_receipts.csv").open(newline="") as opened:
        rows = [row for row in csv.DictReader(opened) if row["sales_outlet_id"] == teller.story.outlet and row["customer_id"] != "0"]
    receipts = {row["transaction_id"] for row in rows}
    value = sum(round(float(row["line_item_amount"]) * 100) for row in rows)
    imported = [state for state in verify.take(store.scan()).states.values() if state.join_source == "import"]
    assert sum(state.profile.count for state in imported) == len(receipts)
    assert sum(state.profile.value for state in imported) == value
    bought = [state for state in imported if "bought-this-month@1" in state.segments]
    assert len(bought) == len({row["customer_id"] for row in rows})
    assert all(state.wallets["points"].earned > 0 for state in bought if state.profile.value >= 100 * state.profile.count)


def test_points_expire_and_segments_are_left_when_the_clock_moves(teller: Teller, store: Store) -> None:
    answer = teller.app.post("/v1/members", {"identifiers": [{"kind": "card", "value": "CLOCK-1"}], "source": "app"})
    own = teller.app.as_(answer["access_token"])
    teller.till.post("/v1/transactions", teller.sale(answer["member_id"], [teller.story.second_item]))
    assert "bought-this-month" in [each["segment_id"] for each in own.get("/v1/me/segments")["segments"]]
    clock.move(store, clock.parse("+31d"))
    try:
        tick.sweep(store)
        path = f"/v1/members/{answer['member_id']}/segments"
        for _ in range(150):
            left = "bought-this-month" not in [each["segment_id"] for each in teller.marketer.get(path)["segments"]]
            listed = [each["member_id"] for each in teller.marketer.get("/v1/segments/bought-this-month/members")["data"]]
            if left and answer["member_id"] not in listed:
                break
            time.sleep(0.2)
        assert left
        assert answer["member_id"] not in listed
    finally:
        clock.move(store, clock.parse("-31d"))


@pytest.mark.parametrize(
    ("credential", "status", "code"),
    [("nonsense", 401, "invalid_credential"), ("lyk_coffee-aaaaaaaaaaaa_" + "x" * 32, 401, "invalid_credential")],
)
def test_a_wrong_credential_is_answered_as_a_problem(teller: Teller, credential: str, status: int, code: str) -> None:
    with pytest.raises(Refused) as refused:
        teller.till.as_(credential).get("/v1/programmes")
    assert (refused.value.status, refused.value.problem["code"]) == (status, code)


def test_a_key_without_the_scope_is_refused(teller: Teller) -> None:
    with pytest.raises(Refused) as refused:
        teller.till.get("/v1/campaigns/welcome/report")
    assert (refused.value.status, refused.value.problem["code"]) == (403, "insufficient_scope")


def test_wrong_input_is_answered_with_a_pointer_and_nothing_is_stored(teller: Teller, store: Store) -> None:
    before = sum(1 for _ in store.scan())
    sale = teller.sale("mbr_00000000000000000000000000", [teller.story.second_item])
    wrong = [
        ({**sale, "colour": "red"}, 422, "/colour"),
        ({**sale, "lines": [{"id": "1", "unit_price": 1.5}]}, 422, "/lines/0/unit_price"),
        ({**sale, "currency": "EUR"}, 422, "/currency"),
        ({**sale, "occurred_at": "2099-01-01T00:00:00Z"}, 422, "/occurred_at"),
    ]
    for body, status, pointer in wrong:
        with pytest.raises(Refused) as refused:
            teller.till.post("/v1/transactions", body)
        assert refused.value.status == status
        assert pointer in [each["pointer"] for each in refused.value.problem["errors"]]
    assert sum(1 for _ in store.scan()) == before


def test_another_tenants_ids_are_not_there(teller: Teller, stack: DeployedStack) -> None:
    operator = Client(stack.api_url, stack.operator_key)
    settings = {"name": "Other", "currency": "EUR", "time_zone": "Europe/Berlin"}
    operator.post("/v1/tenants", {"id": "other", "settings": settings})
    key = operator.post("/v1/tenants/other/keys", {"scopes": ["members:read", "transactions:read"], "label": "spy"})["key"]
    guest = teller.app.post("/v1/members", {"identifiers": [{"kind": "card", "value": "SPY-1"}], "source": "app"})
    sold = teller.till.post("/v1/transactions", teller.sale(guest["member_id"], [teller.story.second_item]))
    for path in (f"/v1/members/{guest['member_id']}", f"/v1/transactions/{sold['transaction_id']}"):
        with pytest.raises(Refused) as refused:
            Client(stack.api_url, key).get(path)
        assert refused.value.status == 404


PLANTED = {
    "first_name": "Zyphyrine", "last_name": "Quorvenhaus", "birth_date": "1973-02-11", "email": "zyphyrine@quorvenmail.example",
    "phone": "+4915208675309", "street": "Wolkenkuckucksweg 77",
}  # fmt: skip


def test_logs_streams_and_tables_hold_nothing_of_a_guest_in_clear(teller: Teller, stack: DeployedStack, store: Store) -> None:
    """As tests/isolation/test_planted.py, where every request is seen, but of what the deployed system really leaves behind."""
    card = "9870054321098765"
    body = {"identifiers": [{"kind": "card", "value": card}], "profile": PLANTED, "source": "app"}
    guest = teller.app.post("/v1/members", body)
    teller.till.post("/v1/members/identify", {"kind": "card", "value": card})
    sale = teller.sale(guest["member_id"], [teller.story.second_item])
    teller.till.post("/v1/transactions", sale | {"member": {"kind": "card", "value": card}})
    with pytest.raises(Refused):
        teller.till.post("/v1/transactions", teller.sale(guest["member_id"], []) | {"note": PLANTED["phone"]})
    with pytest.raises(Refused):
        teller.app.get(f"/v1/members/{PLANTED['phone']}?cursor={PLANTED['email']}")
    needles = Needles({**PLANTED, "card": card})
    teller.marketer.get(f"/v1/members/{guest['member_id']}/segments")
    for _ in range(10):
        log = "\n".join(_lines(stack))
        if guest["member_id"] in log:
            break
        time.sleep(1)
    images = _stream(stack)
    in_stream = sum(guest["member_id"] in str(each) for each in images)
    assert (guest["member_id"] in log, in_stream > 0) == (True, True), (len(log), len(images))
    assert needles.found(log) == []
    assert [found for image in images if (found := needles.found(image))] == []
    assert [found for item in store.scan() if (found := needles.found(item))] == []


def _lines(stack: DeployedStack) -> list[str]:
    """Every line that any function or the gateway has logged."""
    logs = stack.client("logs")
    groups = [each["logGroupName"] for page in logs.get_paginator("describe_log_groups").paginate() for each in page["logGroups"]]
    pages = (page for group in groups for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group))
    return [event["message"] for page in pages for event in page["events"]]


def _stream(stack: DeployedStack) -> list[dict[str, object]]:
    """Every record of the table's stream."""
    streams, found = stack.client("dynamodbstreams"), []
    for stream in streams.list_streams()["Streams"]:
        for shard in streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]:
            where = {"StreamArn": stream["StreamArn"], "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = streams.get_shard_iterator(**where)["ShardIterator"]
            while iterator:
                page = streams.get_records(ShardIterator=iterator)
                found += [record["dynamodb"] for record in page["Records"]]
                iterator = page.get("NextShardIterator") if page["Records"] else None
    return found


def test_a_poison_message_ends_in_the_dead_letters_with_its_reason(teller: Teller, stack: DeployedStack, store: Store) -> None:
    sqs = stack.client("sqs")
    sqs.send_message(QueueUrl=stack.outputs["TransactionsBulkQueueUrl"], MessageBody="not JSON")
    dead = stack.outputs["TransactionsBulkDeadQueueUrl"]
    found: list[str] = []
    for _ in range(100):
        found = [dlq.reason(message) for message in dlq.messages(store, dead)]
        if found:
            break
        time.sleep(0.2)
    assert found == ["Poison: the body is not JSON"]
