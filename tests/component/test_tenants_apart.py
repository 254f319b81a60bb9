"""Two tenants in one table, behind one environment's caches: nothing of one is found with the other's scope, whatever id is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.aws.runtime import NamedTenant, Runtime
from shared.aws.settings import Settings
from shared.campaigns import service as campaigns
from shared.campaigns.repository import CampaignRepository
from shared.coupons.api import IssueRequest
from shared.coupons.repository import CouponRepository
from shared.coupons.service import issue
from shared.definitions.model import Definition
from shared.jobs import service as jobs
from shared.kernel.errors import AppError, Gone, InvalidValue, NotFound
from shared.member_state.errors import UnknownMember
from shared.member_state.events import ProfileChanged
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Occasion, change_member, tick_member, view_member
from shared.members import directory
from shared.members.model import ConsentRecord
from shared.members.repository import Device, MemberRepository
from shared.relay.envelope import Envelope
from shared.segments import listing
from shared.segments.ticks import sweep_tenant
from shared.storage import keys
from shared.storage.table import WriteBatch
from shared.tenants.credentials import NewKey
from shared.tenants.keys_repository import KeyRepository
from shared.tenants.model import CatalogueItem
from shared.tenants.scope import ForeignKey, TenantScope
from shared.transactions import claims, holds, reversal
from shared.transactions.api import HoldRequest, MemberReference
from shared.transactions.gathering import natural_key
from shared.transactions.repository import SaleRepository
from shared.transactions.repository import natural_key as natural_key_of
from shared.transactions.service import read_sale, record
from tests.builders.campaigns import NEWS
from tests.builders.house import FRIES, NOW, PROGRAMME, House, sale
from tests.fakes.queue import FakeQueue

SEGMENT: dict[str, Any] = {"name": "R", "rule": {"kind": "purchases", "metric": "count", "days": 2, "op": "ge", "value": 1}}
CARD = "77001234"
KEY_ID = "demo-aaaaaaaaaaaa"
DEVICE = "dev_1"
FOREIGN = ("other", "demo2", "dem0")
"""Two whose ids are like ``demo``, so that a prefix that is cut short would show."""


@dataclass
class Bucket:
    """Objects in memory."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def put(self, name: str, body: bytes) -> None:
        self.objects[name] = body

    def get(self, name: str) -> bytes:
        return self.objects[name]


@dataclass
class World:
    """One tenant with something of everything, and the scopes of one environment."""

    house: House
    runtime: Runtime
    bucket: Bucket = field(default_factory=Bucket)
    ids: dict[str, str] = field(default_factory=dict)

    def scope(self, tenant: str) -> TenantScope:
        """As a verified principal of that tenant gets it."""
        return self.runtime.scope(NamedTenant(tenant))


@pytest.fixture
def world(bare_house: House) -> World:
    settings = Settings("test", "us-east-1", None, bare_house.table.name, bare_house.key_table.name, "", "", None, 60.0, local_clock=False)
    runtime = Runtime(settings, wall=lambda: NOW / 1000)
    runtime.table, runtime.key_table = bare_house.table, bare_house.key_table
    runtime.unwrap = lambda tenant, wrapped: wrapped  # type: ignore[method-assign]
    for tenant in ("demo", *FOREIGN):
        house = House(bare_house.table, bare_house.key_table, tenant=tenant).create()
        house.publish("programme", "points", PROGRAMME | {"name": tenant})
        if tenant == "demo":
            house.publish("offer", "fries", FRIES)
            house.publish("segment", "recent", SEGMENT)
            house.add_item(CatalogueItem(id="only-here", name="Only here"))
    made = World(bare_house, runtime)
    furnish(made)
    return made


