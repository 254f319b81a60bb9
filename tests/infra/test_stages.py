"""The local stage is production, less what is listed here."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from infra.packaging import FUNCTIONS
from infra.stage import stage_named
from shared.audit.model import SEALS_KEPT
from shared.kernel.instants import DAY
from tests.infra.conftest import Synthesised, Template

LOCAL_ENVIRONMENT = {"DEFINITION_CACHE_SECONDS": "1", "LOCAL_CLOCK": "1", "STAGE": "local"}
CLOCK = "T#local#CLOCK"


def normal(template: Template, stage: str) -> dict[str, Any]:
    """The template with the stage's name and the assets' hashes replaced: those differ by nature."""
    text = json.dumps(template.body).replace(f"regulars-{stage}", "regulars-STAGE").replace(f"regulars{stage}", "regularsSTAGE")
    body: dict[str, Any] = json.loads(re.sub(r"(AllowEventRule\w+?)[0-9A-F]{8}\b", r"\1", text))  # Its hash is of the path with the stage.
    for resource in body["Resources"].values():
        properties = resource["Properties"]
        for place in ("Code", "Content"):
            if "S3Key" in properties.get(place, {}):
                properties[place]["S3Key"] = "ASSET"
        for tag in properties.get("Tags", []):
            if isinstance(tag, dict) and tag["Key"] == "stage":
                tag["Value"] = "STAGE"
        if isinstance(properties.get("Tags"), dict):
            properties["Tags"]["stage"] = "STAGE"
        resource.get("Metadata", {}).clear()
    return body


def without_clock(body: dict[str, Any]) -> dict[str, Any]:
    """The local template with its one extra right taken out: reading the item of the movable clock."""
    cleaned = copy.deepcopy(body)
    taken = 0
    for resource in cleaned["Resources"].values():
        for policy in resource["Properties"].get("Policies", ()) if resource["Type"] == "AWS::IAM::Role" else ():
            statements = policy["PolicyDocument"]["Statement"]
            kept = [statement for statement in statements if CLOCK not in json.dumps(statement)]
            taken += len(statements) - len(kept)
            statements[:] = kept
    assert taken == len(FUNCTIONS)
    return cleaned


def without_delivery(body: dict[str, Any]) -> dict[str, Any]:
    """Production's state without the distribution of images, its right to read them, and its name for the other stack."""
    cleaned = copy.deepcopy(body)
    delivery = {name for name, resource in cleaned["Resources"].items() if resource["Type"].startswith("AWS::CloudFront::")}
    assert len(delivery) == 2
    cleaned["Resources"] = {name: resource for name, resource in cleaned["Resources"].items() if name not in delivery}
    cleaned["Outputs"] = {n: output for n, output in cleaned["Outputs"].items() if "ImagesDistribution" not in n}
    for resource in cleaned["Resources"].values():
        if resource["Type"] == "AWS::S3::BucketPolicy":
            statements = resource["Properties"]["PolicyDocument"]["Statement"]
            statements[:] = [each for each in statements if each["Principal"] != {"Service": "cloudfront.amazonaws.com"}]
    return cleaned


