"""Quotes, holds, sales, returns, events; and the consumer of bulk sales. Translate, call, answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

from functions.transaction_ingestion.settings import IngestionSettings, ingestion_settings
from shared.aws.objects import S3Store
from shared.aws.queues import SqsQueue, consume
from shared.aws.runtime import NamedTenant, Runtime
from shared.counter import counting, reporting
from shared.counter.api import ReviewRequest
from shared.coupons import guesses
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.http.body import parse_model
from shared.jobs import service as jobs
from shared.kernel.scopes import RELEASE
from shared.members.lookup_limits import LookupLimits
from shared.observability.logs import log_context
from shared.privacy.crypto import derive
from shared.tenants.principal import Place, check_location, require, require_location
from shared.tenants.scope import TenantScope
from shared.transactions import (
    activity,
    api,
    bulk,
    claims,
    explaining,
    holds,
    ingestion,
    offline_books,
    reversal,
    reviewing,
    service,
)
from shared.transactions.errors import SaleRefused
from shared.transactions.model import Recorded
from shared.transactions.repository import natural_key

app = HttpApp("transaction_ingestion")
lookups = LookupLimits()
"""A quote tells who is a member as identifying does; what is sold, held or returned leaves traces of its own, and is let pass."""
BasketT = TypeVar("BasketT", api.QuoteRequest, api.HoldRequest, api.TransactionRequest, api.ReturnRequest)


@cache
def settings() -> IngestionSettings:
    """This function's settings."""
    return ingestion_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


app.limit(lambda: runtime())  # noqa: PLW0108 - looked up with each call, as everything here that is wired


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway, or a batch of pointers to bulk jobs."""
    runtime().begin(context)
    if "Records" in event:
        dead_letters, hopeless = settings().dead_letter_url, (jobs.NotAPointer,)
        return consume(event, _work_on_part, client=runtime().client("sqs"), dead_letters=dead_letters, hopeless=hopeless)
    return app.handle(event, context)


def _scope(request: Request) -> TenantScope:
    return runtime().scope(request.principal)


def _basket(request: Request, model: type[BasketT]) -> BasketT:
    """The body, which names a location that the caller may act for."""
    body = request.parse(model)
    require_location(request.principal, body.location_id, _scope(request).groups_of)
    return body


@contextmanager
def _guarded(scope: TenantScope, request: Request, body: api.Basket) -> Iterator[list[tuple[str, str]]]:
    """Round a call with printable codes: counts those that are none (``guesses``). What the answer refuses is put into the list.

    A sale that was made offline is never refused for the codes on it.
    """
    refused: list[tuple[str, str]] = []
    codes = {f"coupons/{index}" for index, each in enumerate(body.coupons) if each.code is not None}
    made_offline = isinstance(body, api.TransactionRequest) and body.offline
    if made_offline or not codes:
        yield refused
        return
    caller = guesses.Caller(request.principal.id, request.source_address)
    guesses.admit(scope, caller)
    try:
        yield refused
    except SaleRefused as error:
        refused += [(each.subject, each.code) for each in error.refused]
        raise
    finally:
        wrong = sum(subject in codes and code == "unknown_coupon" for subject, code in refused)
        if wrong:
            guesses.count_wrong(scope, caller, wrong)


def _sale_id(request: Request) -> str:
    """The sale in the path, of a location that the caller may act for."""
    id_ = request.path["transaction_id"]
    require_location(request.principal, natural_key(id_).location, _scope(request).groups_of)
    return id_


def _store() -> S3Store:
    return S3Store(runtime().client("s3"), settings().bucket)


def _recorded(recorded: Recorded, fresh_status: int) -> Answer:
    """A replay answers 200 and says so; the first time answers the route's own status."""
    if recorded.replayed:
        return Answer(200, recorded.answer, {"idempotent-replayed": "true"})
    return Answer(fresh_status, recorded.answer)


