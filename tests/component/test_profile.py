"""Profiles over the API: any windows, breakdowns, habits, objections, static lists, a home, custom events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.jobs import service as jobs
from shared.kernel.ids import new_id
from shared.kernel.instants import DAY, HOUR, format_rfc3339
from shared.member_state.model import Facts
from shared.member_state.repository import StateRepository
from shared.tenants.model import EventSettings
from shared.transactions.activity import record_event
from shared.transactions.api import EventRequest
from shared.transactions.service import record
from tests.builders.front import Front, settings_with_everything
from tests.builders.house import FRIES, NOW, PROGRAMME, House, sale

BEHAVIOUR = {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 1}


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    settings = settings_with_everything().model_copy(update={"events": {"spin": EventSettings(value="score")}})
    bare_house.create(settings)
    bare_house.publish("programme", "points", PROGRAMME)
    bare_house.publish("offer", "fries", FRIES)
    bare_house.publish("segment", "regulars", {"name": "Regulars", "rule": BEHAVIOUR}, epoch=1)
    return Front(bare_house, monkeypatch)


def bought(front: Front, member: str, ago: int, *lines: tuple[str, int], hours: int = 0) -> None:
    record(front.house.scope(), sale(member, at=front.house.now - ago * DAY + hours * HOUR, lines=lines))


def profile(front: Front, member: str, **query: str) -> Any:
    said = front.call("get_profile", member_id=member, query=query)
    assert said.status == 200, said.body
    return said.body


def test_any_window_and_its_breakdown(front: Front) -> None:
    front.house.now = NOW + 6 * HOUR
    member = front.register()
    bought(front, member, 0, ("burger", 900), ("fries", 350))
    bought(front, member, 0, ("fries", 350), hours=-5)
    bought(front, member, 6, ("salad", 700))
    body = profile(front, member, days="1,7,400", by_days="7")
    assert body["windows"] == [
        {"days": 1, "count": 2, "value": 1600, "average_basket": 800, "quantity": 3000, "visits": 1},
        {"days": 7, "count": 3, "value": 2300, "average_basket": 767, "quantity": 4000, "visits": 2},
        {"days": 400, "count": 3, "value": 2300, "average_basket": 767, "quantity": 4000, "visits": 2},
    ]
    by = body["by"]
    assert [(each["name"], each["count"], each["value"], each["quantity"], each["visits"]) for each in by["item"]] == [
        ("fries", 2, 700, 2000, 1), ("burger", 1, 900, 1000, 1), ("salad", 1, 700, 1000, 1),
    ]  # fmt: skip
    assert [(each["name"], each["count"]) for each in by["weekday"]] == [("sat", 2), ("sun", 1)]
    assert [(each["name"], each["count"]) for each in by["hour"]] == [("17", 2), ("12", 1)]
    assert (by["days"], body["last_location"], body["last_channel"], body["source"]) == (7, "mitte", "pos", "app")


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ({"days": "0"}, ["/days"]),
        ({"days": "401"}, ["/days"]),
        ({"days": "7,x", "by_days": "-1"}, ["/days", "/by_days"]),
        ({"days": ",".join(["7"] * 11)}, ["/days"]),
        ({"by_days": "7,8"}, ["/by_days"]),
        ({"since": "x"}, ["/since"]),
    ],
)
def test_windows_that_are_none_are_refused_with_their_place(front: Front, query: dict[str, str], pointers: list[str]) -> None:
    said = front.call("get_profile", member_id=front.register(), query=query)
    assert (said.status, [each["pointer"] for each in said.body["errors"]]) == (422, pointers)


def test_habits_name_ties_and_the_next_change(front: Front) -> None:
    member = front.register()
    for ago in (14, 7, 0):
        bought(front, member, ago, ("salad", 700) if ago else ("burger", 700))
    habits = profile(front, member)["habits"]
    assert (habits["usual_interval_days_e1"], habits["lifecycle"]) == (70, "active")
    assert habits["lifecycle_until"] == format_rfc3339(NOW + 14 * DAY + 1)
    favourites = habits["favourites"]
    assert (favourites["category"], favourites["item"], favourites["weekday"]) == ("mains", "salad", "sat")
    (tag,) = habits["tags"]
    assert (tag["tag"], tag["purchases"], tag["share_percent"], tag["prefers"]) == ("vegetarian", 2, 67, False)
    assert tag["strength_percent"] < tag["share_percent"], "her newest basket had none of it"
    bought(front, member, 0, ("burger", 700))
    assert profile(front, member)["habits"]["favourites"]["tied"] == {"item": ["burger", "salad"]}


def test_who_objects_leaves_behavioural_segments_at_once_and_keeps_her_purchases(front: Front) -> None:
    member = front.register()
    bought(front, member, 0, ("burger", 900))
    assert profile(front, member)["segments"] == 1
    said = front.call("set_profiling_of_me", {"allowed": False}, me=member)
    assert (said.status, said.body) == (200, {"member_id": member, "allowed": False})
    version = front.house.state(member).version
    assert front.call("set_profiling", {"allowed": False}, member_id=member).status == 200
    assert front.house.state(member).version == version, "saying it again writes nothing"
    body = profile(front, member)
    assert (body["profiling_allowed"], body["segments"], body["purchases"]) == (False, 0, 1)
    assert "habits" not in body
    assert front.call("get_member", member_id=member).body["profiling_allowed"] is False
    bought(front, member, 0, ("burger", 900))
    assert profile(front, member)["segments"] == 0
    front.call("set_profiling", {"allowed": True}, member_id=member)
    assert (profile(front, member)["segments"], "habits" in profile(front, member)) == (1, True)


def test_a_list_is_changed_in_bulk_and_every_refused_record_is_named(front: Front) -> None:
    one, two, nobody = front.register(), front.register(), new_id("mbr", NOW)
    said = front.call("change_list_members", {"add": [one, nobody, "x"], "remove": [two]}, list_id="tasting")
    assert said.status == 202, said.body
    (message,) = front.aws.messages
    assert set(json.loads(message["MessageBody"])) == {"tenant", "job", "part"}
    assert front.work() == {"batchItemFailures": []}
    job = jobs.read(front.house.scope(), said.body["job_id"])
    assert (job.status, job.accepted, job.replayed, job.refused_count) == ("done", 1, 1, 2)
    assert [(each.index, each.code) for each in job.refused] == [(1, "unknown_member"), (2, "unknown_member")]
    assert front.call("get_member", member_id=one).body["lists"] == ["tasting"]
    version = front.house.state(one).version
    front.aws.messages.append(message)
    front.work()
    assert front.house.state(one).version == version, "delivered again it changes nothing"
    front.call("change_list_members", {"remove": [one]}, list_id="tasting")
    front.work()
    assert front.call("get_member", member_id=one).body["lists"] == []


def test_a_member_is_on_twenty_lists_at_most(front: Front) -> None:
    member = front.register()
    for number in range(21):
        said = front.call("change_list_members", {"add": [member]}, list_id=f"l{number}")
        front.work()
    job = jobs.read(front.house.scope(), said.body["job_id"])
    assert [each.code for each in job.refused] == ["too_many_lists"]


@pytest.mark.parametrize(
    ("list_id", "body"),
    [
        ("Not A Name", {"add": ["mbr_1"]}),
        ("tasting", {}),
        ("tasting", {"add": ["mbr_1"], "remove": ["mbr_1"]}),
        ("tasting", {"add": [f"mbr_{number}" for number in range(300)], "remove": [f"mbr_{number}" for number in range(300, 501)]}),
    ],
)
def test_a_list_that_cannot_be_changed_so_is_refused_whole(front: Front, list_id: str, body: dict[str, Any]) -> None:
    assert front.call("change_list_members", body, list_id=list_id).status == 422
    assert front.aws.messages == []


def test_a_home_is_sealed_with_the_facts_and_shown_to_who_may_read(front: Front) -> None:
    home = {"latitude_e6": 52_520_008, "longitude_e6": -13_404_954}
    member = front.register(profile={"first_name": "Kelly", "home": home})
    repository = StateRepository("demo", front.house.table)
    loaded = repository.load(member)
    cipher = front.house.scope().cipher(member)
    assert "home" in loaded.state.known
    assert loaded.facts(cipher) == Facts(home=(52_520_008, -13_404_954))
    assert front.call("get_member", member_id=member).body["profile"] == {"first_name": "Kelly", "home": home}
    assert all(b"52520008" not in str(row).encode() for row in (*front.rows("STATE"), *front.rows("PROFILE")))
    front.call("update_member", {"profile": {"home": None}}, member_id=member)
    assert repository.load(member).facts(cipher) == Facts()
    wrong = front.call("update_member", {"profile": {"home": {**home, "latitude_e6": 90_000_001}}}, member_id=member)
    assert wrong.status == 422


def test_a_declared_event_shows_in_the_profile(front: Front) -> None:
    member = front.register()
    for number, type_ in enumerate(("spin", "spin", "other")):
        when, properties = format_rfc3339(NOW), {"score": 4}
        request = {"event_id": f"e{number}", "member_id": member, "type": type_, "occurred_at": when, "properties": properties}
        record_event(front.house.scope(), EventRequest.model_validate(request))
    at = format_rfc3339(NOW)
    assert profile(front, member)["events"] == [{"event": "spin", "count": 2, "first_at": at, "last_at": at}]
    (cell,) = front.house.state(member).profile.cells.values()
    assert cell.by == {"e:spin": [2, 8, 0]}
