"""Both stages, synthesised once per session and read as plain templates."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local import tools

if TYPE_CHECKING:
    from aws_cdk import App

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Template:
    """A synthesised template."""

    path: Path
    body: dict[str, Any]

    def resources(self, kind: str) -> dict[str, Resource]:
        """Logical id -> resource, of one CloudFormation type."""
        return {name: resource for name, resource in self.body["Resources"].items() if resource["Type"] == kind}

    def statements(self) -> Iterator[tuple[str, Resource]]:
        """Every statement that allows a role something: (name of the role or policy, statement)."""
        for name, role in self.resources("AWS::IAM::Role").items():
            for policy in role["Properties"].get("Policies", ()):
                yield from ((name, statement) for statement in policy["PolicyDocument"]["Statement"])
        for name, policy in self.resources("AWS::IAM::Policy").items():
            yield from ((name, statement) for statement in policy["Properties"]["PolicyDocument"]["Statement"])

    def function(self, name: str) -> Resource:
        """The properties of a function by its folder's name."""
        handler = f"functions.{name}.handler.lambda_handler"
        (found,) = (r["Properties"] for r in self.resources("AWS::Lambda::Function").values() if r["Properties"]["Handler"] == handler)
        return dict(found)


@dataclass(frozen=True, slots=True)
class Synthesised:
    """A stage's templates by the last part of the stack's name, and what cdk-nag said."""

    stacks: Mapping[str, Template]
    findings: list[str]

    @property
    def service(self) -> Template:
        """The stack of what runs."""
        return self.stacks["service"]

    @property
    def state(self) -> Template:
        """The stack of what must survive."""
        return self.stacks["state"]


def listed(value: Any) -> list[Any]:
    """IAM writes one thing as itself and several as a list."""
    return value if isinstance(value, list) else [value]


def _synthesise(stage: str, folder: Path) -> Synthesised:
    from infra.application import build

    findings = nag_findings(build(stage, outdir=str(folder)), folder)
    stacks = {
        path.name.removesuffix(".template.json").rsplit("-", 1)[1]: Template(path, json.loads(path.read_text()))
        for path in folder.glob("*.template.json")
    }
    return Synthesised(stacks, findings)


def nag_findings(app: App, folder: Path) -> list[str]:
    """Synthesise under cdk-nag: each rule that is broken, and where. CDK fails when there are any."""
    from aws_cdk import Validations
    from cdk_nag import AwsSolutionsChecks

    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError:
        reports = json.loads((folder / "validation-report.json").read_text())["pluginReports"]
        violations = [violation for report in reports for violation in report["violations"]]
        return [f"{v['ruleName']} at {', '.join(place['constructPath'] for place in v['violatingConstructs'])}" for v in violations]
    return []


@pytest.fixture(scope="session")
def toolbox() -> None:
    """CDK's engine needs a node, and its own validation is replaced by cfn-lint and cdk-nag here."""
    os.environ["JSII_NODE"] = str(tools.node())
    os.environ["CDK_VALIDATION"] = "false"


@pytest.fixture(scope="session")
def local_in_the_making(toolbox: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Synthesised]]:
    """The local stage, synthesised in another process while this one does the other: each takes half a minute."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as beside:
        yield beside.submit(_synthesise, "local", tmp_path_factory.mktemp("local"))


@pytest.fixture(scope="session")
def prod(local_in_the_making: Future[Synthesised], tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """What a deployment to AWS creates."""
    return _synthesise("prod", tmp_path_factory.mktemp("prod"))


@pytest.fixture(scope="session")
def local(local_in_the_making: Future[Synthesised]) -> Synthesised:
    """What the local AWS gets."""
    return local_in_the_making.result()
