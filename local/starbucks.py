"""A coffee-rewards programme of offers, receipts and purchases as challenges and events, for ``python -m local replay``.

FOLDER holds offers.json (id, offer_type, difficulty, duration in days, reward), members.jsonl (member_id, joined_on) and events.jsonl
(seq, member_id, event, hour, offer_id or amount); docs/challenges.md says how each becomes what. OUT gets definitions.json and
events.jsonl:

  python -m local starbucks FOLDER --out .local/starbucks
  python -m local replay .local/starbucks/definitions.json .local/starbucks/events.jsonl --out .local/starbucks/result
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from local import console
from shared.kernel.instants import HOUR, Instant, format_rfc3339, parse_rfc3339

BEGIN: Final[Instant] = parse_rfc3339("2026-01-01T00:00:00Z")
"""Hour 0 of the file, which has no dates."""
CURRENCY, ZONE, PLACE, SOURCE = "USD", "UTC", "shop", "starbucks"


def add_parser(subparsers: Any) -> None:
    """``python -m local starbucks``."""
    parser = subparsers.add_parser("starbucks", help="a rewards programme's offers and purchases as challenges", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="offers.json, members.jsonl, events.jsonl")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the two files, made if it is not there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write both files."""
    try:
        known, lines = definitions(options.folder), list(events(options.folder))
    except (OSError, ValueError, KeyError) as error:
        hint = "It holds offers.json, members.jsonl and events.jsonl."
        raise console.Failure(f"{options.folder} cannot be read: {error!r}", hint) from error
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "definitions.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    with (options.out / "events.jsonl").open("w", encoding="utf-8") as opened:
        opened.writelines(json.dumps(line) + "\n" for line in lines)
    console.say(f"    {options.out}: definitions.json ({len(known['challenges'])} challenges), events.jsonl ({len(lines)} events)")


def definitions(folder: Path) -> dict[str, Any]:
    """The tenant and its challenges. Informational offers ask for nothing, and are none."""
    offers = json.loads((folder / "offers.json").read_text(encoding="utf-8"))
    return {
        "settings": {"name": "Coffee rewards", "currency": CURRENCY, "time_zone": ZONE},
        "locations": [{"id": PLACE, "name": "Shop"}],
        "challenges": [{"id": each["id"], "definition": challenge(each)} for each in offers if has_goal(each)],
    }


def has_goal(offer: dict[str, Any]) -> bool:
    """Whether an offer can be completed."""
    return bool(offer["offer_type"] != "informational")


def challenge(offer: dict[str, Any]) -> dict[str, Any]:
    """A discount counts what is spent in all, up to the difficulty; buy-one-get-one asks for one purchase of more than it."""
    one_purchase = offer["offer_type"] == "bogo"
    return {
        "name": f"{offer['offer_type']} {offer['difficulty']} in {offer['duration']:g} days",
        "goal": {
            "of": "spend",
            "threshold": 100 * offer["difficulty"],
            "counted": "single_purchase" if one_purchase else "cumulative",
            "compare": ">" if one_purchase else ">=",
        },
        "window": {"hours": round(24 * offer["duration"]), "end": "inclusive"},
        "reward": {"points": offer["reward"], "wallet": "stars"},
    }


def events(folder: Path) -> Iterator[dict[str, Any]]:
    """Everybody registers at the start; then receipts and purchases in the order of the file. Views and completions are left out."""
    goals = {each["id"] for each in json.loads((folder / "offers.json").read_text(encoding="utf-8")) if has_goal(each)}
    for member in _lines(folder / "members.jsonl"):
        yield {"type": "registration", "at": format_rfc3339(BEGIN), "member": member["member_id"], "source": "import"}
    for event in _lines(folder / "events.jsonl"):
        if event["event"] == "transaction":
            yield purchase(event)
        elif event["event"] == "received" and event["offer_id"] in goals:
            yield {
                "type": "challenge",
                "at": at_hour(event["hour"]),
                "member": event["member_id"],
                "challenge": event["offer_id"],
                "receipt": str(event["seq"]),
            }


def purchase(event: dict[str, Any]) -> dict[str, Any]:
    """One line of the amount; the file does not say what was bought."""
    at, cents = at_hour(event["hour"]), round(100 * event["amount"])
    return {
        "type": "purchase",
        "source": SOURCE,
        "location_id": PLACE,
        "business_date": at[:10],
        "receipt_number": str(event["seq"]),
        "occurred_at": at,
        "channel": "pos",
        "currency": CURRENCY,
        "member": {"id": event["member_id"]},
        "lines": [{"id": "1", "category": "unknown", "quantity": "1", "unit_price": cents}],
    }


def at_hour(hour: int) -> str:
    """An hour of the file as an instant."""
    return format_rfc3339(BEGIN + hour * HOUR)


def _lines(file: Path) -> Iterable[dict[str, Any]]:
    with file.open(encoding="utf-8") as opened:
        yield from (json.loads(line) for line in opened if not line.isspace())
