"""How often a campaign begins that waits for something."""

from __future__ import annotations

from typing import Any

from shared.campaigns.model import CampaignBody
from shared.forecast.flow import DAYS, UNKNOWN_CALLS, Flow, flow_of
from shared.forecast.reach import Person
from shared.kernel.instants import DAY, day_of, local_day, parse_rfc3339
from shared.member_state.model import Facts, MemberState
from shared.profile.model import Cell
from shared.tenants.model import TenantSettings

NOW = parse_rfc3339("2026-06-10T10:00:00Z")
TODAY = local_day(NOW, "Europe/Berlin")
SETTINGS = TenantSettings.model_validate(
    {"name": "Fries", "currency": "EUR", "time_zone": "Europe/Berlin", "events": {"played": {}}}
)


def flow(trigger: dict[str, Any], *people: Person) -> Flow | None:
    steps = [{"id": "s", "content": {"en": {"title": "x", "body": "x"}}}]
    body = CampaignBody.model_validate({"name": "c", "trigger": trigger, "steps": steps})
    return flow_of("c", body, people, SETTINGS, {"big": 2}, NOW)


def person(facts: Facts | None = None, cells: dict[int, Cell] | None = None, **fields: Any) -> Person:
    state = MemberState("demo", "mbr_1", **fields)
    state.profile.cells = cells or {}
    return Person(state, facts)


def event(type_: str, **more: Any) -> dict[str, Any]:
    return {"kind": "event", "types": [type_], **more}


def test_purchases_of_four_weeks_are_counted_by_local_days() -> None:
    cells = {TODAY: Cell(2), TODAY - DAYS + 1: Cell(1), TODAY - DAYS: Cell(5)}
    assert flow(event("transaction.recorded"), person(cells=cells), person(cells={TODAY: Cell(1)})) == Flow("past", 4)
    where = [{"field": "value", "op": "ge", "value": 2000}]
    assert flow(event("transaction.recorded", where=where), person(cells=cells)) == Flow("past", 3, "at_most")


def test_registrations_and_entries_of_four_weeks_are_counted() -> None:
    people = [person(joined_at=NOW - days * DAY) for days in (0, 27, 28, 300)]
    assert flow(event("member.registered"), *people) == Flow("past", 2)
    inside = [person(segments={"big@2": NOW - days * DAY}) for days in (1, 40)] + [person(segments={"big@1": NOW})]
    assert flow(event("segment.entered", segment="big"), *inside) == Flow("past", 1, "at_least")


def test_declared_events_are_counted() -> None:
    people = (person(cells={TODAY: Cell(by={"e:played": [3, 0, 0]})}), person(cells={TODAY - 40: Cell(by={"e:played": [9, 0, 0]})}))
    assert flow(event("event.played"), *people) == Flow("past", 3)


def test_what_no_profile_tells_is_unknown() -> None:
    for trigger in (event("event.other"), event("coupon.redeemed"), event("segment.entered"), event("segment.entered", segment="draft")):
        found = flow(trigger, person())
        assert found is not None
        assert (found.basis, trigger["types"][0] in found.reason) == ("unknown", True)
    assert flow({"kind": "api"}, person()) == UNKNOWN_CALLS
    assert flow({"kind": "once"}, person()) is None


def test_dates_of_the_four_weeks_ahead_are_counted() -> None:
    birthdays = [person(Facts(birth_date=day_of(day))) for day in ("1996-06-13", "1980-07-01", "1996-06-11", "1996-08-09")]
    assert flow({"kind": "date", "of": "birthday", "days": 2}, *birthdays, person()) == Flow("ahead", 2)
