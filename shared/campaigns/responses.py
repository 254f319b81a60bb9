"""What came back: opens, clicks, coupons redeemed, forms filled; conversions and revenue; and who gets the credit. Each once, however
often it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.campaigns.conversions import REVERSALS, Happened, choose, convert, credit, happened, take_credit
from shared.campaigns.deliveries import DeliveryRepository, Response, key_of
from shared.campaigns.model import Delivery, Goal
from shared.campaigns.versions import body_of, version_of
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import InvalidValue
from shared.relay.envelope import Envelope
from shared.storage.keys import Key
from shared.tenants.scope import TenantScope
from shared.transactions.errors import UnknownTransaction
from shared.transactions.repository import SaleRepository, natural_key

RESPONSES: Final[Mapping[str, tuple[Response, ...]]] = {
    "message.opened": ("opened",),
    "message.clicked": ("opened", "clicked"),
    "form.submitted": ("submitted",),
    "coupon.redeemed": ("redeemed",),
}
"""Who clicked has opened."""
_FORM: Final = "form:"
"""What a coupon that a form gave is issued by: ``form:<campaign>``."""
_NO_MESSAGE: Final = ("held_out", "suppressed")


def on_events(scope: TenantScope, envelope: Envelope) -> int:
    """Count what the events of a commit about a member are to campaigns; answers how many deliveries changed.

    Costs nothing but for an event that is a response (a read or two and a write), and for a sale, form or event of the tenant of a member
    whom a campaign touched in the last 30 days (a Query a campaign, a read and a write a delivery that counts it).
    """
    if envelope.member is None or envelope.mode == "historical":
        return 0
    answers = _Answers(scope, envelope, envelope.member)
    changed = sum(answers.record(event) for event in envelope.events if event["type"] in RESPONSES)
    return changed + (answers.credit_goals() if envelope.touched else 0)


class _Answers:
    """What one commit about one member is to campaigns."""

    def __init__(self, scope: TenantScope, envelope: Envelope, member: str) -> None:
        self._scope = scope
        self._envelope = envelope
        self._member = member
        self._rows = DeliveryRepository(scope.tenant, scope.table, scope.effort)
        self._proven: Key | None = None
        """The delivery whose coupon was used, or whose form was filled, in this commit."""

    # -- responses ----------------------------------------------------------------------------------------------------

    def record(self, event: Mapping[str, Any]) -> int:
        """A response, if it is the first of its kind to a delivery."""
        of_a_coupon = event["type"] == "coupon.redeemed"
        key = self._of_coupon(event) if of_a_coupon else self._named(event)
        if key is None:
            return 0
        if event["type"] in ("coupon.redeemed", "form.submitted"):
            self._proven = key
        discount = self._discount(str(event["data"]["coupon"])) if of_a_coupon else 0
        at = int(event["occurred_at"])
        return sum(self._rows.respond(key, response, at, discount=discount) for response in RESPONSES[event["type"]])

    def _named(self, event: Mapping[str, Any]) -> Key | None:
        """The delivery that the app names by its id, else the newest of the campaign and step that it names."""
        data = event["data"]
        exact = key_of(self._scope.tenant, self._member, str(data.get("delivery_id", "")))
        if exact is not None:
            return exact[1]
        campaign, step = data.get("campaign"), data.get("step")
        return self._newest(campaign, step) if isinstance(campaign, str) else None

    def _of_coupon(self, event: Mapping[str, Any]) -> Key | None:
        """The delivery that the coupon was attached to, or the one whose form gave it."""
        coupon = CouponRepository(self._scope.tenant, self._scope.table).get(str(event["data"]["coupon"]))
        issued_by = coupon.issued_by if coupon is not None else None
        if issued_by is None:
            return None
        if issued_by.startswith(_FORM):
            return self._newest(issued_by.removeprefix(_FORM), None)
        found = key_of(self._scope.tenant, self._member, issued_by)
        return found[1] if found is not None else None

    def _newest(self, campaign: str, step: Any) -> Key | None:
        try:
            rows = self._rows.of_member(self._member, campaign, step if isinstance(step, str) and step else None)
        except InvalidValue:
            # What an app sends as a campaign or step need not be one.
            return None
        newest = max(rows, key=lambda row: row.claimed_at, default=None)
        return self._rows.key(newest) if newest is not None else None

    def _discount(self, coupon: str) -> int:
        """What the coupon took off the sale of this commit, minor units; 0 where it was redeemed without one. One read."""
        sales = (event["data"]["transaction"] for event in self._envelope.events if event["type"] == "transaction.recorded")
        sale = next(sales, None)
        if sale is None:
            return 0
        try:
            answer = SaleRepository(self._scope.tenant, self._scope.table).get(natural_key(str(sale))).answer
        except UnknownTransaction:
            return 0
        return sum(int(each["amount"]) for each in answer.get("discounts") or () if each["coupon_id"] == coupon)

    # -- conversions and credit ---------------------------------------------------------------------------------------

    def credit_goals(self) -> int:
        """Conversions, revenue and credit of every campaign that touched her."""
        events = [found for event in self._envelope.events if (found := happened(event)) is not None]
        rows = [(row, self._goal(row)) for campaign in self._envelope.touched for row in self._rows.with_results(self._member, campaign)]
        return sum(self._count(rows, event) for event in events)

    def _count(self, rows: list[tuple[Delivery, Goal]], event: Happened) -> int:
        changed = sum(self._change(row, _converter(goal, event), event) for row, goal in rows if convert(row, goal, event) != row)
        if event.type in REVERSALS:
            return changed + sum(self._change(row, _taker(event), event) for row, _ in rows if take_credit(row, event) != row)
        if any((event.transaction or event.id) in row.attributed for row, _ in rows):
            return changed
        messages = [(row, goal) for row, goal in rows if row.state not in _NO_MESSAGE]
        hard = next((row for row, _ in messages if self._rows.key(row) == self._proven), None)
        chosen = choose(messages, event, hard) if event.type in ("transaction.recorded", "form.submitted") else None
        return changed + (self._change(chosen[0], _creditor(event, hard=chosen[1]), event) if chosen is not None else 0)

    def _change(self, row: Delivery, decide: Callable[[Delivery], Delivery], event: Happened) -> int:
        return int(self._rows.change(self._rows.key(row), decide, event.at))

    def _goal(self, row: Delivery) -> Goal:
        definition = version_of(self._scope, row.campaign, row.campaign_version)
        return body_of(self._scope.tenant, definition).goal if definition is not None else Goal()


def _converter(goal: Goal, event: Happened) -> Callable[[Delivery], Delivery]:
    return lambda row: convert(row, goal, event)


def _taker(event: Happened) -> Callable[[Delivery], Delivery]:
    return lambda row: take_credit(row, event)


def _creditor(event: Happened, *, hard: bool) -> Callable[[Delivery], Delivery]:
    return lambda row: credit(row, event, hard=hard)
