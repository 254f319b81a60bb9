"""Least privilege, as the templates say it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.packaging import FUNCTIONS
from shared.aws.runtime import session_policy
from shared.tenants.removal import DATA_PREFIXES, MEDIA_PREFIXES
from tests.infra.conftest import Synthesised, listed

WITHOUT_RESOURCE = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "sns:CreatePlatformApplication"}
"""Actions for which AWS takes no resource but ``*``."""
TENANT_SERVING = (
    "registration", "transaction_ingestion", "coupon_redemption", "sign_in", "tenancy", "administration", "media", "audiences",
    "guest_links",
)  # fmt: skip


def role_of(stage: Synthesised, function: str) -> str:
    role: str = stage.service.function(function)["Role"]["Fn::GetAtt"][0]
    return role


def rights_of(stage: Synthesised, function: str) -> list[dict[str, Any]]:
    role = role_of(stage, function)
    return [statement for name, statement in stage.service.statements() if name == role]


def actions_of(stage: Synthesised, function: str) -> set[str]:
    return {action for statement in rights_of(stage, function) for action in listed(statement["Action"])}


@pytest.fixture(params=["prod", "local"])
def stage(request: pytest.FixtureRequest) -> Synthesised:
    found: Synthesised = request.getfixturevalue(request.param)
    return found


def test_every_function_has_a_role_of_its_own(stage: Synthesised) -> None:
    assert len({role_of(stage, name) for name in FUNCTIONS}) == len(FUNCTIONS)


def test_only_the_removal_of_tenants_may_scan_and_no_action_is_a_wildcard(stage: Synthesised) -> None:
    removal = role_of(stage, "tenant_removal")
    for template in stage.stacks.values():
        for name, statement in template.statements():
            for action in listed(statement["Action"]):
                assert "*" not in action, name
                assert "Scan" not in action or name == removal, name
                assert not action.startswith("dynamodb:PartiQL"), name


def test_the_removal_of_tenants_reads_no_values_by_key_and_writes_nothing_but_its_notes(stage: Synthesised) -> None:
    own = {"T#operator#REMOVALS"}
    for statement in rights_of(stage, "tenant_removal"):
        actions = {action for action in listed(statement["Action"]) if action.startswith("dynamodb:")}
        fenced = set(listed(statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])))
        if not fenced <= own | {"T#local#CLOCK"} or not fenced:
            assert actions <= {"dynamodb:Scan", "dynamodb:DeleteItem"}
    assert not actions_of(stage, "tenant_removal") & {"s3:GetObject", "s3:PutObject", "kms:Decrypt", "secretsmanager:GetSecretValue"}


def test_only_x_ray_has_the_resource_star(stage: Synthesised) -> None:
    for name, statement in stage.service.statements():
        if "*" in listed(statement["Resource"]):
            assert set(listed(statement["Action"])) <= WITHOUT_RESOURCE, name


def test_table_actions_name_tables_and_indexes_exactly(stage: Synthesised) -> None:
    for name, statement in stage.service.statements():
        if any(action.startswith("dynamodb:") for action in listed(statement["Action"])):
            assert "*" not in json.dumps(statement["Resource"]), name


def test_the_tenant_role_is_held_to_tenants_partitions(stage: Synthesised) -> None:
    statements = [s for name, s in stage.service.statements() if s.get("Sid") == "OneTenantsItems" and name.startswith("Tenant")]
    assert len(statements) == 1
    assert statements[0]["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["T#*"]}}
    assert set(statements[0]["Action"]) == {
        f"dynamodb:{action}"
        for action in ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem")
    }


def test_only_functions_that_serve_tenants_may_assume_the_tenant_role(stage: Synthesised) -> None:
    serving = {role_of(stage, name) for name in TENANT_SERVING}
    (tenant,) = (r for n, r in stage.service.resources("AWS::IAM::Role").items() if n.startswith("TenantRole"))
    trusted = [
        principal["Fn::GetAtt"][0]
        for statement in tenant["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        for principal in listed(statement["Principal"]["AWS"])
    ]
    assert set(trusted) == serving
    granted = {
        role["Ref"]
        for policy in stage.service.resources("AWS::IAM::Policy").values()
        if any("sts:AssumeRole" in listed(s["Action"]) for s in policy["Properties"]["PolicyDocument"]["Statement"])
        for role in policy["Properties"]["Roles"]
    }
    assert granted == serving


def test_the_session_tag_is_allowed_by_both_sides(stage: Synthesised) -> None:
    """AWS refuses an AssumeRole that carries tags unless role and caller allow sts:TagSession."""
    (tenant,) = (r for n, r in stage.service.resources("AWS::IAM::Role").items() if n.startswith("TenantRole"))
    for statement in tenant["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
        assert {"sts:AssumeRole", "sts:TagSession"} <= set(listed(statement["Action"]))
    callers = [
        statement
        for policy in stage.service.resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "sts:AssumeRole" in listed(statement["Action"])
    ]
    assert callers
    assert all("sts:TagSession" in listed(statement["Action"]) for statement in callers)


def test_what_the_runtime_asks_of_kms_is_what_the_tenant_role_allows(stage: Synthesised) -> None:
    (allowed,) = [set(listed(s["Action"])) for name, s in stage.service.statements() if s.get("Sid") == "WrappedKeys"]
    statements = json.loads(session_policy("acme", ["arn"]))["Statement"]
    asked = {action for statement in statements for action in statement["Action"] if action.startswith("kms:")}
    assert asked == allowed == {"kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext"}


def test_functions_that_serve_tenants_have_no_right_of_their_own_on_the_tables(prod: Synthesised) -> None:
    for name in ("transaction_ingestion", "coupon_redemption", "administration", "media", "audiences", "guest_links"):
        assert not {action for action in actions_of(prod, name) if action.startswith(("dynamodb:", "kms:"))}
    for name in ("registration", "sign_in"):
        signing = [s for s in rights_of(prod, name) if any(a.startswith(("dynamodb:", "kms:")) for a in listed(s["Action"]))]
        assert [(listed(s["Action"]), s["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]) for s in signing] == [
            (["dynamodb:GetItem"], ["T#operator#SIGNING"])
        ]
    own = [s for s in rights_of(prod, "tenancy") if any(a.startswith("dynamodb:") for a in listed(s["Action"]))]
    assert len(own) == 1
    assert own[0]["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["T#operator#*"]}}


def test_only_who_sends_may_send_and_links_may_nothing_but_read_the_secret(prod: Synthesised) -> None:
    sending = {"ses:SendEmail", "sms-voice:SendTextMessage", "sns:Publish"}
    senders = {"campaign_sending", "administration", "sign_in", "member_rights"}
    assert {name for name in FUNCTIONS if actions_of(prod, name) & sending} == senders
    links = {each for each in actions_of(prod, "guest_links") if not each.startswith(("logs:", "xray:", "sts:"))}
    assert links == {"secretsmanager:GetSecretValue"}
    for statement in rights_of(prod, "campaign_sending"):
        if set(listed(statement["Action"])) & sending:
            assert all(json.dumps(each).rstrip(']}"').endswith("/*") for each in listed(statement["Resource"]))


def test_feedback_reads_an_endpoints_token_and_changes_nothing_of_push(prod: Synthesised) -> None:
    found = {each for each in actions_of(prod, "delivery_feedback") if each.startswith(("sns:", "secretsmanager:"))}
    assert found == {"sns:GetEndpointAttributes"}


def test_the_authorizer_reads_keys_and_tenants_and_writes_when_a_key_was_used(prod: Synthesised) -> None:
    actions = {action for action in actions_of(prod, "authorizer") if not action.startswith(("logs:", "xray:"))}
    assert actions == {"dynamodb:GetItem", "dynamodb:UpdateItem", "secretsmanager:GetSecretValue"}
    for statement in rights_of(prod, "authorizer"):
        if any(action.startswith("dynamodb:") for action in listed(statement["Action"])):
            fenced = set(listed(statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]))
            read_only = {"T#operator#TENANTS", "T#operator#SIGNING"}
            assert fenced <= {"T#*#KEYS"} | (read_only if listed(statement["Action"]) == ["dynamodb:GetItem"] else set())


def test_the_relay_can_not_touch_a_table(prod: Synthesised) -> None:
    writes = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query"}
    assert not actions_of(prod, "event_relay") & writes


def test_planning_never_sees_a_secret_or_a_key(prod: Synthesised) -> None:
    assert not {action for action in actions_of(prod, "campaign_planning") if action.startswith(("kms:", "secretsmanager:", "s3:"))}


def test_objects_are_reached_below_a_prefix_only(stage: Synthesised) -> None:
    for name, statement in stage.service.statements():
        lists = listed(statement["Action"]) == ["s3:ListBucket"] and name == role_of(stage, "tenant_removal")
        if not lists and any(action.startswith("s3:") for action in listed(statement["Action"])):
            below = ("/bulk/*", "/outbox/*", "/media/*", "/snapshots/*", "/exports/*", "/access/*", "/seals/*")
            assert all(json.dumps(r).rstrip(']}"').endswith(below) for r in listed(statement["Resource"])), name


def test_audiences_only_reads_snapshots_and_keeps_its_files_below_a_prefix_of_their_own(stage: Synthesised) -> None:
    of_objects = [s for s in rights_of(stage, "audiences") if any(each.startswith("s3:") for each in listed(s["Action"]))]
    found = {json.dumps(s["Resource"]).rstrip(']}"').rpartition("/")[0].rpartition("/")[2]: set(listed(s["Action"])) for s in of_objects}
    assert found == {"snapshots": {"s3:GetObject"}, "exports": {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}}


def test_snapshots_are_written_by_their_function_alone_which_makes_no_keys(stage: Synthesised) -> None:
    touching = {name for name, s in stage.service.statements() if any("/snapshots/*" in json.dumps(r) for r in listed(s["Resource"]))}
    assert touching == {role_of(stage, "segment_snapshots"), role_of(stage, "audiences"), role_of(stage, "tenant_removal")}
    # It evaluates members at a switch as the sweep does, for which birthdays are opened.
    its, sweeps = ({each for each in actions_of(stage, name) if each.startswith(("kms:", "secretsmanager:"))}
                   for name in ("segment_snapshots", "segment_evaluation"))  # fmt: skip
    assert its == sweeps == {"kms:Decrypt", "secretsmanager:GetSecretValue"}


def test_seals_are_written_by_their_function_alone_and_deleted_by_none(stage: Synthesised) -> None:
    touching = {name: set(listed(s["Action"])) for name, s in stage.service.statements() if "/seals/*" in json.dumps(s["Resource"])}
    assert touching == {role_of(stage, "audit_sealing"): {"s3:PutObject"}}
    its = actions_of(stage, "audit_sealing")
    assert not {each for each in its if each.startswith("s3:") or "Delete" in each} - {"s3:PutObject", "sqs:DeleteMessage"}
    written = [s for s in rights_of(stage, "audit_sealing") if "dynamodb:PutItem" in listed(s["Action"])]
    assert [s["Condition"] for s in written] == [{"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["T#*#SEALS"]}}]


def test_only_erasure_destroys_members_keys(prod: Synthesised) -> None:
    """Of the functions under their own role; the tenant's session could, and no code of theirs does."""
    deleting = {
        name
        for name in FUNCTIONS
        for statement in rights_of(prod, name)
        if "dynamodb:DeleteItem" in listed(statement["Action"]) and "Keys" in json.dumps(statement["Resource"])
    }
    assert "member_rights" in deleting
    assert deleting <= {"member_rights", "tenant_removal"}, "but for a tenant that goes whole"
    sns = {each for each in actions_of(prod, "member_rights") if each.startswith("sns:")}
    assert sns == {"sns:DeleteEndpoint"}


def test_the_removal_of_tenants_reaches_all_that_they_have_objects_below(stage: Synthesised) -> None:
    (deleting,) = (s for s in rights_of(stage, "tenant_removal") if listed(s["Action"]) == ["s3:DeleteObject"])
    below = {json.dumps(resource).rsplit("/", 2)[1] + "/" for resource in listed(deleting["Resource"])}
    assert below == {*DATA_PREFIXES, *MEDIA_PREFIXES}
