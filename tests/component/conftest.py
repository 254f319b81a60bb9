"""Component tests: services on a real engine, handlers on moto."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.builders.gateway import Cloud, Till, running_cloud
from tests.builders.house import House
from tests.fakes import engine

if TYPE_CHECKING:
    from tests.builders.audiences import Desk

_serial = itertools.count(1)


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[str]:
    """The engine's address, for the whole run."""
    with engine.running_engine() as address:
        yield address


@pytest.fixture
def bare_house(dynamodb: str, request: pytest.FixtureRequest) -> Iterator[House]:
    """Two empty tables of the test's own; they are gone after it, so that the engine stays small.

    With a stream only where the test is marked so: on the engine it makes each write dearer the more were made before.
    """
    number, client = next(_serial), engine.client(dynamodb)
    main, keys = f"main{number}", f"keys{number}"
    engine.create_tables(client, main, keys, stream=request.node.get_closest_marker("stream") is not None)
    yield House(engine.table(dynamodb, main), engine.table(dynamodb, keys))
    for name in (main, keys):
        client.delete_table(TableName=name)


@pytest.fixture
def house(bare_house: House) -> House:
    """A tenant with a programme and an offer."""
    from tests.builders.house import FRIES, PROGRAMME

    bare_house.create()
    bare_house.publish("programme", "points", PROGRAMME)
    bare_house.publish("offer", "fries", FRIES)
    return bare_house


@pytest.fixture
def desk(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The function audiences over a tenant with a programme."""
    from tests.builders.audiences import Desk
    from tests.builders.house import PROGRAMME

    bare_house.create()
    bare_house.publish("programme", "points", PROGRAMME)
    return Desk(bare_house, dynamodb, monkeypatch)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """Moto's services for the tests of a module."""
    with running_cloud() as running:
        yield running


@pytest.fixture
def till(house: House, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Till:
    """The function transaction_ingestion over that tenant, with queues and a bucket of its own."""
    return Till(house, cloud, monkeypatch)


@pytest.fixture
def other(till: Till) -> House:
    """Another tenant in the same tables."""
    from tests.builders.house import FRIES, PROGRAMME

    neighbour = House(till.house.table, till.house.key_table, tenant="other").create()
    neighbour.publish("programme", "points", PROGRAMME)
    neighbour.publish("offer", "fries", FRIES)
    till.give_keys("other")
    return neighbour
