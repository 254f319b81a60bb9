"""A campaign's budget for messages and discount: told at 80 %, paused at 100 %. Looked at whenever its numbers change.

The numbers run behind the claims by the moments that the relay and the queue need, so a campaign can go over by what is sent meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.campaigns.model import Run
from shared.campaigns.service import Turn, known_run, turn
from shared.reports.cells import total
from shared.reports.repository import ReportRepository
from shared.reports.rules import spent
from shared.reports.service import budget_of
from shared.tenants.scope import TenantScope

ALERT_PERCENT: Final = 80
RUNNING: Final = ("scheduled", "sending", "active")


def watch(scope: TenantScope, campaign: str) -> None:
    """Alert or pause, once each for a budget. Without a budget no request, else a Query of the counters and seldom more.

    The budget of the version in force counts: a new version with a larger one lets the campaign be resumed.
    """
    budget = budget_of(scope, campaign)
    if budget is None:
        return
    percent = spent(total(ReportRepository(scope.tenant, scope.table).cells(campaign))) * 100 // budget
    if percent < ALERT_PERCENT or known_run(scope, campaign).state not in RUNNING:
        return
    turn(scope, campaign, lambda run: _turn(run, budget, percent), "")


def _turn(run: Run, amount: int, percent: int) -> Turn | None:
    """What the share that is used up means for the campaign; ``None``: nothing, or nothing new."""
    if run.state not in RUNNING:
        return None
    if percent >= 100:
        return Turn(replace(run, state="paused", alerted=amount), gates=False, told="campaign.budget_spent")
    return Turn(replace(run, alerted=amount), gates=None, told="campaign.budget_alert") if run.alerted != amount else None
