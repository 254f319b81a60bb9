"""What the counter makes of a sale: whether what it spends was confirmed, why it is flagged, until when it waits. See docs/counter.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.counter import counting
from shared.counter.errors import ConfirmationNotUsable, ConfirmationRequired
from shared.counter.model import AFTER_HOURS, BLOCKED, UNCONFIRMED, Flag, Spending
from shared.counter.rules import after_hours_flag, purchases_flag, review_until
from shared.counter.stepping_up import StepUp, proof_of
from shared.definitions.model import DefinitionSet
from shared.kernel.instants import Instant, day_of
from shared.member_state.model import CounterSale, MemberState
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions.api import Basket, TransactionRequest
from shared.transactions.model import Decided


@dataclass(frozen=True, slots=True)
class Noticed:
    """What is remembered of a sale, and why and until when it is under review (``until`` 0: until somebody decides)."""

    sale: CounterSale | None = None
    flags: tuple[Flag, ...] = ()
    until: Instant = 0

    def answered(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer of the sale with its flags; points that wait have no instant at which they are there."""
        if not self.flags:
            return answer
        points = {name: value for name, value in answer["points"].items() if name != "available_at"}
        flags = [{"code": flag.code, "detail": flag.detail} for flag in self.flags]
        return answer | {"points": points, "flags": flags, "review": "pending"}


NOTHING: Final = Noticed()


def spending_of(decided: Decided) -> Spending:
    """What a decided basket spends of hers: points, and what they and her own coupons are worth in it. Pure."""
    coupons = sum(each.amount for each in decided.discounts if each.coupon.member is not None)
    return Spending(sum(decided.spent.values()), decided.paid_with_points + coupons)


def step_up(scope: TenantScope, basket: Basket, caller: str, now: Instant, use: str) -> StepUp:
    """The question whether a basket's spending was confirmed."""
    return StepUp(scope, proof_of(basket, caller), now, use)


def notice(
    view: DefinitionSet, state: MemberState, request: TransactionRequest, at: Instant, more: tuple[Flag, ...] = ()
) -> Noticed:
    """The flags of a sale of hers by what she has bought before, and by when it was; imported history has none. Pure."""
    if request.mode == "historical":
        return NOTHING
    settings = view.settings.counter
    rule, place = settings.rules.purchases, view.locations.get(request.location_id)
    sale = CounterSale(at, day_of(request.business_date), request.location_id, request.staff_id or "") if rule is not None else None
    flag = purchases_flag(rule, state.counter_sales, sale) if sale is not None else None
    closed = after_hours_flag(settings.rules.after_hours, place, request.channel, at, view.settings.time_zone)
    flags = (*(each for each in (flag, closed) if each is not None), *more)
    return Noticed(sale, flags, review_until(settings, at) if flags else 0)


class AtCounter:
    """One sale being recorded, as the counter sees it; asked again with every attempt."""

    def __init__(
        self, scope: TenantScope, request: TransactionRequest, at: Instant, caller: str, *, transaction: str, blocked: bool
    ) -> None:
        self._scope = scope
        self._step_up = step_up(scope, request, caller, scope.clock(), transaction)
        self._request = request
        self._at = at
        self._blocked = blocked

    def look(self, state: MemberState, decided: Decided, stale: Stale, *, was_held: bool) -> Noticed:
        """What is noticed of it. ``ConfirmationRequired`` and its like, but for what has happened already: that is flagged.

        What was held was confirmed, if it had to be, when it was held.
        """
        flags = [Flag(BLOCKED, "made with an identifier that is blocked")] if self._blocked else []
        if self._request.mode != "historical" and not was_held:
            try:
                self._step_up.check(state, spending_of(decided), stale)
            except (ConfirmationRequired, ConfirmationNotUsable) as refusal:
                if not self._request.offline:
                    raise
                flags.append(Flag(UNCONFIRMED, refusal.title))
        return notice(self._scope.definitions, state, self._request, self._at, tuple(flags))

    def add(self, batch: WriteBatch, member: str, noticed: Noticed, points: int) -> None:
        """What it writes beside: the confirmation's use, and one more flagged sale of the cashier."""
        self._step_up.add(batch, member)
        if noticed.flags:
            counting.add(batch, self._scope, self._doer, "flagged", points)
        if any(flag.code == AFTER_HOURS for flag in noticed.flags):
            counting.add(batch, self._scope, self._doer, "after_hours", points)

    def tell(self, answer: Mapping[str, Any], correlation: str) -> None:
        """The alert of the day, once it is due. No request but for a sale after hours."""
        if any(flag["code"] == AFTER_HOURS for flag in answer.get("flags") or ()):
            counting.alert(self._scope, self._doer, "after_hours", correlation)

    @property
    def _doer(self) -> counting.Doer:
        request = self._request
        return counting.Doer(request.business_date, request.location_id, counting.cashier(request.staff_id, request.till_id))
