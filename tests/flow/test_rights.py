"""What a tenant's session may not, asked of IAM itself: the role and the session policy that were deployed, evaluated for real requests.

All flow tests run on a local AWS whose IAM decides about every request (``local.ministack_strict``); here is what must be refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.ministack import ACCOUNT, REGION
from shared.aws.runtime import session_policy
from tests.flow.conftest import PROBE, DeployedStack

ANN, BOB = "rightsann", "rightsbob"


@pytest.fixture(scope="module")
def session(stack: DeployedStack) -> Callable[[str], Any]:
    """Clients under the session of Ann's tenant, made as functions make it."""
    names = [stack.outputs[each] for each in ("TableName", "KeysTableName")]
    arns = [f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}" for name in names]
    functions = stack.client("lambda").list_functions()["Functions"]
    (role,) = {found for each in functions if (found := each.get("Environment", {}).get("Variables", {}).get("TENANT_ROLE_ARN"))}
    _let_root_take(stack.client("iam"), role.rpartition("/")[2])
    answer = stack.client("sts").assume_role(
        RoleArn=role, RoleSessionName=PROBE, Policy=session_policy(ANN, arns), Tags=[{"Key": "tenant", "Value": ANN}]
    )["Credentials"]
    made = boto3.Session(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"], region_name=REGION)
    return lambda service: made.client(service, endpoint_url=stack.instance.endpoint)


def _let_root_take(iam: Any, role: str) -> None:
    """Let the test assume a role that only functions may assume. What the role may do stays as it was deployed."""
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    me = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps({**trust, "Statement": [*trust["Statement"], me]}))


def _key(tenant: str, sk: str = "x") -> dict[str, Any]:
    return {"PK": {"S": f"T#{tenant}#PROBE"}, "SK": {"S": sk}}


def _query(name: str, tenant: str, **more: Any) -> dict[str, Any]:
    return {"TableName": name, "KeyConditionExpression": "PK = :p", "ExpressionAttributeValues": {":p": _key(tenant)["PK"]}, **more}


CALLS: dict[str, Callable[[Any, str, str], Any]] = {
    "get": lambda d, name, whose: d.get_item(TableName=name, Key=_key(whose)),
    "put": lambda d, name, whose: d.put_item(TableName=name, Item=_key(whose)),
    "update": lambda d, name, whose: d.update_item(TableName=name, Key=_key(whose)),
    "delete": lambda d, name, whose: d.delete_item(TableName=name, Key=_key(whose)),
    "query": lambda d, name, whose: d.query(**_query(name, whose)),
    "batch": lambda d, name, whose: d.batch_get_item(RequestItems={name: {"Keys": [_key(ANN), _key(whose, "y")]}}),
    "transaction": lambda d, name, whose: d.transact_write_items(
        TransactItems=[{"Put": {"TableName": name, "Item": _key(ANN)}}, {"Put": {"TableName": name, "Item": _key(whose, "y")}}]
    ),
}


@pytest.mark.parametrize("table", ["TableName", "KeysTableName"])
@pytest.mark.parametrize("call", CALLS)
def test_a_tenants_session_reaches_its_own_keys_and_no_others(stack: DeployedStack, session: Any, call: str, table: str) -> None:
    database, name = session("dynamodb"), stack.outputs[table]
    CALLS[call](database, name, ANN)
    with pytest.raises(ClientError, match="AccessDenied"):
        CALLS[call](database, name, BOB)
    # The prefix ends in a separator: a tenant whose name begins alike is another.
    with pytest.raises(ClientError, match="AccessDenied"):
        CALLS[call](database, name, f"{ANN}2")


@pytest.mark.parametrize("table", ["TableName", "KeysTableName"])
def test_it_cannot_read_a_table_from_end_to_end(stack: DeployedStack, session: Any, table: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        session("dynamodb").scan(TableName=stack.outputs[table])


def test_it_opens_keys_with_its_own_tenant_as_context_alone(stack: DeployedStack, session: Any) -> None:
    kms, key = session("kms"), stack.outputs["TenantKeyId"]

    def made(tenant: str) -> Any:
        return kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256", EncryptionContext={"tenant": tenant})

    wrapped = made(ANN)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=wrapped, EncryptionContext={"tenant": ANN})["Plaintext"]
    with pytest.raises(ClientError, match="AccessDenied"):
        made(BOB)
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.decrypt(CiphertextBlob=wrapped, EncryptionContext={"tenant": BOB})


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("s3", lambda client, outputs: client.list_objects_v2(Bucket=outputs["DataBucket"])),
        ("sqs", lambda client, outputs: client.send_message(QueueUrl=outputs["RightsQueueUrl"], MessageBody="{}")),
        ("secretsmanager", lambda client, outputs: client.get_secret_value(SecretId=outputs["MasterSecretArn"])),
    ],
)
def test_it_is_good_for_tables_and_keys_alone(stack: DeployedStack, session: Any, service: str, call: Any) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        call(session(service), stack.outputs)
