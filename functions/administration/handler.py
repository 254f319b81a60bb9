"""Definitions, catalogue, lists of segments, and the switches of campaigns. Translate, call, answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from functions.administration.settings import administration_settings, outbox_bucket, sending_queue_url
from shared.aws.objects import S3Store
from shared.aws.queues import SqsQueue
from shared.aws.runtime import NamedTenant, Runtime
from shared.aws.senders import senders
from shared.campaigns import previewing, triggering
from shared.campaigns import service as campaigns
from shared.campaigns.api import TriggerRequest
from shared.campaigns.library import service as library
from shared.campaigns.library.api import InstallRequest
from shared.campaigns.preview_api import PreviewRequest, SendTestRequest
from shared.coupons import quota
from shared.definitions import api, approving, catalogue, catalogue_csv, linting, service
from shared.definitions.model import Definition, Kind
from shared.http.app import Answer, HttpApp, LambdaContext, Request, etag
from shared.messaging.port import Senders
from shared.reports import service as reports
from shared.reports.rules import to_csv
from shared.segments import listing
from shared.segments.model import schema
from shared.tenants import service as tenants
from shared.tenants.location_groups import LocationGroups
from shared.tenants.principal import require_everywhere
from shared.tenants.scope import TenantScope

app = HttpApp("administration")
_OPENAPI: Final = Path(__file__).with_name("openapi.json")
_BEFORE_PUBLISH: Final[Mapping[Kind, service.OnPublish]] = {
    "offer": quota.prepare, "promotion": quota.prepare, "reward": quota.prepare, "campaign": campaigns.on_publish,
}  # fmt: skip
"""What a kind needs to be there before a version of it is published."""
_PLURALS: Final[Mapping[Kind, str]] = {
    "programme": "programmes", "offer": "offers", "promotion": "promotions", "reward": "rewards", "segment": "segments",
    "campaign": "campaigns", "challenge": "challenges",
}  # fmt: skip


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(administration_settings())


app.limit(lambda: runtime())  # noqa: PLW0108 - looked up with each call, as everything here that is wired


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway; also whatever has no route, so that its 404 has the form of all our errors."""
    runtime().begin(context)
    return app.handle(event, context)


def _scope(request: Request) -> TenantScope:
    return runtime().scope(request.principal)


def _cursors() -> bytes:
    return tenants.cursor_key(runtime().master_secret)


# -- catalogue and locations ----------------------------------------------------------------------------------------


@app.operation("put_items")
def put_items(request: Request) -> Answer:
    """PUT /v1/catalogue/items."""
    return Answer(body=catalogue.put_items(_scope(request), request.parse(api.ItemsRequest)))


@app.operation("import_items")
def import_items(request: Request) -> Answer:
    """POST /v1/catalogue/items/import."""
    return Answer(body=catalogue_csv.import_csv(_scope(request), request.parse(catalogue_csv.CatalogueImport)))


@app.operation("list_items")
def list_items(request: Request) -> Answer:
    """GET /v1/catalogue/items."""
    return Answer(body=catalogue.list_items(_scope(request), request.page_limit(), request.cursor, _cursors()))


@app.operation("put_locations")
def put_locations(request: Request) -> Answer:
    """PUT /v1/locations. Not for whoever is bound to some of them: a location's groups say who reaches it."""
    require_everywhere(request.principal)
    return Answer(body=catalogue.put_locations(_scope(request), request.parse(api.LocationsRequest)))


@app.operation("put_location_groups")
def put_location_groups(request: Request) -> Answer:
    """PUT /v1/location-groups."""
    require_everywhere(request.principal)
    return Answer(body=catalogue.put_groups(_scope(request), request.parse(LocationGroups)))


@app.operation("get_location_groups")
def get_location_groups(request: Request) -> Answer:
    """GET /v1/location-groups."""
    return Answer(body=catalogue.get_groups(_scope(request)))


@app.operation("list_locations")
def list_locations(request: Request) -> Answer:
    """GET /v1/locations."""
    return Answer(body=catalogue.list_locations(_scope(request), request.page_limit(), request.cursor, _cursors()))


