"""What Apple tells of accounts: done once, whoever it is about, and believed only if Apple signed it for this tenant's apps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shared.erasure.service import certificate
from shared.kernel.instants import SECOND
from shared.members.apple_notices import RELAY_DISABLED
from shared.storage import keys
from shared.storage.errors import OutcomeUnknown
from shared.tenants.sessions_repository import SessionRepository
from tests.builders import apple
from tests.builders.apple import RELAY, SUBJECT
from tests.builders.front import Front, Said, identity, settings_with_everything
from tests.builders.house import NOW, House


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    bare_house.create(settings_with_everything())
    return Front(bare_house, monkeypatch)


def erasing(front: Front) -> None:
    settings = settings_with_everything()
    apple = settings.identity_providers["apple"].model_copy(update={"erase_on_account_delete": True})
    front.house.create(settings.model_copy(update={"identity_providers": {**settings.identity_providers, "apple": apple}}))
    front.house.cache.forget("demo")


def notice(kind: str, subject: str = SUBJECT, id_: str = "n1", **more: Any) -> str:
    return apple.notice(kind, NOW, subject, id_, **more)


def tell(front: Front, payload: str, tenant: str = "demo") -> Said:
    return front.call("receive_apple_notice", {"payload": payload}, tenant_id=tenant)


def anna(front: Front) -> str:
    token = identity(SUBJECT, front.house.now, email=RELAY, email_verified="true", is_private_email="true")
    return front.register(identity=token, identifiers=[{"kind": "card", "value": "77001"}], remember=True)


def leads_to(front: Front) -> str | None:
    scope = front.house.scope()
    raw = scope.table.get(keys.identifier("demo", "apple", scope.blind("apple", SUBJECT)))
    return raw["member"]["S"] if raw is not None else None


@pytest.mark.parametrize("kind", ["consent-revoked", "account-delete", "account-deleted"])
def test_she_is_signed_out_everywhere_and_apple_leads_to_her_no_more(front: Front, kind: str) -> None:
    member = anna(front)
    assert len(SessionRepository("demo", front.house.table).of_member(member)) == 1
    assert tell(front, notice(kind)).status == 204
    assert leads_to(front) is None
    assert SessionRepository("demo", front.house.table).of_member(member) == []
    assert front.house.state(member).status == "active"
    assert front.call("identify_member", {"kind": "card", "value": "77001"}).body["member_id"] == member


def test_a_deleted_account_erases_her_where_the_tenant_says_so_and_a_revoked_consent_does_not(front: Front) -> None:
    erasing(front)
    member = anna(front)
    assert tell(front, notice("consent-revoked", id_="n1")).status == 204
    assert front.house.state(member).status == "active"
    again = front.call("register_member", {"source": "app", "identity": identity(SUBJECT, front.house.now)}).body["member_id"]
    assert again != member
    assert tell(front, notice("account-delete", id_="n2")).status == 204
    assert certificate(front.house.scope(), again).status == "accepted"


def test_a_notice_holds_once(front: Front) -> None:
    anna(front)
    told = notice("consent-revoked")
    tell(front, told)
    front.register(identity=identity(SUBJECT, front.house.now))
    assert tell(front, told).status == 204
    assert leads_to(front) is not None


def test_a_notice_that_broke_off_is_done_again(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    anna(front)

    def lost(*_given: Any) -> None:
        raise OutcomeUnknown("lost")

    with monkeypatch.context() as patch:
        patch.setattr("shared.members.apple_notices.blocking.revoke", lost)
        assert tell(front, notice("consent-revoked")).status >= 500
    assert leads_to(front) is not None
    assert tell(front, notice("consent-revoked")).status == 204
    assert leads_to(front) is None


def test_an_unknown_account_is_answered_like_a_known_one(front: Front) -> None:
    anna(front)
    for kind in ("consent-revoked", "account-delete", "email-disabled", "email-enabled", "something-new"):
        assert tell(front, notice(kind, subject="000544.nobody.1", id_=kind)).status == 204
    assert leads_to(front) is not None


def test_an_address_of_the_relay_that_is_off_gets_no_mail_until_it_is_on(front: Front) -> None:
    member = anna(front)
    tell(front, notice("email-disabled", id_="n1"))
    assert front.house.state(member).suppressed == {"email": RELAY_DISABLED}
    tell(front, notice("email-enabled", id_="n2"))
    assert front.house.state(member).suppressed == {}


def test_an_address_of_her_own_is_none_of_apples_business(front: Front) -> None:
    member = anna(front)
    front.call("update_member", {"profile": {"email": "anna@example.com"}}, member_id=member)
    tell(front, notice("email-disabled"))
    assert front.house.state(member).suppressed == {}


@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://accounts.google.com"}, {"aud": "com.another.app"}, {"exp": NOW // SECOND - 3600}, {"events": "no json"},
     {"events": json.dumps({"type": "consent-revoked"})}, {"jti": None}, {"events": json.dumps([1])}, {"iat": NOW // SECOND + 3600}],
)  # fmt: skip
def test_what_apple_did_not_say_to_this_tenant_changes_nothing(front: Front, claims: dict[str, Any]) -> None:
    anna(front)
    said = tell(front, notice("consent-revoked", **claims))
    assert (said.status, said.body["code"]) == (401, "invalid_identity_token")
    assert leads_to(front) is not None


def test_a_forged_notice_is_refused(front: Front) -> None:
    anna(front)
    assert tell(front, notice("consent-revoked", key=ec.generate_private_key(ec.SECP256R1()))).status == 401
    assert tell(front, "not a token").status == 401
    assert leads_to(front) is not None


def test_a_tenant_without_apple_answers_as_one_that_is_not_here(front: Front) -> None:
    settings = settings_with_everything().model_copy(update={"identity_providers": {}})
    front.house.create(settings)
    front.house.cache.forget("demo")
    without = tell(front, notice("consent-revoked"))
    elsewhere = tell(front, notice("consent-revoked"), tenant="no such tenant")
    assert without.body == elsewhere.body
    assert (without.status, without.body["code"]) == (401, "invalid_identity_token")
