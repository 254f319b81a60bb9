"""Move the clock of the local stage: ``+30d``, ``+2h``, ``reset``. Deployed stages have no such clock."""

from __future__ import annotations

import argparse
import re
import time
from datetime import UTC, datetime
from typing import Any

from local import console
from local.env import read_env, running_instance
from local.store import Store
from shared.storage import keys
from shared.storage.items import ClockItem

_UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def offset(store: Store) -> int:
    """How far the clock is moved, in milliseconds."""
    raw = store.main.get(keys.clock())
    return 0 if raw is None else int(ClockItem.read(raw).offset)


def move(store: Store, by: int) -> int:
    """Move it further by so many milliseconds (or back)."""
    moved = offset(store) + by
    store.main.put(ClockItem.at(keys.clock(), offset=moved))
    return moved


def reset(store: Store) -> None:
    """The clock on the wall again."""
    store.main.delete(keys.clock())


def now(store: Store) -> int:
    """The present of the local stage, in milliseconds."""
    return int(time.time() * 1000) + offset(store)


def parse(text: str) -> int:
    """``+30d`` -> milliseconds."""
    found = re.fullmatch(r"([+-])([0-9]{1,5})([smhd])", text)
    if found is None:
        raise console.Failure(f"{text!r} is not a distance in time", "Write it as +30d, +2h, +15m, -1d, or reset.")
    return int(found[1] + found[2]) * _UNITS[found[3]]


def add_parser(subparsers: Any) -> None:
    """``python -m local clock``."""
    parser = subparsers.add_parser("clock", help="move the clock of the local stage (+30d, reset)", description=__doc__)
    parser.add_argument("by", nargs="?", help="+30d, +2h, +15m, -1d, or reset; nothing shows it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show or move it."""
    running_instance()
    store = Store.of(read_env())
    if options.by == "reset":
        reset(store)
    elif options.by is not None:
        move(store, parse(options.by))
    moved = offset(store)
    text = datetime.fromtimestamp(now(store) / 1000, UTC).isoformat(timespec="seconds")
    console.say(f"The local stage's clock shows {text} ({moved / 86_400_000:+.2f} days from the wall's).")
    if options.by not in (None, "reset"):
        console.say("What fell due is settled by the next sweep (each minute), or now: python -m local tick")
    return 0
