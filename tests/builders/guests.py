"""Guests who get e-mails and do something with their links: the function guest_links over a tenant of a test."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from functions.guest_links import handler
from shared.campaigns.messages import order_of
from shared.campaigns.sending import Means, send
from shared.campaigns.writing import Keys
from shared.http.routes import ROUTES
from shared.kernel.errors import InvalidValue
from shared.messaging.links import KEY_PURPOSE
from shared.messaging.port import Message
from shared.privacy.crypto import derive
from tests.builders.campaigns import CONSENT, Post
from tests.builders.house import House
from tests.fakes.real_time import real_now
from tests.fakes.senders import FakeSender, only

MASTER = b"a master secret of the tests"
BASE = "https://api.example"
KEYS = Keys(lambda: bytes(32), lambda *_: b"", lambda: derive(MASTER, KEY_PURPOSE), BASE)
BROWSER = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1"}
PAGE = (
    '<html><body><p>{{ member.first_name }}, <a href="https://shop.example/menu?for={{ member.first_name }}&amp;x=1">look</a>'
    ' or <a href="https://shop.example/places">go</a> or <a href="{{ unsubscribe_link }}">no</a></p></body></html>'
)
LETTER: dict[str, Any] = {
    "name": "Letter",
    "trigger": {"kind": "once"},
    "steps": [
        {
            "id": "tell",
            "channel": "email",
            "content": {
                "de": {"title": "Neu", "body": "Sieh: https://shop.example/places oder {{ unsubscribe_link }}", "html": PAGE},
            },
        }
    ],
}
_ROUTES = {route.operation: route for route in ROUTES if route.function == "guest_links"}
_PATH = re.compile(re.escape(BASE) + r"/([lou])/([^/]+)/([^\s\"<>]+)")


@dataclass(frozen=True)
class Seen:
    """An answer as a guest gets it."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.body.decode()


class Guests:
    """A tenant that writes letters, and the links in them."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.post, self.house = Post.of(house), house
        self.post.messaging(email={"from_address": "news@example.com"}, sms={"origination": "demo"})
        now = {"now": lambda: house.now, "real_now": real_now}
        home = SimpleNamespace(begin=lambda _context: None, scope=self._scope, master_secret=MASTER, **now)
        monkeypatch.setattr(handler, "runtime", lambda: home)
        handler.key.cache_clear()

    def _scope(self, principal: Any) -> Any:
        if principal.tenant != self.house.tenant:
            raise InvalidValue("a tenant that no test has")
        return self.house.scope()

    def guest(self, name: str = "Anna", channels: tuple[str, ...] = ("email", "sms", "push", "inbox")) -> str:
        """A member who is reached over everything, and said yes to it."""
        member = self.house.join(consents={f"marketing:{each}": CONSENT for each in channels}, known=("email", "phone"))
        fields = {"first_name": name, "language": "de", "email": "anna@example.com", "phone": "+4930123456"}
        self.post.list_all([member], fields)
        self.post.give_devices(member, [f"dev_{member}"])
        return member

    def letter(self, member: str, body: dict[str, Any] = LETTER, *, campaign: str = "letter", occurrence: str = "1") -> Message:
        """She gets a message."""
        if campaign not in self.house.scope().definitions.at(self.house.now).campaigns:
            self.post.campaign(campaign, body)
        sender = FakeSender()
        order = order_of(self.post.order(campaign, body["steps"][0]["id"], [member], occurrence))
        found = send(self.house.scope(), order, Means(only(sender), self.post.sending, KEYS))
        assert found == {"sent": 1}
        return sender.taken[0][1]

    def links(self, text: str) -> list[str]:
        """Our links in a text."""
        return [found[0] for found in _PATH.finditer(text)]

    def call(
        self, link: str, method: str = "GET", body: str | None = None, headers: Mapping[str, str] = BROWSER, tenant: str | None = None
    ) -> Seen:
        """Open a link of ours as the gateway hands it over."""
        found = _PATH.fullmatch(link)
        assert found is not None
        path = {"l": "/l/{tenant_id}/{token}", "o": "/o/{tenant_id}/{picture}", "u": "/u/{tenant_id}/{token}"}[found[1]]
        last = "picture" if found[1] == "o" else "token"
        event = {
            "version": "2.0",
            "routeKey": f"{method} {path}",
            "rawPath": path,
            "headers": dict(headers),
            "pathParameters": {"tenant_id": tenant or found[2], last: found[3]},
            "requestContext": {"requestId": "request-of-a-test"},
            "body": body,
            "isBase64Encoded": False,
        }
        assert any(route.key == event["routeKey"] for route in _ROUTES.values())
        answer = handler.lambda_handler(event)
        raw = answer.get("body", "")
        return Seen(answer["statusCode"], base64.b64decode(raw) if answer["isBase64Encoded"] else raw.encode(), answer["headers"])

    def told(self, member: str) -> list[str]:
        """Types of the events of her last commit; planning hears of them, which counts what they say of deliveries."""
        envelope = self.post.told(member)
        self.post.plan(envelope)
        return envelope.types
