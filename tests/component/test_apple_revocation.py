"""What Apple gave for a sign-in is kept sealed, and revoked when its member is forgotten; Apple itself holds up nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from functions.member_rights import handler as member_rights
from functions.registration import handler, members_routes
from shared.aws.apple import Apple, AppleUnreachable
from shared.erasure import working
from shared.erasure.service import certificate
from shared.erasure.steps import Hands
from shared.kernel.errors import Unprocessable
from shared.kernel.instants import SECOND
from shared.members.api import RegisterRequest
from shared.members.notices import NotHandedOver
from shared.members.repository import MemberRepository
from shared.relay.envelope import of_record
from shared.storage import keys, keys_access
from shared.storage.table import WriteBatch
from shared.tenants.apple_client import AppleClientRequest, client_of, store_client
from tests.builders.apple import SUBJECT, client_key, notice, pem
from tests.builders.front import AUDIENCE, Front, identity, settings_with_everything
from tests.builders.house import House
from tests.builders.rights import Rights
from tests.fakes.queue import FakeQueue

TOKEN = "refresh-token-of-apple"


def request(private_key: str) -> AppleClientRequest:
    return AppleClientRequest(team_id="ABCDE12345", key_id="KEY1234567", private_key=SecretStr(private_key))


class FakeApple:
    """Apple's two endpoints. ``down``: how many of the next calls get no answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: dict[str, Any] | None = {"refresh_token": TOKEN}
        self.down = 0

    def post(self, what: str, form: Mapping[str, str]) -> dict[str, Any] | None:
        self.asked.append((what, dict(form)))
        if self.down:
            self.down -= 1
            raise AppleUnreachable("status 503")
        return self.answer


class World:
    """A tenant with a key of Apple's, and Apple."""

    def __init__(self, front: Front) -> None:
        self.front, self.apple = front, FakeApple()
        self.house = front.house

    def register(self, **more: Any) -> str:
        token = identity(SUBJECT, self.house.now) | {"authorization_code": "code-of-the-app"} | more
        member = self.front.register(identity={k: v for k, v in token.items() if k != "authorization_code"})
        body = RegisterRequest.model_validate({"source": "app", "identity": token})
        wiring = handler.WIRING.__class__(**{**_fields(handler.WIRING), "apple": lambda: self.apple})
        members_routes._keep_apples_token(wiring, self.house.scope(), body, member)
        return member

    def kept(self, member: str) -> Any:
        return self.house.key_table.get(keys_access.apple_token("demo", member))

    def erase(self, member: str) -> dict[str, int]:
        assert self.front.call("erase_member", member_id=member).status == 202
        assert working.work(Hands(self.house.scope(), self.front.push, self.apple), member, FakeQueue())
        found = certificate(self.house.scope(), member)
        assert found.status == "completed"
        return {name: number for name, number in found.counts.items() if name.startswith("apple")}


def _fields(wiring: Any) -> dict[str, Any]:
    return {name: getattr(wiring, name) for name in wiring.__slots__}


