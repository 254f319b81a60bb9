"""A tenant's look on the pages that guests open and in the e-mails that they get. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Final
from urllib.parse import urlsplit

from shared.messaging.pages import HEADERS
from shared.messaging.tracking import PLAIN_LINK, TRAILING
from shared.tenants.content import image_links
from shared.tenants.model import TenantSettings

_HEAD: Final = "</style></head><body><main>"
"""What every page of ours has, between its style and its text."""
_CSP: Final = "content-security-policy"
_BUTTON: Final = "display:inline-block;padding:.6rem 1.4rem;border-radius:.4rem"
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


def letter(title: str, body: str, look: Look, quiet: Collection[str] = (), language: str = "") -> str:
    """A plain text as HTML of an e-mail: paragraphs, and links. One that has a line for itself is a button, but for those in ``quiet``;
    what it is for may stand on the line before it, with a colon and no link of its own, and is then what the button says. Else a link
    shows where it leads.
    """

    def linked(line: str, says: str = "") -> str:
        def anchor(found: re.Match[str]) -> str:
            link = found[0].rstrip(TRAILING)
            style = f' style="{_BUTTON};background:{look.color};color:{look.on_color}"' if line == link and link not in quiet else ""
            text = says if style and says else html.escape(link.split("/")[2], quote=False)
            return f'<a href="{html.escape(link)}"{style}>{text}</a>' + html.escape(found[0][len(link) :], quote=False)

        plain = PLAIN_LINK.split(line)
        return "".join(
            html.escape(text, quote=False) + (anchor(found) if found else "")
            for text, found in zip_longest(plain, PLAIN_LINK.finditer(line))
        )

    def paragraph(lines: list[str]) -> str:
        shown: list[str] = []
        for before, line in pairwise(["", *lines]):
            is_button = PLAIN_LINK.fullmatch(line) is not None and line not in quiet and line == line.rstrip(TRAILING)
            is_label = is_button and before.endswith(":") and PLAIN_LINK.search(before) is None
            says = html.escape(before.removesuffix(":"), quote=False) if is_label else ""
            if says:
                shown.pop()
            shown.append(linked(line, says))
        return f"<p>{'<br>'.join(shown)}</p>"

    inner = "".join(paragraph(each.split("\n")) for each in body.split("\n\n"))
    logo = f'<img src="{html.escape(look.logo)}" alt="{html.escape(look.name)}" style="max-height:64px">' if look.logo else ""
    spoken = f' lang="{html.escape(language)}"' if language else ""
    heading = f'<h1 style="font-size:1.3rem">{html.escape(title)}</h1>'
    return f'<html{spoken}><body><div style="{_LETTER}">{logo}{heading}{inner}</div></body></html>'