@app.operation("quote")
def quote(request: Request) -> Answer:
    """POST /v1/quotes."""
    body, scope = _basket(request, api.QuoteRequest), _scope(request)
    caller = request.principal.id
    lookups.admit(scope, caller, body.member)
    with _guarded(scope, request, body) as refused:
        answer = service.quote(scope, body, caller)
        unknown = any(each["code"] == "unknown_member" for each in answer.get("warnings", ()))
        lookups.note(scope, caller, body.member, known=not unknown)
        refused += [(each["subject"], each["code"]) for each in answer.get("refused", ())]
    return Answer(body=answer)


@app.operation("create_hold")
def create_hold(request: Request) -> Answer:
    """POST /v1/holds."""
    body, scope = _basket(request, api.HoldRequest), _scope(request)
    with _guarded(scope, request, body):
        answer, replayed = holds.place(scope, body, request.correlation_id, request.principal.id)
    return Answer(200 if replayed else 201, answer)


@app.operation("get_hold")
def get_hold(request: Request) -> Answer:
    """GET /v1/holds/{hold_id}."""
    return Answer(body=holds.read(_scope(request), request.path["hold_id"]))


@app.operation("release_hold")
def release_hold(request: Request) -> Answer:
    """DELETE /v1/holds/{hold_id}."""
    forced = _forced(request)
    holds.release(_scope(request), request.path["hold_id"], request.correlation_id, forced)
    return Answer()


def _forced(request: Request) -> holds.Forced | None:
    """Who ends it by force and why; ``Forbidden`` to whoever may not, ``Unprocessable`` without a reason."""
    if request.query.get("force", "false") != "true":
        return None
    require(request.principal, RELEASE)
    return holds.Forced(holds.reason_of(request.query.get("reason", "")), request.principal.id)


@app.operation("extend_hold")
def extend_hold(request: Request) -> Answer:
    """POST /v1/holds/{hold_id}/extend."""
    seconds = request.parse(api.ExtendRequest).ttl_seconds
    return Answer(body=holds.extend(_scope(request), request.path["hold_id"], seconds, request.correlation_id))


@app.operation("record_transaction")
def record_transaction(request: Request) -> Answer:
    """POST /v1/transactions."""
    body, scope = _basket(request, api.TransactionRequest), _scope(request)
    with _guarded(scope, request, body):
        recorded = ingestion.ingest(scope, body, request.correlation_id, caller=request.principal.id)
    return _recorded(recorded, 201)


@app.operation("lookup_transaction")
def lookup_transaction(request: Request) -> Answer:
    """POST /v1/transactions/lookup."""
    key = reversal.lookup_key(request.parse(api.LookupRequest))
    return Answer(body=service.read_sale(_scope(request), key))


@app.operation("import_transactions")
def import_transactions(request: Request) -> Answer:
    """POST /v1/transactions/bulk."""
    body = request.parse(api.BulkTransactionsRequest)
    queue = SqsQueue(runtime().client("sqs"), settings().queue_url)
    place = request.principal.place
    extra = {"mode": body.mode, "correlation": request.correlation_id, "location": place.location, "location_group": place.group}
    return Answer(body=jobs.accept(_scope(request), "transactions", body.transactions, extra, _store(), queue, pointer="/transactions"))


@app.operation("get_job")
def get_job(request: Request) -> Answer:
    """GET /v1/jobs/{job_id}."""
    return Answer(body=jobs.read(_scope(request), request.path["job_id"]))


@app.operation("get_transaction")
def get_transaction(request: Request) -> Answer:
    """GET /v1/transactions/{transaction_id}."""
    return Answer(body=service.read_sale(_scope(request), natural_key(request.path["transaction_id"])))


@app.operation("explain_transaction")
def explain_transaction(request: Request) -> Answer:
    """GET /v1/transactions/{transaction_id}/explanation."""
    return Answer(body=explaining.explain(_scope(request), natural_key(request.path["transaction_id"])))


