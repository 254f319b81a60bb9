"""Set points and coupons aside for a basket: all or none, for a while. The hold's record makes the call safe to repeat."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from shared.counter.errors import ConfirmationNotUsable, ConfirmationRequired
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import FieldError, InvalidValue, Unprocessable
from shared.kernel.ids import NAME_PATTERN, natural_id, natural_parts
from shared.kernel.instants import SECOND, Instant, format_rfc3339
from shared.member_state.effects import Effects
from shared.member_state.events import HoldPlaced, HoldReleased
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Done, MemberSession, Occasion, view_member
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions import gathering
from shared.transactions.answer_models import Decision, HoldAnswer
from shared.transactions.answers import decision_fields, standing_of
from shared.transactions.api import HoldRequest
from shared.transactions.at_the_counter import spending_of, step_up
from shared.transactions.budgets import affordable
from shared.transactions.errors import HoldNotUsable, MemberNeeded, SaleRefused, UnknownHold
from shared.transactions.model import Circumstances, Decided
from shared.transactions.repository import REQUEST_LABEL, check_same, payload_hash
from shared.transactions.rules import decide
from shared.wallet.rules import balance


@dataclass(frozen=True, slots=True)
class HoldRecord:
    """What was held for a basket."""

    id: str
    member: str
    wallet: str
    points: int
    coupons: tuple[str, ...]
    until: Instant
    decision: dict[str, Any]
    hash: bytes
    ended: Literal["released", "committed"] | None = None


def place(scope: TenantScope, request: HoldRequest, correlation: str = "", caller: str = "") -> tuple[HoldAnswer, bool]:
    """Hold what the basket uses; answers whether it was held before by the same call. ``caller`` is the till's credential.

    ``ConfirmationRequired``, ``ConfirmationNotUsable``: what is held needs no confirmation again when it is sold.
    """
    hold_id = natural_id("hold", (request.source, request.basket_id))
    hash_ = payload_hash(request)
    now = scope.clock()
    at, until = gathering.occurred_at(request, now), now + request.ttl_seconds * SECOND
    member = gathering.member_id(scope, request.member)
    if member is None:
        raise MemberNeeded("A hold needs a member.")
    presented = gathering.presented_coupons(scope, request.coupons)
    catalogue = gathering.catalogue_for(scope, request)
    coupons = CouponRepository(scope.tenant, scope.table)

    asking = step_up(scope, request, caller, now, hold_id)

    def replay(raw: RawItem) -> tuple[HoldAnswer, bool]:
        stored = _decode(hold_id, raw)
        check_same(stored.hash, hash_)
        return _answer(scope, stored), True

    def decide_hold(state: MemberState, stale: Stale) -> Change[tuple[HoldAnswer, bool]] | Done[tuple[HoldAnswer, bool]]:
        asked = gathering.refreshed(scope, presented, stale)

        def priced(exhausted: frozenset[str]) -> tuple[Circumstances, Decided]:
            given = gathering.circumstances(scope, at, request, catalogue, state, hold=hold_id, exhausted=exhausted, presented=asked)
            return given, decide(request, asked, given)

        given, decided = affordable(scope.tenant, scope.table, hold_id, priced)
        try:
            if decided.refused:
                raise SaleRefused(decided.refused)
            asking.check(state, spending_of(decided), stale)
        except (SaleRefused, ConfirmationRequired, ConfirmationNotUsable):
            # The coupon may be held by this very hold, whose answer got lost: then the stored answer is the answer.
            stored = scope.table.get(_key(scope.tenant, hold_id))
            if stored is None:
                raise
            return Done(replay(stored))
        wallet = next(iter(decided.spent), given.programmes[0].body.wallet if given.programmes else "points")
        points, held = decided.spent.get(wallet, 0), tuple(each.coupon for each in decided.discounts)
        ids = tuple(coupon.id for coupon in held)

        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> tuple[HoldAnswer, bool]:
            standing = standing_of(after, scope.definitions.fold_at(at), at)
            decision = decision_fields(decided, given.scene.currency, balance(after.wallets, after.holds), standing)
            record = HoldRecord(hold_id, after.member, wallet, points, ids, until, decision, hash_)
            batch.put(REQUEST_LABEL, _encode(scope.tenant, record), Path("PK").does_not_exist(), old=True)
            for coupon in held:
                coupons.add_hold(batch, coupon, hold_id, until, now)
            asking.add(batch, after.member)
            return _view(record, "held"), False

        return Change([HoldPlaced(now, hold_id, wallet, points, until, ids)], finish, request=REQUEST_LABEL)

    return MemberSession(scope, member).change(Occasion(now, correlation), decide_hold, replay=replay)


def read(scope: TenantScope, hold_id: str) -> HoldAnswer:
    """A hold and its present state: 2 reads."""
    return _answer(scope, load(scope, hold_id))


@dataclass(frozen=True, slots=True)
class Forced:
    """Who ends the hold of another, and why."""

    reason: str
    actor: str


def reason_of(text: str) -> str:
    """The reason of a release by force: a word of the tenant's own, because events carry it."""
    if re.fullmatch(NAME_PATTERN, text) is None:
        hint = FieldError("/reason", "required", "why by force, as a word of your own (till-broken)")
        raise Unprocessable("A release by force needs a reason.", errors=(hint,))
    return text


