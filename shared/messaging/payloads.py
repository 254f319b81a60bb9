"""The payload that SNS takes for a mobile endpoint: one JSON text per platform inside a JSON object (double encoded). Pure.

SNS: docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html; FCM v1 under
``fcmV1Message``: .../sns-fcm-v1-payloads.html; time to live as message attributes: .../sns-ttl.html. APNs and FCM take 4 KB.
"""

from __future__ import annotations

import json
from typing import Any, Final

from shared.kernel.errors import FieldError, Unprocessable
from shared.messaging.port import MAX_TTL_SECONDS, Message

MAX_PROVIDER_BYTES: Final = 4096
_APNS: Final = ("APNS", "APNS_SANDBOX")


class MessageTooLarge(Unprocessable):
    """More than APNs or FCM take."""

    code, title = "message_too_large", "Message too large"


def sns_message(message: Message) -> str:
    """The ``Message`` of Publish with ``MessageStructure="json"``, for whatever platform the endpoint is of. ``MessageTooLarge``."""
    apns, fcm = _dump(_apns(message)), _dump(_fcm(message))
    check = max(len(apns.encode()), len(_dump(_fcm(message)["fcmV1Message"]["message"]).encode()))
    if check > MAX_PROVIDER_BYTES:
        hint = FieldError("", "message_too_large", f"{check} bytes; APNs and FCM take {MAX_PROVIDER_BYTES}")
        raise MessageTooLarge("The message is larger than a push may be.", errors=(hint,))
    return _dump({"default": message.title, **dict.fromkeys(_APNS, apns), "GCM": fcm})


def sns_attributes(message: Message) -> dict[str, dict[str, str]]:
    """The message attributes of Publish: how long to try, for each platform, and that it is to be seen."""
    ttl = str(_ttl(message))
    values = {f"AWS.SNS.MOBILE.{platform}.TTL": ttl for platform in (*_APNS, "FCM")}
    values["AWS.SNS.MOBILE.APNS.PUSH_TYPE"] = "alert"
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


def _apns(message: Message) -> dict[str, Any]:
    alert = {"title": message.title, "body": message.body}
    # Data first: whatever it holds, ``aps`` is ours.
    return {**message.data, "aps": {"alert": alert, "sound": "default"}}


def _fcm(message: Message) -> dict[str, Any]:
    notification = {"title": message.title, "body": message.body}
    android = {"priority": "high", "ttl": f"{_ttl(message)}s"}
    return {"fcmV1Message": {"message": {"notification": notification, "data": dict(message.data), "android": android}}}


def _ttl(message: Message) -> int:
    return max(1, min(message.ttl_seconds, MAX_TTL_SECONDS))


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
