"""``make audit``: are known vulnerabilities in what we depend on? Asks PyPI's advisory service by pip-audit, about the pinned versions.

Where that service cannot be reached nothing is known, which is said and is no failure: a build must not hang on somebody else's server.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any, Final

_FILES: Final = ("requirements.txt", "requirements-media.txt", "requirements-snapshots.txt", "requirements-dev.txt")
_SECONDS: Final = 300
_UNKNOWN: Final = "The advisory service could not be reached: nothing was audited."


def main() -> int:
    """0: nothing known, or nothing could be asked; 1: something is known."""
    dependencies = _asked(_FILES)
    audited = [each for each in dependencies if "skip_reason" not in each]
    if not audited:
        print(_UNKNOWN)
        return 0
    found = [f"{each['name']} {each['version']}: {vulnerability['id']}" for each in audited for vulnerability in each["vulns"]]
    print("\n".join([*found, f"{len(audited)} of {len(dependencies)} packages audited, {len(found)} known vulnerabilities."]))
    return 1 if found else 0


def _asked(files: Iterable[str]) -> list[dict[str, Any]]:
    named = [part for name in files for part in ("-r", name)]
    command = [sys.executable, "-m", "pip_audit", *named, "--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return []
    return dependencies


if __name__ == "__main__":
    sys.exit(main())