def release(scope: TenantScope, hold_id: str, correlation: str = "", forced: Forced | None = None) -> None:
    """Give a hold up; releasing one that is no longer held changes nothing."""
    record = load(scope, hold_id)
    coupons = CouponRepository(scope.tenant, scope.table)
    now = scope.clock()

    def decide_release(state: MemberState, _stale: Stale) -> Change[None] | Done[None]:
        if hold_id not in state.holds:
            return Done(None)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> None:
            add_end(batch, scope.tenant, hold_id, "released")
            for coupon in coupons.get_many(list(record.coupons)).values():
                if coupon.state == "held" and coupon.hold_basket == hold_id:
                    coupons.add_release(batch, coupon, hold_id)

        released = HoldReleased(now, hold_id) if forced is None else HoldReleased(now, hold_id, forced.reason, forced.actor)
        return Change([released], finish)

    MemberSession(scope, record.member).change(Occasion(now, correlation), decide_release)


def extend(scope: TenantScope, hold_id: str, ttl_seconds: int, correlation: str = "") -> HoldAnswer:
    """More time, from now. A hold that has run out, or was used, cannot be extended."""
    record = load(scope, hold_id)
    coupons = CouponRepository(scope.tenant, scope.table)
    now = scope.clock()
    until = now + ttl_seconds * SECOND

    def decide_extend(state: MemberState, _stale: Stale) -> Change[HoldAnswer]:
        if hold_id not in state.holds:
            raise HoldNotUsable("The hold was released, used, or has run out.")
        longer = HoldRecord(hold_id, record.member, record.wallet, record.points, record.coupons, until, record.decision, record.hash)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> HoldAnswer:
            batch.put("hold", _encode(scope.tenant, longer))
            for coupon in coupons.get_many(list(record.coupons)).values():
                coupons.add_hold(batch, coupon, hold_id, until, now)
            return _view(longer, "held")

        return Change([HoldPlaced(now, hold_id, record.wallet, record.points, until, record.coupons)], finish)

    return MemberSession(scope, record.member).change(Occasion(now, correlation), decide_extend)


def add_end(batch: WriteBatch, tenant: str, hold_id: str, how: Literal["released", "committed"]) -> None:
    """Write down how a hold ended, in the transaction that ends it."""
    batch.update("hold", _key(tenant, hold_id), [Path("s").set(how)], Path("PK").exists())


def load(scope: TenantScope, hold_id: str) -> HoldRecord:
    """A hold as recorded, or ``UnknownHold``."""
    raw = scope.table.get(_key(scope.tenant, hold_id))
    if raw is None:
        raise UnknownHold
    return _decode(hold_id, raw)


def _key(tenant: str, hold_id: str) -> keys.Key:
    try:
        source, basket = natural_parts("hold", hold_id)
        return keys.request(tenant, "hold", source, basket)
    except (InvalidValue, ValueError):
        raise UnknownHold from None


def _encode(tenant: str, record: HoldRecord) -> RequestItem:
    body = pack([record.wallet, record.points, record.coupons, record.until, record.decision])
    return RequestItem.at(_key(tenant, record.id), hash=record.hash, body=body, member=record.member)


def _decode(hold_id: str, raw: RawItem) -> HoldRecord:
    item = RequestItem.read(raw)
    wallet, points, coupons, until, decision = unpack(item.body)
    ended: Any = item.status
    return HoldRecord(hold_id, item.member or "", wallet, points, tuple(coupons), until, decision, item.hash, ended)


def _answer(scope: TenantScope, record: HoldRecord) -> HoldAnswer:
    """The record with what the member's state and the coupons say of it now."""
    now = scope.clock()
    if record.ended is not None:
        return _view(record, record.ended)
    return _view(record, "held" if record.id in view_member(scope, record.member, now).holds else "expired")


def _view(record: HoldRecord, state: Literal["held", "released", "committed", "expired"]) -> HoldAnswer:
    return HoldAnswer(
        hold_id=record.id,
        state=state,
        until=format_rfc3339(record.until),
        member_id=record.member,
        points=record.points,
        coupons=record.coupons,
        decision=Decision.model_validate_json(json.dumps(record.decision)),
    )
