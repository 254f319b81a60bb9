"""The six steps of the story, played by API calls as an app, a kiosk and a marketer would make them.

Every number that is printed is read again by GET and compared: a step that prints something that is not so fails.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from local import clock, console, outbox
from local.client import Client
from local.issuer import Issuer
from local.mapping import Story
from local.setting import publish, wait_until_in_force
from local.store import Store
from shared.kernel.instants import format_rfc3339
from shared.kernel.money import format_money


@dataclass(slots=True)
class Teller:
    """Who plays: three clients of one tenant, and what they know of the shop."""

    store: Store
    tenant: str
    currency: str
    zone: str
    source: str
    story: Story
    items: dict[str, dict[str, Any]]
    new_items: list[str]
    issuer: Issuer
    app: Client
    till: Client
    marketer: Client
    run: str
    receipt: int = 0

    def money(self, minor: int) -> str:
        """An amount for people."""
        return format_money(minor, self.currency)

    def now(self) -> int:
        """The stage's present."""
        return clock.now(self.store)

    def basket(self, member: str, lines: list[str], **more: Any) -> dict[str, Any]:
        """A basket of one of each item."""
        rows = [{"id": str(i), "item_id": item, "unit_price": self.items[item]["price"]} for i, item in enumerate(lines, 1)]
        body = {"source": self.source, "location_id": self.story.outlet, "channel": "kiosk", "occurred_at": format_rfc3339(self.now())}
        return {**body, "currency": self.currency, "lines": rows, "member": {"id": member}, **more}

    def sale(self, member: str, lines: list[str], **more: Any) -> dict[str, Any]:
        """A finished sale with a receipt number of its own."""
        self.receipt += 1
        day = datetime.fromtimestamp(self.now() / 1000, ZoneInfo(self.zone)).date().isoformat()
        return {**self.basket(member, lines, **more), "business_date": day, "receipt_number": f"demo-{self.run}-{self.receipt}"}


@dataclass(slots=True)
class Guest:
    """The guest of the story."""

    member: str
    own: Client
    coupon: str = ""


def same(what: str, printed: object, read_again: object) -> None:
    """What was printed must be what the system says when asked again."""
    if printed != read_again:
        raise console.Failure(f"{what}: printed {printed}, read again {read_again}", "This is a defect of Regulars; please report it.")


def play(teller: Teller) -> None:
    """All six steps."""
    guest = registers(teller)
    welcome(teller, guest)
    at_the_kiosk(teller, guest)
    profile_and_return(teller, guest)
    birthday_form(teller, guest)
    new_products(teller, guest)


def registers(teller: Teller) -> Guest:
    """1. She registers in the app with Apple ID; her consents are recorded with proof."""
    console.title("1. A guest registers in the app with Apple ID")
    nonce = f"nonce-{teller.run}"
    token = teller.issuer.token(f"001.{teller.run}", f"guest{teller.run}@example.test", nonce, teller.now())
    consent = {"purpose": "marketing", "channel": "push", "granted": True, "document_version": "2026-01", "text_shown": "Send me offers"}
    body = {
        "identity": {"provider": "apple", "token": token, "nonce": nonce},
        "profile": {"first_name": "Anna", "language": "en"},
        "consents": [consent],
        "source": "app",
        "location_id": teller.story.outlet,
        "device": {"platform": "gcm", "token": f"device-token-{teller.run}"},
    }
    answer = teller.app.post("/v1/members", body)
    guest = Guest(answer["member_id"], teller.app.as_(answer["access_token"]))
    again = teller.app.call("POST", "/v1/members", body)
    same("registering twice", (200, guest.member), (again.status, again.body["member_id"]))
    me = guest.own.get("/v1/me")
    same("member", guest.member, me["member_id"])
    consents = [f"{each['purpose']} by {each['channel']}" for each in me["consents"] if each["granted"]]
    console.say(f"   member {guest.member}, consents: {', '.join(consents)} (document {me['consents'][0]['document_version']})")
    console.say("   the same Apple ID again: answered 200 with the same member")
    return guest


def welcome(teller: Teller, guest: Guest) -> None:
    """2. The persistent campaign gives her a coupon."""
    console.title("2. The welcome campaign gives her a coupon")
    registered = guest.own.get("/v1/me")["joined_at"]
    message = outbox.wait_for(teller.store, teller.tenant, guest.member, "welcome")
    lag = _millis(message["sent_at"]) - _millis(registered)
    coupons = guest.own.get("/v1/me/coupons")["data"]
    guest.coupon = next(each["coupon_id"] for each in coupons if each["offer_id"] == "welcome")
    same("coupon of the message", message["data"]["coupon_id"], guest.coupon)
    console.say(f'   push as delivered: "{message["title"]}": {message["body"]}')
    console.say(f"   coupon {guest.coupon}, active; {lag} ms from her registration to the push")


