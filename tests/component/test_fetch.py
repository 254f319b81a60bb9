"""Fetching a provider's keys: bounded, and only from where it may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from shared.aws import fetch
from shared.aws.fetch import MAX_BYTES, Fetcher, NotFetched


class Pages(BaseHTTPRequestHandler):
    """Small, large, missing, and moved."""

    def do_GET(self) -> None:
        moved = self.path == "/moved"
        self.send_response(302 if moved else 404 if self.path == "/missing" else 200)
        if moved:
            self.send_header("Location", "/keys")
        self.end_headers()
        self.wfile.write(b"x" * (MAX_BYTES + 1) if self.path == "/large" else b'{"keys":[]}')

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_local_stage_may_fetch_from_its_own_machine(address: str) -> None:
    assert Fetcher(local=True)(f"{address}/keys") == b'{"keys":[]}'


@pytest.mark.parametrize("path", ["/missing", "/large", "/moved"])
def test_what_is_not_a_small_document_is_not_fetched(address: str, path: str) -> None:
    with pytest.raises(NotFetched):
        Fetcher(local=True)(address + path)


def test_plain_http_is_not_fetched(address: str) -> None:
    with pytest.raises(NotFetched):
        Fetcher()(f"{address}/keys")


@pytest.mark.parametrize("url", ["http://example.com/", "file:///etc/passwd", "ftp://127.0.0.1/", "", "https://127.0.0.1:1/", "//x"])
def test_other_addresses_are_not_fetched(url: str) -> None:
    with pytest.raises(NotFetched):
        Fetcher(local=True)(url)


def test_a_refusal_names_no_more_than_the_host(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(NotFetched) as refused:
        Fetcher(local=True)("https://127.0.0.1:1/path?secret=1")
    assert "secret" not in str(refused.value)
