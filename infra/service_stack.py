"""What runs: functions, queues, bus, schedule, gateway. Holds nothing that must survive."""

from __future__ import annotations

from typing import Any

from aws_cdk import Annotations, Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.api import HttpApi
from infra.events import FIVE_MINUTES, HOUR, MINUTE, Bus, Schedule, consume_queues, relay_stream
from infra.feedback import Feedback
from infra.functions import SPECS, Function, Layer
from infra.packaging import FUNCTIONS, Packages
from infra.queues import FailureQueue, WorkQueue
from infra.roles import READ, SEALED_KEYS, SEALS_KEYS, WRITE, Rights, TenantRole, acknowledge_wildcards, consume, read_stream, send_to
from infra.staff import STAFF_ACTIONS
from infra.stage import Stage
from infra.state_stack import StateStack

_OWN_PARTITION = "T#operator#*"
"""Partitions of the operator: tenants are listed there before any tenant role can be assumed."""
_TENANT_LIST = "T#operator#TENANTS"
_SIGNING = "T#operator#SIGNING"
"""Which generation of the key for members' tokens signs."""
_EVERY_KEY = "T#*#KEYS"
"""The partitions of all tenants' API keys: the authorizer learns from them whose a key is, and notes when it was used."""


class ServiceStack(Stack):
    """Composes the constructs and says what each function is told and may do."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, state: StateStack, **more: Any) -> None:
        super().__init__(scope, construct_id, **more)
        self._stage = stage
        self._state = state
        self.queues = {
            spec.queue: WorkQueue(self, spec.queue, stage=stage, consumer_timeout=Duration.seconds(spec.seconds), fifo=spec.fifo)
            for spec in SPECS.values()
            if spec.queue is not None
        }
        self.failures = FailureQueue(self, "relay-failures", stage=stage)
        self.bus = Bus(self, "Bus", stage=stage)
        self.feedback = Feedback(self, "FeedbackSources", stage=stage, queue=self.queues["feedback"].queue)
        self.functions = self._functions()
        self._tenant_role()
        for name in ("planning", "segments", "snapshots", "rights"):
            self.bus.subscribe(name, self.queues[name].queue)
        self.sweep = Schedule(self, "Sweep", stage=stage, name="sweep", timing=MINUTE, queue=self.queues["segments"].queue)
        self.statistics = Schedule(self, "Statistics", stage=stage, name="statistics", timing=HOUR, queue=self.queues["snapshots"].queue)
        self.sealing = Schedule(self, "Sealing", stage=stage, name="sealing", timing=FIVE_MINUTES, queue=self.queues["audit"].queue)
        consume_queues(self.functions, self.queues)
        relay_stream(self.functions["event_relay"], state.main, self.failures.queue)
        serving = {name: function for name, function in self.functions.items() if function.spec.serves_tenants}
        self.api = HttpApi(self, "Http", stage=stage, functions=serving, authorizer=self.functions["authorizer"])
        self._public_url()
        acknowledge_wildcards(self, state)

    def _public_url(self) -> None:
        """Where links of messages lead; on a local stage a path below the local AWS, whose address each function knows."""
        url = f"/_aws/execute-api/{self.api.api.ref}" if self._stage.local else self.api.url
        for name in ("campaign_sending", "administration", "member_rights"):
            self.functions[name].function.add_environment("PUBLIC_URL", url)

    def _functions(self) -> dict[str, Function]:
        packages = Packages(self._stage)
        if not packages.precompiled:
            advice = "`uv python install 3.13` brings one"
            Annotations.of(self).add_info(f"no python3.13 here to compile with: cold starts will be slower. {advice}")
        layer = Layer(self, "Dependencies", stage=self._stage, folder=packages.layer)
        images = Layer(self, "ImageLibrary", stage=self._stage, folder=packages.images, requirements="requirements-media.txt")
        columns = Layer(self, "Columns", stage=self._stage, folder=packages.columns, requirements="requirements-snapshots.txt")
        more = {name: [images] * spec.images + [columns] * spec.columns for name, spec in SPECS.items()}
        statements, environment = self._statements(), self._environment()
        return {
            name: Function(
                self,
                SPECS[name],
                stage=self._stage,
                code=packages.function(name),
                layers=[layer, *more[name]],
                environment={**self._common_environment(), **environment[name], **self._dead_letters(SPECS[name].queue)},
                statements=[*statements[name], *Rights(self._state, self._stage).local_clock()],
            )
            for name in FUNCTIONS
        }

    def _tenant_role(self) -> None:
        serving = [function for function in self.functions.values() if function.spec.serves_tenants]
        tenant = TenantRole(self, "Tenant", state=self._state, members=[function.role for function in serving])
        for function in serving:
            function.function.add_environment("TENANT_ROLE_ARN", tenant.role.role_arn)

    def _dead_letters(self, queue: str | None) -> dict[str, str]:
        """Where a consumer puts what it can never do, with its reason; the queue's own redrive knows none."""
        return {} if queue is None else {"DEAD_LETTER_URL": self.queues[queue].dead.queue_url}

    def _consume(self, queue: str) -> list[iam.PolicyStatement]:
        return [consume(self._arn(queue)), send_to(self.queues[queue].dead.queue_arn)]

    def _url(self, queue: str) -> str:
        return self.queues[queue].queue.queue_url

    def _arn(self, queue: str) -> str:
        return self.queues[queue].queue.queue_arn

    def _common_environment(self) -> dict[str, str]:
        return {
            "TABLE_NAME": self._state.main.table_name,
            "KEYS_TABLE_NAME": self._state.keys.table_name,
            "MASTER_SECRET_ARN": self._state.master.secret_arn,
            "TENANT_KEY_ID": self._state.tenant_key.key_id,
            "DEFINITION_CACHE_SECONDS": str(self._stage.definition_cache_seconds),
        }

    def _environment(self) -> dict[str, dict[str, str]]:
        bucket, operator = self._state.data.bucket_name, self._state.operator.secret_arn
        return {
            "authorizer": {"OPERATOR_SECRET_ARN": operator, **self._staff_pool(), "STAFF_CLIENT_ID": self._state.staff.client_id},
            "registration": {
                "MEMBERS_QUEUE_URL": self._url("members-bulk"),
                "RIGHTS_QUEUE_URL": self._url("rights"),
                "DATA_BUCKET": bucket,
                **self._links_images(),
            },
            "transaction_ingestion": {"TRANSACTIONS_QUEUE_URL": self._url("transactions-bulk"), "DATA_BUCKET": bucket},
            "coupon_redemption": {"COUPONS_QUEUE_URL": self._url("coupons-bulk"), "DATA_BUCKET": bucket},
            "sign_in": self._outbox(),
            "tenancy": {
                "PUSH_EVENTS_TOPIC_ARN": self.feedback.push.topic_arn,
                "REMOVALS_QUEUE_URL": self._url("removals"),
                **self._staff_pool(),
            },
            "tenant_removal": {
                "REMOVALS_QUEUE_URL": self._url("removals"),
                "DATA_BUCKET": bucket,
                "MEDIA_BUCKET": self._state.media.bucket_name,
                **self._staff_pool(),
            },
            "audit_sealing": {"AUDIT_QUEUE_URL": self._url("audit"), "SEALS_BUCKET": self._state.seals.bucket_name},
            "administration": {"SENDING_QUEUE_URL": self._url("sending"), **self._outbox(), **self._links_images()},
            "media": {"MEDIA_BUCKET": self._state.media.bucket_name, **self._links_images()},
            "audiences": {
                "EXPORTS_QUEUE_URL": self._url("exports"),
                "SNAPSHOTS_QUEUE_URL": self._url("snapshots"),
                "DATA_BUCKET": bucket,
            },
            "segment_evaluation": {
                "SEGMENTS_QUEUE_URL": self._url("segments"),
                "PLANNING_QUEUE_URL": self._url("planning"),
                "SNAPSHOTS_QUEUE_URL": self._url("snapshots"),
            },
            "segment_snapshots": {"SNAPSHOTS_QUEUE_URL": self._url("snapshots"), "DATA_BUCKET": bucket},
            "campaign_planning": {"PLANNING_QUEUE_URL": self._url("planning"), "SENDING_QUEUE_URL": self._url("sending")},
            "campaign_sending": {"SENDING_QUEUE_URL": self._url("sending"), **self._outbox(), **self._links_images()},
            "campaign_reports": {},
            "guest_links": self._links_images(),
            "delivery_feedback": {},
            "member_rights": {
                "RIGHTS_QUEUE_URL": self._url("rights"),
                "DATA_BUCKET": bucket,
                **self._outbox(),
                **self._links_images(),
            },
            "event_relay": {
                "BUS_NAME": self.bus.bus.event_bus_name,
                "REPORTS_QUEUE_URL": self._url("reports"),
                "FAILURE_QUEUE_URL": self.failures.queue.queue_url,
            },
        }

    def _staff_pool(self) -> dict[str, str]:
        return {"STAFF_POOL_ID": self._state.staff.pool_id}

    def _outbox(self) -> dict[str, str]:
        """Of whoever sends: on a local stage what went out can be read in the bucket."""
        return {"DATA_BUCKET": self._state.data.bucket_name, **({"PUSH_OUTBOX": "1"} if self._stage.local else {})}

    def _links_images(self) -> dict[str, str]:
        """Where guests find images; a local stage has no delivery, and its bucket answers by itself."""
        url = self._state.media_url
        return {"MEDIA_URL": url} if url is not None else {"MEDIA_BUCKET": self._state.media.bucket_name}

    def _senders(self, rights: Rights) -> list[iam.PolicyStatement]:
        """Handing messages over to the providers."""
        return [rights.push("Publish"), rights.send_email(), rights.send_sms()]

    def _campaign_statements(self, rights: Rights) -> dict[str, list[iam.PolicyStatement]]:
        """Of the functions that plan, send, hear what became of it, and count."""
        return {
            "campaign_planning": [
                rights.main_table(*READ, "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem", indexes=True),
                *self._consume("planning"),
                send_to(self._arn("planning"), self._arn("sending")),
            ],
            "campaign_sending": [
                rights.main_table(*READ, *WRITE, indexes=True),
                rights.keys_table("dynamodb:GetItem", "dynamodb:BatchGetItem"),
                rights.tenant_key("kms:Decrypt"),
                rights.master_secret(),
                *self._consume("sending"),
                send_to(self._arn("sending")),
                rights.outbox_objects("s3:PutObject"),
                *self._senders(rights),
            ],
            "guest_links": [rights.master_secret()],
            "delivery_feedback": [
                rights.main_table(*READ, *WRITE),
                rights.keys_table("dynamodb:GetItem"),
                rights.tenant_key("kms:Decrypt"),
                *self._consume("feedback"),
                rights.push("GetEndpointAttributes", kinds=("endpoint",)),
            ],
            "campaign_reports": [
                rights.main_table(*READ, "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"),
                *self._consume("reports"),
            ],
        }

    def _rights_statements(self, rights: Rights) -> list[iam.PolicyStatement]:
        """Of the function that carries out what members may ask for: it alone destroys a member's key."""
        return [
            rights.main_table(*READ, *WRITE, indexes=True),
            rights.keys_table("dynamodb:GetItem", "dynamodb:DeleteItem"),
            rights.tenant_key("kms:Decrypt"),
            *self._consume("rights"),
            send_to(self._arn("rights")),
            rights.push("DeleteEndpoint", kinds=("endpoint",)),
            rights.access_objects("s3:PutObject"),
            rights.master_secret(),
            rights.outbox_objects("s3:PutObject"),
            rights.send_email(),
            rights.send_sms(),
        ]

    def _sealing_statements(self, rights: Rights) -> list[iam.PolicyStatement]:
        """Of the function that seals the audit log: it writes seals, and can write no entry."""
        return [
            rights.main_keys(["dynamodb:GetItem", "dynamodb:Query"], *SEALED_KEYS, _TENANT_LIST),
            rights.main_keys(["dynamodb:PutItem", "dynamodb:UpdateItem"], SEALS_KEYS),
            rights.seal_objects("s3:PutObject"),
            *self._consume("audit"),
            send_to(self._arn("audit")),
        ]

    def _tenant_statements(self, rights: Rights) -> dict[str, list[iam.PolicyStatement]]:
        """Of the functions that found tenants and remove them."""
        return {
            "tenancy": [
                rights.master_secret(),
                rights.main_keys(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"], _OWN_PARTITION),
                rights.make_push_applications(),
                rights.push("SetPlatformApplicationAttributes", kinds=("app",)),
                rights.staff_pool(*STAFF_ACTIONS),
                send_to(self._arn("removals")),
            ],
            "tenant_removal": [
                *rights.remove_tenants(),
                rights.push("DeletePlatformApplication", kinds=("app",)),
                rights.staff_pool("ListUsers", "AdminDeleteUser"),
                *self._consume("removals"),
                send_to(self._arn("removals")),
            ],
        }

    def _segment_statements(self, rights: Rights) -> dict[str, list[iam.PolicyStatement]]:
        """Of the functions that evaluate members and keep their snapshots."""
        return {
            "segment_evaluation": [
                rights.main_table(*READ, *WRITE, indexes=True),
                rights.keys_table("dynamodb:GetItem", "dynamodb:BatchGetItem"),
                rights.tenant_key("kms:Decrypt"),
                rights.master_secret(),
                *self._consume("segments"),
                send_to(self._arn("segments"), self._arn("planning"), self._arn("snapshots")),
            ],
            "segment_snapshots": [
                rights.main_table(*READ, *WRITE, indexes=True),
                rights.keys_table("dynamodb:GetItem", "dynamodb:BatchGetItem"),
                rights.tenant_key("kms:Decrypt"),
                rights.master_secret(),
                *self._consume("snapshots"),
                send_to(self._arn("snapshots")),
                rights.snapshot_objects("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
            ],
        }

    def _statements(self) -> dict[str, list[iam.PolicyStatement]]:
        """What each function may do beside writing its log; TenantRole adds the right to assume the role."""
        rights = Rights(self._state, self._stage)
        master = rights.master_secret()
        bulk = rights.bulk_objects("s3:GetObject", "s3:PutObject")
        return {
            "authorizer": [
                rights.main_keys(["dynamodb:GetItem"], _EVERY_KEY, _TENANT_LIST, _SIGNING),
                rights.main_keys(["dynamodb:UpdateItem"], _EVERY_KEY),
                master,
                rights.operator_secret(),
            ],
            "registration": [
                master,
                rights.main_keys(["dynamodb:GetItem"], _SIGNING),
                bulk,
                rights.access_objects("s3:GetObject"),
                send_to(self._arn("members-bulk"), self._arn("rights")),
                *self._consume("members-bulk"),
                rights.push("CreatePlatformEndpoint", "GetEndpointAttributes", "SetEndpointAttributes", "DeleteEndpoint"),
            ],
            "transaction_ingestion": [master, bulk, send_to(self._arn("transactions-bulk")), *self._consume("transactions-bulk")],
            "coupon_redemption": [master, bulk, send_to(self._arn("coupons-bulk")), *self._consume("coupons-bulk")],
            "sign_in": [
                master,
                rights.main_keys(["dynamodb:GetItem"], _SIGNING),
                rights.outbox_objects("s3:PutObject"),
                *self._senders(rights),
            ],
            "audit_sealing": self._sealing_statements(rights),
            "administration": [
                master,
                send_to(self._arn("sending")),
                rights.outbox_objects("s3:PutObject"),
                *self._senders(rights),
            ],
            "media": [master, rights.media_objects("s3:PutObject", "s3:DeleteObject")],
            "audiences": [
                master,
                *self._consume("exports"),
                send_to(self._arn("exports"), self._arn("snapshots")),
                rights.snapshot_objects("s3:GetObject"),
                rights.export_objects("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
            ],
            **self._tenant_statements(rights),
            **self._segment_statements(rights),
            **self._campaign_statements(rights),
            "member_rights": self._rights_statements(rights),
            "event_relay": [
                read_stream(self._state.main.table_stream_arn or ""),
                iam.PolicyStatement(actions=["events:PutEvents"], resources=[self.bus.bus.event_bus_arn]),
                send_to(self.failures.queue.queue_arn, self._arn("reports")),
            ],
        }
