"""Within one tenant: what a guest's token opens is hers alone, a key of one location is of no use at another, and every scope counts."""

from __future__ import annotations

import pytest

from shared.http.routes import ROUTES
from shared.kernel.scopes import MEMBER, OPERATOR, PUBLIC, SCOPES
from tests.isolation.building import BY_OPERATION
from tests.isolation.conftest import Street
from tests.isolation.filling import KEY_SCOPES, THE_OPERATOR
from tests.isolation.test_walk import work_off
from tests.isolation.walking import calls, credential_of, operations, seen

HERS = ("device", "coupon", "claim", "message", "code", "access")
"""Kinds of things that are one member's; ``friend's`` before them is another's of the same tenant."""
OF_MEMBERS = sorted(route.operation for route in ROUTES if route.scope == MEMBER or "{member_id}" in route.path)
AT_A_LOCATION = {
    "quote", "create_hold", "record_transaction", "record_return", "report_offline_losses", "hold_coupon", "redeem_coupon",
    "ask_confirmation", "transfer_points", "convert_points",
}  # fmt: skip
"""Where a key of one location is refused at another."""
ANYWHERE = {
    "lookup_transaction": "what was bought at one location may be brought back at another, so a till finds every sale of its tenant",
    "import_transactions": "each record is checked by the worker",
    "claim_reward": "a guest's choice is handed over wherever she says",
}


@pytest.fixture(scope="package")
def keys(street: Street) -> dict[str, str]:
    """For each scope a key that holds all the others; ``nord``: a key with every scope, for one location alone; ``west``: for
    the group of locations that one is in; and a member's token.
    """
    bob, made = street.bob, {}
    for scope in KEY_SCOPES:
        body = {"scopes": [each for each in KEY_SCOPES if each != scope], "label": f"all but {scope}"}
        made[scope] = bob.by_operator("create_key", body, tenant_id=bob.id)["key"]
    bound = {"scopes": KEY_SCOPES, "location_id": bob.ids["location of nord"]}
    made["nord"] = bob.by_operator("create_key", bound, tenant_id=bob.id)["key"]
    bound = {"scopes": KEY_SCOPES, "location_group": bob.ids["location group"]}
    made["west"] = bob.by_operator("create_key", bound, tenant_id=bob.id)["key"]
    # The authorizer looks at each while it is there: what it finds is kept, as the gateway keeps it.
    for key in made.values():
        assert "auth_error" not in street.building.context_of(key)
    street.clean()
    return made


@pytest.mark.parametrize("operation", OF_MEMBERS)
def test_what_is_a_friends_is_as_good_as_nothing(street: Street, operation: str) -> None:
    bob = street.bob
    for call in calls(operation, bob):
        for where, kind in call.slots.items():
            if kind not in HERS:
                continue
            answers = []
            for tenant, name in ((bob, f"friend's {kind}"), (street.nobody, kind)):
                sent = call.with_(where, tenant.ids[name])
                said = sent.send(street.building, credential_of(operation, bob))
                work_off(street)
                changed = {key for key, item in street.building.image().items() if street.image.get(key) != item}
                hers = {key for key in changed if bob.ids["friend"] in key[1]}
                assert not hers, f"{operation}: changed a friend's {hers}"
                street.clean()
                answers.append((seen(said, tenant.ids[name]), said.reads))
            assert answers[0] == answers[1], f"{operation}: {where} of a friend"


@pytest.mark.parametrize("operation", [each for each in OF_MEMBERS if BY_OPERATION[each].scope == MEMBER])
def test_a_guests_own_view_shows_nothing_of_a_friend(street: Street, operation: str) -> None:
    """She named nobody but herself, or whom she gives to; what she reads is of nobody else."""
    bob = street.bob
    for call in calls(operation, bob):
        said = street.send(call, bob.tokens["member"])
        assert said.status not in (401, 403), said.text
        named = {bob.ids[kind] for kind in call.slots.values()}
        of_friend = {bob.ids[f"friend's {kind}"] for kind in HERS} | {bob.ids["friend"], f"{bob.mark}friend"}
        shown = {each for each in of_friend - named if each in said.text}
        assert not shown, f"{operation}: shows {shown}"