@app.operation("void_transaction")
def void_transaction(request: Request) -> Answer:
    """POST /v1/transactions/{transaction_id}/void."""
    return _recorded(reversal.void(_scope(request), _sale_id(request), request.correlation_id), 200)


@app.operation("claim_transaction")
def claim_transaction(request: Request) -> Answer:
    """POST /v1/transactions/{transaction_id}/claim."""
    body, scope, id_ = request.parse(api.ClaimRequest), _scope(request), _sale_id(request)
    who = counting.cashier(body.staff_id, body.till_id)
    return _recorded(claims.claim(scope, id_, body.member, request.correlation_id, who), 200)


@app.operation("record_return")
def record_return(request: Request) -> Answer:
    """POST /v1/returns."""
    recorded = reversal.record_return(_scope(request), _basket(request, api.ReturnRequest), request.correlation_id)
    return _recorded(recorded, 201)


@app.operation("report_offline_losses")
def report_offline_losses(request: Request) -> Answer:
    """GET /v1/locations/{location_id}/offline-losses."""
    location, scope = request.path["location_id"], _scope(request)
    require_location(request.principal, location, scope.groups_of)
    return Answer(body=offline_books.report(scope, location, request.query.get("from"), request.query.get("until")))


@app.operation("approve_transaction")
def approve_transaction(request: Request) -> Answer:
    """POST /v1/transactions/{transaction_id}/approve."""
    return _review(request, "approved")


@app.operation("reject_transaction")
def reject_transaction(request: Request) -> Answer:
    """POST /v1/transactions/{transaction_id}/reject."""
    return _review(request, "rejected")


def _review(request: Request, decision: reviewing.Decision) -> Answer:
    body, id_ = request.parse(ReviewRequest), _sale_id(request)
    return Answer(body=reviewing.review(_scope(request), id_, decision, body.reason, request.principal.id, request.correlation_id))


@app.operation("report_counter")
def report_counter(request: Request) -> Answer:
    """GET /v1/reports/counter. Whoever is bound to a location, or to a group of them, reads of that alone."""
    place, scope = request.principal.place, _scope(request)
    location = request.query.get("location_id") or place.location
    if location is not None:
        require_location(request.principal, location, scope.groups_of)
    return Answer(body=reporting.report(scope, Place(location, place.group), request.query.get("from"), request.query.get("until")))


@app.operation("list_flagged")
def list_flagged(request: Request) -> Answer:
    """GET /v1/reports/counter/flagged."""
    key = derive(runtime().master_secret, "cursors")
    return Answer(body=reviewing.waiting(_scope(request), request.page_limit(), request.cursor, key, request.principal.place))


@app.operation("record_event")
def record_event(request: Request) -> Answer:
    """POST /v1/events."""
    return Answer(body=activity.record_event(_scope(request), request.parse(api.EventRequest), request.correlation_id))


def _work_on_part(message: dict[str, Any]) -> None:
    """One part of a bulk job, under the tenant's own session."""
    jobs.check_pointer(message)
    scope = runtime().scope(NamedTenant(message["tenant"]))
    body = jobs.body_of(message, _store())
    with log_context(tenant=message["tenant"], operation="import_transactions", correlation_id=body.get("correlation")):
        parse = partial(_parse, scope, Place(body.get("location"), body.get("location_group")))
        outcome = bulk.record_all(scope, body["records"], body.get("mode"), parse, body.get("correlation") or "")
        jobs.finish(scope, message, outcome)


def _parse(scope: TenantScope, place: Place, record: Mapping[str, Any]) -> api.TransactionRequest:
    """A record as the route takes it; ``place`` is where the credential is good which sent the job."""
    sale = parse_model(api.TransactionRequest, json.dumps(record).encode())
    check_location(place, sale.location_id, scope.groups_of)
    return sale
