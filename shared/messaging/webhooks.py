"""Webhooks as Standard Webhooks has them: what is signed, and how. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: ``webhook-id`` (the delivery's, the same each
time it is tried: receivers know by it what they have), ``webhook-timestamp`` (seconds) and ``webhook-signature``, ``v1,`` and the base64
of HMAC-SHA256 over ``id.timestamp.body``. Receivers are given the secret as ``whsec_`` and its base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, Final

from shared.kernel.instants import SECOND, Instant, format_rfc3339
from shared.messaging.port import CAMPAIGN_MESSAGE, Message

MAX_BODY: Final = 256 * 1024


def webhook_body(message: Message) -> bytes:
    """The same bytes however often it is tried."""
    data = _of_campaign(message) if message.event == CAMPAIGN_MESSAGE else _of_member(message)
    payload = {"type": message.event, "timestamp": format_rfc3339(message.at), "data": data}
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def _of_member(message: Message) -> dict[str, Any]:
    """What is told of her herself: ids alone."""
    return {"tenant_id": message.origin["tenant"], "member_id": message.origin["member"]}


def _of_campaign(message: Message) -> dict[str, Any]:
    return {
        "tenant_id": message.origin.get("tenant", ""),
        "member_id": message.origin.get("member", ""),
        "campaign_id": message.origin.get("campaign", ""),
        "step": message.origin.get("step", ""),
        "delivery_id": message.origin.get("delivery", ""),
        "title": message.title,
        "body": message.body,
        "data": dict(message.data),
    }


def signed_headers(id_: str, body: bytes, secret: bytes, now: Instant) -> dict[str, str]:
    """The headers of one try."""
    timestamp = now // SECOND
    signature = hmac.new(secret, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "user-agent": "Regulars/1",
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def shown_secret(secret: bytes) -> str:
    """As a receiver's library takes it."""
    return f"whsec_{base64.b64encode(secret).decode()}"
