"""Previews, searches and exports over a real engine, through the handler as the gateway and the queue call it."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from functions.audiences import handler
from shared.audiences import model, preview, searching, writing
from shared.audiences.repository import ExportRepository
from shared.aws.objects import S3Store
from shared.http.routes import ROUTES, Route
from shared.kernel.ids import new_id
from shared.kernel.instants import DAY, HOUR, MINUTE, SECOND, format_rfc3339, local_day
from shared.kernel.pages import seal_cursor
from shared.member_state.model import Facts, MemberState
from shared.member_state.repository import Stamp, StateRepository, seal_facts
from shared.members.repository import MemberRepository
from shared.profile.model import Cell
from shared.segments.parsing import rule_of
from shared.snapshots import rebuilding
from shared.snapshots.repository import SnapshotRepository
from shared.storage import keys
from shared.storage.expressions import Path
from shared.storage.items import ProfileItem
from shared.storage.table import WriteBatch
from shared.tenants.principal import Principal
from shared.tenants.scope import TenantScope
from shared.wallet.model import Hold, Lot, Wallet
from tests.builders.asking import members_in
from tests.builders.gateway import Cloud
from tests.builders.house import PROGRAMME, House
from tests.builders.stream import BusOfTest, ListQueue, Stream
from tests.fakes.faulty import FaultyTable, Killed
from tests.fakes.uploads import UploadingS3
from tests.unit.http.events import event_for

BY_OPERATION: dict[str, Route] = {route.operation: route for route in ROUTES if route.function == "audiences"}
READ = frozenset({"members:read"})
FULL = READ | {"members:personal"}
ZONE = "Europe/Berlin"
RICH: dict[str, Any] = {"kind": "balance", "wallet": "points", "op": "ge", "value": 50}
BUYERS: dict[str, Any] = {"kind": "purchases", "metric": "value", "days": 30, "op": "ge", "value": 500}
EVERYBODY: dict[str, Any] = {"kind": "bucket", "salt": "all", "from": 0, "until": 100}


class Said:
    """An answer."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.status, self.headers = answer["statusCode"], answer["headers"]
        self.body: Any = json.loads(answer["body"]) if answer.get("body") else None

    @property
    def errors(self) -> list[tuple[str, str]]:
        return [(each["pointer"], each["code"]) for each in self.body.get("errors", [])]


class Queues:
    """SQS by address."""

    def __init__(self) -> None:
        self.of = {"own": ListQueue(), "snapshots": ListQueue(), "dead": ListQueue()}
        self.fail_in: int | None = None
        self.when = "before"

    def arm(self, at: int, when: str) -> None:
        """Fail at the ``at``-th message from now."""
        self.fail_in, self.when = at, when

    def send_message(self, **request: Any) -> None:
        if self.fail_in is not None:
            self.fail_in -= 1
        hit = self.fail_in == 0
        if hit and self.when == "before":
            raise Killed
        self._sent(request)
        if hit:
            raise Killed

    def _sent(self, request: dict[str, Any]) -> None:
        self.of[request["QueueUrl"]].send(json.loads(request["MessageBody"]), request.get("DelaySeconds", 0))


