"""Compare segments over real files with plain SQL over the same files: the fold and the compiled rules against sqlite3.

FOLDER is a shop's CSV files with a mapping (as for `local load`), or a rewards programme's JSON lines (as for `local starbucks`). The
files go through the engine in this process; each segment's members are then compared, at the end of the last day and ten days later,
with those that SQL finds. Exit status 1 where any differ.

  python -m local compare ../shared/data/coffeeshop_week1
  python -m local compare ../shared/data/starbucks_500
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local import compare_sql, console, starbucks
from local.compare_sql import Question
from local.mapping import Mapping
from local.shop import Shop
from shared.definitions.model import DefinitionSet
from shared.kernel.instants import NEVER, Instant, local_day
from shared.member_state.model import Facts, MemberState
from shared.profile.habits import rfm_values
from shared.profile.statistics import Statistics, quintile_boundaries
from shared.replay.engine import TENANT, Replay
from shared.replay.events import EVENT
from shared.segments.compiler import compile_segments
from shared.segments.context import Context
from shared.segments.model import SegmentDefinition
from shared.segments.parsing import rule_of
from shared.snapshots.building import columns_of
from shared.snapshots.vectors import Vectors
from shared.tenants.model import CatalogueItem, Location, TenantSettings

LATER: Final = 10
"""Days after the last one on which everything is asked again."""
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Files:
    """A folder both ways: as events for the engine, and as tables for SQL."""

    definitions: DefinitionSet
    catalogue: dict[str, CatalogueItem]
    events: list[dict[str, Any]]
    database: sqlite3.Connection
    has_items: bool

    @property
    def zone(self) -> str:
        """The tenant's time zone."""
        return self.definitions.settings.time_zone


@dataclass(frozen=True, slots=True)
class Compared:
    """One segment at one instant."""

    name: str
    days_later: int
    ours: int
    theirs: int
    differ: tuple[str, ...]
    """Members whom only one side names, or the columns of a snapshot other than the compiled rule."""


def read(folder: Path, mapping_file: str | None = None) -> Files:
    """The files of a folder, or a failure that says what is missing."""
    if (folder / "events.jsonl").exists():
        settings = TenantSettings(name="Rewards", currency=starbucks.CURRENCY, time_zone=starbucks.ZONE)
        location = Location(id=starbucks.PLACE, name="Shop")
        events = [each for each in starbucks.events(folder) if each["type"] != "challenge"]
        known = DefinitionSet(TENANT, settings, {location.id: location}, ())
        return Files(known, {}, events, compare_sql.rewards_tables(folder, starbucks.BEGIN), has_items=False)
    mapping = Mapping.for_folder(folder, mapping_file)
    shop, database = Shop(folder, mapping), compare_sql.shop_tables(folder, mapping)
    settings = TenantSettings(name=mapping.shop.name, currency=mapping.shop.currency, time_zone=mapping.shop.time_zone)
    locations = {each["id"]: Location.model_validate(each) for each in shop.locations()}
    catalogue = {each["id"]: CatalogueItem.model_validate(each) for each in shop.items()}
    return Files(DefinitionSet(TENANT, settings, locations, ()), catalogue, list(_shop_events(shop)), database, has_items=True)


def _shop_events(shop: Shop) -> Iterator[dict[str, Any]]:
    """Everybody registers before the first receipt: some files have members join after they bought, and tills knew them."""
    receipts = shop.receipts()
    first = min((str(each["occurred_at"]) for each in receipts), default="1970-01-01T00:00:00Z")
    for body in shop.members():
        external = body["identifiers"][0]
        personal = {name: body["profile"][name] for name in ("birth_date", "gender") if name in body["profile"]}
        named = {"kind": external["kind"], "value": external["value"]}
        yield {"type": "registration", "at": first, "member": external["value"], "identifiers": [named], **personal}
    for body in receipts:
        yield {"type": "purchase", **body}


