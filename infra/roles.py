"""Who may do what: one role per function, each statement written out. No ``Scan`` anywhere, no ``*`` on data.

Functions that serve tenants have no right on the tables: they assume the role ``tenant`` with an inline session
policy that names one tenant's prefix. The role itself is limited to ``T#*``; ``ForAllValues`` is true when a request
carries no key at all, which is why ``Scan`` is never granted beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.nag import acknowledge_wildcard
from infra.stage import Stage
from infra.state_stack import (
    ACCESS_PREFIX,
    BULK_PREFIX,
    DATA_PREFIXES,
    EXPORTS_PREFIX,
    INDEXES,
    MEDIA_PREFIX,
    OUTBOX_PREFIX,
    SEALS_PREFIX,
    SNAPSHOTS_PREFIX,
    StateStack,
)

READ: Final = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
WRITE: Final = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem")
_SES: Final = ("identity", "configuration-set", "tenant")
_SMS_VOICE: Final = ("phone-number", "pool", "sender-id")
"""Kinds of resources that sending names."""
REMOVALS_KEY: Final = "T#operator#REMOVALS"
"""Where removals of tenants are noted."""
SEALS_KEYS: Final = "T#*#SEALS"
"""The chains of seals of all tenants."""
SEALED_KEYS: Final = ("T#*#AUDIT#*", SEALS_KEYS)
"""What is sealed, and the chains."""
LOCAL_CLOCK_KEY: Final = "T#local#CLOCK"
"""The one item of the movable clock, which only the local stage has."""


class Rights:
    """Makes statements over the state stack's resources."""

    def __init__(self, state: StateStack, stage: Stage) -> None:
        self._state = state
        self._stage = stage

    def main_table(self, *actions: str, indexes: bool = False) -> iam.PolicyStatement:
        """Actions on the table ``main``, with its indexes where they are queried."""
        return iam.PolicyStatement(actions=list(actions), resources=self._main_arns(indexes=indexes))

    def main_keys(self, actions: Sequence[str], *leading_keys: str) -> iam.PolicyStatement:
        """Actions on partitions of ``main`` that are named here."""
        return iam.PolicyStatement(
            actions=list(actions),
            resources=self._main_arns(indexes=False),
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(leading_keys)}},
        )

    def keys_table(self, *actions: str) -> iam.PolicyStatement:
        """Actions on the table of wrapped keys."""
        return iam.PolicyStatement(actions=list(actions), resources=[self._state.keys.table_arn])

    def tenant_key(self, *actions: str) -> iam.PolicyStatement:
        """Use of the KMS key that wraps tenants' keys."""
        return iam.PolicyStatement(actions=list(actions), resources=[self._state.tenant_key.key_arn])

    def master_secret(self) -> iam.PolicyStatement:
        """Reading the secret that keys are derived from."""
        return iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[self._state.master.secret_arn])

    def operator_secret(self) -> iam.PolicyStatement:
        """Reading the operator's own API key."""
        return iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[self._state.operator.secret_arn])

    def bulk_objects(self, *actions: str) -> iam.PolicyStatement:
        """Imports that wait for their worker."""
        return iam.PolicyStatement(actions=list(actions), resources=[f"{self._state.data_arn}/{BULK_PREFIX}*"])

    def outbox_objects(self, *actions: str) -> iam.PolicyStatement:
        """Messages that the outbox channel has delivered."""
        return iam.PolicyStatement(actions=list(actions), resources=[f"{self._state.data_arn}/{OUTBOX_PREFIX}*"])

    def snapshot_objects(self, *actions: str) -> iam.PolicyStatement:
        """Columns of members' profiles."""
        return iam.PolicyStatement(actions=list(actions), resources=[f"{self._state.data_arn}/{SNAPSHOTS_PREFIX}*"])

    def export_objects(self, *actions: str) -> iam.PolicyStatement:
        """Files of members that were exported."""
        return iam.PolicyStatement(actions=list(actions), resources=[f"{self._state.data_arn}/{EXPORTS_PREFIX}*"])

    def access_objects(self, *actions: str) -> iam.PolicyStatement:
        """Files of everything that is kept of a member."""
        return iam.PolicyStatement(actions=list(actions), resources=[f"{self._state.data_arn}/{ACCESS_PREFIX}*"])

    def seal_objects(self, *actions: str) -> iam.PolicyStatement:
        """Heads of tenants' chains, in the bucket whose objects stay."""
        return iam.PolicyStatement(actions=list(actions), resources=[f"{self._state.seals_arn}/{SEALS_PREFIX}*"])

    def media_objects(self, *actions: str) -> iam.PolicyStatement:
        """Files of images."""
        return iam.PolicyStatement(actions=list(actions), resources=[f"{self._state.media_arn}/{MEDIA_PREFIX}*"])

    def push(self, *actions: str, kinds: Sequence[str] = ("app", "endpoint")) -> iam.PolicyStatement:
        """Mobile push of this account and region. Applications are made per tenant at run time, so none can be named here."""
        stack = Stack.of(self._state)
        return iam.PolicyStatement(
            actions=[f"sns:{action}" for action in actions],
            resources=[f"arn:{stack.partition}:sns:{stack.region}:{stack.account}:{kind}/*" for kind in kinds],
        )

    def send_email(self) -> iam.PolicyStatement:
        """SES in this account and region: tenants bring domains, configuration sets and SES tenants, so none can be named here."""
        return self._of_account("ses", ["ses:SendEmail"], _SES)

    def send_sms(self) -> iam.PolicyStatement:
        """Text messages from numbers, pools and senders of this account and region, which tenants bring."""
        return self._of_account("sms-voice", ["sms-voice:SendTextMessage"], _SMS_VOICE)

    def _of_account(self, service: str, actions: Sequence[str], kinds: Sequence[str]) -> iam.PolicyStatement:
        stack = Stack.of(self._state)
        arns = [f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}:{kind}/*" for kind in kinds]
        return iam.PolicyStatement(actions=list(actions), resources=arns)

    def staff_pool(self, *actions: str) -> iam.PolicyStatement:
        """Users of the pool of staff, and of no other."""
        return iam.PolicyStatement(actions=[f"cognito-idp:{action}" for action in actions], resources=[self._state.staff.pool_arn])

    def make_push_applications(self) -> iam.PolicyStatement:
        """Making a platform application: the service authorization reference lists no resource for it, so ``*`` is the only value."""
        return iam.PolicyStatement(actions=["sns:CreatePlatformApplication"], resources=["*"])

    def remove_tenants(self) -> list[iam.PolicyStatement]:
        """Reading both tables from end to end and deleting, for the removal of tenants alone (docs/adr/0022): what it may write are its own
        notes, what it may delete of objects lies below the prefixes of tenants.
        """
        data, media = self._state.data_arn, self._state.media_arn
        objects = [*(f"{data}/{prefix}*" for prefix in DATA_PREFIXES), f"{media}/{MEDIA_PREFIX}*"]
        return [
            self.main_table("dynamodb:Scan", "dynamodb:DeleteItem"),
            self.keys_table("dynamodb:Scan", "dynamodb:DeleteItem"),
            self.main_keys(["dynamodb:GetItem", "dynamodb:PutItem"], REMOVALS_KEY),
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[data, media]),
            iam.PolicyStatement(actions=["s3:DeleteObject"], resources=objects),
        ]

    def local_clock(self) -> list[iam.PolicyStatement]:
        """Reading the movable clock; nothing on a deployed stage."""
        return [self.main_keys(["dynamodb:GetItem"], LOCAL_CLOCK_KEY)] if self._stage.local else []

    def _main_arns(self, *, indexes: bool) -> list[str]:
        arn = self._state.main.table_arn
        return [arn, *(f"{arn}/index/{name}" for name in INDEXES)] if indexes else [arn]


def send_to(*queue_arns: str) -> iam.PolicyStatement:
    """Putting messages into queues."""
    return iam.PolicyStatement(actions=["sqs:SendMessage"], resources=list(queue_arns))


def consume(queue_arn: str) -> iam.PolicyStatement:
    """What Lambda needs to poll a queue for a function."""
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    return iam.PolicyStatement(actions=actions, resources=[queue_arn])


def read_stream(stream_arn: str) -> iam.PolicyStatement:
    """What Lambda needs to read the table's stream for the relay."""
    actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
    return iam.PolicyStatement(actions=actions, resources=[stream_arn])


class TenantRole(Construct):
    """The role that stands between a function that serves tenants and the data (fence b)."""

    def __init__(self, scope: Construct, construct_id: str, *, state: StateStack, members: Sequence[iam.IRole]) -> None:
        super().__init__(scope, construct_id)
        arns = [state.main.table_arn, *(f"{state.main.table_arn}/index/{name}" for name in INDEXES), state.keys.table_arn]
        data = iam.PolicyStatement(
            sid="OneTenantsItems",
            actions=[*READ, *WRITE],
            resources=arns,
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["T#*"]}},
        )
        # Entries of the audit log are not denied likewise: they ride in the transactions of their changes, and whether IAM sees the keys of
        # a transaction apart is not documented.
        seals_are_others = iam.PolicyStatement(
            sid="SealsAreOthers",
            effect=iam.Effect.DENY,
            actions=list(WRITE),
            resources=[state.main.table_arn],
            conditions={"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": [SEALS_KEYS]}},
        )
        kms = ["kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext"]
        key = iam.PolicyStatement(sid="WrappedKeys", actions=kms, resources=[state.tenant_key.key_arn])
        # The tenant is also sent as a session tag, which both sides must allow, or AWS refuses the whole call.
        principals = iam.CompositePrincipal(*(iam.ArnPrincipal(member.role_arn).with_session_tags() for member in members))
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=principals,
            description="Assumed for one request's tenant, with a session policy that names its prefix",
            inline_policies={"tenant": iam.PolicyDocument(statements=[data, seals_are_others, key])},
        )
        # Apart from the functions' own policies: those roles are the principals of this one, so it is made after them.
        iam.Policy(
            self,
            "MayAssume",
            statements=[iam.PolicyStatement(actions=["sts:AssumeRole", "sts:TagSession"], resources=[self.role.role_arn])],
            roles=list(members),
        )


def acknowledge_wildcards(stack: Stack, state: StateStack) -> None:
    """The wildcards that remain below fixed prefixes. ``*`` alone is for actions that know no resource, accepted per function."""
    bucket = f"{state.data_arn_export}/"
    for prefix in DATA_PREFIXES:
        acknowledge_wildcard(stack, f"{bucket}{prefix}*", "Each object has a name of its own below the prefix")
    acknowledge_wildcard(stack, f"{state.media_arn_export}/{MEDIA_PREFIX}*", "Each file has a name of its own below the prefix")
    acknowledge_wildcard(stack, f"{state.seals_arn_export}/{SEALS_PREFIX}*", "Each head has a name of its own below the prefix")
    for service, kinds in (("ses", _SES), ("sms-voice", _SMS_VOICE)):
        for kind in kinds:
            arn = f"arn:<AWS::Partition>:{service}:<AWS::Region>:<AWS::AccountId>:{kind}/*"
            acknowledge_wildcard(stack, arn, "What tenants send from is made and named by whoever runs the stage, per tenant")
    for kind in ("app", "endpoint"):
        arn = f"arn:<AWS::Partition>:sns:<AWS::Region>:<AWS::AccountId>:{kind}/*"
        acknowledge_wildcard(stack, arn, "Push applications and endpoints are made at run time, per tenant and device")
