"""API keys: seen without their secrets, rotated without a gap, used and noted, and never stronger than who makes them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.kernel.instants import DAY, HOUR, format_day, format_rfc3339
from shared.privacy.crypto import derive
from shared.storage.errors import OutcomeUnknown
from shared.tenants.access import MAX_NOTED, Access
from shared.tenants.keys_repository import PEPPER_PURPOSE, KeyRepository
from shared.tenants.tokens import TokenSigner
from tests.builders.house import House
from tests.builders.office import MASTER, Office, Said

SETTINGS: dict[str, Any] = {"name": "Corner Coffee", "currency": "EUR", "time_zone": "Europe/Berlin"}
PEPPER = derive(MASTER, PEPPER_PURPOSE)
ADMIN = frozenset({"tenant:admin", "coupons:issue"})


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    made = Office(bare_house, monkeypatch)
    for tenant in ("corner", "other"):
        assert made.call("create_tenant", {"id": tenant, "settings": SETTINGS}).status == 201
    return made


def door(office: Office) -> Access:
    """An authorizer that has just started."""
    return Access(office.house.table, TokenSigner(MASTER), PEPPER, "operators-own-secret", lambda: office.house.now, lambda: 0.0)


def ask(office: Office, key: str, at: Access | None = None) -> str:
    """``open``, or why not."""
    return (at or door(office)).context_of(f"Bearer {key}").get("auth_error", "open")


def make(office: Office, *scopes: str, tenant: str = "corner", **more: Any) -> Any:
    said = office.call("create_key", {"scopes": scopes or ("coupons:issue",), **more}, tenant_id=tenant)
    assert said.status == 201, said.body
    return said.body


def rotate(office: Office, key_id: str, body: Any = None, tenant: str = "corner") -> Said:
    return office.call("rotate_key", body, tenant_id=tenant, key_id=key_id)


def shown(office: Office, key_id: str) -> dict[str, Any]:
    found = {each["key_id"]: each for each in office.call("list_keys", tenant_id="corner").body["data"]}
    return found[key_id]  # type: ignore[no-any-return]


class TestList:
    def test_keys_are_listed_without_their_secrets(self, office: Office) -> None:
        first, second = make(office, label="Till 1"), make(office, "members:read", expires_at=format_rfc3339(office.house.now + DAY))
        make(office, tenant="other")
        office.call("revoke_key", tenant_id="corner", key_id=first["key_id"])
        listed = office.call("list_keys", tenant_id="corner").body["data"]
        assert {each["key_id"]: (each["status"], each["scopes"]) for each in listed} == {
            first["key_id"]: ("revoked", ["coupons:issue"]),
            second["key_id"]: ("active", ["members:read"]),
        }
        assert not any("key" in each for each in listed)
        assert shown(office, first["key_id"])["label"] == "Till 1"

    def test_pages_hold_every_key_once(self, office: Office) -> None:
        made = {make(office)["key_id"] for _ in range(5)}
        found, cursor = [], None
        while True:
            page = office.call("list_keys", query={"limit": "2"} | ({"cursor": cursor} if cursor else {}), tenant_id="corner").body
            found += [each["key_id"] for each in page["data"]]
            cursor = page.get("next_cursor")
            if cursor is None:
                break
        assert len(found) == 5
        assert set(found) == made

    def test_a_cursor_is_good_for_its_own_tenant(self, office: Office) -> None:
        for _ in range(2):
            make(office)
        cursor = office.call("list_keys", query={"limit": "1"}, tenant_id="corner").body["next_cursor"]
        assert office.call("list_keys", query={"cursor": cursor}, tenant_id="other").body["code"] == "invalid_cursor"


class TestRotation:
    def test_both_secrets_hold_until_the_overlap_is_over(self, office: Office) -> None:
        made = make(office)
        second = rotate(office, made["key_id"])
        assert (second.status, second.body["generation"]) == (200, 2)
        assert second.body["key"] != made["key"]
        assert second.body["previous_until"] == format_rfc3339(office.house.now + 24 * HOUR)
        office.house.now += 24 * HOUR - 1
        assert [ask(office, each) for each in (made["key"], second.body["key"])] == ["open", "open"]
        office.house.now += 1
        assert [ask(office, each) for each in (made["key"], second.body["key"])] == ["revoked_key", "open"]
        assert "previous_until" not in shown(office, made["key_id"])

    def test_a_third_secret_ends_the_first(self, office: Office) -> None:
        made = make(office)
        second = rotate(office, made["key_id"], {"overlap_hours": 720}).body["key"]
        third = rotate(office, made["key_id"], {"overlap_hours": 1}).body["key"]
        assert [ask(office, each) for each in (made["key"], second, third)] == ["invalid_credential", "open", "open"]

    def test_without_overlap_the_first_ends_at_once(self, office: Office) -> None:
        made = make(office)
        second = rotate(office, made["key_id"], {"overlap_hours": 0}).body["key"]
        assert [ask(office, each) for each in (made["key"], second)] == ["revoked_key", "open"]

    def test_a_repeated_call_ends_no_secret_that_is_in_use(self, office: Office) -> None:
        made = make(office)
        second = rotate(office, made["key_id"], {"generation": 1}).body["key"]
        again = rotate(office, made["key_id"], {"generation": 1})
        assert (again.status, again.body["code"]) == (409, "key_rotated")
        assert [ask(office, each) for each in (made["key"], second)] == ["open", "open"]

    def test_of_two_at_the_same_moment_one_is_told_to_look_again(self, office: Office) -> None:
        made = make(office)
        repository = KeyRepository("corner", office.house.table)
        known = repository.get(made["key_id"])
        assert known is not None
        assert repository.replace_secret(known, "11" * 32, 1, 0) is not None
        assert repository.replace_secret(known, "22" * 32, 1, 0) is None

    @pytest.mark.parametrize("hours", [-1, 721])
    def test_an_overlap_has_bounds(self, office: Office, hours: int) -> None:
        said = rotate(office, make(office)["key_id"], {"overlap_hours": hours})
        assert (said.status, said.errors) == (422, [("/overlap_hours", "invalid_value")])

    def test_a_revoked_key_gets_no_new_secret(self, office: Office) -> None:
        made = make(office)
        office.call("revoke_key", tenant_id="corner", key_id=made["key_id"])
        said = rotate(office, made["key_id"])
        assert (said.status, said.body["code"]) == (409, "key_not_active")

    def test_revoking_ends_both_secrets(self, office: Office) -> None:
        made = make(office)
        second = rotate(office, made["key_id"]).body["key"]
        office.call("revoke_key", tenant_id="corner", key_id=made["key_id"])
        assert [ask(office, each) for each in (made["key"], second)] == ["revoked_key", "revoked_key"]

    @pytest.mark.parametrize("key_id", ["corner-aaaaaaaaaaaa", "other-aaaaaaaaaaaa", "x" * 200])
    def test_an_unknown_key_is_not_found(self, office: Office, key_id: str) -> None:
        assert rotate(office, key_id).body["code"] == "unknown_key"

    def test_no_secret_is_stored(self, office: Office) -> None:
        made = make(office)
        printed = [made["key"], rotate(office, made["key_id"]).body["key"]]
        stored = str(office.rows())
        assert not any(each.rsplit("_", 1)[1] in stored for each in printed)


class TestEnd:
    def test_a_key_opens_nothing_from_its_end_on(self, office: Office) -> None:
        made = make(office, expires_at=format_rfc3339(office.house.now + HOUR))
        office.house.now += HOUR - 1
        assert ask(office, made["key"]) == "open"
        office.house.now += 1
        assert ask(office, made["key"]) == "revoked_key"
        assert shown(office, made["key_id"])["status"] == "expired"
        assert rotate(office, made["key_id"]).body["code"] == "key_not_active"

    @pytest.mark.parametrize(("text", "code"), [("2020-01-01T00:00:00Z", "invalid_value"), ("tomorrow", "invalid_value")])
    def test_an_end_lies_ahead(self, office: Office, text: str, code: str) -> None:
        said = office.call("create_key", {"scopes": ["coupons:issue"], "expires_at": text}, tenant_id="corner")
        assert (said.status, said.errors) == (422, [("/expires_at", code)])


class TestUse:
    def test_the_day_is_noted_once_a_day(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        made = make(office)
        written: list[object] = []
        update = office.house.table.update

        def counted(*given: Any, **more: Any) -> Any:
            written.append(given)
            return update(*given, **more)

        monkeypatch.setattr(office.house.table, "update", counted)
        at = door(office)
        for _ in range(3):
            assert ask(office, made["key"], at) == "open"
        assert ask(office, made["key"], door(office)) == "open"
        assert len(written) == 1
        today = format_day(office.house.now // DAY)
        assert shown(office, made["key_id"])["last_used_on"] == today
        office.house.now += DAY
        ask(office, made["key"], at)
        assert len(written) == 2
        assert shown(office, made["key_id"])["last_used_on"] > today

    def test_whether_the_replaced_secret_is_still_in_use_can_be_seen(self, office: Office) -> None:
        made = make(office)
        ask(office, made["key"])
        first_day = format_day(office.house.now // DAY)
        rotate(office, made["key_id"], {"overlap_hours": 720})
        seen = shown(office, made["key_id"])
        assert (seen.get("last_used_on"), seen["previous_used_on"]) == (None, first_day)
        office.house.now += DAY
        ask(office, made["key"])
        seen = shown(office, made["key_id"])
        assert (seen.get("last_used_on"), seen["previous_used_on"]) == (None, format_day(office.house.now // DAY))

    def test_a_use_that_cannot_be_noted_opens_all_the_same(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        made = make(office)
        tried: list[int] = []

        def broken(*_: Any, **__: Any) -> None:
            tried.append(1)
            raise OutcomeUnknown("timeout")

        monkeypatch.setattr(office.house.table, "update", broken)
        at = door(office)
        assert [ask(office, made["key"], at) for _ in range(3)] == ["open"] * 3
        assert tried == [1]

    def test_an_environment_forgets_rather_than_grows(self, office: Office) -> None:
        at = door(office)
        at._noted = {(f"corner-{number}", "current"): "2026-01-01" for number in range(MAX_NOTED)}
        ask(office, make(office)["key"], at)
        assert len(at._noted) == 1

    def test_a_note_for_a_secret_that_was_replaced_is_dropped(self, office: Office) -> None:
        made = make(office)
        repository = KeyRepository("corner", office.house.table)
        known = repository.get(made["key_id"])
        assert known is not None
        rotate(office, made["key_id"])
        assert repository.note_use(known, "current", "2030-01-01") is False
        assert "last_used_on" not in shown(office, made["key_id"])


class TestOwnKeys:
    """What the owner of a tenant does with the scope tenant:admin."""

    def admin(self, office: Office, operation: str, body: Any = None, *, admin: str | None = None, **more: Any) -> Said:
        return office.call(operation, body, tenant="corner", scopes=ADMIN, who=admin or "corner-aaaaaaaaaaaa", **more)

    def test_an_owner_makes_sees_rotates_and_revokes_its_keys(self, office: Office) -> None:
        made = self.admin(office, "create_own_key", {"scopes": ["coupons:issue"]})
        assert made.status == 201
        assert made.body["key_id"].startswith("corner-")
        key_id = made.body["key_id"]
        rotated = self.admin(office, "rotate_own_key", key_id=key_id)
        assert ask(office, rotated.body["key"]) == "open"
        assert [each["key_id"] for each in self.admin(office, "list_own_keys").body["data"]] == [key_id]
        assert self.admin(office, "revoke_own_key", key_id=key_id).status == 204
        assert ask(office, rotated.body["key"]) == "revoked_key"

    def test_no_key_is_stronger_than_who_makes_it(self, office: Office) -> None:
        before = office.rows()
        said = self.admin(office, "create_own_key", {"scopes": ["coupons:issue", "members:read", "points:write"]})
        assert (said.status, said.body["code"]) == (403, "beyond_own_key")
        assert said.errors == [("/scopes/1", "beyond_own_key"), ("/scopes/2", "beyond_own_key")]
        assert office.rows() == before

    @pytest.mark.parametrize("operation", ["rotate_own_key", "revoke_own_key"])
    def test_a_stronger_key_is_neither_renewed_nor_ended(self, office: Office, operation: str) -> None:
        strong = make(office, "coupons:issue", "members:read")
        said = self.admin(office, operation, key_id=strong["key_id"])
        assert (said.status, said.body["code"], said.errors) == (403, "beyond_own_key", [])
        assert ask(office, strong["key"]) == "open"
        assert shown(office, strong["key_id"])["generation"] == 1

    @pytest.mark.parametrize("operation", ["rotate_own_key", "revoke_own_key"])
    def test_a_key_of_another_tenant_is_none(self, office: Office, operation: str) -> None:
        theirs = make(office, tenant="other")
        said = self.admin(office, operation, key_id=theirs["key_id"])
        assert (said.status, said.body["code"]) == (404, "unknown_key")
        assert ask(office, theirs["key"]) == "open"
        assert self.admin(office, "list_own_keys").body["data"] == []

    @pytest.mark.parametrize("operation", ["list_keys", "create_key", "rotate_key", "revoke_key"])
    def test_the_operators_routes_stay_the_operators(self, office: Office, operation: str) -> None:
        body = {"scopes": ["coupons:issue"]} if operation == "create_key" else None
        said = self.admin(office, operation, body, tenant_id="corner", key_id="corner-aaaaaaaaaaaa")
        assert (said.status, said.body["code"]) == (403, "insufficient_scope")

    def test_without_the_scope_nothing_is_done(self, office: Office) -> None:
        said = office.call("create_own_key", {"scopes": ["coupons:issue"]}, tenant="corner", scopes=frozenset({"coupons:issue"}))
        assert (said.status, said.body["code"]) == (403, "insufficient_scope")

    def test_a_key_of_a_location_stays_there(self, office: Office) -> None:
        locations = {"locations": [{"id": each, "name": each} for each in ("mitte", "west")]}
        assert office.call("put_locations", locations, tenant="corner").status == 200
        here = make(office, location_id="mitte")
        there, everywhere = make(office, location_id="west"), make(office)
        made = self.admin(office, "create_own_key", {"scopes": ["coupons:issue"]}, location="mitte")
        assert (made.status, made.errors) == (403, [("/location_id", "beyond_own_key")])
        assert self.admin(office, "create_own_key", {"scopes": ["coupons:issue"], "location_id": "west"}, location="mitte").status == 403
        listed = self.admin(office, "list_own_keys", location="mitte").body["data"]
        assert [each["key_id"] for each in listed] == [here["key_id"]]
        for foreign in (there, everywhere):
            assert self.admin(office, "rotate_own_key", key_id=foreign["key_id"], location="mitte").body["code"] == "unknown_key"
        assert self.admin(office, "rotate_own_key", key_id=here["key_id"], location="mitte").status == 200

    def test_a_key_that_ends_makes_none_that_outlives_it(self, office: Office) -> None:
        end = office.house.now + DAY
        own = make(office, *ADMIN, expires_at=format_rfc3339(end))["key_id"]
        body = {"scopes": ["coupons:issue"]}
        for late in ({}, {"expires_at": format_rfc3339(end + 1)}):
            said = self.admin(office, "create_own_key", body | late, admin=own)
            assert (said.status, said.errors) == (403, [("/expires_at", "beyond_own_key")])
        assert self.admin(office, "create_own_key", body | {"expires_at": format_rfc3339(end)}, admin=own).status == 201
        assert self.admin(office, "rotate_own_key", key_id=make(office)["key_id"], admin=own).status == 403
