"""Sizes of a plan: what is one too many, and that nothing of it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.definitions import catalogue, service
from shared.definitions.api import LocationsRequest, ProgrammeRequest
from shared.jobs import service as jobs
from shared.kernel.instants import DAY
from shared.limits.plans import Plan, PlanLimit
from shared.storage import keys
from tests.builders.audiences import EVERYBODY
from tests.builders.house import PROGRAMME, SETTINGS, House

if TYPE_CHECKING:
    from tests.builders.audiences import Desk


class Kept:
    """A queue and a store that keep what comes."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, body: Any, delay_seconds: int = 0) -> None:
        self.sent.append(body)

    def put(self, name: str, body: bytes) -> None:
        self.sent.append(name)

    def get(self, name: str) -> bytes:
        raise KeyError(name)


def on_plan(house: House, **sizes: int) -> House:
    """The house on a plan of its own."""
    return house.create(SETTINGS.model_copy(update={"plan": Plan.model_validate(sizes)}))


def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(PlanLimit) as refusal:
        call()
    return refusal.value.errors[0].pointer, refusal.value.errors[0].detail


def locations(*ids: str, name: str = "Here") -> LocationsRequest:
    return LocationsRequest.model_validate({"locations": [{"id": id_, "name": name} for id_ in ids]})


def stored_locations(house: House) -> list[str]:
    return [raw["SK"]["S"] for raw in house.table.query_all(keys.definitions("demo"), begins="LOCATION#", consistent=True)]


def test_locations_are_counted_in_all_and_known_ones_may_be_replaced(bare_house: House) -> None:
    house = on_plan(bare_house, locations=2)
    catalogue.put_locations(house.scope(), locations("mitte", "nord"))
    assert refused(lambda: catalogue.put_locations(house.scope(), locations("nord", "west"))) == ("/locations", "at most 2")
    assert catalogue.put_locations(house.scope(), locations("nord", name="Nordend")).locations[0].status == "replaced"
    assert stored_locations(house) == ["LOCATION#mitte", "LOCATION#nord"]


def test_definitions_are_counted_by_kind_and_retired_ones_are_not(bare_house: House) -> None:
    house = on_plan(bare_house, definitions=2)
    bodies = [ProgrammeRequest.model_validate({"id": f"p{number}", "definition": PROGRAMME}) for number in range(3)]
    first = service.create(house.scope(), "programme", bodies[0])
    service.create(house.scope(), "programme", bodies[1])
    assert refused(lambda: service.create(house.scope(), "programme", bodies[2])) == ("", "at most 2")
    service.retire(house.scope(), "programme", first.id, 0.0)
    assert service.create(house.scope(), "programme", bodies[2]).id == "p2"


def test_a_bulk_call_has_as_many_records_as_the_plan(bare_house: House) -> None:
    house, kept = on_plan(bare_house, bulk_records=2), Kept()
    assert refused(
        lambda: jobs.accept(house.scope(), "transactions", [{}] * 3, {}, kept, kept, pointer="/transactions")
    ) == ("/transactions", "at most 2")  # fmt: skip
    assert kept.sent == []
    assert jobs.accept(house.scope(), "transactions", [{}] * 2, {}, kept, kept, pointer="/transactions").records == 2


def test_exports_are_counted_by_the_day(desk: Desk) -> None:
    on_plan(desk.house, exports_per_day=2).cache.forget("demo")
    body = {"rule": EVERYBODY}
    said = [desk.call("export_members", body) for _ in range(3)]
    assert [each.status for each in said] == [202, 202, 403]
    assert said[2].body["code"] == "plan_limit"
    desk.house.now += DAY
    assert desk.call("export_members", body).status == 202
