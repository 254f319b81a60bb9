"""Ten thousand members of an older system (nightly a hundred thousand) go through the engine in this process: nobody gets a message,
and memory stays flat.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.campaigns import planning
from shared.campaigns.model import CampaignBody, Run
from shared.campaigns.repository import CampaignRepository
from shared.campaigns.rules import triggered
from shared.definitions.model import Definition, DefinitionSet
from shared.kernel.instants import DAY, HOUR, Instant, day_start, local_day
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent, Mode, Purchased, Registered
from shared.member_state.model import MemberState
from shared.member_state.repository import Stamp, envelope
from shared.member_state.rules import apply
from shared.member_state.view import FoldView, Views
from shared.profile.model import Visit
from shared.relay.envelope import Envelope, of_record
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.table import WriteBatch
from shared.wallet.model import Posting
from tests.builders.house import NOW, SETTINGS
from tests.fakes.queue import FakeQueue

MEMBERS = 100_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 10_000
SEGMENT = {"name": "Guests", "rule": {"kind": "purchases", "metric": "count", "days": 400, "op": "ge", "value": 1}}
CONTENT = {"en": {"title": "Hello", "body": "Hello"}}
TRIGGERS: dict[str, dict[str, Any]] = {
    "welcome": {"kind": "event", "types": ["member.registered"]},
    "thanks": {"kind": "event", "types": ["transaction.recorded"]},
    "guests": {"kind": "event", "types": ["segment.entered"], "segment": "guests"},
}
CAMPAIGNS = {
    name: {"name": name, "trigger": trigger, "max_event_age_hours": 168, "steps": [{"id": "s", "content": CONTENT}]}
    for name, trigger in TRIGGERS.items()
}


class NoTable:
    """Stands where no request is made."""


@dataclass
class RunningCampaigns:
    """A table that has the campaigns' running states, all of them active."""

    rows: dict[keys.Key, RawItem] = field(default_factory=dict)

    def __post_init__(self) -> None:
        repository = CampaignRepository("demo", NoTable())  # type: ignore[arg-type]
        for name in CAMPAIGNS:
            batch = WriteBatch()
            repository.add_run(batch, Run(name, "active", version=1, launched_at=0), 1, None)
            item = batch.actions[0]["Put"]["Item"]
            self.rows[keys.Key(item["PK"]["S"], item["SK"]["S"])] = item

    def get_many(self, wanted: Any, *, consistent: bool = False) -> dict[keys.Key, RawItem]:
        return {key: self.rows[key] for key in wanted if key in self.rows}


@dataclass
class Scope:
    """What planning asks of a scope."""

    definitions: DefinitionSet
    table: RunningCampaigns = field(default_factory=RunningCampaigns)
    tenant: str = "demo"

    @staticmethod
    def clock() -> Instant:
        return NOW


@pytest.fixture(scope="module")
def scope() -> Any:
    """A tenant whose campaigns would write to everybody who registers, buys, or enters a segment."""
    made = [Definition("segment", "guests", 1, "published", SEGMENT, effective_from=0, served_at=0)]
    made += [Definition("campaign", name, 1, "published", body, effective_from=0) for name, body in CAMPAIGNS.items()]
    return Scope(DefinitionSet("demo", SETTINGS, {}, tuple(made)))


def commits(member: str, at: Instant, view: FoldView, mode: Mode) -> Iterator[Envelope]:
    """A member who registered at an instant and bought an hour later: the envelope of each commit, as the bus carries it."""
    views: Views = lambda _at: view  # noqa: E731 the definitions in force now, as for every import
    state = MemberState("demo", member, as_of=at)
    expires = day_start(local_day(at, view.zone) + 366, view.zone)
    visit = Visit(at + HOUR, 900, 1000, {"c:mains": 900, "l:mitte": 900, "h:pos": 900})
    earned = (Posting("points", "earn", 9, 0, expires),)
    history: tuple[MemberEvent, ...] = (Registered(at, "import", "mitte"), Purchased(at + HOUR, "txn_1", visit, earned))
    key = keys.state("demo", member)
    for event in history:
        effects: Effects = apply(state, event, views)
        state.version += 1
        out = envelope(effects.events, Stamp(NOW, mode=mode))
        image = {"PK": {"S": key.pk}, "SK": {"S": key.sk}, "version": {"N": str(state.version)}, "out": {"S": out or ""}}
        told = of_record({"dynamodb": {"NewImage": image}})
        assert told is not None
        yield told
    assert state.wallets["points"].earned == 9
    assert state.profile.count == 1


def id_of(number: int) -> str:
    return f"mbr_01KAJ5QV0000000000{number:06d}00"


def planned(scope: Any, envelopes: Iterator[Envelope]) -> int:
    """Messages that planning sends for these envelopes."""
    sending, own = FakeQueue(), FakeQueue()
    orders = sum(planning.on_events(scope, each, sending, own) for each in envelopes)
    assert orders == len(sending.messages)
    return orders + len(own.messages)


def test_an_imported_history_of_many_members_plans_no_message(scope: Any) -> None:
    view, total, told = scope.definitions.fold_at(NOW), 0, Counter[str]()
    early = late = 0
    for number in range(MEMBERS):
        # A day back for most, years for some: what is fresh enough to trigger is held back by the mode alone.
        at = NOW - (1 + number % 5) * DAY if number % 2 else NOW - (number % 1500) * DAY - 2 * HOUR
        for each in commits(id_of(number), at, view, "historical"):
            told.update(each.types)
            assert each.mode == "historical"
            total += planned(scope, iter((each,)))
        # By the half every day of the years has been met, so that what is kept of days is kept.
        if number in (MEMBERS // 2, MEMBERS - 1):
            gc.collect()
            early, late = late, sys.getallocatedblocks()
    assert total == 0
    assert told["member.registered"] == told["transaction.recorded"] == MEMBERS
    assert told["segment.entered"] > MEMBERS // 2
    assert late - early < MEMBERS // 10, "nothing is kept of a member once she has been told of"


def test_the_same_things_happening_now_plan_a_message_of_each_campaign(scope: Any) -> None:
    view = scope.definitions.fold_at(NOW)
    for number in range(10):
        envelopes = list(commits(id_of(number), NOW - 2 * HOUR, view, "live"))
        assert planned(scope, iter(envelopes)) == 3


def test_an_old_event_plans_nothing_even_where_it_is_told_as_live(scope: Any) -> None:
    view = scope.definitions.fold_at(NOW)
    bodies = [CampaignBody.model_validate(body) for body in CAMPAIGNS.values()]
    for days in range(8, 400, 7):
        envelopes = list(commits(id_of(days), NOW - days * DAY, view, "live"))
        assert planned(scope, iter(envelopes)) == 0
        events = [event for each in envelopes for event in each.events]
        assert not any(triggered(body, event, {"guests": 1}, NOW) for body in bodies for event in events)
