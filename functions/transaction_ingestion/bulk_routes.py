"""Many sales in one call: accepted here, recorded part by part from the queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from functions.transaction_ingestion.wiring import Wiring
from shared.aws.queues import SqsQueue
from shared.aws.runtime import NamedTenant
from shared.http.app import Answer, Request
from shared.http.body import parse_model
from shared.jobs import service as jobs
from shared.observability.logs import log_context
from shared.tenants.principal import Place, check_location
from shared.tenants.scope import TenantScope
from shared.transactions import api, bulk

HOPELESS = (jobs.NotAPointer,)


def add(wiring: Wiring) -> None:
    """Register the operations of this file."""
    wiring.on("import_transactions", _import_transactions)
    wiring.on("get_job", _get_job)


def _import_transactions(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/transactions/bulk."""
    body = request.parse(api.BulkTransactionsRequest)
    queue = SqsQueue(wiring.runtime().client("sqs"), wiring.settings().queue_url)
    place = request.principal.place
    extra = {"mode": body.mode, "correlation": request.correlation_id, "location": place.location, "location_group": place.group}
    answer = jobs.accept(wiring.scope(request), "transactions", body.transactions, extra, wiring.store(), queue, pointer="/transactions")
    return Answer(body=answer)


def _get_job(wiring: Wiring, request: Request) -> Answer:
    """GET /v1/jobs/{job_id}."""
    return Answer(body=jobs.read(wiring.scope(request), request.path["job_id"]))


def work_on_part(wiring: Wiring, message: dict[str, Any]) -> None:
    """One part of a bulk job, under the tenant's own session."""
    jobs.check_pointer(message)
    scope = wiring.runtime().scope(NamedTenant(message["tenant"]))
    body = jobs.body_of(message, wiring.store())
    with log_context(tenant=message["tenant"], operation="import_transactions", correlation_id=body.get("correlation")):
        parse = partial(_parse, scope, Place(body.get("location"), body.get("location_group")))
        outcome = bulk.record_all(scope, body["records"], body.get("mode"), parse, body.get("correlation") or "")
        jobs.finish(scope, message, outcome)


def _parse(scope: TenantScope, place: Place, record: Mapping[str, Any]) -> api.TransactionRequest:
    """A record as the route takes it; ``place`` is where the credential is good which sent the job."""
    sale = parse_model(api.TransactionRequest, json.dumps(record).encode())
    check_location(place, sale.location_id, scope.groups_of)
    return sale
