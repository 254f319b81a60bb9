"""python-liquid with everything taken out that reads, loads or grows without bound. Only ``shared.messaging.rendering`` uses this.

Library: https://jg-rp.github.io/liquid/ (python-liquid 2.3.6, MIT). Its tags that load other templates (include, render), count in global
names (increment, decrement, cycle) or hide text from the analysis (raw, liquid, doc) are not registered, and neither are its filters
``safe``, ``date`` (it reads the clock), ``split``, ``strip_html``, base64 and those over arrays. Each filter here gets at most
``MAX_STRING`` characters and gives at most as many, so that a chain of them costs no more than its length. A filter that cannot do
its work gives nothing rather than an error: a guest's odd value must not stop a message.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from operator import mul
from typing import Any, Final
from urllib.parse import quote_plus

from liquid import BoundTemplate, Environment, RenderContext
from liquid.builtin import content, illegal, output
from liquid.builtin.filters import array, math, misc, string
from liquid.builtin.tags import assign_tag, capture_tag, case_tag, comment_tag, for_tag, if_tag, unless_tag
from liquid.exceptions import LiquidError, LocalNamespaceLimitError, LoopIterationLimitError
from liquid.static_analysis import Variable as Found
from liquid.utils import ReadOnlyChainMap
from markupsafe import Markup

from shared.messaging.rendering import InvalidTemplate, RenderingFailed, Values, Variable

MAX_STRING: Final = 2_000
MAX_ENCODED: Final = 400
MAX_NUMBER: Final = 10**15
MAX_LOCALS: Final = 100
MAX_LOCAL: Final = 10_000
MAX_ITEMS: Final = 200
"""Of a list: those that ``join`` takes, and the turns of one loop."""
MAX_WALK: Final = 500_000
"""Characters of the text times the turns of a loop in it."""
MAX_OUTPUT: Final = 50_000
MAX_HTML_OUTPUT: Final = 300_000

_TAGS: Final = (
    content.Literal, output.Output, illegal.Illegal, if_tag.IfTag, unless_tag.UnlessTag, case_tag.CaseTag, comment_tag.CommentTag,
    for_tag.ForTag, for_tag.BreakTag, for_tag.ContinueTag, assign_tag.AssignTag, capture_tag.CaptureTag,
)  # fmt: skip
_DIRECTIVE: Final = re.compile(r"%([-]?[dmYy])")
_DAY: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


def _replace(text: Any, wanted: Any, instead: Any = "") -> str:
    """All of them while the result stays within the bound."""
    text, wanted, instead = str(text), str(wanted), str(instead)
    if not wanted:
        return str(text)
    room = (MAX_STRING - len(text)) // max(1, len(instead) - len(wanted)) if len(instead) > len(wanted) else -1
    return str(text).replace(wanted, instead, max(-1, room))


def _replace_first(text: Any, wanted: Any, instead: Any = "") -> str:
    return str(text).replace(str(wanted), str(instead), 1)


def _url_encode(text: Any) -> str:
    # Eight times as slow as anything else here, so it gets less.
    return quote_plus(str(text)[:MAX_ENCODED])


def _join(items: Any, separator: Any = " ") -> str:
    return str(separator)[:20].join(str(item)[:MAX_STRING] for item in list(items)[:MAX_ITEMS])


def _round(number: Any, digits: Any = 0) -> Any:
    places = max(0, min(6, int(digits)))
    rounded = round(float(number), places)
    return rounded if places else int(rounded)


def _date(day: Any, form: Any) -> str:
    """An ISO day in another order: ``%d.%m.%Y``; also ``%-d``, ``%-m``, ``%y``. What is no ISO day stays as it is."""
    found = _DAY.match(str(day))
    if found is None:
        return str(day)
    year, month, date = found.groups()
    parts = {"d": date, "m": month, "Y": year, "y": year[2:], "-d": str(int(date)), "-m": str(int(month))}
    return _DIRECTIVE.sub(lambda directive: parts.get(directive[1], directive[0]), str(form))


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "default": misc.default, "size": misc.size, "date": _date, "join": _join, "first": array.first, "last": array.last,
    "capitalize": string.capitalize, "downcase": string.downcase, "upcase": string.upcase, "strip": string.strip,
    "lstrip": string.lstrip, "rstrip": string.rstrip, "strip_newlines": string.strip_newlines, "newline_to_br": string.newline_to_br,
    "append": string.append, "prepend": string.prepend, "remove": _replace, "remove_first": _replace_first, "replace": _replace,
    "replace_first": _replace_first, "slice": string.slice_, "truncate": string.truncate, "truncatewords": string.truncatewords,
    "escape": string.escape, "url_encode": _url_encode,
    "abs": math.abs_, "at_least": math.at_least, "at_most": math.at_most, "ceil": math.ceil, "floor": math.floor, "round": _round,
    "plus": math.plus, "minus": math.minus, "times": math.times, "divided_by": math.divided_by, "modulo": math.modulo,
}  # fmt: skip


def _bounded(work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    def filter_(*given: Any, **named: Any) -> Any:
        try:
            return _cut(work(*map(_cut, given), **named))
        except (LiquidError, ArithmeticError, ValueError, TypeError, LookupError):
            return ""

    return filter_


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_STRING:
        # Half an entity is no markup any more: what is cut is text, and is escaped again.
        return str(value)[:MAX_STRING]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise OverflowError
    return value


class _Context(RenderContext):
    """Bounds that need no walk over what is there; and no names of the library's own, which read the clock."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.scope = ReadOnlyChainMap(self.locals, self.globals)

    def assign(self, key: str, val: Any) -> None:
        """Keep a local value."""
        too_many = key not in self.locals and len(self.locals) >= MAX_LOCALS
        if too_many or (isinstance(val, str) and len(val) > MAX_LOCAL):
            raise LocalNamespaceLimitError("too many local values, or one too long", token=None)
        self.locals[key] = val

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Refuse a loop that would take too long with those round it."""
        turns = functools.reduce(mul, (loop.length for loop in self.loops), length)
        limit = self.template.loop_limit if isinstance(self.template, _Template) else 0
        if turns > limit:
            raise LoopIterationLimitError(f"loops of more than {limit} turns in all", token=None)


class _Template(BoundTemplate):
    context_class = _Context
    loop_limit = 0


class _Sandbox(Environment):
    template_class = _Template
    block_nesting_limit = 10
    context_depth_limit = 20
    output_stream_limit = MAX_OUTPUT

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:  # noqa: ARG002
        """Only what is listed here."""
        for tag in _TAGS:
            self.add_tag(tag)
        for name, work in FILTERS.items():
            self.add_filter(name, _bounded(work))


class _HtmlSandbox(_Sandbox):
    output_stream_limit = MAX_HTML_OUTPUT


_TEXT: Final = _Sandbox()
_HTML: Final = _HtmlSandbox(autoescape=True)


class Compiled:
    """A text that has Liquid in it."""

    def __init__(self, source: str, html: bool) -> None:
        self._source = source
        try:
            self._template = (_HTML if html else _TEXT).from_string(source)
        except LiquidError as error:
            raise InvalidTemplate(_sentence(error, source)) from None
        if isinstance(self._template, _Template):
            self._template.loop_limit = min(MAX_ITEMS, MAX_WALK // len(source))
        try:
            self._variables = self._analyzed()
        except (LiquidError, RecursionError) as error:
            raise InvalidTemplate(_sentence(error, source)) from None

    def variables(self) -> tuple[Variable, ...]:
        """The values that it asks for, in order."""
        return self._variables

    def _analyzed(self) -> tuple[Variable, ...]:
        analysis = self._template.analyze(include_partials=False)
        unknown = sorted(set(analysis.filters) - set(FILTERS))
        if unknown:
            line = _line(self._source, analysis.filters[unknown[0]][0].index)
            raise InvalidTemplate(f"line {line}: there is no filter {unknown[0][:50]}; there are {', '.join(sorted(FILTERS))}")
        found = sorted((each for all_of in analysis.globals.values() for each in all_of), key=lambda each: each.span.index)
        return tuple(Variable(_name(each), _line(self._source, each.span.index)) for each in found)

    def render(self, values: Values) -> str:
        """The text with its values; ``RenderingFailed``."""
        try:
            return str(self._template.render(_nested(values)))
        except (LiquidError, RecursionError) as error:
            raise RenderingFailed(_sentence(error, self._source)) from None
        except Exception as error:  # of a library that works on what others wrote: whatever it is, this text is not sent
            raise RenderingFailed(f"not possible with these values: {type(error).__name__}") from None


def _nested(values: Values) -> dict[str, Any]:
    """``{"a.b": 1}`` as ``{"a": {"b": 1}}``."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        place = made
        for part in path:
            place = place.setdefault(part, {})
        place[last] = str(value) if isinstance(value, Markup) else value
    return made


def _name(found: Found) -> str:
    return ".".join(part if isinstance(part, str) else f"[{part}]" for part in found.segments)


def _line(source: str, index: int) -> int:
    return source.count("\n", 0, max(0, index)) + 1


def _sentence(error: Exception, source: str) -> str:
    token = getattr(error, "token", None)
    reason = (str(error.args[0]) if error.args else "") if isinstance(error, LiquidError) else "too deep"
    where = f"line {_line(source, token.start_index)}: " if token is not None and token.start_index >= 0 else ""
    return f"{where}{reason[:200]}"
