"""Webhooks that campaigns may have sent her data to are told of her erasure, each id of hers once, and none of them holds it up."""

from __future__ import annotations

import json

import pytest

from shared.erasure.service import certificate
from shared.erasure.steps import Hands, Recipients
from shared.erasure.telling import SOON, WAITS
from shared.erasure.working import work
from shared.kernel.instants import MINUTE
from shared.messaging.port import Result, Throttled, Unclear, Unreachable, WebhookTarget
from shared.messaging.webhooks import webhook_body
from shared.tenants.messaging import MessagingSettings, WebhookSettings
from tests.builders.front import Front, settings_with_everything
from tests.builders.house import House
from tests.builders.leaving import PLANTED
from tests.builders.rights import configure
from tests.fakes.queue import FakeQueue
from tests.fakes.senders import FakeSender

SECRET = b"s" * 32


class Outside:
    """A tenant with two webhooks, and its erasures."""

    def __init__(self, front: Front) -> None:
        self.front, self.house = front, front.house
        self.sender, self.queue = FakeSender(), FakeQueue()
        self.asked_for: list[tuple[str, str, int]] = []

    def secret(self, tenant: str, name: str, version: int) -> bytes:
        self.asked_for.append((tenant, name, version))
        return SECRET

    def ask(self) -> str:
        member = self.front.register()
        assert self.front.call("erase_member", member_id=member).status == 202
        return member

    def go_on(self, member: str) -> bool:
        return work(Hands(self.house.scope(), self.front.push, None, Recipients(self.sender, self.secret)), member, self.queue)

    def counts(self, member: str) -> dict[str, int]:
        found = certificate(self.house.scope(), member)
        assert found.status == "completed"
        return {name: number for name, number in found.counts.items() if name.startswith("webhooks")}

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(name, message.origin["member"]) for name, message in self.sender.taken]


