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


@pytest.mark.parametrize(
    "resolved",
    [["10.0.0.1"], ["169.254.169.254"], ["fd00:ec2::254"], ["::ffff:127.0.0.1"], ["64:ff9b::a00:1"], ["64:ff9b:1::1"], ["224.0.0.1"], [],
     ["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]],
)  # fmt: skip
def test_a_providers_keys_are_not_fetched_from_inside(resolved: list[str]) -> None:
    """The same guard as of webhooks: the address is a tenant's to name."""
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return resolved

    with pytest.raises(NotFetched, match="ForbiddenAddress"):
        Fetcher(resolve=resolve)("https://keys.example/jwks")
    assert asked == ["keys.example"]


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/", "https://[::1]/", "https://[fd00:ec2::254]/", "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/",
     "https://127.1/", "https://[::ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/"],
)  # fmt: skip
def test_no_spelling_of_an_inner_address_is_fetched(url: str) -> None:
    with pytest.raises(NotFetched, match=r"ForbiddenAddress|gaierror"):
        Fetcher()(url)


@pytest.mark.parametrize("url", ["https://u@keys.example/", "https://keys.example:22/", "https://k\u2024example/", "http://keys.example/"])
def test_an_address_with_something_odd_is_not_even_resolved(url: str) -> None:
    def resolve(host: str, _port: int) -> list[str]:
        pytest.fail(f"{host} was resolved")

    with pytest.raises(NotFetched):
        Fetcher(resolve=resolve)(url)


def test_the_name_is_resolved_once_and_that_very_address_is_called(address: str) -> None:
    port, answers = int(address.rpartition(":")[2]), iter([["127.0.0.1"], ["10.0.0.1"]])
    assert Fetcher(local=True, resolve=lambda _host, _port: next(answers))(f"http://keys.example:{port}/keys") == b'{"keys":[]}'
    assert next(answers) == ["10.0.0.1"]


def test_only_this_machine_is_called_without_tls() -> None:
    with pytest.raises(NotFetched, match="ForbiddenAddress"):
        Fetcher(local=True, resolve=lambda _host, _port: ["93.184.216.34"])("http://keys.example/")
