"""The requests that functions really make, against the rights that the template really gives them (IAM's own rules: tests/builders/iam.py).

A tenant is filled, every operation is called and every queue worked off over a real engine, and each request to a table is noted with the
session that it was made under. The local AWS knows no leading keys, so this is where the second fence is proven.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from infra.packaging import FUNCTIONS
from shared.kernel.instants import DAY
from tests.builders.iam import Request, Statement, is_allowed, listed, of_dynamodb
from tests.fakes import engine
from tests.infra.conftest import Synthesised
from tests.isolation.building import ACCOUNT, OWN, REGION, Asked, Building, open_building
from tests.isolation.filling import THE_OPERATOR, Tenant
from tests.isolation.walking import calls, credential_of, operations

ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/"
_COMMITS = "commits what falls due or was told about members; which kinds of writes that takes depends on what tenants define"
_OPENS = "opens members' facts where a rule asks for a birthday or a home, which the recorded tenant's rules do not"
UNUSED = {
    **dict.fromkeys((("segment_evaluation", each, "main") for each in ("UpdateItem", "DeleteItem", "ConditionCheckItem")), _COMMITS),
    **dict.fromkeys((("segment_snapshots", each, "main") for each in ("UpdateItem", "ConditionCheckItem")), _COMMITS),
    **dict.fromkeys((("delivery_feedback", each, "main") for each in ("UpdateItem", "DeleteItem", "ConditionCheckItem")), _COMMITS),
    ("campaign_sending", "DeleteItem", "main"): _COMMITS,
    **dict.fromkeys(
        ((name, each, "main") for name in ("campaign_planning", "campaign_reports") for each in ("UpdateItem", "ConditionCheckItem")),
        "starts, ends and pauses campaigns, which opens and closes their gates",
    ),
    **dict.fromkeys(
        ((name, each, "keys") for name in ("segment_evaluation", "segment_snapshots") for each in ("GetItem", "BatchGetItem")), _OPENS
    ),
    ("campaign_sending", "BatchGetItem", "keys"): "opens the addresses of a batch of more than one member",
}
"""(function, action, table) that no recorded request needs, and why it is granted all the same."""


@dataclass(frozen=True)
class Recorded:
    """What was asked, and the tables' names."""

    asked: list[Asked]
    main: str
    keys: str
    policies: Mapping[str, str]
    tags: Mapping[str, Any]

    def of(self, function: str, session: str) -> list[Request]:
        """Requests to tables by a function under that session, each once."""
        mine = [each for each in self.asked if (each.function, each.service) == (function, "dynamodb") and each.session == session]
        found = [each for asked in mine for each in of_dynamodb(asked.operation, asked.request, ARN)]
        return list({json.dumps([each.action, each.resource, dict(each.context)]): each for each in found}.values())

    def sessions(self) -> Iterator[tuple[str, str, Request]]:
        """Function, tenant, request: everything under a tenant's session."""
        for function in FUNCTIONS:
            for tenant in self.policies:
                yield from ((function, tenant, each) for each in self.of(function, tenant))


@pytest.fixture(scope="session")
def recorded() -> Iterator[Recorded]:
    """A tenant's whole life."""
    with engine.running_engine() as address, open_building(address, "rights") as building:
        tenant = Tenant(building, "anton", "zorn", 567).fill()
        tenant.sign_in()
        image = building.image()
        for operation in operations():
            for call in calls(operation, tenant):
                assert call.send(building, credential_of(operation, tenant)).status < 500, operation
                _work_off(building)
                if operation.startswith(("erase", "merge")):
                    building.deliver("member_rights", tenant.tell(), may_fail=True)
                    _work_off(building)
                building.restore(image)
        building.deliver("delivery_feedback", [tenant.told_bounce()])
        building.now += 400 * DAY
        building.deliver("segment_evaluation", [{"kind": "sweep"}])
        _work_off(building)
        tenant.tell()
        building.deliver("audit_sealing", [{"kind": "seal"}])
        _work_off(building)
        _remove(tenant)
        sts = building.cloud.sts
        yield Recorded(building.asked, building.main, building.keys, sts.policies, sts.tags)


def _remove(tenant: Tenant) -> None:
    found = tenant.building.call("get_tenant", THE_OPERATOR, path={"tenant_id": tenant.id})
    suspended, headers = {"settings": found.body["settings"] | {"status": "suspended"}}, {"if-match": found.headers["etag"]}
    path = {"tenant_id": tenant.id}
    assert tenant.building.call("replace_tenant", THE_OPERATOR, suspended, path=path, headers=headers).status == 200
    assert tenant.building.call("remove_tenant", THE_OPERATOR, {"id": tenant.id}, path=path).status < 300
    tenant.building.now += DAY
    _work_off(tenant.building)