class Desk:
    """The function over one house; the wall clock is the house's."""

    def __init__(self, house: House, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house, self.s3, self.sqs, self.address = house, UploadingS3(), Queues(), address
        clients = {"sqs": self.sqs, "s3": self.s3}
        home = SimpleNamespace(
            begin=lambda _context: None, client=clients.__getitem__, scope=lambda who: self.scope(who.tenant), master_secret=b"m" * 32
        )
        settings = SimpleNamespace(queue_url="own", snapshots_url="snapshots", bucket="data", dead_letter_url="dead")
        monkeypatch.setattr(handler, "runtime", lambda: home)
        monkeypatch.setattr(handler, "settings", lambda: settings)
        monkeypatch.setattr(handler, "wall", lambda: self.house.now)

    def scope(self, tenant: str = "demo") -> TenantScope:
        scope = self.house.scope()
        scope.tenant = tenant
        return scope

    @property
    def store(self) -> S3Store:
        return S3Store(self.s3, "data")

    # -- calls --------------------------------------------------------------------------------------------------------

    def call(self, operation: str, body: Any = None, *, scopes: frozenset[str] = READ, tenant: str = "demo", **path: str) -> Said:
        caller = Principal(kind="key", tenant=tenant, id=f"{tenant}-aaaaaaaaaaaa", scopes=scopes)
        sent = body if isinstance(body, str) or body is None else json.dumps(body)
        return Said(handler.lambda_handler(event_for(BY_OPERATION[operation], caller, pathParameters=path, body=sent)))

    def deliver(self, *bodies: Any, receives: int = 1) -> list[str]:
        attributes = {"ApproximateReceiveCount": str(receives)}
        records = [{"messageId": str(at), "body": json.dumps(body), "attributes": attributes} for at, body in enumerate(bodies)]
        return [each["itemIdentifier"] for each in handler.lambda_handler({"Records": records})["batchItemFailures"]]

    def settle(self) -> None:
        """Work on exports until no message is left; delays pass."""
        for _ in range(50):
            messages, self.sqs.of["own"].sent = self.sqs.of["own"].sent, []
            if not messages:
                return
            self.house.now += max(delay for _, delay in messages) * SECOND
            assert self.deliver(*(body for body, _ in messages)) == []
        raise AssertionError("it does not settle")

    def exported(self, body: dict[str, Any], *, scopes: frozenset[str] = READ, **path: str) -> tuple[dict[str, Any], str]:
        """Ask for an export, work on it; the answer then, and the file."""
        said = self.call("export_segment" if path else "export_members", body, scopes=scopes, **path)
        assert said.status == 202, said.body
        self.settle()
        done = self.call("get_export", scopes=scopes, export_id=said.body["export_id"]).body
        assert done["status"] == "done", done
        return done, self.s3.objects[f"exports/demo/{done['export_id']}.{body.get('format', 'csv')}"].decode()

    def pages(self, body: dict[str, Any], **more: Any) -> Iterator[dict[str, Any]]:
        """Every page of a search."""
        cursor = None
        while True:
            said = self.call("search_members", body | ({"cursor": cursor} if cursor else {}), **more)
            assert said.status == 200, said.body
            yield said.body
            cursor = said.body.get("next_cursor")
            if cursor is None:
                return

    def found(self, body: dict[str, Any]) -> list[str]:
        """Every member of a search, in order."""
        return [row["member_id"] for page in self.pages(body) for row in page["data"]]

    # -- members ------------------------------------------------------------------------------------------------------

    def snapshot(self) -> None:
        """Make one now."""
        assert rebuilding.rebuild(self.scope(), self.store, ListQueue(), lambda: self.house.now)

    def truth(self, rule: dict[str, Any]) -> set[str]:
        """Whom the exact evaluation of snapshots finds."""
        (found,) = members_in(self.scope(), self.store, [rule_of(rule)], self.house.now)
        return found

    def crowd(
        self, number: int, seed: int = 1, segments: dict[str, int] | None = None, wallets: list[Wallet] | None = None
    ) -> list[MemberState]:
        """Members with points, purchases and attributes by chance, written as they are stored."""
        rng = random.Random(seed)
        states = sorted((self.person(rng) for _ in range(number)), key=lambda state: state.member)
        for state, wallet in zip(states, wallets or (), strict=False):
            state.wallets, state.holds, state.timer = {"points": wallet}, {}, self.house.now - 1
        repository, requests = StateRepository("demo", self.house.table), []
        for state in states:
            state.version, state.segments = 1, segments or {}
            item = repository._state_item(state, None, 0, None, Stamp(self.house.now))
            row = ProfileItem.at(keys.profile("demo", state.member), version=1, body=b"-")
            row.GSI2PK, row.GSI2SK = keys.members_listing("demo", 0), state.member
            requests += [{"PutRequest": {"Item": each}} for each in (item, row.serialize())]
        table = self.house.table
        for start in range(0, len(requests), 24):
            table._client.batch_write_item(RequestItems={table.name: requests[start : start + 24]})
        return states

    def person(self, rng: random.Random) -> MemberState:
        now, today = self.house.now, local_day(self.house.now, ZONE)
        state = MemberState("demo", new_id("mbr", now - rng.randrange(400 * DAY)), joined_at=now - 400 * DAY, join_source="app", as_of=now)
        state.attributes = {"city": rng.choice(("Köln", "Bonn", '=SUM("x")', "a,b\nc"))}
        state.tags = rng.sample(["staff", "press"], rng.randint(0, 2))
        state.wallets = {"points": Wallet([Lot(rng.randrange(120), expires_at=now + rng.randint(1, 60) * DAY)])}
        if rng.random() < 0.1:
            state.holds = {"b": Hold("points", 10, now + rng.choice((-1, 1)) * HOUR)}
        if rng.random() < 0.7:
            days = rng.sample(range(today - 60, today), 3)
            value = [rng.randint(0, 900) for _ in days]
            state.profile.cells = {day: Cell(1, each, 1000, {"c:mains": [1, each, 1000]}) for day, each in zip(days, value, strict=True)}
            state.profile.count, state.profile.value = 3, sum(value)
            state.profile.first_at, state.profile.last_at = (format_day(day) for day in (min(days), max(days)))
        state.profiled = rng.random() < 0.95
        return state

    def give_profile(self, member: str, fields: dict[str, str], facts: Facts | None = None) -> None:
        """Personal fields, sealed under her key."""
        cipher, batch = self.scope().new_cipher(member), WriteBatch()
        MemberRepository("demo", self.house.table).add_profile(batch, member, 1, fields, cipher)
        self.house.table.transact(batch, new_id("tok", self.house.now)[-26:])
        if facts is not None:
            self.house.table.update(keys.state("demo", member), [Path("f").set(seal_facts(facts, cipher))])


def format_day(day: int) -> int:
    return day * DAY + 12 * HOUR


@pytest.fixture
def desk(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Desk:
    bare_house.create()
    bare_house.publish("programme", "points", PROGRAMME)
    return Desk(bare_house, dynamodb, monkeypatch)


# -- preview --------------------------------------------------------------------------------------------------------


def test_an_exact_preview_counts_everybody_with_and_without_a_snapshot(desk: Desk) -> None:
    desk.crowd(120)
    expected = desk.truth(BUYERS)
    without = desk.call("preview_segment", {"rule": BUYERS, "mode": "exact", "sample": 50}).body
    assert (without["count"], without["from"], without["population"], without["undecided_read"]) == (len(expected), "table", 120, 120)
    assert desk.sqs.of["snapshots"].take() == [{"kind": "rebuild", "tenant": "demo"}]
    desk.snapshot()
    said = desk.call("preview_segment", {"rule": BUYERS, "mode": "exact", "sample": 50}).body
    assert (said["count"], said["low"], said["high"], said["from"]) == (len(expected), len(expected), len(expected), "snapshot")
    assert (said["population"], said["undecided_read"], said["leaves"], said["time_zone"]) == (120, 0, 1, ZONE)
    assert said["as_of"] == format_rfc3339(desk.house.now)
    assert len(said["sample"]) == min(50, len(expected))
    assert set(said["sample"]) <= expected
    assert desk.sqs.of["snapshots"].take() == []


def test_an_exact_preview_reads_whom_the_columns_leave_open(desk: Desk) -> None:
    states = desk.crowd(20)
    desk.give_profile(states[3].member, {}, Facts(gender="female"))
    desk.snapshot()
    SnapshotRepository(desk.scope()).mark([states[5].member, "mbr_gone"], desk.house.now)
    personal = {"kind": "fact", "of": "gender", "is": "female"}
    said = desk.call("preview_segment", {"rule": {"kind": "all", "rules": [personal, EVERYBODY]}, "mode": "exact"}).body
    assert (said["count"], said["sample"], said["undecided_read"], said["population"]) == (1, [states[3].member], 21, 20)
    said = desk.call("preview_segment", {"rule": EVERYBODY, "mode": "exact"}).body
    assert (said["count"], said["undecided_read"]) == (20, 2)
    said = desk.call("preview_segment", {"rule": EVERYBODY}).body
    assert (said["count"], said["high"], said["population"], said["looked_at"]) == (20, 20, 20, 20)


def test_an_estimate_says_its_sample_and_a_repeat_agrees(desk: Desk) -> None:
    desk.crowd(400)
    expected = len(desk.truth(BUYERS))
    for source in ("table", "snapshot"):
        said = desk.call("preview_segment", {"rule": BUYERS, "size": 150, "sample": 50}).body
        assert (said["from"], said["looked_at"], said["population"], said["whole"]) == (source, 150, 400, True)
        assert said["low"] <= said["count"] <= said["high"]
        # Five standard deviations: whom is drawn depends on the ids, which are new each time (the interval: tests/unit/audiences).
        assert abs(said["count"] - expected) < 80
        assert said["high"] - said["low"] < 80
        assert said["undecided_read"] == (150 if source == "table" else 0)
        drawn = said["count"] * 150 / 400
        assert abs(len(said["sample"]) - min(50, drawn)) <= 1, "of those drawn who are in, 50 at most"
        desk.house.now += SECOND
        again = desk.call("preview_segment", {"rule": BUYERS, "size": 150, "sample": 50}).body
        assert {**again, "as_of": 0} == {**said, "as_of": 0}
        desk.snapshot()


def test_an_estimate_of_fewer_members_than_its_sample_is_exact(desk: Desk) -> None:
    desk.crowd(60)
    desk.snapshot()
    said = desk.call("preview_segment", {"rule": BUYERS}).body
    assert (said["count"], said["low"], said["high"], said["looked_at"]) == (*[len(desk.truth(BUYERS))] * 3, 60)


def test_an_estimate_reads_only_the_undecided_of_its_sample(desk: Desk) -> None:
    desk.crowd(300)
    desk.snapshot()
    said = desk.call("preview_segment", {"rule": {"kind": "fact", "of": "gender", "is": "female"}, "size": 100}).body
    assert (said["count"], said["undecided_read"], said["looked_at"]) == (0, 100, 100)
    assert said["high"] > 0


def test_what_cannot_be_counted_at_once_is_told_with_when_to_come_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.crowd(30)
    monkeypatch.setattr(preview, "SMALL", 29)
    said = desk.call("preview_segment", {"rule": BUYERS, "mode": "exact"})
    assert (said.status, said.body["code"], said.headers["retry-after"]) == (503, "snapshot_not_ready", "60")
    desk.snapshot()
    monkeypatch.setattr(preview, "MOST_READ", 29)
    said = desk.call("preview_segment", {"rule": {"kind": "fact", "of": "gender", "is": "female"}, "mode": "exact"})
    assert (said.status, said.body["code"]) == (422, "too_many_undecided")
    desk.s3.objects.clear()
    said = desk.call("preview_segment", {"rule": BUYERS, "mode": "exact"})
    assert (said.status, said.body["code"]) == (503, "snapshot_not_ready")
    assert desk.call("preview_segment", {"rule": BUYERS}).status == 200


def test_without_a_snapshot_an_estimate_reads_a_bounded_list_and_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.crowd(30)
    monkeypatch.setattr(preview, "MOST_LISTED", 20)
    said = desk.call("preview_segment", {"rule": BUYERS}).body
    assert (said["population"], said["whole"], said["looked_at"]) == (20, False, 20)


def test_a_segment_is_previewed_as_it_is_written_and_in_any_version(desk: Desk) -> None:
    desk.crowd(40)
    desk.house.publish("segment", "buyers", {"name": "B", "rule": BUYERS})
    desk.house.publish("segment", "buyers", {"name": "B", "rule": {"kind": "any", "rules": [BUYERS, RICH]}}, version=2)
    counts = {}
    for version in (None, 1, 2):
        body = {"segment": "buyers", "mode": "exact"} | ({"version": version} if version else {})
        counts[version] = desk.call("preview_segment", body).body["count"]
    assert counts[None] == counts[2] > counts[1] == len(desk.truth(BUYERS))
    assert desk.call("preview_segment", {"rule": {"kind": "segment", "segment": "buyers"}, "mode": "exact"}).body["leaves"] == 2
    assert desk.call("preview_segment", {"segment": "buyers", "version": 9}).status == 404
    assert desk.call("preview_segment", {"segment": "nobody"}).body["code"] == "unknown_segment"


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "balance", "wallet": "miles", "op": "ge", "value": 1}, "/rule/wallet", "unknown_wallet"),
    ({"kind": "all", "rules": [BUYERS, {"kind": "segment", "segment": "none"}]}, "/rule/rules/1/segment", "unknown_segment"),
    ({"kind": "coupon", "offer": "none", "state": "active"}, "/rule/offer", "unknown_offer"),
    ({"kind": "purchases", "metric": "count", "days": 401, "op": "ge", "value": 1}, "/rule/days", "invalid_value"),
    ({"kind": "nonsense"}, "/rule/kind", "invalid_value"),
    ({"kind": "any", "rules": [BUYERS] * 201}, "/rule/rules/200", "too_many_leaves"),
]


