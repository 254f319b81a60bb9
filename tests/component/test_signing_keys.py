"""Rotating the key that signs members' tokens, as the operator does it."""

from __future__ import annotations

import pytest

from shared.kernel.instants import format_rfc3339
from shared.privacy.crypto import derive
from shared.storage.errors import OutcomeUnknown
from shared.storage.table import Table
from shared.tenants import signing
from shared.tenants.access import Access
from shared.tenants.keys_repository import PEPPER_PURPOSE
from shared.tenants.signing import CACHE_SECONDS, LEAD, REST, SigningKeys
from shared.tenants.tokens import TokenSigner
from tests.builders.house import House
from tests.builders.office import MASTER, Office

MEMBER = "mbr_01ARZ3NDEKTSV4RRFFQ69G5FAV"
SETTINGS = {"name": "Corner Coffee", "currency": "EUR", "time_zone": "Europe/Berlin"}


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    made = Office(bare_house, monkeypatch)
    assert made.call("create_tenant", {"id": "corner", "settings": SETTINGS}).status == 201
    return made


class Environment:
    """What signs and verifies in one execution environment."""

    def __init__(self, office: Office) -> None:
        self.office, self.seconds = office, 0.0
        keys = SigningKeys(office.house.table, lambda: office.house.now, lambda: self.seconds)
        self.tokens = TokenSigner(MASTER, generations=keys)
        pepper, clock = derive(MASTER, PEPPER_PURPOSE), lambda: office.house.now
        self.access = Access(office.house.table, self.tokens, pepper, "operators-own-secret", clock, lambda: self.seconds)

    @property
    def kid(self) -> str:
        return str(self.tokens.jwks()["keys"][0]["kid"])

    def opens(self, token: str) -> bool:
        return self.access.context_of(f"Bearer {token}").get("kind") == "member"


def test_a_rotation_is_shown_at_once_and_signs_ten_minutes_later(office: Office) -> None:
    (before,) = office.call("get_signing_keys").body["kids"]
    said = office.call("rotate_signing_keys")
    assert (said.status, said.body["generation"]) == (200, 2)
    assert said.body["signs_from"] == format_rfc3339(office.house.now + LEAD)
    assert said.body["kids"][0] == before
    office.house.now += LEAD
    after = office.call("get_signing_keys").body
    assert after["kids"] == list(reversed(said.body["kids"]))


def test_tokens_go_on_through_a_rotation(office: Office) -> None:
    environment = Environment(office)
    old, kid = environment.tokens.issue("corner", MEMBER, office.house.now), environment.kid
    office.call("rotate_signing_keys")
    environment.seconds += CACHE_SECONDS
    assert (environment.opens(old), environment.kid) == (True, kid)
    office.house.now += LEAD
    assert environment.kid != kid
    assert environment.opens(old)
    assert environment.opens(environment.tokens.issue("corner", MEMBER, office.house.now))


def test_an_environment_looks_once_a_minute(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Environment(office)
    looked = []
    stored = signing.stored

    def counted(table: Table) -> tuple[int, int]:
        looked.append(1)
        return stored(table)

    monkeypatch.setattr(signing, "stored", counted)
    for _ in range(3):
        environment.tokens.issue("corner", MEMBER, office.house.now)
    environment.seconds += CACHE_SECONDS - 1
    environment.tokens.issue("corner", MEMBER, office.house.now)
    assert len(looked) == 1
    environment.seconds += 1
    environment.tokens.issue("corner", MEMBER, office.house.now)
    assert len(looked) == 2


def test_a_table_that_does_not_answer_ends_nobodys_session(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    warm, cold = Environment(office), Environment(office)
    token = warm.tokens.issue("corner", MEMBER, office.house.now)

    def broken(_table: Table) -> tuple[int, int]:
        raise OutcomeUnknown("timeout")

    monkeypatch.setattr(signing, "stored", broken)
    warm.seconds += CACHE_SECONDS
    assert warm.tokens.verify(token, office.house.now).member == MEMBER
    with pytest.raises(OutcomeUnknown):
        cold.tokens.verify(token, office.house.now)


def test_the_next_rotation_waits_until_what_was_signed_before_has_ended(office: Office) -> None:
    office.call("rotate_signing_keys")
    office.house.now += LEAD + REST - 1
    said = office.call("rotate_signing_keys")
    assert (said.status, said.body["code"]) == (409, "rotation_under_way")
    office.house.now += 1
    assert office.call("rotate_signing_keys").body["generation"] == 3


def test_of_two_at_the_same_moment_one_begins_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.call("rotate_signing_keys")
    monkeypatch.setattr(signing, "stored", lambda _table: (1, 0))
    assert office.call("rotate_signing_keys").body["code"] == "rotation_under_way"
    monkeypatch.undo()
    assert signing.stored(office.house.table)[0] == 2


@pytest.mark.parametrize("operation", ["get_signing_keys", "rotate_signing_keys"])
def test_no_tenant_rotates_them(office: Office, operation: str) -> None:
    assert office.call(operation, scopes=frozenset({"tenant:admin"})).body["code"] == "insufficient_scope"
