"""The user pool of staff as it is deployed."""

from __future__ import annotations

from typing import Any

from infra.staff import STAFF_ACTIONS
from shared.tenants.staff import STAFF_GROUPS
from tests.infra.conftest import Synthesised


def the(stage: Synthesised, kind: str) -> dict[str, Any]:
    (found,) = stage.state.resources(kind).values()
    properties: dict[str, Any] = found["Properties"]
    return properties


def test_nobody_signs_up_and_everybody_has_an_authenticator_app(prod: Synthesised) -> None:
    pool = the(prod, "AWS::Cognito::UserPool")
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert (pool["MfaConfiguration"], pool["EnabledMfas"]) == ("ON", ["SOFTWARE_TOKEN_MFA"])
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] == 12
    assert pool["UserPoolTier"] == "LITE"
    # A name begins with its tenant; an address would have to be nobody else's in the whole pool, and would tell that it is.
    assert "AliasAttributes" not in pool
    assert "UsernameAttributes" not in pool


def test_the_pool_of_a_deployed_stage_survives_and_a_local_one_does_not(prod: Synthesised, local: Synthesised) -> None:
    assert the(prod, "AWS::Cognito::UserPool")["DeletionProtection"] == "ACTIVE"
    assert the(local, "AWS::Cognito::UserPool")["DeletionProtection"] == "INACTIVE"


def test_the_client_takes_no_password_in_clear_and_lets_nobody_change_who_they_are(prod: Synthesised) -> None:
    client = the(prod, "AWS::Cognito::UserPoolClient")
    assert set(client["ExplicitAuthFlows"]) == {"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
    assert client["WriteAttributes"] == ["locale"]
    assert client["GenerateSecret"] is False
    assert client["PreventUserExistenceErrors"] == "ENABLED"
    assert client["AccessTokenValidity"] == 15


def test_the_groups_of_the_code_are_the_groups_of_the_pool(prod: Synthesised) -> None:
    found = {each["Properties"]["GroupName"] for each in prod.state.resources("AWS::Cognito::UserPoolGroup").values()}
    assert found == set(STAFF_GROUPS)


def test_only_two_functions_touch_users_and_of_this_pool_alone(prod: Synthesised) -> None:
    found: dict[str, set[str]] = {}
    for name, statement in prod.service.statements():
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        mine = {each for each in actions if each.startswith("cognito-idp:")}
        if mine:
            assert "*" not in str(statement["Resource"])
            found[name] = found.get(name, set()) | mine
    assert {len(each) for each in found.values()} == {len(STAFF_ACTIONS), 2}
    assert {"cognito-idp:ListUsers", "cognito-idp:AdminDeleteUser"} in found.values()
    assert not {each for each in set.union(*found.values()) if "Password" in each or "Auth" in each}
