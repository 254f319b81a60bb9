"""A mailing to ten thousand in a storm of faults: nobody gets a step twice, everybody is accounted for, and the report says the same."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from shared.campaigns import planning, service
from shared.campaigns.model import Delivery
from shared.campaigns.rules import held_out
from shared.definitions.model import Definition
from shared.messaging.port import Message
from shared.reports import service as reports
from shared.reports.repository import ReportRepository
from shared.storage import keys
from shared.tenants.messaging import MessagingSettings
from tests.builders.campaigns import PUSH_SETTINGS, message
from tests.builders.house import House
from tests.builders.mailing import SEGMENT, Person, fill, people
from tests.builders.storm import FAULTS, GAPS, Storm, StormyTable
from tests.builders.stormy_post import StormyPost, recount, some
from tests.fakes import engine

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
RECIPIENTS = 10_000 if NIGHTLY else 300
OFTEN = 1 if NIGHTLY else 4
"""So many times as often as in the large crowd something goes wrong in the small one, which meets everything too."""
PAGE = 400 if NIGHTLY else 12
"""As many pages as in the small crowd: every message of the walk that is there twice plans the rest of the crowd a second time."""
STOPPED_AT = 2_000 if NIGHTLY else 200
CAMPAIGN = "news"
HELD_OUT_PERCENT = 10
MESSAGING = {"sms": {"origination": "demo"}, "per_second": {"sms": 50}, "prices": {"sms": {"*": 7_500_000}}}
VARIANT = {"percent": 50}
BODY = {
    "name": "News",
    "trigger": {"kind": "once"},
    "audience": {"segment": SEGMENT},
    "holdout_percent": HELD_OUT_PERCENT,
    "steps": [
        {"id": "ab", "kind": "split", "variants": [VARIANT | {"id": "a", "then": "short"}, VARIANT | {"id": "b", "then": "long"}]},
        message("short", ladder={"channels": ["push", "sms"]}, then="end"),
        message("long", ladder={"channels": ["push", "sms"], "next_after_minutes": 60}),
        {"id": "end", "kind": "end"},
    ],
}
SETTLED = {"sent", "failed", "unknown", "held_out", "suppressed"}
REASONS = {"refused": "no_consent", "unreachable": "unreachable", "suppressed": "suppressed"}


def posted(dynamodb: str, name: str, number: int, seed: int, often: int = 1) -> tuple[StormyPost, list[Person]]:
    """The tenant with its crowd and the campaign launched; the storm has not begun."""
    storm, crowd = Storm(seed, often), people(number)
    engine.create_tables(engine.client(dynamodb), f"{name}-main", f"{name}-keys", stream=False)
    house = House(StormyTable(dynamodb, f"{name}-main", storm), StormyTable(dynamodb, f"{name}-keys", storm))
    house.create(PUSH_SETTINGS.model_copy(update={"messaging": MessagingSettings.model_validate(MESSAGING)}))
    fill(house, crowd)
    post = StormyPost(house, storm, crowd)
    service.on_publish(house.scope(), Definition("campaign", CAMPAIGN, 1, "published", BODY, effective_from=0))
    house.publish("campaign", CAMPAIGN, BODY)
    service.launch(house.scope(), CAMPAIGN)
    post.relay()
    storm.blows = True
    return post, crowd


def test_everybody_once_and_every_number_right(dynamodb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "PAGE", PAGE)
    post, crowd = posted(dynamodb, "storm", RECIPIENTS, seed=1, often=OFTEN)
    post.providers["push"].meanwhile = tells_of_arrivals(post, crowd)
    post.run(most=100 * RECIPIENTS)
    post.count()
    post.storm.blows = False
    rows = post.rows()
    check_nobody_twice(post, rows)
    check_everybody_is_somewhere(post, crowd, rows)
    check_second_rungs(post, crowd, rows)
    check_report(post, rows)
    assert service.known_run(post.house.scope(), CAMPAIGN).state == "completed"
    # How often a kind of call is made depends on ids: what is called a few times only does not meet every fault.
    assert {kind for kind, _, _ in post.storm.met} == set(GAPS), "everything went wrong"
    assert {(when, how) for _, when, how in post.storm.met} == set(FAULTS), "in every way"
    assert all(provider.throttled for provider in post.providers.values())


def tells_of_arrivals(post: StormyPost, crowd: list[Person]) -> object:
    """Of half of the messages the provider says later that they arrived."""
    beside, half = post.providers["push"].meanwhile, some([person.member for person in crowd], seed=5)

    def meanwhile(sent: Message) -> None:
        if sent.origin["member"] in half:
            post.arrived.append((sent.origin["member"], sent.origin["delivery"]))
        beside(sent)

    return meanwhile


def taken(post: StormyPost) -> Counter[tuple[str, str, str]]:
    """Member, step, channel -> how often a provider took it."""
    return Counter(
        (sent.origin["member"], sent.origin["step"], channel) for channel, provider in post.providers.items() for sent in provider.taken
    )


def check_nobody_twice(post: StormyPost, rows: dict[str, list[Delivery]]) -> None:
    """The providers know best."""
    assert post.stolen == []
    times = taken(post)
    assert set(times.values()) == {1}
    stored = {(row.member, row.step, row.channel): row for its in rows.values() for row in its}
    assert times.keys() <= stored.keys()
    assert {stored[place].state for place in times} <= {"sent", "unknown"}
    assert all(times[place] == 1 for place, row in stored.items() if row.state == "sent")


def check_everybody_is_somewhere(post: StormyPost, crowd: list[Person], rows: dict[str, list[Delivery]]) -> None:
    """In one place each, which is the one that who she is leads to."""
    assert {row.state for its in rows.values() for row in its} <= SETTLED
    assert rows.keys() == {person.member for person in crowd}
    first = {member: its[0] for member, its in rows.items()}
    where = Counter(row.state for row in first.values())
    assert sum(where.values()) == len(crowd)
    for person in crowd:
        row = first[person.member]
        if person.kind in REASONS:
            assert (row.state, row.reason) == ("suppressed", REASONS[person.kind])
        elif held_out(CAMPAIGN, person.member, HELD_OUT_PERCENT):
            assert row.state == "held_out"
            assert len(rows[person.member]) == 1
        elif person.kind == "dead":
            assert row.state in ("failed", "unknown")
        else:
            assert row.state in ("sent", "unknown") or row.reason == "throttled"
    # A worker that died leaves at most one claim behind, and a doubt is one message's.
    doubts = post.storm.kills + sum(post.storm.met[kind, when, "lose"] for kind in post.providers for when in ("before", "after"))
    unknown = sum(row.state == "unknown" for its in rows.values() for row in its)
    assert 0 < unknown <= doubts


def check_second_rungs(post: StormyPost, crowd: list[Person], rows: dict[str, list[Delivery]]) -> None:
    """Who had no answer an hour later gets it over the other channel too, and nobody else does."""
    for person in crowd:
        first, *more = rows[person.member]
        if first.state == "held_out" or person.kind in REASONS:
            continue
        was_pushed = first.step == "long" and first.channel == "push"
        arrived = "delivered" in first.responses
        assert len(more) == (1 if was_pushed and not arrived else 0)
        if more and person.kind == "both":
            assert (more[0].channel, more[0].state in ("sent", "unknown")) == ("sms", True)
        elif more:
            assert (more[0].state, more[0].reason) == ("suppressed", "no_consent")
    assert any(len(its) == 2 for its in rows.values())
    assert any(row.responses for its in rows.values() for row in its)


def check_report(post: StormyPost, rows: dict[str, list[Delivery]]) -> None:
    """The counters are the rows, cell by cell; what is shown adds up; and what a person must look at is listed."""
    house = post.house
    every = [row for its in rows.values() for row in its]
    assert ReportRepository(house.tenant, house.table).cells(CAMPAIGN) == recount(rows)
    report, states = reports.report(house.scope(), CAMPAIGN), Counter(row.state for row in every)
    assert report.planned == report.held_out + report.suppressed + report.claimed == len(every)
    assert report.claimed == report.sent + report.failed + report.unknown
    assert {name: getattr(report, name) for name in states} == dict(states)
    assert sum(part.planned for part in report.variants) == len(every)
    listed, cursor = list[str](), None
    while True:
        page = reports.deliveries(house.scope(), CAMPAIGN, 200, cursor, b"k" * 32)
        listed += [each.delivery_id + each.member_id for each in page.data]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(listed) == len(set(listed)) == states["failed"] + states["unknown"]


@pytest.mark.parametrize("operation", ["query", "transact_write_items", "put_item"])
def test_after_the_answer_of_cancel_nothing_is_claimed(
    dynamodb: str, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """Cancelled by another between two calls of a worker: before it reads, before it claims, and before it says what became of it."""
    monkeypatch.setattr(planning, "PAGE", 20)
    post, crowd = posted(dynamodb, f"stop-{operation}", STOPPED_AT, seed=2)
    table = post.house.table
    assert isinstance(table, StormyTable)
    at_cancel: list[int] = []

    def cancel(now: str) -> None:
        is_the_moment = now == operation and len(table.claims) >= STOPPED_AT // 4
        if not is_the_moment or at_cancel:
            return
        at_cancel.append(0)
        table.meanwhile = others_work
        post.surely(lambda: service.cancel(post.house.scope(), CAMPAIGN))
        table.meanwhile = lambda _operation: None
        at_cancel[0] = len(table.claims)

    def others_work(_operation: str) -> None:
        """While the gates close one after another, other workers go on."""
        if post.storm.happens(15):
            table.meanwhile = lambda _operation: None
            post.deliver()
            table.meanwhile = others_work

    table.meanwhile = cancel
    post.run(most=100 * STOPPED_AT)
    post.count()
    post.storm.blows = False
    rows = post.rows()
    assert len(table.claims) == at_cancel[0], "what was claimed was claimed before"
    # Some were claimed twice: the provider had said that nothing had gone out.
    assert STOPPED_AT // 5 <= len(set(table.claims)) < STOPPED_AT // 2
    check_nobody_twice(post, rows)
    assert {row.state for its in rows.values() for row in its} <= SETTLED
    assert {keys.member(post.house.tenant, member) for member, its in rows.items() if its[0].state != "suppressed"} >= set(table.claims)
    assert len(rows) < len(crowd)
    check_report(post, rows)
