"""A till without storage: the real decisions and the real fold, members and receipts in memory."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

from shared.coupons.model import Coupon, OfferBody
from shared.definitions.model import Definition, DefinitionSet
from shared.kernel.instants import DAY, NEVER, Instant, format_rfc3339
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.events import MemberEvent, Registered, Reversed
from shared.member_state.model import HeldCoupon, MemberState
from shared.member_state.rules import advance, apply
from shared.tenants.model import CatalogueItem, Location, TenantSettings
from shared.tenants.scope import TenantScope
from shared.transactions import facts
from shared.transactions.answers import decision_fields
from shared.transactions.api import TransactionRequest
from shared.transactions.bought import bought
from shared.transactions.gathering import natural_key
from shared.transactions.given import decode_given
from shared.transactions.model import Circumstances, Decided, PresentedCoupon
from shared.transactions.outcomes import outcome_of, purchased
from shared.transactions.repository import SaleRecord
from shared.transactions.return_policy import give_back_of, terms_of
from shared.transactions.returning import ReturnPlan, plan_return
from shared.transactions.rules import decide, decide_again, thousandths
from shared.wallet.model import Posting
from tests.builders.house import NOW, SETTINGS

POINTS: dict[str, Any] = {
    "name": "Points",
    "earning": [{"kind": "per_amount", "id": "base", "points": 1, "per": 100}],
    "spending": {"points": 1, "value": 1},
}
CATALOGUE = {
    "fries": CatalogueItem(id="fries", name="Fries", category="sides", tags=("vegetarian",)),
    "burger": CatalogueItem(id="burger", name="Burger", category="mains"),
    "salad": CatalogueItem(id="salad", name="Salad", category="mains", tags=("vegetarian",)),
}
_serial = itertools.count(1)


def receipt(at: Instant, lines: Sequence[Any], **more: Any) -> TransactionRequest:
    """A sale with a receipt number of its own. A line is [item, unit price, quantity], or the line itself."""
    rows = [
        each if isinstance(each, dict) else {"item_id": each[0], "unit_price": each[1], "quantity": (*each, "1")[2]} for each in lines
    ]
    body: dict[str, Any] = {
        "source": "till",
        "location_id": "mitte",
        "business_date": format_rfc3339(at)[:10],
        "receipt_number": f"s{next(_serial)}",
        "occurred_at": format_rfc3339(at),
        "currency": "EUR",
        "lines": [{"id": str(number), **row} for number, row in enumerate(rows, 1)],
    }
    return TransactionRequest.model_validate(body | more)


@dataclass(frozen=True)
class Reversal:
    """What a return or a void came to."""

    plan: ReturnPlan
    sale: SaleRecord
    reversed: int
    given_back: int
    coupons: tuple[str, ...]

    @property
    def not_reversed(self) -> int:
        """Points that should have come back, and are forgiven."""
        return sum(posting.points for posting in self.plan.earned) - self.reversed


@dataclass
class Shop:
    """One tenant's definitions, and what was booked for each member."""

    programmes: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"points": POINTS})
    wallets: Mapping[str, Any] = field(default_factory=dict)
    offers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Sequence[tuple[Instant, str, int, Mapping[str, Any]]] = ()
    """Newer versions of programmes: since when, which, number, body."""
    promotions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        published = [
            Definition("programme", id_, 1, "published", body, effective_from=0, served_at=0) for id_, body in self.programmes.items()
        ]
        published += [Definition("offer", id_, 1, "published", body, effective_from=0, served_at=0) for id_, body in self.offers.items()]
        published += [Definition("promotion", id_, 1, "published", body, effective_from=0) for id_, body in self.promotions.items()]
        published += [
            Definition("programme", id_, number, "published", body, effective_from=since, served_at=since)
            for since, id_, number, body in self.versions
        ]
        settings = TenantSettings.model_validate({**SETTINGS.model_dump(), "wallets": self.wallets})
        self.definitions = DefinitionSet("demo", settings, {"mitte": Location(id="mitte", name="Mitte")}, tuple(published))
        self.views = self.definitions.fold_at
        self.ledger: dict[str, list[LedgerEntry]] = {}

    @property
    def scope(self) -> TenantScope:
        """As far as ``bought`` asks: definitions."""
        return cast("TenantScope", SimpleNamespace(definitions=self.definitions))

    def move(self, *groups: str) -> None:
        """Its only location is in these groups from now on."""
        whole = self.definitions
        places = {"mitte": Location(id="mitte", name="Mitte", groups=groups)}
        self.definitions = DefinitionSet(whole.tenant, whole.settings, places, whole.definitions)
        self.views = self.definitions.fold_at

    def join(self, at: Instant = NOW, name: str = "mbr_1", **more: Any) -> MemberState:
        """A member who has just joined."""
        state = MemberState("demo", name, as_of=at)
        self.happens(state, Registered(at, "app", "", **more))
        return state

    def happens(self, state: MemberState, *events: MemberEvent) -> Effects:
        """One commit."""
        effects = Effects()
        for event in events:
            apply(state, event, self.views, None, effects)
        state.version += 1
        self.ledger.setdefault(state.member, []).extend(effects.entries)
        return effects

    def coupon(self, state: MemberState | None, offer: str, id_: str, at: Instant = NOW) -> PresentedCoupon:
        """A coupon of an offer in a member's wallet, or one for whoever brings it."""
        coupon = Coupon(id_, offer, 1, "active", state.member if state is not None else None, at - DAY, at + 30 * DAY)
        if state is not None:
            state.coupons[id_] = HeldCoupon(offer, "active", coupon.active_from, coupon.expires_at)
        return PresentedCoupon(f"coupons/{id_}", coupon, OfferBody.model_validate(self.offers[offer]))

    def sell(
        self,
        state: MemberState | None,
        request: TransactionRequest,
        at: Instant,
        coupons: Sequence[PresentedCoupon] = (),
        *,
        now: Instant | None = None,
        hold: str | None = None,
    ) -> SaleRecord | None:
        """A finished sale; nothing (``None``) if it counts on what cannot be used."""
        if state is not None:
            self._advance(state, at)
        view = self.definitions.at(at)
        given = facts.circumstances(view, at if now is None else now, at, request, CATALOGUE, state, hold=hold)
        decided = decide(request, list(coupons), given)
        return None if decided.refused else self._booked(state, request, given, decided, hold)

    def claim(self, sale: SaleRecord, state: MemberState) -> SaleRecord:
        """An anonymous sale becomes the member's, decided as of the purchase."""
        request = TransactionRequest.model_validate(sale.basket)
        basket, as_sold, applied = decode_given(sale.given, request, state.member, self.definitions.programme)
        at = sale.visit.at
        given = facts.circumstances(self.definitions.at(at), state.as_of, at, basket, as_sold.catalogue, state)
        return self._booked(state, basket, given, decide_again(basket, applied, given), None)

    def reverse(
        self,
        state: MemberState | None,
        sale: SaleRecord,
        wanted: Mapping[str, str | None] | None = None,
        at: Instant = NOW,
        *,
        void: bool = False,
    ) -> Reversal:
        """A return of the lines named (``None``: all that is left of one), or of all that is left; or a void. As the service does it."""
        if state is not None:
            self._advance(state, at)
        was = bought(self.scope, sale)
        rows = [(line, None if quantity is None else thousandths(quantity)) for line, quantity in (wanted or {}).items()]
        policy = {wallet: give_back_of(was.given.programmes, wallet) for wallet in {posting.wallet for posting in sale.spent}}
        plan = plan_return(was.sold, sale.returned, rows, policy, voided=void)
        coupons = [
            each.coupon
            for each in was.applied.coupons
            if each.coupon.id in plan.coupons and (void or self.offers[each.coupon.offer].get("on_return", "reissue") == "reissue")
        ]
        event = Reversed(
            at=at,
            transaction=sale.id,
            kind="void" if void else "return",
            visit=plan.visit,
            earned=plan.earned,
            spent=plan.spent,
            reissued={each.id: HeldCoupon(each.offer, "active", NOW - DAY, NEVER) for each in coupons},
            usage=plan.usage,
            whole=plan.whole,
            terms=terms_of(was.sold, was.given.programmes, was.given.wallets),
            location=was.sold.location,
        )
        effects = self.happens(state, event) if state is not None else Effects()
        booked = [posting for entry in effects.entries if entry.reference == sale.id for posting in entry.postings]
        status = "voided" if void else "returned" if plan.whole else "partly_returned"
        return Reversal(
            plan,
            replace(sale, status=status, returned=plan.returned),
            -sum(each.points for each in booked if each.kind == "reverse"),
            sum(each.points for each in booked if each.kind == "give_back"),
            tuple(each.id for each in coupons),
        )

    def postings(self, member: str) -> list[Posting]:
        """Everything that was ever booked for a member."""
        return [posting for entry in self.ledger.get(member, ()) for posting in entry.postings]

    def _advance(self, state: MemberState, at: Instant) -> None:
        effects = Effects()
        advance(state, at, self.views, None, effects)
        self.ledger.setdefault(state.member, []).extend(effects.entries)

    def _booked(
        self, state: MemberState | None, request: TransactionRequest, given: Circumstances, decided: Decided, hold: str | None
    ) -> SaleRecord:
        key = natural_key(request)
        effects = Effects()
        if state is not None:
            asked = self.definitions.at(given.scene.at).asked
            effects = self.happens(state, purchased(key.id("txn"), request, decided, given, asked, hold))
        spent = tuple(
            posting
            for entry in effects.entries
            if entry.reference == key.id("txn")
            for posting in entry.postings
            if posting.kind == "spend"
        )
        outcome = outcome_of(request, decided, given, decision_fields(decided, "EUR", None, None), spent)
        return SaleRecord(
            key=key,
            hash=b"",
            version=1,
            status="recorded",
            member=state.member if state is not None else None,
            basket=request.model_dump(mode="json", exclude_defaults=True),
            answer=outcome.answer,
            visit=outcome.visit,
            awards=outcome.awards,
            spent=outcome.spent,
            coupons=outcome.coupons,
            given=outcome.given,
        )
