"""Sending killed before or after any I/O, or its answer lost, and delivered again: nobody twice, the rest resumes, and what is
not known is listed."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from shared.campaigns import planning, service
from shared.kernel.instants import MINUTE
from shared.reports import service as reports
from shared.storage import keys
from shared.storage.errors import OutcomeUnknown
from shared.storage.items import GateItem
from tests.builders.campaigns import CONSENT, NEWS, WELCOME, Post, called, message
from tests.builders.house import House
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
AFTER_A_CRASH = 6 * MINUTE
"""The queue's visibility time (infra/queues.py): a message of a worker that died comes again only then."""


class Crash(BaseException):
    """The process died here. Nothing of ours catches it."""


class CrashingTable(FaultyTable):
    """Dies at a call instead of raising what a batch survives. The provider's calls count with the table's."""

    def _failure(self) -> BaseException:  # type: ignore[override]
        return Crash() if self.how == "kill" else super()._failure()

    def external(self, when: str) -> None:
        """A call of somebody else."""
        if when == "before":
            self.calls += 1
        if self.how == "kill" and self.calls == self.fail_at and self.when == when:
            raise Crash


@pytest.fixture
def post(dynamodb: str, bare_house: House) -> Post:
    """A tenant over a table that can die."""
    table = CrashingTable(dynamodb, bare_house.table.name)
    post = Post.of(House(table, engine.table(dynamodb, bare_house.key_table.name)))
    post.sender.before = lambda: table.external("before")
    post.sender.after = lambda: table.external("after")
    return post


def table_of(post: Post) -> CrashingTable:
    assert isinstance(post.house.table, CrashingTable)
    return post.house.table


def check(post: Post, campaign: str, members: list[str]) -> Counter[str]:
    """Nobody twice, everybody accounted for, and the counters agree with the rows."""
    times = Counter(post.sender.members)
    states: Counter[str] = Counter()
    for member in members:
        (delivery,) = post.deliveries(member)
        states[delivery.state] += 1
        assert times[member] <= 1
        assert delivery.state in ("sent", "unknown")
        assert delivery.state != "sent" or times[member] == 1
        state = post.house.state(member)
        assert len(state.touches) == 1
        assert list(state.coupons) == ([delivery.coupon] if delivery.coupon else [])
    report = post.report(campaign)
    assert (report.claimed, report.sent, report.unknown) == (len(members), states["sent"], states["unknown"])
    listed = reports.deliveries(post.house.scope(), campaign, 200, None, b"k" * 32).data
    assert sorted(each.member_id for each in listed) == sorted(
        member for member in members if post.deliveries(member)[0].state == "unknown"
    )
    return states


@pytest.mark.stream
@pytest.mark.parametrize("how", ["kill", "lose"])
def test_killed_at_any_io_of_a_send_and_delivered_again(post: Post, how: Any) -> None:
    post.campaign("welcome", WELCOME)
    table = table_of(post)
    unknown = 0
    for at in range(1, 40):
        for when in ("before", "after"):
            members = [post.guest() for _ in range(2)]
            order = post.order("welcome", "gift", members, f"{at}-{when}")
            post.sender.taken.clear()
            before = post.report("welcome")
            table.arm(at, when, how)  # type: ignore[arg-type]
            with suppress(Crash, OutcomeUnknown):
                post.deliver(order)
            reached = table.calls >= at
            table.disarm()
            post.house.now += AFTER_A_CRASH
            post.deliver(order)
            post.deliver_all()
            times = Counter(post.sender.members)
            for member in members:
                (delivery,) = post.deliveries(member)
                assert times[member] <= 1
                assert delivery.state in ("sent", "unknown")
                assert delivery.state != "sent" or times[member] == 1
                assert list(post.house.state(member).coupons) == [delivery.coupon]
                unknown += delivery.state == "unknown"
            after = post.report("welcome")
            assert after.claimed - before.claimed == 2
            assert after.sent + after.unknown - before.sent - before.unknown == 2
        if not reached:
            assert at > 10
            assert post.report("welcome").unknown == unknown
            assert (unknown > 0) == (how == "kill")
            return
    pytest.fail("sending makes more calls than the test kills")


