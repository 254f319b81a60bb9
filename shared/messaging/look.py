"""A tenant's look on the pages that guests open and in the e-mails about their rights. Pure."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from shared.messaging.pages import HEADERS
from shared.tenants.content import image_links
from shared.tenants.model import TenantSettings

_HEAD: Final = "</style></head><body><main>"
"""What every page of ours has, between its style and its text."""
_CSP: Final = "content-security-policy"
_LINK: Final = re.compile(r"https?://[^\s<>\"]+")
_LETTER: Final = "font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:0 auto;padding:1.5rem;color:#222"


@dataclass(frozen=True, slots=True)
class Look:
    """Name, colours, and where the logo is (empty: none)."""

    name: str
    color: str
    on_color: str
    logo: str = ""


def look_of(settings: TenantSettings, tenant: str, media_url: str) -> Look:
    """A tenant's look; without a logo where the stage delivers no images."""
    brand = settings.branding
    logo = image_links(media_url, tenant, brand.logo).fallback if brand.logo is not None and media_url else ""
    return Look(brand.name or settings.name, brand.color, brand.on_color, logo)


def dressed(page: str, look: Look) -> tuple[str, dict[str, str]]:
    """A page of ours in the look, and its headers: the one picture may come from where the logo is, and nothing else from anywhere."""
    style = f"button{{background:{look.color};color:{look.on_color}}}img{{max-height:4rem;max-width:100%}}"
    logo = f'<p><img src="{html.escape(look.logo)}" alt="{html.escape(look.name)}"></p>' if look.logo else ""
    headers = dict(HEADERS)
    if look.logo:
        parts = urlsplit(look.logo)
        headers[_CSP] = f"{headers[_CSP]}; img-src {parts.scheme}://{parts.netloc}"
    return page.replace(_HEAD, f"{style}{_HEAD}{logo}", 1), headers


def letter(title: str, body: str, look: Look) -> str:
    """A plain text as HTML of an e-mail: paragraphs, and its links as buttons."""
    button = f"display:inline-block;padding:.6rem 1.4rem;border-radius:.4rem;background:{look.color};color:{look.on_color}"

    def linked(found: re.Match[str]) -> str:
        return f'<a href="{found[0]}" style="{button}">{found[0].split("/")[2]}</a>'

    paragraphs = (html.escape(each, quote=False).replace("\n", "<br>") for each in body.split("\n\n"))
    inner = "".join(f"<p>{_LINK.sub(linked, each)}</p>" for each in paragraphs)
    logo = f'<img src="{html.escape(look.logo)}" alt="{html.escape(look.name)}" style="max-height:64px">' if look.logo else ""
    heading = html.escape(title)
    return f'<html><body><div style="{_LETTER}">{logo}<h1 style="font-size:1.3rem">{heading}</h1>{inner}</div></body></html>'
