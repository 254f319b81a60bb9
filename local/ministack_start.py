"""MiniStack, with what functions are made of unpacked once.

It unpacks a function's code and layers anew for each of its environments: a hundred megabytes and four thousand files each time. That was
most of a cold start, filled the disk under load, and took minutes to delete when such a stage was stopped. Here each archive is unpacked
once, by its digest, and environments are led there by symbolic links: nothing writes into its own code, as AWS would not allow it.

``NotAsRead`` where an upgrade has changed what is replaced. Started by ``local.ministack`` as a program of its own; with ``--strict``
IAM decides about every request (``local.ministack_strict``).
"""

from __future__ import annotations

import hashlib
import inspect
import shutil
import sys
import tempfile
import types
import zipfile
from pathlib import Path
from typing import Any, Final

_SPAWN: Final = "_spawn"
_EXTRACTIONS: Final = ("zf.extractall(code_dir)", "lzf.extractall(layer_dir)")
"""How MiniStack unpacks code and layers: each into a folder that it has just made."""
STRICT: Final = "--strict"


class NotAsRead(Exception):
    """MiniStack is another than the one that this was written for."""


class SharedZip(zipfile.ZipFile):
    """An archive that is unpacked once for all who unpack it. ``home``: where, by digest."""

    home: Path

    def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
        """Make ``path``, an empty folder, a link to what is unpacked. Safe for several at once: whoever is first stands."""
        assert self.filename is not None
        digest = hashlib.sha256(Path(self.filename).read_bytes()).hexdigest()
        unpacked = self.home / digest[:32]
        if not unpacked.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            own = Path(tempfile.mkdtemp(dir=self.home))
            super().extractall(own, members, pwd)
            try:
                own.rename(unpacked)
            except OSError:
                shutil.rmtree(own)
        Path(path).rmdir()
        Path(path).symlink_to(unpacked, target_is_directory=True)


def share(home: Path) -> None:
    """Have functions' archives unpacked once, below ``home``."""
    from ministack.core import lambda_runtime

    source = inspect.getsource(getattr(lambda_runtime.Worker, _SPAWN))
    if not all(each in source for each in _EXTRACTIONS):
        raise NotAsRead(f"functions are unpacked in another way: read lambda_runtime.Worker, and mend {__file__}")
    SharedZip.home = home
    replaced: Any = types.SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZip})
    lambda_runtime.zipfile = replaced


def main() -> None:
    """Start it."""
    strict = STRICT in sys.argv
    sys.argv[1:] = []
    share(Path(tempfile.gettempdir()) / "unpacked")
    if strict:
        # At the end: beside this file lies much that has names of modules that MiniStack imports.
        sys.path.append(str(Path(__file__).resolve().parent.parent))
        from local import ministack_strict

        ministack_strict.main()
    else:
        from ministack.app import main as serve

        serve()


if __name__ == "__main__":
    main()
