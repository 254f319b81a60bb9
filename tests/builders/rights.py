"""Members' rights over a tenant of a test: the worker that writes to her, and the page that her links lead to."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from functions.guest_links import handler as guest_links
from functions.member_rights import handler as member_rights
from shared.kernel.errors import InvalidValue
from shared.members import double_opt_in, notices
from shared.privacy.crypto import derive
from shared.relay.envelope import of_record
from shared.storage import keys
from shared.storage.items import SettingsItem
from shared.storage.packing import pack
from shared.tenants.messaging import EmailSettings, SmsSettings
from tests.builders.front import MASTER, Front, settings_with_everything
from tests.builders.house import House
from tests.fakes.real_time import real_now
from tests.fakes.senders import FakeSender

BASE = "https://api.example"
EMAIL = "anna@example.com"
_LINK = re.compile(re.escape(BASE) + r"/c/([^/]+)/(\S+)")


@dataclass(frozen=True)
class Page:
    """What she sees of a link."""

    status: int
    text: str


class Rights:
    """A tenant whose worker writes to members, and whose links open."""

    def __init__(self, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
        self.front, self.house = front, front.house
        self.senders = {"email": FakeSender(), "sms": FakeSender()}
        self.desk = notices.Desk(self.senders, derive(MASTER, double_opt_in.KEY_PURPOSE), BASE)
        clock = {"now": lambda: self.house.now, "real_now": real_now}
        home = SimpleNamespace(begin=lambda _context: None, scope=self._scope, master_secret=MASTER, **clock)
        monkeypatch.setattr(guest_links, "runtime", lambda: home)
        for kept in (guest_links.key, guest_links.confirming_key):
            kept.cache_clear()
        monkeypatch.setattr(member_rights, "runtime", lambda: SimpleNamespace(worker_scope=self._worker_scope))
        monkeypatch.setattr(member_rights, "desk", lambda: self.desk)

    def _scope(self, principal: Any) -> Any:
        if principal.tenant != self.house.tenant:
            raise InvalidValue("a tenant that no test has")
        return self.house.scope()

    def _worker_scope(self, tenant: str, *pks: str) -> Any:
        scope = self.house.scope()
        if tenant != scope.tenant:
            raise InvalidValue("a tenant that no test has")
        for pk in pks:
            scope.own(pk)
        return scope

    def told(self, member: str) -> Any:
        """What the relay tells of her last commit; the worker hears of it, if it is one that it hears of."""
        raw = self.house.table.get(keys.state(self.house.tenant, member), consistent=True)
        envelope = of_record({"dynamodb": {"NewImage": raw}})
        assert envelope is not None
        member_rights.work({"detail": envelope.detail()})
        return envelope

    def links(self) -> list[str]:
        """The links that confirm, of the mails so far."""
        return [found[0] for _, message in self.senders["email"].taken if (found := _LINK.search(message.body)) is not None]

    def open(self, link: str, method: str = "GET", body: str | None = None, tenant: str | None = None) -> Page:
        """Open a link as the gateway hands it over."""
        found = _LINK.fullmatch(link)
        assert found is not None
        event = {
            "version": "2.0", "routeKey": f"{method} /c/{{tenant_id}}/{{token}}", "rawPath": "/c", "headers": {"accept-language": "de"},
            "pathParameters": {"tenant_id": tenant or found[1], "token": found[2]},
            "requestContext": {"requestId": "request-of-a-test"}, "body": body, "isBase64Encoded": False,
        }  # fmt: skip
        answer = guest_links.lambda_handler(event)
        raw = answer.get("body", "")
        return Page(answer["statusCode"], base64.b64decode(raw).decode() if answer["isBase64Encoded"] else raw)

    def confirm(self, link: str) -> Page:
        """Press the button."""
        return self.open(link, "POST", "confirm=yes")


def settings_that_write() -> Any:
    """A tenant with e-mail and SMS."""
    settings = settings_with_everything()
    messaging = settings.messaging.model_copy(
        update={"email": EmailSettings(from_address="news@example.com"), "sms": SmsSettings(origination="demo")}
    )
    return settings.model_copy(update={"messaging": messaging})


def configure(house: House, **changes: Any) -> None:
    """Other settings of the tenant, from now on."""
    settings = house.scope().definitions.settings.model_copy(update=changes)
    house.table.put(SettingsItem.at(keys.settings(house.tenant), version=2, body=pack(settings.model_dump(mode="json"))))
    house.cache.forget(house.tenant)
