"""Coupons: issue, look up, hold, redeem, release; pools of codes and their worker. Translate, call, answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.coupon_redemption.settings import RedemptionSettings, redemption_settings
from shared.aws.objects import S3Store
from shared.aws.queues import SqsQueue, consume
from shared.aws.runtime import NamedTenant, Runtime
from shared.coupons import api, baskets, guesses, imports, next_offer, pool_jobs, pools, pools_api, service
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.jobs import service as jobs
from shared.kernel.scopes import RELEASE
from shared.observability.logs import log_context
from shared.tenants.principal import require, require_location
from shared.tenants.scope import TenantScope

app = HttpApp("coupon_redemption")


@cache
def settings() -> RedemptionSettings:
    """This function's settings."""
    return redemption_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


app.limit(lambda: runtime())  # noqa: PLW0108 - looked up with each call, as everything here that is wired


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway, or a batch of pointers to parts of pools."""
    runtime().begin(context)
    if "Records" in event:
        dead_letters, hopeless = settings().dead_letter_url, (jobs.NotAPointer, pools.UnknownPool)
        return consume(event, _make_part, client=runtime().client("sqs"), dead_letters=dead_letters, hopeless=hopeless)
    return app.handle(event, context)


def _scope(request: Request) -> TenantScope:
    return runtime().scope(request.principal)


def _caller(request: Request) -> guesses.Caller:
    return guesses.Caller(request.principal.id, request.source_address)


def _check_location(request: Request, named: str | None) -> None:
    """A key of one location acts for no other; where the call names none, the offer's own rules decide."""
    if named is not None:
        require_location(request.principal, named, _scope(request).groups_of)


def _files() -> S3Store:
    return S3Store(runtime().client("s3"), settings().bucket)


@app.operation("issue_coupon")
def issue_coupon(request: Request) -> Answer:
    """POST /v1/offers/{offer_id}/coupons."""
    body = request.parse(api.IssueRequest)
    issued = service.issue(_scope(request), request.path["offer_id"], body, request.idempotency_key, request.correlation_id)
    return Answer(200 if issued.replayed else 201, issued.answer, {"idempotent-replayed": "true"} if issued.replayed else {})


@app.operation("give_next_offer")
def give_next_offer(request: Request) -> Answer:
    """POST /v1/members/{member_id}/next-offer."""
    body, key = request.parse(api.NextOfferRequest), request.idempotency_key
    chosen = next_offer.next_offer(_scope(request), request.path["member_id"], body, key, request.correlation_id)
    status = 201 if chosen.answer.coupon is not None and not chosen.replayed else 200
    return Answer(status, chosen.answer, {"idempotent-replayed": "true"} if chosen.replayed else {})


@app.operation("lookup_coupon")
def lookup_coupon(request: Request) -> Answer:
    """POST /v1/coupons/lookup."""
    body, scope = request.parse(api.CouponReference), _scope(request)
    with guesses.guarded(scope, _caller(request), body.code):
        return Answer(body=service.lookup(scope, body))


@app.operation("hold_coupon")
def hold_coupon(request: Request) -> Answer:
    """POST /v1/coupons/hold."""
    body, scope = request.parse(api.HoldCouponRequest), _scope(request)
    _check_location(request, body.location_id)
    with guesses.guarded(scope, _caller(request), body.code):
        return Answer(body=baskets.hold(scope, body, request.correlation_id))


@app.operation("redeem_coupon")
def redeem_coupon(request: Request) -> Answer:
    """POST /v1/coupons/redeem."""
    body, scope = request.parse(api.RedeemCouponRequest), _scope(request)
    _check_location(request, body.location_id)
    with guesses.guarded(scope, _caller(request), body.code):
        return Answer(body=baskets.redeem(scope, body, request.correlation_id))


@app.operation("release_coupon")
def release_coupon(request: Request) -> Answer:
    """POST /v1/coupons/release."""
    body, scope = request.parse(api.ReleaseCouponRequest), _scope(request)
    if body.force:
        require(request.principal, RELEASE)
    with guesses.guarded(scope, _caller(request), body.code):
        return Answer(body=baskets.release(scope, body, request.correlation_id, request.principal.id))


@app.operation("order_pool")
def order_pool(request: Request) -> Answer:
    """POST /v1/offers/{offer_id}/pools."""
    body, queue = request.parse(pools_api.PoolRequest), SqsQueue(runtime().client("sqs"), settings().queue_url)
    key, correlation = request.idempotency_key, request.correlation_id
    answer, replayed = pools.order(_scope(request), request.path["offer_id"], body, key, queue, correlation)
    return Answer(body=answer, headers={"idempotent-replayed": "true"} if replayed else {})


@app.operation("get_pool")
def get_pool(request: Request) -> Answer:
    """GET /v1/offers/{offer_id}/pools/{pool_id}."""
    return Answer(body=pools.read(_scope(request), request.path["offer_id"], request.path["pool_id"]))


@app.operation("list_pool_files")
def list_pool_files(request: Request) -> Answer:
    """GET /v1/offers/{offer_id}/pools/{pool_id}/files."""
    return Answer(body=pool_jobs.list_files(_scope(request), request.path["offer_id"], request.path["pool_id"], _files()))


@app.operation("void_pool")
def void_pool(request: Request) -> Answer:
    """POST /v1/offers/{offer_id}/pools/{pool_id}/void."""
    answer = pools.void(_scope(request), request.path["offer_id"], request.path["pool_id"], request.correlation_id)
    return Answer(body=answer)


def _make_part(message: dict[str, Any]) -> None:
    """One part of a pool, under the tenant's own session."""
    jobs.check_pointer(message)
    with log_context(tenant=message["tenant"], operation="make_pool_part"):
        pool_jobs.make_part(runtime().scope(NamedTenant(message["tenant"])), message, _files())


@app.operation("import_codes")
def import_codes(request: Request) -> Answer:
    """POST /v1/offers/{offer_id}/codes."""
    body = request.parse(pools_api.CodesRequest)
    return Answer(body=imports.import_codes(_scope(request), request.path["offer_id"], body, request.idempotency_key))
