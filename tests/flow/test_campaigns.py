"""Campaigns on the deployed system under the movable clock: a night that defers, an A/B split with a holdout, a voucher's last ten days,
a form, answers in profile and report, and one click that unsubscribes.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from local import clock, outbox, tick, verify
from local.client import Client
from local.setting import publish, wait_until_in_force
from local.store import Store
from shared.campaigns.rules import held_out
from shared.kernel.instants import DAY, HOUR, MINUTE, format_rfc3339, local_datetime
from tests.flow.conftest import DeployedStack

TENANT, ZONE = "letters", "Europe/Berlin"
NIGHT = {"start": "21:00", "end": "08:00"}
CONSENTS = [
    {"purpose": "marketing", "channel": channel, "granted": True, "document_version": "1", "text_shown": "Write to me"}
    for channel in ("push", "email")
]
CONSENTS[1] |= {"confirmed_at": "2026-01-01T00:00:00Z", "confirmed_by": "a test"}
EVERYBODY = {"kind": "attribute", "name": "known:first_name", "op": "eq", "value": True}
NO_BIRTHDAY = {"kind": "attribute", "name": "known:birth_date", "op": "eq", "value": False}
SCOPES = [
    "definitions:read", "definitions:write", "campaigns:run", "members:read", "members:register", "members:write",
    "transactions:write", "members:identify", "coupons:redeem", "coupons:issue",
]  # fmt: skip


def text(title: str, **more: str) -> dict[str, Any]:
    return {"en": {"title": title, "body": f"{title} for you", **more}}


def once(name: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "trigger": {"kind": "once"}, "audience": {"segment": "everybody"}, "steps": list(steps), **more}


SPLIT = once(
    "New products",
    {"id": "ab", "kind": "split", "variants": [{"id": "a", "percent": 50, "then": "short"}, {"id": "b", "percent": 50, "then": "long"}]},
    {"id": "short", "content": text("New"), "offer": "half", "then": "end"},
    {"id": "long", "content": text("Something new"), "offer": "half"},
    {"id": "end", "kind": "end"},
    holdout_percent=40,
)
LAST_DAYS = {
    "name": "Ten days left",
    "trigger": {"kind": "date", "of": "coupon_expiry", "days": 10, "at": "10:00", "offer": "half"},
    "steps": [{"id": "hurry", "content": text("10 days left to spend your voucher")}],
}
BIRTHDAY = once("Birthday", {"id": "ask", "content": text("Your birthday?"), "form": {"fields": ["birth_date"], "offer": "thanks"}})
BIRTHDAY["audience"] = {"segment": "no-birthday"}
LETTER = once("Letter", {"id": "mail", "channel": "email", "content": text("Letter", html="<p>Hello</p>")})


def eventually(true: Callable[[], object], seconds: float = 90) -> None:
    """Look until it is so."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it never came to be so"
        time.sleep(0.1)


