"""The page of the local outbox: newest first, each message as its guest sees it. On loopback, with nothing from elsewhere in it.

``/`` is the page, ``/messages.json`` the same list for scripts; both take ``?tenant=&member=&channel=&campaign=``. What a campaign
wrote as HTML is shown in a frame without scripts and without rights, and nothing in it is loaded: reading it here is not an open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from local.outbox import FILTERS, chosen

Source = Callable[[], Sequence[Mapping[str, Any]]]
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_LOCAL_NAMES = ("127.0.0.1", "localhost")
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --ink: light-dark(#1557a8, #7db4f5) }
* { box-sizing: border-box }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem; margin: 0 0 1rem }
form { display: flex; flex-wrap: wrap; gap: .5rem .7rem; align-items: end; margin-bottom: 1.5rem }
label { display: grid; flex: 1 1 8rem; font-size: .85rem }
input, select, button, form a { font: inherit; font-size: 15px; padding: .35rem .6rem; border: 1px solid #888; border-radius: .5rem }
input, select, button { background: Canvas; color: inherit; min-width: 0; width: 100%; height: 2.2rem }
button { width: auto } form a { border-color: transparent }
article { border: 1px solid var(--line); border-radius: .9rem; padding: .9rem 1.1rem; margin-bottom: 1rem }
header { display: flex; gap: .6rem; align-items: baseline; flex-wrap: wrap; font-size: .85rem; margin-bottom: .5rem }
header a { overflow-wrap: anywhere }
.channel { background: var(--ink); color: Canvas; border-radius: 1rem; padding: 0 .6rem }
.withheld { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem }
h2 { font-size: 1.05rem; margin: .2rem 0; overflow-wrap: anywhere }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0 }
.sms .text { background: var(--soft); border-radius: 1rem; padding: .6rem .9rem; display: inline-block; max-width: 80% }
iframe { width: 100%; height: 26rem; border: 1px solid var(--line); border-radius: .5rem; background: white }
details { font-size: .85rem; margin-top: .5rem } summary { cursor: pointer }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem }
dd { margin: 0; overflow-wrap: anywhere }
@media (max-width: 30rem) { dl { display: block } dt { font-weight: bold; overflow-wrap: anywhere } dd { margin-bottom: .4rem } }
a { color: var(--ink) }
"""


def page(messages: Sequence[Mapping[str, Any]], wanted: Mapping[str, str], channels: Sequence[str]) -> str:
    """The page of these messages."""
    shown = "".join(_article(each, wanted) for each in messages) or "<p>Nothing was delivered yet that fits.</p>"
    title = f"Outbox ({len(messages)})"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<link rel="icon" href="data:,"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>{_form(wanted, channels)}<main>{shown}</main></html>"
    )


def _form(wanted: Mapping[str, str], channels: Sequence[str]) -> str:
    fields = "".join(
        f'<label>{name}<input name="{name}" value="{escape(wanted.get(name, ""))}"></label>' for name in FILTERS if name != "channel"
    )
    now = wanted.get("channel", "")
    options = '<option value="">every channel</option>'
    options += "".join(f"<option{' selected' if each == now else ''}>{escape(each)}</option>" for each in channels)
    return f'<form>{fields}<label>channel<select name="channel">{options}</select></label><button>Show</button> <a href="/">all</a></form>'


def _article(message: Mapping[str, Any], wanted: Mapping[str, str]) -> str:
    channel, html = str(message["channel"]), str(message.get("html", ""))
    links = " ".join(_narrowing(message, wanted, name) for name in ("campaign", "member"))
    subject = f"<h2>{escape(str(message['title']))}</h2>" if message["title"] and channel != "sms" else ""
    text = f'<p class="text">{escape(str(message["body"]))}</p>'
    framed = f'<iframe sandbox="" title="HTML" srcdoc="{escape(html)}"></iframe><details><summary>text</summary>{text}</details>'
    shown = framed if html else text
    withheld = f'<span class="withheld">not sent: {escape(str(message["withheld"]))}</span>' if "withheld" in message else ""
    return (
        f'<article class="{escape(channel)}"><header><span class="channel">{escape(channel)}</span>{withheld}'
        f"<time>{escape(str(message['sent_at']))}</time>{links}</header>{subject}{shown}{_details(message)}</article>"
    )


def _narrowing(message: Mapping[str, Any], wanted: Mapping[str, str], name: str) -> str:
    value = str(message.get(name, ""))
    return f'<a href="/?{escape(urlencode({**wanted, name: value}))}">{escape(value)}</a>'


def _details(message: Mapping[str, Any]) -> str:
    facts = {name: message[name] for name in ("address", "endpoint", "tenant", "step", "delivery") if name in message}
    facts |= {**message.get("headers", {}), **{f"data.{name}": value for name, value in message.get("data", {}).items()}}
    rows = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
    return f"<details><summary>details</summary><dl>{rows}</dl></details>"


@contextmanager
def serving(source: Source, port: int) -> Iterator[ThreadingHTTPServer]:
    """A server on loopback, listening but not serving yet."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """One page."""
            host = self.headers.get("host", "").rpartition(":")[0]
            asked = urlsplit(self.path)
            if host not in _LOCAL_NAMES or asked.path not in {"/", "/messages.json"}:
                # A page elsewhere that names this machine by a name of its own reads nothing here.
                self.send_error(404)
                return
            wanted = {name: value for name, value in parse_qsl(asked.query) if name in FILTERS}
            everything = source()
            messages = chosen(everything, wanted)
            if asked.path == "/":
                channels = sorted({str(each["channel"]) for each in everything})
                self._answer("text/html; charset=utf-8", page(messages, wanted, channels))
            else:
                self._answer("application/json", json.dumps({"data": messages}, ensure_ascii=False))

        def _answer(self, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(200)
            safety = {"content-security-policy": POLICY, "cache-control": "no-store", "x-content-type-options": "nosniff"}
            for name, value in {"content-type": kind, "content-length": str(len(body)), **safety}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: what is asked for is seen."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    try:
        yield server
    finally:
        server.server_close()
