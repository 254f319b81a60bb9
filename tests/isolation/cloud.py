"""The services beside the tables, in memory, as far as functions use them: each remembers what was asked of it, and for whom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from botocore.exceptions import ClientError

from tests.fakes.uploads import UploadingS3
from tests.fakes.user_pool import FakeUserPool

MASTER = "a master secret of the tests"
OPERATOR = "o" * 43
"""As long as a key's secret is."""
_SEPARATOR = b"|"


@dataclass
class Queues:
    """SQS: messages by the queue's address, oldest first."""

    sent: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def send_message(self, QueueUrl: str, MessageBody: str, **_more: Any) -> None:
        self.sent.setdefault(QueueUrl, []).append(json.loads(MessageBody))

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        for entry in Entries:
            self.send_message(QueueUrl, entry["MessageBody"])
        return {}

    def take(self, url: str) -> list[dict[str, Any]]:
        """What waits in a queue, which is then empty."""
        return self.sent.pop(url, [])


class S3(UploadingS3):
    """Objects by name, whichever bucket they are in."""

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str = "", **_more: str) -> None:
        super().put_object(Bucket, Key, Body, ContentType)

    def list_objects_v2(self, Bucket: str, Prefix: str = "", **_more: Any) -> dict[str, Any]:
        return {"Contents": [{"Key": each} for each in sorted(self.objects) if each.startswith(Prefix)], "IsTruncated": False}

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        for each in Delete["Objects"]:
            self.objects.pop(each["Key"], None)
        return {}


class Kms:
    """Keys that open for the tenant alone that they were made for, as an encryption context has it."""

    made = 0

    def generate_data_key_without_plaintext(self, KeyId: str, KeySpec: str, EncryptionContext: dict[str, str]) -> dict[str, Any]:
        Kms.made += 1
        return {"CiphertextBlob": _SEPARATOR.join((EncryptionContext["tenant"].encode(), str(Kms.made).encode()))}

    def decrypt(self, CiphertextBlob: bytes, EncryptionContext: dict[str, str]) -> dict[str, Any]:
        if CiphertextBlob.partition(_SEPARATOR)[0] != EncryptionContext["tenant"].encode():
            raise ClientError({"Error": {"Code": "InvalidCiphertextException"}}, "Decrypt")
        return {"Plaintext": hashlib.sha256(CiphertextBlob).digest()}


class Secrets:
    """The stage's two secrets."""

    def get_secret_value(self, SecretId: str) -> dict[str, str]:
        return {"SecretString": OPERATOR if SecretId == "operator_secret_arn" else MASTER}


class Sns:
    """Mobile push: applications are named after what they are of."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        """Of each endpoint."""

    def create_platform_application(self, Name: str, Platform: str, Attributes: dict[str, str]) -> dict[str, str]:
        return {"PlatformApplicationArn": f"arn:aws:sns:us-east-1:000000000000:app/{Platform}/{Name}"}

    def set_platform_application_attributes(self, **_request: Any) -> None:
        return None

    def create_platform_endpoint(self, PlatformApplicationArn: str, Token: str) -> dict[str, str]:
        # As in SNS: the same token has the same endpoint, whose name does not tell the token.
        arn = f"{PlatformApplicationArn.replace(':app/', ':endpoint/')}/{uuid5(NAMESPACE_URL, Token)}"
        self.tokens[arn] = Token
        return {"EndpointArn": arn}

    def get_endpoint_attributes(self, EndpointArn: str) -> dict[str, Any]:
        return {"Attributes": {"Enabled": "true", "Token": self.tokens[EndpointArn]}}

    def set_endpoint_attributes(self, **_request: Any) -> None:
        return None

    def delete_endpoint(self, **_request: Any) -> None:
        return None

    def delete_platform_application(self, **_request: Any) -> None:
        return None


class Sts:
    """Sessions whose token says whose they are; the policies that came with them are kept."""

    def __init__(self) -> None:
        self.policies: dict[str, str] = {}
        """Tenant -> the inline policy of its session."""
        self.tags: dict[str, list[dict[str, str]]] = {}

    def assume_role(self, RoleSessionName: str, Policy: str, Tags: list[dict[str, str]], **_request: Any) -> dict[str, Any]:
        self.policies[RoleSessionName] = Policy
        self.tags[RoleSessionName] = Tags
        return {"Credentials": {"AccessKeyId": "key", "SecretAccessKey": "secret", "SessionToken": RoleSessionName}}


class Bus:
    """EventBridge: takes everything."""

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}


@dataclass
class Watched:
    """A client that tells which of its operations are called, with what."""

    service: str
    client: Any
    tell: Callable[[str, str, dict[str, Any]], None]

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        work = getattr(self.client, operation)

        def call(*args: Any, **request: Any) -> Any:
            self.tell(self.service, operation, request)
            return work(*args, **request)

        return call


@dataclass
class Cloud:
    """Every service, shared by all functions."""

    s3: S3 = field(default_factory=S3)
    sqs: Queues = field(default_factory=Queues)
    sns: Sns = field(default_factory=Sns)
    kms: Kms = field(default_factory=Kms)
    secretsmanager: Secrets = field(default_factory=Secrets)
    sts: Sts = field(default_factory=Sts)
    events: Bus = field(default_factory=Bus)
    cognito_idp: FakeUserPool = field(default_factory=FakeUserPool)
