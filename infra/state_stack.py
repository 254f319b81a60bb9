"""What must survive: tables, the key that wraps tenants' keys, secrets, the bucket. Changes rarely."""

from __future__ import annotations

import string
from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.nag import acknowledge
from infra.staff import StaffPool
from infra.stage import Stage

BULK_PREFIX = "bulk/"
OUTBOX_PREFIX = "outbox/"
MEDIA_PREFIX = "media/"
SNAPSHOTS_PREFIX = "snapshots/"
EXPORTS_PREFIX = "exports/"
ACCESS_PREFIX = "access/"
SEALS_PREFIX = "seals/"
DATA_PREFIXES = (BULK_PREFIX, OUTBOX_PREFIX, SNAPSHOTS_PREFIX, EXPORTS_PREFIX, ACCESS_PREFIX)
"""All that the data bucket has objects below, each tenant's below its own id."""
SEALS_LOCKED = Duration.days(430)
"""As long as a tenant's seals are kept."""
INDEXES = ("GSI1", "GSI2")
"""Both project keys alone: an index is a hint, and the worker reads the item itself."""


class StateStack(Stack):
    """Tables ``main`` and ``keys``, the KMS key, secrets ``master`` and ``operator``, the data bucket, images and their delivery, and the
    user pool of staff.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, **more: Any) -> None:
        super().__init__(scope, construct_id, **more)
        self._removal = RemovalPolicy.DESTROY if stage.local else RemovalPolicy.RETAIN
        self._protected = not stage.local
        self.main = self._main_table()
        self.keys = self._keys_table()
        self.tenant_key = kms.Key(
            self,
            "TenantKey",
            description="Wraps the tenants' keys, which wrap the members' data keys",
            enable_key_rotation=True,
            removal_policy=self._removal,
        )
        self.master = self._secret("Master", "Derives the keys of blind indexes, of tokens and of cursors", 64)
        self.operator = self._secret("Operator", "The secret of the operator's own API key", 32)
        self.data = self._data_bucket()
        self.data_arn_export = stage.named("data-bucket-arn")
        self.data_arn = self.export_value(self.data.bucket_arn, name=self.data_arn_export)
        """The bucket's ARN for the other stacks, under a name that findings about policies can be matched with."""
        self.media = self._media_bucket()
        self.media_arn_export = stage.named("media-bucket-arn")
        self.media_arn = self.export_value(self.media.bucket_arn, name=self.media_arn_export)
        self.media_url = None if stage.local else f"https://{ImageDelivery(self, 'Images', bucket=self.media).domain_name}"
        """Where guests find images. Here and not with what runs: apps and mails keep such links, so the name must not change."""
        self.seals = self._seals_bucket()
        self.seals_arn_export = stage.named("seals-bucket-arn")
        self.seals_arn = self.export_value(self.seals.bucket_arn, name=self.seals_arn_export)
        self.staff = StaffPool(self, "Staff", stage=stage)
        CfnOutput(self, "StaffPoolId", value=self.staff.pool_id)
        CfnOutput(self, "StaffClientId", value=self.staff.client_id)
        CfnOutput(self, "SealsBucket", value=self.seals.bucket_name)
        CfnOutput(self, "MediaBucket", value=self.media.bucket_name)
        CfnOutput(self, "TableName", value=self.main.table_name)
        CfnOutput(self, "KeysTableName", value=self.keys.table_name)
        CfnOutput(self, "DataBucket", value=self.data.bucket_name)
        CfnOutput(self, "MasterSecretArn", value=self.master.secret_arn)
        CfnOutput(self, "OperatorSecretArn", value=self.operator.secret_arn)
        CfnOutput(self, "TenantKeyId", value=self.tenant_key.key_id)

    def _main_table(self) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            "Main",
            partition_key=_string("PK"),
            sort_key=_string("SK"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
            time_to_live_attribute="expires_at",
            deletion_protection=self._protected,
            removal_policy=self._removal,
        )
        for name in INDEXES:
            table.add_global_secondary_index(
                index_name=name,
                partition_key=_string(f"{name}PK"),
                sort_key=_string(f"{name}SK"),
                projection_type=dynamodb.ProjectionType.KEYS_ONLY,
            )
        return table

    def _keys_table(self) -> dynamodb.Table:
        """Members' wrapped keys. Without recovery on purpose: an erasure must not be undone by a restore."""
        table = dynamodb.Table(
            self,
            "Keys",
            partition_key=_string("PK"),
            sort_key=_string("SK"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            deletion_protection=self._protected,
            removal_policy=self._removal,
        )
        reason = "Holds wrapped data keys: destroying one erases a member for good, so it must not be restorable"
        acknowledge(table, "AwsSolutions-DDB3", reason)
        return table

    def _secret(self, name: str, description: str, length: int) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            name,
            description=description,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                # Both ways of saying it: the local AWS knows only the second.
                password_length=length, exclude_punctuation=True, exclude_characters=string.punctuation, include_space=False
            ),
            removal_policy=self._removal,
        )
        reason = "Keys are derived from it: it is changed by hand, with the old value kept beside, as the runbook says"
        acknowledge(secret, "AwsSolutions-SMG4", reason)
        return secret

    def _bucket(self, name: str, *, unlogged: str, **more: Any) -> s3.Bucket:
        """Private, encrypted, over TLS alone. ``unlogged``: why nobody needs its access log."""
        bucket = s3.Bucket(
            self,
            name,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            removal_policy=self._removal,
            **more,
        )
        acknowledge(bucket, "AwsSolutions-S1", unlogged)
        return bucket

    def _data_bucket(self) -> s3.Bucket:
        """What lies there for days: bodies of bulk jobs, exports, snapshots."""
        return self._bucket(
            "Data",
            unlogged="Objects live for days and are written and read by our own functions only, which log each use",
            versioned=False,
            lifecycle_rules=[
                s3.LifecycleRule(id="bulk", prefix=BULK_PREFIX, expiration=Duration.days(7)),
                s3.LifecycleRule(id="outbox", prefix=OUTBOX_PREFIX, expiration=Duration.days(30)),
                s3.LifecycleRule(id="snapshots", prefix=SNAPSHOTS_PREFIX, expiration=Duration.days(35)),
                s3.LifecycleRule(id="exports", prefix=EXPORTS_PREFIX, expiration=Duration.days(7)),
                s3.LifecycleRule(id="access", prefix=ACCESS_PREFIX, expiration=Duration.days(1)),
                _unfinished(),
            ],
        )

    def _seals_bucket(self) -> s3.Bucket:
        """Heads of the chains of seals: whoever can change the table, the account's root included, cannot change these before their time
        (docs/adr/0023). A local stage is thrown away, so its objects are not locked.
        """
        return self._bucket(
            "Seals",
            unlogged="Written by one function, which logs each use; what it holds cannot be changed",
            versioned=True,
            object_lock_enabled=True if self._protected else None,
            object_lock_default_retention=s3.ObjectLockRetention.compliance(SEALS_LOCKED) if self._protected else None,
        )

    def _media_bucket(self) -> s3.Bucket:
        """Only the delivery reads it, and the function ``media`` writes it."""
        return self._bucket(
            "Media",
            unlogged="Public images: who looks at which is nobody's business, and the function logs each change",
            versioned=False,
            lifecycle_rules=[_unfinished()],
        )


