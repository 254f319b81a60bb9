"""cfn-lint and cdk-nag have nothing to say."""

from __future__ import annotations

from pathlib import Path

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from tests.infra.conftest import Synthesised, nag_findings


@pytest.mark.parametrize("stack", ["state", "service", "operations"])
def test_cfn_lint_finds_nothing(prod: Synthesised, stack: str) -> None:
    # W3005: CDK names dependencies that a reference already implies.
    config = ManualArgs(regions=["eu-central-1"], ignore_checks=["W3005"])
    matches = lint(prod.stacks[stack].path.read_text(), config=config)
    assert [f"{match.rule.id} {match.path}: {match.message}" for match in matches] == []


@pytest.mark.parametrize("stage", ["prod", "local"])
def test_cdk_nag_finds_nothing_that_is_not_acknowledged_with_a_reason(request: pytest.FixtureRequest, stage: str) -> None:
    found: Synthesised = request.getfixturevalue(stage)
    assert found.findings == []


@pytest.mark.usefixtures("toolbox")
def test_cdk_nag_does_run(tmp_path: Path) -> None:
    from aws_cdk import App, Stack
    from aws_cdk import aws_sqs as sqs

    app = App(outdir=str(tmp_path))
    sqs.Queue(Stack(app, "careless"), "Queue")
    assert {finding.split()[0] for finding in nag_findings(app, tmp_path)} >= {"AwsSolutions-SQS3", "AwsSolutions-SQS4"}
