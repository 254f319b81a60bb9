"""Registration: one transaction, one member; who she is, by which proof, and what is refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shared.kernel.instants import HOUR, MINUTE, format_rfc3339
from shared.members.repository import MemberRepository
from shared.privacy.crypto import Undecipherable
from shared.privacy.keyring import MemberCipher
from shared.storage import keys
from shared.storage.packing import unpack
from shared.tenants.tokens import TokenSigner
from tests.builders.front import ALL, MASTER, Front, identity, settings_with_everything
from tests.builders.house import FRIES, NOW, PROGRAMME, House
from tests.fakes.faulty import FaultyTable

PHONE = "+4915112345678"
WRITERS = ALL
REGISTER_ONLY = frozenset({"members:register"})
CONSENT = {"purpose": "marketing", "channel": "push", "granted": True, "document_version": "2026-01", "text_shown": "May we write?"}
PERSON = {
    "first_name": "Anna",
    "last_name": "Schmidt-Quellwasser",
    "birth_date": "1990-04-21",
    "gender": "female",
    "language": "de",
    "phone": "0151 12345678",
    "email": "Anna.Quellwasser@Example.com",
    "city": "Hinterquellwasser",
}


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    bare_house.create(settings_with_everything())
    bare_house.publish("programme", "points", PROGRAMME)
    bare_house.publish("offer", "fries", FRIES)
    return Front(bare_house, monkeypatch)


def codes(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["pointer"], each["code"]) for each in body.get("errors", [])]


# -- what is made ---------------------------------------------------------------------------------------------------


def test_a_sign_in_with_apple_makes_a_member_with_everything_she_said(front: Front) -> None:
    body = {
        "identity": identity("apple-1", NOW),
        "profile": PERSON,
        "attributes": {"vegetarian": True, "seats": 2},
        "consents": [CONSENT],
        "source": "app",
        "location_id": "mitte",
    }
    said = front.call("register_member", body, scopes=REGISTER_ONLY)
    assert said.status == 201
    assert said.body["status"] == "created"
    assert said.body["expires_in"] == 900
    member = said.body["member"]
    assert member["profile"] == {**PERSON, "phone": PHONE, "email": "anna.quellwasser@example.com"}
    assert member["identifiers"] == ["apple"]
    assert member["attributes"] == {"vegetarian": True, "seats": 2}
    assert [(each["purpose"], each["channel"], each["granted"]) for each in member["consents"]] == [("marketing", "push", True)]
    assert TokenSigner(MASTER).verify(said.body["access_token"], NOW).member == said.body["member_id"]
    state = front.house.state(said.body["member_id"])
    assert (state.version, state.join_source, state.join_location) == (1, "app", "mitte")
    assert state.known == sorted(PERSON)
    assert front.call("get_member", member_id=said.body["member_id"]).body == member


def test_the_consent_record_proves_what_was_shown_and_by_whom(front: Front) -> None:
    member = front.register(consents=[CONSENT])
    (record,) = MemberRepository("demo", front.house.table).consents(member, front.house.scope().cipher(member))
    assert record == {
        "purpose": "marketing",
        "channel": "push",
        "granted": True,
        "version": "2026-01",
        "at": NOW,
        "source": "app",
        "actor": "demo-aaaaaaaaaaaa",
        "text": "May we write?",
    }


def test_nothing_personal_is_stored_or_logged_in_clear(front: Front, capsys: pytest.CaptureFixture[str]) -> None:
    identifiers = [
        {"kind": "phone", "value": PERSON["phone"], "proof": "otp"},
        {"kind": "email", "value": PERSON["email"], "proof": "otp"},
        {"kind": "card", "value": "4711-0815-QUELL"},
        {"kind": "external", "value": "crm-quellwasser"},
    ]
    body = {"identity": identity("apple-quell", NOW), "identifiers": identifiers, "profile": PERSON, "source": "app", "consents": [CONSENT]}
    assert front.call("register_member", body).status == 201
    assert front.call("register_member", {**body, "identity": None}).status == 409
    planted = ("anna", "quell", "1990-04-21", "15112345678", "47110815", "hinter")
    stored = []
    for item in front.rows():
        values = {name: next(iter(value.values())) for name, value in item.items()}
        stored.append(str(values))
        stored += [json.dumps(unpack(value)) for name, value in values.items() if name == "d" and isinstance(value, bytes)]
    everything = "\n".join(stored).lower()
    logged = capsys.readouterr()
    for secret in planted:
        assert secret not in everything, secret
        assert secret not in logged.out.lower() + logged.err.lower(), secret
    assert "member.registered" in everything


def test_the_profile_opens_only_in_its_own_place(front: Front) -> None:
    one, other = front.register(profile=PERSON), front.register(profile={"first_name": "Bea"})
    scope, repository = front.house.scope(), MemberRepository("demo", front.house.table)
    stolen = repository.profile(one)
    with pytest.raises(Undecipherable):
        stolen.fields(MemberCipher("demo", other, scope.cipher(one).dek))


def test_all_members_are_listed_for_the_fan_out(front: Front) -> None:
    made = {front.register() for _ in range(3)}
    rows, _ = front.house.table.query(keys.members_listing("demo", 0), index="GSI2")
    assert {row["GSI2SK"]["S"] for row in rows} == made


# -- the same person again ------------------------------------------------------------------------------------------


def test_the_same_subject_again_is_the_same_member(front: Front) -> None:
    first = front.call("register_member", {"identity": identity("apple-1", NOW), "profile": PERSON, "source": "app"})
    front.house.now += 10 * MINUTE
    body = {"identity": identity("apple-1", front.house.now), "profile": {"first_name": "X"}, "source": "web"}
    again = front.call("register_member", body)
    assert (first.status, again.status) == (201, 200)
    assert again.body["status"] == "existing"
    assert again.body["member"] == first.body["member"]
    assert TokenSigner(MASTER).verify(again.body["access_token"], front.house.now).member == first.body["member_id"]
    assert len(front.rows("PROFILE")) == 1


def test_subjects_of_two_providers_are_two_people(front: Front) -> None:
    apple = front.register(identity=identity("one", NOW))
    google = front.register(identity=identity("one", NOW, "google"))
    assert apple != google


def test_a_clash_does_not_say_whose_it_is_and_leaves_nothing(front: Front) -> None:
    holder = front.register(identifiers=[{"kind": "card", "value": "1234-5678"}])
    before = len(front.rows())
    body = {"identity": identity("new", NOW), "identifiers": [{"kind": "external", "value": "x1"}, {"kind": "card", "value": "12345678"}]}
    said = front.call("register_member", {**body, "source": "app"})
    assert said.status == 409
    assert (said.body["code"], codes(said.body)) == ("identifier_taken", [("/identifiers/1", "identifier_taken")])
    assert holder not in json.dumps(said.body)
    assert len(front.rows()) == before


def test_an_address_that_the_provider_verified_finds_her_unless_another_has_it(front: Front) -> None:
    verified = {"email": "bea@example.com", "email_verified": True}
    first = front.register(identity=identity("g1", NOW, "google", **verified))
    found = front.call("identify_member", {"kind": "email", "value": "Bea@example.com"})
    assert found.body["member_id"] == first
    second = front.call("register_member", {"identity": identity("g2", NOW, "google", **verified), "source": "app"})
    assert second.status == 201
    assert second.body["member"]["identifiers"] == ["google"]
    assert second.body["member"]["profile"] == {"email": "bea@example.com"}


def test_a_relay_address_reaches_her_but_does_not_find_her(front: Front) -> None:
    relay = {"email": "abc@privaterelay.appleid.com", "email_verified": "true", "is_private_email": "true"}
    said = front.call("register_member", {"identity": identity("a1", NOW, **relay), "source": "app"})
    assert said.body["member"]["identifiers"] == ["apple"]
    assert said.body["member"]["profile"] == {"email": "abc@privaterelay.appleid.com"}


def test_an_idempotency_key_makes_a_registration_by_card_repeatable(front: Front) -> None:
    body = {"identifiers": [{"kind": "card", "value": "1234-5678"}], "source": "kiosk"}
    headers = {"Idempotency-Key": '"k-1"'}
    first = front.call("register_member", body, headers=headers)
    again = front.call("register_member", body, headers=headers)
    assert (first.status, again.status) == (201, 200)
    assert first.body["member_id"] == again.body["member_id"]
    other = front.call("register_member", {**body, "source": "till"}, headers=headers)
    assert (other.status, other.body["code"]) == (422, "request_reused")
    assert front.call("register_member", body).status == 409


# -- proof and rights -----------------------------------------------------------------------------------------------


def test_she_may_bring_a_time_zone_of_her_own(front: Front) -> None:
    body = {"source": "app", "identifiers": [{"kind": "card", "value": "7788"}], "time_zone": "America/St_Johns"}
    said = front.call("register_member", body)
    assert (said.status, said.body["member"]["time_zone"]) == (201, "America/St_Johns")
    assert front.house.state(said.body["member_id"]).zone == "America/St_Johns"


def test_an_unproven_phone_waits_on_the_profile(front: Front) -> None:
    body = {"identifiers": [{"kind": "phone", "value": PHONE}, {"kind": "card", "value": "77 88"}], "source": "web"}
    said = front.call("register_member", body, scopes=REGISTER_ONLY)
    assert said.status == 201
    assert said.body["member"]["identifiers"] == ["card"]
    assert said.body["member"]["profile"] == {"phone": PHONE}
    assert front.call("identify_member", {"kind": "phone", "value": PHONE}).status == 404
    assert front.call("identify_member", {"kind": "card", "value": "7788"}).status == 200


@pytest.mark.parametrize(
    "more", [{"identifiers": [{"kind": "phone", "value": PHONE, "proof": "otp"}]}, {"joined_at": "2020-01-01T00:00:00Z"}]
)
def test_vouching_and_importing_need_members_write(front: Front, more: dict[str, Any]) -> None:
    body = {"identifiers": [{"kind": "card", "value": "7788"}], "source": "web", **more}
    refused = front.call("register_member", body, scopes=REGISTER_ONLY)
    assert (refused.status, refused.body["code"]) == (403, "insufficient_scope")
    assert front.rows("PROFILE") == []
    assert front.call("register_member", body, scopes=WRITERS).status == 201


def test_an_imported_member_joined_then_and_triggers_nothing(front: Front) -> None:
    member = front.register(joined_at="2020-05-01T10:00:00+02:00", consents=[CONSENT])
    state = front.house.state(member)
    assert format_rfc3339(state.joined_at) == "2020-05-01T08:00:00Z"
    assert state.consents["marketing:push"].at == state.joined_at
    (row,) = [each for each in front.rows("STATE") if member in each["PK"]["S"]]
    assert json.loads(row["out"]["S"])["m"] == "historical"


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW // 1000 - 61}, "expired_identity_token"),
        ({"nonce": "another"}, "wrong_nonce"),
        ({"aud": "com.example.other"}, "wrong_audience"),
        ({"iss": "https://evil.example"}, "wrong_issuer"),
        ({"sub": ""}, "missing_subject"),
    ],
)
def test_an_identity_token_that_proves_nothing_is_refused(front: Front, changes: dict[str, Any], reason: str) -> None:
    said = front.call("register_member", {"identity": identity("a", NOW, **changes), "source": "app"})
    assert (said.status, said.body["code"]) == (401, "invalid_identity_token")
    assert said.body["errors"][0]["code"] == reason
    assert front.rows("PROFILE") == []


def test_a_token_signed_by_another_is_refused(front: Front) -> None:
    claims = {"iss": "https://appleid.apple.com", "aud": "com.example.app", "sub": "a", "iat": NOW // 1000, "exp": NOW // 1000 + 60}
    forged = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "k1"})
    said = front.call("register_member", {"identity": {"provider": "apple", "token": forged, "nonce": "n"}, "source": "app"})
    assert (said.status, said.body["errors"][0]["code"]) == (401, "bad_signature")


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ("{", 400, "malformed_request", ""),
        ("", 400, "malformed_request", None),
        ("[]", 422, "invalid_request", ""),
        ({"source": "app"}, 422, "identifier_required", None),
        ({"identifiers": [{"kind": "card", "value": "7788"}]}, 422, "invalid_request", "/source"),
        ({"source": "app", "x": 1}, 422, "invalid_request", "/x"),
        ({"source": "app", "profile": {"nickname": "A"}}, 422, "invalid_request", "/profile/nickname"),
        ({"source": "app", "profile": {"birth_date": 19900421}}, 422, "invalid_request", "/profile/birth_date"),
        ({"source": "app", "identifiers": [{"kind": "apple", "value": "x"}]}, 422, "invalid_request", "/identifiers/0/kind"),
        ({"source": "app", "attributes": {"a": 1.5}}, 422, "invalid_request", "/attributes/a"),
        ({"source": "app", "attributes": {"A b": 1}}, 422, "invalid_request", "/attributes/A b"),
        ({"source": "app", "consents": [CONSENT, CONSENT]}, 422, "invalid_request", ""),
        ({"source": "app", "consents": [{**CONSENT, "granted": "yes"}]}, 422, "invalid_request", "/consents/0/granted"),
        ({"source": "app", "joined_at": "2020-01-01"}, 422, "invalid_request", "/joined_at"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_where_it_does_not(
    front: Front, body: Any, status: int, code: str, pointer: str | None
) -> None:
    said = front.call("register_member", body)
    assert (said.status, said.body["code"]) == (status, code)
    if pointer is not None:
        assert pointer in [each for each, _ in codes(said.body)]
    assert front.rows("PROFILE") == []


@pytest.mark.parametrize(
    ("more", "code", "pointer"),
    [
        ({"identifiers": [{"kind": "phone", "value": "12"}]}, "invalid_identifier", "/identifiers/0/value"),
        ({"profile": {"phone": "12"}}, "invalid_identifier", "/profile/phone"),
        ({"profile": {"email": "no address"}}, "invalid_identifier", "/profile/email"),
        ({"profile": {"birth_date": "2026-11-22"}}, "invalid_request", "/profile/birth_date"),
        ({"profile": {"birth_date": "1990-02-30"}}, "invalid_request", "/profile/birth_date"),
        ({"joined_at": "2026-11-22T10:00:00Z"}, "invalid_request", "/joined_at"),
        ({"time_zone": "Europe/Atlantis"}, "invalid_time_zone", "/time_zone"),
        ({"device": {"platform": "apns_sandbox", "token": "0123456789"}}, "channel_not_configured", "/device/platform"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_stored(front: Front, more: dict[str, Any], code: str, pointer: str) -> None:
    body = {"source": "app", "identifiers": [{"kind": "card", "value": "7788"}], **more}
    said = front.call("register_member", body)
    assert (said.status, said.body["code"]) == (422, code)
    assert [each for each, _ in codes(said.body)] == [pointer]
    assert front.rows("PROFILE") == []


def test_a_provider_that_the_tenant_does_not_take_is_named(front: Front) -> None:
    settings = settings_with_everything().model_copy(update={"identity_providers": {}})
    front.house.create(settings)
    front.house.cache.forget("demo")
    said = front.call("register_member", {"identity": identity("a", NOW), "source": "app"})
    assert (said.status, said.body["code"]) == (422, "provider_not_configured")


def test_a_key_without_the_scope_registers_nobody(front: Front) -> None:
    body = {"source": "app", "identifiers": [{"kind": "card", "value": "7788"}]}
    said = front.call("register_member", body, scopes=frozenset({"members:read"}))
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")
    assert front.rows("PROFILE") == []


# -- the device -----------------------------------------------------------------------------------------------------


def test_a_device_comes_with_the_registration_and_again_with_the_next_sign_in(front: Front) -> None:
    device = {"platform": "apns", "token": "token-of-a-phone"}
    first = front.call("register_member", {"identity": identity("a", NOW), "source": "app", "device": device})
    assert first.status == 201
    (device_id,) = first.body["member"]["devices"]
    front.house.now += HOUR
    again = front.call("register_member", {"identity": identity("a", front.house.now), "source": "app", "device": device})
    assert again.body["member"]["devices"] == [device_id]
    other = front.call("register_member", {"identity": identity("b", front.house.now), "source": "app", "device": device})
    assert other.body["member"]["devices"] == [device_id]
    assert front.call("get_member", member_id=first.body["member_id"]).body["devices"] == []


# -- crashes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["kill", "lose"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("by", ["apple", "card"])
def test_killed_anywhere_and_repeated_there_is_one_member(
    dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch, by: str, when: Any, how: Any
) -> None:
    table, key_table = (FaultyTable(dynamodb, each.name) for each in (bare_house.table, bare_house.key_table))
    house = House(table, key_table).create(settings_with_everything())
    front = Front(house, monkeypatch)
    front.register(identifiers=[{"kind": "external", "value": "warm"}])
    for faulty in (table, key_table):
        for at in range(1, 4):
            subject = f"{by}-{faulty.name}-{at}"
            card = {"identifiers": [{"kind": "card", "value": f"{at}{faulty.name}"}]}
            who = {"identity": identity(subject, NOW)} if by == "apple" else card
            body: dict[str, Any] = {"profile": PERSON, "consents": [CONSENT], "source": "app", **who}
            headers = {"Idempotency-Key": f'"{subject}"'}
            before = len(front.rows("PROFILE"))
            faulty.arm(at, when, how)
            front.call("register_member", body, headers=headers)
            faulty.disarm()
            said = front.call("register_member", body, headers=headers)
            assert said.status in (200, 201), said.body
            assert len(front.rows("PROFILE")) == before + 1
            assert len([row for row in front.rows("STATE") if said.body["member_id"] in row["PK"]["S"]]) == 1
            assert said.body["member"]["profile"]["first_name"] == "Anna"


@pytest.mark.parametrize("by", ["apple", "card"])
def test_many_at_once_make_one_member(front: Front, by: str) -> None:
    who = {"identity": identity("same", NOW)} if by == "apple" else {"identifiers": [{"kind": "card", "value": "7788"}]}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: front.call("register_member", {"source": "app", "profile": PERSON, **who}), range(8)))
    others = {200, 409} if by == "apple" else {409}
    assert sorted(each.status for each in answers).count(201) == 1
    assert {each.status for each in answers} - {201} <= others
    assert len({each.body["member_id"] for each in answers if each.status < 300}) == 1
    assert {each.body["code"] for each in answers if each.status == 409} <= {"identifier_taken" if by == "card" else "concurrent_update"}
    assert len(front.rows("PROFILE")) == len(front.rows("STATE")) == 1
