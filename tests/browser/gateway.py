"""The gateway on loopback: what a browser asks for goes to a function's own handler as an event (HTTP API, payload 2.0)."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Any

from shared.http.routes import ROUTES, Route

Function = Callable[[dict[str, Any]], Mapping[str, Any]]


class _Quiet(ThreadingHTTPServer):
    """A browser that leaves closes its connections; that is no news."""

    daemon_threads = True


@contextmanager
def in_background(server: HTTPServer) -> Iterator[str]:
    """Serve until the block ends; its address."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def gateway(name: str, function: Function) -> Iterator[str]:
    """The routes of one function at an address of their own."""
    patterns = [(route, re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route.path))) for route in ROUTES if route.function == name]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            route, path = self._route()
            if route is None:
                self.send_error(404)
                return
            length = int(self.headers.get("content-length", "0"))
            event = _event(route, path, dict(self.headers.items()), self.rfile.read(length))
            answer = function(event)
            text = answer.get("body", "")
            body = base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()
            self.send_response(answer["statusCode"])
            for header, value in {**answer["headers"], "content-length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_POST = do_GET  # noqa: N815 - the names that http.server asks for.

        def _route(self) -> tuple[Route | None, dict[str, str]]:
            asked = self.path.partition("?")[0]
            for route, pattern in patterns:
                found = pattern.fullmatch(asked)
                if found and route.method == self.command:
                    return route, found.groupdict()
            return None, {}

        def log_message(self, *_: Any) -> None:
            """Nothing: a test says what went wrong."""

    server = _Quiet(("127.0.0.1", 0), Handler)
    try:
        with in_background(server) as address:
            yield address
    finally:
        server.server_close()


def _event(route: Route, path: dict[str, str], headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """As the gateway makes it: it hands over a form's body in base64."""
    return {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": route.path,
        "headers": {name.lower(): value for name, value in headers.items()},
        "pathParameters": path,
        "requestContext": {"requestId": "request-of-a-test"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


@contextmanager
def stranger(page: str = "") -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Another origin, and what it was asked for: the paths, and the Referer that came with each."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("referer", "")))
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>Elsewhere</title>{page}".encode())

        do_POST = do_GET  # noqa: N815 - the name that http.server asks for.

        def log_message(self, *_: Any) -> None:
            """Nothing: the list tells."""

    server = _Quiet(("127.0.0.1", 0), Handler)
    try:
        with in_background(server) as address:
            yield address, asked
    finally:
        server.server_close()
