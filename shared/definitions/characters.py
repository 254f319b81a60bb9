"""Characters that no text of a definition, item or location has. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.kernel.errors import FieldError, Unprocessable

_BREAKS: Final = frozenset("\n\r\t")
_ONE_LINE: Final = frozenset({"name", "title"})
"""Fields that are shown in one line, so that a line break in them is a mistake."""
CONTROL: Final = "control_character"


def refuse_control_characters(body: Any, pointer: str) -> None:
    """``Unprocessable`` with a pointer at every text that has NUL or another control character (Unicode's category Cc): no till, printer or
    e-mail shows one, and some end the text there. Line breaks and tabs are text, but not in a name or title.
    """
    errors = tuple(_unprintable(body, pointer, ""))
    if errors:
        raise Unprocessable("A text has control characters; see errors.", errors=errors)


def _unprintable(node: Any, pointer: str, name: str) -> Iterator[FieldError]:
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from _unprintable(str(key), pointer, "name")
            yield from _unprintable(child, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}", key)
    elif isinstance(node, list | tuple):
        for index, child in enumerate(node):
            yield from _unprintable(child, f"{pointer}/{index}", name)
    elif isinstance(node, str) and not node.isprintable():
        breaks = frozenset() if name in _ONE_LINE else _BREAKS
        found = next((each for each in node if unicodedata.category(each) == "Cc" and each not in breaks), None)
        if found is not None:
            yield FieldError(pointer, CONTROL, f"has the control character U+{ord(found):04X}")
