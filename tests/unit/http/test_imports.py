from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from pathlib import Path
import {module}
print("\\n".join(sys.modules))
"""
HEAVY = (
    "boto3",
    "botocore.session",
    "aws_xray_sdk",
    "jwt",
    "phonenumbers",
    "requests",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.parser",
)


@pytest.mark.parametrize(
    "module", ["shared.http.app", "shared.members.identifiers", "shared.privacy.keyring", "shared.tenants.credentials"]
)
def test_the_shell_does_not_pull_in_what_is_slow_to_import(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(module=module)], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = done.stdout.split()
    assert module in loaded
    assert [name for name in loaded if name.startswith(HEAVY) or "openapi" in name] == []
