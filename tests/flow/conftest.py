"""The whole system, deployed by CDK once per session to a local AWS of its own that keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local import deploy
from local.ministack import Instance
from local.ministack_strict import DENIED

PROBE = "probe-of-a-test"
"""Name of a session that asks for what it must not get."""


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """What a test needs to drive the running system as a client would, and to look behind it."""

    instance: Instance
    outputs: dict[str, str]
    operator_key: str

    @property
    def api_url(self) -> str:
        """Base address of the interface: ``{api_url}/v1/members``."""
        return self.outputs["ApiUrl"]

    def client(self, service: str) -> Any:
        """A boto3 client of this local AWS."""
        return self.instance.client(service)

    def make_impatient(self, queue_output: str, seconds: int = 1) -> None:
        """Let messages that failed come back after ``seconds``, so that a poison message is dead in seconds, not in half an hour."""
        self.client("sqs").set_queue_attributes(QueueUrl=self.outputs[queue_output], Attributes={"VisibilityTimeout": str(seconds)})


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedStack]:
    """A fresh deployment on a free port; two sessions can run side by side. IAM decides about every request, and must refuse none."""
    instance = Instance.start(tmp_path_factory.mktemp("aws"), strict=True)
    try:
        outputs = deploy.deploy(instance)
        yield DeployedStack(instance, outputs, deploy.operator_key(instance, outputs))
        refused = [line for line in instance.log.read_text().splitlines() if f'"{DENIED}"' in line and PROBE not in line]
    finally:
        instance.stop()
    assert refused == [], "a function asked for what its role does not grant"
