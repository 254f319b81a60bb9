"""Staff: invited, changed, removed, never beyond the caller's own rights; and what their tokens open."""

from __future__ import annotations

from typing import Any

import pytest

from functions.tenancy import handler as tenancy
from shared.aws.staff_pool import CognitoPool
from shared.kernel.errors import AppError
from shared.kernel.instants import MINUTE, format_rfc3339
from shared.kernel.scopes import KEY_SCOPES
from shared.privacy.crypto import derive
from shared.tenants import api_keys, staff_desk
from shared.tenants.access import Access, StaffDoor
from shared.tenants.keys_repository import PEPPER_PURPOSE
from shared.tenants.principal import Principal
from shared.tenants.reach import AS_THE_OPERATOR
from shared.tenants.staff import SCOPES_OF, new_staff_id
from shared.tenants.staff_api import StaffRequest
from shared.tenants.staff_desk import MAX_STAFF
from shared.tenants.staff_repository import Roster, StaffRepository
from shared.tenants.tokens import TokenSigner
from tests.builders.house import House
from tests.builders.office import MASTER, Office, Said
from tests.builders.staff_tokens import claims_of, token_of, verifier
from tests.fakes.user_pool import FakeUserPool

SETTINGS: dict[str, Any] = {"name": "Corner Coffee", "currency": "EUR", "time_zone": "Europe/Berlin"}
GROUPS = [
    {"id": "brand", "name": "Brand"}, {"id": "west", "name": "West", "parent": "brand"}, {"id": "east", "name": "East", "parent": "brand"},
]  # fmt: skip
MAIL = "anna@corner.example"


