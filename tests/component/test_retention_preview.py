"""How many members retention would let go: from the snapshot, with whom it does not know yet, and never a write."""

from __future__ import annotations

from shared.kernel.instants import DAY
from shared.member_state.activity import last_activity
from shared.snapshots.repository import SnapshotRepository
from tests.builders.audiences import Desk


def test_it_counts_whom_the_columns_and_the_table_say_are_inactive(desk: Desk) -> None:
    states = desk.crowd(60)
    desk.house.now += 200 * DAY
    assert desk.call("preview_retention", query={"inactive_months": "6"}).status == 503
    assert desk.sqs.of["snapshots"].take() == [{"kind": "rebuild", "tenant": "demo"}]
    desk.snapshot()
    ages = sorted((desk.house.now - max(state.joined_at, state.profile.last_at or 0)) // DAY for state in states)
    for months in (3, 7, 8, 12, 24):
        said = desk.call("preview_retention", query={"inactive_months": str(months)}).body
        days = months * 30.44
        low, high = sum(age > days + 4 for age in ages), sum(age >= days - 4 for age in ages)
        assert low <= said["inactive"] <= high, f"{months} months: {ages}"
        assert (said["members"], said["inactive_months"]) == (60, months)
    before = {state.member: desk.house.state(state.member).version for state in states}
    SnapshotRepository(desk.scope()).mark([states[0].member, "mbr_gone"], desk.house.now)
    again = desk.call("preview_retention", query={"inactive_months": "3"}).body
    assert again["members"] == 60
    assert {state.member: desk.house.state(state.member).version for state in states} == before
    assert max(last_activity(state) for state in states) <= desk.house.now


def test_months_are_those_of_the_query_else_of_the_settings(desk: Desk) -> None:
    for wrong in ({}, {"inactive_months": "2"}, {"inactive_months": "121"}, {"inactive_months": "-6"}, {"inactive_months": "half"}):
        said = desk.call("preview_retention", query=wrong)
        assert (said.status, said.errors) == (422, [("/inactive_months", "invalid_value")])
