"""Component tests: services on a real engine, handlers on moto."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.builders.house import House
from tests.fakes import engine

_serial = itertools.count(1)


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[str]:
    """The engine's address, for the whole run."""
    with engine.running_engine() as address:
        yield address


@pytest.fixture
def bare_house(dynamodb: str) -> House:
    """Two empty tables of the test's own."""
    number = next(_serial)
    main, keys = f"main{number}", f"keys{number}"
    engine.create_tables(engine.client(dynamodb), main, keys)
    return House(engine.table(dynamodb, main), engine.table(dynamodb, keys))


@pytest.fixture
def house(bare_house: House) -> House:
    """A tenant with a programme and an offer."""
    from tests.builders.house import FRIES, PROGRAMME

    bare_house.create()
    bare_house.publish("programme", "points", PROGRAMME)
    bare_house.publish("offer", "fries", FRIES)
    return bare_house