class World:
    """A tenant's administration with a user pool beside it, and an authorizer."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house = house
        self.office = Office(house, monkeypatch, cache_seconds=0)
        self.pool = FakeUserPool()
        home = tenancy.runtime()
        home.client = lambda _service: self.pool
        home.real_now = lambda: house.now
        monkeypatch.setattr(tenancy, "staff_pool_id", lambda: "pool")
        house.cache._ttl = 0.0
        for tenant in ("corner", "other"):
            assert self.office.call("create_tenant", {"id": tenant, "settings": SETTINGS}).status == 201
        places = [{"id": id_, "name": id_, "groups": [group]} for id_, group in (("dom", "west"), ("alex", "east"))]
        for operation, body in (("put_location_groups", {"groups": GROUPS}), ("put_locations", {"locations": places})):
            assert self.call(operation, body).status == 200

    def call(self, operation: str, body: Any = None, tenant: str = "corner", **more: Any) -> Said:
        return self.office.call(operation, body, tenant=tenant, **more)

    def invite(self, group: str = "marketer", email: str = MAIL, **more: Any) -> Any:
        said = self.call("invite_staff", {"email": email, "group": group, **more})
        assert said.status == 201, said.body
        return said.body

    def change(self, one: Any, body: Any, **more: Any) -> Said:
        return self.call("change_staff", body, staff_id=one["staff_id"], **more)

    def door(self) -> Access:
        staff = StaffDoor(verifier(self.house.now), lambda: self.house.now)
        pepper = derive(MASTER, PEPPER_PURPOSE)
        return Access(self.house.table, TokenSigner(MASTER), pepper, "o" * 43, lambda: self.house.now, lambda: 0.0, staff)

    def token(self, one: Any, **other: Any) -> str:
        """A new one, with the groups that the pool has them in."""
        user = self.pool.users[one["username"]]
        return f"Bearer {token_of(claims_of(one['username'], self.house.now, *sorted(user.groups), **other))}"

    def ask(self, header: str) -> dict[str, str]:
        return self.door().context_of(header)


@pytest.fixture
def world(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(bare_house, monkeypatch)


class TestTokens:
    def test_somebody_invited_signs_in_with_what_the_group_may_do_where_they_work(self, world: World) -> None:
        made = world.invite("cashier_support", location_group="west")
        found = world.ask(world.token(made))
        assert found["kind"] == "staff"
        assert (found["tenant"], found["id"], found["location_group"]) == ("corner", made["staff_id"], "west")
        assert set(found["scopes"].split()) == SCOPES_OF["cashier_support"] == set(made["scopes"])
        assert found["rates"] == "200/400 150/300"

    def test_a_call_of_staff_costs_the_authorizer_one_read(self, world: World) -> None:
        token, door = world.token(world.invite()), world.door()
        assert door.context_of(token)["kind"] == "staff"
        world.house.table.consumed = []
        door.context_of(token)
        assert len(world.house.table.consumed) == 1

    def test_a_token_of_before_a_new_group_opens_nothing_and_a_new_one_does(self, world: World) -> None:
        made = world.invite("marketer")
        before = world.token(made)
        assert world.change(made, {"group": "read_only"}).status == 200
        assert world.ask(before) == {"auth_error": "expired_token"}
        assert set(world.ask(world.token(made))["scopes"].split()) == SCOPES_OF["read_only"]

    def test_a_group_that_the_pool_alone_gives_is_none(self, world: World) -> None:
        made = world.invite("read_only")
        world.pool.users[made["username"]].groups = {"owner"}
        assert world.ask(world.token(made)) == {"auth_error": "expired_token"}
        world.pool.users[made["username"]].groups = {"owner", "read_only"}
        assert set(world.ask(world.token(made))["scopes"].split()) == SCOPES_OF["read_only"]

    def test_who_is_disabled_removed_or_signed_out_is_refused(self, world: World) -> None:
        made = world.invite()
        token = world.token(made)
        assert world.change(made, {"sign_out": True}).status == 200
        assert world.ask(token) == {"auth_error": "expired_token"}
        world.house.now += MINUTE
        token = world.token(made)
        assert world.ask(token)["kind"] == "staff"
        assert world.change(made, {"status": "disabled"}).body["status"] == "disabled"
        assert world.ask(token) == {"auth_error": "revoked_key"}
        world.house.now += MINUTE
        assert world.change(made, {"status": "active"}).status == 200
        token = world.token(made)
        assert world.ask(token)["kind"] == "staff"
        assert world.call("remove_staff", staff_id=made["staff_id"]).status == 204
        assert world.ask(token) == {"auth_error": "invalid_credential"}
        assert world.pool.users == {}

    def test_staff_of_a_suspended_tenant_are_refused(self, world: World) -> None:
        token, got = world.token(world.invite()), world.office.call("get_tenant", tenant_id="corner")
        body = {"id": "corner", "settings": SETTINGS | {"status": "suspended"}}
        assert world.office.call("replace_tenant", body, tenant_id="corner", if_match=got.body["etag"]).status == 200
        assert world.ask(token) == {"auth_error": "suspended_tenant"}

    def test_a_token_that_names_another_tenant_is_nobody_there(self, world: World) -> None:
        made = world.invite()
        elsewhere = claims_of(f"other.{made['staff_id']}", world.house.now, "marketer")
        assert world.ask(f"Bearer {token_of(elsewhere)}") == {"auth_error": "invalid_credential"}


class TestInvitations:
    def test_the_address_goes_to_the_pool_and_nowhere_else(self, world: World) -> None:
        made = world.invite(label="Desk 2")
        assert world.pool.users[made["username"]].email == MAIL
        assert MAIL not in str(made) + str(world.call("list_staff").body)
        assert "anna" not in str(world.office.rows())

    def test_an_address_that_the_pool_refuses_makes_nobody(self, world: World) -> None:
        said = world.call("invite_staff", {"email": "anna@corner.invalid", "group": "owner"})
        assert (said.status, said.errors) == (422, [("/email", "address_refused")])
        assert world.call("list_staff").body["data"] == []
        assert StaffRepository("corner", world.house.table).roster() == Roster()

    def test_an_invitation_that_breaks_off_leaves_nobody(self, world: World) -> None:
        world.pool.fails["admin_add_user_to_group"] = "TooManyRequestsException"
        assert world.call("invite_staff", {"email": MAIL, "group": "owner"}).status == 503
        assert world.pool.users == {}
        assert world.call("list_staff").body["data"] == []

    def test_the_same_call_again_invites_nobody_twice(self, world: World) -> None:
        def ask(**more: Any) -> Said:
            return world.call("invite_staff", {"email": MAIL, "group": "marketer"} | more, headers={"idempotency-key": "anna"})

        first, again = ask(), ask()
        assert (first.status, again.status, again.headers.get("idempotent-replayed")) == (201, 200, "true")
        assert first.body == again.body
        assert len(world.pool.users) == 1
        assert ask(email="ben@corner.example").body["staff_id"] != first.body["staff_id"], "another address is somebody else"
        refused = ask(group="read_only")
        assert (refused.status, refused.body["code"]) == (422, "request_reused")
        assert world.change(first.body, {"group": "read_only"}).status == 200
        assert ask().body["group"] == "read_only", "as they are now"
        assert world.call("remove_staff", staff_id=first.body["staff_id"]).status == 204
        assert ask().status == 201, "who was removed is invited anew"
        assert len(world.pool.users) == 2

    def test_a_call_that_comes_second_at_the_same_moment_leaves_the_user_of_the_first(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        headers, body = {"idempotency-key": "anna"}, {"email": MAIL, "group": "marketer"}
        real, met = CognitoPool.put_into, list[int]()

        def meanwhile(pool: CognitoPool, name: str, group: Any) -> None:
            monkeypatch.setattr(CognitoPool, "put_into", real)
            met.append(world.call("invite_staff", body, headers=headers).status)
            real(pool, name, group)

        monkeypatch.setattr(CognitoPool, "put_into", meanwhile)
        late = world.call("invite_staff", body, headers=headers)
        assert (met, late.status, late.body["code"]) == ([201], 409, "staff_changed")
        assert len(world.pool.users) == 1
        assert world.call("invite_staff", body, headers=headers).status == 200

    def test_a_call_that_fails_at_the_same_moment_leaves_the_user_of_the_other(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        headers, body = {"idempotency-key": "anna"}, {"email": MAIL, "group": "marketer"}
        real, met = CognitoPool.put_into, list[int]()

        def while_another_fails(pool: CognitoPool, name: str, group: Any) -> None:
            monkeypatch.setattr(CognitoPool, "put_into", real)
            real(pool, name, group)
            world.pool.fails["admin_add_user_to_group"] = "TooManyRequestsException"
            met.append(world.call("invite_staff", body, headers=headers).status)
            world.pool.fails.clear()

        monkeypatch.setattr(CognitoPool, "put_into", while_another_fails)
        made = world.call("invite_staff", body, headers=headers)
        assert (met, made.status) == ([503], 201)
        assert world.ask(world.token(made.body))["kind"] == "staff"

    def test_a_named_call_that_breaks_off_goes_on_with_the_user_who_is_there(self, world: World) -> None:
        headers, body = {"idempotency-key": "anna"}, {"email": MAIL, "group": "marketer"}
        world.pool.fails["admin_add_user_to_group"] = "TooManyRequestsException"
        assert world.call("invite_staff", body, headers=headers).status == 503
        (left,) = world.pool.users
        assert world.pool.users[left].groups == set()
        world.pool.fails.clear()
        made = world.call("invite_staff", body, headers=headers)
        assert (made.status, made.body["username"], list(world.pool.users)) == (201, left, [left])

    def test_who_is_being_removed_or_is_out_of_reach_is_not_invited_anew(self, world: World) -> None:
        headers, body = {"idempotency-key": "anna"}, {"email": MAIL, "group": "marketer", "location_id": "dom"}
        made = world.call("invite_staff", body, headers=headers, location="dom").body
        world.change(made, {"location_id": "alex", "group": "read_only"})
        refused = world.call("invite_staff", body, headers=headers, location="dom")
        assert (refused.status, refused.body["code"], world.pool.users[made["username"]].groups) == (409, "staff_changed", {"read_only"})
        world.pool.fails["admin_delete_user"] = "InternalErrorException"
        assert world.call("remove_staff", staff_id=made["staff_id"]).status == 503
        del world.pool.users[made["username"]]
        refused = world.call("invite_staff", body, headers=headers)
        assert (refused.status, refused.body["code"], world.pool.users) == (409, "staff_changed", {})
        world.pool.fails.clear()
        assert world.call("remove_staff", staff_id=made["staff_id"]).status == 204
        assert world.call("invite_staff", body, headers=headers).status == 201

    def test_ids_of_named_calls_have_a_key_of_their_own(self, world: World) -> None:
        body = {"email": MAIL, "group": "marketer"}
        made = world.call("invite_staff", body, headers={"idempotency-key": "anna"}).body["staff_id"]

        def id_with(purpose: str) -> str:
            desk = staff_desk.StaffDesk(
                world.office._scope("corner"), CognitoPool(world.pool, "pool"), AS_THE_OPERATOR, "demo-aaaaaaaaaaaa", lambda: 0
            )
            named = staff_desk.for_call(desk, derive(MASTER, purpose), "anna", StaffRequest(email=MAIL, group="marketer"))
            return new_staff_id(named.entropy)

        assert id_with("staff-invitations") == made != id_with("administration-cursors")

    def test_a_place_must_be_there(self, world: World) -> None:
        body = {"email": MAIL, "group": "marketer", "location_id": "nowhere", "location_group": "north"}
        said = world.call("invite_staff", body)
        assert said.errors == [("/location_id", "unknown_location"), ("/location_group", "unknown_location_group")]
        assert world.pool.users == {}

    def test_a_tenant_has_a_bounded_number(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        assert MAX_STAFF == 500
        monkeypatch.setattr("shared.tenants.staff_desk.MAX_STAFF", 2)
        first = world.invite()
        world.invite()
        assert world.call("invite_staff", {"email": MAIL, "group": "marketer"}).body["code"] == "too_many_staff"
        assert len(world.pool.users) == 2
        world.call("remove_staff", staff_id=first["staff_id"])
        world.invite()

    def test_the_list_is_walked_by_pages(self, world: World) -> None:
        ids = sorted(world.invite()["staff_id"] for _ in range(3))
        first = world.call("list_staff", query={"limit": "2"}).body
        rest = world.call("list_staff", query={"limit": "2", "cursor": first["next_cursor"]}).body
        assert [each["staff_id"] for each in first["data"] + rest["data"]] == ids
        assert "next_cursor" not in rest

    def test_the_mfa_of_who_lost_the_phone_is_set_up_anew(self, world: World) -> None:
        made = world.invite()
        assert world.change(made, {"reset_mfa": True}).body["signed_out_at"] == format_rfc3339(world.house.now)
        user = world.pool.users[made["username"]]
        assert (user.mfa, user.sign_outs) == (False, 1)


class TestReach:
    def test_nobody_gives_a_group_that_may_do_more_than_they(self, world: World) -> None:
        own = frozenset({"tenant:admin"}) | SCOPES_OF["read_only"]
        said = world.call("invite_staff", {"email": MAIL, "group": "owner"}, scopes=own)
        assert (said.status, said.errors) == (403, [("/group", "beyond_own_key")])
        assert world.call("invite_staff", {"email": MAIL, "group": "read_only"}, scopes=own).status == 201
        owner = world.invite("owner")
        for operation, body in (("change_staff", {"group": "read_only"}), ("change_staff", {"reset_mfa": True}), ("remove_staff", None)):
            assert world.call(operation, body, scopes=own, staff_id=owner["staff_id"]).body["code"] == "beyond_own_key"

    def test_whoever_is_bound_to_a_location_sees_and_makes_staff_of_it_alone(self, world: World) -> None:
        here, elsewhere = world.invite(location_id="dom"), world.invite(location_id="alex")
        bound = {"location": "dom"}
        assert [each["staff_id"] for each in world.call("list_staff", **bound).body["data"]] == [here["staff_id"]]
        assert world.change(elsewhere, {"label": "x"}, **bound).status == 404
        for body in ({}, {"location_id": "alex"}, {"location_group": "west"}):
            assert world.call("invite_staff", {"email": MAIL, "group": "marketer", **body}, **bound).status == 403, body
        assert world.change(here, {"everywhere": True}, **bound).status == 403
        assert world.call("invite_staff", {"email": MAIL, "group": "marketer", "location_id": "dom"}, **bound).status == 201

    def test_whoever_is_bound_to_a_group_reaches_what_is_below_it(self, world: World) -> None:
        owner = world.invite("owner", location_group="west")
        principal = Principal("staff", "corner", owner["staff_id"], KEY_SCOPES, location_group="west")
        scope = world.office._scope("corner")
        desk = staff_desk.StaffDesk(
            scope, CognitoPool(world.pool, "pool"), api_keys.reach_of(scope, principal), principal.id, lambda: world.house.now
        )
        for place in ({"location_id": "dom"}, {"location_group": "west"}):
            assert staff_desk.invite(desk, StaffRequest(email=MAIL, group="marketer", **place)).status == "active"
        for place in ({}, {"location_id": "alex"}, {"location_group": "east"}, {"location_group": "brand"}):
            with pytest.raises(AppError) as refused:
                staff_desk.invite(desk, StaffRequest(email=MAIL, group="marketer", **place))
            assert refused.value.code == "beyond_own_key", place

    def test_a_key_that_ends_invites_nobody(self, world: World) -> None:
        ends = format_rfc3339(world.house.now + MINUTE)
        made = world.office.call("create_key", {"scopes": sorted(KEY_SCOPES), "expires_at": ends}, tenant_id="corner").body
        said = world.call("invite_staff", {"email": MAIL, "group": "marketer"}, who=made["key_id"])
        assert said.errors == [("/group", "beyond_own_key")]

    def test_another_tenants_staff_are_unknown(self, world: World) -> None:
        made = world.invite()
        for operation, body in (("change_staff", {"label": "x"}), ("remove_staff", None)):
            assert world.call(operation, body, tenant="other", staff_id=made["staff_id"]).body["code"] == "unknown_staff"
        assert world.call("list_staff", tenant="other").body["data"] == []


class TestOwners:
    def test_the_last_owner_stays_one(self, world: World) -> None:
        first = world.invite("owner")
        ways = ({"group": "marketer"}, {"status": "disabled"}, {"location_id": "dom"})
        for body in ways:
            assert world.change(first, body).body["code"] == "last_owner", body
        assert world.call("remove_staff", staff_id=first["staff_id"]).body["code"] == "last_owner"
        assert world.pool.users[first["username"]].groups == {"owner"}
        second = world.invite("owner")
        assert world.change(first, {"group": "marketer"}).status == 200
        assert world.call("remove_staff", staff_id=second["staff_id"]).body["code"] == "last_owner"

    def test_an_owner_of_a_place_is_not_the_owner_who_stays(self, world: World) -> None:
        first = world.invite("owner")
        world.invite("owner", location_id="dom")
        assert world.call("remove_staff", staff_id=first["staff_id"]).body["code"] == "last_owner"

    def test_two_owners_who_remove_each_other_at_once_leave_one(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = world.invite("owner"), world.invite("owner")
        store, answers = StaffRepository.store, []

        def in_between(repository: StaffRepository, *given: Any) -> bool:
            # Just before the first is written, the other removal comes through.
            monkeypatch.setattr(StaffRepository, "store", store)
            answers.append(world.call("remove_staff", staff_id=first["staff_id"]).status)
            return store(repository, *given)

        monkeypatch.setattr(StaffRepository, "store", in_between)
        assert world.call("remove_staff", staff_id=second["staff_id"]).body["code"] == "last_owner"
        assert answers == [204]
        assert [each["staff_id"] for each in world.call("list_staff").body["data"]] == [second["staff_id"]]

    def test_a_removal_that_broke_off_goes_on(self, world: World) -> None:
        made = world.invite()
        world.pool.fails["admin_delete_user"] = "InternalErrorException"
        assert world.call("remove_staff", staff_id=made["staff_id"]).status == 503
        assert world.ask(world.token(made)) == {"auth_error": "revoked_key"}
        world.pool.fails.clear()
        assert world.call("remove_staff", staff_id=made["staff_id"]).status == 204
        assert (world.pool.users, world.call("list_staff").body["data"]) == ({}, [])
