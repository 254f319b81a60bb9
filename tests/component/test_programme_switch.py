"""A programme, or a campaign, that begins something by itself reaches members to whom nothing else happens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.definitions.api import ProgrammeRequest
from shared.definitions.service import create, publish
from shared.kernel.ids import shard_of
from shared.kernel.instants import DAY, MINUTE, parse_rfc3339
from shared.member_state.service import tick_member
from shared.segments import fan_out
from shared.storage import keys
from shared.storage.items import ProfileItem
from tests.builders.house import PROGRAMME, House
from tests.builders.stream import ListQueue

FOR_EVERYBODY: dict[str, Any] = {"levels": [{"id": "basic", "name": "Basic", "threshold": 0}]}


def joined(house: House) -> str:
    """A member who is in the list of all members."""
    member = house.join()
    row = ProfileItem.at(keys.profile(house.tenant, member), version=1, body=b"-")
    row.GSI2PK = keys.members_listing(house.tenant, shard_of(member, fan_out.MEMBER_SHARDS))
    row.GSI2SK = member
    house.table.put(row)
    return member


def published(house: House, body: dict[str, Any]) -> dict[str, Any]:
    """What the event of the publication says."""
    scope = house.scope()
    create(scope, "programme", ProgrammeRequest.model_validate({"id": "tiers", "definition": body}))
    definition = publish(scope, "programme", "tiers", None, 1.0, hooks={})
    since = definition.effective_from
    return {"kind": "programme", "id": "tiers", "version": 1, "epoch": definition.epoch, "effective_from": since}


@pytest.mark.parametrize("times", [1, 2])
def test_a_sleeping_member_gets_the_level_that_is_everybodys(house: House, times: int) -> None:
    member, queue = joined(house), ListQueue()
    data = published(house, PROGRAMME | {"tiers": FOR_EVERYBODY})
    fan_out.begin(house.scope(), data, queue, ListQueue())
    assert len(queue.sent) == 1, "it waits for its instant"
    house.now += MINUTE
    house.cache.forget("demo")
    for _ in range(times):
        fan_out.begin(house.scope(), data, queue, ListQueue())
    state = house.state(member)
    assert (state.tier.id if state.tier else None, state.epoch, state.version) == ("basic", data["epoch"], 2)


def test_a_programme_that_only_earns_wakes_nobody(house: House) -> None:
    member, queue = joined(house), ListQueue()
    data = published(house, PROGRAMME)
    house.now += MINUTE
    house.cache.forget("demo")
    fan_out.begin(house.scope(), data, queue, ListQueue())
    assert (data["epoch"], queue.sent, house.state(member).version) == (0, [], 1)


def test_a_campaign_that_begins_on_dates_reaches_who_sleeps(house: House) -> None:
    member, since = joined(house), house.now + MINUTE
    assert house.state(member).timer is None
    trigger = {"kind": "date", "of": "anniversary", "days": 1, "at": "10:00"}
    house.publish("campaign", "jubilee", {"name": "Jubilee", "trigger": trigger}, since=since, epoch=since)
    data = {"kind": "campaign", "id": "jubilee", "version": 1, "epoch": since, "effective_from": since}
    house.now = since + MINUTE
    fan_out.begin(house.scope(), data, ListQueue(), ListQueue())
    day_before = parse_rfc3339("2027-11-20T09:00:00Z")
    assert house.state(member).timer == day_before
    house.now = day_before + 30 * DAY
    assert tick_member(house.scope(), member, house.now)
    raw = house.table.get(keys.state(house.tenant, member))
    assert raw is not None
    (told,) = json.loads(raw["out"]["S"])["e"]
    assert told == ["campaign.date_reached", day_before, {"campaign": "jubilee", "version": 1, "occurrence": "anniversary:2027"}]