@pytest.mark.parametrize(("rule", "pointer", "code"), WRONG)
@pytest.mark.parametrize("operation", ["preview_segment", "search_members", "export_members"])
def test_a_wrong_rule_is_refused_as_publishing_refuses(desk: Desk, operation: str, rule: dict[str, Any], pointer: str, code: str) -> None:
    said = desk.call(operation, {"rule": rule})
    assert said.status == 422
    assert (pointer, code) in said.errors
    assert desk.sqs.of["own"].sent == []


@pytest.mark.parametrize("body", [{}, {"rule": BUYERS, "segment": "x"}, {"rule": BUYERS, "version": 1}, {"rule": BUYERS, "sample": 51}])
def test_a_preview_asks_one_thing(desk: Desk, body: dict[str, Any]) -> None:
    assert desk.call("preview_segment", body).status == 422


@pytest.mark.parametrize("operation", ["preview_segment", "search_members", "export_segment", "export_members", "get_export"])
def test_every_route_needs_its_scope(desk: Desk, operation: str) -> None:
    said = desk.call(operation, {}, scopes=frozenset({"definitions:read"}), segment_id="x", export_id="x")
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")


# -- search ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_snapshot", [False, True])
@pytest.mark.parametrize("rule", [BUYERS, RICH, {"kind": "not", "rule": BUYERS}])
def test_the_pages_of_a_search_are_whom_the_evaluation_finds(desk: Desk, rule: dict[str, Any], with_snapshot: bool) -> None:
    desk.crowd(130)
    if with_snapshot:
        desk.snapshot()
    expected = desk.truth(rule)
    assert desk.found({"rule": rule, "limit": 17}) == sorted(expected)
    for order in ("lifetime_value", "last_purchase_at", "balance:points"):
        rising = desk.found({"rule": rule, "limit": 23, "order": order})
        falling = desk.found({"rule": rule, "limit": 40, "order": order, "descending": True})
        assert set(rising) == set(falling) == expected
        assert len(rising) == len(falling) == len(expected)


