"""The Lambda functions: what each is given, in one table, and the construct that makes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.nag import acknowledge, acknowledge_wildcard
from infra.stage import Stage

REQUEST_SECONDS: Final = 10
WORKER_SECONDS: Final = 60
_ARCHITECTURES: Final = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


@dataclass(frozen=True, slots=True)
class Spec:
    """A function's size and what wakes it. ``queue`` is the work queue that it consumes, ``batch`` messages at most at a time, for
    which it waits ``window`` seconds, ``fifo`` that its messages are in order within a group; ``images``, ``columns``: it has the image
    library, the library of columns.
    """

    name: str
    summary: str
    seconds: int = WORKER_SECONDS
    memory: int = 512
    queue: str | None = None
    serves_tenants: bool = False
    images: bool = False
    columns: bool = False
    batch: int = 10
    window: int = 0
    fifo: bool = False


SPECS: Final[dict[str, Spec]] = {
    spec.name: spec
    for spec in (
        Spec("authorizer", "Who calls: API key or token to principal and scopes", REQUEST_SECONDS),
        Spec("registration", "Members: enrolment, profile, consents, devices", WORKER_SECONDS, 1024, "members-bulk", serves_tenants=True),
        Spec("transaction_ingestion", "Quotes, holds, purchases, returns", WORKER_SECONDS, 1024, "transactions-bulk", serves_tenants=True),
        Spec("coupon_redemption", "Coupons: issue, hold, redeem, release", WORKER_SECONDS, 1024, "coupons-bulk", serves_tenants=True),
        Spec("sign_in", "Codes, tokens and sessions of members", REQUEST_SECONDS, 1024, serves_tenants=True),
        Spec("tenancy", "Tenants, their keys and stops", REQUEST_SECONDS, serves_tenants=True),
        Spec("tenant_removal", "Everything of a tenant that is removed", 300, queue="removals", batch=1),
        Spec("audit_sealing", "Seals over what is noted of calls", queue="audit"),
        Spec("administration", "Definitions, campaigns' switches", REQUEST_SECONDS, serves_tenants=True),
        Spec("media", "Images that guests see", 29, 2048, serves_tenants=True, images=True),
        Spec("audiences", "Previews, searches and exports of members", 120, 2048, "exports", serves_tenants=True, columns=True),
        Spec("segment_evaluation", "Timers, definition fan-out, listing rows", queue="segments"),
        Spec("segment_snapshots", "Columnar snapshots of profiles", 120, 2048, "snapshots", columns=True, batch=100, window=5),
        Spec("campaign_planning", "Who is to get a campaign", queue="planning"),
        Spec("campaign_sending", "Claim, then send", queue="sending"),
        Spec("guest_links", "Links in messages: clicks, opens, unsubscribing", REQUEST_SECONDS, serves_tenants=True),
        Spec("delivery_feedback", "What providers tell of messages", queue="feedback"),
        Spec("member_rights", "Erasure of members, step by step", queue="rights"),
        Spec("campaign_reports", "What became of deliveries, counted", queue="reports", fifo=True),
        Spec("event_relay", "The only reader of the table's stream: commits to the bus"),
    )
}


class Layer(Construct):
    """Dependencies: of every function, or of some."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, folder: Path, requirements: str = "requirements.txt"
    ) -> None:
        super().__init__(scope, construct_id)
        self.version = lambda_.LayerVersion(
            self,
            "Version",
            code=lambda_.Code.from_asset(str(folder)),
            compatible_architectures=[_ARCHITECTURES[stage.architecture]],
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            description=f"Pinned dependencies ({requirements})",
            removal_policy=RemovalPolicy.DESTROY,
        )


class Function(Construct):
    """One function with its own role, log group and asset. Everything it may do stands in ``statements``."""

    def __init__(
        self,
        scope: Construct,
        spec: Spec,
        *,
        stage: Stage,
        code: Path,
        layers: Sequence[Layer],
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
    ) -> None:
        super().__init__(scope, "".join(part.capitalize() for part in spec.name.split("_")))
        self.spec = spec
        name = stage.named(spec.name.replace("_", "-"))
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/lambda/{name}",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"own": iam.PolicyDocument(statements=[*_runtime_rights(log_group), *statements])},
        )
        why = "X-Ray's two actions and SNS's CreatePlatformApplication know no resource; a test allows no other statement to use it"
        acknowledge_wildcard(self.role, "*", why)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=spec.summary,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=_ARCHITECTURES[stage.architecture],
            handler=f"functions.{spec.name}.handler.lambda_handler",
            code=lambda_.Code.from_asset(str(code)),
            layers=[layer.version for layer in layers],
            # A frozen view: CDK's own constructs would otherwise widen the role behind our back.
            role=self.role.without_policy_updates(),
            environment={
                **environment,
                **stage.function_extras,
                "STAGE": stage.name,
                "POWERTOOLS_SERVICE_NAME": spec.name,
                "POWERTOOLS_METRICS_NAMESPACE": "Regulars",
                "POWERTOOLS_LOG_LEVEL": stage.log_level,
            },
            memory_size=spec.memory,
            timeout=Duration.seconds(spec.seconds),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log_group,
        )
        acknowledge(self.function, "AwsSolutions-L1", "python3.13 is what the layer is built for; it is raised together with it")


def _runtime_rights(log_group: logs.LogGroup) -> list[iam.PolicyStatement]:
    """What the Lambda service itself does in the function's name: logs and traces."""
    return [
        iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]),
        # X-Ray knows no resources: `*` is the only value that these two actions take.
        iam.PolicyStatement(actions=["xray:PutTraceSegments", "xray:PutTelemetryRecords"], resources=["*"]),
    ]
