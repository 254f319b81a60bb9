"""What is asked about sales at a desk, not at the till: why, what was lost offline, what stands out, what waits for approval."""

from __future__ import annotations

from functions.transaction_ingestion.wiring import Wiring
from shared.counter import reporting
from shared.counter.api import ReviewRequest
from shared.http.app import Answer, Request
from shared.privacy.crypto import derive
from shared.tenants.principal import Place, require_location
from shared.transactions import explaining, offline_books, reviewing
from shared.transactions.repository import natural_key


def add(wiring: Wiring) -> None:
    """Register the operations of this file."""
    wiring.on("explain_transaction", _explain_transaction)
    wiring.on("report_offline_losses", _report_offline_losses)
    wiring.on("approve_transaction", _approve_transaction)
    wiring.on("reject_transaction", _reject_transaction)
    wiring.on("report_counter", _report_counter)
    wiring.on("list_flagged", _list_flagged)


def _explain_transaction(wiring: Wiring, request: Request) -> Answer:
    """GET /v1/transactions/{transaction_id}/explanation."""
    return Answer(body=explaining.explain(wiring.scope(request), natural_key(request.path["transaction_id"])))


def _report_offline_losses(wiring: Wiring, request: Request) -> Answer:
    """GET /v1/locations/{location_id}/offline-losses."""
    location, scope = request.path["location_id"], wiring.scope(request)
    require_location(request.principal, location, scope.groups_of)
    return Answer(body=offline_books.report(scope, location, request.query.get("from"), request.query.get("until")))


def _approve_transaction(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/transactions/{transaction_id}/approve."""
    return _review(wiring, request, "approved")


def _reject_transaction(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/transactions/{transaction_id}/reject."""
    return _review(wiring, request, "rejected")


def _review(wiring: Wiring, request: Request, decision: reviewing.Decision) -> Answer:
    body, id_ = request.parse(ReviewRequest), wiring.sale_id(request)
    return Answer(body=reviewing.review(wiring.scope(request), id_, decision, body.reason, request.principal.id, request.correlation_id))


def _report_counter(wiring: Wiring, request: Request) -> Answer:
    """GET /v1/reports/counter. Whoever is bound to a location, or to a group of them, reads of that alone."""
    place, scope = request.principal.place, wiring.scope(request)
    location = request.query.get("location_id") or place.location
    if location is not None:
        require_location(request.principal, location, scope.groups_of)
    return Answer(body=reporting.report(scope, Place(location, place.group), request.query.get("from"), request.query.get("until")))


def _list_flagged(wiring: Wiring, request: Request) -> Answer:
    """GET /v1/reports/counter/flagged."""
    key = derive(wiring.runtime().master_secret, "cursors")
    return Answer(body=reviewing.waiting(wiring.scope(request), request.page_limit(), request.cursor, key, request.principal.place))
