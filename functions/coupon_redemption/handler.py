"""Coupons: issue, look up, hold, redeem, release. Translate, call, answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.coupon_redemption.settings import redemption_settings
from shared.aws.runtime import Runtime
from shared.coupons import api, baskets, service
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.tenants.scope import TenantScope

app = HttpApp("coupon_redemption")


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(redemption_settings())


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway."""
    runtime().begin(context)
    return app.handle(event, context)


def _scope(request: Request) -> TenantScope:
    return runtime().scope(request.principal)


@app.operation("issue_coupon")
def issue_coupon(request: Request) -> Answer:
    """POST /v1/offers/{offer_id}/coupons."""
    body = request.parse(api.IssueRequest)
    issued = service.issue(_scope(request), request.path["offer_id"], body, request.idempotency_key, request.correlation_id)
    return Answer(200 if issued.replayed else 201, issued.answer, {"idempotent-replayed": "true"} if issued.replayed else {})


@app.operation("lookup_coupon")
def lookup_coupon(request: Request) -> Answer:
    """POST /v1/coupons/lookup."""
    return Answer(body=service.lookup(_scope(request), request.parse(api.CouponReference)))


@app.operation("hold_coupon")
def hold_coupon(request: Request) -> Answer:
    """POST /v1/coupons/hold."""
    return Answer(body=baskets.hold(_scope(request), request.parse(api.HoldCouponRequest), request.correlation_id))


@app.operation("redeem_coupon")
def redeem_coupon(request: Request) -> Answer:
    """POST /v1/coupons/redeem."""
    return Answer(body=baskets.redeem(_scope(request), request.parse(api.RedeemCouponRequest), request.correlation_id))


@app.operation("release_coupon")
def release_coupon(request: Request) -> Answer:
    """POST /v1/coupons/release."""
    return Answer(body=baskets.release(_scope(request), request.parse(api.ReleaseCouponRequest), request.correlation_id))
