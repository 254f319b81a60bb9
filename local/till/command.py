"""A till on the command line, against `make up` or any other deployment. It keeps its journal in .local/till and may be killed at any time.

A sale is on the disk before it is answered. With `--no-network` the till is cut off: it takes signed QR codes within its location's
allowance, and `settle` sends what it sold as soon as there is a network again. Run `status` first: it makes contact.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from local import console, tools
from local.env import read_env
from local.till.disk import Busy, FileDisk
from local.till.giving import REASONS, Coupon, Order
from local.till.journal import Entry, Journal
from local.till.memory import FileMemory
from local.till.network import HttpTransport, NoAnswer, Reply, Transport
from local.till.till import Settings, Till
from shared.coupons.qr import ExpiredQr, InvalidQr, QrContent
from shared.kernel.instants import SECOND, format_day, format_rfc3339, local_day

_EXAMPLES: Final = """\
examples (a QR code is the text that GET /v1/members/{id}/card or .../coupons/{id}/qr answers):
  python -m local till status                                   make contact: time, keys, allowance
  python -m local till scan "$QR"                               what a QR code says, without network
  python -m local till sell 2=350x2 --card "$CARD"              two of item 2 at 3.50, for a member
  python -m local till sell 2=350 --card "$CARD" --coupon "$QR" --no-network       cut off: within the allowance
  python -m local till sell 2=350 --card "$CARD" --coupon "$QR=100" --no-network   the cashier took 1.00 off for it
  python -m local till return 7                                 receipt 7 comes back; --void: it never was
  python -m local till settle --wait                            send what waits until all of it is recorded
