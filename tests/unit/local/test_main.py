"""What the command line says where the system refuses or is not there: a sentence, never a trace."""

from __future__ import annotations

import argparse
import socket
import ssl
import urllib.error

import pytest

from local import __main__, down
from local.client import Refused


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refused("GET", "/v1/staff", 403, {"code": "insufficient_scope", "detail": "This needs the scope x."}), "insufficient_scope"),
        (ConnectionRefusedError(111, "Connection refused"), "nobody answers"),
        (TimeoutError("timed out"), "nobody answers"),
        (socket.gaierror(-2, "Name or service not known"), "nobody answers"),
        (ssl.SSLError("certificate verify failed"), "nobody answers"),
        (urllib.error.URLError("refused"), "nobody answers"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_goes_wrong_is_told_and_no_trace_is_shown(
    error: BaseException, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_options: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(down, "run", fails)
    assert __main__.main(["down"]) == 1
    said = capsys.readouterr()
    assert told in said.out + said.err
