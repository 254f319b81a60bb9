"""One asset per function: its handler's import closure, staged by plain Python into ``build/<target>_<function>``.

CDK's own bundling is not used: with equal options it gave two functions the same asset. Folder names carry no dots
(a suffix would be taken for a file extension).
"""

from __future__ import annotations

import fcntl
import functools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from infra.closure import import_closure
from infra.layer import build_layer, compile_tree, interpreter_for, settle, target_of
from infra.stage import Stage

ROOT: Final = Path(__file__).resolve().parent.parent
FUNCTIONS: Final = (
    "authorizer",
    "registration",
    "transaction_ingestion",
    "coupon_redemption",
    "segment_evaluation",
    "segment_snapshots",
    "campaign_planning",
    "campaign_sending",
    "campaign_reports",
    "event_relay",
    "sign_in",
    "tenancy",
    "tenant_removal",
    "audit_sealing",
    "administration",
    "media",
    "audiences",
    "guest_links",
    "delivery_feedback",
    "member_rights",
)
"""Every function that is deployed: a folder under ``functions/`` each."""


@contextmanager
def building(root: Path = ROOT) -> Iterator[None]:
    """One build at a time on this machine: tests and a deployment may share the folder ``build``."""
    (root / "build").mkdir(exist_ok=True)
    with (root / "build" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Packages:
    """Gives the folders that become assets. Builds each on first use."""

    def __init__(self, stage: Stage, root: Path = ROOT) -> None:
        self._root = root
        self._target = target_of(stage)

    @functools.cached_property
    def layer(self) -> Path:
        """The folder of the dependencies' layer."""
        return build_layer(self._root, self._target)

    @functools.cached_property
    def images(self) -> Path:
        """The folder of the layer with the image library, for the function ``media`` alone: 20 MB that no other one unpacks."""
        return build_layer(self._root, self._target, "images", "requirements-media.txt")

    @functools.cached_property
    def columns(self) -> Path:
        """The folder of the layer with the library of columns, for functions that read snapshots: 40 MB that no other one unpacks."""
        return build_layer(self._root, self._target, "columns", "requirements-snapshots.txt")

    def function(self, name: str) -> Path:
        """The folder of one function's code: only what its handler reaches."""
        return stage_function(self._root, name, self._root / "build" / f"{self._target.label}_{name}", self._target.version)

    @property
    def precompiled(self) -> bool:
        """Whether ``.pyc`` files are shipped."""
        return interpreter_for(self._target.version) is not None


def stage_function(root: Path, name: str, folder: Path, version: tuple[int, int]) -> Path:
    """Copy the closure of ``functions/<name>/handler.py`` to ``folder``, which is made new."""
    shutil.rmtree(folder, ignore_errors=True)
    for file in sorted(import_closure(root, root / "functions" / name / "handler.py")):
        copy = folder / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    compile_tree(folder, version, "/var/task")
    settle(folder)
    return folder