def furnish(world: World) -> None:
    """A member with everything that a member may have, and the tenant's own things."""
    scope, house, ids = world.scope("demo"), world.house, world.ids
    member = ids["member"] = house.join()
    cipher = scope.new_cipher(member)
    members = MemberRepository("demo", house.table)

    def finish(_after: object, _effects: object, batch: WriteBatch) -> None:
        members.add_profile(batch, member, 0, {"first_name": "Anna"}, cipher)
        members.add_identifier(batch, "card", "card", scope.blind("card", CARD), member)
        members.add_consents(batch, member, (ConsentRecord("news", "push", True, "v1", NOW, "app", member),), NOW)
        members.add_device(batch, member, Device(DEVICE, "gcm", "endpoint", NOW))

    known = ProfileChanged(NOW, ("first_name",))
    change_member(scope, member, Occasion(NOW), lambda *_: Change([known], finish))
    coupon = issue(scope, "fries", IssueRequest(member_id=member, request_id="r1"), None).answer
    ids["coupon"], ids["code"] = coupon.id, coupon.code or ""
    request = sale(member, lines=(("burger", 9000),))
    ids["sale"] = record(scope, request).answer["transaction_id"]
    anonymous = sale(None)
    record(scope, anonymous)
    ids["anonymous"] = natural_key(anonymous).id("txn")
    left_out = {"business_date", "receipt_number", "mode", "training", "offline", "tenders", "hold_id"}
    basket = sale(member).model_dump(exclude=left_out) | {"basket_id": "b1", "points_to_spend": 5}
    ids["hold"] = holds.place(scope, HoldRequest.model_validate(basket))[0].hold_id
    ids["job"] = jobs.accept(scope, "transactions", [{}], {}, world.bucket, FakeQueue(), pointer="/transactions").job_id
    campaigns.on_publish(scope, Definition("campaign", "summer", 1, "published", NEWS, effective_from=0))
    event = {"type": "segment.entered", "occurred_at": NOW, "data": {"segment": "recent", "segment_version": 1}}
    about_her = {"id": "e", "tenant": "demo", "key": keys.member("demo", member), "aggregate": f"member:{member}", "member": member}
    told: dict[str, Any] = about_her | {"seq": 2, "committed_at": NOW, "correlation_id": "", "mode": "live", "events": (event,)}
    listing.record_flips(scope, Envelope(**told))
    KeyRepository("demo", house.table).put(NewKey(KEY_ID, "secret", "printed"), "00" * 32, ["transactions:read"])


Read = Callable[[World, TenantScope], Any]


def _members(world: World, scope: TenantScope) -> MemberRepository:
    return MemberRepository(scope.tenant, scope.table)


def _coupons(world: World, scope: TenantScope) -> CouponRepository:
    return CouponRepository(scope.tenant, scope.table)


READS: dict[str, Read] = {
    "state": lambda w, s: StateRepository(s.tenant, s.table).load(w.ids["member"]),
    "view": lambda w, s: view_member(s, w.ids["member"], NOW),
    "ledger": lambda w, s: StateRepository(s.tenant, s.table).ledger(w.ids["member"], 10, None)[0],
    "profile": lambda w, s: _members(w, s).profile(w.ids["member"]).version,
    "key": lambda w, s: s.cipher(w.ids["member"]),
    "consents": lambda w, s: _members(w, s).consents(w.ids["member"], s.cipher(w.ids["member"])),
    "device": lambda w, s: _members(w, s).device(w.ids["member"], DEVICE),
    "owner of a device": lambda w, s: _members(w, s).owner_of(DEVICE),
    "identifier": lambda w, s: directory.find(s, "card", CARD),
    "identifiers": lambda w, s: directory.find_many(s, [("card", CARD)]),
    "coupon": lambda w, s: _coupons(w, s).get(w.ids["coupon"]),
    "coupons": lambda w, s: _coupons(w, s).get_many([w.ids["coupon"]]),
    "coupon by code": lambda w, s: _coupons(w, s).id_of_code(s.blind("code", w.ids["code"])),
    "sale": lambda w, s: read_sale(s, natural_key_of(w.ids["sale"])),
    "sale's record": lambda w, s: SaleRepository(s.tenant, s.table).get(natural_key_of(w.ids["sale"])),
    "hold": lambda w, s: holds.read(s, w.ids["hold"]),
    "job": lambda w, s: jobs.read(s, w.ids["job"]),
    "campaign": lambda w, s: CampaignRepository(s.tenant, s.table).run("summer"),
    "campaigns": lambda w, s: CampaignRepository(s.tenant, s.table).runs(["summer"]),
    "listing": lambda w, s: listing.members_page(s, "recent", 10, None, b"k" * 32).data,
    "definition": lambda w, s: s.repository.newest("segment", "recent"),
    "offer": lambda w, s: s.offer("fries", 1),
    "offer in force": lambda w, s: s.offers_in_force(["fries"], s.clock()),
    "catalogue item": lambda w, s: s.items(["only-here"]),
    "API key": lambda w, s: KeyRepository(s.tenant, s.table).get(KEY_ID),
}


