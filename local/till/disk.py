"""The file of a till's journal: one operation an I/O, so that a test can end the process between any two of them. POSIX."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol


class Busy(Exception):
    """Another process has this till's journal open."""


class Disk(Protocol):
    """What the journal needs of a file. What was appended is only safe once ``sync`` has returned."""

    def read(self) -> bytes:
        """Everything in the file; nothing where there is none."""

    def truncate(self, length: int) -> None:
        """Cut the file."""

    def append(self, data: bytes) -> None:
        """Write at the end."""

    def sync(self) -> None:
        """Force what was written to the medium."""

    def write_new(self, data: bytes) -> None:
        """Write the file that is to replace this one, beside it."""

    def sync_new(self) -> None:
        """Force the new file to the medium."""

    def rename(self) -> None:
        """Let the new file take the place of the old: the one or the other is there, whatever happens."""

    def sync_folder(self) -> None:
        """Force the name to the medium."""


class FileDisk:
    """A file of this machine, for one process at a time."""

    def __init__(self, path: Path) -> None:
        """Open it, and its folder if it is not there; ``Busy`` while another process has it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._new = path, path.with_suffix(".new")
        self._lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Busy(str(path)) from None
        self._file = self._open()
        self.sync_folder()

    def read(self) -> bytes:
        """Everything in it."""
        return self._path.read_bytes()

    def truncate(self, length: int) -> None:
        """Cut it, for good."""
        os.ftruncate(self._file, length)
        os.fsync(self._file)

    def append(self, data: bytes) -> None:
        """Write at the end, all of it."""
        while data:
            data = data[os.write(self._file, data) :]

    def sync(self) -> None:
        """fsync."""
        os.fsync(self._file)

    def write_new(self, data: bytes) -> None:
        """Write the successor."""
        self._new.write_bytes(data)

    def sync_new(self) -> None:
        """fsync of the successor."""
        descriptor = os.open(self._new, os.O_RDWR)
        os.fsync(descriptor)
        os.close(descriptor)

    def rename(self) -> None:
        """Replace, and go on in the new file."""
        self._new.replace(self._path)
        os.close(self._file)
        self._file = self._open()

    def sync_folder(self) -> None:
        """fsync of the folder."""
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._file)
        os.close(self._lock)

    def _open(self) -> int:
        return os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
