"""What became of a campaign: its numbers, and the deliveries that a person must look at."""

from __future__ import annotations

from typing import Any

from shared.campaigns.api import DeliveryAnswer, DeliveryPage
from shared.campaigns.deliveries import DeliveryRepository, delivery_id
from shared.campaigns.model import CampaignBody, Delivery
from shared.campaigns.service import known_run
from shared.kernel.instants import format_rfc3339
from shared.kernel.pages import open_cursor, seal_cursor
from shared.reports.api import ReportAnswer
from shared.reports.repository import ReportRepository
from shared.reports.rules import report_of
from shared.tenants.scope import TenantScope


def report(scope: TenantScope, campaign: str) -> ReportAnswer:
    """The numbers of a campaign, as of what the relay has delivered: moments behind the table. Two requests."""
    run = known_run(scope, campaign)
    cells = ReportRepository(scope.tenant, scope.table).cells(campaign)
    return report_of(campaign, run.state, cells, budget_of(scope, campaign))


def budget_of(scope: TenantScope, campaign: str) -> int | None:
    """What the version in force may cost, minor units. No request when the definitions are cached."""
    definition = scope.definitions.at(scope.clock()).campaigns.get(campaign)
    budget = CampaignBody.model_validate(definition.body).budget if definition is not None else None
    return budget.amount if budget is not None else None


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
    channel: Any = delivery.channel
    return DeliveryAnswer(
        delivery_id=delivery_id(delivery),
        member_id=delivery.member,
        step=delivery.step,
        channel=channel,
        state=state,
        reason=delivery.reason,
        claimed_at=format_rfc3339(delivery.claimed_at),
        coupon_id=delivery.coupon,
    )
