"""Webhooks of campaigns: one POST, signed as Standard Webhooks has it, to an address of the public internet, not redirected, 5 seconds.

Nothing here is ``Unclear``: a receiver knows by ``webhook-id`` what it has, so that a try whose answer got lost is made again.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Final

from urllib3.exceptions import HTTPError

from shared.aws.going_out import ForbiddenAddress, Resolve, connection_to, host_header, resolve
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Clock
from shared.messaging.outgoing import Target, target_of
from shared.messaging.port import Message, Result, Sent, Throttled, Unreachable, WebhookTarget
from shared.messaging.webhooks import MAX_BODY, signed_headers, webhook_body

TIMEOUT_SECONDS: Final = 5.0
_BUSY: Final = frozenset({408, 425, 429})


@dataclass(slots=True)
class WebhookSender:
    """``Sender`` of webhooks. ``local``: loopback may be called, over plain http and any port, as on a local stage."""

    clock: Clock
    local: bool = False
    resolve: Resolve = resolve
    timeout: float = TIMEOUT_SECONDS

    def send(self, address: str, message: Message) -> Result:  # noqa: ARG002  (the target travels with the message)
        """One POST. 2xx: taken; 410: never again; other 4xx and 3xx: refused; the rest may be tried again."""
        settings = message.settings
        if not isinstance(settings, WebhookTarget):
            return Unreachable("not_configured")
        body = webhook_body(message)
        if len(body) > MAX_BODY:
            return Unreachable("message_too_large")
        try:
            target = target_of(settings.url, local=self.local)
        except InvalidValue:
            return Unreachable("forbidden_address")
        try:
            headers = signed_headers(message.origin["delivery"], body, settings.secret, self.clock())
            status = self._post(target, body, headers)
        except ForbiddenAddress:
            return Unreachable("forbidden_address")
        except (OSError, ValueError, HTTPError, http.client.HTTPException):
            # ValueError: a certificate of another host, or a name that is none.
            return Throttled()
        return _meaning(status, message.origin["delivery"])

    def _post(self, target: Target, body: bytes, headers: dict[str, str]) -> int:
        with connection_to(target, seconds=self.timeout, local=self.local, resolve=self.resolve) as connection:
            connection.request("POST", target.path, body, {"host": host_header(target), **headers})
            return int(connection.getresponse().status)


def _meaning(status: int, delivery: str) -> Result:
    if 200 <= status < 300:
        return Sent(delivery)
    if status == 410:
        return Unreachable("gone", dead=True)
    if status in _BUSY or status >= 500:
        return Throttled()
    return Unreachable(f"status_{status}")
