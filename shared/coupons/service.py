"""Issue a coupon, exactly once per key, and read one.

A member's coupon is written together with the copy in her state, in one transaction; a bearer's commits on its own item,
which then carries the event.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from shared.coupons.api import ChoiceAnswer, CouponAnswer, CouponReference, IssueRequest
from shared.coupons.errors import UnknownCoupon, UnknownOffer
from shared.coupons.issuing import blind_code, check_member_limit, issued, new_coupon, offer_in_force, printable_code
from shared.coupons.model import Coupon
from shared.coupons.personal import shown
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import FieldError, KeyRequired
from shared.kernel.instants import Instant, format_rfc3339
from shared.member_state.effects import DomainEvent, Effects
from shared.member_state.model import MemberState
from shared.member_state.repository import Stamp, envelope
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions.repository import REQUEST_LABEL, check_same

ISSUED_BY = "api"


@dataclass(frozen=True, slots=True)
class Issued:
    """The answer, and whether it was given before."""

    answer: CouponAnswer
    replayed: bool = False


# -- issue ----------------------------------------------------------------------------------------------------------


def issue(scope: TenantScope, offer_id: str, request: IssueRequest, idempotency_key: str | None, correlation: str = "") -> Issued:
    """A new coupon of an offer in force. One transaction; the same key again answers the same coupon with its code."""
    key = request.request_id or idempotency_key
    if key is None:
        hint = FieldError("/request_id", "required", "or send an Idempotency-Key")
        raise KeyRequired("Issuing again must not give a second coupon; send a key.", errors=(hint,))
    issuing = _Issuing(scope, offer_id, request, key, correlation)
    return issuing.for_bearer() if request.member_id is None else issuing.for_member(request.member_id)


class _Issuing:
    """One request to issue."""

    def __init__(self, scope: TenantScope, offer_id: str, request: IssueRequest, key: str, correlation: str) -> None:
        self.scope = scope
        self.offer = offer_id
        self.correlation = correlation
        self.now = scope.clock()
        self.coupons = CouponRepository(scope.tenant, scope.table)
        natural = hashlib.sha256(f"{offer_id}|{key}".encode()).hexdigest()
        self.record_key = keys.request(scope.tenant, "coupon", "issue", natural)
        self.hash = hashlib.sha256(f"{offer_id}|{request.member_id or ''}".encode()).digest()[:16]

    def for_member(self, member: str) -> Issued:
        """The coupon, its code, the member's copy and the request's record in one transaction."""

        def decide(state: MemberState, _stale: Stale) -> Change[Issued] | Done[Issued]:
            stored = self.scope.table.get(self.record_key)
            if stored is not None:
                # Her limit may be used up by this very request, whose answer got lost.
                return Done(self._replay(stored))
            check_member_limit(offer_in_force(self.scope, self.offer, self.now)[0], self.offer, state)
            coupon = self._new(state)

            def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Issued:
                self._add(batch, coupon, None)
                return Issued(answer_of(self.scope, coupon, self.now))

            return Change([issued(coupon, self.now, ISSUED_BY)], finish, request=REQUEST_LABEL)

        return change_member(self.scope, member, Occasion(self.now, self.correlation), decide, replay=self._replay)

    def for_bearer(self) -> Issued:
        """The coupon with its event, its code and the request's record. The printable code is answered, and stored as a hash only."""
        coupon = self._new(None)
        data: dict[str, object] = {"coupon": coupon.id, "offer": coupon.offer}
        event = DomainEvent("coupon.issued", self.now, data, ISSUED_BY)
        out = envelope([event], Stamp(self.now, self.correlation))

        def plan(_stale: Stale) -> Plan[Issued]:
            batch = WriteBatch()
            self._add(batch, coupon, out)
            return Plan(batch, Issued(answer_of(self.scope, coupon, self.now)), REQUEST_LABEL)

        return commit(self.scope.table, plan, effort=self.scope.effort(), replay=self._replay)

    def _new(self, holder: MemberState | None) -> Coupon:
        coupon, _ = new_coupon(self.scope, self.offer, holder, self.now, ISSUED_BY)
        if coupon.expires_at <= self.now:
            raise UnknownOffer("The offer has ended.")
        return coupon

    def _add(self, batch: WriteBatch, coupon: Coupon, out: str | None) -> None:
        self.coupons.add_new(batch, coupon, blind_code(self.scope, coupon.code), out)
        record = RequestItem.at(self.record_key, hash=self.hash, body=pack([coupon.id]), member=coupon.member)
        batch.put(REQUEST_LABEL, record, Path("PK").does_not_exist(), old=True)

    def _replay(self, raw: RawItem) -> Issued:
        item = RequestItem.read(raw)
        check_same(item.hash, self.hash)
        coupon = self.coupons.get(unpack(item.body)[0])
        if coupon is None:
            raise UnknownCoupon
        coupon = replace(coupon, code=printable_code(self.scope, coupon.id))
        return Issued(answer_of(self.scope, coupon, self.now), replayed=True)


# -- read -----------------------------------------------------------------------------------------------------------


def lookup(scope: TenantScope, reference: CouponReference) -> CouponAnswer:
    """A coupon as it is now. One read by id, two by code."""
    return answer_of(scope, find(scope, reference), scope.clock())


def find(scope: TenantScope, reference: CouponReference) -> Coupon:
    """The coupon that a reference names, or ``UnknownCoupon``."""
    repository = CouponRepository(scope.tenant, scope.table)
    id_ = reference.id or repository.id_of_code(scope.blind("code", (reference.code or "").upper()))
    coupon = repository.get(id_) if id_ is not None else None
    if coupon is None:
        raise UnknownCoupon
    return coupon


def answer_of(scope: TenantScope, coupon: Coupon, now: Instant) -> CouponAnswer:
    """The coupon as answered: what time alone has changed is told without being written.

    A personal coupon's code is shown again; a bearer's is money to whoever reads it, so it is answered at its issue only.
    """
    code = printable_code(scope, coupon.id) if coupon.member is not None else coupon.code
    held = coupon.state == "held" and (coupon.hold_until or 0) > now
    unused = coupon.state in ("active", "held")
    state = "expired" if unused and coupon.expires_at <= now else "held" if held else "active" if unused else coupon.state
    body = scope.offer(coupon.offer, coupon.offer_version)
    return CouponAnswer(
        id=coupon.id,
        offer_id=coupon.offer,
        offer_version=coupon.offer_version,
        state=state,
        member_id=coupon.member,
        code=code,
        title=scope.reader(None).title(body.content, body.name) if body is not None else None,
        active_from=format_rfc3339(coupon.active_from),
        expires_at=format_rfc3339(coupon.expires_at),
        hold_until=format_rfc3339(coupon.hold_until) if state == "held" and coupon.hold_until else None,
        basket_id=coupon.redeemed_basket if state == "redeemed" else coupon.hold_basket if state == "held" else None,
        parameters=shown(coupon.parameters, scope.definitions.settings.currency) if coupon.parameters else None,
        choice=ChoiceAnswer.model_validate(coupon.choice.data()) if coupon.choice is not None else None,
    )
