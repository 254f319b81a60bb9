"""One-time codes: the same for the known and the unknown, tried five times, spent within bounds, good for one use."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from functions.sign_in import handler
from shared.kernel.instants import DAY, MINUTE, SECOND
from shared.members import one_time_codes, signing_in
from shared.members.one_time_codes import PER_ADDRESS, RESEND, TRIES, VALID
from shared.messaging.email import tags
from shared.messaging.feedback import feedback_of
from shared.messaging.outbox import as_record
from shared.messaging.port import Throttled, Unreachable
from shared.messaging.sms import sms_request
from shared.storage import keys_access
from shared.tenants.messaging import EmailSettings, MessagingSettings, SmsSettings
from shared.tenants.model import CodeSettings
from tests.builders.front import Front, Said, settings_with_everything
from tests.builders.house import House

ANNA, BEA = "+4915112345678", "+4915112345679"
MAIL = "anna@example.com"
HOME_ONLY = CodeSettings()


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    made = Front(bare_house, monkeypatch)
    configure(made)
    return made


def configure(front: Front, codes: CodeSettings = HOME_ONLY, **changes: Any) -> None:
    messaging = MessagingSettings(sms=SmsSettings(origination="demo"), email=EmailSettings(from_address="hello@example.com"))
    settings = settings_with_everything().model_copy(update={"messaging": messaging, "country": "DE", "codes": codes, **changes})
    front.house.create(settings)
    front.house.cache.forget("demo")


def enrol(front: Front, phone: str = ANNA, proof: str | None = "otp", **more: Any) -> str:
    identifier = {"kind": "phone", "value": phone} | ({"proof": proof} if proof else {})
    said = front.call("register_member", {"identifiers": [identifier], "source": "app", **more})
    assert said.status == 201, said.body
    member: str = said.body["member_id"]
    return member


def ask(front: Front, value: str = ANNA, kind: str = "phone", **more: Any) -> Said:
    return front.call("send_code", {"kind": kind, "value": value, **more})


def code_of(front: Front, channel: str = "sms") -> str:
    """What the last message says."""
    found = re.search(r"\b\d{6}\b", front.senders[channel].taken[-1][1].body)
    assert found is not None
    return found[0]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def give(front: Front, otp_id: str, code: str) -> Said:
    return front.call("get_tokens", {"grant": "otp", "otp_id": otp_id, "code": code})


def refused(said: Said, status: int, code: str) -> None:
    assert (said.status, said.body["code"]) == (status, code), said.body


def test_a_member_signs_in_with_the_code_that_she_got(front: Front) -> None:
    member = enrol(front)
    asked = ask(front)
    assert (asked.status, asked.body["expires_in"], asked.body["resend_in"]) == (202, 600, 60)
    address, message = front.senders["sms"].taken[-1]
    assert (address, message.service) == (ANNA, True)
    said = give(front, asked.body["otp_id"], code_of(front))
    assert (said.status, said.body["member_id"]) == (200, member)
    token = front.desk.tokens.verify(said.body["access_token"], front.house.now)
    assert token.member == member
    again = front.call("get_tokens", {"grant": "refresh_token", "refresh_token": said.body["refresh_token"]})
    assert again.status == 200


def test_a_code_by_mail_is_in_her_language(front: Front) -> None:
    member = enrol(front)
    front.call("add_identifier", {"kind": "email", "value": MAIL, "proof": "otp"}, member_id=member)
    asked = ask(front, MAIL, "email", language="ru")
    message = front.senders["email"].taken[-1][1]
    assert message.title == "Ваш код"
    assert give(front, asked.body["otp_id"], code_of(front, "email")).body["member_id"] == member


def test_who_is_known_and_who_is_not_are_answered_by_the_same_requests(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol(front, ANNA)
    call, made, seen = front.house.table._call, [], []

    def counted(operation: str, **request: Any) -> Any:
        made.append(operation)
        return call(operation, **request)

    monkeypatch.setattr(front.house.table, "_call", counted)
    for number in (ANNA, BEA):
        made.clear()
        said = ask(front, number)
        seen.append((said.status, sorted(said.body), len(said.body["otp_id"]), tuple(made)))
    assert seen[0] == seen[1]
    assert len(front.senders["sms"].taken) == 2


def test_the_code_is_not_stored(front: Front) -> None:
    ask(front)
    stored = str(front.house.table._client.scan(TableName=front.house.table.name, ConsistentRead=True)["Items"])
    assert "OTP#phone" in stored
    assert code_of(front) not in stored
    assert ANNA not in stored


def test_a_code_is_good_once(front: Front) -> None:
    enrol(front)
    otp_id, code = ask(front).body["otp_id"], code_of(front)
    assert give(front, otp_id, code).status == 200
    refused(give(front, otp_id, code), 401, "invalid_code")


def test_of_many_who_send_it_at_once_one_gets_in(front: Front) -> None:
    enrol(front)
    otp_id, code = ask(front).body["otp_id"], code_of(front)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: give(front, otp_id, code).status, range(4)))
    assert sorted(answers) == [200, 401, 401, 401]


def test_five_tries_and_then_not_even_the_right_one(front: Front) -> None:
    enrol(front)
    otp_id, code = ask(front).body["otp_id"], code_of(front)
    for _ in range(TRIES):
        refused(give(front, otp_id, wrong(code)), 401, "invalid_code")
    refused(give(front, otp_id, code), 401, "invalid_code")


def test_tries_at_the_same_moment_are_counted_too(front: Front) -> None:
    enrol(front)
    otp_id, code = ask(front).body["otp_id"], code_of(front)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: give(front, otp_id, wrong(code)), range(8)))
    to = handler.codes().open(otp_id, front.house.now)
    stored = front.house.table.get(keys_access.one_time_code("demo", "phone", to.blind)) or {}
    assert stored["tries"]["N"] == str(TRIES)
    refused(give(front, otp_id, code), 401, "invalid_code")


def test_the_fourth_wrong_try_leaves_one(front: Front) -> None:
    enrol(front)
    otp_id, code = ask(front).body["otp_id"], code_of(front)
    for _ in range(TRIES - 1):
        give(front, otp_id, wrong(code))
    assert give(front, otp_id, code).status == 200


@pytest.mark.parametrize(("later", "status"), [(VALID - 1, 200), (VALID, 401)])
def test_a_code_holds_for_ten_minutes(front: Front, later: int, status: int) -> None:
    enrol(front)
    otp_id, code = ask(front).body["otp_id"], code_of(front)
    front.house.now += later
    assert give(front, otp_id, code).status == status


def test_another_code_takes_the_place_of_the_first(front: Front) -> None:
    enrol(front)
    otp_id, first = ask(front).body["otp_id"], code_of(front)
    for _ in range(TRIES):
        give(front, otp_id, wrong(first))
    front.house.now += RESEND
    again = ask(front).body["otp_id"]
    if code_of(front) != first:
        refused(give(front, again, first), 401, "invalid_code")
    assert give(front, again, code_of(front)).status == 200


def test_another_code_comes_after_a_minute_and_so_many_a_day(front: Front) -> None:
    assert ask(front).status == 202
    front.house.now += RESEND - 1
    said = ask(front)
    refused(said, 429, "code_too_soon")
    assert said.headers["retry-after"] == "1"
    front.house.now += 1
    for _ in range(PER_ADDRESS - 1):
        assert ask(front).status == 202
        front.house.now += RESEND
    said = ask(front)
    refused(said, 429, "code_too_soon")
    assert int(said.headers["retry-after"]) == (DAY - front.house.now % DAY) // SECOND
    assert ask(front, BEA).status == 202
    front.house.now += DAY - front.house.now % DAY
    assert ask(front).status == 202
    assert len(front.senders["sms"].taken) == PER_ADDRESS + 2


@pytest.mark.parametrize("cap", [0, 3, 20])
def test_a_tenants_codes_of_a_day_are_bounded(front: Front, cap: int) -> None:
    configure(front, CodeSettings(per_day=cap))
    statuses = [ask(front, f"+49151123456{number:02d}").status for number in range(cap + 2)]
    assert statuses == [202] * cap + [429] * 2
    assert len(front.senders["sms"].taken) == cap


def test_the_shards_of_a_large_cap_add_up_to_it(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_time_codes, "SHARDS", 3)
    shares = []

    class Full:
        def update(self, key: Any, actions: Any, room: Any) -> None:
            text = str(room)
            shares.append((key.pk, int(re.findall(r"'N': '(\d+)'", text)[0])))

    configure(front, CodeSettings(per_day=200))
    scope = front.house.scope()
    scope.table = Full()  # type: ignore[assignment]
    for number in range(64):
        one_time_codes._count(scope, one_time_codes.Addressed("demo", "phone", str(number)), 200, front.house.now)
    assert sum(dict(shares).values()) == 200


@pytest.mark.parametrize(
    ("codes", "number", "allowed"),
    [
        (CodeSettings(), ANNA, True),
        (CodeSettings(), "+33612345678", False),
        (CodeSettings(countries=("FR",)), "+33612345678", True),
        (CodeSettings(countries=("FR",)), ANNA, False),
        (CodeSettings(), "+88213000000", False),
    ],
)
def test_codes_go_to_the_tenants_countries_alone(front: Front, codes: CodeSettings, number: str, allowed: bool) -> None:
    configure(front, codes)
    said = ask(front, number)
    assert (said.status == 202) == allowed
    if not allowed:
        assert said.status == 422
        assert [each["pointer"] for each in said.body["errors"]] == ["/value"]
        assert front.senders["sms"].taken == []


def test_a_channel_that_the_tenant_has_not_is_refused(front: Front) -> None:
    configure(front, messaging=MessagingSettings())
    refused(ask(front), 422, "channel_not_configured")


@pytest.mark.parametrize("result", [Unreachable("opted_out", dead=True), Throttled()])
def test_what_the_provider_says_of_a_number_stays_here(front: Front, result: Any) -> None:
    front.senders["sms"].answers[ANNA] = result
    assert ask(front).status == 202


def test_without_the_scope_no_code_is_sent(front: Front) -> None:
    said = front.call("send_code", {"kind": "phone", "value": ANNA}, scopes=frozenset({"members:read"}))
    refused(said, 403, "insufficient_scope")


@pytest.mark.parametrize("otp_id", ["x", "lyr_AAAA", "A" * 200])
def test_an_id_that_is_none_of_ours_is_refused_without_a_read(front: Front, otp_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front.house, "scope", lambda: pytest.fail("a tenant was opened for nothing"))
    refused(give(front, otp_id, "123456"), 401, "invalid_code")


@pytest.mark.parametrize("code", ["12345", "1234567", "abcdef", "१२३४५६"])
def test_a_code_has_six_digits(front: Front, code: str) -> None:
    said = give(front, "x", code)
    assert (said.status, [each["pointer"] for each in said.body["errors"]]) == (422, ["/code"])


def test_a_suspended_tenants_codes_open_nothing(front: Front) -> None:
    enrol(front)
    otp_id, code = ask(front).body["otp_id"], code_of(front)
    configure(front, status="suspended")
    refused(give(front, otp_id, code), 401, "suspended_tenant")


class TestProving:
    def test_what_waits_on_the_profile_becomes_an_identifier(self, front: Front) -> None:
        member = enrol(front, proof=None)
        otp_id, code = ask(front).body["otp_id"], code_of(front)
        refused(give(front, otp_id, code), 401, "not_a_member")
        said = front.call("prove_identifier_of_me", {"otp_id": otp_id, "code": code}, me=member)
        assert said.status == 201, said.body
        refused(give(front, otp_id, code), 401, "invalid_code")
        front.house.now += MINUTE
        otp_id = ask(front).body["otp_id"]
        assert give(front, otp_id, code_of(front)).body["member_id"] == member

    def test_another_number_than_the_one_on_the_profile_is_refused(self, front: Front) -> None:
        member = enrol(front, proof=None)
        otp_id, code = ask(front, BEA).body["otp_id"], code_of(front)
        said = front.call("prove_identifier_of_me", {"otp_id": otp_id, "code": code}, me=member)
        refused(said, 422, "not_on_the_profile")

    def test_a_number_that_is_anothers_stays_anothers(self, front: Front) -> None:
        owner, other = enrol(front), enrol(front, proof=None)
        otp_id, code = ask(front).body["otp_id"], code_of(front)
        said = front.call("prove_identifier_of_me", {"otp_id": otp_id, "code": code}, me=other)
        refused(said, 409, "identifier_taken")
        assert give(front, otp_id, code).body["member_id"] == owner

    def test_a_wrong_code_proves_nothing(self, front: Front) -> None:
        member = enrol(front, proof=None)
        otp_id, code = ask(front).body["otp_id"], code_of(front)
        said = front.call("prove_identifier_of_me", {"otp_id": otp_id, "code": wrong(code)}, me=member)
        refused(said, 401, "invalid_code")

    def test_a_code_of_another_tenant_proves_nothing_and_is_not_looked_for(self, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
        member = enrol(front, proof=None)
        to = handler.codes().open(ask(front).body["otp_id"], front.house.now)
        foreign = handler.codes().seal(one_time_codes.Addressed("other", to.kind, to.blind), front.house.now + VALID)
        monkeypatch.setattr(signing_in, "check", lambda *_: pytest.fail("another tenant's partition was read"))
        said = front.call("prove_identifier_of_me", {"otp_id": foreign, "code": code_of(front)}, me=member)
        refused(said, 401, "invalid_code")


def test_what_providers_tell_of_a_code_is_about_no_member(front: Front) -> None:
    ask(front)
    ask(front, MAIL, "email")
    sms, mail = (front.senders[channel].taken[-1][1] for channel in ("sms", "email"))
    assert isinstance(sms.settings, SmsSettings)
    context = sms_request(ANNA, sms, sms.settings)["Context"]
    assert set(context) == {"tenant", "delivery"}
    told = {"eventType": "TEXT_INVALID", "messageId": "m", "context": context, "eventTimestamp": front.house.now}
    assert feedback_of(told, "test") is None
    named = {each["Name"]: [each["Value"]] for each in tags(mail.origin)}
    bounced = {"eventType": "Bounce", "mail": {"tags": named}, "bounce": {"bounceType": "Permanent"}}
    assert feedback_of({"source": "aws.ses", "detail": bounced}, "test") is None
    assert as_record("sms", ANNA, sms, "")["step"] == "otp"