@pytest.mark.parametrize("bound", ["nord", "west"])
@pytest.mark.parametrize("operation", sorted(AT_A_LOCATION))
def test_a_key_of_one_location_or_group_is_refused_at_another(street: Street, keys: dict[str, str], operation: str, bound: str) -> None:
    for call in calls(operation, street.bob):
        if "location" not in call.slots.values():
            continue
        said = call.send(street.building, keys[bound])
        assert (said.status, said.code) == (403, "other_location"), said.text
        assert street.building.image() == street.image


def test_a_key_of_a_group_is_good_at_a_location_of_a_group_below_it(street: Street, keys: dict[str, str]) -> None:
    for call in calls("report_offline_losses", street.bob):
        for where, kind in call.slots.items():
            if kind == "location":
                assert call.with_(where, street.bob.ids["location of nord"]).send(street.building, keys["west"]).status == 200


@pytest.mark.parametrize("bound", ["nord", "west"])
@pytest.mark.parametrize("operation", ["put_locations", "put_location_groups"])
def test_who_is_bound_to_a_place_cannot_change_which_places_there_are(
    street: Street, keys: dict[str, str], operation: str, bound: str
) -> None:
    """A location's groups say who reaches it."""
    for call in calls(operation, street.bob):
        said = call.send(street.building, keys[bound])
        assert (said.status, said.code) == (403, "other_location"), said.text
        assert street.building.image() == street.image


def test_every_call_that_sells_at_a_location_is_known() -> None:
    named = {
        name for name, spec in operations().items()
        if BY_OPERATION[name].scope.startswith(("transactions:", "coupons:", "points:")) and _names_a_location(spec)
    }  # fmt: skip
    assert named - ANYWHERE.keys() == AT_A_LOCATION, "say whether a key of another location is refused"


def _names_a_location(spec: dict[str, object]) -> bool:
    from tests.isolation.walking import resolved

    body = spec.get("requestBody")
    schema = resolved(next(iter(body["content"].values()))["schema"]) if isinstance(body, dict) else {}
    return "location_id" in schema.get("properties", {}) or "{location_id}" in BY_OPERATION[str(spec["operationId"])].path


@pytest.mark.parametrize("operation", sorted(route.operation for route in ROUTES if route.scope != PUBLIC))
def test_every_other_scope_together_is_not_this_one(street: Street, keys: dict[str, str], operation: str) -> None:
    scope = BY_OPERATION[operation].scope
    (call, *_rest) = calls(operation, street.bob)
    credentials: list[tuple[str | None, int]] = [(None, 401), ("lyk_berta-aaaaaaaaaaaa_" + "A" * 32, 401)]
    credentials += [(keys[scope], 403)] if scope in keys else [(street.bob.key, 403)]
    credentials += [(street.bob.tokens["member"], 403)] if scope != MEMBER else []
    credentials += [(THE_OPERATOR, 403)] if scope != OPERATOR else []
    for credential, status in credentials:
        said = call.send(street.building, credential)
        assert said.status == status, f"{operation}: {said.text}"
        assert said.asked == [], f"{operation}: something was asked for before it was refused"


def test_every_scope_is_some_routes_or_known() -> None:
    beside = {"coupons:release", "members:personal"}
    assert SCOPES.keys() - {route.scope for route in ROUTES} <= beside


def test_an_authorizer_gives_a_foreign_tenants_key_no_other_tenant(street: Street) -> None:
    for tenant in (street.ann, street.bob):
        assert street.building.context_of(tenant.key)["tenant"] == tenant.id
    swapped = street.ann.key.replace(street.ann.id, street.bob.id)
    assert street.building.context_of(swapped) == {"auth_error": "invalid_credential"}


