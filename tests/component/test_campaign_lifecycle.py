"""Launch, pause, resume, cancel: what is possible when, what is told, and who wins when two press at once."""

from __future__ import annotations

from typing import Any

import pytest

from shared.campaigns import service
from shared.campaigns.errors import CampaignNotInForce, NotLaunchable, UnknownCampaign, UnusableContent, WrongCampaignState
from shared.campaigns.repository import CampaignRepository
from shared.definitions.model import Definition
from shared.definitions.repository import item_of
from shared.kernel.errors import ConcurrentUpdate
from shared.kernel.instants import HOUR, SECOND, format_rfc3339
from shared.reports import service as reports
from shared.storage import keys
from shared.storage.items import GateItem
from shared.tenants.model import TenantSettings
from tests.builders.campaigns import NEWS, WELCOME, Post
from tests.builders.house import NOW, SETTINGS, House


@pytest.fixture
def post(bare_house: House) -> Post:
    """A tenant with an offer and a push application."""
    return Post.of(bare_house)


def gates(post: Post, campaign: str) -> set[bool]:
    """What the 32 gates are."""
    raws = post.house.table.query_all(keys.campaign("demo", campaign).pk, begins="GATE#", consistent=True)
    assert len(raws) == keys.GATES
    return {GateItem.read(raw).open for raw in raws}


def told(post: Post, campaign: str) -> list[str]:
    """The types of the campaign's last commit."""
    return post.envelope(keys.campaign("demo", campaign)).types


def scheduled(at: int) -> dict[str, Any]:
    return NEWS | {"trigger": {"kind": "once", "at": format_rfc3339(at)}}


def test_publishing_leaves_a_draft_behind_closed_gates_and_again_changes_nothing(post: Post) -> None:
    for _ in range(2):
        post.campaign("welcome", WELCOME, launch=False)
        run = service.known_run(post.house.scope(), "welcome")
        assert (run.state, run.revision, gates(post, "welcome")) == ("draft", 1, {False})


def test_a_text_that_cannot_be_written_is_not_published(post: Post) -> None:
    bad = WELCOME | {"steps": [{"id": "gift", "content": {"en": {"title": "{{ coupon.title }}", "body": "x"}}}]}
    with pytest.raises(UnusableContent) as refusal:
        post.campaign("welcome", bad)
    assert [(each.pointer, each.code) for each in refusal.value.errors] == [("/definition/steps/0/content/en/title", "unknown_variable")]
    with pytest.raises(UnknownCampaign):
        service.known_run(post.house.scope(), "welcome")


def test_a_persistent_campaign_is_active_until_it_is_cancelled_for_good(post: Post) -> None:
    scope = post.house.scope()
    post.campaign("welcome", WELCOME, launch=False)
    launched = service.launch(scope, "welcome")
    assert (launched.state, launched.version, launched.launched_at) == ("active", 1, format_rfc3339(NOW))
    assert (gates(post, "welcome"), told(post, "welcome")) == ({True}, ["campaign.launched"])
    assert service.launch(scope, "welcome") == launched
    assert service.pause(scope, "welcome").state == "paused"
    assert (gates(post, "welcome"), told(post, "welcome")) == ({False}, ["campaign.paused"])
    assert service.resume(scope, "welcome").state == "active"
    assert (gates(post, "welcome"), told(post, "welcome")) == ({True}, ["campaign.resumed"])
    cancelled = service.cancel(scope, "welcome")
    assert (cancelled.state, cancelled.ended_at) == ("cancelled", format_rfc3339(NOW))
    assert (gates(post, "welcome"), told(post, "welcome")) == ({False}, ["campaign.cancelled"])
    assert service.cancel(scope, "welcome") == cancelled
    for operation in (service.launch, service.pause, service.resume):
        with pytest.raises(WrongCampaignState):
            operation(scope, "welcome")
    assert gates(post, "welcome") == {False}


