"""Members' sessions through the API: kept by tokens that are used once, and ended by whoever uses one twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from functions.registration import handler
from shared.kernel.instants import DAY, MINUTE, SECOND
from shared.member_state.codec import encode_state
from shared.member_state.model import MemberState
from shared.member_state.repository import Loaded, StateRepository
from shared.storage import keys, keys_access
from shared.storage.items import StateItem
from shared.storage.packing import pack
from shared.tenants import sessions
from shared.tenants.refresh import ABSOLUTE, GRACE, IDLE, Session
from shared.tenants.sessions import MAX_SESSIONS
from shared.tenants.sessions_repository import SessionRepository
from tests.builders.front import Front, Said, identity, settings_with_everything
from tests.builders.house import House
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable, Killed

pytestmark = pytest.mark.usefixtures("_settings")


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    return Front(bare_house, monkeypatch)


@pytest.fixture
def _settings(front: Front) -> None:
    front.house.create(settings_with_everything())


def sign_in(front: Front, subject: str = "anna", **more: Any) -> Any:
    body = {"identity": identity(subject, front.house.now), "source": "app", "remember": True, **more}
    said = front.call("register_member", body)
    assert said.status in (200, 201), said.body
    return said.body


def refresh(front: Front, token: str) -> Said:
    return front.call("get_tokens", {"grant": "refresh_token", "refresh_token": token})


def refused(said: Said, code: str) -> None:
    assert (said.status, said.body["code"]) == (401, code), said.body


def rows(front: Front, member: str) -> list[Any]:
    return front.house.table.query_all(keys.member("demo", member), begins=keys_access.SESSION_PREFIX, consistent=True)


def test_a_session_lives_on_from_token_to_token(front: Front) -> None:
    signed_in = sign_in(front)
    token, seen = signed_in["refresh_token"], set()
    for _ in range(5):
        front.house.now += DAY
        said = refresh(front, token)
        assert said.status == 200
        verified = front.desk.tokens.verify(said.body["access_token"], front.house.now)
        assert (verified.tenant, verified.member) == ("demo", signed_in["member_id"])
        assert said.body["refresh_expires_in"] == IDLE // SECOND
        seen.add(token)
        token = said.body["refresh_token"]
        assert token not in seen
    assert len(rows(front, signed_in["member_id"])) == 1


def test_who_does_not_ask_for_a_session_gets_none(front: Front) -> None:
    answer = sign_in(front, remember=False)
    assert "refresh_token" not in answer
    assert rows(front, answer["member_id"]) == []


def test_no_secret_is_stored(front: Front) -> None:
    signed_in = sign_in(front)
    given = handler.session_desk().keys.open(signed_in["refresh_token"], front.house.now)
    values = [value for row in rows(front, signed_in["member_id"]) for field in row.values() for value in field.values()]
    assert any(isinstance(value, bytes) for value in values)
    assert not any(given.secret in value for value in values if isinstance(value, bytes))


def test_a_token_that_was_used_ends_the_session_of_its_device_alone(front: Front) -> None:
    phone, tablet = sign_in(front)["refresh_token"], sign_in(front)["refresh_token"]
    newest = refresh(front, phone).body["refresh_token"]
    front.house.now += GRACE
    refused(refresh(front, phone), "refresh_reused")
    refused(refresh(front, newest), "session_ended")
    refused(refresh(front, phone), "session_ended")
    assert refresh(front, tablet).status == 200


def test_a_lost_answer_is_given_again(front: Front) -> None:
    token = sign_in(front)["refresh_token"]
    first = refresh(front, token).body
    front.house.now += GRACE - 1
    again = refresh(front, token)
    assert (again.status, again.body["refresh_token"]) == (200, first["refresh_token"])
    assert refresh(front, again.body["refresh_token"]).status == 200


def test_a_token_two_steps_back_is_never_a_lost_answer(front: Front) -> None:
    first = sign_in(front)["refresh_token"]
    refresh(front, refresh(front, first).body["refresh_token"])
    refused(refresh(front, first), "refresh_reused")


def test_it_ends_after_90_idle_days_and_400_in_all(front: Front) -> None:
    idle = sign_in(front)["refresh_token"]
    token, begun = sign_in(front)["refresh_token"], front.house.now
    while front.house.now + IDLE - 1 < begun + ABSOLUTE:
        front.house.now += IDLE - 1
        said = refresh(front, token)
        assert said.status == 200
        token = said.body["refresh_token"]
    refused(refresh(front, idle), "session_ended")
    left = begun + ABSOLUTE - front.house.now
    assert said.body["refresh_expires_in"] == left // SECOND
    front.house.now = begun + ABSOLUTE
    refused(refresh(front, token), "session_ended")


@pytest.mark.parametrize("who", ["herself", "an integrator"])
def test_signing_out_everywhere_ends_every_session_of_hers_and_nobody_elses(front: Front, who: str) -> None:
    anna, again, bea = sign_in(front), sign_in(front), sign_in(front, "bea")
    member = anna["member_id"]
    said = front.call("end_sessions_of_me", me=member) if who == "herself" else front.call("end_sessions", member_id=member)
    assert said.status == 204
    refused(refresh(front, anna["refresh_token"]), "session_ended")
    refused(refresh(front, again["refresh_token"]), "session_ended")
    assert refresh(front, bea["refresh_token"]).status == 200


def test_an_unknown_member_is_signed_out_of_nothing(front: Front) -> None:
    assert front.call("end_sessions", member_id="mbr_00000000000000000000000000").body["code"] == "unknown_member"


@pytest.mark.parametrize("token", ["", "x", "lyr_", "lyr_AAAA", "lyk_demo-aaaaaaaaaaaa_x"])
def test_what_is_no_token_of_ours_is_refused_without_a_read(front: Front, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front.house, "scope", lambda: pytest.fail("a tenant was opened for nothing"))
    said = refresh(front, token)
    assert (said.status, said.body["code"]) == ((401, "invalid_refresh_token") if token else (422, "invalid_request"))


def test_an_unknown_grant_is_refused(front: Front) -> None:
    said = front.call("get_tokens", {"grant": "password", "refresh_token": "x"})
    assert (said.status, [each["pointer"] for each in said.body["errors"]]) == (422, ["/grant"])


@pytest.mark.parametrize("change", [{"status": "erased"}, {"merged_into": "other"}])
def test_a_member_who_is_no_more_has_no_session(front: Front, change: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    token, other = sign_in(front)["refresh_token"], sign_in(front, "bea")["member_id"]
    member = handler.session_desk().keys.open(token, front.house.now).member
    state = dict(change)
    if "merged_into" in state:
        state["merged_into"] = other
    _change_state(front.house, member, **state)
    refused(refresh(front, token), "session_ended")


def _change_state(house: House, member: str, **values: Any) -> None:
    """Write her state as erasing and merging leave it."""
    loaded: Loaded = StateRepository("demo", house.table).load(member)
    state: MemberState = loaded.state
    for name, value in values.items():
        setattr(state, name, value)
    body = pack(encode_state(state))
    house.table.put(StateItem.at(keys.state("demo", member), version=99, status=state.status, body=body))


def test_a_suspended_tenants_sessions_rest(front: Front) -> None:
    token = sign_in(front)["refresh_token"]
    house = front.house
    house.create(settings_with_everything().model_copy(update={"status": "suspended"}))
    house.cache.forget("demo")
    refused(refresh(front, token), "suspended_tenant")
    house.create(settings_with_everything())
    house.cache.forget("demo")
    assert refresh(front, token).status == 200


def test_a_member_keeps_a_bounded_number_of_sessions(front: Front) -> None:
    tokens = []
    for _ in range(MAX_SESSIONS + 1):
        front.house.now += MINUTE
        tokens.append(sign_in(front))
    assert len(rows(front, tokens[0]["member_id"])) == MAX_SESSIONS
    refused(refresh(front, tokens[0]["refresh_token"]), "session_ended")
    assert refresh(front, tokens[1]["refresh_token"]).status == 200


def test_sessions_that_are_over_make_room_first(front: Front) -> None:
    old = sign_in(front)
    front.house.now += IDLE
    sign_in(front)
    assert len(rows(front, old["member_id"])) == 1


def test_the_same_token_sent_at_once_by_many_leads_to_one_successor(front: Front) -> None:
    token = sign_in(front)["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: refresh(front, token), range(8)))
    assert {said.status for said in answers} == {200}
    assert len({said.body["refresh_token"] for said in answers}) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_anywhere_the_same_token_sent_again_goes_on(
    dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch, when: str, front: Front
) -> None:
    table = FaultyTable(dynamodb, bare_house.table.name)
    house = House(table, engine.table(dynamodb, bare_house.key_table.name))
    front = Front(house, monkeypatch)
    signed_in = sign_in(front)
    token, killed = signed_in["refresh_token"], 0
    for at in range(1, 12):
        given = handler.session_desk().keys.open(token, house.now)
        table.arm(at, when, "kill")  # type: ignore[arg-type]
        try:
            sessions.refresh(house.scope(), given, handler.session_desk())
        except Killed:
            killed += 1
        reached = table.calls >= at
        table.disarm()
        house.now += SECOND
        again = refresh(front, token)
        assert again.status == 200, f"call {at} {when}"
        token = again.body["refresh_token"]
        house.now += MINUTE
        if not reached:
            break
    assert killed >= 3
    assert refresh(front, token).status == 200


def test_who_signs_out_while_a_token_is_in_flight_stays_signed_out(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in = sign_in(front)
    member, read = signed_in["member_id"], SessionRepository.get

    def read_then_signed_out(self: SessionRepository, of: str, family: str) -> Session | None:
        found = read(self, of, family)
        sessions.end_all(front.house.scope(), member)
        return found

    monkeypatch.setattr(SessionRepository, "get", read_then_signed_out)
    refused(refresh(front, signed_in["refresh_token"]), "session_ended")
    assert rows(front, member) == []
