"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class AuthorizerSettings:
    """Where the operator's secret lies, and the user pool of staff with the client that they sign in through."""

    common: Settings
    operator_secret_arn: str
    staff_pool_id: str
    staff_client_id: str


def authorizer_settings() -> AuthorizerSettings:
    """Read once, when the function is wired."""
    return AuthorizerSettings(
        common=read_settings(),
        operator_secret_arn=variable("OPERATOR_SECRET_ARN"),
        staff_pool_id=variable("STAFF_POOL_ID"),
        staff_client_id=variable("STAFF_CLIENT_ID"),
    )
