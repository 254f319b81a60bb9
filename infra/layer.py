"""Layers of dependencies, built without Docker and cached by content: the one that every function has, from ``requirements.txt``,
and what single functions need beside it (``requirements-media.txt``, ``requirements-snapshots.txt``).

Pinned boto3 and botocore travel in it, with the data of services that we never call removed, so that what is
tested is what runs. ``.pyc`` files are of the kind that is never checked against the source: /opt and /var/task are
read-only and unpacked with other times, so any other kind would be compiled again at every cold start. They are only
made when an interpreter of the target's version is at hand.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.stage import RUNTIME_VERSION, Stage

SERVICES: Final = frozenset(
    {
        "dynamodb", "sqs", "events", "sns", "sts", "kms", "s3", "secretsmanager", "scheduler", "sesv2", "pinpoint-sms-voice-v2",
        "cognito-idp",
    }
)
"""Services whose botocore data is kept."""
_SHARED_DATA: Final = frozenset({"endpoints.json", "partitions.json", "_retry.json", "sdk-default-configuration.json"})
_UNUSED: Final = (
    "bin",
    "boto3/data",
    "boto3/examples",
    "phonenumbers/geodata",
    "phonenumbers/carrierdata",
    "phonenumbers/tzdata",
    # Of filters of python-liquid that no text of ours may use (shared/messaging/sandbox.py).
    "babel/locale-data",
    "pytz/zoneinfo",
)
_AWS_PLATFORM: Final = "aarch64-manylinux_2_28"
"""Amazon Linux 2023, which python3.13 runs on, has glibc 2.34."""


class PackagingFailed(Exception):
    """A layer or an asset cannot be built. The message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a layer is built for. ``platform`` is uv's name, or None for this very machine."""

    label: str
    version: tuple[int, int]
    platform: str | None


def target_of(stage: Stage) -> Target:
    """Lambda on arm64, or the machine's own Python, which is what the local AWS runs functions on."""
    if stage.local:
        version = (sys.version_info[0], sys.version_info[1])
        return Target(f"local_py{version[0]}{version[1]}_{platform.machine()}", version, None)
    return Target(f"arm64_py{RUNTIME_VERSION[0]}{RUNTIME_VERSION[1]}", RUNTIME_VERSION, _AWS_PLATFORM)


def build_layer(root: Path, target: Target, name: str = "layer", requirements_file: str = "requirements.txt") -> Path:
    """The folder of the layer, ready to be an asset. Takes seconds the first time and nothing after that."""
    requirements = root / requirements_file
    recipe = requirements.read_bytes() + Path(__file__).read_bytes() + str(interpreter_for(target.version) is not None).encode()
    digest = hashlib.sha256(recipe).hexdigest()[:12]
    folder = root / "build" / f"{name}_{target.label}_{digest}"
    if folder.exists():
        return folder
    for stale in (root / "build").glob(f"{name}_{target.label}_*"):
        shutil.rmtree(stale)
    unfinished = root / "build" / f"unfinished_{os.getpid()}"
    python = unfinished / "python"
    _install(requirements, python, target)
    _prune(python)
    compile_tree(unfinished, target.version, "/opt")
    settle(unfinished)
    unfinished.rename(folder)
    return folder


def _install(requirements: Path, python: Path, target: Target) -> None:
    uv = Path(sys.prefix) / "bin" / "uv"
    command = [str(uv), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--target", str(python), "-r", str(requirements)]
    command += ["--python-version", ".".join(map(str, target.version))]
    command += ["--python-platform", target.platform] if target.platform else ["--python", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"UV_SYSTEM_CERTS": "true", **os.environ})
    if done.returncode:
        raise PackagingFailed(f"the layer {target.label} could not be installed:\n{done.stderr.strip()}")


def _prune(python: Path) -> None:
    """Remove what no function can reach: other services' descriptions, regional phone data, metadata, stubs."""
    for name in _UNUSED:
        shutil.rmtree(python / name, ignore_errors=True)
    services = python / "botocore" / "data"
    for entry in services.iterdir() if services.exists() else ():
        if entry.is_dir() and entry.name not in SERVICES:
            shutil.rmtree(entry)
        elif entry.is_file() and entry.name not in _SHARED_DATA:
            entry.unlink()
    for metadata in python.glob("*.dist-info"):
        shutil.rmtree(metadata)
    for useless in (*python.rglob("*.pyi"), *python.rglob("py.typed"), *python.rglob("examples-1.json*")):
        useless.unlink()
    for tests in list(python.glob("numpy/**/tests")):
        shutil.rmtree(tests)
    for cache in list(python.rglob("__pycache__")):
        shutil.rmtree(cache)
    (python / ".lock").unlink(missing_ok=True)


@functools.cache
def interpreter_for(version: tuple[int, int]) -> str | None:
    """An interpreter of that version, or None: then no ``.pyc`` is shipped and cold starts compile."""
    if sys.version_info[:2] == version:
        return sys.executable
    found = shutil.which(f"python{version[0]}.{version[1]}")
    if found is None:
        return None
    works = subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0
    return found if works else None


def compile_tree(folder: Path, version: tuple[int, int], shown_as: str) -> bool:
    """Byte-compile for that version, with paths as the running function sees them. Whether it could be done."""
    interpreter = interpreter_for(version)
    if interpreter is None:
        return False
    command = [interpreter, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", shown_as, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackagingFailed(f"{folder.name} does not compile:\n{done.stdout.strip()[-2000:]}")
    return True


def settle(folder: Path) -> None:
    """Zero the times, so that equal content makes an equal asset wherever it is built."""
    for entry in _entries(folder):
        os.utime(entry, (0, 0))


def _entries(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*")
    yield folder