@pytest.fixture
def outside(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Outside:
    endpoints = {"crm": {"url": "https://crm.example/hook"}, "mail": {"url": "https://mail.example/in", "version": 2}}
    messaging = MessagingSettings.model_validate({"webhooks": endpoints})
    bare_house.create(settings_with_everything().model_copy(update={"messaging": messaging}))
    return Outside(Front(bare_house, monkeypatch))


def test_each_is_told_once_with_ids_alone_signed_with_its_own_secret(outside: Outside) -> None:
    member = outside.ask()
    assert outside.go_on(member)
    assert outside.told == [("crm", member), ("mail", member)]
    assert outside.asked_for == [("demo", "crm", 1), ("demo", "mail", 2)]
    (_, message), (_, other) = outside.sender.taken
    assert message.settings == WebhookTarget("https://crm.example/hook", SECRET)
    assert json.loads(webhook_body(message)) == {
        "type": "member.erased",
        "timestamp": certificate(outside.house.scope(), member).accepted_at,
        "data": {"tenant_id": "demo", "member_id": member},
    }
    assert message.origin["delivery"] == other.origin["delivery"] != ""
    assert not any(planted in repr(message) for planted in PLANTED)
    assert outside.counts(member) == {"webhooks_told": 2}
    assert outside.go_on(member)
    assert len(outside.told) == 2


def test_her_data_is_gone_before_anybody_is_told(outside: Outside) -> None:
    member = outside.ask()
    steps: list[list[str]] = []
    outside.sender.before = lambda: steps.append([each.step for each in certificate(outside.house.scope(), member).steps])
    assert outside.go_on(member)
    assert all({"records", "key", "identifiers"} <= set(each) for each in steps)
    assert len(steps) == 2


@pytest.mark.parametrize("answer", [Throttled(), Unclear()])
def test_who_does_not_answer_is_asked_again_with_the_same_id_and_the_others_are_not(outside: Outside, answer: Result) -> None:
    member = outside.ask()
    outside.sender.answers = {"crm": answer}
    assert not outside.go_on(member)
    assert outside.told == [("mail", member)]
    assert outside.queue.delays == [WAITS[0]]
    (again,) = outside.queue.take()
    assert again["member"] == member
    outside.sender.answers = {}
    outside.house.now += 5 * MINUTE
    assert outside.go_on(member)
    assert outside.told == [("mail", member), ("crm", member)]
    assert len({message.origin["delivery"] for _, message in outside.sender.taken}) == 1
    assert len({webhook_body(message) for _, message in outside.sender.taken}) == 1
    assert outside.counts(member) == {"webhooks_told": 2}


def test_who_never_answers_is_counted_after_an_hour_and_holds_nothing_up(outside: Outside) -> None:
    member = outside.ask()
    outside.sender.answers = {"crm": Throttled()}
    for _ in WAITS:
        assert not outside.go_on(member)
    assert outside.go_on(member)
    assert outside.queue.delays == list(WAITS)
    assert outside.counts(member) == {"webhooks_told": 1, "webhooks_not_told": 1}


def test_who_refuses_is_not_asked_again(outside: Outside) -> None:
    member = outside.ask()
    outside.sender.answers = {"crm": Unreachable("gone", dead=True), "mail": Unreachable("status_404")}
    assert outside.go_on(member)
    assert outside.queue.messages == []
    assert outside.counts(member) == {"webhooks_not_told": 2}


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_telling_the_same_is_told_again(outside: Outside, when: str) -> None:
    member = outside.ask()
    calls = iter(range(10))

    def dies() -> None:
        if next(calls) == 1:
            raise KeyboardInterrupt

    setattr(outside.sender, when, dies)
    with pytest.raises(KeyboardInterrupt):
        outside.go_on(member)
    assert outside.go_on(member)
    assert set(outside.told) == {("crm", member), ("mail", member)}
    assert len({message.origin["delivery"] for _, message in outside.sender.taken}) == 1
    assert outside.counts(member) == {"webhooks_told": 2}


def test_without_time_the_rest_is_told_soon_and_no_round_is_over(outside: Outside) -> None:
    member = outside.ask()
    outside.house.time_left = lambda: 9_000 if outside.sender.taken else 60_000
    assert not outside.go_on(member)
    for _ in range(2 * len(WAITS)):
        assert not outside.go_on(member)
    assert (outside.told, set(outside.queue.delays)) == ([("crm", member)], {SOON})
    outside.house.time_left = lambda: 60_000
    assert outside.go_on(member)
    assert outside.told == [("crm", member), ("mail", member)]
    assert outside.counts(member) == {"webhooks_told": 2}


def test_the_dead_do_not_stand_before_the_living(outside: Outside) -> None:
    dead = {f"a{number:02d}": WebhookSettings(url="https://dead.example/hook") for number in range(12)}
    alive = {"zoe": WebhookSettings(url="https://alive.example/hook")}
    configure(outside.house, messaging=MessagingSettings(webhooks={**dead, **alive}))
    member = outside.ask()
    outside.sender.answers = dict.fromkeys(dead, Throttled())
    clock = {"left": 60_000}

    def takes_its_time() -> None:
        clock["left"] -= 5_000

    outside.house.time_left = lambda: clock["left"]
    outside.sender.before = takes_its_time
    invocations = 0
    while not outside.go_on(member):
        clock["left"], invocations = 60_000, invocations + 1
    assert outside.told == [("zoe", member)]
    assert outside.counts(member) == {"webhooks_told": 1, "webhooks_not_told": 12}
    assert invocations <= 3 * len(WAITS)
    assert [wait for wait in outside.queue.delays if wait != SOON] == list(WAITS)


def test_every_id_that_was_hers_is_told(outside: Outside) -> None:
    survivor, duplicate = outside.front.register(), outside.front.register()
    body = {"from_member_id": duplicate, "reason": "same_person"}
    merged = outside.front.call("merge_member", body, member_id=survivor)
    assert merged.status in (200, 201, 202), merged.body
    assert outside.front.call("erase_member", member_id=survivor).status == 202
    assert outside.go_on(survivor)
    assert sorted(outside.told) == sorted((name, member) for name in ("crm", "mail") for member in (survivor, duplicate))
    assert outside.counts(survivor) == {"webhooks_told": 2}


def test_one_id_that_is_refused_is_an_endpoint_that_was_not_told(outside: Outside) -> None:
    survivor, duplicate = outside.front.register(), outside.front.register()
    outside.front.call("merge_member", {"from_member_id": duplicate, "reason": "same_person"}, member_id=survivor)
    outside.front.call("erase_member", member_id=survivor)
    outside.sender.after = lambda: outside.sender.answers.update({"mail": Unreachable("status_404")}) if len(outside.told) == 3 else None
    assert outside.go_on(survivor)
    assert outside.counts(survivor) == {"webhooks_told": 1, "webhooks_not_told": 1}


def test_a_tenant_without_webhooks_tells_nobody(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    bare_house.create(settings_with_everything())
    outside = Outside(Front(bare_house, monkeypatch))
    member = outside.ask()
    assert outside.go_on(member)
    assert (outside.told, outside.counts(member)) == ([], {})
