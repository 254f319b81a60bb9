"""Every header becomes a principal or a reason, and nothing is ever raised."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.authorizer import handler
from shared.kernel.instants import MINUTE
from shared.privacy.crypto import derive
from shared.storage import keys, keys_access
from shared.storage.errors import OutcomeUnknown
from shared.storage.items import TenantEntryItem
from shared.tenants.access import STATUS_SECONDS, Access
from shared.tenants.credentials import digest, new_api_key, operator_key
from shared.tenants.keys_repository import PEPPER_PURPOSE, KeyRepository
from shared.tenants.principal import AUTH_ERRORS, Place
from shared.tenants.tokens import TokenSigner
from tests.builders.house import NOW, House

MASTER = b"a master secret of the tests"
PEPPER = derive(MASTER, PEPPER_PURPOSE)
OPERATOR_SECRET = "an-operator-secret-of-the-tests"
MEMBER = "mbr_01ARZ3NDEKTSV4RRFFQ69G5FAV"


class Desk:
    """An authorizer over a house, with a clock that tests move."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.seconds = 0.0
        self.signer = TokenSigner(MASTER)
        self.access = Access(house.table, self.signer, PEPPER, OPERATOR_SECRET, lambda: house.now, lambda: self.seconds)
        self.enter("active")

    def enter(self, status: str) -> None:
        key = keys.tenant_entry(self.house.tenant)
        self.house.table.put(TenantEntryItem.at(key, tenant=self.house.tenant, status=status, due_shards=1))

    def key(self, *scopes: str, location: str | None = None) -> tuple[str, str]:
        made = new_api_key(self.house.tenant, lambda size: bytes(range(size)))
        KeyRepository(self.house.tenant, self.house.table).put(made, digest(PEPPER, made.secret), scopes, "till 1", Place(location), NOW)
        return made.key_id, f"Bearer {made.printable}"

    def ask(self, header: str | None) -> dict[str, str]:
        return self.access.context_of(header)


@pytest.fixture
def desk(bare_house: House) -> Desk:
    return Desk(bare_house)


def test_a_key_becomes_its_principal(desk: Desk) -> None:
    key_id, header = desk.key("members:identify", "transactions:write", location="mitte")
    assert desk.ask(header) == {
        "kind": "key",
        "tenant": "demo",
        "id": key_id,
        "scopes": "members:identify transactions:write",
        "location": "mitte",
        "rates": "200/400 150/300",
    }


def test_a_stored_key_does_not_hold_its_secret(desk: Desk) -> None:
    key_id, header = desk.key("members:read")
    stored = str(desk.house.table.get(keys_access.api_key("demo", key_id)))
    assert header.rpartition("_")[2] not in stored


def test_a_members_token_becomes_her_principal(desk: Desk) -> None:
    token = desk.signer.issue("demo", MEMBER, NOW)
    principal = {"kind": "member", "tenant": "demo", "id": MEMBER, "scopes": "me", "member": MEMBER}
    assert desk.ask(f"bearer {token}") == principal | {"rates": "200/400 10/50"}


def test_the_rates_of_a_plan_ride_along_and_hold_within_a_minute(desk: Desk) -> None:
    _, header = desk.key("members:read")
    token = f"Bearer {desk.signer.issue('demo', MEMBER, NOW)}"
    key = keys.tenant_entry("demo")
    desk.house.table.put(TenantEntryItem.at(key, tenant="demo", status="active", due_shards=1, rates="20/40 7/9 3/4"))
    assert (desk.ask(header)["rates"], desk.ask(token)["rates"]) == ("20/40 7/9", "20/40 3/4")
    desk.house.table.put(TenantEntryItem.at(key, tenant="demo", status="active", due_shards=1, rates="50/90 7/9 3/4"))
    assert desk.ask(header)["rates"] == "20/40 7/9"
    desk.seconds = STATUS_SECONDS
    assert desk.ask(header)["rates"] == "50/90 7/9"


def test_the_rates_cost_no_read_of_their_own(desk: Desk) -> None:
    _, header = desk.key("members:read")
    desk.ask(header)
    desk.house.table.consumed = []
    desk.ask(header)
    assert len(desk.house.table.consumed) == 1
    desk.seconds = STATUS_SECONDS
    desk.ask(header)
    assert len(desk.house.table.consumed) == 3


def test_the_operator_is_known_by_the_secret(desk: Desk) -> None:
    assert desk.ask(f"Bearer {operator_key(OPERATOR_SECRET)}")["kind"] == "operator"
    assert desk.ask(f"Bearer {operator_key(OPERATOR_SECRET + 'x')}") == {"auth_error": "invalid_credential"}


@pytest.mark.parametrize("header", [None, "", "  "])
def test_no_header_is_a_missing_credential(desk: Desk, header: str | None) -> None:
    assert desk.ask(header) == {"auth_error": "missing_credential"}


@pytest.mark.parametrize("change", ["secret", "id", "scheme", "tenant"])
def test_a_key_that_is_not_ours_is_invalid(desk: Desk, change: str) -> None:
    _, header = desk.key("members:read")
    wrong = {
        "secret": header[:-1] + ("A" if header[-1] != "A" else "B"),
        "id": header.replace("demo-a", "demo-b"),
        "scheme": header.replace("Bearer", "Basic"),
        "tenant": header.replace("demo-", "other-"),
    }[change]
    assert wrong != header
    assert desk.ask(wrong) == {"auth_error": "invalid_credential"}


