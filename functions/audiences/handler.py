"""Who a rule is true of: previews, searches, exports; and the consumer of the queue ``exports``. Translate, call, answer.

A function of its own: it has the library of columns, and it alone opens many members' personal fields.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from functions.audiences.settings import AudienceSettings, audience_settings
from shared.audiences import api, drafts, exporting, preview, retention, searching, writing
from shared.audiences.asking import Rebuild
from shared.audiences.drafts import Draft
from shared.audiences.errors import UnknownExport
from shared.aws.objects import S3Store
from shared.aws.queues import Poison, SqsQueue, consume, named_tenant
from shared.aws.runtime import NamedTenant, Runtime
from shared.forecast import calendar, estimate
from shared.forecast.api import EstimateRequest
from shared.forecast.audience import Source
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.kernel.ids import is_id
from shared.kernel.scopes import PERSONAL
from shared.observability.logs import log_context
from shared.privacy.crypto import derive
from shared.snapshots import rebuilding
from shared.statistics import reading as statistics
from shared.tenants.scope import TenantScope

app = HttpApp("audiences")


@cache
def settings() -> AudienceSettings:
    """This function's settings."""
    return audience_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


app.limit(lambda: runtime())  # noqa: PLW0108 - looked up with each call, as everything here that is wired


def wall() -> int:
    """The clock on the wall, which snapshots and leases go by, also while a local stage's clock is moved."""
    return int(time.time() * 1000)


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway, or a batch of pointers to exports."""
    runtime().begin(context)
    if "Records" in event:
        dead_letters = settings().dead_letter_url
        return consume(event, _work, client=runtime().client("sqs"), dead_letters=dead_letters, hopeless=(UnknownExport,))
    return app.handle(event, context)


def _scope(request: Request) -> TenantScope:
    return runtime().scope(request.principal)


def _store() -> S3Store:
    return S3Store(runtime().client("s3"), settings().bucket)


def _queue() -> SqsQueue:
    return SqsQueue(runtime().client("sqs"), settings().queue_url)


def _snapshots() -> SqsQueue:
    return SqsQueue(runtime().client("sqs"), settings().snapshots_url)


def _rebuild(scope: TenantScope) -> Rebuild:
    """Asks for the snapshot; while it is being made, nothing happens."""
    return lambda: rebuilding.ask(scope, _snapshots())


@cache
def _cursors() -> searching.Cursors:
    return searching.Cursors(derive(runtime().master_secret, "cursors"))


def _sees_personal(request: Request) -> bool:
    return PERSONAL in request.principal.scopes


@app.operation("preview_segment")
def preview_segment(request: Request) -> Answer:
    """POST /v1/segments/preview."""
    scope = _scope(request)
    return Answer(body=preview.preview(scope, request.parse(api.PreviewRequest), _store(), _rebuild(scope), wall))


@app.operation("search_members")
def search_members(request: Request) -> Answer:
    """POST /v1/members/search."""
    scope, body, personal = _scope(request), request.parse(api.SearchRequest), _sees_personal(request)
    return Answer(body=searching.search(scope, body, _store(), _rebuild(scope), wall, cursors=_cursors(), personal=personal))


@app.operation("export_segment")
def export_segment(request: Request) -> Answer:
    """POST /v1/segments/{segment_id}/export."""
    scope, body = _scope(request), request.parse(api.ExportSegmentRequest)
    return _accepted(request, scope, body, drafts.of_served(scope, request.path["segment_id"]))


@app.operation("export_members")
def export_members(request: Request) -> Answer:
    """POST /v1/members/export."""
    scope, body = _scope(request), request.parse(api.ExportMembersRequest)
    return _accepted(request, scope, body, drafts.of_body(scope, body.rule, scope.clock()))


def _accepted(request: Request, scope: TenantScope, body: api.ExportSegmentRequest | api.ExportMembersRequest, draft: Draft) -> Answer:
    wanted = exporting.Wanted(draft, body.format, body.columns, _sees_personal(request), request.correlation_id)
    return Answer(body=exporting.answer(scope, exporting.accept(scope, wanted, _queue(), wall), wall))


@app.operation("get_export")
def get_export(request: Request) -> Answer:
    """GET /v1/exports/{export_id}."""
    personal = _sees_personal(request)
    return Answer(body=exporting.read(_scope(request), request.path["export_id"], wall, _store().link, personal=personal))


@app.operation("get_statistics")
def get_statistics(request: Request) -> Answer:
    """GET /v1/statistics/profile."""
    return Answer(body=statistics.newest(_scope(request)))


@app.operation("run_statistics")
def run_statistics(request: Request) -> Answer:
    """POST /v1/statistics/profile/run."""
    return Answer(body=statistics.run_now(_scope(request), _snapshots()))


@app.operation("list_complements")
def list_complements(request: Request) -> Answer:
    """GET /v1/catalogue/items/{item_id}/complements."""
    return Answer(body=statistics.complements_of(_scope(request), request.path["item_id"]))


@app.operation("preview_retention")
def preview_retention(request: Request) -> Answer:
    """GET /v1/retention/preview."""
    scope = _scope(request)
    months = retention.months_of(request.query.get("inactive_months"), scope.definitions.settings.retention)
    return Answer(body=retention.preview(scope, months, _store(), _rebuild(scope), wall))


def _source(scope: TenantScope) -> Source:
    return Source(_store(), wall, _rebuild(scope))


@app.operation("estimate_campaign")
def estimate_campaign(request: Request) -> Answer:
    """POST /v1/campaigns/{campaign_id}/estimate. The body may be left out."""
    scope, body = _scope(request), request.parse(EstimateRequest) if request.body else EstimateRequest()
    return Answer(body=estimate.estimate(scope, request.path["campaign_id"], body, _source(scope)))


@app.operation("get_calendar")
def get_calendar(request: Request) -> Answer:
    """GET /v1/campaigns/calendar."""
    scope, drafts = _scope(request), [each for each in request.query.get("with", "").split(",") if each]
    return Answer(body=calendar.calendar(scope, request.query.get("from"), request.query.get("to"), drafts, _source(scope)))


def _work(message: dict[str, Any]) -> None:
    """Go on with an export, under the tenant's own session. ``Poison`` for what is no message of ours."""
    export = message.get("export")
    if message.get("kind") != "export" or not isinstance(export, str) or not is_id("exp", export):
        raise Poison("no message of this queue")
    tenant = named_tenant(message)
    scope = runtime().scope(NamedTenant(tenant))
    with log_context(tenant=tenant, operation="export"):
        writing.work(scope, export, _store(), _queue(), _rebuild(scope), wall)
