"""Points that are moved, rewards and challenges that are given, tiers that are set."""

from __future__ import annotations

from typing import TypeVar

from functions.registration.wiring import Wiring, actor_of, done, member_of
from shared.http.app import Answer, Request
from shared.members import challenges, challenges_api, points, points_api, referral_codes
from shared.rewards import api as rewards_api
from shared.rewards import ending as claim_ending
from shared.rewards import service as rewards
from shared.rewards.catalogue import list_rewards
from shared.tenants.principal import require_location
from shared.tenants.scope import TenantScope

ProvenT = TypeVar("ProvenT", bound=points_api.Proven)


def add(wiring: Wiring) -> None:
    """Register the operations of this file."""
    wiring.on("hand_over_reward", _hand_over_reward)
    wiring.on("cancel_reward", _cancel_reward)
    wiring.on("give_challenge", _give_challenge)
    wiring.on("adjust_points", _adjust_points)
    wiring.on("set_tier", _set_tier)
    wiring.both("claim_reward", _claim_reward)
    wiring.both("transfer_points", _transfer)
    wiring.both("convert_points", _convert)
    wiring.both("list_member_rewards", _rewards)
    wiring.both("get_referral_code", lambda _wiring, _request, scope, member: Answer(body=referral_codes.code_of(scope, member)))


def _hand_over_reward(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/members/{member_id}/rewards/{claim_id}/hand-over."""
    claim, actor = request.path["claim_id"], request.principal.id
    return Answer(body=claim_ending.hand_over(wiring.scope(request), member_of(request), claim, actor, request.correlation_id))


def _cancel_reward(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/members/{member_id}/rewards/{claim_id}/cancel."""
    body, claim, actor = request.parse(rewards_api.CancelClaimRequest), request.path["claim_id"], request.principal.id
    return Answer(body=claim_ending.cancel(wiring.scope(request), member_of(request), claim, body, actor, request.correlation_id))


def _give_challenge(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/challenges/{challenge_id}/members."""
    body = request.parse(challenges_api.GiveChallengeRequest)
    scope, challenge = wiring.scope(request), request.path["challenge_id"]
    return done(challenges.give(scope, challenge, body, request.principal.id, request.correlation_id))


def _adjust_points(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/members/{member_id}/adjustments."""
    body = request.parse(points_api.AdjustmentRequest)
    scope, member = wiring.scope(request), member_of(request)
    return done(points.adjust(scope, member, body, actor_of(request), request.idempotency_key, request.correlation_id))


def _set_tier(wiring: Wiring, request: Request) -> Answer:
    """PUT /v1/members/{member_id}/tier."""
    body = request.parse(points_api.TierRequest)
    return Answer(body=points.set_tier(wiring.scope(request), member_of(request), body, actor_of(request), request.correlation_id))


def _claim_reward(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    body = request.parse(rewards_api.ClaimRequest)
    actor, call = request.principal.id, request.idempotency_key
    return done(rewards.claim(scope, member, body, actor, call, request.correlation_id))


def _transfer(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    body = _here(request, scope, request.parse(points_api.TransferRequest))
    return done(points.transfer(scope, member, body, actor_of(request), request.idempotency_key, request.correlation_id))


def _convert(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    body = _here(request, scope, request.parse(points_api.ConversionRequest))
    return done(points.convert(scope, member, body, actor_of(request), request.idempotency_key, request.correlation_id))


def _rewards(_wiring: Wiring, request: Request, scope: TenantScope, member: str) -> Answer:
    return Answer(body=list_rewards(scope, member, request.query.get("location_id")))


def _here(request: Request, scope: TenantScope, body: ProvenT) -> ProvenT:
    """A body that names no location but one that the caller may act for."""
    if body.location_id is not None:
        require_location(request.principal, body.location_id, scope.groups_of)
    return body
