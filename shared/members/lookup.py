"""Who is at the till: one identifier in, enough to greet and to offer out. Nothing that is answered leads to the person elsewhere.

Cost: one read of the identifier, one batch (state, history, profile), one read of her key.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.counter.identification import Identification, seal
from shared.counter.rotating_code import member_of_qr
from shared.coupons.model import OfferBody
from shared.kernel.ids import is_id
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.model import HeldCoupon
from shared.member_state.repository import Loaded, StateRepository
from shared.member_state.service import peek
from shared.members import api
from shared.members.answers import is_usable, spendable, when
from shared.members.directory import find_usable
from shared.members.identifiers import InvalidIdentifier
from shared.members.model import masked_name
from shared.members.repository import MemberRepository, StoredProfile
from shared.storage import keys
from shared.storage.items import HistoryItem
from shared.tenants.content import Reader
from shared.tenants.jwks import JwkSet
from shared.tenants.scope import TenantScope
from shared.wallet.rules import balance


def _no_keys() -> JwkSet:
    return JwkSet({})


def identify(
    scope: TenantScope, request: api.IdentifyRequest, caller: str = "", jwks: Callable[[], JwkSet] = _no_keys
) -> api.IdentifyAnswer:
    """The member of an identifier, as of now. ``UnknownMember`` if it is nobody's, or not an identifier at all; ``IdentifierBlocked``.

    ``caller`` is the till's credential; ``jwks``: the keys that rotating codes are signed with (``QrRefused``).
    """
    loaded, profile = _read(scope, _member_of(scope, request, jwks))
    now, definitions = scope.clock(), scope.definitions
    state = peek(scope, loaded, now)
    fields = profile.fields(scope.cipher(state.member), "identity") if profile.version else {}
    language = fields.get("language")
    coupons = {coupon_id: coupon for coupon_id, coupon in state.coupons.items() if is_usable(coupon, now)}
    offers = scope.offers_shown({coupon.offer for coupon in coupons.values()}, now)
    reader, order = scope.reader(language), {id_: body.sort_order for id_, body in offers.items()}
    return api.IdentifyAnswer(
        member_id=state.member,
        name=masked_name(fields),
        language=language,
        tier=state.tier.id if state.tier is not None else None,
        balance=balance(state.wallets, state.holds),
        spendable=spendable(state, definitions, now),
        coupons=tuple(
            _usable(coupon_id, coupon, offers.get(coupon.offer), reader)
            for coupon_id, coupon in sorted(coupons.items(), key=lambda each: order.get(each[1].offer, 0))
        ),
        restricted=True if state.restriction is not None else None,
        identification=_identification(scope, request, state.member, caller),
    )


def _identification(scope: TenantScope, request: api.IdentifyRequest, member: str, caller: str) -> str | None:
    """What the till may prove later; nothing where the tenant never asks."""
    if not scope.definitions.settings.counter.asks:
        return None
    how = "qr" if request.qr is not None else request.kind or "id"
    return seal(scope, Identification(member, how, caller, request.location_id or ""))


def _usable(id_: str, coupon: HeldCoupon, body: OfferBody | None, reader: Reader) -> api.UsableCoupon:
    text = reader.shown(body.content, body.name) if body is not None else {"title": coupon.offer}
    return api.UsableCoupon(coupon_id=id_, offer_id=coupon.offer, expires_at=when(coupon.expires_at), **text)


def _member_of(scope: TenantScope, request: api.IdentifyRequest, jwks: Callable[[], JwkSet]) -> str:
    if request.qr is not None:
        return member_of_qr(scope, request.qr, jwks())
    if request.id is not None:
        if not is_id("mbr", request.id):
            raise UnknownMember
        return request.id
    assert request.kind is not None
    assert request.value is not None
    try:
        member = find_usable(scope, request.kind, request.value)
    except InvalidIdentifier:
        raise UnknownMember from None
    if member is None:
        raise UnknownMember
    return member


def _read(scope: TenantScope, member: str) -> tuple[Loaded, StoredProfile]:
    """State, history and profile by one batch; the rare merged member, or a history that moved meanwhile, is read again."""
    states, members = StateRepository(scope.tenant, scope.table), MemberRepository(scope.tenant, scope.table)
    state, history, profile = keys.state(scope.tenant, member), keys.history(scope.tenant, member), keys.profile(scope.tenant, member)
    found = scope.table.get_many([state, history, profile], consistent=True)
    if state not in found:
        raise UnknownMember
    loaded = states.decode(member, found[state], found.get(history))
    if loaded.state.status == "erased":
        raise ErasedMember
    stored = int(HistoryItem.read(found[history]).history_version) if history in found else 0
    if loaded.state.merged_into is not None or stored != loaded.history_version:
        loaded = states.load(member)
        return loaded, members.profile(loaded.state.member)
    return loaded, members.decode_profile(found.get(profile))
