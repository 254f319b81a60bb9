"""The operator's desk over tables of a test, with a tenant that is to have a test environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from functions.tenancy import handler as tenancy
from shared.privacy.crypto import derive
from shared.storage import keys
from shared.storage.items import TenantEntryItem
from shared.tenants.access import Access
from shared.tenants.keys_repository import PEPPER_PURPOSE
from shared.tenants.tokens import TokenSigner
from tests.builders.house import House
from tests.builders.office import MASTER, Office, Said
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable
from tests.fakes.queue import FakeQueue

SETTINGS: dict[str, Any] = {
    "name": "Corner Coffee", "currency": "EUR", "time_zone": "Europe/Berlin", "languages": ["de"], "wallets": {"stars": {}},
    "plan": {"name": "small", "key_rate": {"per_second": 7, "burst": 9}},
    "push": {"gcm": {"application_arn": "arn:of-the-live-app"}},
    "identity_providers": {"apple": {"audiences": ["example.corner.app"]}},
    "branding": {"logo": "med_" + "0" * 32, "color": "#004488"},
    "retention": {"inactive_months": 24},
    "messaging": {
        "email": {"from_address": "news@corner.example"}, "link_base": "https://go.corner.example", "approval": True,
        "webhooks": {"crm": {"url": "https://crm.corner.example/hook"}}, "test_members": ["mbr_01KAJ5XW0000000000000000AA"],
    },
}  # fmt: skip


@dataclass
class Desk:
    """The operator's desk, with a tenant."""

    office: Office
    queue: FakeQueue

    def call(self, operation: str, body: Any = None, tenant: str = "corner", **more: Any) -> Said:
        return self.office.call(operation, body, tenant_id=tenant, **more)

    def found(self, tenant: str = "corner") -> None:
        assert self.office.call("create_tenant", {"id": tenant, "settings": SETTINGS}).status == 201

    def make_test(self, tenant: str = "corner") -> Said:
        return self.call("create_test_tenant", tenant=tenant)

    def put(self, tenant: str = "corner", **changed: Any) -> Said:
        """Replace the settings as they are now, with something changed."""
        now = self.call("get_tenant", tenant=tenant).body
        return self.call("replace_tenant", {"settings": now["settings"] | changed}, tenant, if_match=now["etag"])

    def remove(self, tenant: str = "corner") -> Said:
        return self.call("remove_tenant", {"id": tenant}, tenant)

    def entry(self, tenant: str) -> TenantEntryItem:
        return TenantEntryItem.read(self.office.house.table.get(keys.tenant_entry(tenant)) or {})

    def statuses(self) -> dict[str, tuple[str, str]]:
        """Of each tenant: what its entry says, and its settings."""
        listed = {each["id"]: each["status"] for each in self.office.call("list_tenants").body["data"]}
        return {tenant: (status, self._of_settings(tenant)) for tenant, status in listed.items()}

    def _of_settings(self, tenant: str) -> str:
        read = self.call("get_tenant", tenant=tenant).body
        return str(read["settings"]["status"] if "settings" in read else read["code"])

    def access(self) -> Access:
        """An authorizer over the same table."""
        house, pepper = self.office.house, derive(MASTER, PEPPER_PURPOSE)
        return Access(house.table, TokenSigner(MASTER), pepper, "operators-own-secret", lambda: house.now, lambda: 0.0)

    def removals(self) -> list[str]:
        """Whose removal was ordered since the last look."""
        return [each["tenant"] for each in self.queue.take()]


def desk_of(house: House, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The desk over the tables of that house."""
    desk = Desk(Office(house, monkeypatch), FakeQueue())
    monkeypatch.setattr(tenancy, "removals_queue_url", lambda: "removals")
    monkeypatch.setattr(tenancy, "SqsQueue", lambda _client, _url: desk.queue)
    return desk


def desk_over(table: FaultyTable, endpoint: str, house: House, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose table fails where a test says; ``house`` has the table of keys."""
    return desk_of(House(table, engine.table(endpoint, house.key_table.name)), monkeypatch)
