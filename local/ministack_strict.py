"""The local AWS with IAM switched on: each request must be allowed by the very roles and session policies that were deployed.

MiniStack evaluates actions, resources and conditions with ``AUTH=true``, but knows not all condition keys of our policies. What it lacks
is put in here, by replacing functions of it in memory, as AWS documents the keys (Service Authorization Reference):

* ``dynamodb:LeadingKeys``: partition keys of the request, of each part of a transaction and of a batch;
* ``kms:EncryptionContext:<name>``: what a call to KMS carries;
* the resource of calls about mobile push and of letters, which are about any there;
* a batch to a queue needs the right to send one message: an action of its own does not exist;
* a secret's resource is what the call names it by, as a template's ``Ref`` to a secret is its name here, and at AWS its ARN;
* ``aws:SecureTransport`` is true: the loopback has no TLS, and policies of buckets and queues demand it.

``NotAsRead`` where an upgrade has changed what is replaced. Started by ``local.ministack_start``.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

_OF_REQUEST: ContextVar[Mapping[str, Any] | None] = ContextVar("condition keys of the request", default=None)
_SIGNATURES: Final = {
    "iam_actions.extract_resource_arn": ["service", "method", "path", "headers", "body", "query_params", "region", "account_id"],
    "iam_evaluator.enforce": ["access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"],
    "iam_evaluator.pin_request_origin": ["source_ip", "secure_transport"],
}
DENIED: Final = "denied"
"""Begins the line that the log gets of each refusal."""
_NAMED_KEY: Final = re.compile(r"(#\w+|\w+)\s*=\s*(:\w+)")


class NotAsRead(Exception):
    """MiniStack is another than the one that this was written for."""


def condition_keys(service: str, body: bytes) -> dict[str, Any]:
    """What a request says to conditions, beyond what MiniStack finds itself."""
    try:
        request = json.loads(body or b"{}")
    except (ValueError, UnicodeDecodeError):
        return {}
    if not isinstance(request, dict):
        return {}
    if service == "dynamodb":
        found = sorted(set(leading_keys(request)))
        return {"dynamodb:LeadingKeys": found} if found else {}
    if service == "kms":
        return {f"kms:EncryptionContext:{name}": value for name, value in (request.get("EncryptionContext") or {}).items()}
    return {}


def secret_of(body: bytes) -> str | None:
    """What a call to Secrets Manager names a secret by."""
    try:
        named = json.loads(body).get("SecretId")
    except (ValueError, AttributeError):
        return None
    return named if isinstance(named, str) else None


def sender_of(body: bytes) -> str | None:
    """The identity that a letter is sent as: the domain of its sender, which is what tenants verify."""
    try:
        address = json.loads(body).get("FromEmailAddress")
    except (ValueError, AttributeError):
        return None
    return address.rpartition("@")[2].rstrip("> ") if isinstance(address, str) else None


def endpoint_of(parameters: Mapping[str, Any]) -> str | None:
    """The application or endpoint of mobile push that a call to SNS is about, which MiniStack takes for any resource."""
    for name in ("PlatformApplicationArn", "EndpointArn", "TargetArn"):
        if name in parameters:
            value = parameters[name]
            return str(value[0] if isinstance(value, list) else value)
    return None


def leading_keys(request: Mapping[str, Any]) -> Iterator[str]:
    """Partition keys of a call to DynamoDB; of a Scan there are none."""
    for part in ("Key", "Item"):
        if part in request:
            yield request[part]["PK"]["S"]
    if "KeyConditionExpression" in request:
        found = _NAMED_KEY.match(request["KeyConditionExpression"])
        if found is not None:
            yield request["ExpressionAttributeValues"][found[2]]["S"]
    for item in request.get("TransactItems", ()):
        for part in item.values():
            yield from leading_keys(part)
    for table in request.get("RequestItems", {}).values():
        for key in table["Keys"] if isinstance(table, dict) else ():
            yield key["PK"]["S"]
        for write in table if isinstance(table, list) else ():
            for part in write.values():
                yield from leading_keys(part)


def install() -> None:
    """Replace what is lacking. Before MiniStack's application is imported, which takes some of it by name."""
    from ministack.core import iam_actions, iam_evaluator

    modules = {"iam_actions": iam_actions, "iam_evaluator": iam_evaluator}
    for name, parameters in _SIGNATURES.items():
        module, _, function = name.partition(".")
        if list(inspect.signature(getattr(modules[module], function)).parameters) != parameters:
            raise NotAsRead(f"{name} takes other parameters: read it, and mend {__file__}")
    extract, enforce, pin = iam_actions.extract_resource_arn, iam_evaluator.enforce, iam_evaluator.pin_request_origin

    def noting(service: str, method: str, path: str, headers: Any, body: bytes, query_params: Any, *rest: Any) -> Any:
        _OF_REQUEST.set(condition_keys(service, body))
        named = secret_of(body) if service == "secretsmanager" else endpoint_of(query_params) if service == "sns" else None
        sender = sender_of(body) if service == "ses" else None
        if sender is not None:
            region, account = rest
            named = f"arn:aws:ses:{region}:{account}:identity/{sender}"
        return named or extract(service, method, path, headers, body, query_params, *rest)

    def knowing(
        access_key_id: str, iam_action: str, service: str, region: str, resource_arn: str = "*", service_context: Any = None
    ) -> Any:
        known = {**(service_context or {}), **(_OF_REQUEST.get() or {})}
        iam_action = iam_action.removesuffix("Batch") if service == "sqs" else iam_action
        refusal = enforce(access_key_id, iam_action, service, region, resource_arn=resource_arn, service_context=known)
        if refusal is not None:
            who = getattr(refusal, "principal_arn", "")
            print(json.dumps({DENIED: iam_action, "on": resource_arn, "to": who, "keys": known}, default=str), flush=True)
        return refusal

    iam_actions.extract_resource_arn = noting
    iam_evaluator.enforce = knowing
    iam_evaluator.pin_request_origin = lambda source_ip, _secure: pin(source_ip, True)


def main() -> None:
    """Start it."""
    os.environ["AUTH"] = "true"
    install()
    from ministack.app import main as serve

    serve()
