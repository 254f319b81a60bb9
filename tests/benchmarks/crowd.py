"""Members and rules that the benchmarks of segments and snapshots share, and how their time is taken.

The members are synthetic (a fixed seed): 0 to 60 purchases in 400 days, some with attributes and consents.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from shared.kernel.instants import DAY, local_day, parse_rfc3339
from shared.member_state.model import Consent, MemberState
from shared.profile.model import Visit
from shared.profile.rules import add_visit, spill
from shared.segments.model import SegmentDefinition

ZONE = "Europe/Berlin"
NOW = parse_rfc3339("2026-11-21T10:00:00Z")
TODAY = local_day(NOW, ZONE)
CITIES = ("Berlin", "Hamburg", "Leipzig", "Dresden")
CATEGORIES = ("coffee", "cake", "pizza", "wine", "salad")
LOCATIONS = ("mitte", "north", "south")


def members(number: int, seed: int = 7) -> list[MemberState]:
    """Synthetic members."""
    rng = random.Random(seed)
    made = []
    for index in range(number):
        state = MemberState("bench", f"m{index}", attributes={"city": rng.choice(CITIES), "visits_goal": rng.randint(1, 9)})
        if rng.random() < 0.7:
            state.consents["news:push"] = Consent(rng.random() < 0.8, 1, "1")
        for ago in sorted((rng.randint(0, 400 * DAY) for _ in range(min(60, int(rng.expovariate(1 / 12))))), reverse=True):
            value = rng.randint(300, 4000)
            by = {f"c:{rng.choice(CATEGORIES)}": value, f"l:{rng.choice(LOCATIONS)}": value, "h:till": value}
            add_visit(state.profile, Visit(NOW - ago, value, 1000, by), ZONE)
        spill(state.profile, TODAY)
        made.append(state)
    return made


def rules(number: int, seed: int = 3) -> list[dict[str, Any]]:
    """Rules as marketers write them: two to four leaves over consents, attributes, windows and the last purchase."""
    rng = random.Random(seed)

    def window(**more: Any) -> dict[str, Any]:
        days = rng.choice((7, 14, 30, 90, 180, 365))
        metric, value = rng.choice((("count", rng.randint(1, 8)), ("value", 1000 * rng.randint(1, 40))))
        return {"kind": "purchases", "metric": metric, "days": days, "op": rng.choice(("ge", "lt")), "value": value, **more}

    leaves: tuple[Callable[[], dict[str, Any]], ...] = (
        window,
        lambda: window(filter={"category": rng.choice(CATEGORIES)}),
        lambda: window(filter={"location": rng.choice(LOCATIONS)}),
        lambda: {"kind": "since_last_purchase", "op": rng.choice(("at_least", "less_than")), "days": rng.choice((7, 14, 30, 60))},
        lambda: {"kind": "attribute", "name": "city", "op": "eq", "value": rng.choice(CITIES)},
        lambda: {"kind": "consent", "purpose": "news", "channel": "push", "granted": True},
    )
    made: list[dict[str, Any]] = []
    for _ in range(number):
        parts = [rng.choice(leaves)() for _ in range(rng.randint(2, 4))]
        made.append({"kind": rng.choice(("all", "all", "any")), "rules": parts})
    return made


def definitions(trees: list[dict[str, Any]]) -> list[SegmentDefinition]:
    """The rules as definitions."""
    return [SegmentDefinition.model_validate({"id": f"s{index}", "name": "bench", "rule": rule}) for index, rule in enumerate(trees)]


def best(work: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of CPU of the fastest of some rounds."""
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def each_of(things: list[Any], work: Callable[[Any], object], rounds: int = 3) -> float:
    """The same for a piece of work on each thing, its result thrown away."""

    def once() -> None:
        for thing in things:
            work(thing)

    return best(once, rounds)
