"""The HTTP API: a route for each row of ``shared.http.routes``, one integration per function, one authorizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from aws_cdk import CfnOutput, Fn, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.functions import Function
from infra.nag import acknowledge
from infra.stage import Stage
from shared.http.routes import ROUTES, Route

UNKNOWN_ROUTES: Final = "administration"
"""Answers every path that is not in the table, so that a 404 has the form of all our errors."""
_GATEWAY_SECONDS: Final = 29
_ACCESS_LOG: Final = json.dumps(
    {
        "request_id": "$context.requestId",
        "time": "$context.requestTimeEpoch",
        "route": "$context.routeKey",
        "status": "$context.status",
        "response_length": "$context.responseLength",
        "latency_ms": "$context.responseLatency",
        "integration_latency_ms": "$context.integrationLatency",
        "integration_error": "$context.integrationErrorMessage",
        "authorizer_error": "$context.authorizer.error",
    }
)
"""No address, no path and no user agent: the route's template says enough, and nothing says who."""


class HttpApi(Construct):
    """The gateway. Plain resources rather than CDK's own, which would add a permission and an integration per route."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, functions: Mapping[str, Function], authorizer: Function
    ) -> None:
        super().__init__(scope, construct_id)
        self.api = gateway.CfnApi(
            self,
            "Api",
            name=stage.named("api"),
            protocol_type="HTTP",
            cors_configuration=_cors(stage),
        )
        authorizer_id = self._authorizer(stage, authorizer)
        targets = {name: self._integration(function) for name, function in sorted(functions.items())}
        for route in ROUTES:
            self._route(route, targets[route.function], authorizer_id)
        gateway.CfnRoute(
            self, "Default", api_id=self.api.ref, route_key="$default", target=targets[UNKNOWN_ROUTES], authorization_type="NONE"
        )
        self._stage(stage)
        region = Stack.of(self)
        self.url = f"https://{self.api.ref}.execute-api.{region.region}.{region.url_suffix}"
        CfnOutput(self, "Url", value=self.url).override_logical_id("ApiUrl")
        CfnOutput(self, "Id", value=self.api.ref).override_logical_id("ApiId")
        reason = "Public routes carry their own proof (a form's token) or hold nothing secret; all others have the authorizer"
        acknowledge(self, "AwsSolutions-APIG4", reason)

    def _authorizer(self, stage: Stage, function: Function) -> str:
        stack = Stack.of(self)
        path = f"path/2015-03-31/functions/{function.function.function_arn}/invocations"
        made = gateway.CfnAuthorizer(
            self,
            "Authorizer",
            api_id=self.api.ref,
            name="principal",
            authorizer_type="REQUEST",
            authorizer_uri=f"arn:{stack.partition}:apigateway:{stack.region}:lambda:{path}",
            authorizer_payload_format_version="2.0",
            enable_simple_responses=True,
            identity_source=["$request.header.Authorization"],
            authorizer_result_ttl_in_seconds=stage.authorizer_cache_seconds,
        )
        self._permit(function.function, "Authorizer", f"/authorizers/{made.ref}")
        return made.ref

    def _integration(self, function: Function) -> str:
        made = gateway.CfnIntegration(
            self,
            f"{function.node.id}Integration",
            api_id=self.api.ref,
            integration_type="AWS_PROXY",
            integration_uri=function.function.function_arn,
            payload_format_version="2.0",
            timeout_in_millis=1000 * min(function.spec.seconds, _GATEWAY_SECONDS),
        )
        self._permit(function.function, function.node.id, "/*/*")
        return f"integrations/{made.ref}"

    def _permit(self, function: lambda_.Function, construct_id: str, tail: str) -> None:
        stack = Stack.of(self)
        lambda_.CfnPermission(
            self,
            f"{construct_id}Permission",
            action="lambda:InvokeFunction",
            function_name=function.function_arn,
            principal="apigateway.amazonaws.com",
            source_arn=f"arn:{stack.partition}:execute-api:{stack.region}:{stack.account}:{self.api.ref}{tail}",
        )

    def _route(self, route: Route, target: str, authorizer_id: str) -> None:
        name = "".join(part.capitalize() for part in route.operation.split("_"))
        gateway.CfnRoute(
            self,
            f"Route{name}",
            api_id=self.api.ref,
            route_key=route.key,
            target=target,
            operation_name=route.operation,
            authorization_type="NONE" if route.public else "CUSTOM",
            authorizer_id=None if route.public else authorizer_id,
        )

    def _stage(self, stage: Stage) -> None:
        log_group = logs.LogGroup(
            self,
            "AccessLogs",
            log_group_name=f"/aws/vendedlogs/{stage.named('api')}",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        gateway.CfnStage(
            self,
            "Stage",
            api_id=self.api.ref,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings=gateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=stage.requests_per_second, throttling_burst_limit=stage.burst
            ),
            # Without the ``:*`` that CDK's attribute ends in: the gateway refuses it.
            access_log_settings=gateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=Fn.select(0, Fn.split(":*", log_group.log_group_arn)), format=_ACCESS_LOG
            ),
        )


def _cors(stage: Stage) -> gateway.CfnApi.CorsProperty | None:
    if not stage.cors_origins:
        return None
    return gateway.CfnApi.CorsProperty(
        allow_origins=list(stage.cors_origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["authorization", "content-type", "idempotency-key", "if-match"],
        expose_headers=["etag", "location", "ratelimit", "ratelimit-policy", "regulars-mode", "retry-after"],
        max_age=600,
    )