def at_the_kiosk(teller: Teller, guest: Guest) -> None:
    """3. At the kiosk she is identified, gets a quote, uses the coupon and orders more."""
    console.title("3. At the kiosk: identified, quoted")
    found = teller.till.post("/v1/members/identify", {"id": guest.member})
    same("usable coupons", [guest.coupon], [each["coupon_id"] for each in found["coupons"]])
    lines = [teller.story.welcome_item, teller.story.second_item]
    quote = teller.till.post("/v1/quotes", teller.basket(guest.member, lines, coupons=[{"id": guest.coupon}]))
    wallet = guest.own.get("/v1/me/wallet")["wallets"]
    same("a quote writes nothing", [], [each for each in wallet if each["available"]])
    totals = quote["totals"]
    console.say(f"   {found.get('name', 'guest')}, {found['balance']} points, coupon: {found['coupons'][0].get('title')}")
    console.say(
        f"   quote: {teller.money(totals['amount'])}, {teller.money(totals['discount'])} off, to pay {teller.money(totals['due'])},"
        f" will earn {quote['points']['earned']} points"
    )


def profile_and_return(teller: Teller, guest: Guest) -> None:
    """4. The purchase is recorded; her profile follows in the same write. A return reverses exactly its part."""
    console.title("4. The purchase: points, profile, segments; then a return")
    lines = [teller.story.welcome_item, teller.story.second_item]
    request = teller.sale(guest.member, lines, coupons=[{"id": guest.coupon}])
    started = time.monotonic()
    sold = teller.till.post("/v1/transactions", request)
    took = (time.monotonic() - started) * 1000
    replay = teller.till.call("POST", "/v1/transactions", request)
    same("the till's retry", (200, sold), (replay.status, replay.body))
    read = teller.till.get(f"/v1/transactions/{sold['transaction_id']}")
    same("transaction", sold["points"], read["points"])
    wallet = guest.own.get("/v1/me/wallet")["wallets"][0]
    same("balance", sold["points"]["balance"], wallet["available"])
    profile = guest.own.get("/v1/me/profile")
    same("purchases", (1, sold["totals"]["amount"] - sold["totals"]["discount"]), (profile["purchases"], profile["value"]))
    tags = ", ".join(f"{each['tag']} {each['share_percent']} %" for each in profile["habits"]["tags"])
    segments = _segments(guest)
    paid, earned = teller.money(sold["totals"]["due"]), sold["points"]["earned"]
    console.say(f"   sale in {took:.0f} ms: paid {paid}, {earned} points; the till's retry was answered the same")
    place = profile["habits"]["favourites"].get("location")
    console.say(f"   profile: 1 visit, {teller.money(profile['value'])}, favourite location {place}, tags: {tags}")
    console.say(f"   segments now: {', '.join(segments)}")
    second = teller.till.post("/v1/transactions", teller.sale(guest.member, [teller.story.second_item] * 2))
    back = teller.till.post("/v1/returns", _return_of(teller, second["transaction_id"]))
    after = guest.own.get("/v1/me/wallet")["wallets"][0]
    same("balance after the return", wallet["available"], after["available"])
    same("points of the return", (second["points"]["earned"], back["balance"]), (back["points_reversed"], after["available"]))
    earned, taken = second["points"]["earned"], back["points_reversed"]
    console.say(f"   a second purchase earned {earned}, its return took {taken} back: {after['available']} points")