def _work_off(building: Building) -> None:
    queues = {name: f"{name}_queue_url" for name in ("members", "transactions", "coupons", "exports", "segments", "snapshots", "planning")}
    consumers = ("registration", "transaction_ingestion", "coupon_redemption", "audiences", "segment_evaluation", "segment_snapshots", "campaign_planning")  # fmt: skip  # noqa: E501
    more = {"sending_queue_url": "campaign_sending", "rights_queue_url": "member_rights", "removals_queue_url": "tenant_removal"}
    more["audit_queue_url"] = "audit_sealing"
    for _ in range(3):
        for url, function in (dict(zip(queues.values(), consumers, strict=True)) | more).items():
            if waiting := building.cloud.sqs.take(url):
                building.deliver(function, waiting, may_fail=True)
    building.cloud.sqs.sent.clear()


def statements_of(stage: Synthesised, role: str, recorded: Recorded) -> list[Statement]:
    """What a role may do, with the tables' names of the recording."""
    exports = {
        output["Export"]["Name"]: output["Value"] for output in stage.state.body.get("Outputs", {}).values() if "Export" in output
    }

    def plain(value: Any) -> Any:
        if isinstance(value, dict) and len(value) == 1:
            (name, of), = value.items()
            if name == "Fn::ImportValue":
                return plain(exports[of])
            if name == "Fn::GetAtt":
                table = {"Main": recorded.main, "Keys": recorded.keys}.get(re.match("[A-Z][a-z]+", of[0])[0])  # type: ignore[index]
                return ARN + table if table and of[1] == "Arn" else f"arn:{of[0]}.{of[1]}"
            if name == "Ref":
                return {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}.get(of, of)
            if name == "Fn::Join":
                return of[0].join(plain(each) for each in of[1])
            raise NotImplementedError(name)
        return value

    found = [each for name, each in stage.service.statements() if name == role]
    return [{**each, "Resource": [plain(resource) for resource in listed(each["Resource"])]} for each in found]


def role_of(stage: Synthesised, function: str) -> str:
    role: str = stage.service.function(function)["Role"]["Fn::GetAtt"][0]
    return role


def tenant_role(stage: Synthesised) -> str:
    (role,) = (name for name in stage.service.resources("AWS::IAM::Role") if name.startswith("TenantRole"))
    return role


def session_of(recorded: Recorded, tenant: str) -> list[Statement]:
    found: list[Statement] = json.loads(recorded.policies[tenant])["Statement"]
    return found


def test_each_session_carries_its_tenants_policy_and_tag(recorded: Recorded) -> None:
    for tenant, policy in recorded.policies.items():
        assert f"T#{tenant}#*" in policy
        assert recorded.tags[tenant] == [{"Key": "tenant", "Value": tenant}]


def test_a_tenants_session_may_do_what_it_really_does(prod: Synthesised, recorded: Recorded) -> None:
    role = statements_of(prod, tenant_role(prod), recorded)
    made = list(recorded.sessions())
    assert len({function for function, _, _ in made}) >= 8
    for function, tenant, request in made:
        assert is_allowed(request, role, session_of(recorded, tenant)), f"{function}: {request}"


def test_the_same_with_one_key_of_another_tenant_is_denied(prod: Synthesised, recorded: Recorded) -> None:
    role = statements_of(prod, tenant_role(prod), recorded)
    for function, tenant, request in recorded.sessions():
        own = list(request.context["dynamodb:LeadingKeys"])
        for other in ("berta", "anto", f"{tenant}x", "operator", "local"):
            foreign = own[0].replace(f"T#{tenant}#", f"T#{other}#")
            for keys in ([foreign], [*own, foreign], [foreign.removeprefix("T#")], [""]):
                crossed = replace(request, context={"dynamodb:LeadingKeys": keys})
                assert not is_allowed(crossed, role, session_of(recorded, tenant)), f"{function}: {crossed}"


