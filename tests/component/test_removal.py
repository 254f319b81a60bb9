"""A tenant is removed with everything that it has, and nothing of anybody else; killed anywhere, it is finished by going on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from functions.tenancy import handler as tenancy
from functions.tenant_removal import handler
from shared.aws.queues import Poison
from shared.aws.staff_pool import CognitoPool
from shared.kernel.errors import InvalidValue
from shared.privacy.crypto import derive
from shared.storage import keys, keys_access, sweeping
from shared.storage.errors import RawItem
from shared.storage.items import SettingsItem, TenantEntryItem
from shared.storage.table import Table
from shared.tenants import removal
from shared.tenants.access import Access
from shared.tenants.keys_repository import PEPPER_PURPOSE
from shared.tenants.model import PushSettings
from shared.tenants.removal import DATA_PREFIXES, MEDIA_PREFIXES, SETTLE, Tools
from shared.tenants.staff import username
from shared.tenants.tokens import TokenSigner
from shared.transactions.service import record
from tests.builders.house import PROGRAMME, SETTINGS, House, sale
from tests.builders.office import MASTER, Office, Said
from tests.fakes.faulty import Killed
from tests.fakes.queue import FakeQueue
from tests.fakes.user_pool import FakeUserPool, User

GONE, NEIGHBOURS = "demo", ("demo2", "dem0")
"""Two whose ids are like the one that goes."""
ARNS = ("arn:aws:sns:us-east-1:1:app/GCM/demo", "arn:aws:sns:us-east-1:1:app/APNS/demo")
PUSH = {"gcm": PushSettings(application_arn=ARNS[0]), "apns": PushSettings(application_arn=ARNS[1])}


@dataclass
class Bucket:
    """Objects in memory, a few at a time."""

    objects: set[str] = field(default_factory=set)

    def names(self, prefix: str) -> list[str]:
        return sorted(each for each in self.objects if each.startswith(prefix))[:2]

    def delete_many(self, names: list[str]) -> None:
        self.objects -= set(names)


class Faults:
    """Counts every request of the job, and kills it before or after the one that a test names."""

    def __init__(self) -> None:
        self.calls, self.at, self.when = 0, 0, "before"

    def arm(self, at: int, when: str) -> None:
        self.calls, self.at, self.when = 0, at, when

    def round(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*given: Any, **more: Any) -> Any:
            self.calls += 1
            hit = self.calls == self.at
            if hit and self.when == "before":
                raise Killed
            answer = call(*given, **more)
            if hit:
                raise Killed
            return answer

        return made


class World:
    """Three tenants with something of everything, and the operator."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house, self.queue = house, FakeQueue()
        self.data, self.media, self.applications = Bucket(), Bucket(), list(ARNS)
        self.users = FakeUserPool()
        self.office = Office(house, monkeypatch)
        monkeypatch.setattr(tenancy, "removals_queue_url", lambda: "removals")
        monkeypatch.setattr(tenancy, "SqsQueue", lambda _client, _url: self.queue)
        monkeypatch.setattr(sweeping, "PAGE", 20)

    def fill(self, *tenants: str, sales: int = 3) -> None:
        for tenant in tenants:
            own = House(self.house.table, self.house.key_table, tenant=tenant)
            own.create(SETTINGS.model_copy(update={"push": PUSH} if tenant == GONE else {}))
            own.publish("programme", "points", PROGRAMME)
            member = own.join()
            own.scope().new_cipher(member)
            for _ in range(sales):
                record(own.scope(), sale(member))
            self.house.table.put(TenantEntryItem.at(keys.tenant_entry(tenant), tenant=tenant, status="active", due_shards=1))
            self.call("create_key", {"scopes": ["coupons:issue"]}, tenant)
            self.hire(tenant)
            self.data.objects |= {f"{prefix}{tenant}/{number}" for prefix in DATA_PREFIXES for number in range(3)}
            self.media.objects |= {f"{prefix}{tenant}/{number}" for prefix in MEDIA_PREFIXES for number in range(3)}

    def hire(self, tenant: str) -> None:
        """Two people in the pool of staff."""
        self.users.users |= {username(tenant, f"stf_{letter * 12}"): User("x@y.example") for letter in "ab"}

    def suspend(self) -> None:
        self.house.table.put(TenantEntryItem.at(keys.tenant_entry(GONE), tenant=GONE, status="suspended", due_shards=1))

    def call(self, operation: str, body: Any = None, tenant: str = GONE, **more: Any) -> Said:
        return self.office.call(operation, body, tenant_id=tenant, **more)

    def order(self) -> Said:
        return self.call("remove_tenant", {"id": GONE})

    def tools(self, time_left: Callable[[], int] = lambda: 60_000) -> Tools:
        buckets = ((self.data, DATA_PREFIXES), (self.media, MEDIA_PREFIXES))
        tables = (self.house.table, self.house.key_table)
        staff = CognitoPool(self.users, "pool")
        return Tools(*tables, buckets, self.applications.remove, staff, self.queue, lambda: self.house.now, time_left)

    def work(self) -> bool:
        return removal.work(self.tools(), GONE)

    def stored(self, tenant: str) -> list[Any]:
        """Everything of a tenant, everywhere."""
        found: list[Any] = []
        for table in (self.house.table, self.house.key_table):
            found += [raw for raw in every(table) if raw["PK"]["S"].startswith(f"T#{tenant}#")]
        found.sort(key=lambda raw: (raw["PK"]["S"], raw["SK"]["S"]))
        found += sorted(name for name in self.users.users if name.startswith(f"{tenant}."))
        return found + sorted(name for bucket in (self.data, self.media) for name in bucket.objects if f"/{tenant}/" in name)


