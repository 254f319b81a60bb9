"""Recount every copy from its owner: balances from the ledger, coupons, listing rows, timers, campaign counts.

Every fact has one owner (docs/architecture.md); what stands a second time is a copy, and this says whether the copies
agree. Consumers run behind the table by moments: a difference that is still there on a second run is a defect.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from local import console
from local.env import read_env, running_instance
from local.store import Store
from shared.campaigns.deliveries import DeliveryRepository
from shared.campaigns.tally import counts_of, place_of
from shared.kernel.money import format_money
from shared.member_state.codec import decode_state
from shared.member_state.model import MemberState
from shared.reports.cells import Cells, add, decode
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.items import (
    CouponItem,
    LedgerItem,
    OfflineLossItem,
    ReportItem,
    RequestItem,
    SegmentRowItem,
    SettingsItem,
    StateItem,
)
from shared.storage.packing import unpack
from shared.tenants.model import TenantSettings, WalletSettings
from shared.transactions.offline import losses_in, sums

_SHOWN = 10


@dataclass(slots=True)
class Picture:
    """Everything stored, by kind."""

    states: dict[tuple[str, str], MemberState] = field(default_factory=dict)
    timers: dict[tuple[str, str], str | None] = field(default_factory=dict)
    ledger: dict[tuple[str, str], Counter[tuple[str, str]]] = field(default_factory=lambda: defaultdict(Counter))
    coupons: dict[tuple[str, str], CouponItem] = field(default_factory=dict)
    rows: list[tuple[str, str, str, bool]] = field(default_factory=list)
    identifiers: list[tuple[str, str]] = field(default_factory=list)
    settings: dict[str, TenantSettings] = field(default_factory=dict)
    counted: dict[tuple[str, str], Cells] = field(default_factory=lambda: defaultdict(dict))
    """Tenant, campaign -> the cells of its report."""
    delivered: dict[tuple[str, str], Cells] = field(default_factory=lambda: defaultdict(dict))
    """The same, from the rows of deliveries."""
    booked: dict[tuple[str, ...], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Tenant, location, business date, reason -> its offline losses, as booked."""
    lost: dict[tuple[str, ...], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """The same, from the sales."""
    items: int = 0

    def add(self, raw: RawItem) -> None:
        """Take in one item."""
        self.items += 1
        pk, sk = raw["PK"]["S"], raw["SK"]["S"]
        tenant, member = keys.tenant_of(pk), keys.member_of(pk)
        if member is not None:
            self._add_of(tenant, member, sk, raw)
        elif sk.startswith(keys.REPORT_PREFIX):
            campaign = unquote(pk.rpartition("#")[2])
            for place, counts in decode(unpack(ReportItem.read(raw).body)).items():
                add(self.counted[tenant, campaign], place, counts)
        elif sk.startswith(keys.LOSS_PREFIX) or (sk == "REQ" and "#REQ#txn#" in pk):
            self._take_losses(tenant, raw)
        elif sk == "CPN":
            self.coupons[tenant, pk.rpartition("#")[2]] = CouponItem.read(raw)
        elif sk == keys.TENANT:
            self.settings[tenant] = TenantSettings.model_validate(unpack(SettingsItem.read(raw).body))
        elif sk == "ID":
            self.identifiers.append((tenant, raw["member"]["S"]))

    def _add_of(self, tenant: str, member: str, sk: str, raw: RawItem) -> None:
        """An item in a member's partition."""
        if sk == keys.STATE:
            item = StateItem.read(raw)
            state = decode_state(tenant, member, unpack(item.body))
            state.version = int(item.version)
            state.status = item.status  # type: ignore[assignment]
            self.states[tenant, member] = state
            self.timers[tenant, member] = item.GSI1SK
        elif sk.startswith(keys.LEDGER_PREFIX):
            for _kind, _at, _reference, postings, *_by_hand in unpack(LedgerItem.read(raw).body)[1]:
                for wallet, kind, points, *_ in postings:
                    self.ledger[tenant, member][wallet, kind] += points
        elif sk.startswith(keys.SEGMENT_PREFIX):
            row = SegmentRowItem.read(raw)
            _, segment, version = sk.split("#")
            self.rows.append((tenant, member, f"{segment}@{int(version)}", bool(row.inside)))
        elif sk.startswith(keys.DELIVERY_PREFIX):
            delivery = DeliveryRepository.decode(raw)
            add(self.delivered[tenant, delivery.campaign], place_of(delivery), counts_of(delivery))

    def _take_losses(self, tenant: str, raw: RawItem) -> None:
        """Offline losses: an item that was booked, or a sale, which says what it lost while something of it is left."""
        pk, sk = raw["PK"]["S"], raw["SK"]["S"]
        if sk.startswith(keys.LOSS_PREFIX):
            loss = OfflineLossItem.read(raw)
            where = (tenant, unquote(pk.rpartition("#")[2]), *sk.split("#")[1:])
            self.booked[where].update(number=int(loss.number), amount=int(loss.amount), unpriced=int(loss.unpriced))
            return
        sale = RequestItem.read(raw)
        found: tuple[dict[str, Any], ...] = unpack(sale.body) or ({}, {})
        basket, answer, *_ = found
        if sale.status in ("returned", "voided"):
            return
        for reason, numbers in sums(losses_in(answer)).items():
            self.lost[tenant, basket["location_id"], basket["business_date"], reason].update(numbers)


def balances(picture: Picture) -> Iterable[str]:
    """The ledger proves the balance: earned = lots + spent + expired + reversed, and the postings sum to the lots."""
    for (tenant, member), state in picture.states.items():
        booked = picture.ledger.get((tenant, member), Counter())
        for name, wallet in state.wallets.items():
            lots = sum(lot.points for lot in wallet.lots)
            total = sum(points for (its, _), points in booked.items() if its == name)
            if wallet.earned != lots + wallet.spent + wallet.expired + wallet.reversed:
                yield f"{member}: {name} earned {wallet.earned}, accounted for {lots + wallet.spent + wallet.expired + wallet.reversed}"
            if total != lots - wallet.debt:
                yield f"{member}: the ledger says {total} {name}, the state {lots - wallet.debt}"


def coupons(picture: Picture) -> Iterable[str]:
    """A coupon's item owns its state; the member's copy agrees."""
    for (tenant, member), state in picture.states.items():
        for coupon_id, copy in state.coupons.items():
            owner = picture.coupons.get((tenant, coupon_id))
            if owner is None:
                yield f"{member}: holds {coupon_id}, which does not exist"
            elif owner.state not in {copy.state, "active" if copy.state == "held" else "held"}:
                yield f"{member}: {coupon_id} is {owner.state}, her copy says {copy.state}"


def unknown_coupons(picture: Picture) -> Iterable[str]:
    """A member's coupon that can be used stands in her copy, where segments and the till look."""
    for (tenant, id_), owner in picture.coupons.items():
        state = picture.states.get((tenant, owner.member)) if owner.member is not None else None
        usable = owner.state in ("active", "held") and state is not None and int(owner.coupon_expires_at) > state.as_of
        if usable and state is not None and id_ not in state.coupons:
            yield f"{owner.member}: {id_} is {owner.state}, her copy does not know it"


def listings(picture: Picture) -> Iterable[str]:
    """The state owns membership; a listing row says the same."""
    listed = {(tenant, member, key) for tenant, member, key, inside in picture.rows if inside}
    owned = {(tenant, member, key) for (tenant, member), state in picture.states.items() for key in state.segments}
    yield from (f"{member}: in {key}, not listed" for _, member, key in sorted(owned - listed))
    yield from (f"{member}: listed in {key}, not in it" for _, member, key in sorted(listed - owned))


def timers(picture: Picture) -> Iterable[str]:
    """The due index has the state's timer."""
    for (tenant, member), state in picture.states.items():
        expected = keys.due_at(state.timer, f"M#{member}") if state.timer is not None and state.status == "active" else None
        if picture.timers[tenant, member] != expected:
            yield f"{member}: the index says {picture.timers[tenant, member]}, the state {expected}"


def identifiers(picture: Picture) -> Iterable[str]:
    """Every identifier leads to a member."""
    lost = (member for tenant, member in picture.identifiers if (tenant, member) not in picture.states)
    yield from (f"an identifier leads to {member}, who does not exist" for member in lost)


def reports(picture: Picture) -> Iterable[str]:
    """The counters of a campaign's report are its delivery rows."""
    for tenant, campaign in sorted(picture.counted.keys() | picture.delivered.keys()):
        said, is_so = picture.counted[tenant, campaign], picture.delivered[tenant, campaign]
        for place in sorted(said.keys() | is_so.keys()):
            if said.get(place, {}) != is_so.get(place, {}):
                where = "/".join(part for part in place if part)
                yield f"{campaign} {where}: the report says {said.get(place, {})}, the deliveries {is_so.get(place, {})}"


def offline_losses(picture: Picture) -> Iterable[str]:
    """What a location lost is what its sales say."""
    for where in sorted(picture.booked.keys() | picture.lost.keys()):
        said, is_so = +picture.booked[where], +picture.lost[where]
        if said != is_so:
            yield f"{' '.join(where[1:])}: booked {dict(said)}, the sales say {dict(is_so)}"


CHECKS: dict[str, Callable[[Picture], Iterable[str]]] = {
    "balances from the ledger": balances,
    "members' copies of coupons": coupons,
    "coupons that members can use": unknown_coupons,
    "listing rows of segments": listings,
    "timers in the due index": timers,
    "identifiers": identifiers,
    "reports of campaigns": reports,
    "offline losses": offline_losses,
}


def liabilities(picture: Picture) -> list[tuple[str, str, str, str]]:
    """What each tenant owes its members: points of every wallet, less what they owe it, and their worth at the wallet's rate."""
    owed: Counter[tuple[str, str]] = Counter()
    for (tenant, _), state in picture.states.items():
        for name, wallet in state.wallets.items():
            owed[tenant, name] += sum(lot.points for lot in wallet.lots) - wallet.debt
    rows = []
    for (tenant, name), points in sorted(owed.items()):
        settings = picture.settings.get(tenant)
        wallet_settings = settings.wallets.get(name, WalletSettings()) if settings is not None else WalletSettings()
        worth = max(points, 0) * wallet_settings.value // wallet_settings.points
        rows.append((tenant, name, str(points), format_money(worth, settings.currency) if settings is not None else "?"))
    return rows


def take(items: Iterable[RawItem]) -> Picture:
    """The picture of everything stored."""
    picture = Picture()
    for raw in items:
        picture.add(raw)
    return picture


def add_parser(subparsers: Any) -> None:
    """``python -m local verify``."""
    parser = subparsers.add_parser("verify", help="recount every copy from its owner", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Recount and report; 1 if anything disagrees."""
    running_instance()
    store = Store.of(read_env())
    with console.step("read everything") as notes:
        picture = take(store.scan())
        notes.append(f"{picture.items} items, {len(picture.states)} members")
    wrong = 0
    for name, check in CHECKS.items():
        found = list(check(picture))
        wrong += len(found)
        console.say(f"  {'agree' if not found else f'{len(found)} DIFFER':>12}  {name}")
        for line in found[:_SHOWN]:
            console.say(f"                {line}")
    console.table(("tenant", "wallet", "points owed to members", "worth"), liabilities(picture))
    return 1 if wrong else 0
