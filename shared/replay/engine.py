"""Replay: a tenant's history, or an imagined one, through the fold and the rules that decide live events. No I/O, no clock.

    replay = Replay(definitions, catalogue, hear=write_down)
    for line in lines:
        replay.feed(EVENT.validate_json(line, strict=True))
    replay.finish(until)

Each member's events happen in the order in which they are fed; one earlier than those before it is a late arrival, exactly as
in the service. Time passes between them: what falls due does so at its own instant. The same events give the same states.

Memory: the state of each member, 11 to 23 bytes for each key that makes an event safe to repeat, and some 350 bytes for each
sale that may come back. ``keeps`` narrows the latter: fingerprints of the sales that a return or void will name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping
from typing import Any, Final, Literal

from shared.definitions.model import DefinitionSet
from shared.kernel.errors import AppError
from shared.kernel.ids import natural_id
from shared.kernel.instants import NEVER, Instant, day_of, parse_rfc3339
from shared.member_state.events import Registered, Responded, TimePassed
from shared.member_state.model import Consent, Facts, MemberState
from shared.replay import moving
from shared.replay.events import (
    Adjustment,
    ChallengeReceived,
    Conversion,
    CouponGiven,
    CustomEvent,
    Purchase,
    Registration,
    ReplayEvent,
    Return,
    Transfer,
    Void,
)
from shared.replay.reversing import Reversing
from shared.replay.sales import pack_sale, unpack_sale
from shared.replay.seen import Fingerprint, Seen, fingerprint
from shared.replay.selling import Selling
from shared.replay.world import Hear, Member, World, nobody_listens
from shared.tenants.model import CatalogueItem
from shared.transactions.api import ReturnRequest, TransactionRequest
from shared.transactions.errors import SaleRefused, TooManyWaiting, UnknownTransaction
from shared.transactions.repository import MAX_WAITING
from shared.wallet.model import Posting

TENANT: Final = "replay"
Outcome = Literal["done", "anonymous", "repeated", "waiting", "refused"]


class Replay:
    """See the module. ``counts`` are by (type of event, outcome), ``refusals`` by (type of event, code)."""

    def __init__(
        self,
        definitions: DefinitionSet,
        catalogue: Mapping[str, CatalogueItem] | None = None,
        *,
        hear: Hear = nobody_listens,
        keeps: Container[Fingerprint] | None = None,
        settled: bool = False,
    ) -> None:
        self.world = World(definitions, catalogue or {}, hear)
        self.counts: Counter[tuple[str, Outcome]] = Counter()
        self.refusals: Counter[tuple[str, str]] = Counter()
        self.last: Instant = 0
        """The latest instant of an event so far."""
        self._keeps = keeps
        self._settled = settled
        self._number = 0
        self._takes: dict[type, Callable[[Any], Outcome]] = {
            Registration: self._registration,
            Purchase: self._purchase,
            Return: self._return,
            Void: self._void,
            CustomEvent: self._custom_event,
            CouponGiven: self._coupon,
            ChallengeReceived: self._challenge,
            Adjustment: self._adjustment,
            Transfer: self._transfer,
            Conversion: self._conversion,
        }
        self._seen = Seen()
        self._sales: dict[Fingerprint, bytes] = {}
        self._waiting: dict[Fingerprint, list[ReturnRequest]] = {}

    @property
    def waiting(self) -> int:
        """Returns whose sale has not come."""
        return sum(len(each) for each in self._waiting.values())

    @property
    def kept_bytes(self) -> int:
        """What sales and keys take, without the tables of Python's own objects."""
        return self._seen.size + sum(len(each) for each in self._sales.values())

    def feed(self, event: ReplayEvent) -> Outcome:
        """Let one event happen. What the service would refuse changes nothing and is counted by its code."""
        try:
            outcome = self._takes[type(event)](event)
        except AppError as refused:
            self._refused(event.type, refused)
            outcome = "refused"
        self.counts[event.type, outcome] += 1
        return outcome

    def finish(self, at: Instant | None = None) -> None:
        """Let time pass for everybody up to the instant; to the last event's, if not given."""
        until = self.last if at is None else at
        for member in self.world.members.values():
            # One commit makes a bounded number of coupons out of points; the next ones follow at once.
            while self.world.change(member, until, lambda _state: [TimePassed(until)]).promised:
                pass

    # -- members ----------------------------------------------------------------------------------------------------

    def _registration(self, event: Registration) -> Outcome:
        if event.member in self.world.members:
            return "repeated"
        at = self._happens_at(event.at)
        personal = {"birth_date": event.birth_date, "gender": event.gender, "language": event.language}
        born = day_of(event.birth_date) if event.birth_date is not None else None
        facts = Facts(born, event.gender, event.language)
        member = Member(MemberState(TENANT, event.member, as_of=at), facts if any(personal.values()) else None)
        registered = Registered(
            at=at,
            source=event.source,
            location=event.location,
            identifier_kinds=tuple(sorted({each.kind for each in event.identifiers})),
            known=tuple(sorted({*event.known, *(name for name, value in personal.items() if value is not None)})),
            attributes=dict(event.attributes),
            consents={name: Consent(granted, at, "") for name, granted in event.consents.items()},
            referrer=event.referrer,
            tags=tuple(dict.fromkeys(event.tags)),
            opening=_opening(event, at),
        )
        self.world.members[event.member] = member
        for each in event.identifiers:
            self.world.identifiers.setdefault((each.kind, each.value), event.member)
        self.world.change(member, at, lambda _state: [registered])
        return "done"

    def _custom_event(self, event: CustomEvent) -> Outcome:
        member, key = self.world.member(event.member_id), fingerprint(natural_id("evt", (event.member_id, event.event_id)))
        if key in self._seen:
            return "repeated"
        at = self._happens_at(event.occurred_at)
        # A type without a dot is the tenant's own; ours have one.
        type_ = event.event if "." in event.event else f"event.{event.event}"
        response = Responded(at, type_, event.campaign_id, event.step, dict(event.properties))
        self.world.change(member, at, lambda _state: [response])
        self._seen.add(key)
        return "done"

    # -- sales ------------------------------------------------------------------------------------------------------

    def _purchase(self, event: Purchase) -> Outcome:
        transaction = _own_id("txn", event)
        key = fingerprint(transaction)
        if key in self._seen:
            return "repeated"
        selling = Selling(self.world, event, transaction, self._happens_at(event.occurred_at), self._settled)
        selling.carry_out()
        self._seen.add(key)
        if self._keeps is None or key in self._keeps:
            self._sales[key] = pack_sale(selling.sale())
            self._settle_waiting(key, transaction)
        return "done" if selling.member is not None else "anonymous"

    def _return(self, event: Return) -> Outcome:
        own, transaction = fingerprint(_own_id("ret", event)), original_of(event)
        if own in self._seen:
            return "repeated"
        key = fingerprint(transaction)
        if key in self._sales:
            self._reverse("return", key, transaction, event, self._happens_at(event.occurred_at))
            self._seen.add(own)
            return "done"
        waiting = self._waiting.setdefault(key, [])
        if len(waiting) >= MAX_WAITING:
            raise TooManyWaiting(f"{MAX_WAITING} returns wait for this sale.")
        waiting.append(event)
        self._seen.add(own)
        return "waiting"

    def _void(self, event: Void) -> Outcome:
        transaction = original_of(event)
        key = fingerprint(transaction)
        if key not in self._sales:
            raise UnknownTransaction
        self._reverse("void", key, transaction, None, self._happens_at(event.at))
        return "done"

    def _reverse(
        self, kind: Literal["return", "void"], key: Fingerprint, transaction: str, request: ReturnRequest | None, at: Instant
    ) -> None:
        sale = unpack_sale(self._sales[key])
        Reversing(self.world, kind, sale, transaction, request, at).carry_out()
        self._sales[key] = pack_sale(sale)

    def _settle_waiting(self, key: Fingerprint, transaction: str) -> None:
        """Returns that came before their sale, in the order of their arrival; one that cannot be settled is refused for good."""
        for request in self._waiting.pop(key, ()):
            try:
                self._reverse("return", key, transaction, request, self._happens_at(request.occurred_at))
                self.counts["return", "done"] += 1
            except AppError as refused:
                self._refused("return", refused)
                self.counts["return", "refused"] += 1
            self.counts["return", "waiting"] -= 1

    # -- points and coupons -----------------------------------------------------------------------------------------

    def _adjustment(self, event: Adjustment) -> Outcome:
        return self._moved(moving.adjust, event)

    def _transfer(self, event: Transfer) -> Outcome:
        return self._moved(moving.transfer, event)

    def _conversion(self, event: Conversion) -> Outcome:
        return self._moved(moving.convert, event)

    def _coupon(self, event: CouponGiven) -> Outcome:
        if event.coupon is not None and event.coupon in self.world.coupons:
            same = self.world.coupons[event.coupon]
            if (same.member, same.offer) == (event.member, event.offer):
                return "repeated"
        self._number += 1
        moving.give_coupon(self.world, event, self._happens_at(event.at), f"coupon/{event.member}/{self._number}")
        return "done"

    def _challenge(self, event: ChallengeReceived) -> Outcome:
        self._number += 1
        name = event.receipt if event.receipt is not None else f"#{self._number}"
        key = fingerprint(natural_id("chl", (event.member, event.challenge, name)))
        if event.receipt is not None and key in self._seen:
            return "repeated"
        moving.give_challenge(self.world, event, self._happens_at(event.at), name)
        if event.receipt is not None:
            self._seen.add(key)
        return "done"

    def _moved(self, move: Callable[[World, Any, Instant, str], None], event: Adjustment | Transfer | Conversion) -> Outcome:
        """Once per key; without one, as often as it is fed."""
        self._number += 1
        name = event.key if event.key is not None else f"#{self._number}"
        key = fingerprint(natural_id(event.type, (event.member, name)))
        if event.key is not None and key in self._seen:
            return "repeated"
        move(self.world, event, self._happens_at(event.at), f"{event.type}/{name}")
        if event.key is not None:
            self._seen.add(key)
        return "done"

    # -- all --------------------------------------------------------------------------------------------------------

    def _happens_at(self, text: str) -> Instant:
        at = parse_rfc3339(text)
        self.last = max(self.last, at)
        return at

    def _refused(self, type_: str, refusal: AppError) -> None:
        """By what exactly could not be used, where a sale counted on it."""
        codes = {each.code for each in refusal.refused} if isinstance(refusal, SaleRefused) else {refusal.code}
        for code in codes:
            self.refusals[type_, code] += 1


def original_of(event: Return | Void) -> str:
    """The id of the sale that comes back."""
    if event.original is None:
        return event.transaction_id or ""
    original = event.original
    return natural_id(
        "txn", (original.source, original.location_id, original.business_date, original.till_id or "", original.receipt_number)
    )


def _own_id(prefix: str, request: TransactionRequest | ReturnRequest) -> str:
    return natural_id(
        prefix, (request.source, request.location_id, request.business_date, request.till_id or "", request.receipt_number)
    )


def _opening(event: Registration, at: Instant) -> tuple[Posting, ...]:
    """Balances that she brings along; those that have expired by then bring nothing."""
    lots = (
        Posting(
            each.wallet,
            "open",
            each.points,
            parse_rfc3339(each.available_at) if each.available_at is not None else 0,
            parse_rfc3339(each.expires_at) if each.expires_at is not None else NEVER,
        )
        for each in event.opening_balances
    )
    return tuple(lot for lot in lots if lot.expires_at > at)
