"""``python -m local <command>``: everything one does with the system on one's own machine."""

from __future__ import annotations

import argparse
import http.client
import importlib
import importlib.util
import socket
import ssl
import sys
import urllib.error
from typing import Final

from local import console
from local.client import Refused

COMMANDS: Final = (
    "up", "down", "env", "demo", "load", "replay", "starbucks", "compare", "clock", "tick", "verify", "audit", "snapshots", "dlq", "till",
    "openapi", "events", "privacy", "outbox", "definitions", "catalogue", "tenants", "testing",
)
"""Modules of this package with ``add_parser(subparsers)``. Each sets ``run`` to a function of the arguments."""

_EXAMPLES: Final = """\
examples:
  python -m local up                  start the local AWS and deploy everything to it
  python -m local env                 address and keys of what runs
  python -m local env --json          the same for a script
  python -m local down                stop it; what it stored is kept
"""


def _parser(only: str | None) -> argparse.ArgumentParser:
    """The parser of one command, or of all where none is named: a command's imports are paid when it is used."""
    parser = argparse.ArgumentParser(
        prog="python -m local", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for name in COMMANDS if only is None else (only,):
        if importlib.util.find_spec(f"local.{name}") is not None:
            importlib.import_module(f"local.{name}").add_parser(subparsers)
    return parser


NOBODY_ANSWERS: Final = (ConnectionError, TimeoutError, socket.gaierror, ssl.SSLError, urllib.error.URLError, http.client.HTTPException)


def main(arguments: list[str]) -> int:
    """Run one command. 0 when it succeeded, 1 with an explanation when it did not, 2 for a wrong call."""
    named = arguments[0] if arguments and arguments[0] in COMMANDS else None
    options = _parser(named).parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except console.Failure as failure:
        console.failed(failure)
    except Refused as refused:
        console.failed(console.Failure(str(refused)))
    except NOBODY_ANSWERS as error:
        console.failed(console.Failure(f"nobody answers: {error}", "Is the address right, and does the stage run (python -m local env)?"))
    except KeyboardInterrupt:
        console.failed(console.Failure("interrupted", "Run it again: every step picks up where it was."))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