@pytest.fixture
def world(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> World:
    bare_house.create(settings_with_everything())
    made = World(Front(bare_house, monkeypatch))
    store_client(bare_house.scope(), request(pem()))
    return made


def test_the_code_is_exchanged_with_a_secret_that_apple_can_check_and_what_it_brings_is_sealed(world: World) -> None:
    member = world.register()
    ((what, form),) = world.apple.asked
    assert (what, form["code"], form["client_id"], form["grant_type"]) == ("token", "code-of-the-app", AUDIENCE, "authorization_code")
    options: Any = {"verify_exp": False, "verify_iat": False}
    public, audience = client_key().public_key(), "https://appleid.apple.com"
    claims = jwt.decode(form["client_secret"], public, algorithms=["ES256"], audience=audience, options=options)
    assert (claims["iss"], claims["sub"], claims["exp"] - claims["iat"]) == ("ABCDE12345", AUDIENCE, 300)
    assert claims["iat"] == world.house.now // SECOND
    assert jwt.get_unverified_header(form["client_secret"])["kid"] == "KEY1234567"
    assert world.kept(member) is not None
    assert TOKEN not in str(world.front.rows("")) + str(world.kept(member))


def test_an_erasure_revokes_it_and_says_so(world: World) -> None:
    member = world.register()
    world.apple.asked.clear()
    assert world.erase(member) == {"apple_revoked": 1}
    ((what, form),) = world.apple.asked
    assert (what, form["token"], form["token_type_hint"], form["client_id"]) == ("revoke", TOKEN, "refresh_token", AUDIENCE)
    assert world.kept(member) is None


def test_apple_is_tried_three_times_and_then_the_erasure_goes_on(world: World) -> None:
    member = world.register()
    world.apple.asked.clear()
    world.apple.down = 2
    assert world.erase(member) == {"apple_revoked": 1}
    other = world.register()
    world.apple.asked.clear()
    world.apple.down = 9
    assert world.erase(other) == {"apple_not_revocable": 1}
    assert len(world.apple.asked) == 3
    assert world.kept(other) is None


def test_a_refusal_or_a_tenant_without_its_key_is_not_revocable(world: World) -> None:
    member = world.register()
    world.apple.answer = None
    assert world.erase(member) == {"apple_not_revocable": 1}
    world.apple.answer = {"refresh_token": TOKEN}
    member = world.register()
    world.house.key_table.delete(keys_access.apple_client("demo"))
    assert world.erase(member) == {"apple_not_revocable": 1}


def test_who_has_nothing_of_apples_costs_no_call(world: World) -> None:
    member = world.front.register()
    assert world.erase(member) == {}
    assert world.apple.asked == []


@pytest.mark.parametrize("answer", [None, {}, {"refresh_token": 7}, {"refresh_token": "x" * 5000}])
def test_a_code_that_brings_nothing_refuses_no_sign_in(world: World, answer: Any) -> None:
    world.apple.answer = answer
    assert world.kept(world.register()) is None


def test_a_key_that_is_none_of_apples_kind_is_refused(world: World) -> None:
    for text in ("", "no key", pem(ec.generate_private_key(ec.SECP384R1()))):
        with pytest.raises(Unprocessable):
            store_client(world.house.scope(), request(text))
    kept = client_of(world.house.scope())
    assert kept is not None
    assert kept.private_key == pem()
    assert "PRIVATE" not in repr(kept) + str(world.house.key_table.get(keys_access.apple_client("demo")))


def test_a_notice_of_apples_ends_what_is_kept(world: World) -> None:
    member = world.register()
    told = {"payload": notice("consent-revoked", world.house.now)}
    assert world.front.call("receive_apple_notice", told, tenant_id="demo").status == 204
    assert world.kept(member) is None


# -- over the wire ----------------------------------------------------------------------------------------------------


class Endpoint(BaseHTTPRequestHandler):
    """Answers what the token says."""

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        status = int(form["token"][0])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/auth/token")
        self.end_headers()
        if self.path.endswith("/token"):
            self.wfile.write(b'{"refresh_token":"r"}')

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def apple() -> Iterator[Apple]:
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Apple(f"http://127.0.0.1:{server.server_port}/auth", local=True)
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_answer_is_read_and_a_refusal_is_none(apple: Apple) -> None:
    assert apple.post("token", {"token": "200"}) == {"refresh_token": "r"}
    assert apple.post("revoke", {"token": "200"}) == {}
    assert apple.post("revoke", {"token": "400"}) is None


@pytest.mark.parametrize("status", ["302", "429", "500"])
def test_everything_else_may_be_tried_again(apple: Apple, status: str) -> None:
    with pytest.raises(AppleUnreachable):
        apple.post("revoke", {"token": status})


def test_nothing_but_a_public_address_is_called() -> None:
    with pytest.raises(AppleUnreachable):
        Apple("https://apple.example/auth", resolve=lambda _host, _port: ["10.0.0.1"]).post("token", {})


# -- taken off, while she stays a member ----------------------------------------------------------------------------------


@pytest.fixture
def rights(world: World, monkeypatch: pytest.MonkeyPatch) -> Rights:
    made = Rights(world.front, monkeypatch)
    monkeypatch.setattr(member_rights, "apple", lambda: world.apple)
    return made


def card(world: World, member: str, number: str = "4711-1") -> None:
    said = world.front.call("add_identifier", {"kind": "card", "value": number}, member_id=member)
    assert said.status == 201, said.body


def test_she_takes_it_off_where_something_else_leads_to_her_and_apple_is_asked_to_revoke(world: World, rights: Rights) -> None:
    member = world.register()
    refused = world.front.call("remove_identifiers_of_me", me=member, kind="apple")
    assert (refused.status, refused.body["code"]) == (409, "last_identifier")
    card(world, member)
    said = world.front.call("remove_identifiers_of_me", me=member, kind="apple")
    assert (said.status, said.body["number"]) == (200, 0)
    world.apple.asked.clear()
    rights.told(member)
    ((what, form),) = world.apple.asked
    assert (what, form["token"]) == ("revoke", TOKEN)
    assert world.kept(member) is None
    rights.told(member)
    assert len(world.apple.asked) == 1, "told again there is nothing left to do"
    assert world.front.call("get_member_of_me", me=member).body["identifiers"] == ["card"]
    again = world.front.call("remove_identifiers_of_me", me=member, kind="apple")
    assert (again.status, again.body["code"]) == (404, "unknown_identifier")
    other = world.front.register(identity=identity(SUBJECT, world.house.now))
    assert other != member, "whoever has the account may be a member of her own"


def test_a_blocked_card_is_no_way_to_her(world: World) -> None:
    member = world.register()
    card(world, member)
    assert world.front.call("block_identifier", {"kind": "card"}, member_id=member).status == 200
    assert world.front.call("remove_identifiers_of_me", me=member, kind="apple").body["code"] == "last_identifier"


@pytest.mark.parametrize("kind", ["card", "phone", "email", "external", "google", "referral", "x"])
def test_by_herself_she_takes_off_nothing_else(world: World, kind: str) -> None:
    member = world.register()
    card(world, member)
    said = world.front.call("remove_identifiers_of_me", me=member, kind=kind)
    assert (said.status, said.body["code"]) == (404, "unknown_identifier")


def test_a_desk_may_take_off_the_last(world: World, rights: Rights) -> None:
    member = world.register()
    assert world.front.call("remove_identifiers", member_id=member, kind="apple").body["number"] == 0
    rights.told(member)
    assert (world.apple.asked[-1][0], world.kept(member)) == ("revoke", None)


def test_an_apple_that_does_not_answer_is_asked_again(world: World, rights: Rights) -> None:
    member = world.register()
    card(world, member)
    world.front.call("remove_identifiers_of_me", me=member, kind="apple")
    world.apple.down = 1
    with pytest.raises(NotHandedOver):
        rights.told(member)
    assert world.kept(member) is not None
    rights.told(member)
    assert world.kept(member) is None


def test_who_has_signed_in_with_it_again_keeps_what_is_of_that(world: World, rights: Rights) -> None:
    member = world.register()
    card(world, member)
    world.front.call("remove_identifiers_of_me", me=member, kind="apple")
    raw = world.house.table.get(keys.state(world.house.tenant, member), consistent=True)
    removal = of_record({"dynamodb": {"NewImage": raw}})
    assert removal is not None
    batch, scope = WriteBatch(), world.house.scope()
    blind = scope.blind("apple", SUBJECT)
    members = MemberRepository(scope.tenant, scope.table)
    members.add_identifier(batch, "new", "apple", blind, member)
    members.add_held(batch, member, [("apple", blind)])
    scope.table.transact(batch, "again")
    world.apple.asked.clear()
    member_rights.work({"detail": removal.detail()})
    assert (world.apple.asked, world.kept(member) is not None) == ([], True)
