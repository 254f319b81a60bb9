"""Quotes, holds, sales, returns, events; and the consumer of bulk sales. Translate, call, answer.

What no till waits for is in the files beside and is imported with its first call, so that a cold start of a sale is spared it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

from functions.transaction_ingestion.settings import IngestionSettings, ingestion_settings
from functions.transaction_ingestion.wiring import Wiring
from shared.aws.queues import consume
from shared.aws.runtime import Runtime
from shared.counter import counting
from shared.coupons import guesses
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.kernel.scopes import RELEASE
from shared.members.lookup_limits import LookupLimits
from shared.tenants.principal import require, require_location
from shared.tenants.scope import TenantScope
from shared.transactions import (
    activity,
    api,
    claims,
    holds,
    ingestion,
    reversal,
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


# Looked up by name with every call, since what a function answers may be made anew.
WIRING = Wiring(app, settings=lambda: settings(), runtime=lambda: runtime())  # noqa: PLW0108


def _desk() -> None:
    from functions.transaction_ingestion import desk_routes

    desk_routes.add(WIRING)


def _bulk() -> None:
    from functions.transaction_ingestion import bulk_routes

    bulk_routes.add(WIRING)


app.later(
    _desk, "explain_transaction", "report_offline_losses", "approve_transaction", "reject_transaction", "report_counter", "list_flagged"
)
app.later(_bulk, "import_transactions", "get_job")


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway, or a batch of pointers to bulk jobs."""
    runtime().begin(context)
    if "Records" in event:
        from functions.transaction_ingestion import bulk_routes

        work, dead_letters = partial(bulk_routes.work_on_part, WIRING), settings().dead_letter_url
        return consume(event, work, client=runtime().client("sqs"), dead_letters=dead_letters, hopeless=bulk_routes.HOPELESS)
    return app.handle(event, context)


def _basket(request: Request, model: type[BasketT]) -> BasketT:
    """The body, which names a location that the caller may act for."""
    body = request.parse(model)
    require_location(request.principal, body.location_id, WIRING.scope(request).groups_of)
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


def _recorded(recorded: Recorded, fresh_status: int) -> Answer:
    """A replay answers 200 and says so; the first time answers the route's own status."""
    if recorded.replayed:
        return Answer(200, recorded.answer, {"idempotent-replayed": "true"})
    return Answer(fresh_status, recorded.answer)


@app.operation("quote")
def quote(request: Request) -> Answer:
    """POST /v1/quotes."""
    body, scope = _basket(request, api.QuoteRequest), WIRING.scope(request)
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
    body, scope = _basket(request, api.HoldRequest), WIRING.scope(request)
    with _guarded(scope, request, body):
        answer, replayed = holds.place(scope, body, request.correlation_id, request.principal.id)
    return Answer(200 if replayed else 201, answer)


@app.operation("get_hold")
def get_hold(request: Request) -> Answer:
    """GET /v1/holds/{hold_id}."""
    return Answer(body=holds.read(WIRING.scope(request), request.path["hold_id"]))


@app.operation("release_hold")
def release_hold(request: Request) -> Answer:
    """DELETE /v1/holds/{hold_id}."""
    forced = _forced(request)
    holds.release(WIRING.scope(request), request.path["hold_id"], request.correlation_id, forced)
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
    return Answer(body=holds.extend(WIRING.scope(request), request.path["hold_id"], seconds, request.correlation_id))


@app.operation("record_transaction")
def record_transaction(request: Request) -> Answer:
    """POST /v1/transactions."""
    body, scope = _basket(request, api.TransactionRequest), WIRING.scope(request)
    with _guarded(scope, request, body):
        recorded = ingestion.ingest(scope, body, request.correlation_id, caller=request.principal.id)
    return _recorded(recorded, 201)


@app.operation("lookup_transaction")
def lookup_transaction(request: Request) -> Answer:
    """POST /v1/transactions/lookup."""
    key = reversal.lookup_key(request.parse(api.LookupRequest))
    return Answer(body=service.read_sale(WIRING.scope(request), key))


@app.operation("get_transaction")
def get_transaction(request: Request) -> Answer:
    """GET /v1/transactions/{transaction_id}."""
    return Answer(body=service.read_sale(WIRING.scope(request), natural_key(request.path["transaction_id"])))


@app.operation("void_transaction")
def void_transaction(request: Request) -> Answer:
    """POST /v1/transactions/{transaction_id}/void."""
    return _recorded(reversal.void(WIRING.scope(request), WIRING.sale_id(request), request.correlation_id), 200)


@app.operation("claim_transaction")
def claim_transaction(request: Request) -> Answer:
    """POST /v1/transactions/{transaction_id}/claim."""
    body, scope, id_ = request.parse(api.ClaimRequest), WIRING.scope(request), WIRING.sale_id(request)
    who = counting.cashier(body.staff_id, body.till_id)
    return _recorded(claims.claim(scope, id_, body.member, request.correlation_id, who), 200)


@app.operation("record_return")
def record_return(request: Request) -> Answer:
    """POST /v1/returns."""
    recorded = reversal.record_return(WIRING.scope(request), _basket(request, api.ReturnRequest), request.correlation_id)
    return _recorded(recorded, 201)


@app.operation("record_event")
def record_event(request: Request) -> Answer:
    """POST /v1/events."""
    return Answer(body=activity.record_event(WIRING.scope(request), request.parse(api.EventRequest), request.correlation_id))
