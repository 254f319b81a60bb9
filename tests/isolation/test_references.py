"""A draft may name what is not there yet. What is published may not, and what another tenant has is not there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.isolation.conftest import Street
from tests.isolation.walking import calls

NAMING = ("campaign", "programme", "reward", "promotion", "challenge")


@pytest.mark.parametrize("kind", NAMING)
def test_another_tenants_offer_or_item_is_not_one_to_refer_to(street: Street, kind: str) -> None:
    call = list(calls(f"create_{kind}", street.bob))[-1]
    places = [(where, of) for where, of in call.slots.items() if where[:2] == ("body", "definition") and of in ("offer", "item")]
    found: list[Any] = []
    for where, of in places:
        for tenant in (street.ann, street.nobody):
            draft = call.with_(where, tenant.ids[of])
            assert draft.send(street.building, street.bob.key).status == 201
            said = street.building.call(f"publish_{kind}", street.bob.key, {}, path={"definition_id": draft.parts["body"]["id"]})
            street.clean()
            found.append((said.status, said.code, [each["pointer"] for each in said.body.get("errors", ())], said.reads))
        assert found[-1] == found[-2]
        assert found[-1][0] == (200 if of == "item" else 422), "an item may be sold before it is in the catalogue"
