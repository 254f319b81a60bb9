"""A tenant with something of everything, made by its own calls and the workers behind them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.kernel.instants import DAY, MINUTE, format_rfc3339
from shared.kernel.scopes import MEMBER, OPERATOR, SCOPES
from shared.members.form_links import KEY_PURPOSE, Invitation, seal_invitation
from shared.messaging.port import Unclear
from shared.privacy.crypto import derive
from shared.relay.envelope import of_record
from shared.storage import keys
from shared.tenants.credentials import OPERATOR_KEY_ID
from tests.builders.apple import public_keys
from tests.isolation.building import BASE, Building, Said
from tests.isolation.cloud import MASTER
from tests.isolation.cloud import OPERATOR as OPERATOR_SECRET
from tests.unit.media.pictures import encoded, quarters

THE_OPERATOR = f"lyk_{OPERATOR_KEY_ID}_{OPERATOR_SECRET}"
KEY_SCOPES = sorted(SCOPES.keys() - {MEMBER, OPERATOR})
KINDS = ("programme", "offer", "promotion", "reward", "segment", "campaign", "challenge")
WEBHOOK = "crm"
BROWSER = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1"}
_PICTURE = re.compile(re.escape(BASE) + r"/o/[^/]+/([A-Za-z0-9_-]+\.gif)")
_LINK = re.compile(re.escape(BASE) + r"/([lu])/[^/]+/([A-Za-z0-9_-]+)")


@dataclass
class Tenant:
    """A filled tenant. ``mark`` is in every text that it wrote, and in nothing of anybody else."""

    building: Building
    id: str
    mark: str
    number: int
    ids: dict[str, str] = field(default_factory=dict)
    """One of each kind of thing that has an id, and of each text that opens something."""
    key: str = ""
    """With every scope that a key can hold."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Of the members ``member`` and ``friend``."""
    feedback: dict[str, Any] = field(default_factory=dict)
    """What a provider told of a letter."""
    code: str = ""
    """The one-time code that ``member`` was sent."""
    confirmation_code: str = ""
    """What ``friend`` was sent to confirm a payment with points."""
    etags: dict[str, str] = field(default_factory=dict)
    """What If-Match takes, by operation."""

    @property
    def phone(self) -> str:
        return f"+49301234{self.number}"

    @property
    def card(self) -> str:
        return f"7700{self.number}"

    def planted(self) -> list[str]:
        """What nobody else may ever read of it."""
        secret = [value for kind, value in self.ids.items() if kind not in ("tenant", "conversion")]
        return [self.mark, self.phone, self.card, *secret]

    # -- calls --------------------------------------------------------------------------------------------------------

    def call(self, operation: str, body: Any = None, *, query: Mapping[str, str] | None = None, call: str = "", **path: str) -> Any:
        """A call with the tenant's key, which must succeed; answers its body."""
        headers = {"idempotency-key": call} if call else {"idempotency-key": f"fill-{operation}-{len(self.building.asked)}"}
        return ok(operation, self.building.call(operation, self.key, body, path=path, query=query, headers=headers))

    def by_operator(self, operation: str, body: Any = None, **path: str) -> Any:
        """A call by the operator."""
        return ok(operation, self.building.call(operation, THE_OPERATOR, body, path=path))

    # -- filling ------------------------------------------------------------------------------------------------------

    def fill(self) -> Tenant:
        """Everything, in the order in which it comes about."""
        self._found()
        self._define()
        self.building.keep_definitions(1000)
        self._enrol()
        self._sell()
        self._reward()
        self._flag()
        self._send()
        self._let_know()
        self._tidy()
        self.building.keep_definitions(0)
        self.building.cloud.sqs.sent.clear()
        return self

    def sign_in(self) -> None:
        """Tokens and codes of members, and what a definition's If-Match takes: all are of the moment."""
        self.ids["otp"] = self.call("send_code", {"kind": "email", "value": f"member@{self.mark}.example"})["otp_id"]
        (self.code,) = re.findall(r"[0-9]{6}", self.building.senders["email"].taken[-1][1].body)
        self._ask_confirmations()
        for who in ("member", "friend"):
            body = {"grant": "refresh_token", "refresh_token": self.ids[f"refresh token of {who}"]}
            self.tokens[who] = ok("get_tokens", self.building.call("get_tokens", body=body))["access_token"]
        self.ids["refresh token"] = self.ids["refresh token of third"]
        for kind in KINDS:
            got = self.building.call(f"get_{kind}", self.key, path={"definition_id": self.ids[kind]})
            self.etags[f"replace_{kind}"] = got.headers["etag"]
        self.etags["replace_tenant"] = self.building.call("get_tenant", THE_OPERATOR, path={"tenant_id": self.id}).headers["etag"]

    def _ask_confirmations(self) -> None:
        """Of one member in her app, of another by a code; both are good for ten minutes."""
        about = {"location_id": self.ids["location"], "points": 5}
        asked = self.call("ask_confirmation", {"member": {"id": self.ids["member"]}, "way": "app", **about})
        self.ids["confirmation"] = asked["confirmation_id"]
        asked = self.call("ask_confirmation", {"member": {"id": self.ids["friend"]}, "way": "email", **about})
        self.ids["coded confirmation"] = asked["confirmation_id"]
        (self.confirmation_code,) = re.findall(r"[0-9]{6}", self.building.senders["email"].taken[-1][1].body)

    def name(self, what: str) -> str:
        """An id of a definition of this tenant: as long as every other tenant's."""
        return f"{self.id}-{what}"

    def create(self) -> None:
        """The tenant itself, with its settings."""
        self.by_operator("create_tenant", {"id": self.id, "settings": self.settings()})

    def _found(self) -> None:
        self.ids["tenant"] = self.id
        self.create()
        made = self.by_operator("create_key", {"scopes": KEY_SCOPES, "label": f"{self.mark} till"}, tenant_id=self.id)
        self.key, self.ids["key"] = made["key"], made["key_id"]
        groups = [{"id": self.name("west"), "name": f"{self.mark} west"}]
        groups.append({"id": self.name("cologne"), "name": f"{self.mark} cologne", "parent": self.name("west")})
        self.call("put_location_groups", {"groups": groups})
        hired = {"email": f"anna@{self.mark}.example", "group": "marketer", "label": f"{self.mark} desk"}
        self.ids["location group"] = self.name("west")
        self.ids["staff"] = self.call("invite_staff", {**hired, "location_group": self.name("west")})["staff_id"]
        self.by_operator("set_push_application", {"credential": '{"project_id": "p"}'}, tenant_id=self.id, platform="gcm")
        for id_ in ("mitte", "nord"):
            place = self.ids[f"location of {id_}"] = self.name(id_)
            groups = [self.name("cologne")] if id_ == "nord" else []
            self.call("put_locations", {"locations": [{"id": place, "name": f"{self.mark} {id_}", "groups": groups}]})
        self.ids["location"] = self.name("mitte")
        self.ids["item"] = self.name("burger")
        for each in ("burger", "fries", "mug"):
            item = {"id": self.name(each), "name": f"{self.mark} {each}", "category": "mains", "price": 900}
            self.call("put_items", {"items": [item]})

    def settings(self) -> dict[str, Any]:
        """Of this tenant."""
        return {
            "identity_providers": {"apple": {"audiences": [f"{self.id}.app"], "jwks": public_keys()}},
            "name": f"{self.mark} House", "currency": "EUR", "time_zone": "Europe/Berlin", "country": "DE", "languages": ["en"],
            "wallets": {"points": {"transfers": True}, "stars": {}},
            "messaging": {
                "email": {"from_address": f"news@{self.mark}.example"}, "sms": {"origination": self.mark},
                "per_second": {"email": 1000}, "webhooks": {WEBHOOK: {"url": f"https://{self.mark}.example/hook"}},
            },
        }  # fmt: skip

    def definitions(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Kind, id, body. Two of each kind, so that no list fits on one page."""
        content = {"en": {"title": f"{self.mark} title", "text": f"{self.mark} text"}}
        fries, burger = self.name("fries"), self.name("burger")
        voucher = {"name": f"{self.mark} voucher", "effect": {"kind": "amount", "amount": 500}, "per_member": 50, "content": content}
        yield "offer", self.name("voucher"), voucher
        yield "offer", self.name("gift"), {**voucher, "effect": {"kind": "free_item", "item": fries}}
        programme = {
            "name": f"{self.mark} points",
            "earning": [{"kind": "per_amount", "id": "base", "points": 1, "per": 100}],
            "expiry": {"kind": "after_days", "days": 365},
            "spending": {"points": 1, "value": 5, "max_share_percent": 50},
            "conversions": [{"id": "five", "points": 10, "offer": self.name("voucher"), "most_at_once": 3}],
            "tiers": {"levels": [{"id": f"{self.mark}-silver", "name": f"{self.mark} silver", "threshold": 500}]},
        }
        yield "programme", self.name("points"), programme
        yield "programme", self.name("extra"), {**programme, "wallet": "stars", "conversions": [], "tiers": None, "spending": None}
        for id_ in ("ten", "five"):
            ten = {"name": f"{self.mark} ten", "effect": {"kind": "percent", "percent": 10}, "scope": {"items": [fries]}}
            yield "promotion", self.name(id_), ten | {"content": content}
        for id_, gives in (("mug", {"kind": "item", "item": self.name("mug")}), ("free", {"kind": "coupon", "offer": self.name("gift")})):
            yield "reward", self.name(id_), {"name": f"{self.mark} {id_}", "price": 10, "gives": gives, "content": content}
        for id_, least in (("buyers", 1), ("fans", 100)):
            rule = {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": least}
            yield "segment", self.name(id_), {"name": f"{self.mark} {id_}", "rule": rule}
        for id_ in ("week", "month"):
            goal = {"of": "items", "on": {"items": [burger]}, "threshold": 30}
            challenge = {"name": f"{self.mark} {id_}", "content": content, "goal": goal, "window": {"days": 7}, "reward": {"points": 5}}
            yield "challenge", self.name(id_), challenge
        page = f'<p>{self.mark}, <a href="https://{self.mark}.example/menu">look</a> or <a href="{{{{ unsubscribe_link }}}}">no</a></p>'
        text = {"title": self.mark, "body": "{{ unsubscribe_link }}", "html": page}
        letter = {"id": "tell", "channel": "email", "content": {"en": text}}
        yield "campaign", self.name("letter"), {"name": f"{self.mark} letter", "trigger": {"kind": "once"}, "steps": [letter]}
        text = {"title": self.mark, "body": f"{self.mark} note"}
        note = {"id": "tell", "channel": "inbox", "offer": self.name("voucher"), "content": {"en": text}}
        called = {"name": f"{self.mark} called", "trigger": {"kind": "api", "data": ["table"]}, "steps": [note]}
        yield "campaign", self.name("called"), called

    def _define(self) -> None:
        for kind, id_, body in self.definitions():
            self.call(f"create_{kind}", {"id": id_, "definition": {k: v for k, v in body.items() if v is not None}})
            self.call(f"publish_{kind}", {}, definition_id=id_)
            self.building.now += MINUTE
        first = dict.fromkeys(KINDS, "")
        for kind, id_, _body in self.definitions():
            first[kind] = first[kind] or id_
        self.ids |= first | {"gift": self.name("gift"), "tier": f"{self.mark}-silver", "conversion": "five"}
        self.ids |= {"call": self.name("called"), "list": self.name("vips")}

    def _enrol(self) -> None:
        for number, who in enumerate(("member", "friend", "third")):
            card = f"{self.card}{number or ''}"
            yes = {"purpose": "marketing", "granted": True, "document_version": "v1"}
            consents = [yes | {"channel": channel} for channel in ("inbox", "push")]
            proven = {"confirmed_at": format_rfc3339(self.building.now), "confirmed_by": "before"}
            consents.append(yes | {"channel": "email"} | proven)
            profile = {"first_name": f"{self.mark}{who}", "email": f"{who}@{self.mark}.example", "phone": self.phone, "language": "en"}
            body = {
                "source": "app", "identifiers": [{"kind": "external", "value": card}], "profile": profile, "consents": consents,
                "device": {"platform": "gcm", "token": f"token-of-{self.mark}-{who}"}, "remember": True,
                "opening_balances": [{"points": 1000}], "attributes": {"pet": f"{self.mark} dog"}, "tags": [f"{self.mark}tag"],
            }  # fmt: skip
            joined = self.call("register_member", body)
            self.ids[who], self.ids[f"refresh token of {who}"] = joined["member_id"], joined["refresh_token"]
        self.ids["external"] = self.card
        added = self.call("add_device", {"platform": "gcm", "token": f"token-two-of-{self.mark}"}, member_id=self.ids["member"])
        self.ids["device"] = added["device_id"]
        added = self.call("add_device", {"platform": "gcm", "token": f"token-three-of-{self.mark}"}, member_id=self.ids["friend"])
        self.ids["friend's device"] = added["device_id"]
        found = self.building.call("get_tenant", THE_OPERATOR, path={"tenant_id": self.id})
        tested, headers = found.body["settings"], {"if-match": found.headers["etag"]}
        tested["messaging"]["test_members"] = [self.ids["member"]]
        put = self.building.call("replace_tenant", THE_OPERATOR, {"settings": tested}, path={"tenant_id": self.id}, headers=headers)
        ok("replace_tenant", put)
        self.ids["referral code"] = self.call("get_referral_code", member_id=self.ids["member"])["code"]
        self.call("change_list_members", {"add": [self.ids["friend"]]}, list_id=self.ids["list"])
        self._work("members_queue_url", "registration")
        news = {"purpose": "news", "channel": "email", "granted": True, "document_version": "v1"}
        self.call("set_consents", {"consents": [news]}, member_id=self.ids["member"])
        stored = self.building.image()[self.building.main, keys.member(self.id, self.ids["member"]), keys.STATE]
        told = of_record({"dynamodb": {"NewImage": stored}})
        assert told is not None
        self.building.deliver("member_rights", [{"detail": told.detail()}])
        _, asking = self.building.senders["email"].taken[-1]
        (self.ids["confirm token"],) = re.findall(r"/c/[^/]+/([A-Za-z0-9_-]+)", asking.body)
        invitation = Invitation(self.id, self.ids["member"], self.ids["campaign"], "tell", ("city",), None, self.building.now + 30 * DAY)
        self.ids["form token"] = seal_invitation(derive(MASTER.encode(), KEY_PURPOSE), invitation)

    def _flag(self) -> None:
        """A sale that was made offline with a card that is blocked, and a proven address to send codes to."""
        third, card = self.ids["third"], {"kind": "card", "value": f"99{self.card}"}
        self.call("add_identifier", card, member_id=third)
        self.call("block_identifier", card, member_id=third)
        sold = self.call("record_transaction", self.sale(f"{self.mark}-flagged", offline=True) | {"member": card})
        self.ids["flagged"] = sold["transaction_id"]
        email = {"kind": "email", "value": f"friend@{self.mark}.example", "proof": "till"}
        self.call("add_identifier", email, member_id=self.ids["friend"])

    def sale(self, receipt: str, member: str | None = None, **more: Any) -> dict[str, Any]:
        """The body of a sale here."""
        body = {
            "source": "till", "location_id": self.ids["location"], "business_date": format_rfc3339(self.building.now)[:10],
            "receipt_number": receipt, "occurred_at": format_rfc3339(self.building.now), "currency": "EUR",
            "lines": [{"id": "1", "item_id": self.ids["item"], "unit_price": 900}],
        }  # fmt: skip
        return body | ({"member": {"id": member}} if member else {}) | more

    def _sell(self) -> None:
        member = self.ids["member"]
        self.building.now += MINUTE
        self.ids["receipt"] = f"{self.mark}-1"
        self.ids["transaction"] = self.call("record_transaction", self.sale(self.ids["receipt"], member))["transaction_id"]
        self.call("record_transaction", self.sale(f"{self.mark}-0", self.ids["friend"]))
        self.tell()
        self.ids["anonymous"] = self.call("record_transaction", self.sale(f"{self.mark}-2"))["transaction_id"]
        issued = self.call("issue_coupon", {"member_id": member, "request_id": "i1"}, offer_id=self.ids["offer"])
        self.ids["coupon"], self.ids["code"] = issued["id"], issued["code"]
        hers = self.call("issue_coupon", {"member_id": self.ids["friend"], "request_id": "i3"}, offer_id=self.ids["offer"])
        self.ids["friend's coupon"], self.ids["friend's code"] = hers["id"], hers["code"]
        self.ids["basket"] = f"{self.mark}-basket"
        basket = self.sale("x", member, basket_id=self.ids["basket"])
        del basket["business_date"], basket["receipt_number"]
        self.ids["hold"] = self.call("create_hold", basket)["hold_id"]
        held = self.call("issue_coupon", {"member_id": member, "request_id": "i2"}, offer_id=self.ids["offer"])
        self.ids["held coupon"] = held["id"]
        self.call("hold_coupon", {"id": held["id"], "basket_id": f"{self.mark}-other", "location_id": self.ids["location"]})
        self.ids["job"] = self.call("import_transactions", {"transactions": [self.sale(f"{self.mark}-3", member)]})["job_id"]
        self._work("transactions_queue_url", "transaction_ingestion")
        order = {"count": 10, "pattern": f"{self.mark.upper()[:6]}-####-#####", "request_id": "p1"}
        self.ids["pool"] = self.call("order_pool", order, offer_id=self.name("gift"))["pool_id"]
        self._work("coupons_queue_url", "coupon_redemption")
        opened = {"event_id": "e1", "member_id": member, "type": "app_opened", "occurred_at": format_rfc3339(self.building.now)}
        self.call("record_event", opened)
        self.call("give_challenge", {"member_id": member, "request_id": "c1"}, challenge_id=self.ids["challenge"])
        image = base64.b64encode(encoded(quarters(80 + self.number % 7, 64), "PNG")).decode()
        other = base64.b64encode(encoded(quarters(96 + self.number % 7, 64), "PNG")).decode()
        for data in (other, image):
            media = self.call("upload_media", {"name": f"{self.mark} picture", "content_type": "image/png", "data": data})
        self.ids["media"] = media["media_id"]

    def _reward(self) -> None:
        member = self.ids["member"]
        claimed = self.call("claim_reward", {"reward_id": self.name("mug")}, member_id=member, call="claim-1")
        self.ids["claim"] = claimed["claim_id"]
        claimed = self.call("claim_reward", {"reward_id": self.name("mug")}, member_id=self.ids["friend"], call="claim-2")
        self.ids["friend's claim"] = claimed["claim_id"]
        self.call("convert_points", {"programme": self.ids["programme"], "conversion": "five"}, member_id=member, call="convert-1")

    def _send(self) -> None:
        """A letter and a note by the workers, one of each so badly that a person must look at it."""
        member, friend = self.ids["member"], self.ids["friend"]
        for campaign in ("letter", "called"):
            self.call("launch_campaign", campaign_id=self.name(campaign))
        # Everything that was committed is told, as the relay tells it: listings, plans, snapshots' marks.
        self.tell()
        self.building.senders["email"].answers = {f"{who}@{self.mark}.example": Unclear() for who in ("friend", "third")}
        self._work("planning_queue_url", "campaign_planning")
        before = len(self.building.senders["email"].taken)
        self._work("sending_queue_url", "campaign_sending")
        self._trigger("k1", member, friend)
        messages = [message for _address, message in self.building.senders["email"].taken[before:]]
        hers = next(each for each in messages if each.origin["member"] == member)
        found = dict(_LINK.findall(f"{hers.body} {hers.html}"))
        self.ids["click token"], self.ids["unsubscribe token"] = found["l"], found["u"]
        for key, who in (("k2", member), ("k3", friend)):
            self.building.now += 1000
            self._trigger(key, who)
        self.ids["picture"] = _PICTURE.findall(hers.html)[0]
        inbox = self.call("list_inbox", member_id=member)["data"]
        self.ids["message"] = inbox[0]["id"]
        self.ids["friend's message"] = self.call("list_inbox", member_id=friend)["data"][0]["id"]

    def _trigger(self, key: str, *members: str) -> None:
        recipients = [{"member_id": each, "data": {"table": "1"}} for each in members]
        self.call("trigger_campaign", {"key": key, "recipients": recipients}, campaign_id=self.ids["call"])
        self._work("sending_queue_url", "campaign_sending")

    def _let_know(self) -> None:
        """Exports, statistics, sweeps: what works in the background."""
        self.ids["export"] = self.call("export_members", {"rule": {"kind": "bucket", "salt": "a", "from": 0, "until": 100}})["export_id"]
        for who, name in (("member", "access"), ("friend", "friend's access")):
            self.ids[name] = self.call("ask_access", member_id=self.ids[who])["access_id"]
        self._work("rights_queue_url", "member_rights")
        self.call("run_statistics")
        for _ in range(4):
            self._work("snapshots_queue_url", "segment_snapshots")
            self._work("exports_queue_url", "audiences")

    def _tidy(self) -> None:
        """What came back of messages, the sweep of timers, counts; and the relay, over everything that is stored."""
        self.tell()
        self.building.deliver("segment_evaluation", [{"kind": "sweep"}])
        self._work("segments_queue_url", "segment_evaluation")
        origin = self.building.senders["email"].taken[-1][1].origin
        tags = {"stage": ["test"], "tenant": [self.id], "member": [origin["member"]], "delivery": [origin["delivery"]]}
        mail = {"messageId": "m", "tags": tags, "timestamp": format_rfc3339(self.building.now)}
        self.feedback = {"source": "aws.ses", "detail": {"eventType": "Delivery", "mail": mail, "delivery": {}}}
        self.building.deliver("delivery_feedback", [self.feedback])
        records = [{"eventName": "INSERT", "dynamodb": {"NewImage": item}} for item in self.building.image().values() if "out" in item]
        self.building.run("event_relay", {"Records": records})
        self._seal()

    def _seal(self) -> None:
        """Two links of the chain: what is old enough already, and the rest."""
        for later in (0, 5 * MINUTE):
            self.building.now += later
            self.building.deliver("audit_sealing", [{"kind": "seal"}])
            self._work("audit_queue_url", "audit_sealing")
            self.building.now -= later

    def told_bounce(self) -> dict[str, Any]:
        """The same letter's, that came back for good."""
        detail = self.feedback["detail"]
        whose = [{"emailAddress": f"member@{self.mark}.example"}]
        back = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": whose}
        return {**self.feedback, "detail": {**detail, "eventType": "Bounce", "bounce": back}}

    def tell(self) -> list[dict[str, Any]]:
        """What the relay tells of everything of this tenant that is stored, to every consumer; answers the messages."""
        details = []
        for (_table, pk, _sk), item in self.building.image().items():
            envelope = of_record({"dynamodb": {"NewImage": item}}) if "out" in item and keys.tenant_of(pk) == self.id else None
            if envelope is not None:
                details.append({"detail": envelope.detail()})
        for function in ("segment_evaluation", "segment_snapshots", "campaign_planning"):
            self.building.deliver(function, details)
        for each in details:
            if each["detail"]["types"] == ["delivery.counted"]:
                self.building.deliver("campaign_reports", [each["detail"]], MessageGroupId=self.id)
        return details

    def _work(self, queue: str, function: str) -> None:
        """Let a consumer do what waits, and what it asks of itself."""
        for _ in range(60):
            waiting = self.building.cloud.sqs.take(queue)
            if not waiting:
                return
            self.building.deliver(function, waiting)


def ok(operation: str, said: Said) -> Any:
    """The body of an answer that is no refusal."""
    assert said.status < 400, f"{operation}: {said.status} {said.text[:600]}"
    return said.body


__all__ = ["BROWSER", "KEY_SCOPES", "THE_OPERATOR", "Tenant"]
