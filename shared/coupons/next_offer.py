"""Choosing the next best offer for a member (``shared.coupons.next_best``): what it asks of the tenant, and issuing it on request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from shared.coupons.api import ChoiceAnswer, CouponAnswer, NextOfferAnswer, NextOfferRequest
from shared.coupons.errors import UnknownCoupon
from shared.coupons.issuing import blind_code, issued, new_coupon
from shared.coupons.model import Choice, Coupon
from shared.coupons.next_best import Her, NextBest, choose, named_items
from shared.coupons.personal import resolve
from shared.coupons.repository import CouponRepository, choice_of, choice_row
from shared.coupons.rules import validity
from shared.coupons.service import answer_of
from shared.kernel.errors import FieldError, KeyRequired
from shared.kernel.instants import Instant
from shared.member_state.effects import Effects
from shared.member_state.errors import MemberRestricted
from shared.member_state.events import MemberEvent, OfferWithheld
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Occasion, change_member
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions.repository import REQUEST_LABEL, check_same

API = "api"
"""The experiment of requests that name none."""


@dataclass(frozen=True, slots=True)
class NextOffer:
    """The answer, and whether it was given before."""

    answer: NextOfferAnswer
    replayed: bool = False


def choose_for(scope: TenantScope, plan: NextBest, state: MemberState, now: Instant, experiment: str, decision: str) -> Choice:
    """The choice for her as of now. Offers and items are cached; half a read unit for each shard of an offer's limit in all."""
    zone = scope.definitions.settings.time_zone
    wanted = [each for each in plan.offers if each not in scope.definitions.stops.offers]
    in_force = {id_: body for id_, (body, _) in scope.offers_in_force(wanted, now).items() if validity(body, now, zone)[1] > now}
    goes_with = scope.goes_with(in_force.values())
    offers = {id_: body.fixed(resolve(body.personal, state, now, zone, goes_with)) for id_, body in in_force.items()}
    items = {item for body in offers.values() for item in named_items(body)}
    limits = {id_: body.limit for id_, body in offers.items() if body.limit is not None}
    used_up: set[str] = set()
    if limits:
        used_up = CouponRepository(scope.tenant, scope.table).used_up({f"offer:{id_}": limit for id_, limit in limits.items()})
    her = Her(state, now, zone, offers, scope.items(items), frozenset(id_ for id_ in limits if f"offer:{id_}" in used_up))
    return choose(plan, her, scope.tenant, experiment, decision)


def next_offer(
    scope: TenantScope, member: str, request: NextOfferRequest, idempotency_key: str | None, correlation: str = ""
) -> NextOffer:
    """Choose for her and issue the coupon. One transaction; the same key again answers the same choice, and the coupon as it is now.

    Who is held out, or for whom there is nothing, gets no coupon: that is told as ``offer.withheld``, and answered just so.
    """
    key = request.request_id or idempotency_key
    if key is None:
        hint = FieldError("/request_id", "required", "or send an Idempotency-Key")
        raise KeyRequired("Choosing again must not give a second coupon; send a key.", errors=(hint,))
    return _Choosing(scope, member, request, key, correlation).carry_out()


class _Choosing:
    """One request."""

    def __init__(self, scope: TenantScope, member: str, request: NextOfferRequest, key: str, correlation: str) -> None:
        self.scope, self.member, self.plan, self.key, self.correlation = scope, member, request.next_best, key, correlation
        self.now = scope.clock()
        natural = hashlib.sha256(f"{member}|{key}".encode()).hexdigest()
        self.record_key = keys.request(scope.tenant, "coupon", "next", natural)
        self.hash = hashlib.sha256(f"{member}|{request.next_best.model_dump_json()}".encode()).digest()[:16]

    def carry_out(self) -> NextOffer:
        """Choose by her state as it stands, and commit under it."""
        return change_member(self.scope, self.member, Occasion(self.now, self.correlation), self._decide, replay=self._replay)

    def _decide(self, state: MemberState, _stale: Stale) -> Change[NextOffer]:
        if state.restriction is not None:
            raise MemberRestricted
        # A request that was answered before may choose another offer here, or none: its record is in the way of the commit.
        choice = choose_for(self.scope, self.plan, state, self.now, self.plan.experiment or API, self.key)
        coupon = self._coupon(choice, state)
        event: MemberEvent = OfferWithheld(self.now, choice.data(), API) if coupon is None else issued(coupon, self.now, API)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> NextOffer:
            if coupon is not None:
                CouponRepository(self.scope.tenant, self.scope.table).add_new(batch, coupon, blind_code(self.scope, coupon.code))
            body = pack([coupon.id if coupon is not None else "", choice.offer, choice_row(choice)])
            record = RequestItem.at(self.record_key, hash=self.hash, body=body, member=state.member)
            batch.put(REQUEST_LABEL, record, Path("PK").does_not_exist(), old=True)
            return NextOffer(self._answer(choice, coupon))

        return Change([event], finish, request=REQUEST_LABEL)

    def _coupon(self, choice: Choice, state: MemberState) -> Coupon | None:
        if choice.offer is None:
            return None
        coupon, _ = new_coupon(self.scope, choice.offer, state, self.now, API)
        return replace(coupon, choice=choice)

    def _replay(self, raw: RawItem) -> NextOffer:
        item = RequestItem.read(raw)
        check_same(item.hash, self.hash)
        coupon_id, offer, row = unpack(item.body)
        coupon = CouponRepository(self.scope.tenant, self.scope.table).get(coupon_id) if coupon_id else None
        if coupon_id and coupon is None:
            raise UnknownCoupon
        return NextOffer(self._answer(choice_of(row, offer), coupon), replayed=True)

    def _answer(self, choice: Choice, coupon: Coupon | None) -> NextOfferAnswer:
        shown: CouponAnswer | None = answer_of(self.scope, coupon, self.now) if coupon is not None else None
        data: dict[str, Any] = choice.data()
        return NextOfferAnswer(choice=ChoiceAnswer.model_validate(data), coupon=shown)
