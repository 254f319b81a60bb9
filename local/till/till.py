"""The reference till: sells with and without network, and settles what it sold. docs/offline.md tells what it does and why.

A sale is acknowledged when it is on the till's own disk. Sending it is somebody else's hurry: as often as it takes, always with the same
body, so that it is recorded exactly once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from local.till.giving import Given, Order, decide
from local.till.journal import Entry, Journal
from local.till.memory import Memory
from local.till.network import NoAnswer, Reply, Transport, delay, skew_of, verdict
from shared.coupons.qr import InvalidQr, QrContent, verify
from shared.kernel.instants import MINUTE, Clock, Instant, format_day, format_rfc3339, local_day
from shared.transactions.model import NaturalKey

QUOTE_MS: Final = 500
"""A guest waits: without a price by then the till decides by itself."""
SEND_MS: Final = 5000
_ASK_AGAIN: Final = MINUTE
"""A code of nobody's must not make a request each time it is shown."""
_ENOUGH: Final = 3
"""So many answers that say "later" end a pass."""
_COMPACT_AFTER: Final = 200
Sent = Literal["done", "later", "refused", "nobody", "credential"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Which till this is."""

    tenant: str
    location: str
    till: str
    currency: str
    source: str = "till"


@dataclass(frozen=True, slots=True)
class Sold:
    """What became of a basket. ``taken`` false: nothing was sold, because of ``reason``. ``offline``: decided without us."""

    taken: bool
    offline: bool = False
    reason: str | None = None
    subject: str | None = None
    key: str = ""
    discount: int = 0
    answer: dict[str, Any] | None = None
    """Our answer, where there was one."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a pass came to. ``wait``: milliseconds until it makes sense to try again; none if nothing waits."""

    done: int = 0
    refused: int = 0
    waiting: int = 0
    wait: int = 0
    reason: str | None = None
    """``no_answer``, ``credential``, ``later``."""


class Till:
    """One till. ``clock`` is its own and may be wrong; ``chance`` gives random numbers from 0 up to 1."""

    def __init__(
        self, settings: Settings, journal: Journal, memory: Memory, transport: Transport, clock: Clock, chance: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.journal = journal
        self._memory = memory
        self.known = memory.load()
        self._transport = transport
        self._clock = clock
        self._chance = chance
        self._failures = 0
        self._asked_to_wait = 0
        self._keys_at: Instant | None = None

    def now(self) -> Instant:
        """The true time, as far as it is known."""
        return self._clock() + (self.known.skew or 0)

    # -- selling ----------------------------------------------------------------------------------------------------

    def sell(self, order: Order) -> Sold:
        """A basket that the guest pays now. It is on our disk before this returns; the same receipt number again answers the same."""
        key = self._key("txn", order)
        known = self.journal.entries.get(key)
        if known is not None:
            return self._sold(known)
        # Also of a basket without coupons: a promotion may lower it.
        quoted = self.quote(order)
        if quoted is not None and quoted.get("refused"):
            first = quoted["refused"][0]
            return Sold(taken=False, reason=first["code"], subject=first["subject"])
        given = Given()
        if order.gives and quoted is None:
            used = self.journal.given(self._date(order))
            known_now = self.known
            given = decide(
                order, known_now.allowance, used, self.journal.taken, self.now(), known_now.contact, stopped=known_now.stopped
            )
            if given.reason is not None:
                return Sold(taken=False, offline=True, reason=given.reason, subject=given.subject)
        alone = quoted is None
        entry = self.journal.add(self._entry(key, order, given, offline=alone))
        if not alone:
            self._send(entry)
        return self._sold(self.journal.entries[key])

    def quote(self, order: Order) -> dict[str, Any] | None:
        """Our price, or ``None`` if there is none within half a second: then the till decides."""
        try:
            reply = self._call("POST", "/v1/quotes", self._basket(order, self.now()), QUOTE_MS)
            if verdict(reply) == "clock":
                # Its Date header has just told us what time it is.
                reply = self._call("POST", "/v1/quotes", self._basket(order, self.now()), QUOTE_MS)
        except NoAnswer:
            return None
        return dict(reply.body) if reply.status == 200 else None

    def give_back(self, receipt: str, original: str, business_date: str, lines: tuple[dict[str, Any], ...] = ()) -> Entry:
        """A sale of this till comes back, or the ``lines`` that are listed. Good before the sale itself has been sent."""
        today = format_day(local_day(self.now(), self.known.zone))
        own, sale = self._names(receipt, today), self._names(original, business_date)
        body = own | {"occurred_at": format_rfc3339(self.now()), "original": sale}
        if lines:
            body["lines"] = list(lines)
        key = _natural(own).id("ret")
        entry = self.journal.add(Entry(key, "return", "/v1/returns", body, self._clock(), self.known.skew is not None, today))
        self._send(entry)
        return self.journal.entries[key]

    def void(self, original: str, business_date: str) -> Entry:
        """A sale of this till never was."""
        sale = _natural(self._names(original, business_date)).id("txn")
        entry = self.journal.add(Entry(f"void/{sale}", "void", f"/v1/transactions/{sale}/void", {}, self._clock()))
        if not self._too_early(entry):
            self._send(entry)
        return self.journal.entries[entry.key]

    def scan(self, text: str) -> QrContent:
        """A QR code, verified with the keys that we have; ``InvalidQr`` or ``ExpiredQr``. Keys that we lack are asked for once."""
        try:
            return verify(text, self.known.keys, self.settings.tenant, self.now())
        except InvalidQr:
            asked_lately = self._keys_at is not None and 0 <= self._clock() - self._keys_at < _ASK_AGAIN
            if asked_lately or not self._fetch_keys(QUOTE_MS):
                raise
        return verify(text, self.known.keys, self.settings.tenant, self.now())

    # -- settling ---------------------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Make contact: what time it is, the keys, what the location may give. ``False`` if nobody answers, or not to us."""
        if not self._fetch_keys():
            return False
        found, cursor = False, ""
        while not found:
            try:
                reply = self._call("GET", f"/v1/locations?limit=200{cursor}", None, SEND_MS)
            except NoAnswer:
                return False
            if reply.status != 200:
                break
            self.known.stops = reply.body.get("stops")
            mine = [each for each in reply.body["data"] if each["id"] == self.settings.location]
            self.known.location, found = (mine[0], True) if mine else (self.known.location, False)
            if not reply.body.get("next_cursor"):
                break
            cursor = f"&cursor={reply.body['next_cursor']}"
        self._memory.save(self.known)
        return found

    def settle(self) -> Settled:
        """Send what waits, oldest first; one pass. What one answer says of one entry holds up no other."""
        if not self.journal.waiting:
            return Settled()
        self._asked_to_wait = done = refused = again = 0
        reason = None
        for entry in self.journal.waiting:
            if self._too_early(entry):
                continue
            sent = self._send(entry)
            done, refused, again = done + (sent == "done"), refused + (sent == "refused"), again + (sent == "later")
            if sent in ("nobody", "credential") or again >= _ENOUGH:
                reason = {"nobody": "no_answer", "credential": "credential"}.get(sent, "later")
                break
        self._failures = 0 if reason is None and not again else self._failures + 1
        waiting = len(self.journal.waiting)
        if len(self.journal.entries) - waiting >= _COMPACT_AFTER:
            self.journal.compact(self._clock())
        wait = max(self._asked_to_wait, delay(self._failures, self._chance())) if waiting else 0
        return Settled(done, refused, waiting, wait, reason or ("later" if again else None))

    # -- one entry --------------------------------------------------------------------------------------------------

    def _send(self, entry: Entry) -> Sent:
        """Try once to have it recorded, twice where a definite answer lets us mend it."""
        for _ in (1, 2):
            timed = self._with_its_time(entry)
            if timed is None:
                return "nobody"
            entry = timed
            try:
                reply = self._call("POST", entry.path, entry.body, SEND_MS)
            except NoAnswer:
                return "nobody"
            means = verdict(reply)
            if means == "done":
                self.journal.finish(entry.key, "done", dict(reply.body))
                return "done"
            if means == "credential":
                return "credential"
            if means == "again":
                self._asked_to_wait = max(self._asked_to_wait, reply.retry_after)
                return "later"
            mended = self._mended(entry, means)
            if mended is None:
                self.journal.finish(entry.key, "refused", dict(reply.body))
                return "refused"
            entry = mended
        return "later"

    def _mended(self, entry: Entry, means: str) -> Entry | None:
        """What to send instead, after an answer that says that nothing was stored."""
        if means == "clock":
            soonest = min(entry.at + (self.known.skew or 0), self.now())
            return self.journal.fix(entry.key, entry.body | {"occurred_at": format_rfc3339(soonest)})
        if means == "as_offline" and entry.kind == "sale" and not entry.body.get("offline"):
            # The guest has paid by our quote; what does not hold any more is the location's loss.
            return self.journal.fix(entry.key, entry.body | {"offline": True})
        return None

    def _with_its_time(self, entry: Entry) -> Entry | None:
        """Its time put right, once, before it is sent for the first time: from then on the body stays. ``None`` while nobody answers."""
        if entry.fixed:
            return entry
        if self.known.skew is None and not self._fetch_keys():
            return None
        return self.journal.fix(entry.key, entry.body | {"occurred_at": format_rfc3339(entry.at + (self.known.skew or 0))})

    def _too_early(self, entry: Entry) -> bool:
        """A void of a sale that has not been recorded yet."""
        sale = self.journal.entries.get(entry.key.removeprefix("void/")) if entry.kind == "void" else None
        return sale is not None and sale.outcome == "waiting"

    # -- contact ----------------------------------------------------------------------------------------------------

    def _fetch_keys(self, timeout_ms: int = SEND_MS) -> bool:
        """The public keys, and with them the time."""
        self._keys_at = self._clock()
        try:
            reply = self._call("GET", "/.well-known/jwks.json", None, timeout_ms)
        except NoAnswer:
            return False
        if reply.status != 200:
            return False
        self.known.jwks = reply.body
        self._memory.save(self.known)
        return True

    def _call(self, method: str, path: str, body: Any, timeout_ms: int) -> Reply:
        sent = self._clock()
        reply = self._transport.call(method, path, body, timeout_ms)
        self._learn(reply, sent, self._clock())
        return reply

    def _learn(self, reply: Reply, sent: Instant, received: Instant) -> None:
        """How wrong our clock is; and that we have contact, if we were let in."""
        skew = skew_of(sent, received, reply.headers.get("date"))
        before = replace(self.known)
        if skew is not None:
            self.known.skew = skew
        if reply.status < 400:
            self.known.contact = received + (self.known.skew or 0)
        if self.known != before:
            self._memory.save(self.known)

    # -- bodies -----------------------------------------------------------------------------------------------------

    def _date(self, order: Order) -> str:
        return order.business_date or format_day(local_day(self.now(), self.known.zone))

    def _names(self, receipt: str, business_date: str) -> dict[str, Any]:
        """The natural key of a receipt of this till."""
        settings = self.settings
        place = {"source": settings.source, "location_id": settings.location, "till_id": settings.till}
        return place | {"business_date": business_date, "receipt_number": receipt}

    def _key(self, prefix: str, order: Order) -> str:
        return _natural(self._names(order.receipt, self._date(order))).id(prefix)

    def _basket(self, order: Order, at: Instant) -> dict[str, Any]:
        settings = self.settings
        body: dict[str, Any] = {"source": settings.source, "location_id": settings.location, "till_id": settings.till}
        body |= {"occurred_at": format_rfc3339(at), "currency": settings.currency, "lines": list(order.lines)}
        optional = {"member": order.who, "points_to_spend": order.points, "tenders": list(order.tenders)}
        body |= {name: value for name, value in optional.items() if value}
        if order.coupons:
            body["coupons"] = [each.reference for each in order.coupons]
        return body

    def _entry(self, key: str, order: Order, given: Given, *, offline: bool) -> Entry:
        date = self._date(order)
        body = self._basket(order, self.now()) | {"business_date": date, "receipt_number": order.receipt}
        if offline:
            body["offline"] = True
            if order.coupons:
                body["coupons"] = [each.reference | {"given": amount} for each, amount in zip(order.coupons, given.amounts, strict=True)]
            if order.points and all(each["kind"] != "points" for each in order.tenders):
                body["tenders"] = [*order.tenders, {"kind": "points", "amount": given.points_value}]
        shown = tuple(each.shown.id for each in order.coupons if each.shown is not None)
        points, value = given.giving.points, given.giving.value
        return Entry(
            key, "sale", "/v1/transactions", body, self._clock(), self.known.skew is not None, date, points, value, shown
        )  # fmt: skip

    @staticmethod
    def _sold(entry: Entry) -> Sold:
        answer = entry.answer if entry.outcome == "done" else None
        discount = answer["totals"]["discount"] if answer is not None and "totals" in answer else entry.value
        return Sold(taken=True, offline=bool(entry.body.get("offline")), key=entry.key, discount=discount, answer=answer)


def _natural(names: dict[str, Any]) -> NaturalKey:
    return NaturalKey(names["source"], names["location_id"], names["business_date"], names["till_id"] or "", names["receipt_number"])

