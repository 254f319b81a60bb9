"""Somebody of the staff from the invitation to the last call: the pool of the local AWS, its mail, its tokens, the deployed authorizer.

The local pool knows invitations, first passwords, authenticator apps and signing out. It does not demand the app in the first sign-in, as
AWS does for a pool that requires one; that stands in the template (tests/infra/test_staff_pool.py).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import struct
import time
import urllib.request
from typing import Any

import jwt
import pytest
from botocore.exceptions import ClientError

from local.client import Client, Refused
from shared.kernel.scopes import KEY_SCOPES
from tests.flow.conftest import DeployedStack

PASSWORD = "Correct-Horse-7-Battery"
MAIL = "anna@staffed.example"


class Person:
    """Somebody with a browser and an authenticator app."""

    def __init__(self, stack: DeployedStack, name: str) -> None:
        self.stack, self.name = stack, name
        self.pool, self.client_id = stack.outputs["StaffPoolId"], stack.outputs["StaffClientId"]
        self.cognito = stack.client("cognito-idp")

    def begin(self, password: str) -> dict[str, Any]:
        given = {"USERNAME": self.name, "PASSWORD": password}
        answer: dict[str, Any] = self.cognito.initiate_auth(ClientId=self.client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
        return answer

    def answer(self, challenge: dict[str, Any], **given: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.cognito.respond_to_auth_challenge(
            ClientId=self.client_id, ChallengeName=challenge["ChallengeName"], Session=challenge["Session"],
            ChallengeResponses={"USERNAME": self.name, **given},
        )["AuthenticationResult"]  # fmt: skip
        return answer


def code(secret: str) -> str:
    """RFC 6238 with 30 seconds and six digits."""
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def first_password(stack: DeployedStack, name: str) -> str:
    """What the invitation says."""
    with urllib.request.urlopen(f"{stack.instance.endpoint}/_ministack/ses/messages") as answer:
        text = json.dumps(json.load(answer))
    assert MAIL in text
    found = re.search(rf"<b>{re.escape(name)}</b> with the password <b>(.+?)</b>", text)
    assert found is not None
    return found[1].encode().decode("unicode_escape")


def test_somebody_is_invited_signs_in_with_an_app_and_is_removed(stack: DeployedStack) -> None:
    operator = Client(stack.api_url, stack.operator_key)
    operator.post("/v1/tenants", {"id": "staffed", "settings": {"name": "S", "currency": "EUR", "time_zone": "Europe/Berlin"}})
    key = Client(stack.api_url, str(operator.post("/v1/tenants/staffed/keys", {"scopes": sorted(KEY_SCOPES)})["key"]))
    made = key.post("/v1/staff", {"email": MAIL, "group": "marketer"})
    person = Person(stack, made["username"])
    challenge = person.begin(first_password(stack, made["username"]))
    assert challenge["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    tokens = person.answer(challenge, NEW_PASSWORD=PASSWORD)
    secret = person.cognito.associate_software_token(AccessToken=tokens["AccessToken"])["SecretCode"]
    person.cognito.verify_software_token(AccessToken=tokens["AccessToken"], UserCode=code(secret))
    challenge = person.begin(PASSWORD)
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    with pytest.raises(ClientError, match="CodeMismatch"):
        person.answer(challenge, SOFTWARE_TOKEN_MFA_CODE="000000")
    tokens = person.answer(challenge, SOFTWARE_TOKEN_MFA_CODE=code(secret))
    anna = Client(stack.api_url, tokens["AccessToken"])
    assert anna.get("/v1/locations")["data"] == []
    with pytest.raises(Refused, match="403"):
        anna.get("/v1/staff")
    with pytest.raises(Refused, match="invalid_credential"):
        Client(stack.api_url, tokens["IdToken"]).get("/v1/locations")
    for wrong in (_of_another_client(stack, person), _of_another_pool(stack), _changed(tokens["AccessToken"])):
        with pytest.raises(Refused, match="invalid_credential"):
            Client(stack.api_url, wrong).get("/v1/locations")
    key.call("DELETE", f"/v1/staff/{made['staff_id']}")
    with pytest.raises(ClientError):
        person.begin(PASSWORD)


def _of_another_client(stack: DeployedStack, person: Person) -> str:
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    client = person.cognito.create_user_pool_client(UserPoolId=person.pool, ClientName="other", ExplicitAuthFlows=flows)
    other = Person(stack, "staffed.stf_aaaaaaaaaaaa")
    other.client_id = client["UserPoolClient"]["ClientId"]
    return _token_of(other)


def _of_another_pool(stack: DeployedStack) -> str:
    other = Person(stack, "staffed.stf_aaaaaaaaaaaa")
    other.pool = other.cognito.create_user_pool(PoolName="other")["UserPool"]["Id"]
    flows = ["ALLOW_USER_PASSWORD_AUTH"]
    client = other.cognito.create_user_pool_client(UserPoolId=other.pool, ClientName="other", ExplicitAuthFlows=flows)
    other.client_id = client["UserPoolClient"]["ClientId"]
    return _token_of(other)


def _token_of(other: Person) -> str:
    other.cognito.admin_create_user(UserPoolId=other.pool, Username=other.name, MessageAction="SUPPRESS")
    other.cognito.admin_set_user_password(UserPoolId=other.pool, Username=other.name, Password=PASSWORD, Permanent=True)
    return str(other.begin(PASSWORD)["AuthenticationResult"]["AccessToken"])


def _changed(token: str) -> str:
    """The same with a later end: signed no more."""
    head, _body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    body = base64.urlsafe_b64encode(json.dumps(claims | {"exp": claims["exp"] + 3600}).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"
