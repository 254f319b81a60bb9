"""Envelopes: what a record of the stream says, in the form of the bus."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.definitions.model import KINDS
from shared.kernel.ids import natural_id
from shared.member_state.effects import DomainEvent
from shared.member_state.repository import Stamp
from shared.member_state.repository import envelope as out_of
from shared.relay.envelope import Envelope, Unreadable, dump, of_record, received, split
from shared.storage import keys
from shared.transactions.model import NaturalKey

MEMBER = "mbr_01KAJ5XW0000000000000000AA"
JOINED = DomainEvent("member.registered", 900, {"source": "app"})
TOLD = [JOINED, DomainEvent("segment.entered", 950, {"segment": "a"}, JOINED.type)]


PAID = DomainEvent("transaction.recorded", 940, {"transaction": "txn_1"})


def image(key: keys.Key, version: int = 3, events: Any = TOLD, name: str = "version", **more: Any) -> dict[str, Any]:
    out = out_of(events, Stamp(1000, "corr-1", "late"))
    item: dict[str, Any] = {"PK": {"S": key.pk}, "SK": {"S": key.sk}, name: {"N": str(version)}, **more}
    return item | {"out": {"S": out}} if out else item


def record(new: Any, old: Any = None, **more: Any) -> dict[str, Any]:
    change = {"NewImage": new, "Keys": {name: new[name] for name in ("PK", "SK") if name in new}, **more}
    return {"eventName": "MODIFY", "dynamodb": change | ({"OldImage": old} if old else {})}


def test_a_members_commit_becomes_one_envelope_in_its_order() -> None:
    key = keys.state("demo", MEMBER)
    found = of_record(record(image(key)))
    assert found is not None
    aggregate = f"member:{MEMBER}"
    assert found.detail() == {
        "id": f"{aggregate}:3",
        "tenant": "demo",
        "key": key.pk,
        "aggregate": aggregate,
        "member": MEMBER,
        "seq": 3,
        "committed_at": 1000,
        "correlation_id": "corr-1",
        "mode": "late",
        "types": ["member.registered", "segment.entered"],
        "events": [
            {"id": f"{aggregate}:3:0", "type": "member.registered", "occurred_at": 900, "data": {"source": "app"}},
            {"id": f"{aggregate}:3:1", "type": "segment.entered", "occurred_at": 950, "data": {"segment": "a"}, "cause": JOINED.type},
        ],
        "part": 1,
        "parts": 1,
    }
    assert received(json.loads(dump(found.detail()))) == found


def test_campaigns_that_touched_her_travel_with_what_they_may_have_caused() -> None:
    key = keys.state("demo", MEMBER)
    new = image(key) | {"out": {"S": out_of([PAID] * 4, Stamp(1000), ("welcome", "news")) or ""}}
    found = of_record(record(new))
    assert found is not None
    assert found.touched == ("welcome", "news")
    assert json.loads(dump(found.detail()))["touched"] == ["welcome", "news"]
    assert received(json.loads(dump(found.detail()))) == found
    assert len(split(found, 800)) > 1
    assert {part.touched for part in split(found, 800)} == {("welcome", "news")}


def test_without_them_nothing_is_said_of_it() -> None:
    assert out_of([PAID], Stamp(1000)) == out_of([PAID], Stamp(1000), ())
    assert '"w"' not in (out_of([PAID], Stamp(1000)) or "")


@pytest.mark.parametrize(
    ("key", "name", "aggregate"),
    [
        (keys.coupon("demo", "cpn_1"), "version", "coupon:cpn_1"),
        *((keys.definition("demo", kind, "vip", 2), "revision", f"definition:{kind}:vip@2") for kind in KINDS),
        (keys.campaign("demo", "welcome"), "revision", "campaign:welcome"),
        (keys.fan_out("demo", "vip", 2), "epoch", "fan_out:vip@2"),
    ],
)
def test_every_aggregate_is_named_by_its_key(key: keys.Key, name: str, aggregate: str) -> None:
    found = of_record(record(image(key, 7, name=name)))
    assert found is not None
    assert (found.aggregate, found.seq, found.events[0]["id"]) == (aggregate, 7, f"{aggregate}:7:0")


@given(st.tuples(*[st.text(min_size=1, max_size=10).filter(lambda text: len(text.encode()) <= 10)] * 5))
def test_a_sale_is_named_by_the_id_that_clients_know(parts: tuple[str, str, str, str, str]) -> None:
    sale = NaturalKey(*parts)
    try:
        key = keys.request("demo", "txn", sale.source, sale.text())
    except ValueError:
        return
    found = of_record(record(image(key, name="v")))
    assert found is not None
    assert found.aggregate == f"sale:{natural_id('txn', parts)}"


def test_an_old_envelope_is_not_told_again() -> None:
    key = keys.definition("demo", "offer", "fries", 1)
    new = image(key, 4, name="revision")
    assert of_record(record(new | {"served_at": {"N": "5"}}, new)) is None
    later = image(key, 5, name="revision")
    assert of_record(record(later, new)) is not None
    assert of_record(record(image(key, 5, events=[], name="revision"), new)) is None


@pytest.mark.parametrize(
    "new",
    [
        image(keys.Key("X#demo#M#m", "STATE")),
        image(keys.Key("T#demo#M#m", "PROFILE")),
        image(keys.Key("T#demo", "STATE")),
        image(keys.Key("T#demo#ELSE#x", "STATE")),
        image(keys.settings("demo")),
        image(keys.location("demo", "mitte")),
        image(keys.offer_head("demo", "fries")),
        image(keys.state("demo", "m"), GSI1PK={"S": "T#other#DUE#00"}),
        image(keys.state("demo", "m"), GSI2PK={"S": "nonsense"}),
        image(keys.state("demo", "m"), tenant={"S": "other"}),
        image(keys.state("demo", "m")) | {"out": {"S": "not json"}},
        image(keys.state("demo", "m")) | {"out": {"S": '{"t": 1}'}},
        image(keys.state("demo", "m")) | {"out": {"S": '{"t": 1, "e": []}'}},
        image(keys.state("demo", "m")) | {"out": {"S": '{"t": 1, "e": [["a"]]}'}},
        image(keys.state("demo", "m")) | {"version": {"N": "many"}},
    ],
)
def test_a_record_that_is_not_ours_is_refused_with_a_reason_and_without_its_values(new: Any) -> None:
    with pytest.raises(Unreadable) as refused:
        of_record(record(new))
    assert "not json" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_key_that_differs_from_the_image_is_refused() -> None:
    with pytest.raises(Unreadable):
        of_record(record(image(keys.state("demo", "m")), Keys={"PK": {"S": "T#other#M#m"}, "SK": {"S": "STATE"}}))


@pytest.mark.parametrize(
    "changes",
    [{"key": "T#other#M#m"}, {"key": "nonsense"}, {"key": None}, {"tenant": 5}, {"seq": "3"}, {"events": [{}]}, {"events": None}],
)
def test_a_worker_refuses_what_is_no_envelope_or_another_tenants(changes: dict[str, Any]) -> None:
    found = of_record(record(image(keys.state("demo", MEMBER))))
    assert found is not None
    with pytest.raises(Unreadable):
        received(found.detail() | changes)
    with pytest.raises(Unreadable):
        received("detail")


@given(st.lists(st.text(max_size=60), min_size=1, max_size=40), st.integers(900, 5000))
def test_a_large_commit_comes_in_parts_that_lose_nothing(texts: list[str], limit: int) -> None:
    events = [DomainEvent("event.noted", 1, {"text": text}) for text in texts]
    whole = of_record(record(image(keys.state("demo", MEMBER), events=events)))
    assert whole is not None
    parts = split(whole, limit)
    assert all(len(dump(part.detail()).encode()) <= limit for part in parts)
    assert [event for part in parts for event in part.events] == list(whole.events)
    assert [(part.part, part.parts) for part in parts] == [(number, len(parts)) for number in range(1, len(parts) + 1)]
    assert len({part.id for part in parts}) == len(parts)


def test_an_event_that_fits_no_entry_is_refused() -> None:
    events = [DomainEvent("event.noted", 1, {"text": "x" * 2000})]
    whole = of_record(record(image(keys.state("demo", MEMBER), events=events)))
    assert isinstance(whole, Envelope)
    with pytest.raises(Unreadable):
        split(whole, 1000)
