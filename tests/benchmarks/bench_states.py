"""What a guest's state weighs with 10, 130 and 1,000 purchases, and what her next purchase reads and writes.

Guests have bought for up to 400 days: three of sixty items each time, in two of five categories, at three locations, at any hour.
"""

from __future__ import annotations

import random

from shared.kernel.instants import DAY, HOUR, local_day
from shared.member_state.cells_codec import encode_cells
from shared.member_state.codec import encode_state
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.profile.model import Visit
from shared.profile.rules import add_visit, hour_of, spill
from shared.storage import keys
from shared.storage.packing import pack
from shared.transactions.service import record
from tests.benchmarks.bench_purchase import _house
from tests.benchmarks.rows import Row, row
from tests.builders.house import NOW, House, sale
from tests.fakes import engine

_GUESTS = (10, 130, 1000)
_SPAN = 395
_SETTLING = 2
_ZONE = "Europe/Berlin"


def bought(state: MemberState, purchases: int) -> None:
    """So many purchases, evenly over the days, each folded as the service does."""
    rng = random.Random(purchases)
    for number in range(purchases):
        at = NOW - 2 * DAY - (purchases - number) * _SPAN * DAY // purchases + rng.randint(0, 8) * HOUR
        by: dict[str, int] = {}
        units: dict[str, int] = {}
        for item in rng.sample(range(60), 3):
            for key in (f"i:item-{item}", f"c:category-{item % 5}", f"t:tag-{item % 7}"):
                by[key] = by.get(key, 0) + 400
                units[key] = units.get(key, 0) + 1000
        by |= {f"l:location-{rng.randint(1, 3)}": 1200, "h:till": 1200, f"o:{hour_of(at, _ZONE)}": 1200}
        add_visit(state.profile, Visit(at, 1200, 3000, by, units=units), _ZONE)
        spill(state.profile, local_day(at, _ZONE))


def guest(house: House, purchases: int) -> str:
    """Stored with that history. The last two of her purchases are recorded, so that she has met the segments."""
    member = house.join(at=NOW - 400 * DAY)
    repository = StateRepository("demo", house.table)
    loaded = repository.load(member)
    bought(loaded.state, purchases - _SETTLING)
    sizes = [pack(encode_state(loaded.state)), pack(encode_cells(loaded.state.profile.history))]
    raw = house.table.get(keys.state("demo", member)) or {}
    client, name = house.table._client, house.table.name
    client.put_item(TableName=name, Item={**raw, "d": {"B": sizes[0]}, "hv": {"N": "1"}})
    key = keys.history("demo", member)
    client.put_item(TableName=name, Item={"PK": {"S": key.pk}, "SK": {"S": key.sk}, "hv": {"N": "1"}, "d": {"B": sizes[1]}})
    for _ in range(_SETTLING):
        record(house.scope(), sale(member, at=house.now, lines=(("burger", 900), ("fries", 350))))
        house.now += 1
    assert house.state(member).profile.count == purchases
    return member


def units(house: House, member: str, purchases: int) -> list[Row]:
    """Sizes as stored, and the units of two purchases: the day's first, and the second."""
    raw = house.table.get(keys.state("demo", member)) or {}
    history = house.table.get(keys.history("demo", member)) or {}
    size, older = len(raw["d"]["B"]), len(history["d"]["B"])
    name = f"guest with {purchases} purchases"
    rows = [row(f"{name}: state", size, "B", f"packed; with {older} B of older days in an item of its own")]
    for which in ("first", "second"):
        house.table.consumed = []
        record(house.scope(), sale(member, at=house.now, lines=(("burger", 900), ("fries", 350))))
        used, house.table.consumed = house.table.consumed, None
        reads = sum(each.get("CapacityUnits", 0) for each in used[:-1])
        note = f"{reads:.1f} read units; the day's {which}, 20 segments"
        rows.append(row(f"{name}: the {which} of a day", used[-1]["CapacityUnits"], "WU", note))
        house.now += 1
    return rows


def run() -> list[Row]:
    """Every row, some 5 seconds."""
    rows = []
    with engine.running_engine() as address:
        engine.create_tables(engine.client(address), "main", "keys")
        house = _house(address)
        for purchases in _GUESTS:
            house.now = NOW - DAY
            member = guest(house, purchases)
            house.now = NOW
            house.scope().items(["burger", "fries"])
            rows += units(house, member, purchases)
    return rows


if __name__ == "__main__":
    for each in run():
        print(f"{each['name']:<52} {each['figure']!s:>10} {each['unit']:<7} {each['note']}")
