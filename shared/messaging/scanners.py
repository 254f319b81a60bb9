"""Programs that open links before, or instead of, a person: their clicks and opens are answered, and not counted. Pure.

A small list of what names itself: HEAD requests, what a browser fetches ahead (``Sec-Purpose``), and user agents of mail gateways and of
messengers' previews. A scanner that calls itself a browser counts; so do the picture proxies of mail programs, which open for a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_AGENTS: Final = re.compile(
    r"barracuda|proofpoint|mimecast|safelinks|ms-?office|bitdefender|symantec|fortiguard|virustotal|urlscan|cloudmark|trendmicro"
    r"|facebookexternalhit|whatsapp|telegrambot|twitterbot|slackbot|slack-imgproxy|discordbot|linkedinbot|skypeuripreview|viber|applebot"
    r"|googlebot|bingbot|bingpreview|yandexbot|baiduspider|headlesschrome|python-requests|python-urllib|curl/|wget/|go-http-client|okhttp-scan",
    re.IGNORECASE,
)
_AHEAD: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def is_person(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request may be a guest's. ``headers`` by lower-case name."""
    fetched_ahead = any(word in headers.get(name, "").lower() for name in _AHEAD for word in ("prefetch", "preview", "prerender"))
    return method == "GET" and not fetched_ahead and _AGENTS.search(headers.get("user-agent", "")) is None