def every(table: Table) -> Iterator[RawItem]:
    start: dict[str, Any] = {}
    while True:
        answer = table._client.scan(TableName=table.name, ConsistentRead=True, **start)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


@pytest.fixture
def world(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(bare_house, monkeypatch)
    made.fill(GONE, *NEIGHBOURS)
    return made


def test_everything_of_it_goes_and_nothing_of_anybody_else(world: World) -> None:
    before = {tenant: world.stored(tenant) for tenant in (*NEIGHBOURS, "operator")}
    assert len(world.stored(GONE)) > 25
    world.suspend()
    said = world.order()
    assert (said.status, said.body["state"], said.body["requested_by"]) == (202, "removing", "operator-root")
    world.house.now += SETTLE
    assert world.work() is True
    assert world.stored(GONE) == []
    assert world.applications == []
    for tenant in NEIGHBOURS:
        assert world.stored(tenant) == before[tenant]
    ids = {each["id"] for each in world.office.call("list_tenants").body["data"]}
    assert ids == set(NEIGHBOURS)


def test_the_certificate_stays_and_says_what_was_done(world: World) -> None:
    items = sum(raw["PK"]["S"].startswith("T#demo#") for raw in every(world.house.table))
    world.suspend()
    world.order()
    ordered = world.house.now
    world.house.now += SETTLE
    world.work()
    certificate = world.call("get_removal").body
    assert certificate["state"] == "removed"
    objects = 3 * len((*DATA_PREFIXES, *MEDIA_PREFIXES))
    counts = {"items": items, "objects": objects, "applications": 2, "staff": 2, "keys": 1, "again": 0, "keyring": 1, "entry": 1}
    assert certificate["deleted"] == counts
    assert certificate["passes"] == 5
    assert certificate["finished_at"] > certificate["requested_at"]
    assert removal.load(world.house.table, GONE).requested_at == ordered  # type: ignore[union-attr]
    again = world.order()
    assert (again.status, again.body) == (202, certificate)


def test_nothing_is_deleted_before_what_is_kept_is_forgotten(world: World) -> None:
    before = len(world.stored(GONE))
    world.suspend()
    world.order()
    assert world.queue.take() == [{"kind": "remove_tenant", "tenant": GONE}]
    world.house.now += SETTLE - 1000
    assert world.work() is False
    assert (len(world.stored(GONE)), world.queue.delays) == (before, [2])


def test_an_active_tenant_is_not_removed(world: World) -> None:
    said = world.order()
    assert (said.status, said.body["code"]) == (409, "tenant_active")
    assert world.call("get_removal").body["code"] == "no_removal"
    assert world.queue.messages == []


def test_who_does_not_repeat_the_id_removes_nothing(world: World) -> None:
    world.suspend()
    said = world.call("remove_tenant", {"id": "demo2"})
    assert (said.status, said.errors) == (422, [("/id", "invalid_value")])
    assert world.queue.messages == []


@pytest.mark.parametrize("tenant", ["nobody", "Not-an-id", "operator"])
def test_an_unknown_tenant_is_not_found(world: World, tenant: str) -> None:
    assert world.call("remove_tenant", {"id": tenant}, tenant).status == 404
    assert world.call("get_removal", tenant=tenant).status == 404


def test_only_the_operator_removes(world: World) -> None:
    world.suspend()
    said = world.call("remove_tenant", {"id": GONE}, scopes=frozenset({"tenant:admin"}))
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")


def test_from_the_order_on_nothing_of_it_can_be_changed_nor_its_removal_undone(world: World) -> None:
    world.suspend()
    etag = world.call("get_tenant").body["etag"]
    settings = world.call("get_tenant").body["settings"]
    world.order()
    for said in (
        world.call("replace_tenant", {"settings": settings}, if_match=etag),
        world.call("create_key", {"scopes": ["coupons:issue"]}),
        world.call("set_stops_of_tenant", {}),
    ):
        assert (said.status, said.body["code"]) == (409, "tenant_removing")
    assert TenantEntryItem.read(world.house.table.get(keys.tenant_entry(GONE)) or {}).status == "removing"


def test_an_activation_that_was_under_way_does_not_undo_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.suspend()
    read = world.call("get_tenant").body
    put = world.house.table.put

    def ordered_in_between(item: Any, *given: Any, **more: Any) -> None:
        put(item, *given, **more)
        if isinstance(item, SettingsItem):
            monkeypatch.setattr(world.house.table, "put", put)
            world.order()

    monkeypatch.setattr(world.house.table, "put", ordered_in_between)
    said = world.call("replace_tenant", {"settings": read["settings"]}, if_match=read["etag"])
    assert (said.status, said.body["code"]) == (409, "tenant_removing")
    assert TenantEntryItem.read(world.house.table.get(keys.tenant_entry(GONE)) or {}).status == "removing"


def test_its_keys_open_nothing_and_its_id_is_never_given_again(world: World) -> None:
    key = world.call("create_key", {"scopes": ["coupons:issue"]}).body["key"]
    world.suspend()
    world.order()
    pepper = derive(MASTER, PEPPER_PURPOSE)
    access = Access(world.house.table, TokenSigner(MASTER), pepper, "operators-own-secret", lambda: world.house.now, lambda: 0.0)
    assert access.context_of(f"Bearer {key}") == {"auth_error": "suspended_tenant"}
    world.house.now += SETTLE
    world.work()
    assert access.context_of(f"Bearer {key}") == {"auth_error": "invalid_credential"}
    body = {"id": GONE, "settings": {"name": "Another", "currency": "EUR", "time_zone": "Europe/Berlin"}}
    assert world.office.call("create_tenant", body).body["code"] == "tenant_exists"


def test_what_is_written_late_goes_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.suspend()
    world.order()
    world.house.now += SETTLE
    late = keys.definition(GONE, "segment", "late", 1)
    delete_many = world.media.delete_many

    def with_a_late_worker(names: list[str]) -> None:
        delete_many(names)
        world.house.table.put(SettingsItem.at(late, version=1, body=b""))

    monkeypatch.setattr(world.media, "delete_many", with_a_late_worker)
    assert world.work() is True
    assert world.stored(GONE) == []
    assert world.call("get_removal").body["deleted"]["again"] == 1


def test_when_time_is_short_the_rest_is_a_new_message(world: World) -> None:
    world.suspend()
    world.order()
    world.queue.take()
    world.house.now += SETTLE
    left = iter([60_000, 60_000, 1_000])
    assert removal.work(world.tools(lambda: next(left)), GONE) is False
    assert world.queue.take() == [{"kind": "remove_tenant", "tenant": GONE}]
    assert world.stored(GONE) != []
    assert world.work() is True
    assert world.stored(GONE) == []


def test_of_two_workers_one_goes_on(world: World) -> None:
    world.suspend()
    world.order()
    world.house.now += SETTLE
    inner: list[bool] = []

    def second() -> int:
        if not inner:
            inner.append(False)
            inner[0] = world.work()
        return 60_000

    assert removal.work(world.tools(second), GONE) is False
    assert inner == [True]
    assert world.stored(GONE) == []
    assert world.call("get_removal").body["state"] == "removed"


def test_a_key_of_another_tenant_is_never_deleted(world: World) -> None:
    theirs = keys.settings("demo2")
    with pytest.raises(InvalidValue):
        sweeping.delete(world.house.table, GONE, [keys.settings(GONE), theirs])
    assert world.house.table.get(keys.settings(GONE)) is not None


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_request_and_gone_on_it_ends_in_the_same_place(
    bare_house: House, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    world, faults = World(bare_house, monkeypatch), Faults()
    world.fill(GONE, NEIGHBOURS[0], sales=0)
    monkeypatch.setattr(sweeping, "PAGE", 100)
    for bucket in (world.data, world.media):
        bucket.objects = {name for name in bucket.objects if name.endswith("/0")}
    tables = (bare_house.table, bare_house.key_table)
    image = {table.name: [raw for raw in every(table) if raw["PK"]["S"].startswith("T#demo#")] for table in tables}
    objects, others = (set(world.data.objects), set(world.media.objects)), world.stored(NEIGHBOURS[0])
    for table in tables:
        monkeypatch.setattr(table, "_call", faults.round(table._call))
    for bucket in (world.data, world.media):
        for name in ("names", "delete_many"):
            monkeypatch.setattr(bucket, name, faults.round(getattr(bucket, name)))
    monkeypatch.setattr(world.users, "admin_delete_user", faults.round(world.users.admin_delete_user))
    sns = faults.round(lambda arn: world.applications.remove(arn) if arn in world.applications else None)
    reached = 0
    for at in range(1, 300):
        faults.at = 0
        for table in tables:
            for raw in image[table.name]:
                table._client.put_item(TableName=table.name, Item=raw)
        bare_house.table.delete(keys_access.removal(GONE))
        world.data.objects, world.media.objects, world.applications[:] = set(objects[0]), set(objects[1]), ARNS
        world.hire(GONE)
        world.suspend()
        world.order()
        world.house.now += SETTLE
        tools = world.tools()
        tools = Tools(tools.table, tools.key_table, tools.buckets, sns, tools.staff, tools.queue, tools.clock, tools.time_left_ms)
        faults.arm(at, when)
        try:
            removal.work(tools, GONE)
        except Killed:
            reached = at
        hit = faults.calls >= at
        faults.at = 0
        assert removal.work(tools, GONE) is True
        assert world.stored(GONE) == [], f"request {at} {when}"
        assert world.applications == []
        assert removal.load(bare_house.table, GONE).finished_at is not None  # type: ignore[union-attr]
        if not hit:
            break
    assert reached > 40
    assert world.stored(NEIGHBOURS[0]) == others


class TestHandler:
    """The function round it."""

    @pytest.mark.parametrize("message", [{}, {"kind": "remove_tenant"}, {"kind": "remove_tenant", "tenant": "T#demo"}, {"tenant": GONE}])
    def test_what_is_no_message_of_ours_is_poison(self, message: dict[str, Any]) -> None:
        with pytest.raises(Poison):
            handler.work(message)

    def test_what_the_operator_has_not_ordered_is_not_removed(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        before = world.stored(GONE)
        monkeypatch.setattr(handler, "tools", world.tools)
        world.house.now += SETTLE
        handler.work({"kind": "remove_tenant", "tenant": GONE})
        assert world.stored(GONE) == before

    def test_it_is_wired_with_its_own_tables_buckets_and_queue(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        gone: list[str] = []

        def delete(PlatformApplicationArn: str) -> None:
            gone.append(PlatformApplicationArn)

        sns = SimpleNamespace(delete_platform_application=delete)
        clients = {"s3": "s3", "sqs": "sqs", "sns": sns, "cognito-idp": world.users}
        home = SimpleNamespace(
            table=world.house.table, key_table=world.house.key_table, now=lambda: 1, client=clients.__getitem__,
            effort=lambda: SimpleNamespace(time_left_ms=lambda: 7),
        )  # fmt: skip
        buckets = {"data_bucket": "data", "media_bucket": "media"}
        names = SimpleNamespace(queue_url="removals", dead_letter_url="dead", staff_pool_id="pool", **buckets)
        monkeypatch.setattr(handler, "runtime", lambda: home)
        monkeypatch.setattr(handler, "settings", lambda: names)
        tools = handler.tools()
        assert [(bucket.bucket, prefixes) for bucket, prefixes in tools.buckets] == [  # type: ignore[attr-defined]
            ("data", DATA_PREFIXES), ("media", MEDIA_PREFIXES),
        ]  # fmt: skip
        tools.delete_application("arn")
        assert (gone, tools.time_left_ms(), tools.clock()) == (["arn"], 7, 1)
        assert tools.staff == CognitoPool(world.users, "pool")