@pytest.mark.parametrize("tenant", FOREIGN)
def test_nothing_is_read_with_another_tenants_ids(world: World, tenant: str) -> None:
    before = stored(world)
    for name, read in READS.items():
        # First the owner, so that whatever the environment keeps is warm.
        assert read(world, world.scope("demo")), f"{name}: there is nothing to be found"
        try:
            found = read(world, world.scope(tenant))
        except (NotFound, Gone):
            continue
        assert not found, f"{name} of demo was read as {tenant}"
    assert stored(world) == before


WRITES: dict[str, Read] = {
    "tick": lambda w, s: tick_member(s, w.ids["member"], NOW + 10**12),
    "change": lambda w, s: change_member(s, w.ids["member"], Occasion(NOW), lambda *_: Change([], lambda *_: None)),
    "void": lambda w, s: reversal.void(s, w.ids["sale"]),
    "claim": lambda w, s: claims.claim(s, w.ids["anonymous"], MemberReference(id=w.ids["member"])),
    "release": lambda w, s: holds.release(s, w.ids["hold"]),
    "extend": lambda w, s: holds.extend(s, w.ids["hold"], 60),
}


@pytest.mark.parametrize("tenant", FOREIGN)
def test_nothing_is_changed_with_another_tenants_ids(world: World, tenant: str) -> None:
    before = stored(world)
    for name, write in WRITES.items():
        with pytest.raises(NotFound):
            pytest.fail(f"{name}: {write(world, world.scope(tenant))}")
    assert KeyRepository(tenant, world.house.table).revoke(KEY_ID) is False
    assert sweep_tenant(world.scope(tenant), 0, None, FakeQueue(), FakeQueue()) == 0
    assert stored(world) == before


def test_what_has_the_same_name_is_each_tenants_own(world: World) -> None:
    for tenant in ("demo", *FOREIGN):
        assert world.scope(tenant).definitions.at(NOW).programmes[0].body.name == tenant
    neighbour = House(world.house.table, world.house.key_table, tenant="other")
    neighbour.add_item(CatalogueItem(id="fries", name="Fries", price=1))
    prices = [world.scope(tenant).items(["fries"])["fries"].price for tenant in ("demo", "other", "demo")]
    assert prices == [350, 1, 350]


def test_the_same_receipt_is_a_sale_of_its_own_for_each_tenant(world: World) -> None:
    request = sale(None, receipt_number="same")
    first = record(world.scope("demo"), request)
    assert record(world.scope("other"), request).replayed is False
    assert record(world.scope("demo"), request).answer == first.answer


@pytest.mark.parametrize("tenant", FOREIGN)
def test_a_workers_scope_refuses_a_foreign_key(world: World, tenant: str) -> None:
    hers = keys.member("demo", world.ids["member"])
    assert world.runtime.worker_scope("demo", hers).tenant == "demo"
    with pytest.raises(ForeignKey):
        world.runtime.worker_scope(tenant, hers)
    with pytest.raises(ForeignKey):
        world.runtime.worker_scope(tenant, keys.definitions(tenant), hers)


@pytest.mark.parametrize("pk", ["", "demo", "T#demo", "X#demo#M#m", "#demo#M"])
def test_a_workers_scope_refuses_what_is_no_key(world: World, pk: str) -> None:
    with pytest.raises(ValueError):
        world.runtime.worker_scope("demo", pk)


@pytest.mark.parametrize("tenant", ["demo#", "T#demo", "", "De", "demo#M#x", "*", "demo\n"])
def test_no_key_is_made_for_what_is_no_tenant(world: World, tenant: str) -> None:
    with pytest.raises(InvalidValue):
        keys.member(tenant, world.ids["member"])
    with pytest.raises((InvalidValue, UnknownMember)):
        view_member(world.scope(tenant), world.ids["member"], NOW)


@pytest.mark.parametrize("forged", ["x#STATE", "../demo", "#", "", "T#demo#M#m", "m\x00"])
def test_a_forged_member_id_stays_inside_its_tenant(world: World, forged: str) -> None:
    assert keys.member("other", forged).startswith("T#other#M#")
    with pytest.raises(AppError):
        view_member(world.scope("other"), forged, NOW)


def stored(world: World) -> list[Any]:
    """Everything in both tables."""
    scans = [each._client.scan(TableName=each.name, ConsistentRead=True)["Items"] for each in (world.house.table, world.house.key_table)]
    return [sorted(items, key=lambda item: (item["PK"]["S"], item["SK"]["S"])) for items in scans]
