"""What is said of our dependencies, and that not knowing is no failure."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from local import advisories

CLEAN = {"name": "six", "version": "1", "vulns": []}
BAD = {"name": "old", "version": "2", "vulns": [{"id": "PYSEC-1"}]}
SKIPPED = {"name": "six", "version": "1", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ({"dependencies": [CLEAN, SKIPPED]}, 0, "1 of 2 packages audited, 0 known vulnerabilities."),
        ({"dependencies": [CLEAN, BAD]}, 1, "old 2: PYSEC-1\n2 of 2 packages audited, 1 known vulnerabilities."),
        ({"dependencies": [SKIPPED]}, 0, "The advisory service could not be reached: nothing was audited."),
        ("no JSON", 0, "The advisory service could not be reached: nothing was audited."),
    ],
)
def test_what_is_known_fails_and_what_is_unknown_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Any, code: int, said: str
) -> None:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_more: subprocess.CompletedProcess([], 1, stdout=text))
    assert advisories.main() == code
    assert capsys.readouterr().out.strip() == said


def test_an_audit_that_takes_too_long_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_args: Any, **_more: Any) -> None:
        raise subprocess.TimeoutExpired("pip_audit", 1)

    monkeypatch.setattr(subprocess, "run", slow)
    assert advisories.main() == 0