@pytest.mark.parametrize("with_snapshot", [False, True])
def test_a_search_is_in_the_order_that_its_columns_show(desk: Desk, with_snapshot: bool) -> None:
    desk.crowd(90)
    if with_snapshot:
        desk.snapshot()
    for order, column in (("lifetime_value", "value"), ("last_purchase_at", "last_purchase_at"), ("balance:points", "balance:points")):
        for descending in (False, True):
            body = {"rule": EVERYBODY, "limit": 31, "order": order, "descending": descending, "columns": [column, "purchases"]}
            rows = [row for page in desk.pages(body) for row in page["data"]]
            bought = [row for row in rows if row["columns"].get("purchases") or column == "balance:points"]
            values = [(row["columns"][column], row["member_id"]) for row in bought]
            assert rows[: len(bought)] == bought
            assert [value for value, _ in values] == sorted((value for value, _ in values), reverse=descending)
            ties = [(a, b) for a, b in pairwise(values) if a[0] == b[0]]
            assert all(a[1] < b[1] for a, b in ties)
            assert len(rows) == 90


def test_points_that_pay_a_debt_are_ranked_as_they_are_paid_out(desk: Desk) -> None:
    """Her lot has matured, and nobody has settled it yet: a part of it pays what she owes."""
    now = desk.house.now
    wallets = [Wallet([Lot(80)]), Wallet([Lot(100, available_at=now - 1)], debt=30), Wallet([Lot(75)])]
    states = desk.crowd(3, wallets=wallets)
    desk.snapshot()
    body = {"rule": EVERYBODY, "order": "balance:points", "columns": ["balance:points"]}
    rows = [(row["member_id"], row["columns"]["balance:points"]) for page in desk.pages(body) for row in page["data"]]
    assert rows == [(states[1].member, 70), (states[2].member, 75), (states[0].member, 80)]


