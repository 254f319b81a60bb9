"""What a decision about a basket needs, read before it is made: the member, her coupons, the catalogue. I/O only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from shared.coupons.model import Coupon, Promotion
from shared.coupons.promotions import NO_PROMOTIONS
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import FieldError, InvalidValue, Unprocessable
from shared.kernel.instants import MINUTE, Instant, parse_rfc3339
from shared.member_state.model import MemberState
from shared.members.directory import Found, find_usable, look_up
from shared.members.identifiers import InvalidIdentifier
from shared.storage import keys
from shared.storage.commit import Stale
from shared.tenants.model import CatalogueItem
from shared.tenants.scope import TenantScope
from shared.transactions import facts
from shared.transactions.api import Basket, CouponReference, MemberReference, ReturnRequest, TransactionRequest
from shared.transactions.errors import OccurredInFuture
from shared.transactions.model import Circumstances, NaturalKey, PresentedCoupon

_AHEAD_MS = 5 * MINUTE


def occurred_at(basket: Basket, now: Instant) -> Instant:
    """When it happened; more than five minutes ahead of us is refused, a little ahead counts as now."""
    return _not_ahead(basket.occurred_at, now)


def _not_ahead(occurred_at: str, now: Instant) -> Instant:
    at = parse_rfc3339(occurred_at)
    if at > now + _AHEAD_MS:
        hint = FieldError("/occurred_at", "occurred_in_future", "more than five minutes ahead; check the till's clock")
        raise OccurredInFuture(errors=(hint,))
    return min(at, now)


def returned_at(request: ReturnRequest, now: Instant) -> Instant:
    """When it came back; as ``occurred_at``."""
    return _not_ahead(request.occurred_at, now)


def natural_key(request: TransactionRequest | ReturnRequest) -> NaturalKey:
    """The natural key of a sale or return; ``Unprocessable`` at the longest field if it is longer than a key takes."""
    key = NaturalKey(request.source, request.location_id, request.business_date, request.till_id or "", request.receipt_number)
    try:
        keys.text(key.source)
    except InvalidValue:
        raise _too_long("source") from None
    try:
        keys.text(key.text())
    except InvalidValue:
        lengths = {name: len(quote(getattr(request, name) or "")) for name in ("location_id", "till_id", "receipt_number")}
        raise _too_long(max(lengths, key=lambda name: lengths[name])) from None
    return key


def _too_long(field: str) -> Unprocessable:
    detail = f"source, and location, till and receipt number together, take {keys.MAX_TEXT_BYTES} bytes after percent-encoding"
    return Unprocessable("The natural key is too long.", errors=(FieldError(f"/{field}", "too_long", detail),))


def member_id(scope: TenantScope, reference: MemberReference | None) -> str | None:
    """The member that a reference names, or ``None``: also for an identifier that is not one. At most 1 read. ``IdentifierBlocked``."""
    if reference is None:
        return None
    if reference.id is not None:
        return reference.id
    assert reference.kind is not None
    assert reference.value is not None
    try:
        return find_usable(scope, reference.kind, reference.value)
    except InvalidIdentifier:
        return None


def buyer(scope: TenantScope, request: TransactionRequest) -> Found | None:
    """Who bought: of a sale that has happened already, offline or long ago, also whose card is blocked now. As ``member_id``."""
    reference = request.member
    has_happened = request.offline or request.mode == "historical"
    if reference is None or reference.kind is None or reference.value is None or not has_happened:
        member = member_id(scope, reference)
        return Found(member) if member is not None else None
    try:
        return look_up(scope, reference.kind, reference.value)
    except InvalidIdentifier:
        return None


def presented_coupons(scope: TenantScope, references: Iterable[CouponReference]) -> list[PresentedCoupon]:
    """The coupons on a basket: none cost nothing, else one read a code and one batch for all. Refusals name the place, not the code."""
    references = list(references)
    if not references:
        return []
    repository = CouponRepository(scope.tenant, scope.table)
    ids = [each.id or repository.id_of_code(scope.blind("code", (each.code or "").upper())) for each in references]
    found = repository.get_many([id_ for id_ in ids if id_ is not None])
    offers = scope.offers({(coupon.offer, coupon.offer_version) for coupon in found.values()})
    return [
        PresentedCoupon(f"coupons/{index}", coupon, coupon.terms(offers.get((coupon.offer, coupon.offer_version))) if coupon else None)
        for index, coupon in enumerate(found.get(id_ or "") for id_ in ids)
    ]


def refreshed(scope: TenantScope, presented: list[PresentedCoupon], stale: Stale) -> list[PresentedCoupon]:
    """The same coupons as they stood in a commit's way."""
    repository = CouponRepository(scope.tenant, scope.table)
    now_there: dict[str, Coupon] = {}
    for label, raw in stale.items():
        if raw is not None and label.startswith("coupon:"):
            coupon = repository.decode(raw)
            now_there[coupon.id] = coupon
    return [replace(each, coupon=now_there.get(each.coupon.id, each.coupon)) if each.coupon else each for each in presented]


def catalogue_for(scope: TenantScope, basket: Basket) -> Mapping[str, CatalogueItem]:
    """The catalogue items of a basket; no request once they are cached."""
    return scope.items(line.item_id for line in basket.lines if line.item_id is not None)


def circumstances(
    scope: TenantScope,
    at: Instant,
    basket: Basket,
    catalogue: Mapping[str, CatalogueItem],
    state: MemberState | None,
    *,
    hold: str | None = None,
    held_value: int | None = None,
    historical: bool = False,
    exhausted: frozenset[str] = frozenset(),
    presented: Sequence[PresentedCoupon] = (),
    promised: tuple[Promotion, ...] = (),
    offline: bool = False,
) -> Circumstances:
    """The definitions of the sale's instant (of now, for imported history) and the member's numbers as of it.

    Imported history gets no promotions: what was given then is on the receipt. A sale made offline gets those that give points: what
    was to be paid the till has decided. Emergency stops are asked of what is to be given, not of what was.
    """
    now = scope.clock()
    view = scope.definitions.at(now if historical else at)
    offers = [each.offer.when for each in presented if each.offer is not None]
    counted = [each.coupon.key for each in presented if each.coupon and each.offer and each.offer.limits.of_member]
    given = facts.circumstances(view, now, at, basket, catalogue, state, hold=hold, offers=offers, counted=counted)
    has_happened = historical or offline
    if not has_happened:
        exhausted = exhausted | scope.definitions.stops.marks
    as_it_is = not (historical or offline or exhausted or held_value is not None or promised)
    if as_it_is:
        return given
    promotions = NO_PROMOTIONS if historical else given.promotions.giving_points if offline else given.promotions
    return replace(
        given, historical=historical, exhausted=exhausted, held_value=held_value, promotions=promotions, promised=promised
    )
