"""Findings of cdk-nag that we accept, each with its reason, beside the construct that it concerns."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept one rule on a construct and everything below it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def acknowledge_wildcard(construct: IConstruct, resource: str, reason: str) -> None:
    """Accept one resource with a ``*``, as the finding spells it, in the policies below a construct."""
    acknowledge(construct, f"AwsSolutions-IAM5[Resource::{resource}]", reason)
