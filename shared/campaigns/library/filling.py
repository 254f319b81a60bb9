"""From an entry of the library to definitions of a tenant: parameters, ids, languages and channels filled in. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.campaigns.library.model import LANGUAGES, Entry, Made
from shared.definitions.model import Kind
from shared.kernel.errors import FieldError

Given = Mapping[str, int | str | Mapping[str, str]]
"""Parameters as they are sent: numbers; texts for every language, or by language."""
_PLACE: Final = re.compile(r"\[\[([a-z0-9_]+)\]\]")
_FALLBACK: Final = LANGUAGES[0]


@dataclass(frozen=True, slots=True)
class Filling:
    """What an entry is filled with. ``languages``: the tenant's, its first one first; ``channels``: those that it has set up."""

    prefix: str
    values: Given
    languages: tuple[str, ...]
    channels: Collection[str]


def spoken(language: str) -> str:
    """The library's language for a tenant's: ``de`` for ``de-AT``, English where there is none."""
    base = language.partition("-")[0]
    return base if base in LANGUAGES else _FALLBACK


def problems(entry: Entry, given: Given) -> tuple[FieldError, ...]:
    """Everything wrong with the parameters, each with a pointer below ``/parameters``."""
    found: list[FieldError] = []
    for name, value in given.items():
        parameter, pointer = entry.parameters.get(name), f"/parameters/{name}"
        if parameter is None:
            found.append(FieldError(pointer, "unknown_parameter", f"one of {', '.join(entry.parameters)}"))
        elif parameter.kind == "number":
            fits = isinstance(value, int) and parameter.least <= value <= parameter.most
            if not fits:
                found.append(FieldError(pointer, "out_of_bounds", f"a number from {parameter.least} to {parameter.most}"))
        else:
            texts = [value] if isinstance(value, str) else list(value.values()) if isinstance(value, Mapping) else []
            if not texts or not all(0 < len(each.strip()) <= parameter.most for each in texts):
                found.append(FieldError(pointer, "out_of_bounds", f"a text of 1 to {parameter.most} characters, or one for each language"))
    return tuple(found)


def ids_of(entry: Entry, prefix: str) -> dict[str, str]:
    """Id in the entry -> id in the tenant."""
    return {each.id: f"{prefix}-{each.id}" if prefix else each.id for each in entry.definitions}


def filled(entry: Entry, filling: Filling) -> list[tuple[Kind, str, dict[str, Any]]]:
    """Kind, id and body of each definition, in the order in which they are published."""
    fill = _Fill(entry, filling)
    return [(each.kind, fill.ids[each.id], fill.body(each)) for each in entry.definitions]


class _Fill:
    def __init__(self, entry: Entry, filling: Filling) -> None:
        self._filling = filling
        self._entry = entry
        self.ids = ids_of(entry, filling.prefix)

    def body(self, made: Made) -> dict[str, Any]:
        body: dict[str, Any] = self._value(made.definition, self._filling.languages[0])
        body["name"] = body["name"][self._filling.languages[0]]
        return body

    def _value(self, node: Any, language: str) -> Any:
        if isinstance(node, str):
            return self._text(node, language)
        if isinstance(node, list):
            return [self._value(each, language) for each in node]
        if not isinstance(node, Mapping):
            return node
        if "$" in node:
            return int(self._parameter(node["$"], language)) * node.get("times", 1)
        if set(node) == set(LANGUAGES):
            return {each: self._value(node[spoken(each)], each) for each in self._filling.languages}
        found = {name: self._value(each, language) for name, each in node.items()}
        return self._over_channels(found) if "ladder" in found else found

    def _text(self, text: str, language: str) -> str:
        if text[:1] == "@" and text[1:] in self.ids:
            return self.ids[text[1:]]
        return _PLACE.sub(lambda match: str(self._parameter(match[1], language)), text)

    def _parameter(self, name: str, language: str) -> int | str:
        parameter = self._entry.parameters[name]
        value = self._filling.values.get(name, parameter.default)
        if not isinstance(value, Mapping):
            return value
        return _in_language(value, language)

    def _over_channels(self, step: dict[str, Any]) -> dict[str, Any]:
        """A message over the channels that the tenant has; over all of them while it has none: then the launch says what is missing."""
        listed: Sequence[str] = step["ladder"]["channels"]
        there = [each for each in listed if each in self._filling.channels] or list(listed)
        by_channel = {channel: texts for channel, texts in step.get("by_channel", {}).items() if channel in there}
        return step | {"ladder": step["ladder"] | {"channels": there}, "by_channel": by_channel}


def _in_language(texts: Mapping[str, str], language: str) -> str:
    """The text in a language, in the library's for it, in English, or else the first that there is."""
    for each in (language, language.partition("-")[0], spoken(language), _FALLBACK):
        if each in texts:
            return texts[each]
    return next(iter(texts.values()))