def birthday_form(teller: Teller, guest: Guest) -> None:
    """5. A campaign asks members without a birthday to fill in a form; the form earns a coupon."""
    console.title("5. A campaign asks whose birthday is unknown to fill in a form")
    form = {"fields": ["birth_date"], "offer": "thanks"}
    content = {"en": {"title": "When is your birthday?", "body": "Tell us, and get something off your next visit."}}
    body: dict[str, Any] = {"name": "Birthday form", "trigger": {"kind": "once"}, "audience": {"segment": "no-birthday"}}
    body["steps"] = [{"id": "ask", "content": content, "form": form}]
    campaign = _launch(teller, f"birthday-{teller.run}", body)
    message = outbox.wait_for(teller.store, teller.tenant, guest.member, campaign)
    link = message["data"]["deep_link"]
    path = "/v1/forms/" + link.rsplit("/", 1)[-1]
    anybody = Client(teller.app.base)
    fields = [each["name"] for each in anybody.get(path)["fields"]]
    receipt = anybody.post(path, {"values": {"birth_date": "1994-05-17"}})
    again = anybody.post(path, {"values": {"birth_date": "1994-05-17"}})
    same("submitting twice", receipt["coupon"]["id"], again["coupon"]["id"])
    me = guest.own.get("/v1/me")
    same("birth date", "1994-05-17", me["profile"]["birth_date"])
    held = [each["coupon_id"] for each in guest.own.get("/v1/me/coupons")["data"]]
    same("the form's coupon is held", True, receipt["coupon"]["id"] in held)
    same("she left the segment", False, "no-birthday" in _segments(guest))
    console.say(f'   push: "{message["title"]}", the form asks for: {", ".join(fields)}')
    console.say(f"   submitted: coupon {receipt['coupon']['id']} ({receipt['coupon'].get('title')}); she has left the segment")


def new_products(teller: Teller, guest: Guest) -> None:
    """6. A coupon for new products goes to a segment; opens, clicks and redemptions come back into the report."""
    segment = f"prefers-{teller.story.tag}"
    console.title(f"6. A coupon for new products to the segment {segment}")
    content = {"en": {"title": "Something new", "body": "{{ coupon.title }}, until {{ coupon.expires_on }}."}}
    body: dict[str, Any] = {"name": "New products", "trigger": {"kind": "once"}, "audience": {"segment": segment}}
    body["steps"] = [{"id": "try", "content": content, "offer": "new"}]
    campaign = _launch(teller, f"new-{teller.run}", body)
    message = outbox.wait_for(teller.store, teller.tenant, guest.member, campaign)
    coupon = message["data"]["coupon_id"]
    for number, kind in enumerate(("message.opened", "message.clicked", "message.clicked")):
        event = {"event_id": f"{campaign}-{number}", "member_id": guest.member, "type": kind, "occurred_at": format_rfc3339(teller.now())}
        teller.app.post("/v1/events", {**event, "campaign_id": campaign, "step": "try"})
    sold = teller.till.post("/v1/transactions", teller.sale(guest.member, [teller.new_items[0]], coupons=[{"id": coupon}]))
    report = _report(teller, campaign, redeemed=1, clicked=1, sent=1)
    console.say(f'   push: "{message["title"]}": {message["body"]}')
    saved, balance = teller.money(sold["totals"]["discount"]), sold["points"]["balance"]
    console.say(f"   redeemed: {saved} off; balance {balance} points, tier {sold.get('tier', 'none')}")
    same("balance", balance, guest.own.get("/v1/me/wallet")["wallets"][0]["available"])
    counts = ", ".join(f"{name} {report[name]}" for name in ("claimed", "sent", "opened", "clicked", "redeemed"))
    console.say(f"   report: {counts} (clicked twice, counted once)")


def _launch(teller: Teller, id_: str, body: dict[str, Any]) -> str:
    """Define, publish and launch a campaign."""
    published = publish(teller.marketer, "campaigns", id_, body)
    wait_until_in_force(teller.store, [published])
    teller.marketer.post(f"/v1/campaigns/{id_}/launch")
    return id_


def _report(teller: Teller, campaign: str, **expected: int) -> dict[str, Any]:
    """The report, once what is on its way has been counted."""
    until = time.monotonic() + 30
    while True:
        report: dict[str, Any] = teller.marketer.get(f"/v1/campaigns/{campaign}/report")
        if all(report.get(name, 0) >= count for name, count in expected.items()):
            break
        if time.monotonic() > until:
            raise console.Failure(f"the report says {report}, expected {expected}", "Look for dead letters: python -m local dlq")
        time.sleep(0.1)
    same("report", expected, {name: report.get(name, 0) for name in expected})
    return report


def _segments(guest: Guest) -> list[str]:
    return [each["segment_id"] for each in guest.own.get("/v1/me/segments")["segments"]]


def _return_of(teller: Teller, transaction: str) -> dict[str, Any]:
    sale = teller.sale("", [])
    return {
        "source": teller.source,
        "location_id": teller.story.outlet,
        "business_date": sale["business_date"],
        "receipt_number": sale["receipt_number"],
        "occurred_at": sale["occurred_at"],
        "transaction_id": transaction,
    }


def _millis(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