def test_pages_go_on_over_a_new_snapshot_and_time_and_nobody_else_moves(desk: Desk) -> None:
    states = desk.crowd(60)
    desk.snapshot()
    body = {"rule": EVERYBODY, "limit": 20, "order": "balance:points"}
    pages = desk.pages(body)
    first = next(pages)
    desk.house.now += 10 * MINUTE
    late = desk.house.join()
    SnapshotRepository(desk.scope()).mark([late, states[0].member], desk.house.now)
    desk.snapshot()
    desk.house.now += 10 * MINUTE
    rest = [row["member_id"] for page in pages for row in page["data"]]
    seen = [row["member_id"] for row in first["data"]] + rest
    assert len(seen) == len(set(seen))
    assert set(seen) - {late} == {state.member for state in states}


def test_a_page_by_id_reads_a_bounded_number_and_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    states = desk.crowd(50)
    desk.give_profile(states[40].member, {}, Facts(gender="female"))
    desk.snapshot()
    monkeypatch.setattr(searching, "TOGETHER", 10)
    monkeypatch.setattr(searching, "PAGE_READ", 20)
    pages = list(desk.pages({"rule": {"kind": "fact", "of": "gender", "is": "female"}, "limit": 5}))
    assert [[row["member_id"] for row in page["data"]] for page in pages] == [[], [], [states[40].member]]


def test_a_cursor_is_of_one_rule_order_and_tenant(desk: Desk) -> None:
    desk.crowd(30)
    House(desk.house.table, desk.house.key_table, tenant="other").create()
    body = {"rule": EVERYBODY, "limit": 10}
    cursor = desk.call("search_members", body).body["next_cursor"]
    assert desk.call("search_members", body | {"cursor": cursor}).status == 200
    for other in ({"rule": BUYERS}, {"order": "lifetime_value"}, {"cursor": cursor[:-2] + "AA"}):
        said = desk.call("search_members", body | {"cursor": cursor} | other)
        assert (said.status, said.body["code"]) == (422, "invalid_cursor")
    assert desk.call("search_members", body | {"cursor": cursor}, tenant="other").body["code"] == "invalid_cursor"
    assert desk.call("search_members", body, tenant="other").body["data"] == []
    desk.house.now += 2 * HOUR
    said = desk.call("search_members", body | {"cursor": cursor})
    assert (said.status, said.body["as_of"]) == (200, format_rfc3339(desk.house.now))


@pytest.mark.parametrize(
    ("more", "pointer", "code"),
    [
        ({"columns": ["member_id", "nonsense"]}, "/columns/1", "unknown_column"),
        ({"columns": ["balance:miles"]}, "/columns/0", "unknown_wallet"),
        ({"columns": ["tier", "tier"]}, "/columns/1", "named_twice"),
        ({"columns": []}, "/columns", "invalid_value"),
        ({"order": "balance:miles"}, "/order", "unknown_wallet"),
        ({"order": "shoe_size"}, "/order", "invalid_value"),
        ({"limit": 201}, "/limit", "invalid_value"),
    ],
)
def test_what_a_search_cannot_show_is_pointed_at(desk: Desk, more: dict[str, Any], pointer: str, code: str) -> None:
    said = desk.call("search_members", {"rule": EVERYBODY} | more)
    assert (said.status, said.errors) == (422, [(pointer, code)])


def test_personal_columns_need_their_scope_and_show_what_is_sealed(desk: Desk) -> None:
    states = desk.crowd(3)
    desk.give_profile(states[0].member, {"first_name": "Anna", "phone": "+4930123456"})
    body = {"rule": EVERYBODY, "columns": ["member_id", "first_name", "phone"]}
    said = desk.call("search_members", body)
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")
    assert said.errors == [("/columns/1", "insufficient_scope"), ("/columns/2", "insufficient_scope")]
    (row,) = desk.call("search_members", body, scopes=FULL).body["data"]
    assert row["columns"] == {"member_id": states[0].member, "first_name": "Anna", "phone": "+4930123456"}


