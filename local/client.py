"""A caller of the system, as a till, an app or a marketer would be: HTTP with a key, retries as docs/till.md tells."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


class Refused(Exception):
    """An answer that is not a success: the problem document."""

    def __init__(self, method: str, path: str, status: int, problem: dict[str, Any]) -> None:
        errors = "; ".join(f"{each['pointer']}: {each['detail']}" for each in problem.get("errors", []))
        super().__init__(f"{method} {path}: {status} {problem.get('code', '')} {problem.get('detail', '')} {errors}".strip())
        self.status = status
        self.problem = problem


@dataclass(slots=True)
class Reply:
    """A successful answer."""

    status: int
    body: Any
    headers: dict[str, str]


class Client:
    """Calls one deployment with one credential, over one kept connection."""

    def __init__(self, base: str, credential: str | None = None) -> None:
        parts = urlsplit(base.rstrip("/"))
        self._host, self._prefix, self._secure = parts.netloc, parts.path, parts.scheme == "https"
        self._credential = credential
        self._connection: http.client.HTTPConnection | None = None
        self.base = base.rstrip("/")

    def as_(self, credential: str) -> Client:
        """The same deployment with another credential."""
        return Client(self.base, credential)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """One call; 409 concurrent_update, 429 and 503 are repeated as their Retry-After says, at most five times."""
        for attempt in range(6):
            reply = self._once(method, path, body, headers or {})
            if reply.status < 400:
                return reply
            again = reply.status in (429, 503) or reply.body.get("code") == "concurrent_update"
            if not again or attempt == 5:
                raise Refused(method, path, reply.status, reply.body)
            time.sleep(min(float(reply.headers.get("retry-after", "1")), 2) * (attempt + 1) / 4)
        raise AssertionError("unreachable")

    def get(self, path: str) -> Any:
        """The body of a GET."""
        return self.call("GET", path).body

    def all(self, path: str) -> list[dict[str, Any]]:
        """All entries of a list, page by page."""
        found, cursor = [], ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=200{cursor}")
            found += page["data"]
            if "next_cursor" not in page:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def post(self, path: str, body: Any = None) -> Any:
        """The body of a POST's answer."""
        return self.call("POST", path, {} if body is None else body).body

    def put(self, path: str, body: Any, etag: str | None = None) -> Any:
        """The body of a PUT's answer."""
        return self.call("PUT", path, body, {"if-match": etag} if etag else {}).body

    def patch(self, path: str, body: Any) -> Any:
        """The body of a PATCH's answer."""
        return self.call("PATCH", path, body).body

    def _once(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
        sent = {"content-type": "application/json", "connection": "keep-alive", **headers}
        if self._credential is not None:
            sent["authorization"] = f"Bearer {self._credential}"
        payload = None if body is None else json.dumps(body)
        for attempt in (1, 2):
            try:
                if self._connection is None:
                    kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
                    self._connection = kind(self._host, timeout=60)
                self._connection.request(method, self._prefix + path, payload, sent)
                response = self._connection.getresponse()
                text = response.read().decode()
                break
            except (ConnectionError, http.client.HTTPException, TimeoutError):
                # The server closed the kept connection: every call may be repeated, that is its contract.
                self._connection = None
                if attempt == 2:
                    raise
        found = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, _parsed(text), found)


def _parsed(text: str) -> Any:
    if not text:
        return {}
    try:
        return json.loads(text)
    except ValueError:
        return {"detail": text[:200]}