def replayed(files: Files) -> Replay:
    """Everything that happened, folded. Events that are refused would make the comparison worthless: a failure."""
    replay = Replay(files.definitions, files.catalogue, keeps=())
    columns = (TextColumn("    {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True, disable=not console.is_terminal()) as progress:
        for body in progress.track(files.events, description="events"):
            replay.feed(EVENT.validate_json(json.dumps(body), strict=True))
    if replay.refusals:
        raise console.Failure(f"events were refused: {dict(replay.refusals)}", "The files and the mapping do not fit.")
    return replay


def statistics_of(states: Sequence[MemberState], now: Instant, context: Context) -> Statistics:
    """What RFM is measured by: the guests of this very instant."""
    values = [found for state in states if (found := rfm_values(state.profile, now, context.zone, context.profile)) is not None]
    recency, frequency, monetary = (quintile_boundaries(sorted(each)) for each in zip(*values, strict=True)) if values else ((), (), ())
    return Statistics(recency=recency, frequency=frequency, monetary=monetary, members=len(values))


def decile(states: Sequence[MemberState]) -> int:
    """What the tenth of the guests that spends most spends at least, by nearest rank."""
    values = sorted(state.profile.value for state in states if state.profile.last_at is not None)
    return values[-(-9 * len(values) // 10) - 1] if values else NEVER


def compared(files: Files, replay: Replay) -> list[Compared]:
    """Every question at both instants; time passes for everybody in between."""
    found: list[Compared] = []
    for later in (0, LATER):
        today = compare_sql.last_day(files.database) + later
        now = compare_sql.end_of(today, files.zone)
        replay.finish(now)
        people = [(each.state, each.facts) for each in replay.world.members.values()]
        states = [state for state, _ in people]
        context = files.definitions.at(now).segment_context
        context = replace(context, statistics=statistics_of(states, now, context))
        asked = [*compare_sql.of_every_shop(), compare_sql.top_decile(decile(states))]
        asked += compare_sql.of_shops_with_items(files.database) if files.has_items else []
        assert local_day(now, files.zone) == today
        theirs = [compare_sql.answer(files.database, each.sql, now, today) for each in asked]
        found += map(partial(_compare, later), asked, _compiled(asked, people, context, now), _columns(asked, states, context, now), theirs)
    return found


def _compare(later: int, question: Question, ours: set[str], columns: tuple[set[str], set[str]], theirs: set[str]) -> Compared:
    surely, undecided = columns
    wrong_columns = (surely - ours) | (ours - surely - undecided)
    return Compared(question.name, later, len(ours), len(theirs), tuple(sorted((ours ^ theirs) | wrong_columns)))


def _compiled(asked: list[Question], people: list[tuple[MemberState, Facts | None]], context: Context, now: Instant) -> list[set[str]]:
    bodies = [{"id": f"q{number}", "name": each.name, "rule": each.rule} for number, each in enumerate(asked)]
    compiled = compile_segments([SegmentDefinition.model_validate(each) for each in bodies], context)
    found: list[set[str]] = [set() for _ in asked]
    for state, facts in people:
        for members, code in zip(found, compiled.membership(state, facts, now), strict=True):
            if code > 0:
                members.add(state.member)
    return found


def _columns(asked: list[Question], states: list[MemberState], context: Context, now: Instant) -> list[tuple[set[str], set[str]]]:
    """Who is in by the columns of a snapshot, and whom they leave undecided."""
    columns = columns_of(states)
    vectors, ids = Vectors(columns, context, now), columns.ids.astype("U")
    answers = [vectors.members(rule_of(each.rule)) for each in asked]
    return [(set(ids[each.inside & ~each.undecided].tolist()), set(ids[each.undecided].tolist())) for each in answers]


def add_parser(subparsers: Any) -> None:
    """``python -m local compare``."""
    parser = subparsers.add_parser("compare", help="segments over real files, beside SQL over the same files", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a shop's CSV files, or members.jsonl and events.jsonl")
    parser.add_argument("--mapping", help="mapping file (default: mapping.toml in the folder, or ours of the folder's name)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, ask both, show; 1 where they differ."""
    with console.step("files") as notes:
        files = read(options.folder, options.mapping)
        notes.append(f"{len(files.events)} events")
    with console.step("events through the engine", spinner=False) as notes:
        replay = replayed(files)
        notes.append(f"{len(replay.world.members)} members")
    with console.step("every segment by both"):
        found = compared(files, replay)
    rows = [
        (each.name, f"+{each.days_later} d" if each.days_later else "end", each.ours, each.theirs, "yes" if not each.differ else "NO")
        for each in found
    ]
    console.table(("segment", "at", "ours", "sqlite", "equal"), rows)
    wrong = [each for each in found if each.differ]
    for each in wrong:
        console.say(f"    {each.name}: {len(each.differ)} members differ, such as {', '.join(each.differ[:_SHOWN])}")
    console.say(f"    {len(found) - len(wrong)} of {len(found)} agree")
    return 1 if wrong else 0
