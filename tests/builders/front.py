"""The registration function over a tenant of a test: calls as the gateway makes them, services behind AWS in memory."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from functions.registration import handler
from functions.sign_in import handler as sign_in
from shared.http.routes import ROUTES, Route
from shared.kernel.instants import DAY, SECOND
from shared.members.form_links import KEY_PURPOSE, Invitation, seal_invitation
from shared.members.service import Desk
from shared.privacy.crypto import derive
from shared.tenants.jwks import JwksSource
from shared.tenants.model import IdentityProviderSettings, PushSettings, TenantSettings
from shared.tenants.principal import Principal, principal_to_context
from shared.tenants.refresh import RefreshKeys
from shared.tenants.sessions import SessionDesk
from shared.tenants.tokens import TokenSigner
from tests.builders.house import SETTINGS, House
from tests.fakes.push import FakePush
from tests.fakes.real_time import real_now
from tests.fakes.senders import FakeSender

MASTER = b"a master secret of the tests"
AUDIENCE = "com.example.app"
NONCE = "nonce-of-this-sign-in"
ALL = frozenset({"members:register", "members:identify", "members:read", "members:write", "members:erase", "members:personal",
                 "members:merge", "points:write", "coupons:redeem"})  # fmt: skip
BY_OPERATION: dict[str, Route] = {route.operation: route for route in ROUTES}


@cache
def issuer_key() -> ec.EllipticCurvePrivateKey:
    """The key of a test's identity provider."""
    return ec.generate_private_key(ec.SECP256R1())


def settings_with_everything() -> TenantSettings:
    """A tenant that takes Apple's and Google's tokens of the test issuer, and has two push applications."""
    jwks: dict[str, object] = {"keys": [{**jwt.algorithms.ECAlgorithm.to_jwk(issuer_key().public_key(), as_dict=True), "kid": "k1"}]}
    providers = {name: IdentityProviderSettings(audiences=(AUDIENCE,), jwks=jwks) for name in ("apple", "google")}
    arns = {name: PushSettings(application_arn=f"arn:aws:sns:us-east-1:000000000000:app/{name}/demo") for name in ("apns", "gcm")}
    return SETTINGS.model_copy(update={"identity_providers": providers, "push": arns, "languages": ("de", "en")})


def identity(subject: str, now: int, provider: str = "apple", **changes: Any) -> dict[str, Any]:
    """``RegisterRequest.identity`` with a token that the test issuer signed."""
    issuers = {"apple": "https://appleid.apple.com", "google": "https://accounts.google.com"}
    seconds = now // SECOND
    claims = {"iss": issuers[provider], "aud": AUDIENCE, "sub": subject, "iat": seconds, "exp": seconds + 600, "nonce": NONCE, **changes}
    token = jwt.encode(claims, issuer_key(), algorithm="ES256", headers={"kid": "k1"})
    return {"provider": provider, "token": token, "nonce": NONCE}


@dataclass
class Said:
    """An answer of the function."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class FakeAws:
    """S3 and SQS as far as bulk imports use them."""

    objects: dict[str, bytes] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)

    def put_object(self, **request: Any) -> None:
        self.objects[request["Key"]] = request["Body"]

    def get_object(self, **request: Any) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[request["Key"]])}

    def generate_presigned_url(self, _operation: str, Params: dict[str, str], ExpiresIn: int) -> str:
        return f"https://files.example/{Params['Key']}?seconds={ExpiresIn}"

    def send_message(self, **request: Any) -> None:
        self.messages.append(request)


class Front:
    """Calls of one tenant's callers."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house = house
        self.push = FakePush()
        self.aws = FakeAws()
        self.desk = Desk(TokenSigner(MASTER), JwksSource(self._no_fetch, lambda: house.now), self.push)
        home = SimpleNamespace(
            scope=lambda _principal: self.house.scope(),
            now=lambda: self.house.now,
            real_now=real_now,
            begin=lambda _context: None,
            client=lambda _service: self.aws,
            master_secret=MASTER,
        )
        urls = SimpleNamespace(queue_url="queue", dead_letter_url="dead", bucket="bucket", rights_url="rights")
        for name, value in (("runtime", home), ("desk", self.desk), ("settings", urls)):
            monkeypatch.setattr(handler, name, lambda value=value: value)
        monkeypatch.setattr(sign_in, "runtime", lambda: home)
        self.senders = {"sms": FakeSender(), "email": FakeSender()}
        sessions = SessionDesk(self.desk.tokens, RefreshKeys(MASTER))
        monkeypatch.setattr(sign_in, "desk", lambda: sessions)
        monkeypatch.setattr(sign_in, "_senders", lambda: self.senders)
        for kept in (handler.derived, handler.session_desk, sign_in.codes):
            kept.cache_clear()

    @staticmethod
    def _no_fetch(url: str) -> bytes:
        raise OSError(f"tests fetch nothing: {url}")

    def call(
        self, operation: str, body: Any = None, *, scopes: frozenset[str] = ALL, me: str | None = None, headers: Any = None,
        query: dict[str, str] | None = None, **path: str,
    ) -> Said:  # fmt: skip
        """Call an operation with an API key, or with a member's token (``me``). ``body`` may be text that is not JSON."""
        route = BY_OPERATION[operation]
        caller = (
            Principal(kind="member", tenant=self.house.tenant, id=me, scopes=frozenset({"me"}), member=me)
            if me is not None
            else Principal(kind="key", tenant=self.house.tenant, id=f"{self.house.tenant}-aaaaaaaaaaaa", scopes=scopes)
        )
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route.key,
            "rawPath": route.path,
            "headers": headers or {},
            "pathParameters": path,
            "queryStringParameters": query or {},
            "requestContext": {"requestId": "request-of-a-test", "authorizer": {"lambda": principal_to_context(caller)}},
            "body": body if isinstance(body, str) or body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        if route.public:
            del event["requestContext"]["authorizer"]
        function = sign_in if route.function == "sign_in" else handler
        answer = function.lambda_handler(event)
        text = answer.get("body")
        return Said(answer["statusCode"], json.loads(text) if text else None, answer["headers"])

    def work(self) -> dict[str, Any]:
        """Let the consumer work on everything that was sent."""
        records = [{"messageId": str(index), "body": each["MessageBody"]} for index, each in enumerate(self.aws.messages)]
        self.aws.messages.clear()
        return handler.lambda_handler({"Records": records})

    def register(self, **more: Any) -> str:
        """A member with a card of her own; answers her id."""
        body = {"source": "app", **more}
        if "identity" not in body and "identifiers" not in body:
            body["identifiers"] = [{"kind": "external", "value": f"e{len(self.rows('PROFILE'))}"}]
        said = self.call("register_member", body)
        assert said.status == 201, said.body
        member: str = said.body["member_id"]
        return member

    def invite(self, member: str, *fields: str, offer: str | None = None, days: int = 30, campaign: str = "birthdays") -> str:
        """The token of a form's link."""
        expires = self.house.now + days * DAY
        invitation = Invitation(self.house.tenant, member, campaign, "ask", fields, offer, expires)
        return seal_invitation(derive(MASTER, KEY_PURPOSE), invitation)

    def rows(self, sk: str = "") -> list[dict[str, Any]]:
        """Every stored item whose sort key starts so."""
        scan = self.house.table._client.scan(TableName=self.house.table.name, ConsistentRead=True)
        return [item for item in scan["Items"] if item["SK"]["S"].startswith(sk)]