@dataclass
class Shop:
    """A tenant with guests and a marketer."""

    store: Store
    client: Client
    members: list[str]

    def join(self, number: int) -> None:
        """A guest in the app."""
        body = {
            "identifiers": [{"kind": "card", "value": f"LETTER-{number}"}],
            "profile": {"first_name": "Anna", "language": "en", "email": f"guest{number}@example.test"},
            "consents": CONSENTS,
            "source": "app",
            "device": {"platform": "gcm", "token": f"letter-token-{number}"},
        }
        answer = self.client.post("/v1/members", body)
        self.members.append(answer["member_id"])

    def she(self, member: str) -> dict[str, Any]:
        """A guest as the shop sees her: her own token does not outlive a clock that is moved."""
        found: dict[str, Any] = self.client.get(f"/v1/members/{member}")
        return found

    def vouchers(self) -> dict[str, dict[str, int]]:
        """Member -> her coupons and when they expire."""
        states = verify.take(self.store.scan()).states
        return {member: {id_: held.expires_at for id_, held in states[TENANT, member].coupons.items()} for member in self.members}

    def launch(self, id_: str, body: dict[str, Any]) -> None:
        wait_until_in_force(self.store, [publish(self.client, "campaigns", id_, body)])
        self.client.post(f"/v1/campaigns/{id_}/launch")

    def delivered(self, campaign: str) -> dict[str, list[dict[str, Any]]]:
        """Member -> what reached her."""
        every = ((member, each) for member in self.members for each in outbox.delivered(self.store, TENANT, member))
        found: dict[str, list[dict[str, Any]]] = {}
        for member, each in every:
            if each["campaign"] == campaign:
                found.setdefault(member, []).append(each)
        return found

    def report(self, campaign: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/v1/campaigns/{campaign}/report")
        return found

    def counts(self, campaign: str, **expected: int) -> None:
        """The report says so, once everything is counted."""
        until, found = time.monotonic() + 90, dict[str, Any]()
        while any(found.get(name, 0) != number for name, number in expected.items()):
            assert time.monotonic() < until, (self._troubles(campaign), found)
            time.sleep(0.1)
            found = self.report(campaign)

    def _troubles(self, campaign: str) -> list[tuple[str, str | None]]:
        return [(each["state"], each.get("reason")) for each in self.client.get(f"/v1/campaigns/{campaign}/deliveries")["data"]]

    def set_hour(self, hour: int) -> None:
        """Move the clock forward to that hour of the tenant's day."""
        now = clock.now(self.store)
        local = local_datetime(now, ZONE)
        clock.move(self.store, (hour * HOUR - local.hour * HOUR - local.minute * MINUTE) % DAY)

    def pass_time(self, millis: int) -> None:
        """Move the clock, and let what fell due be settled."""
        clock.move(self.store, millis)
        tick.sweep(self.store)


@pytest.fixture(scope="module")
def shop(stack: DeployedStack) -> Iterator[Shop]:
    """Open for business, at noon; the clock is as before when it closes."""
    store = Store.at(stack.instance.endpoint, stack.outputs)
    before = clock.offset(store)
    # As in a new account: e-mail goes from and to verified domains only.
    store.client("sesv2").create_email_identity(EmailIdentity="example.test")
    operator = Client(stack.api_url, stack.operator_key)
    messaging = {"quiet_hours": NIGHT, "email": {"from_address": "news@example.test"}, "prices": {"push": {"*": 1_000_000}}}
    settings = {"name": "Letters", "currency": "EUR", "time_zone": ZONE, "messaging": messaging}
    operator.post("/v1/tenants", {"id": TENANT, "settings": settings})
    client = operator.as_(operator.post(f"/v1/tenants/{TENANT}/keys", {"scopes": SCOPES, "label": "all"})["key"])
    operator.put(f"/v1/tenants/{TENANT}/push/gcm", {"credential": "{}"})
    client.put("/v1/locations", {"locations": [{"id": "main", "name": "Main"}]})
    half = {"name": "Half price", "effect": {"kind": "percent", "percent": 50}, "content": {"en": {"title": "Half price"}}}
    published = [
        publish(client, "offers", "half", {**half, "valid_days": 14}),
        publish(client, "offers", "thanks", half),
        publish(client, "segments", "everybody", {"name": "Everybody", "rule": EVERYBODY}),
        publish(client, "segments", "no-birthday", {"name": "No birthday", "rule": NO_BIRTHDAY}),
    ]
    opened = Shop(store, client, [])
    opened.set_hour(12)
    wait_until_in_force(store, published)
    for number in range(10):
        opened.join(number)
    # Not at the next minute: what the segment's publication left to the sweep is done now.
    tick.sweep(store)
    eventually(lambda: len(client.get("/v1/segments/everybody/members")["data"]) == 10, 90)
    yield opened
    clock.move(store, before - clock.offset(store))


def test_a_night_defers_and_the_morning_sends_to_each_variant_but_the_holdout(shop: Shop) -> None:
    shop.set_hour(23)
    shop.launch("new", SPLIT)
    held = {member for member in shop.members if held_out("new", member, 40)}
    meant = len(shop.members) - len(held)
    shop.counts("new", planned=10, deferred=meant, held_out=len(held), sent=0)
    assert shop.delivered("new") == {}
    shop.pass_time(9 * HOUR + MINUTE)
    shop.counts("new", planned=10, deferred=meant, held_out=len(held), sent=meant, claimed=meant)
    found = shop.delivered("new")
    assert found.keys() == set(shop.members) - held
    assert all(len(messages) == 1 for messages in found.values())
    titles = [messages[0]["title"] for messages in found.values()]
    report = shop.report("new")
    by_variant = {part["name"]: part["sent"] for part in report["variants"]}
    assert sum(by_variant.values()) == meant
    assert sorted(by_variant.values()) == sorted(titles.count(title) for title in set(titles))
    assert report["cost"] == meant


def test_answers_and_redemptions_stand_in_her_profile_and_in_the_report(shop: Shop) -> None:
    member = next(iter(shop.delivered("new")))
    (message,) = shop.delivered("new")[member]
    for number, kind in enumerate(("message.opened", "message.clicked", "message.clicked")):
        event = {"event_id": f"new-{number}", "member_id": member, "type": kind, "occurred_at": format_rfc3339(clock.now(shop.store))}
        shop.client.post("/v1/events", {**event, "campaign_id": "new", "step": message["step"]})
    sale = {
        "source": "pos", "location_id": "main", "channel": "pos", "occurred_at": format_rfc3339(clock.now(shop.store)), "currency": "EUR",
        "business_date": local_datetime(clock.now(shop.store), ZONE).date().isoformat(), "receipt_number": "letters-1",
        "member": {"id": member}, "lines": [{"id": "1", "category": "coffee", "unit_price": 600}],
        "coupons": [{"id": message["data"]["coupon_id"]}],
    }  # fmt: skip
    assert shop.client.post("/v1/transactions", sale)["totals"]["discount"] == 300
    shop.counts("new", opened=1, clicked=1, redeemed=1, converted=1, discount=300, attributed_hard=1)
    assert message["data"]["coupon_id"] not in shop.vouchers()[member]


def test_ten_days_before_her_voucher_ends_she_is_told_and_only_then(shop: Shop) -> None:
    shop.launch("hurry", LAST_DAYS)
    holders = {member: max(hers.values()) for member, hers in shop.vouchers().items() if hers}
    told_at = min(holders.values()) - 10 * DAY - 14 * HOUR
    shop.set_hour(10)
    days = -1
    while clock.now(shop.store) + DAY < told_at:
        shop.pass_time(DAY + (10 * MINUTE if days < 0 else 0))
        days += 1
        time.sleep(2)
        assert shop.delivered("hurry") == {}
    shop.pass_time(DAY)
    eventually(lambda: shop.delivered("hurry").keys() == holders.keys())
    assert days >= 0
    shop.counts("hurry", sent=len(holders))


def test_a_form_by_deep_link_earns_its_coupon_once(shop: Shop) -> None:
    shop.set_hour(12)
    shop.launch("birthday", BIRTHDAY)
    shop.counts("birthday", sent=len(shop.members))
    member, messages = next(iter(shop.delivered("birthday").items()))
    path = "/v1/forms/" + messages[0]["data"]["deep_link"].rsplit("/", 1)[-1]
    anybody = Client(shop.client.base)
    receipts = [anybody.post(path, {"values": {"birth_date": "1994-05-17"}}) for _ in range(2)]
    assert receipts[0]["coupon"]["id"] == receipts[1]["coupon"]["id"]
    assert shop.she(member)["profile"]["birth_date"] == "1994-05-17"
    shop.counts("birthday", sent=len(shop.members), submitted=1)


def test_one_click_unsubscribes_for_good(shop: Shop) -> None:
    shop.launch("letter", LETTER)
    shop.counts("letter", sent=len(shop.members))
    member, messages = next(iter(shop.delivered("letter").items()))
    (message,) = messages
    link = next(value for name, value in message["headers"].items() if name.lower() == "list-unsubscribe").strip("<>")
    assert one_click(link) == 200
    assert one_click(link) == 200
    consents = shop.she(member)["consents"]
    assert {each["channel"]: each["granted"] for each in consents} == {"push": True, "email": False}
    shop.counts("letter", unsubscribed=1)
    shop.launch("letter-again", LETTER)
    shop.counts("letter-again", planned=len(shop.members), sent=len(shop.members) - 1, suppressed=1)
    assert member not in shop.delivered("letter-again")


def one_click(link: str) -> int:
    """As a mail program does it (RFC 8058)."""
    parts = urlsplit(link)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    connection.request("POST", f"{parts.path}?{parts.query}".rstrip("?"), "List-Unsubscribe=One-Click", headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_every_number_is_what_the_rows_say(shop: Shop) -> None:
    def differences() -> list[str]:
        picture = verify.take(shop.store.scan())
        return [line for check in verify.CHECKS.values() for line in check(picture)]

    eventually(lambda: differences() == [])