def test_a_scheduled_campaign_starts_when_it_is_due_and_only_once(post: Post) -> None:
    scope = post.house.scope()
    post.campaign("news", scheduled(NOW + HOUR))
    run = service.known_run(scope, "news")
    assert (run.state, run.scheduled_for, gates(post, "news")) == ("scheduled", NOW + HOUR, {False})
    (entry,) = post.house.table.query_all(keys.due("demo", 0), index="GSI1")
    assert entry["GSI1SK"]["S"] == f"{format_rfc3339(NOW + HOUR)}#CAMP#news"
    assert not service.start_due(scope, "news")
    post.house.now += HOUR
    assert service.start_due(scope, "news")
    assert not service.start_due(scope, "news")
    assert service.known_run(scope, "news").state == "sending"
    assert (gates(post, "news"), told(post, "news")) == ({True}, ["campaign.launched"])
    assert post.house.table.query_all(keys.due("demo", 0), index="GSI1") == []


def test_a_scheduled_campaign_that_was_paused_over_its_instant_is_sent_when_resumed(post: Post) -> None:
    scope = post.house.scope()
    post.campaign("news", scheduled(NOW + HOUR))
    service.pause(scope, "news")
    assert service.resume(scope, "news").state == "scheduled"
    service.pause(scope, "news")
    post.house.now += 2 * HOUR
    assert not service.start_due(scope, "news")
    assert service.resume(scope, "news").state == "sending"


def test_what_cannot_work_is_not_launched(post: Post) -> None:
    scope = post.house.scope()
    post.campaign("past", scheduled(NOW - 1), launch=False)
    with pytest.raises(NotLaunchable) as refusal:
        service.launch(scope, "past")
    assert [(each.pointer, each.code) for each in refusal.value.errors] == [("/definition/trigger/at", "schedule_in_past")]
    assert (service.known_run(scope, "past").state, gates(post, "past")) == ("draft", {False})


def test_a_channel_that_is_not_set_up_is_not_launched(bare_house: House) -> None:
    settings: TenantSettings = SETTINGS
    post = Post(bare_house.create(settings))
    with pytest.raises(NotLaunchable) as refusal:
        post.campaign("news", NEWS)
    assert [each.code for each in refusal.value.errors] == ["channel_not_configured"]


@pytest.mark.parametrize("campaign", ["nothing", "UPPER", "ü" * 60, ""])
def test_unknown_campaigns(post: Post, campaign: str) -> None:
    scope = post.house.scope()
    for operation in (service.launch, service.pause, service.resume, service.cancel, reports.report):
        with pytest.raises(UnknownCampaign):
            operation(scope, campaign)


def test_a_version_that_is_not_in_force_is_not_launched(post: Post) -> None:
    """It is said from when on it can be, or what else is missing."""
    post.house.publish("campaign", "later", NEWS, since=NOW + HOUR)
    with pytest.raises(CampaignNotInForce, match=f"from {format_rfc3339(NOW + HOUR)}") as too_early:
        service.launch(post.house.scope(), "later")
    assert too_early.value.retry_after == HOUR // SECOND
    post.house.table.put(item_of("demo", Definition("campaign", "draft", 1, "draft", NEWS)))
    with pytest.raises(CampaignNotInForce, match="publish it first"):
        service.launch(post.house.scope(), "draft")
    retired = Definition("campaign", "old", 1, "published", NEWS, effective_from=0, retired_from=NOW)
    post.house.table.put(item_of("demo", retired))
    with pytest.raises(CampaignNotInForce, match="retired"):
        service.launch(post.house.scope(), "old")


def test_cancelling_wins_over_a_change_that_began_before_it(post: Post) -> None:
    scope = post.house.scope()
    post.campaign("welcome", WELCOME)
    service.pause(scope, "welcome")
    revision = service.known_run(scope, "welcome").revision
    service.cancel(scope, "welcome")
    with pytest.raises(ConcurrentUpdate):
        CampaignRepository("demo", scope.table).set_gates("welcome", is_open=True, revision=revision + 1, effort=scope.effort)
    assert gates(post, "welcome") == {False}


def test_a_slow_pause_does_not_undo_a_later_resume(post: Post) -> None:
    scope = post.house.scope()
    post.campaign("welcome", WELCOME)
    before = service.known_run(scope, "welcome").revision
    service.pause(scope, "welcome")
    service.resume(scope, "welcome")
    with pytest.raises(ConcurrentUpdate):
        CampaignRepository("demo", scope.table).set_gates("welcome", is_open=False, revision=before + 1, effort=scope.effort)
    assert gates(post, "welcome") == {True}