"""
_LINE: Final = re.compile(r"(?P<item>[^=]+)=(?P<price>\d+)(x(?P<quantity>\d+(\.\d{1,3})?))?")


class _Cut:
    """No network."""

    def call(self, method: str, path: str, body: Any, timeout_ms: int) -> Reply:  # noqa: ARG002
        """Nobody answers."""
        raise NoAnswer("--no-network")


def add_parser(subparsers: Any) -> None:
    """``python -m local till``."""
    parser = subparsers.add_parser("till", help="a till that sells with and without network", description=__doc__, epilog=_EXAMPLES)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(metavar="action", required=True)
    sell = _action(actions, "sell", "sell a basket", _sell)
    sell.add_argument("lines", nargs="+", metavar="ITEM=PRICE[xQUANTITY]", help="price in minor units")
    sell.add_argument("--card", help="text of the QR code of the member's card")
    sell.add_argument("--member", help="her id, where nothing is given offline")
    coupon = "text of a coupon's QR code; =AMOUNT where the cashier says what it takes off"
    sell.add_argument("--coupon", action="append", default=[], help=coupon)
    sell.add_argument("--points", type=int, default=0)
    sell.add_argument("--points-value", type=int, help="minor units")
    sell.add_argument("--receipt", help="the receipt's number; without: the next one")
    back = _action(actions, "return", "a sale comes back", _return)
    back.add_argument("receipt", help="of the sale")
    back.add_argument("--date", help="business date of the sale; without: today")
    back.add_argument("--line", action="append", default=[], help="only this line (1, 2, ...)")
    back.add_argument("--void", action="store_true", help="the sale never was")
    _action(actions, "status", "contact, clock, allowance, and what waits", _status)
    settle = _action(actions, "settle", "send what waits", _settle)
    settle.add_argument("--wait", action="store_true", help="try again, with back-off, until nothing waits")
    scan = _action(actions, "scan", "verify a QR code", _scan)
    scan.add_argument("text")


def _action(actions: Any, name: str, summary: str, run: Callable[[Till, argparse.Namespace], int]) -> Any:
    parser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("--no-network", action="store_true", help="as if it were cut off")
    parser.add_argument("--url", help="another deployment than that of `make up`")
    parser.add_argument("--key", help="API key: transactions:write, and definitions:read for the allowance")
    parser.add_argument("--tenant", help="whose codes are taken")
    parser.add_argument("--location", default="1")
    parser.add_argument("--till", default="1")
    parser.add_argument("--currency", default="USD")
    parser.add_argument("--home", type=Path, default=tools.HOME / "till", help="where journals are kept")
    parser.set_defaults(run=lambda options: _run(run, options))
    return parser


def _run(run: Callable[[Till, argparse.Namespace], int], options: argparse.Namespace) -> int:
    with _open(options) as till:
        return run(till, options)


@contextmanager
def _open(options: argparse.Namespace) -> Iterator[Till]:
    """The till, for this process alone."""
    facts = read_env()
    tenant = options.tenant or facts.get("tenant")
    key = options.key or facts.get("tenants", {}).get(tenant, {}).get("till")
    url = options.url or facts.get("api_url")
    if not (tenant and key and url):
        raise console.Failure("no deployment is known", "Run `make demo`, or name --url, --key and --tenant.")
    folder = options.home / tenant / f"{options.location}-{options.till}"
    try:
        disk = FileDisk(folder / "journal")
    except Busy:
        raise console.Failure("another process uses this till", "Wait for it, or name another --till.") from None
    transport: Transport = _Cut() if options.no_network else HttpTransport(url, key)
    settings = Settings(tenant, options.location, options.till, options.currency)
    try:
        memory = FileMemory(folder / "known.json")
        yield Till(settings, Journal(disk), memory, transport, lambda: time.time_ns() // 1_000_000, random.random)
    finally:
        disk.close()


def _sell(till: Till, options: argparse.Namespace) -> int:
    """Sell."""
    order = Order(
        receipt=options.receipt or str(till.journal.number + 1),
        lines=tuple(_line(place, text) for place, text in enumerate(options.lines, 1)),
        card=_scanned(till, options.card) if options.card else None,
        member={"id": options.member} if options.member else None,
        coupons=tuple(_coupon(till, text) for text in options.coupon),
        points=options.points,
        points_value=options.points_value,
    )
    sold = till.sell(order)
    if not sold.taken:
        detail = REASONS.get(sold.reason or "", sold.reason or "")
        raise console.Failure(f"not sold: {sold.reason} ({sold.subject or 'basket'})", f"{detail} Sell it without, or something less.")
    how = "offline" if sold.offline else "recorded" if sold.answer is not None else "waits to be sent"
    console.say(f"receipt {order.receipt}: {how}, discount {sold.discount}")
    for line in ((sold.answer or {}).get("receipt") or {}).get("lines", []):
        console.say(f"  {line}")
    return 0


def _return(till: Till, options: argparse.Namespace) -> int:
    """Return or void."""
    date = options.date or format_day(local_day(till.now(), till.known.zone))
    if options.void:
        entry = till.void(options.receipt, date)
    else:
        lines = tuple({"line_id": each} for each in options.line)
        entry = till.give_back(f"r{till.journal.number + 1}", options.receipt, date, lines)
    _say(entry)
    return 0 if entry.outcome != "refused" else 1


def _status(till: Till, _options: argparse.Namespace) -> int:
    """What the till knows, and what waits."""
    answered, known = till.refresh(), till.known
    today = format_day(local_day(till.now(), known.zone))
    given, allowance = till.journal.given(today), known.allowance
    contact = "never" if known.contact is None else format_rfc3339(known.contact - known.contact % SECOND)
    rows = [
        ("network", "answers" if answered else "no answer, or the key may not read locations (definitions:read)"),
        ("last contact", contact),
        ("own clock", "unknown" if known.skew is None else f"{-known.skew / SECOND:+.1f} s"),
        ("public keys", str(len(known.keys.keys))),
        ("allowance", "nothing is given offline" if allowance is None else str(allowance.model_dump(exclude_defaults=True))),
        ("given offline today", f"{given.points} points, discount {given.value}"),
        ("waiting", str(len(till.journal.waiting))),
        ("refused", str(len(till.journal.refused))),
        ("damaged lines", str(till.journal.damaged)),
    ]
    console.table(("", ""), rows)
    for entry in (*till.journal.waiting, *till.journal.refused):
        _say(entry)
    return 0


def _settle(till: Till, options: argparse.Namespace) -> int:
    """Send what waits."""
    while True:
        settled = till.settle()
        why = f" ({settled.reason})" if settled.reason else ""
        console.say(f"{settled.done} recorded, {settled.refused} refused, {settled.waiting} wait{why}")
        if not settled.waiting or not options.wait or settled.reason == "credential":
            break
        time.sleep(settled.wait / SECOND)
    for entry in till.journal.refused:
        _say(entry)
    return 0 if not settled.waiting and not till.journal.refused else 1


def _scan(till: Till, options: argparse.Namespace) -> int:
    """What a code says."""
    found = _scanned(till, options.text)
    console.say(f"{found.kind} {found.id} {found.value} until {format_rfc3339(found.expires_at)}")
    return 0


def _scanned(till: Till, text: str) -> QrContent:
    try:
        return till.scan(text)
    except ExpiredQr:
        raise console.Failure("the QR code has expired", "Ask the guest to show it again: her app makes a new one.") from None
    except InvalidQr:
        hint = "It is not of this tenant, or this till has no keys yet: run `python -m local till status` with network."
        raise console.Failure("the QR code is not valid", hint) from None


def _coupon(till: Till, text: str) -> Coupon:
    code, _, amount = text.partition("=")
    return Coupon(shown=_scanned(till, code), amount=int(amount) if amount else None)


def _line(place: int, text: str) -> dict[str, Any]:
    found = _LINE.fullmatch(text)
    if found is None:
        raise console.Failure(f"no line: {text}", "ITEM=PRICE or ITEM=PRICExQUANTITY, the price in minor units.")
    line: dict[str, Any] = {"id": str(place), "item_id": found["item"], "unit_price": int(found["price"])}
    return line | ({"quantity": found["quantity"]} if found["quantity"] else {})


def _say(entry: Entry) -> None:
    why = (entry.answer or {}).get("code") or (entry.answer or {}).get("detail") or ""
    receipt = entry.body.get("receipt_number") or entry.path
    console.say(f"{entry.outcome:>8}  {entry.kind} {receipt} {why}".rstrip())
