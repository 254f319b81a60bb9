"""A tenant and its own test environment: filled alike, their ids crossed both ways, as test_walk.py crosses two tenants'."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.kernel.modes import nth_test_of
from tests.builders.house import NOW
from tests.isolation.building import BY_OPERATION
from tests.isolation.conftest import Street
from tests.isolation.filling import THE_OPERATOR, Tenant, ok
from tests.isolation.test_walk import _crossed, _places, _sent
from tests.isolation.walking import calls, credential_of, operations, seen

WAYS = {"the environment's ids": ("ann", "bob"), "the live tenant's ids": ("bob", "ann")}
"""Of ``pair``: who calls, and whose ids are named."""


class Environment(Tenant):
    """Filled like any tenant, and made by the call that makes test environments."""

    def create(self) -> None:
        """The environment, with settings of its own mark."""
        made = self.by_operator("create_test_tenant", tenant_id=self.id.partition("-")[0])
        assert (made["id"], made["mode"]) == (self.id, "test")
        path, headers = {"tenant_id": self.id}, {"if-match": f'"{made["etag"]}"'}
        ok("replace_tenant", self.building.call("replace_tenant", THE_OPERATOR, {"settings": self.settings()}, path=path, headers=headers))


@pytest.fixture(scope="module")
def pair(street: Street) -> Iterator[Street]:
    """Ann's tenant, and as Bob its test environment."""
    building, now = street.building, street.building.now
    building.now = NOW
    environment = Environment(building, nth_test_of(street.ann.id, 1), "probe", 345)
    environment.fill()
    environment.sign_in()
    yield replace(street, bob=environment, image=building.image())
    street.clean()
    building.now = now


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("operation", sorted(operations()))
def test_ids_of_the_other_mode_are_as_good_as_none(pair: Street, operation: str, way: str) -> None:
    caller, owner = (getattr(pair, name) for name in WAYS[way])
    crossing = replace(pair, ann=owner, bob=caller)
    credential = credential_of(operation, caller)
    for call in calls(operation, caller):
        for wheres in list(_places(call))[-1:]:  # all of them at once; each by itself is walked between two tenants
            foreign = _crossed(crossing, call, wheres, owner, credential)
            nowhere = _crossed(crossing, call, wheres, pair.nobody, credential)
            assert seen(foreign, *_sent(call, wheres, owner)) == seen(nowhere, *_sent(call, wheres, pair.nobody))
            assert foreign.reads == nowhere.reads


@pytest.mark.parametrize("name", ["ann", "bob"])
def test_every_answer_says_which_data_it_is_about(pair: Street, name: str) -> None:
    caller, mode = getattr(pair, name), {"ann": "live", "bob": "test"}[name]
    wanted = {"get_member": caller.key, "get_member_of_me": caller.tokens["member"], "list_audit": caller.key}
    for operation, credential in wanted.items():
        for call in calls(operation, caller):
            assert pair.send(call, credential).headers["regulars-mode"] == mode
    refused = pair.send(next(calls("list_tenants", caller)), caller.key)
    assert (refused.status, refused.headers["regulars-mode"]) == (403, mode)
    public = next(name for name, route in BY_OPERATION.items() if route.public)
    assert "regulars-mode" not in pair.send(next(calls(public, caller)), None).headers


def test_nothing_of_either_is_left_changed(pair: Street) -> None:
    assert pair.building.image() == pair.image
