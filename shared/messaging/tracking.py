"""Links of a finished text, replaced by tracked ones; and the picture that tells that an e-mail was opened. Pure.

Only what leads to http or https is tracked. In HTML these are the links of elements (``href``), in plain text whatever looks like one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

MAX_LINKS: Final = 20
"""They are kept with the delivery; links after these stay as they are."""
MAX_LINK: Final = 500
"""Characters; a longer link stays as it is."""
_HREF: Final = re.compile(r"(<a\s[^<>]*?\bhref\s*=\s*)(?:\"(https?://[^\"<>]+)\"|'(https?://[^'<>]+)')", re.IGNORECASE)
PLAIN_LINK: Final = re.compile(r"https?://[^\s<>\"'\]\[{}|\\^`]+", re.IGNORECASE)
TRAILING: Final = ".,;:!?)*_"
"""What ends a sentence and no link."""
_BODY_END: Final = re.compile(r"</body\s*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tracking:
    """How links are replaced: ``link_of`` gives the tracked link of the one with that number; ``pixel`` is a picture's address."""

    link_of: Callable[[int], str]
    pixel: str | None = None
    untouched: Collection[str] = ()
    """Links that stay, as the one to unsubscribe."""
    known: Sequence[str] | None = None
    """The links that there are, by number, of a message that was written before: no other becomes one."""


@dataclass(slots=True)
class LinkList:
    """The links that were replaced, by number; the same link has one number in every text of a message."""

    tracking: Tracking
    links: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.links = list(self.tracking.known or ())

    def in_text(self, text: str) -> str:
        """A plain text with tracked links."""

        def replaced(found: re.Match[str]) -> str:
            link = found[0].rstrip(TRAILING)
            return self._tracked(link) + found[0][len(link) :]

        return PLAIN_LINK.sub(replaced, text)

    def in_html(self, page: str) -> str:
        """A page with tracked links, and with the picture at its end."""

        def replaced(found: re.Match[str]) -> str:
            return f'{found[1]}"{html.escape(self._tracked(html.unescape(found[2] or found[3])))}"'

        page = _HREF.sub(replaced, page)
        if self.tracking.pixel is None:
            return page
        picture = f'<img src="{html.escape(self.tracking.pixel)}" width="1" height="1" alt="">'
        ends = list(_BODY_END.finditer(page))
        place = ends[-1].start() if ends else len(page)
        return page[:place] + picture + page[place:]

    def _tracked(self, link: str) -> str:
        if link not in self.links:
            has_room = self.tracking.known is None and len(self.links) < MAX_LINKS and len(link) <= MAX_LINK
            if link in self.tracking.untouched or not has_room:
                return link
            self.links.append(link)
        return self.tracking.link_of(self.links.index(link))
