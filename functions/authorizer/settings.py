"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class AuthorizerSettings:
    """Where the operator's secret lies."""

    common: Settings
    operator_secret_arn: str


def authorizer_settings() -> AuthorizerSettings:
    """Read once, when the function is wired."""
    return AuthorizerSettings(common=read_settings(), operator_secret_arn=variable("OPERATOR_SECRET_ARN"))
