"""``python -m tests.benchmarks [part ...]``: measure, and write docs/benchmarks.md.

Parts: decision segments purchase states replay coupons quota imports snapshots backfill campaigns limits local.
"""

from __future__ import annotations

import contextlib
import io
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

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
_HEAD = """\
# Benchmarks

Made by `make bench`; nothing here is written by hand. The machine is shared and small, so read ratios: both sides of each were
measured in turns in the same run. Goals are those of the design; where a figure falls short, the note says so.
"""


def main(wanted: list[str]) -> None:
    """Measure the parts named (all, if none) and write the page; parts not measured keep their last figures."""
    results: dict[str, list[Row]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for name, (text, run) in PARTS.items():
        if wanted and name not in wanted:
            continue
        with console.step(text) as notes, contextlib.redirect_stdout(io.StringIO()):
            results[name] = run()
            notes.append(f"{len(results[name])} figures")
    if "purchase" in results:
        results["cost"] = bench_cost.run(results["purchase"])
    KEPT.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(results))
    for rows in results.values():
        console.table(("", "figure", "", "note"), [(each["name"], each["figure"], each["unit"], each["note"]) for each in rows])


def page(results: dict[str, list[Row]]) -> str:
    """The page as Markdown."""
    titles = {**{name: text for name, (text, _) in PARTS.items()}, "cost": "Cost, from measured units and list prices"}
    parts = [_HEAD, f"Last run {time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {platform.machine()}, 2 cores.\n"]
    for name, text in titles.items():
        if name in results:
            parts.append(f"\n## {text}\n\n| what | figure | unit | note |\n|---|---:|---|---|\n")
            parts += [f"| {each['name']} | {each['figure']} | {each['unit']} | {each['note']} |\n" for each in results[name]]
    return "".join(parts)


if __name__ == "__main__":
    main(sys.argv[1:])
