"""What became of a campaign: counts, and the deliveries that a person must look at."""

from __future__ import annotations

from typing import Any

from shared.campaigns.api import DeliveryAnswer, DeliveryPage, ReportAnswer
from shared.campaigns.deliveries import DeliveryRepository, delivery_id
from shared.campaigns.model import Delivery
from shared.campaigns.service import known_run
from shared.kernel.instants import format_rfc3339
from shared.kernel.pages import open_cursor, seal_cursor
from shared.tenants.scope import TenantScope


def report(scope: TenantScope, campaign: str) -> ReportAnswer:
    """Counts of deliveries, exact up to the last write. Two requests."""
    run = known_run(scope, campaign)
    counts = DeliveryRepository(scope.tenant, scope.table, scope.effort).counts(campaign)
    return ReportAnswer(campaign_id=campaign, state=run.state, **counts)


def deliveries(scope: TenantScope, campaign: str, limit: int, cursor: str | None, key: bytes) -> DeliveryPage:
    """Deliveries that failed or are unknown, newest claim first. ``key`` signs the cursor. Three requests."""
    known_run(scope, campaign)
    context = f"{scope.tenant}|deliveries|{campaign}"
    start: dict[str, Any] | None = open_cursor(key, context, cursor)["after"] if cursor else None
    found, last = DeliveryRepository(scope.tenant, scope.table, scope.effort).to_check(campaign, limit, start)
    more = seal_cursor(key, context, {"after": last}) if last else None
    return DeliveryPage(data=tuple(_answer(each) for each in found if each.state in ("failed", "unknown")), next_cursor=more)


def _answer(delivery: Delivery) -> DeliveryAnswer:
    state: Any = delivery.state
    return DeliveryAnswer(
        delivery_id=delivery_id(delivery),
        member_id=delivery.member,
        step=delivery.step,
        channel=delivery.channel,
        state=state,
        reason=delivery.reason,
        claimed_at=format_rfc3339(delivery.claimed_at),
        coupon_id=delivery.coupon,
    )
