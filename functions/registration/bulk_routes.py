"""Many members in one call: accepted here, worked on part by part from the queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from functions.registration.wiring import Wiring
from shared.aws.runtime import NamedTenant
from shared.http.app import Answer, Request
from shared.http.body import parse_model
from shared.jobs import service as jobs
from shared.members import api, bulk, lists, profile_api
from shared.observability.logs import log_context

JOB_KIND = "members"
HOPELESS = (jobs.NotAPointer,)


def add(wiring: Wiring) -> None:
    """Register the operations of this file."""
    wiring.on("import_members", _import_members)
    wiring.on("change_list_members", _change_list_members)


def _import_members(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/members/bulk."""
    body = request.parse(api.BulkMembersRequest)
    queue = wiring.queue(wiring.settings().queue_url)
    extra = {"actor": request.principal.id, "correlation": request.correlation_id}
    return Answer(body=jobs.accept(wiring.scope(request), JOB_KIND, body.members, extra, wiring.store(), queue, pointer="/members"))


def _change_list_members(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/lists/{list_id}/members."""
    list_id, body = lists.check_list(request.path["list_id"]), request.parse(profile_api.ListMembersRequest)
    queue = wiring.queue(wiring.settings().queue_url)
    extra = {"list": list_id, "correlation": request.correlation_id}
    scope, records = wiring.scope(request), lists.records_of(body)
    return Answer(body=jobs.accept(scope, lists.JOB_KIND, records, extra, wiring.store(), queue, pointer="/add"))


def work_on_part(wiring: Wiring, message: dict[str, Any]) -> None:
    """One part of a bulk job, under the tenant's own session."""
    jobs.check_pointer(message)
    scope = wiring.runtime().scope(NamedTenant(message["tenant"]))
    body = jobs.body_of(message, wiring.store())
    correlation = body.get("correlation") or ""
    operation = "change_list_members" if "list" in body else "import_members"
    with log_context(tenant=message["tenant"], operation=operation, correlation_id=correlation):
        if "list" in body:
            outcome = lists.change_all(scope, body["list"], body["records"], correlation)
        else:
            outcome = bulk.import_all(scope, body["records"], _parse, body["actor"], correlation)
        jobs.finish(scope, message, outcome)


def _parse(record: Mapping[str, Any]) -> api.RegisterRequest:
    return parse_model(api.RegisterRequest, json.dumps(record).encode())