def test_the_state_differs_only_in_what_keeps_it_from_being_deleted_and_in_the_delivery(prod: Synthesised, local: Synthesised) -> None:
    theirs, ours = without_delivery(normal(prod.state, "prod")), normal(local.state, "local")
    for resource in theirs["Resources"].values():
        if resource.get("DeletionPolicy") == "Retain":
            resource["DeletionPolicy"] = resource["UpdateReplacePolicy"] = "Delete"
        if resource["Type"] == "AWS::DynamoDB::Table":
            assert resource["Properties"].pop("DeletionProtectionEnabled") is True
        if resource["Properties"].pop("ObjectLockEnabled", False):
            locked = resource["Properties"].pop("ObjectLockConfiguration")["Rule"]["DefaultRetention"]
            assert locked == {"Mode": "COMPLIANCE", "Days": SEALS_KEPT // DAY}
            # What is locked cannot be emptied, and what is thrown away is not locked.
            assert resource["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    for resource in ours["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            assert resource["Properties"].pop("DeletionProtectionEnabled") is False
    for body, protected, flows in ((theirs, "ACTIVE", set()), (ours, "INACTIVE", {"ALLOW_USER_PASSWORD_AUTH"})):
        for resource in body["Resources"].values():
            if resource["Type"] == "AWS::Cognito::UserPool":
                assert resource["Properties"].pop("DeletionProtection") == protected
                assert resource["Properties"].pop("UserPoolTags")["project"] == "regulars"
            if resource["Type"] == "AWS::Cognito::UserPoolClient":
                # Flow tests sign in with a password in clear, which no page does.
                assert set(resource["Properties"].pop("ExplicitAuthFlows")) - {"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"} == flows
    assert ours == theirs


def test_the_service_differs_only_in_environment_processor_and_clock(prod: Synthesised, local: Synthesised) -> None:
    theirs, ours = normal(prod.service, "prod"), without_clock(normal(local.service, "local"))
    # What production exports to the stack of the operations, which is left out locally.
    theirs["Outputs"] = {name: output for name, output in theirs["Outputs"].items() if not name.startswith("ExportsOutput")}
    for body, stage in ((theirs, "prod"), (ours, "local")):
        for resource in body["Resources"].values():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::Lambda::Function":
                properties["Architectures"] = ["PROCESSOR"]
                environment = properties["Environment"]["Variables"]
                # Where images are: their delivery, or (locally) the bucket itself.
                is_media = properties["Handler"].startswith("functions.media.")
                shows = ("registration", "guest_links", "member_rights", "campaign_sending", "administration")
                links = is_media or properties["Handler"].split(".")[1] in shows
                assert ("MEDIA_URL" in environment) == (links and stage == "prod")
                empties = properties["Handler"].startswith("functions.tenant_removal.")
                assert ("MEDIA_BUCKET" in environment) == (is_media or empties or (links and stage == "local"))
                for name in ("MEDIA_URL", "MEDIA_BUCKET"):
                    environment.pop(name, None)
                expected = LOCAL_ENVIRONMENT if stage == "local" else {"DEFINITION_CACHE_SECONDS": "60", "STAGE": "prod"}
                assert {name: environment.pop(name, None) for name in expected} == expected
                writes = properties["Handler"].split(".")[1] in ("campaign_sending", "administration", "member_rights")
                sends = writes or properties["Handler"].startswith("functions.sign_in.")
                assert environment.pop("PUSH_OUTBOX", None) == ("1" if sends and stage == "local" else None)
                # Where links lead: the gateway, or (locally) a path below the local AWS.
                assert (environment.pop("PUBLIC_URL", None) is not None) == writes
            elif resource["Type"] == "AWS::Lambda::LayerVersion":
                properties["CompatibleArchitectures"] = ["PROCESSOR"]
            elif resource["Type"] == "AWS::Events::Rule" and properties["EventPattern"]["source"] == ["aws.ses"]:
                # E-mails of all stages of an account are told on one bus.
                assert properties["EventPattern"]["detail"]["mail"]["tags"].pop("stage") == [stage]
    assert ours == theirs


def test_only_the_operations_are_left_out_locally(prod: Synthesised, local: Synthesised) -> None:
    assert set(prod.stacks) - set(local.stacks) == {"operations"}


@pytest.mark.parametrize("name", ["", "Prod", "p", "with-dash", "a" * 13, "1st"])
def test_a_stage_name_that_could_not_be_part_of_a_resources_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="stage"):
        stage_named(name)


def test_another_stage_has_the_settings_of_production() -> None:
    stage = stage_named("staging")
    assert (stage.local, stage.architecture, stage.function_extras, stage.definition_cache_seconds) == (False, "arm64", {}, 60)