def test_a_revoked_key_says_so_only_to_who_knows_its_secret(desk: Desk) -> None:
    key_id, header = desk.key("members:read")
    repository = KeyRepository("demo", desk.house.table)
    assert repository.revoke(key_id)
    assert not repository.revoke("demo-nnnnnnnnnnnn")
    assert desk.ask(header) == {"auth_error": "revoked_key"}
    assert desk.ask(header[:-1] + ("A" if header[-1] != "A" else "B")) == {"auth_error": "invalid_credential"}


@pytest.mark.parametrize("scope", ["operator", "me"])
def test_a_key_with_a_scope_that_no_key_can_hold_is_invalid(desk: Desk, scope: str) -> None:
    _, header = desk.key(scope)
    assert desk.ask(header) == {"auth_error": "invalid_credential"}


def test_a_suspension_is_noticed_within_a_minute(desk: Desk) -> None:
    _, header = desk.key("members:read")
    token = f"Bearer {desk.signer.issue('demo', MEMBER, NOW)}"
    assert "auth_error" not in desk.ask(header)
    desk.enter("suspended")
    assert "auth_error" not in desk.ask(header)
    desk.seconds = STATUS_SECONDS
    assert desk.ask(header) == desk.ask(token) == {"auth_error": "suspended_tenant"}


def test_a_tenant_that_is_not_there_is_unknown_until_it_is(desk: Desk) -> None:
    token = f"Bearer {desk.signer.issue('acme', MEMBER, NOW)}"
    assert desk.ask(token) == {"auth_error": "unknown_tenant"}
    desk.house.table.put(TenantEntryItem.at(keys.tenant_entry("acme"), tenant="acme", status="active", due_shards=1))
    assert desk.ask(token)["tenant"] == "acme"


def test_tokens_of_others_and_old_ones_are_refused(desk: Desk) -> None:
    forged = TokenSigner(b"the master secret of somebody else").issue("demo", MEMBER, NOW)
    assert desk.ask(f"Bearer {forged}") == {"auth_error": "invalid_credential"}
    token = desk.signer.issue("demo", MEMBER, NOW)
    desk.house.now += 15 * MINUTE
    assert desk.ask(f"Bearer {token}") == {"auth_error": "expired_token"}


def test_a_table_that_does_not_answer_is_not_the_callers_fault(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _, header = desk.key("members:read")

    def broken(*_: Any, **__: Any) -> None:
        raise OutcomeUnknown("timeout")

    monkeypatch.setattr(desk.house.table, "get", broken)
    assert desk.ask(header) == {"auth_error": "authorizer_unavailable"}


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(),
        st.text().map("Bearer ".__add__),
        st.from_regex(r"Bearer lyk_[a-z0-9]{3,27}-[a-z2-7]{11,13}_[0-9A-Za-z]{31,33}"),
        st.from_regex(r"Bearer [A-Za-z0-9_-]{2,40}\.[A-Za-z0-9_-]{2,40}\.[A-Za-z0-9_-]{0,40}"),
        st.binary().map(lambda raw: "Bearer lyk_" + raw.decode("latin-1")),
        st.text(st.characters(categories=["Cs"]), min_size=1).map("Bearer ".__add__),
    )
)
def test_any_header_is_answered(desk: Desk, header: str) -> None:
    assert desk.ask(header)["auth_error"] in AUTH_ERRORS.keys() - {"authorizer_unavailable"}


class TestHandler:
    """The function round it: always authorized, whatever happens."""

    @pytest.fixture(autouse=True)
    def _unwired(self) -> Iterator[None]:
        yield
        handler.access.cache_clear()
        handler.runtime.cache_clear()

    def test_it_answers_in_the_gateways_form(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        _, header = desk.key("members:read")
        secrets = {"master": MASTER, "operator": OPERATOR_SECRET.encode()}
        now = {"now": lambda: NOW, "real_now": lambda: NOW}
        home = SimpleNamespace(table=desk.house.table, master_secret=MASTER, secret=secrets.get, begin=lambda _: None, **now)
        monkeypatch.setattr(handler, "runtime", lambda: home)
        monkeypatch.setenv("OPERATOR_SECRET_ARN", "operator")
        for name in ("STAGE", "TABLE_NAME", "KEYS_TABLE_NAME", "STAFF_POOL_ID", "STAFF_CLIENT_ID"):
            monkeypatch.setenv(name, "test")
        handler.access.cache_clear()
        answer = handler.lambda_handler({"headers": {"Authorization": header}})
        assert answer["isAuthorized"] is True
        assert answer["context"]["tenant"] == "demo"
        assert handler.lambda_handler({})["context"] == {"auth_error": "missing_credential"}
        monkeypatch.undo()

    def test_a_function_without_its_settings_answers_unavailable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("STAGE", raising=False)
        answer = handler.lambda_handler({"headers": {"authorization": "Bearer x"}})
        assert answer == {"isAuthorized": True, "context": {"auth_error": "authorizer_unavailable"}}

