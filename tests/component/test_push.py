"""SNS endpoints: the documented algorithm, on moto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from shared.aws.push import PushUnavailable, SnsPush
from shared.members.errors import ChannelNotConfigured, InvalidDeviceToken

TOKEN = "token-of-a-phone"


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("sns", region_name="us-east-1")


@pytest.fixture
def application(sns: Any) -> str:
    made = sns.create_platform_application(Name="demo", Platform="GCM", Attributes={"PlatformCredential": "x"})
    return str(made["PlatformApplicationArn"])


def attributes(sns: Any, endpoint: str) -> dict[str, str]:
    return dict(sns.get_endpoint_attributes(EndpointArn=endpoint)["Attributes"])


def test_a_token_has_one_enabled_endpoint_without_user_data(sns: Any, application: str) -> None:
    push = SnsPush(sns)
    endpoint = push.ensure_endpoint(application, TOKEN)
    assert push.ensure_endpoint(application, TOKEN) == endpoint
    assert push.ensure_endpoint(application, TOKEN, endpoint) == endpoint
    found = attributes(sns, endpoint)
    assert (found["Token"], found["Enabled"].lower()) == (TOKEN, "true")
    assert not found.get("CustomUserData")


def test_an_endpoint_that_was_switched_off_is_switched_on(sns: Any, application: str) -> None:
    push = SnsPush(sns)
    endpoint = push.ensure_endpoint(application, TOKEN)
    sns.set_endpoint_attributes(EndpointArn=endpoint, Attributes={"Enabled": "false"})
    assert push.ensure_endpoint(application, TOKEN) == endpoint
    assert attributes(sns, endpoint)["Enabled"].lower() == "true"


def test_an_endpoint_that_is_gone_is_made_again(sns: Any, application: str) -> None:
    push = SnsPush(sns)
    endpoint = push.ensure_endpoint(application, TOKEN)
    push.remove(endpoint)
    again = push.ensure_endpoint(application, TOKEN, endpoint)
    assert attributes(sns, again)["Token"] == TOKEN


class Refusing:
    """A client that refuses every call with one error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, _operation: str) -> Any:
        def refuse(**_: Any) -> None:
            raise self.error

        return refuse


def refusal(code: str, message: str = f"Invalid parameter: Token {TOKEN}") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (refusal("InvalidParameter"), InvalidDeviceToken),
        (refusal("NotFound"), ChannelNotConfigured),
        (refusal("PlatformApplicationDisabled"), ChannelNotConfigured),
        (refusal("Throttled"), PushUnavailable),
        (EndpointConnectionError(endpoint_url="https://sns"), PushUnavailable),
    ],
)
def test_refusals_are_ours_and_do_not_quote_the_token(error: Exception, ours: type[Exception]) -> None:
    with pytest.raises(ours) as raised:
        SnsPush(Refusing(error)).ensure_endpoint("arn", TOKEN)
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("code", ["Throttled", "InternalError"])
def test_deleting_that_fails_is_unavailable(code: str) -> None:
    with pytest.raises(PushUnavailable):
        SnsPush(Refusing(refusal(code))).remove("arn")


def test_the_endpoint_that_exists_is_found_in_the_refusal() -> None:
    arn = "arn:aws:sns:eu-central-1:1:endpoint/GCM/demo/e"
    text = f"Invalid parameter: Token Reason: Endpoint {arn} already exists with the same Token, but different attributes."

    class Existing(Refusing):
        def get_endpoint_attributes(self, **request: Any) -> dict[str, Any]:
            return {"Attributes": {"Token": TOKEN, "Enabled": "true"}} if request["EndpointArn"] == arn else {}

    assert SnsPush(Existing(refusal("InvalidParameter", text))).ensure_endpoint("application", TOKEN) == arn
