"""The reference till's own HTTP: what it makes of a server that answers, breaks, or is not there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local.till.network import HttpTransport, NoAnswer, skew_of, verdict
from tests.fakes.engine import free_port


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/x/broken":
            self.send_response(502)
            self.end_headers()
            self.wfile.write(b"<html>")
        elif self.path == "/x/silent":
            self.server.released.wait(30)  # type: ignore[attr-defined]
        else:
            self.send_response(201)
            self.send_header("Retry-After", "7")
            self.end_headers()
            self.wfile.write(json.dumps({"got": json.loads(body), "as": self.headers["authorization"]}).encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    server.released = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/x/"
    server.released.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_is_taken_with_its_date_and_wait(address: str) -> None:
    reply = HttpTransport(address, "lyk_k").call("POST", "/sales", {"a": 1}, 5000)
    assert (reply.status, reply.body, reply.retry_after) == (201, {"got": {"a": 1}, "as": "Bearer lyk_k"}, 7000)
    assert skew_of(0, 0, reply.headers["date"]) is not None


def test_a_page_of_a_proxy_is_an_answer_to_try_again(address: str) -> None:
    assert verdict(HttpTransport(address, "k").call("POST", "/broken", {}, 5000)) == "again"


def test_nobody_there_and_nobody_in_time_are_no_answer(address: str) -> None:
    with pytest.raises(NoAnswer):
        HttpTransport(address, "k").call("POST", "/silent", {}, 50)
    with pytest.raises(NoAnswer):
        HttpTransport(f"http://127.0.0.1:{free_port()}", "k").call("POST", "/", {}, 500)
