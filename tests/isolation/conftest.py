"""Two tenants that are filled alike, in one building."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.builders.house import NOW
from tests.fakes import engine
from tests.isolation.building import Building, Image, Said, open_building, wrote
from tests.isolation.filling import Tenant
from tests.isolation.walking import Call


@dataclass
class Street:
    """Whose things are to be found, who looks for them, and everything as it stood before anybody did."""

    building: Building
    ann: Tenant
    bob: Tenant
    nobody: Tenant
    """Who was there once: ids as all others have them, of things that are nowhere."""
    image: Image

    def clean(self) -> None:
        """As it stood."""
        self.building.restore(self.image)
        self.building.cloud.sqs.sent.clear()

    def send(self, call: Call, credential: str | None) -> Said:
        """Make a call, and undo it; answers what it said. The caller looks at the tables before, with ``after``."""
        said = call.send(self.building, credential)
        if wrote(said.asked):
            self.clean()
        return said


@pytest.fixture(scope="package")
def street() -> Iterator[Street]:
    """Ann's tenant and Bob's."""
    with engine.running_engine() as address, open_building(address, "isolation") as building:
        ann, bob, nobody = (Tenant(building, *who) for who in (("anton", "zorn", 567), ("berta", "blau", 890), ("nadir", "null", 234)))
        for tenant in (ann, bob):
            building.now = NOW
            tenant.fill()
        image = building.image()
        building.now = NOW
        nobody.fill()
        street = Street(building, ann, bob, nobody, image)
        nobody.sign_in()
        street.clean()
        for tenant in (ann, bob):
            tenant.sign_in()
        street.image = building.image()
        yield street
