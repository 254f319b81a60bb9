"""The stage of the story: a tenant from a file, its keys, and what a marketer defines before the doors open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local import clock, console
from local.client import Client, Refused
from local.deploy import MAIL_DOMAIN
from local.env import DEMO, read_env, write_env
from local.issuer import Issuer
from local.mapping import Mapping, Story
from local.store import Store
from shared.kernel.instants import format_rfc3339

KEYS: dict[str, list[str]] = {
    "till": ["members:identify", "transactions:write", "transactions:read", "coupons:redeem", "definitions:read"],
    "app": ["members:register", "transactions:write"],
    "marketer": [
        "definitions:read", "definitions:write", "campaigns:run", "members:read", "points:write",
        "coupons:issue", "coupons:redeem", "coupons:release",
    ],
    "data_team": ["members:write", "members:register", "members:read", "transactions:write", "transactions:read", "definitions:write"],
}
"""Who holds which key. Each is shown once by the API; the demo notes them in .local/demo/env.json."""


def tenant_client(facts: dict[str, Any], mapping: Mapping, home: Path = DEMO) -> Client:
    """A client with the data team's key of the mapping's tenant; tenant and keys are made if they are not there."""
    return Client(facts["api_url"], ensure_tenant(facts, mapping, home)["data_team"])


def ensure_tenant(facts: dict[str, Any], mapping: Mapping, home: Path = DEMO) -> dict[str, str]:
    """The tenant's keys by who holds them; noted in the env file of ``home``."""
    shop, operator = mapping.shop, Client(facts["api_url"], facts["operator_key"])
    known: dict[str, Any] = read_env(home).get("tenants", {})
    if shop.tenant in known:
        return dict(known[shop.tenant])
    settings: dict[str, Any] = {"name": shop.name, "currency": shop.currency, "time_zone": shop.time_zone}
    settings["messaging"] = {"email": {"from_address": f"news@{MAIL_DOMAIN}"}}
    settings["identity_providers"] = {"apple": Issuer.at(home).settings()}
    if shop.country:
        settings["country"] = shop.country
    try:
        operator.post("/v1/tenants", {"id": shop.tenant, "settings": settings})
    except Refused as refused:
        if refused.status != 409:
            raise
    keys = {
        holder: operator.post(f"/v1/tenants/{shop.tenant}/keys", {"scopes": scopes, "label": holder})["key"]
        for holder, scopes in KEYS.items()
    }
    write_env(home, tenants={**known, shop.tenant: keys}, tenant=read_env(home).get("tenant", shop.tenant))
    return keys


def define_programme(marketer: Client) -> None:
    """1 point per 1.00 spent, worth 0.05, half of the bill at most; two tiers."""
    programme = {
        "name": "Points",
        "earning": [{"kind": "per_amount", "id": "base", "points": 1, "per": 100}],
        "expiry": {"kind": "after_days", "days": 365},
        "spending": {"points": 1, "value": 5, "max_share_percent": 50},
        "tiers": {
            "levels": [
                {"id": "silver", "name": "Silver", "threshold": 50},
                {"id": "gold", "name": "Gold", "threshold": 200, "multiplier_percent": 150},
            ]
        },
    }
    publish(marketer, "programmes", "points", programme)


def define_offers(marketer: Client, story: Story, item_names: dict[str, str], new_items: list[str]) -> None:
    """The welcome coupon, the form's coupon, and the coupon for new products."""
    welcome = item_names.get(story.welcome_item, "item")
    offers: dict[str, dict[str, Any]] = {
        "welcome": {
            "name": f"{welcome} for less",
            "effect": {"kind": "unit_price", "price": story.welcome_price},
            "scope": {"items": [story.welcome_item]},
            "content": {"en": {"title": f"{welcome} for 1.00"}},
        },
        "thanks": {
            "name": "Thank you for your birthday",
            "effect": {"kind": "percent", "percent": 20},
            "content": {"en": {"title": "20 % off your next visit"}},
        },
        "new": {
            "name": "Try what is new",
            "effect": {"kind": "percent", "percent": 50},
            "scope": {"items": new_items},
            "content": {"en": {"title": "Half price on what is new"}},
        },
    }
    for id_, body in offers.items():
        publish(marketer, "offers", id_, body)


def define_segments(marketer: Client, story: Story) -> None:
    """Who has bought this month, who prefers the tag, and whose birthday we do not know."""
    recent = {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 1}
    segments: dict[str, dict[str, Any]] = {
        "bought-this-month": {"name": "Bought in the last 30 days", "rule": recent},
        f"prefers-{story.tag}": {
            "name": f"Prefers {story.tag}",
            "rule": {"kind": "tag_share", "tag": story.tag, "days": 90, "op": "ge", "percent": 50},
        },
        "no-birthday": {"name": "Birthday unknown", "rule": {"kind": "attribute", "name": "known:birth_date", "op": "eq", "value": False}},
    }
    for id_, body in segments.items():
        publish(marketer, "segments", id_, body)


def publish(marketer: Client, kind: str, id_: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create and publish a definition, unless it is there."""
    path = f"/v1/{kind}/{id_}"
    try:
        found: dict[str, Any] = marketer.get(path)
    except Refused as refused:
        if refused.status != 404:
            raise
        found = marketer.post(f"/v1/{kind}", {"id": id_, "definition": body})
    if found["status"] == "draft":
        found = marketer.post(f"{path}/publish", {})
    return found


def wait_until_in_force(store: Store, definitions: list[dict[str, Any]]) -> None:
    """A published definition holds a moment later; on the local stage that is two seconds."""
    from time import sleep

    latest = max((each.get("effective_from") or "" for each in definitions), default="")
    for _ in range(100):
        if format_rfc3339(clock.now(store)) > latest:
            return
        sleep(0.1)
    raise console.Failure("a definition does not come into force", "Look at its effective_from: GET /v1/programmes")


def ensure_push(facts: dict[str, Any], mapping: Mapping, home: Path = DEMO) -> None:
    """The tenant's push application on SNS, made through the API with a stand-in credential: the local SNS takes any."""
    if read_env(home).get("push"):
        return
    operator = Client(facts["api_url"], facts["operator_key"])
    operator.put(f"/v1/tenants/{mapping.shop.tenant}/push/gcm", {"credential": "{}"})
    write_env(home, push=True)