# -- export ---------------------------------------------------------------------------------------------------------

COLUMNS = [
    "member_id", "balance:points", "value", "attribute:city", "tag:staff", "tags", "window:value:30:category=mains", "last_purchase_at",
]  # fmt: skip


def straight(desk: Desk, states: list[MemberState]) -> list[dict[str, Any]]:
    """The rows of RICH members, computed plainly."""
    rows, now = [], desk.house.now
    today = local_day(now, ZONE)
    for state in states:
        held = sum(hold.points for hold in state.holds.values() if hold.until > now)
        points = max(sum(lot.points for lot in state.wallets["points"].lots) - held, 0)
        if points < 50:
            continue
        profile, seen = state.profile, state.profiled
        window = sum(cell.value for day, cell in profile.cells.items() if today - 30 < day <= today)
        last = format_rfc3339(profile.last_at) if profile.last_at is not None else None
        rows.append({
            "member_id": state.member, "balance:points": points, "value": profile.value if seen else None,
            "attribute:city": state.attributes["city"], "tag:staff": "staff" in state.tags, "tags": sorted(state.tags),
            "window:value:30:category=mains": window if seen else None, "last_purchase_at": last if seen else None,
        })  # fmt: skip
    return rows


def test_an_export_of_three_thousand_members_is_a_straight_computation(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    states = desk.crowd(3000)
    desk.snapshot()
    monkeypatch.setattr(model, "PART_BYTES", 50_000)
    expected = straight(desk, states)
    done, text = desk.exported({"rule": RICH, "format": "jsonl", "columns": COLUMNS})
    assert [json.loads(line) for line in text.splitlines()] == [
        {name: value for name, value in row.items() if value is not None} for row in expected
    ]
    assert (done["rows"], done["left_out"]) == (len(expected), 0)
    assert desk.s3.made == 1
    assert done["link"] == f"https://objects.example/exports/demo/{done['export_id']}.jsonl?expires=900"
    assert (done["finished_at"], done["kept_until"]) == (format_rfc3339(desk.house.now), format_rfc3339(desk.house.now + 7 * DAY))
    assert desk.s3.types[f"exports/demo/{done['export_id']}.jsonl"].startswith("application/jsonl")


def test_a_csv_file_has_a_header_and_every_value_of_every_row(desk: Desk) -> None:
    expected = straight(desk, desk.crowd(60))
    _, text = desk.exported({"rule": RICH, "columns": COLUMNS})
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["member_id"] for row in rows] == [row["member_id"] for row in expected]
    assert all(row["attribute:city"].lstrip("'") == want["attribute:city"] for row, want in zip(rows, expected, strict=True))
    assert not any(row["attribute:city"].startswith("=") for row in rows)
    assert [row["value"] for row in rows] == ["" if want["value"] is None else str(want["value"]) for want in expected]


def test_a_segment_is_exported_in_the_version_that_is_served(desk: Desk) -> None:
    states = desk.crowd(30, segments={"rich@1": desk.house.now - DAY})
    desk.house.publish("segment", "rich", {"name": "R", "rule": RICH})
    done, text = desk.exported({"columns": ["member_id", "entered_at", "segments"]}, segment_id="rich")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert (done["segment"], done["version"], done["columns"]) == ("rich", 1, ["member_id", "entered_at", "segments"])
    assert rows[0] == ["member_id", "entered_at", "segments"]
    assert [row[0] for row in rows[1:]] == [row["member_id"] for row in straight(desk, states)]
    assert {row[2] for row in rows[1:]} == {"rich"}
    assert {row[1] for row in rows[1:]} == {format_rfc3339(desk.house.now - DAY)}
    assert desk.call("export_segment", {}, segment_id="none").body["code"] == "unknown_segment"
    assert desk.call("export_members", {"rule": RICH, "columns": ["entered_at"]}).errors == [("/columns/0", "unknown_column")]


def test_an_export_of_nobody_is_a_header(desk: Desk) -> None:
    nobody = {"kind": "list", "list": "none"}
    assert desk.exported({"rule": nobody, "columns": ["member_id", "tier"]})[1] == "member_id,tier\r\n"
    assert desk.exported({"rule": nobody, "format": "jsonl"})[1] == ""


def test_personal_columns_are_opened_and_who_has_no_key_is_left_out_and_counted(desk: Desk) -> None:
    states = desk.crowd(4)
    for number, state in enumerate(states[:3]):
        desk.give_profile(state.member, {"first_name": f"N{number}", "phone": "+4930123456"})
    body = {"rule": EVERYBODY, "columns": ["member_id", "first_name", "phone"]}
    said = desk.call("export_members", body)
    assert (said.status, [pointer for pointer, _ in said.errors]) == (403, ["/columns/1", "/columns/2"])
    done, text = desk.exported(body, scopes=FULL)
    assert text.split("\r\n")[1] == f"{states[0].member},N0,'+4930123456"
    assert (done["rows"], done["left_out"]) == (3, 1)
    # Who may not see personal data gets no link to them.
    said = desk.call("get_export", export_id=done["export_id"])
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")


