"""Texts with ``{{ variables }}``: the smallest part of Liquid that a push message needs, so that Liquid can replace it later.

``{{ member.first_name }}`` is the value, empty if there is none; ``{{ member.first_name | default: "you" }}`` has something for
that case. Nothing else is understood: what is not exactly this form is refused when the text is saved, never sent as it stands.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shared.kernel.errors import InvalidValue

_TAG: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_INSIDE: Final = re.compile(r"\s*([a-z][a-z_]*(?:\.[a-z][a-z_]*)?)\s*(?:\|\s*default:\s*\"([^\"{}]*)\"\s*)?")
_OPENERS: Final = ("{{", "}}", "{%", "%}")


class InvalidTemplate(InvalidValue):
    """Braces that are not a variable."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as it stands in a text."""

    name: str
    default: str = ""


def variables(template: str) -> list[Variable]:
    """The variables of a text, in order; ``InvalidTemplate`` if it has braces of any other kind."""
    return [part for part in _parts(template) if isinstance(part, Variable)]


def render(template: str, values: Mapping[str, str]) -> str:
    """The text with its values. Values are not looked into: braces in a name stay braces."""
    return "".join(part if isinstance(part, str) else values.get(part.name, "") or part.default for part in _parts(template))


def _parts(template: str) -> Iterator[str | Variable]:
    end = 0
    for tag in _TAG.finditer(template):
        yield _plain(template[end : tag.start()])
        inside = _INSIDE.fullmatch(tag[1])
        if inside is None:
            raise InvalidTemplate('a variable is written {{ name }} or {{ name | default: "text" }}')
        yield Variable(inside[1], inside[2] or "")
        end = tag.end()
    yield _plain(template[end:])


def _plain(text: str) -> str:
    if any(opener in text for opener in _OPENERS):
        raise InvalidTemplate("braces that open no variable, or close none")
    return text
