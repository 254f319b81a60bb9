"""What a guest reads of a message, as its author writes it: Liquid texts by language, and by channel where one needs another text. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from shared.tenants.base import Frozen, Language
from shared.tenants.messaging import Channel

MAX_TITLE: Final = 500
MAX_BODY: Final = 10_000
MAX_HTML: Final = 100_000


class Content(Frozen):
    """The texts in one language: Liquid (``shared.messaging.rendering``); ``shared.campaigns.content`` lists the variables.

    ``title`` is the subject of an e-mail; an SMS goes without. ``html`` is for e-mail, whose text part is ``body``.
    """

    title: str = Field(min_length=1, max_length=MAX_TITLE)
    body: str = Field(min_length=1, max_length=MAX_BODY)
    html: str | None = Field(default=None, min_length=1, max_length=MAX_HTML)
    deep_link: str | None = Field(default=None, max_length=500, description="where a tap leads; a form's own link goes before it")


ByLanguage = dict[Language, Content]
Texts = Annotated[ByLanguage, Field(min_length=1, max_length=20)]
"""``Step.content``."""
TextsByChannel = Annotated[dict[Channel, Texts], Field(max_length=5)]
"""``Step.by_channel``: instead of ``content`` for that channel, all languages of it."""


def texts_for(content: ByLanguage, by_channel: Mapping[Channel, ByLanguage], channel: Channel) -> ByLanguage:
    """The texts that go over a channel."""
    return by_channel.get(channel) or content
