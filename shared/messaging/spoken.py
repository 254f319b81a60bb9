"""A text of ours in a language that its reader speaks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_WORD: Final = re.compile(r"@(\w+)@")


def spoken(texts: Mapping[str, tuple[str, str]], languages: Iterable[str], values: Mapping[str, str]) -> tuple[str, str]:
    """Title and body in the first of the languages that there is a text in (``de-AT`` is a ``de``), else English, with ``values`` in place
    of the words between ``@``. A value is taken as it is, also one that looks like such a word.
    """
    found = next((base for language in languages if (base := language.partition("-")[0]) in texts), "en")
    title, body = (_WORD.sub(lambda word: values.get(word[1], word[0]), text) for text in texts[found])
    return title, body
