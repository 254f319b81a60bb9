"""Texts in Liquid, kept in a sandbox: ``Hello {{ member.first_name | default: "you" }}{% if tier.id == "gold" %}, gold{% endif %}``.

What a text may hold: ``{{ values }}`` with the filters of ``shared.messaging.sandbox``, and the tags ``if``, ``unless``, ``case``, ``for``,
``assign``, ``capture``, ``comment``. There is nothing that loads another text, no range and no clock. Everything else is refused when the
text is saved. Values are never read as Liquid; in HTML they are escaped. What has no value is empty.

Bounds: a text of 10 KB (HTML 100 KB), tags of 2,000 characters, 10 blocks deep, values of 2,000 characters where they go through
a filter, an output of 50 KB (HTML 300 KB), and loops that walk over at most 500 KB of text together with what is in them. The slowest
text found within them took 0.9 s of one core (each filter and tag, as often as fits, in a loop of as many turns as it may have);
an ordinary one takes 20 µs. Line ends become ``\\n``.

Cost: the library is loaded with the first text that has a brace, 0.1 to 0.2 s; compiled texts are kept. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from shared.kernel.errors import InvalidValue

if TYPE_CHECKING:
    from shared.messaging.sandbox import Compiled

Values = Mapping[str, Any]
"""By dotted name, as texts name them; values are texts, integers, truths, and lists and dictionaries of these."""
MAX_TEXT: Final = 10_000
MAX_HTML: Final = 100_000
_MAX_TAG: Final = 2_000
_MAX_BLANKS: Final = 100
_MAX_BRACKETS: Final = 10
TAGS: Final = frozenset({"if", "unless", "case", "for", "break", "continue", "assign", "capture", "comment"})
_INSIDE_OR_END: Final = frozenset({"else", "elsif", "when", *(f"end{name}" for name in TAGS)})
_OPENER: Final = re.compile(r"\{\{|\{%")
_CLOSERS: Final = {"{{": "}}", "{%": "%}"}
_NAME: Final = re.compile(r"\w*")
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")


class InvalidTemplate(InvalidValue):
    """Not Liquid, or Liquid that is not allowed here. The sentence says what and in which line."""


class RenderingFailed(InvalidTemplate):
    """The text is too much with these values: its output or its loops are longer than they may be, or it compares what cannot be."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that a text asks for, and the line that it does in (from 1)."""

    name: str
    line: int = 1


class Template:
    """A compiled text."""

    def __init__(self, source: str, compiled: Compiled | None) -> None:
        self._source, self._compiled = source, compiled

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The values that it asks for, by their full names, in order. One that is looked up by another value has ``[`` in its name."""
        return () if self._compiled is None else self._compiled.variables()

    def render(self, values: Values) -> str:
        """The text with its values; ``RenderingFailed``."""
        return self._source if self._compiled is None else self._compiled.render(values)


@lru_cache(maxsize=512)
def _kept(source: str, html: bool) -> Template:
    has_liquid = _check(source, html)
    if not has_liquid:
        return Template(source, None)
    # Here, so that who only handles texts need not load the library.
    from shared.messaging.sandbox import Compiled

    return Template(source, Compiled(source, html))


def compile_template(source: str, *, html: bool = False) -> Template:
    """Compile a text, or find it compiled; ``InvalidTemplate``."""
    return _kept(source, html)


def variables(source: str, *, html: bool = False) -> tuple[Variable, ...]:
    """The values that a text asks for; ``InvalidTemplate``."""
    return compile_template(source, html=html).variables


def render(source: str, values: Values, *, html: bool = False) -> str:
    """The text with its values. They are not looked into: braces in a name stay braces. ``InvalidTemplate``."""
    return compile_template(source, html=html).render(values)


def unknown_variables(source: str, known: Collection[str], *, html: bool = False) -> tuple[Variable, ...]:
    """The values that a text asks for and that are not known. ``data.*`` makes known all that is below ``data``. ``InvalidTemplate``."""
    return tuple(variable for variable in variables(source, html=html) if not _is_known(variable.name, known))


def _is_known(name: str, known: Collection[str]) -> bool:
    parts = name.split(".")
    below = (".".join([*parts[:length], "*"]) for length in range(1, len(parts)))
    return name in known or any(each in known for each in below)


def _check(source: str, html: bool) -> bool:
    """What the library would not refuse, or not in time that is linear in the text; whether there is anything for it to do."""
    limit = MAX_HTML if html else MAX_TEXT
    if len(source) > limit:
        raise InvalidTemplate(f"a text has at most {limit} characters")
    found = False
    for kind, inside, before, line in _pieces(source):
        if not html and any(closer in before for closer in _CLOSERS.values()):
            raise InvalidTemplate(f"line {line}: braces that close nothing")
        if kind:
            found = True
            _check_inside(kind, inside, line)
    return found


def _pieces(source: str) -> Iterator[tuple[str, str, str, int]]:
    """Each tag with what it is, what is inside, the plain text before it, and its line; at the end the last plain text with no tag."""
    end, line = 0, 1
    while opener := _OPENER.search(source, end):
        before, kind = source[end : opener.start()], opener[0]
        line += before.count("\n")
        close = source.find(_CLOSERS[kind], opener.end())
        inside = source[opener.end() : close] if close >= 0 else ""
        if close < 0 or _OPENER.search(inside):
            raise InvalidTemplate(f"line {line}: braces that are not closed")
        yield kind, inside, before, line
        line += inside.count("\n")
        end = close + 2
    yield "", "", source[end:], line


def _check_inside(kind: str, inside: str, line: int) -> None:
    bare = inside.removeprefix("-").removesuffix("-")
    words = bare.strip()
    if len(inside) > _MAX_TAG or len(bare) - len(words) > _MAX_BLANKS:
        raise InvalidTemplate(f"line {line}: more than {_MAX_TAG} characters, or {_MAX_BLANKS} blanks, between braces")
    if not words:
        raise InvalidTemplate(f"line {line}: nothing between braces")
    code = _QUOTED.sub("", bare)
    if ".." in code or code.count("[") > _MAX_BRACKETS:
        raise InvalidTemplate(f"line {line}: there are no ranges, and no more than {_MAX_BRACKETS} brackets between braces")
    name = _NAME.match(words)
    if kind == "{%" and (name is None or name[0] not in TAGS | _INSIDE_OR_END):
        raise InvalidTemplate(f"line {line}: there are the tags {', '.join(sorted(TAGS))}")