def test_an_export_is_its_tenants_own(desk: Desk) -> None:
    House(desk.house.table, desk.house.key_table, tenant="other").create()
    desk.crowd(3)
    done, _ = desk.exported({"rule": EVERYBODY})
    for export in (done["export_id"], "exp_nothing", "x"):
        said = desk.call("get_export", tenant="other", export_id=export)
        assert (said.status, said.body["code"]) == (404, "unknown_export")


def test_the_status_tells_how_far_it_is_and_what_was_abandoned(desk: Desk) -> None:
    desk.crowd(3)
    export = desk.call("export_members", {"rule": EVERYBODY}).body["export_id"]
    assert desk.call("get_export", export_id=export).body["status"] == "queued"
    desk.house.now += 2 * HOUR
    said = desk.call("get_export", export_id=export).body
    assert (said["status"], said["reason"]) == ("failed", "abandoned")
    desk.settle()
    said = desk.call("get_export", export_id=export).body
    assert said["status"] == "done"
    desk.house.now += 7 * DAY
    assert "link" not in desk.call("get_export", export_id=export).body


def test_a_finished_export_is_told_once_without_anything_personal(desk: Desk) -> None:
    stream, bus = Stream(desk.address, desk.house.table.name), BusOfTest()
    desk.crowd(5)
    bus.relay(stream)
    done, _ = desk.exported({"rule": EVERYBODY})
    desk.deliver({"kind": "export", "tenant": "demo", "export": done["export_id"]})
    told = [each for each in bus.relay(stream) if each["aggregate"].startswith("export:")]
    assert [(each["aggregate"], each["types"], each["events"][0]["data"]) for each in told] == [
        (f"export:{done['export_id']}", ["export.finished"], {"export": done["export_id"], "rows": 5, "left_out": 0})
    ]


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "export"},
        {"kind": "other", "tenant": "demo", "export": "exp_" + "0" * 26},
        {"kind": "export", "tenant": "DEMO", "export": "exp_" + "0" * 26},
    ],
)
def test_what_is_no_message_of_ours_goes_to_the_dead_letters(desk: Desk, message: dict[str, Any]) -> None:
    assert desk.deliver(message) == []
    assert desk.sqs.of["dead"].take() == [message]


def test_a_message_of_an_export_that_there_is_not_ends_at_once(desk: Desk) -> None:
    assert desk.deliver({"kind": "export", "tenant": "demo", "export": new_id("exp", desk.house.now)}) == []
    assert len(desk.sqs.of["dead"].take()) == 1


