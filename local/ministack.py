"""The local AWS as a process: MiniStack from PyPI on 127.0.0.1, with an environment of its own.

Its functions inherit its environment, so it gets only what it needs: no AWS settings of the host (an
``AWS_ENDPOINT_URL`` would override the right one inside the functions), no ``PYTHONPATH``. It leads a process group,
and its temporary files lie in the instance's own folder: stopping it leaves neither a process nor a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from local.console import Failure
from local.ministack_start import STRICT

HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 4566
REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
"""The local AWS takes any; these name its default account."""
_PROGRAM: Final = Path(__file__).with_name("ministack_start.py")
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 5
_STOP_SECONDS_KEPT: Final = 30
"""An instance that keeps its state writes it when it is told to stop."""
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True)
class Instance:
    """A running local AWS. ``home`` holds its state, log and temporary files."""

    home: Path
    port: int
    pid: int
    keep_state: bool

    @property
    def endpoint(self) -> str:
        """Address of every AWS service of this instance."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """What it printed, the functions' start errors included."""
        return self.home / "ministack.log"

    @classmethod
    def start(cls, home: Path, *, port: int | None = None, keep_state: bool = False, strict: bool = False) -> Instance:
        """Start one and wait until it answers. A port that is taken is replaced by a free one.

        ``strict``: IAM decides about every request (``local.ministack_strict``).

        Stored state belongs to the port that it was made on: the queues' addresses, by which messages are handed to
        functions, contain it. There a port that is taken is a failure.
        """
        shutil.rmtree(home / "tmp", ignore_errors=True)
        for folder in (home, home / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        chosen = _port_for(home, port) if keep_state else port or free_port()
        with (home / "ministack.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", str(_PROGRAM), *([STRICT] if strict else [])],
                cwd=home,
                env=_environment(home, chosen, keep_state=keep_state),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        instance = cls(home, chosen, process.pid, keep_state)
        instance._remember()
        deadline = time.monotonic() + _START_SECONDS
        while not instance.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                instance.stop()
                raise Failure("the local AWS did not start", f"Its log: {instance.log}")
            time.sleep(0.05)
        return instance

    @classmethod
    def running(cls, home: Path) -> Instance | None:
        """The instance that was started in this folder, if it still runs."""
        try:
            known = json.loads((home / "instance.json").read_text())
        except FileNotFoundError:
            return None
        instance = cls(home, known["port"], known["pid"], known["keep_state"])
        return instance if _is_ours(instance.pid) and instance.answers() else None

    def answers(self) -> bool:
        """Whether it takes requests."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5) as answer:  # nosec B310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """End it and everything that it started. State is written first where it is kept."""
        _signal(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + (_STOP_SECONDS_KEPT if self.keep_state else _STOP_SECONDS)
        while _is_ours(self.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        _signal_group(self.pid, signal.SIGKILL)
        shutil.rmtree(self.home / "tmp", ignore_errors=True)
        (self.home / "instance.json").unlink(missing_ok=True)

    def client(self, service: str, **more: Any) -> Any:
        """A boto3 client of this instance, whatever the host's AWS settings are."""
        import boto3

        session: Any = boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        return session.client(service, endpoint_url=self.endpoint, **more)

    def _remember(self) -> None:
        known = {**asdict(self), "home": str(self.home)}
        (self.home / "instance.json").write_text(json.dumps(known))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _port_for(home: Path, asked: int | None) -> int:
    """The port of the stored state, or for a first start the one that was asked for, or a free one."""
    record = home / "port"
    if not record.exists():
        chosen = asked if asked is not None and _is_free(asked) else free_port()
        record.write_text(str(chosen))
        return chosen
    chosen = int(record.read_text())
    remedy = "Free the port, or forget what is stored: python -m local up --fresh"
    if not _is_free(chosen):
        raise Failure(f"what is stored belongs to port {chosen}, and another process listens there", remedy)
    if asked not in {None, DEFAULT_PORT, chosen}:
        raise Failure(f"what is stored belongs to port {chosen}, not to {asked}", remedy)
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


def _environment(home: Path, port: int, *, keep_state: bool) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    kept = "1" if keep_state else "0"
    return {
        **passed,
        **{name: value for name, value in CREDENTIALS.items() if name.startswith("AWS_DEFAULT") or "KEY" in name},
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "TMPDIR": str(home / "tmp"),
        "PERSIST_STATE": kept,
        "STATE_DIR": str(home / "state"),
        "S3_PERSIST": kept,
        "S3_DATA_DIR": str(home / "state" / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }


def _is_ours(pid: int) -> bool:
    """Whether the process is (still) a MiniStack: the number may belong to somebody else by now."""
    with contextlib.suppress(ChildProcessError):  # Not our child where an earlier command started it.
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    command = Path(f"/proc/{pid}/cmdline")
    if command.parent.parent.joinpath("self").exists():
        return b"ministack" in command.read_bytes() if command.exists() else False
    shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "ministack" in shown.stdout


def _signal(pid: int, number: signal.Signals) -> None:
    if _is_ours(pid):
        os.kill(pid, number)


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Its workers: they stay in the group that it leads, also after it is gone."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return
