"""The caller of the command line, answered by the functions of a test."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from local.client import Client, Refused
from shared.http.routes import ROUTES
from shared.tenants.credentials import parse_api_key
from tests.builders.office import Office


class OfficeClient(Client):
    """The command's caller with a credential, answered by the functions of a test."""

    office: Office

    def __init__(self, base: str, credential: str | None = None) -> None:
        super().__init__(base, credential)
        parsed = parse_api_key(credential or "")
        self.tenant = parsed.tenant if parsed is not None else None

    def as_(self, credential: str) -> Client:
        return OfficeClient(self.base, credential)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        bare, _, query = path.partition("?")
        route, found = next(
            (route, found) for route in ROUTES
            if route.method == method and (found := re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route.path), bare))
        )  # fmt: skip
        tag = (headers or {}).get("if-match", "").strip('"') or None
        own: dict[str, Any] = {} if self.tenant == "operator" else {"tenant": self.tenant}
        said = self.office.call(route.operation, body, if_match=tag, query=dict(parse_qsl(query)), **own, **found.groupdict())
        if said.status >= 400:
            raise Refused(method, path, said.status, said.body)
        return said
