"""What was collected, as the two files: JSON for machines, one page for people. Pure. The page loads nothing and runs nothing."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from shared.access.words import FRAME, LANGUAGES, heading

_ABOUT: Final = ("what", "purposes", "legal_grounds", "recipients", "kept", "protection")
_HEAD: Final = ("member_id", "controller", "made_at")
_STYLE: Final = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}dt{font-weight:bold}small{color:#555}"
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def as_json(collected: Mapping[str, Any]) -> bytes:
    """For machines (Art. 20 GDPR)."""
    return json.dumps(collected, ensure_ascii=False, indent=2).encode()


def language_of(wanted: Iterable[str | None]) -> str:
    """The first language that headings are there in, by its first part; English if none is."""
    return next((short for each in wanted if each and (short := each.partition("-")[0].lower()) in LANGUAGES), LANGUAGES[0])


def as_html(collected: Mapping[str, Any], language: str) -> bytes:
    """For people (Art. 15 GDPR). Every value is escaped: what was stored cannot run here."""
    words = FRAME[language]
    head = "".join(_line(words[name], collected[name]) for name in _HEAD)
    sections = "".join(_section(name, section, language) for name, section in collected["sections"].items())
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta http-equiv="content-security-policy" '
        f'content="{_POLICY}"><meta name="viewport" content="width=device-width"><title>{words["title"]}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{words['title']}</h1><dl>{head}</dl>{sections}</body></html>"
    ).encode()


def _section(name: str, section: Mapping[str, Any], language: str) -> str:
    words = FRAME[language]
    about = " · ".join(f"{words[each]}: {_plain(section[each])}" for each in _ABOUT)
    nothing = section["data"] in (None, [], {})
    body = f"<p>{_text(section.get('note', words['nothing']))}</p>" if nothing else _value(section["data"])
    return f"<h2>{_text(heading(name, language))}</h2><p><small>{about}</small></p>{body}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"<dl>{''.join(_line(str(name), inner) for name, inner in value.items())}</dl>"
    if isinstance(value, list | tuple):
        return f"<ul>{''.join(f'<li>{_value(each)}</li>' for each in value)}</ul>"
    return f"<span>{_text(value)}</span>"


def _line(name: str, value: Any) -> str:
    return f"<dt>{_text(name)}</dt><dd>{_value(value)}</dd>"


def _plain(value: Any) -> str:
    return _text(", ".join(value) if isinstance(value, list) else value)


def _text(value: Any) -> str:
    return "-" if value is None else html.escape(str(value))