# -- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.fixture
def slow(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Chunks of three members, parts of a few, and after every second chunk the time is over."""
    monkeypatch.setattr(writing, "TOGETHER", 3)
    monkeypatch.setattr(model, "PART_BYTES", 150)
    looks = iter(range(10**9))
    desk.house.time_left = lambda: 60_000 if next(looks) % 2 else 1_000
    return desk


def test_an_export_goes_on_in_another_message_when_time_is_short(slow: Desk) -> None:
    states = slow.crowd(20)
    done, text = slow.exported({"rule": EVERYBODY, "columns": ["member_id"]})
    assert text.split() == ["member_id", *(state.member for state in states)]
    assert done["rows"] == 20
    assert set(slow.s3.objects) == {f"exports/demo/{done['export_id']}.csv"}
    assert slow.s3.uploads == {}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("what", "requests"), [("table", 15), ("keys", 5), ("objects", 7), ("queue", 3)])
def test_a_worker_killed_at_any_request_loses_and_doubles_nobody(slow: Desk, what: str, requests: int, when: Any) -> None:
    table, key_table = (FaultyTable(slow.address, each.name) for each in (slow.house.table, slow.house.key_table))
    slow.house.table, slow.house.key_table = table, key_table
    states = slow.crowd(13)
    for number, state in enumerate(states):
        slow.give_profile(state.member, {"first_name": f"N{number}"})
    expected = "".join(f"{line}\r\n" for line in ("member_id,first_name", *(f"{each.member},N{n}" for n, each in enumerate(states))))
    arm: dict[str, Any] = {
        "table": lambda at: table.arm(at, when, "kill"),
        "keys": lambda at: key_table.arm(at, when, "kill"),
        "objects": lambda at: slow.s3.arm(at, when),
        "queue": lambda at: slow.sqs.arm(at, when),
    }
    killed = 0
    for at in range(1, 200):
        body = {"rule": EVERYBODY, "columns": ["member_id", "first_name"]}
        export = slow.call("export_members", body, scopes=FULL).body["export_id"]
        message = slow.sqs.of["own"].take()
        arm[what](at)
        again = slow.deliver(*message)
        while not again and slow.sqs.of["own"].sent:
            message = slow.sqs.of["own"].take()
            again = slow.deliver(*message)
        for each in (table, key_table, slow.s3):
            each.disarm()
        slow.sqs.fail_in = None
        slow.house.now += model.LEASE
        assert slow.deliver(*message) == []
        slow.settle()
        done = slow.call("get_export", scopes=FULL, export_id=export).body
        assert slow.s3.objects[f"exports/demo/{export}.csv"].decode() == expected
        assert (done["status"], done["rows"]) == ("done", 13)
        if not again:
            break
        killed += 1
    assert killed >= requests


def test_a_file_that_is_put_together_does_not_change_any_more(slow: Desk) -> None:
    states, complete = slow.crowd(20), slow.s3.complete_multipart_upload

    def completes_and_dies(**request: Any) -> None:
        slow.s3.complete_multipart_upload = complete  # type: ignore[method-assign]
        complete(**request)
        raise Killed

    slow.house.time_left = lambda: 60_000
    slow.s3.complete_multipart_upload = completes_and_dies  # type: ignore[method-assign]
    export = slow.call("export_members", {"rule": EVERYBODY, "columns": ["member_id"]}).body["export_id"]
    (message,) = slow.sqs.of["own"].take()
    assert slow.deliver(message) == ["0"]
    # Somebody who joins now would come last.
    slow.house.now += 401 * DAY
    slow.crowd(1, seed=2)
    assert slow.deliver(message) == []
    done = slow.call("get_export", export_id=export).body
    assert (done["status"], done["rows"], slow.s3.made) == ("done", 20, 1)
    assert slow.s3.objects[f"exports/demo/{export}.csv"].decode().split()[1:] == [state.member for state in states]


def test_two_workers_never_write_one_export_at_once(slow: Desk) -> None:
    states = slow.crowd(10)
    slow.house.time_left = lambda: 60_000
    export = slow.call("export_members", {"rule": EVERYBODY, "columns": ["member_id"]}).body["export_id"]
    message = slow.sqs.of["own"].take()
    found = ExportRepository(slow.scope()).get(export)
    found.lease_until = slow.house.now + 1
    assert ExportRepository(slow.scope()).save(found)
    assert slow.deliver(*message) == []
    assert slow.s3.objects == {}
    assert slow.sqs.of["own"].sent == [(message[0], model.LEASE // SECOND)]
    slow.settle()
    assert slow.s3.objects[f"exports/demo/{export}.csv"].decode().split()[1:] == [state.member for state in states]


@pytest.mark.parametrize("lost", ["upload", "rest"])
def test_an_upload_that_is_gone_is_written_again_but_not_for_ever(slow: Desk, lost: str) -> None:
    states = slow.crowd(16)
    export = slow.call("export_members", {"rule": EVERYBODY, "columns": ["member_id"]}).body["export_id"]

    def lose() -> None:
        if lost == "upload":
            slow.s3.uploads.clear()
        for name in [name for name in slow.s3.objects if ".rest-" in name]:
            if lost == "rest":
                del slow.s3.objects[name]

    for _ in range(3):
        slow.deliver(*slow.sqs.of["own"].take())
    lose()
    slow.settle()
    assert slow.s3.objects[f"exports/demo/{export}.csv"].decode().split()[1:] == [state.member for state in states]
    doomed = slow.call("export_members", {"rule": EVERYBODY, "columns": ["member_id"]}).body["export_id"]
    for _ in range(40):
        slow.deliver(*slow.sqs.of["own"].take())
        lose()
    said = slow.call("get_export", export_id=doomed).body
    assert (said["status"], said["reason"]) == ("failed", "upload_lost")


def test_the_bucket_takes_a_file_in_parts_and_refuses_one_of_another_tag(cloud: Cloud) -> None:
    cloud.s3.create_bucket(Bucket="exports-of-a-test")
    store, name, part = S3Store(cloud.s3, "exports-of-a-test"), "exports/demo/x.csv", bytes(range(256)) * (5 * 4096)
    assert not store.exists(name)
    upload = store.begin(name, "text/csv")
    assert store.add_part(name, upload, 1, b"replaced" * 1_000_000) is not None
    tags = [store.add_part(name, upload, number, body) for number, body in ((1, part), (2, b"end"))]
    assert None not in tags
    assert not store.complete(name, upload, ['"0123456789abcdef0123456789abcdef"', str(tags[1])])
    assert store.complete(name, upload, [str(tag) for tag in tags])
    assert store.get(name) == part + b"end"
    assert store.exists(name)


def test_a_forged_cursor_is_refused(desk: Desk) -> None:
    forged = seal_cursor(b"another key", "demo|search|0", {"at": 0, "place": [0, 0, ""]})
    assert desk.call("search_members", {"rule": EVERYBODY, "cursor": forged}).body["code"] == "invalid_cursor"