def test_what_has_no_keys_or_is_elsewhere_is_denied(prod: Synthesised, recorded: Recorded) -> None:
    role = statements_of(prod, tenant_role(prod), recorded)
    tables = (ARN + recorded.main, f"{ARN}{recorded.main}/index/GSI1", ARN + recorded.keys)
    keyless = ("Scan", "PartiQLSelect", "PartiQLUpdate", "PartiQLInsert", "PartiQLDelete", "ExportTableToPointInTime", "DescribeTable",
               "DeleteTable", "UpdateTable", "GetRecords", "CreateBackup", "BatchWriteItem")  # fmt: skip
    for tenant in recorded.policies:
        session, own = session_of(recorded, tenant), {"dynamodb:LeadingKeys": [f"T#{tenant}#DEF"]}
        for table in tables:
            for action in keyless:
                assert not is_allowed(Request(f"dynamodb:{action}", table), role, session), action
        for elsewhere in (f"{ARN}{recorded.main}2", f"{ARN}other", f"{ARN}{recorded.main}/stream/1"):
            assert not is_allowed(Request("dynamodb:GetItem", elsewhere, own), role, session), elsewhere


@pytest.mark.parametrize(
    ("verb", "partition", "allowed"),
    [
        ("PutItem", "AUDIT#2026#0", True), ("Query", "AUDIT#2026#0", True), ("Query", "SEALS", True), ("PutItem", "SEALS", False),
        ("UpdateItem", "SEALS", False), ("DeleteItem", "SEALS", False), ("PutItem", "DEF", True), ("DeleteItem", "DEF", True),
    ],
)  # fmt: skip
def test_the_seals_of_a_tenant_are_not_its_to_write(
    prod: Synthesised, recorded: Recorded, verb: str, partition: str, allowed: bool
) -> None:
    role = statements_of(prod, tenant_role(prod), recorded)
    for tenant in recorded.policies:
        for more in ([], [f"T#{tenant}#DEF"]):
            keys = {"dynamodb:LeadingKeys": [f"T#{tenant}#{partition}", *more]}
            request = Request(f"dynamodb:{verb}", ARN + recorded.main, keys)
            assert is_allowed(request, role, session_of(recorded, tenant)) is allowed, request


def test_a_tenants_keys_open_for_that_tenant_alone(prod: Synthesised, recorded: Recorded) -> None:
    role = statements_of(prod, tenant_role(prod), recorded)
    (key,) = {resource for each in role if each.get("Sid") == "WrappedKeys" for resource in each["Resource"]}
    for tenant in recorded.policies:
        for named, expected in ((tenant, True), ("berta", False), (f"{tenant}x", False)):
            context = {"kms:EncryptionContext:tenant": [named]}
            assert is_allowed(Request("kms:Decrypt", key, context), role, session_of(recorded, tenant)) is expected
        assert not is_allowed(Request("kms:Decrypt", key), role, session_of(recorded, tenant))


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_functions_own_role_allows_what_it_really_asks_under_it(prod: Synthesised, recorded: Recorded, function: str) -> None:
    role = statements_of(prod, role_of(prod, function), recorded)
    for request in recorded.of(function, OWN):
        assert is_allowed(request, role), f"{function}: {request}"


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_functions_own_role_names_no_action_on_a_table_that_it_never_uses(
    prod: Synthesised, recorded: Recorded, function: str
) -> None:  # fmt: skip
    granted = {
        (action.removeprefix("dynamodb:"), _table(resource))
        for each in statements_of(prod, role_of(prod, function), recorded) for action in listed(each["Action"])
        for resource in each["Resource"] if action.startswith("dynamodb:") and resource.startswith(ARN) and "/stream/" not in resource
    }  # fmt: skip
    used = {(each.action.removeprefix("dynamodb:"), _table(each.resource)) for each in recorded.of(function, OWN)}
    names = {recorded.main: "main", recorded.keys: "keys"}
    unused = {(action, names[table]) for action, table in granted - used if (function, action, names[table]) not in UNUSED}
    assert not unused, f"{function} never needs {sorted(unused)}: take it from its role, or say in UNUSED why it stays"


def test_no_exception_has_become_needless(prod: Synthesised, recorded: Recorded) -> None:
    names = {"main": recorded.main, "keys": recorded.keys}
    for function, action, table in UNUSED:
        used = {(each.action, _table(each.resource)) for each in recorded.of(function, OWN)}
        assert (f"dynamodb:{action}", names[table]) not in used, f"{function} does use {action} on {table}: take it from UNUSED"
        granted = {each for s in statements_of(prod, role_of(prod, function), recorded) for each in listed(s["Action"])}
        assert f"dynamodb:{action}" in granted, f"{function} is not granted {action} any more: take it from UNUSED"


def _table(resource: str) -> str:
    return resource.removeprefix(ARN).partition("/")[0]