def _unfinished() -> s3.LifecycleRule:
    return s3.LifecycleRule(id="unfinished", abort_incomplete_multipart_upload_after=Duration.days(1))


class ImageDelivery(Construct):
    """A CloudFront distribution that alone may read the bucket (origin access control)."""

    def __init__(self, scope: Construct, construct_id: str, *, bucket: s3.Bucket) -> None:
        super().__init__(scope, construct_id)
        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment="Images that guests see",
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(bucket),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
                cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
                response_headers_policy=cloudfront.ResponseHeadersPolicy.CORS_ALLOW_ALL_ORIGINS_AND_SECURITY_HEADERS,
                # WebP, JPEG and PNG are compressed already.
                compress=False,
            ),
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
        )
        self.domain_name = distribution.distribution_domain_name
        reasons = {
            "AwsSolutions-CFR1": "Guests travel: images are for everybody, everywhere",
            "AwsSolutions-CFR2": "Only GET and HEAD of immutable public files reach it; there is nothing to attack but the bill",
            "AwsSolutions-CFR3": "Who looks at which image is nobody's business",
            "AwsSolutions-CFR4": "CloudFront's own name has its own certificate; a domain of the operator brings a newer TLS with it",
        }
        for rule, reason in reasons.items():
            acknowledge(distribution, rule, reason)


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
