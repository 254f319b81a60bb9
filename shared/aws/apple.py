"""Apple's token endpoints over HTTPS. Bounded in time and size, never redirected."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from urllib3.exceptions import HTTPError

from shared.aws.going_out import Resolve, connection_to, host_header, resolve
from shared.messaging.outgoing import target_of

BASE: Final = "https://appleid.apple.com/auth"
SECONDS: Final = 4.0
_MAX_BYTES: Final = 16 * 1024
_FORM: Final = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


class AppleUnreachable(OSError):
    """No answer, or one that says nothing about what was asked. Names no token and no address."""


@dataclass(slots=True)
class Apple:
    """``AppleSide`` of ``shared.tenants.apple_client``. ``local``: plain HTTP to this machine is taken too."""

    base: str = BASE
    local: bool = False
    resolve: Resolve = resolve

    def post(self, what: str, form: Mapping[str, str]) -> dict[str, Any] | None:
        """The answer where it is 200; ``None`` for a refusal (4xx). ``AppleUnreachable`` for everything else."""
        target = target_of(f"{self.base}/{what}", local=self.local)
        try:
            with connection_to(target, seconds=SECONDS, local=self.local, resolve=self.resolve) as connection:
                connection.request("POST", target.path, urlencode(form).encode(), {"host": host_header(target), **_FORM})
                answer = connection.getresponse()
                status, body = int(answer.status), answer.data[: _MAX_BYTES + 1]
        except (OSError, ValueError, HTTPError, http.client.HTTPException) as error:
            raise AppleUnreachable(type(error).__name__) from None
        if status == 200:
            return _json(body)
        if 400 <= status < 500 and status != 429:
            return None
        raise AppleUnreachable(f"status {status}")


def _json(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        found = json.loads(body) if len(body) <= _MAX_BYTES else None
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
