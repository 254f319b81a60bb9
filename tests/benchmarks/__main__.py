"""``python -m tests.benchmarks [part ...]``: measure, and write docs/benchmarks.md. ``--help`` names the parts."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from local import console
from tests.benchmarks import (
    bench_backfill,
    bench_campaigns,
    bench_cost,
    bench_coupons,
    bench_decision,
    bench_imports,
    bench_limits,
    bench_local,
    bench_purchase,
    bench_quota,
    bench_replay,
    bench_segments,
    bench_snapshots,
    bench_states,
)
from tests.benchmarks.rows import Row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
KEPT = ROOT / "docs" / "benchmarks.json"
PARTS: dict[str, tuple[str, Callable[[], list[Row]]]] = {
    "purchase": ("A purchase: CPU and units", bench_purchase.run),
    "states": ("A guest's state", bench_states.run),
    "decision": ("A decision of the earning engine", bench_decision.run),
    "replay": ("A replay", bench_replay.run),
    "coupons": ("Coupons on a basket", bench_coupons.run),
    "quota": ("The limit of an offer", bench_quota.run),
    "imports": ("Cold start", bench_imports.run),
    "segments": ("Segments", bench_segments.run),
    "snapshots": ("Snapshots of profiles", bench_snapshots.run),
    "backfill": ("A new segment over everybody", bench_backfill.run),
    "campaigns": ("Campaigns: planning, sending, texts, cost", bench_campaigns.run),
    "limits": ("Limits: what counting costs, and a noisy tenant", bench_limits.run),
    "local": ("The deployed system on the local AWS", bench_local.run),
}


class Measured(TypedDict):
    """The figures of a part, and the day that they are of."""

    on: str
    rows: list[Row]


_HEAD = """\
# Benchmarks

Made by `make bench`; nothing here is written by hand. The machine is shared and small, so read ratios: both sides of each were
measured in turns in the same run. Goals are those of the design; where a figure falls short, the note says so.
"""


def main(arguments: list[str]) -> None:
    """Measure the parts named (all, if none) and write the page; parts not measured keep their last figures and their day."""
    wanted = _parser().parse_args(arguments).part
    kept: dict[str, Measured] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    today = time.strftime("%Y-%m-%d")
    for name, (text, run) in PARTS.items():
        if wanted and name not in wanted:
            continue
        with console.step(text) as notes, contextlib.redirect_stdout(io.StringIO()):
            kept[name] = {"on": today, "rows": run()}
            notes.append(f"{len(kept[name]['rows'])} figures")
        _write(kept)
    for name, each in kept.items():
        if name in wanted or not wanted:
            console.table(("", "figure", "", "note"), [(row["name"], row["figure"], row["unit"], row["note"]) for row in each["rows"]])


def _write(kept: dict[str, Measured]) -> None:
    """After each part, so that one that fails loses nothing of those before."""
    if "purchase" in kept:
        kept["cost"] = {"on": kept["purchase"]["on"], "rows": bench_cost.run(kept["purchase"]["rows"])}
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(page(kept))


def _parser() -> argparse.ArgumentParser:
    parts = "\n".join(f"  {name:10} {text}" for name, (text, _) in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure, and write docs/benchmarks.md. Both sides of each ratio are measured in turns in the same run; still,\n"
        "nothing else should run on the machine.",
        epilog=f"parts:\n{parts}\n\nexample: python -m tests.benchmarks purchase imports",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", nargs="*", type=_part, metavar="part", help="what to measure; all parts unless some are named")
    return parser


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part {name}; the parts are {', '.join(PARTS)}")
    return name


def page(kept: dict[str, Measured]) -> str:
    """The page as Markdown."""
    titles = {**{name: text for name, (text, _) in PARTS.items()}, "cost": "Cost, from measured units and list prices"}
    parts = [_HEAD, f"Python {platform.python_version()}, {platform.machine()}, 2 cores.\n"]
    for name, text in titles.items():
        if name in kept:
            parts.append(f"\n## {text}\n\nMeasured on {kept[name]['on']}.\n\n| what | figure | unit | note |\n|---|---:|---|---|\n")
            parts += [f"| {each['name']} | {each['figure']} | {each['unit']} | {each['note']} |\n" for each in kept[name]["rows"]]
    return "".join(parts)


if __name__ == "__main__":
    main(sys.argv[1:])