@pytest.mark.stream
def test_many_members_and_a_worker_that_keeps_dying(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    table = table_of(post)
    members = [post.guest() for _ in range(20)]
    order = post.order("welcome", "gift", members)
    crashes = 0
    for step in range(200):
        # Further each time, since what is done costs calls again: every place of the path is died at some time.
        table.arm(11 + step * 5 + step % 5, ("before", "after")[step % 2], "kill")  # type: ignore[arg-type]
        try:
            post.deliver(order)
        except Crash:
            crashes += 1
            post.house.now += AFTER_A_CRASH
            continue
        break
    table.disarm()
    post.house.now += AFTER_A_CRASH
    post.deliver(order)
    post.deliver_all()
    states = check(post, "welcome", members)
    assert crashes > 10
    assert states["sent"] >= len(members) - crashes


SPLIT = {"id": "ab", "kind": "split", "variants": [{"id": name, "percent": 50, "then": "tell"} for name in ("a", "b")]}
BEHIND_A_SPLIT = NEWS | {"steps": [SPLIT, *NEWS["steps"]]}


@pytest.mark.parametrize(("body", "first"), [(NEWS, "tell"), (BEHIND_A_SPLIT, "ab")])
def test_a_lost_claim_is_noted_even_if_the_campaign_was_cancelled_meanwhile(post: Post, body: dict[str, Any], first: str) -> None:
    """Also where it was claimed for a later step than the order names."""
    post.campaign("news", body)
    table, member = table_of(post), post.guest()
    order = post.order("news", first, [member])
    post.sender.before = _die
    with pytest.raises(Crash):
        post.deliver(order)
    assert table.fail_at is None
    service.cancel(post.house.scope(), "news")
    assert post.deliver(order) == {"dropped": 1}
    assert post.deliveries(member)[0].state == "claimed"
    (again,) = post.sending.take()
    post.house.now += AFTER_A_CRASH
    post.deliver(again)
    assert post.deliveries(member)[0].state == "unknown"
    assert post.sender.taken == []


def _die() -> None:
    raise Crash


@pytest.mark.parametrize("operation", ["launch", "cancel"])
def test_a_change_killed_anywhere_and_repeated_is_complete(post: Post, operation: str) -> None:
    table = table_of(post)
    for at in (1, 2, 3, 4, 20, 34, 35, 36, 37):
        campaign = f"c{at}"
        post.campaign(campaign, WELCOME, launch=operation == "cancel")
        table.arm(at, "after", "kill")
        change = getattr(service, operation)
        with suppress(Crash):
            change(post.house.scope(), campaign)
        table.disarm()
        answer = change(post.house.scope(), campaign)
        raws = post.house.table.query_all(keys.campaign("demo", campaign).pk, begins="GATE#", consistent=True)
        assert answer.state == {"launch": "active", "cancel": "cancelled"}[operation]
        assert {GateItem.read(raw).open for raw in raws} == {operation == "launch"}


def test_a_walk_killed_anywhere_and_repeated_reaches_everybody(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "PAGE", 3)
    members = [post.guest() for _ in range(7)]
    post.list_all(members)
    table = table_of(post)
    for at in range(1, 12):
        campaign = f"news{at}"
        post.campaign(campaign, NEWS)
        launched = post.envelope(keys.campaign("demo", campaign))
        post.plan(launched)
        (message,) = post.planning.messages
        table.arm(at, "before", "kill")
        with suppress(Crash):
            post.walk()
        table.disarm()
        post.planning.messages = [message]
        post.walk()
        ordered = {member for order in post.sending.take() for member in order["members"]}
        assert ordered == set(members)
        assert service.known_run(post.house.scope(), campaign).state == "completed"


# -- several steps ------------------------------------------------------------------------------------------------------

TOUR = called(
    {"id": "ab", "kind": "split", "variants": [{"id": "a", "percent": 50}, {"id": "b", "percent": 50, "then": "gift"}]},
    message("first", ladder={"channels": ["push", "inbox"], "next_after_minutes": 60}),
    {"id": "gift", "kind": "issue", "offer": "fries", "points": {"points": 50}},
    {"id": "pause", "kind": "wait", "minutes": 120},
    {"id": "mark", "kind": "tag", "add": ["toured"]},
    message("last"),
    reentry={"mode": "once"},
)
CONSENTS = {f"marketing:{channel}": CONSENT for channel in ("push", "inbox")}


def went(post: Post, member: str) -> Counter[tuple[str, str]]:
    """How often each step went over each channel, as the providers saw it."""
    kinds = {True: "push", False: "inbox"}
    hers = [(to, sent) for to, sent in post.sender.taken if sent.origin["member"] == member]
    return Counter((sent.origin["step"], kinds[to.startswith("endpoint/")]) for to, sent in hers)


def tour(post: Post, member: str) -> None:
    """Everything that the house does for one member until she is through; whoever dies is begun again."""
    messages = [post.order("tour", "ab", [member])]
    for _ in range(10):
        for each in messages:
            again(post, lambda each=each: post.deliver(each))  # type: ignore[misc]
        again(post, lambda: post.tick([member]))
        again(post, lambda: hear(post, member))
        messages = post.sending.take()
        if not messages:
            post.house.now += 30 * MINUTE


def hear(post: Post, member: str) -> None:
    """Planning hears of her last commit, if it told anything."""
    raw = post.house.table.get(keys.state("demo", member))
    if raw is not None and "out" in raw:
        post.plan(post.told(member))


def again(post: Post, work: Any) -> None:
    try:
        work()
    except (Crash, OutcomeUnknown):
        post.house.now += AFTER_A_CRASH
        work()


@pytest.mark.parametrize("how", ["kill", "lose"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_io_of_a_campaign_of_many_steps(post: Post, how: Any, when: Any) -> None:
    post.campaign("tour", TOUR)
    table = table_of(post)
    # Every other call: what stands after one that was carried out is what stands before the next. Half of these by kills, half by
    # lost answers; nightly all by both.
    first, distance = (1, 2) if NIGHTLY else ({"kill": 1, "lose": 3}[how], 4)
    for at in range(first, 400, distance):
        member = post.house.join(consents=CONSENTS)
        post.give_devices(member, [f"dev_{member}"])
        table.arm(at, when, how)
        tour(post, member)
        reached = table.calls >= at
        table.disarm()
        rows = {(each.step, each.channel): each for each in post.deliveries(member)}
        times, state = went(post, member), post.house.state(member)
        assert max(times.values(), default=0) <= 1
        assert all(times[place] == (row.state == "sent") for place, row in rows.items() if row.state in ("sent", "failed"))
        assert {row.state for row in rows.values()} <= {"done", "given", "sent", "unknown"}
        assert {step for step, _ in rows} >= {"~begin", "gift", "pause", "mark", "last"}
        assert (len(state.coupons), [lot.points for lot in state.wallets["points"].lots], state.tags) == (1, [50], ["toured"])
        assert state.journeys == []
        if not reached and "first" in {step for step, _ in rows}:
            assert at > 40
            return
    pytest.fail("the campaign makes more calls than the test kills")


def test_cancelled_in_the_middle_nothing_later_is_claimed(post: Post) -> None:
    scope = post.house.scope()
    post.campaign("tour", TOUR)
    members = [post.guest() for _ in range(6)]
    for number, member in enumerate(members):
        if number == 3:
            service.cancel(scope, "tour")
        tour(post, member)
    begun = [bool(post.deliveries(member)) for member in members]
    assert begun == [True] * 3 + [False] * 3
    # The first three were through before; nobody who came after was written to or given anything.
    assert {sent.origin["member"] for _, sent in post.sender.taken} <= set(members[:3])
    assert not any(post.house.state(member).coupons for member in members[3:])