# -- definitions: the same six for each kind ------------------------------------------------------------------------


def _definition(definition: Definition) -> Answer:
    return Answer(body=service.answer_of(definition), headers={"etag": etag(definition.etag)})


def _create(kind: Kind, request: Request) -> Answer:
    return _definition(service.create(_scope(request), kind, request.parse(api.REQUESTS[kind])))


def _list(kind: Kind, request: Request) -> Answer:
    scope, waiting = _scope(request), request.flag("awaits_approval")
    return Answer(body=service.page(scope, kind, request.page_limit(), request.cursor, _cursors(), waiting=waiting))


def _get(kind: Kind, request: Request) -> Answer:
    return _definition(service.get(_scope(request), kind, request.path["definition_id"]))


def _replace(kind: Kind, request: Request) -> Answer:
    body = request.parse(api.REQUESTS[kind])
    return _definition(service.replace(_scope(request), kind, request.path["definition_id"], body, request.if_match or ""))


def _publish(kind: Kind, request: Request) -> Answer:
    body = request.parse(api.PublishRequest)
    published = service.publish(
        _scope(request),
        kind,
        request.path["definition_id"],
        body.effective_from,
        runtime().settings.definition_seconds,
        hooks=_BEFORE_PUBLISH,
        accept=body.accept,
        correlation=request.correlation_id,
        actor=request.principal.id,
    )
    return _definition(published)


def _retire(kind: Kind, request: Request) -> Answer:
    seconds = runtime().settings.definition_seconds
    return _definition(service.retire(_scope(request), kind, request.path["definition_id"], seconds, correlation=request.correlation_id))


def _register(operation: str, handler: Callable[[Kind, Request], Answer], kind: Kind) -> None:
    app.operation(operation)(lambda request: handler(kind, request))


for _kind, _plural in _PLURALS.items():
    _register(f"create_{_kind}", _create, _kind)
    _register(f"list_{_plural}", _list, _kind)
    _register(f"get_{_kind}", _get, _kind)
    _register(f"replace_{_kind}", _replace, _kind)
    _register(f"publish_{_kind}", _publish, _kind)
    _register(f"retire_{_kind}", _retire, _kind)


@app.operation("lint_programme")
def lint_programme(request: Request) -> Answer:
    """POST /v1/programmes/{definition_id}/lint. The body may be left out."""
    body = request.parse(api.LintRequest) if request.body else api.LintRequest()
    return Answer(body=linting.lint_programme(_scope(request), request.path["definition_id"], body))


# -- segments -------------------------------------------------------------------------------------------------------


@cache
def _segment_schema() -> str:
    return json.dumps(schema(), separators=(",", ":"), ensure_ascii=False)


@app.operation("get_segment_schema")
def get_segment_schema(_request: Request) -> Answer:
    """GET /v1/segments/schema."""
    return Answer(body=_segment_schema())


@app.operation("list_segment_members")
def list_segment_members(request: Request) -> Answer:
    """GET /v1/segments/{segment_id}/members."""
    scope, segment = _scope(request), request.path["segment_id"]
    return Answer(body=listing.members_page(scope, segment, request.page_limit(), request.cursor, _cursors()))


@app.operation("count_segment")
def count_segment(request: Request) -> Answer:
    """GET /v1/segments/{segment_id}/count."""
    return Answer(body=listing.count(_scope(request), request.path["segment_id"]))


# -- campaigns ------------------------------------------------------------------------------------------------------


@app.operation("launch_campaign")
def launch_campaign(request: Request) -> Answer:
    """POST /v1/campaigns/{campaign_id}/launch."""
    return Answer(body=campaigns.launch(_scope(request), request.path["campaign_id"], request.correlation_id))


@app.operation("approve_campaign")
def approve_campaign(request: Request) -> Answer:
    """POST /v1/campaigns/{campaign_id}/approve."""
    version, seconds = request.parse(api.ApproveRequest).version, runtime().settings.definition_seconds
    scope, campaign, actor, call = _scope(request), request.path["campaign_id"], request.principal.id, request.correlation_id
    return _definition(approving.approve(scope, campaign, version, actor, seconds, prepare=campaigns.on_publish, correlation=call))


