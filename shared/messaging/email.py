"""E-mail: the request of SES v2 (``SendEmail`` with simple content), and the headers of one-click unsubscribing. Pure.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html; List-Unsubscribe: RFC 2369, List-Unsubscribe-Post: RFC 8058.
With ``TenantName`` reputation and suppression are the tenant's own.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from shared.kernel.errors import InvalidValue
from shared.messaging.port import Message, Unreachable
from shared.tenants.messaging import EmailSettings

MAX_HEADER: Final = 995
MAX_TAG: Final = 256
NO_UNSUBSCRIBE: Final = Unreachable("no_unsubscribe")
"""It was not sent, because nobody could unsubscribe from it."""
_ONE_CLICK: Final = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
_CHARSET: Final = "UTF-8"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]*")
_ENCODED: Final = "b64_"
"""What a tag's value begins with that has characters which SES does not take."""
_LINK: Final = re.compile(r"https?://[\x21\x23-\x3b\x3d\x3f-\x7e]+")
_BREAKS: Final = re.compile(r"[\r\n\x00]+")


def unsubscribe_headers(link: str, mailbox: str | None = None) -> dict[str, str]:
    """The headers that make a provider show "unsubscribe". A POST to the link alone must unsubscribe, a GET must not (RFC 8058, 3.1).

    ``mailbox``: a mailbox of ours that takes it too, with the link's last part as its subject. ``InvalidValue`` for what is no address.
    """
    if not _LINK.fullmatch(link):
        raise InvalidValue("a link to unsubscribe is http or https, in ASCII")
    mail = f", <mailto:{mailbox}?subject={link.rsplit('/', 1)[-1]}>" if mailbox is not None else ""
    value = f"<{link}>{mail}"
    if len(value) > MAX_HEADER or _BREAKS.search(value):
        raise InvalidValue("a link to unsubscribe fits into one header")
    return {"List-Unsubscribe": value, **_ONE_CLICK}


def can_unsubscribe(message: Message) -> bool:
    """Whether a message may go out by e-mail: marketing only with both headers of ``unsubscribe_headers``, whoever wrote it and why."""
    has_link = message.headers.get("List-Unsubscribe", "").startswith("<http")
    return message.service or (has_link and _ONE_CLICK.items() <= message.headers.items())


def tags(origin: Mapping[str, str]) -> list[dict[str, str]]:
    """``EmailTags``, which come back in the events about the message. What is too long for one goes on in ``<name>_2`` and so on."""
    made = []
    for name in ("tenant", "member", "delivery", "campaign"):
        value = origin.get(name, "")
        is_plain = _PLAIN.fullmatch(value) is not None and not value.startswith(_ENCODED)
        text = value if is_plain else _encoded(value)
        pieces = [text[start : start + MAX_TAG] for start in range(0, len(text), MAX_TAG)] if value else []
        made += [{"Name": name if number == 1 else f"{name}_{number}", "Value": piece} for number, piece in enumerate(pieces, 1)]
    return made


def origin_of(found: Mapping[str, str]) -> dict[str, str]:
    """The origin that tags (name -> value) were made of."""
    made = {}
    for name in ("tenant", "member", "delivery", "campaign"):
        text, number = found.get(name, ""), 2
        while f"{name}_{number}" in found:
            text, number = text + found[f"{name}_{number}"], number + 1
        if text:
            made[name] = _decoded(text) if text.startswith(_ENCODED) else text
    return made


def email_request(address: str, message: Message, settings: EmailSettings) -> dict[str, Any]:
    """The parameters of SendEmail."""
    body = {"Text": {"Data": message.body, "Charset": _CHARSET}}
    if message.html:
        body["Html"] = {"Data": message.html, "Charset": _CHARSET}
    simple: dict[str, Any] = {"Subject": {"Data": _BREAKS.sub(" ", message.title), "Charset": _CHARSET}, "Body": body}
    if message.headers:
        simple["Headers"] = [{"Name": name, "Value": value} for name, value in message.headers.items()]
    request: dict[str, Any] = {
        "FromEmailAddress": settings.from_address,
        "Destination": {"ToAddresses": [address]},
        "Content": {"Simple": simple},
        "EmailTags": tags(message.origin),
    }
    optional = {"ConfigurationSetName": settings.configuration_set, "TenantName": settings.ses_tenant}
    request |= {name: value for name, value in optional.items() if value is not None}
    return request | ({"ReplyToAddresses": [settings.reply_to]} if settings.reply_to is not None else {})


def _encoded(value: str) -> str:
    return _ENCODED + base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


def _decoded(text: str) -> str:
    raw = text.removeprefix(_ENCODED)
    return base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode()