@app.operation("pause_campaign")
def pause_campaign(request: Request) -> Answer:
    """POST /v1/campaigns/{campaign_id}/pause."""
    return Answer(body=campaigns.pause(_scope(request), request.path["campaign_id"], request.correlation_id))


@app.operation("resume_campaign")
def resume_campaign(request: Request) -> Answer:
    """POST /v1/campaigns/{campaign_id}/resume."""
    return Answer(body=campaigns.resume(_scope(request), request.path["campaign_id"], request.correlation_id))


@app.operation("cancel_campaign")
def cancel_campaign(request: Request) -> Answer:
    """POST /v1/campaigns/{campaign_id}/cancel."""
    return Answer(body=campaigns.cancel(_scope(request), request.path["campaign_id"], request.correlation_id))


@app.operation("preview_campaign")
def preview_campaign(request: Request) -> Answer:
    """POST /v1/campaigns/{campaign_id}/preview."""
    body, url = request.parse(PreviewRequest), runtime().settings.public_url
    return Answer(body=previewing.preview(_scope(request), request.path["campaign_id"], body, url))


@app.operation("test_campaign")
def test_campaign(request: Request) -> Answer:
    """POST /v1/campaigns/{campaign_id}/test."""
    body, url = request.parse(SendTestRequest), runtime().settings.public_url
    return Answer(body=previewing.send_test(_scope(request), request.path["campaign_id"], body, _senders(), url))


def _scope_of(tenant: str) -> TenantScope:
    return runtime().scope(NamedTenant(tenant))


@cache
def _senders() -> Senders:
    """Made with the first test that is sent."""
    settings, bucket = runtime().settings, outbox_bucket()
    outbox = S3Store(runtime().client("s3"), bucket) if bucket else None
    return senders(settings.region, settings.endpoint, runtime().now, _scope_of, outbox, settings.stage)


@app.operation("trigger_campaign")
def trigger_campaign(request: Request) -> Answer:
    """POST /v1/campaigns/{campaign_id}/trigger. The header Idempotency-Key names the occurrence where the body does not."""
    body, call = request.parse(TriggerRequest), request.idempotency_key
    sending = SqsQueue(runtime().client("sqs"), sending_queue_url())
    return Answer(body=triggering.trigger(_scope(request), request.path["campaign_id"], body, call, sending))


@app.operation("report_campaign")
def report_campaign(request: Request) -> Answer:
    """GET /v1/campaigns/{campaign_id}/report."""
    return Answer(body=reports.report(_scope(request), request.path["campaign_id"]))


@app.operation("report_campaign_csv")
def report_campaign_csv(request: Request) -> Answer:
    """GET /v1/campaigns/{campaign_id}/report.csv."""
    table = to_csv(reports.report(_scope(request), request.path["campaign_id"]))
    return Answer(body=table.encode(), headers={"content-type": "text/csv; charset=utf-8", "content-disposition": "attachment"})


@app.operation("list_deliveries")
def list_deliveries(request: Request) -> Answer:
    """GET /v1/campaigns/{campaign_id}/deliveries."""
    scope, campaign = _scope(request), request.path["campaign_id"]
    return Answer(body=reports.deliveries(scope, campaign, request.page_limit(), request.cursor, _cursors()))


@app.operation("list_library")
def list_library(_request: Request) -> Answer:
    """GET /v1/library/campaigns."""
    return Answer(body=library.listing())


@app.operation("install_campaign")
def install_campaign(request: Request) -> Answer:
    """POST /v1/library/campaigns/{name}/install. The body may be left out."""
    body = request.parse(InstallRequest) if request.body else InstallRequest()
    return Answer(body=library.install(_scope(request), request.path["name"], body))


# -- the interface itself -------------------------------------------------------------------------------------------


@cache
def _document() -> str:
    return _OPENAPI.read_text(encoding="utf-8")


@app.operation("get_openapi")
def get_openapi(_request: Request) -> Answer:
    """GET /v1/openapi.json."""
    return Answer(body=_document(), headers={"cache-control": "public, max-age=300"})
