"""Good calls: what each parameter is an id of, and a body for every operation that takes one.

Everything here is written with a tenant's own ids. The walk finds them by their values and puts another tenant's in their place, so that
a body needs no marks. An operation without an entry gets a body that is made of its schema.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.kernel.instants import format_rfc3339
from tests.builders.apple import notice, pem
from tests.isolation.filling import KINDS, WEBHOOK, Tenant
from tests.unit.media.pictures import encoded, quarters

Maker = Callable[[Tenant], Any]

PARAMETERS: Final[Mapping[str, str]] = {
    "member_id": "member", "device_id": "device", "coupon_id": "coupon", "list_id": "list", "message_id": "message", "claim_id": "claim",
    "challenge_id": "challenge", "segment_id": "segment", "hold_id": "hold", "job_id": "job", "transaction_id": "transaction",
    "location_id": "location", "offer_id": "offer", "pool_id": "pool", "tenant_id": "tenant", "key_id": "key", "campaign_id": "campaign",
    "media_id": "media", "export_id": "export", "item_id": "item", "access_id": "access", "staff_id": "staff",
    "confirmation_id": "confirmation",
}  # fmt: skip
"""Parameters of paths and queries -> kind of ``Tenant.ids``."""
PLACES: Final[Mapping[str, Mapping[str, str]]] = {
    **{f"{verb}_{kind}": {"definition_id": kind} for kind in KINDS for verb in ("get", "replace", "publish", "retire")},
    "lint_programme": {"definition_id": "programme"},
    "claim_transaction": {"transaction_id": "anonymous"},
    **{f"{verb}_transaction": {"transaction_id": "flagged"} for verb in ("approve", "reject")},
    "type_confirmation_code": {"confirmation_id": "coded confirmation"},
    **{each: {"offer_id": "gift"} for each in ("order_pool", "import_codes", "get_pool", "list_pool_files", "void_pool")},
    **{each: {"token": "form token"} for each in ("get_form", "submit_form")},
    **{each: {"token": "click token"} for each in ("follow_link", "check_link")},
    **{each: {"token": "confirm token"} for each in ("ask_to_confirm", "check_confirming", "confirm_consent")},
    **{each: {"token": "unsubscribe token"} for each in ("ask_to_unsubscribe", "check_unsubscribing", "unsubscribe")},
    **{each: {"picture": "picture"} for each in ("see_message", "check_message")},
    **{f"{verb}_campaign": {"campaign_id": "call"} for verb in ("trigger", "pause", "resume", "cancel")},
}
"""Where a parameter's name says too little, or another thing of that kind is needed for a good call."""
FIXED: Final[Mapping[str, str]] = {
    "channel": "push", "platform": "gcm", "limit": "10", "from": "2026-11-01", "until": "2026-11-30", "to": "2026-11-30", "days": "30",
    "by_days": "7", "awaits_approval": "false", "force": "false", "reason": "a test", "actor": "nobody", "operation": "update_member",
    "kind": "external", "inactive_months": "24", "mode": "live",
}  # fmt: skip
"""Parameters that are no ids."""
NAMES: Final[Mapping[str, str]] = {"show_webhook_secret": WEBHOOK, "install_campaign": "birthday"}
"""The parameter ``name``: no id, but different things."""
QUERIES: Final[Mapping[str, Maker]] = {
    "get_calendar": lambda t: {"from": "2026-11-20", "to": "2026-11-30", "with": t.ids["campaign"]},
    **{each: (lambda t: {"member_id": t.ids["member"], "from": "2026-11-01T00:00:00Z"}) for each in ("list_audit", "list_audit_of_tenant")},
    "list_member_rewards": lambda t: {"location_id": t.ids["location"]},
    "list_member_rewards_of_me": lambda t: {"location_id": t.ids["location"]},
    "preview_retention": lambda _t: {"inactive_months": "24"},
    "report_offline_losses": lambda _t: {"from": "2026-11-01", "until": "2026-11-30"},
}
HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    each: {"content-type": "application/x-www-form-urlencoded"} for each in ("unsubscribe", "confirm_consent")
}

NOT_OF_OURS: Final[Mapping[str, str]] = {
    "basket_id": "a till's own name for a basket; each tenant has its own", "event_id": "the caller's own",
    "request_id": "the caller's own, to repeat safely", "order_id": "of the till", "check_id": "of the till", "till_id": "of the till",
    "staff_id": "of the till", "parent_line_id": "a line of the same basket", "line_id": "a line of a sale that is named beside it",
    "authorization_code": "of Apple", "private_key": "of Apple", "team_id": "of Apple",
    "token": "a push or identity token, of Apple or Google", "key": "of a trigger: the caller's own name for the occurrence",
    "pos_code": "of the till", "postal_code": "of an address", "otp_id": "of whoever asked for the code, who is not signed in",
}  # fmt: skip
"""Names in bodies that look like ids and are none of things that a tenant keeps here, and why."""
IDS_IN_BODIES: Final[Mapping[str, str]] = {
    "campaign": "campaign", "campaign_id": "campaign", "challenge": "challenge", "code": "code", "hold_id": "hold", "image": "media",
    "item": "item", "item_id": "item", "list": "list", "location": "location", "location_id": "location", "member": "member",
    "member_id": "member", "offer": "offer", "programme": "programme", "referral_code": "referral code", "refresh_token": "refresh token",
    "receipt_number": "receipt", "reward": "reward", "reward_id": "reward", "segment": "segment", "tier": "tier",
    "transaction_id": "transaction", "id": "id", "offer_id": "offer", "coupon_id": "coupon", "key_id": "key", "segment_id": "segment",
    "export_id": "export", "claim_id": "claim", "device_id": "device", "from_member_id": "friend", "into_member_id": "member",
    "confirmation_id": "confirmation",
}  # fmt: skip
"""Names in bodies that are ids of things, for bodies that are made of a schema."""


def basket(t: Tenant, **more: Any) -> dict[str, Any]:
    """Of the member, with her coupon."""
    body = t.sale("unused", t.ids["member"], coupons=[{"id": t.ids["coupon"]}])
    del body["business_date"], body["receipt_number"]
    body["lines"][0]["member_id"] = t.ids["friend"]
    return body | more


def receipt(t: Tenant, number: str) -> dict[str, Any]:
    """Where a sale is found by what is printed on it."""
    sale = t.sale(number)
    names = ("source", "location_id", "business_date", "receipt_number")
    return {name: sale[name] for name in names}


def _picture(_t: Tenant) -> dict[str, Any]:
    data = base64.b64encode(encoded(quarters(70, 64), "PNG")).decode()
    return {"name": "picture", "content_type": "image/png", "data": data}


def _definition(t: Tenant, kind: str) -> dict[str, Any]:
    bodies = {each: {k: v for k, v in body.items() if v is not None} for each, id_, body in t.definitions() if id_ == t.ids.get(each)}
    body = bodies[kind]
    if kind == "reward":
        body |= {"gives": {"kind": "coupon", "offer": t.ids["offer"]}}
    if kind == "campaign":
        body["steps"] = [{**body["steps"][0], "offer": t.ids["offer"]}]
    return body


def _rule(t: Tenant) -> dict[str, Any]:
    return {"kind": "list", "list": t.ids["list"]}


def _member(t: Tenant) -> dict[str, Any]:
    number = [{"kind": "external", "value": t.ids["external"]}]
    return {"source": "app", "identifiers": number, "location_id": t.ids["location"], "referral_code": t.ids["referral code"]}


SAME_ANSWER: Final[Mapping[tuple[str, str], str]] = {
    **dict.fromkeys(
        [("import_members", kind) for kind in ("external", "location", "referral code")]
        + [("import_transactions", kind) for kind in ("location", "item", "member")]
        + [("change_list_members", "member"), ("change_list_members", "list"), ("trigger_campaign", "member"), ("export_members", "list")],
        "accepted for a worker, which is what looks",
    ),
    **dict.fromkeys(
        [
            (each, "location")
            for each in ("register_member", "list_member_rewards", "claim_reward", "record_return", "hold_coupon", "redeem_coupon",
                         "ask_confirmation", "transfer_points", "convert_points")
        ],
        "a location may be named before it is configured",
    ),
    **dict.fromkeys([(each, "friend") for each in ("quote", "create_hold", "record_transaction")], "a line's eater is not looked up"),
    **dict.fromkeys(
        [("put_items", "item"), ("put_locations", "location"), ("put_location_groups", "location group"), ("list_complements", "item")],
        "made or answered alike if new",
    ),
    ("get_removal", "tenant"): "nobody asked for one",
    **dict.fromkeys(
        [(f"{verb}_{kind}", "offer") for verb in ("create", "replace") for kind in ("campaign", "programme", "reward")]
        + [(f"{verb}_programme", "tier") for verb in ("create", "replace")]
        + [(f"{verb}_challenge", "item") for verb in ("create", "replace")],
        "a draft may name what is not there yet; publishing looks (see test_references.py)",
    ),
    **dict.fromkeys(
        [(each, kind) for each in ("see_message", "check_message") for kind in ("tenant", "picture")],
        "whatever is asked for, it is the picture",
    ),
}
"""(operation, kind of thing) that an owner is answered alike for whether or not there is one, and why."""
OPENS: Final[Mapping[str, str]] = {
    "form token": "a link is a guest's right to fill one form, whoever holds it",
    "refresh token": "is the credential of the call itself",
}
"""Kinds that are the credential of a public route themselves, so that nobody else's id stands beside them."""


BODIES: Final[Mapping[str, tuple[Maker, ...]]] = {
    "register_member": (_member, lambda t: {**_member(t), "identifiers": [{"kind": "external", "value": "walk"}]}),
    "identify_member": (
        lambda t: {"kind": "external", "value": t.ids["external"]},
        lambda t: {"id": t.ids["member"]},
    ),
    "import_members": (lambda t: {"members": [_member(t)]},),
    "update_member": (lambda _t: {"profile": {"city": "Ulm"}, "tags": ["new"]},),
    "set_consents": (lambda _t: {"consents": [{"purpose": "news", "channel": "sms", "granted": True, "document_version": "v1"}]},),
    "add_device": (lambda t: {"platform": "gcm", "token": f"token-two-of-{t.mark}"},),
    "set_profiling": (lambda _t: {"allowed": False},),
    "merge_member": tuple(
        lambda t, tried=tried: {"from_member_id": t.ids["friend"], "reason": "same_person", "dry_run": tried} for tried in (True, False)
    ),
    "set_restriction": (lambda _t: {"restricted": True, "reason": "accuracy_contested"}, lambda _t: {"restricted": False}),
    "change_list_members": (lambda t: {"add": [t.ids["member"]]},),
    "transfer_points": (lambda t: {"to": {"id": t.ids["friend"]}, "points": 1, "location_id": t.ids["location"]},),
    "convert_points": (lambda t: {"programme": t.ids["programme"], "conversion": "five", "location_id": t.ids["location"]},),
    "claim_reward": (lambda t: {"reward_id": t.ids["reward"], "location_id": t.ids["location"]},),
    "cancel_reward": (lambda _t: {"reason": "a test"},),
    "give_challenge": (lambda t: {"member_id": t.ids["friend"], "request_id": "walk"},),
    "adjust_points": (lambda _t: {"points": 5, "reason": "a test"},),
    "set_tier": (lambda t: {"tier": t.ids["tier"], "reason": "a test"},),
    "add_identifier": (lambda t: {"kind": "external", "value": t.ids["external"]},),
    **{f"{verb}_transaction": (lambda _t: {"reason": "a test"},) for verb in ("approve", "reject")},
    **{f"{verb}_identifier": (lambda t: {"kind": "external", "value": t.ids["external"]},) for verb in ("block", "unblock")},
    "block_identifier_of_me": (lambda t: {"kind": "external", "value": t.ids["external"]},),
    "replace_identifier": (
        lambda t: {"old": {"kind": "external", "value": t.ids["external"]}, "new": {"kind": "external", "value": "walk"}},
    ),
    "ask_confirmation": (
        lambda t: {"member": {"id": t.ids["member"]}, "location_id": t.ids["location"], "points": 5, "way": "app"},
    ),
    "type_confirmation_code": (lambda t: {"code": t.confirmation_code},),
    "decide_confirmation_of_me": (lambda _t: {"approve": True},),
    "submit_form": (lambda _t: {"values": {"city": "Ulm"}},),
    "quote": (basket,),
    "create_hold": (lambda t: basket(t, basket_id="walk"),),
    "extend_hold": (lambda _t: {"ttl_seconds": 60},),
    "record_transaction": (
        lambda t: {**basket(t), **receipt(t, "walk")},
        lambda t: {**t.sale("walk", t.ids["member"]), "hold_id": t.ids["hold"]},
        lambda t: t.sale(t.ids["receipt"], t.ids["friend"]),
    ),
    "lookup_transaction": (lambda t: receipt(t, t.ids["receipt"]),),
    "import_transactions": (lambda t: {"transactions": [t.sale("walk", t.ids["member"])]},),
    "claim_transaction": (lambda t: {"member": {"id": t.ids["member"]}},),
    "record_return": (
        lambda t: {**receipt(t, "back"), "occurred_at": format_rfc3339(t.building.now), "transaction_id": t.ids["transaction"]},
        lambda t: {**receipt(t, "back"), "occurred_at": format_rfc3339(t.building.now), "original": receipt(t, t.ids["receipt"])},
    ),
    "record_event": (
        lambda t: {"event_id": "walk", "member_id": t.ids["member"], "type": "app_opened", "occurred_at": format_rfc3339(t.building.now)},
    ),
    "issue_coupon": (lambda t: {"member_id": t.ids["member"], "request_id": "walk"},),
    "give_next_offer": (lambda t: {"next_best": {"among": [{"offer": t.ids["offer"], "margin": 100}]}, "request_id": "walk"},),
    "lookup_coupon": (lambda t: {"id": t.ids["coupon"]}, lambda t: {"code": t.ids["code"]}),
    "hold_coupon": (lambda t: {"code": t.ids["code"], "basket_id": "walk", "location_id": t.ids["location"]},),
    "redeem_coupon": (
        lambda t: {"code": t.ids["code"], "basket_id": "walk", "location_id": t.ids["location"], "member_id": t.ids["member"]},
        lambda t: {"id": t.ids["coupon"], "basket_id": "walk"},
    ),
    "release_coupon": (lambda t: {"id": t.ids["held coupon"], "force": True, "reason": "broken"},),
    "order_pool": (lambda _t: {"count": 10, "pattern": "WALK-####-#####", "request_id": "walk"},),
    "import_codes": (lambda _t: {"codes": ["WALKWALK8X5Q"], "request_id": "walk"},),
    "remove_tenant": (lambda t: {"id": t.ids["tenant"]},),
    "send_code": (lambda t: {"kind": "email", "value": f"member@{t.mark}.example"},),
    "prove_identifier_of_me": (lambda t: {"otp_id": t.ids["otp"], "code": t.code},),
    "get_tokens": (lambda t: {"grant": "refresh_token", "refresh_token": t.ids["refresh token"]},),
    "create_tenant": (lambda t: {"id": "newone", "settings": t.settings()},),
    "replace_tenant": (lambda t: {"settings": t.settings()},),
    **{each: (lambda t: {"scopes": ["members:read"], "location_id": t.ids["location"]},) for each in ("create_key", "create_own_key")},
    **{each: (lambda _t: {},) for each in ("rotate_key", "rotate_own_key", "lint_programme", "export_segment", "estimate_campaign")},
    "set_push_application": (lambda _t: {"credential": '{"project_id": "p"}'},),
    "set_stops": (lambda t: {"offers": [t.ids["offer"]]},),
    "set_stops_of_tenant": (lambda t: {"offers": [t.ids["offer"]]},),
    "put_items": (lambda t: {"items": [{"id": t.ids["item"], "name": "changed"}]},),
    "set_apple_client": (lambda _t: {"team_id": "ABCDE12345", "key_id": "KEY1234567", "private_key": pem()},),
    "receive_apple_notice": (lambda t: {"payload": notice("consent-revoked", t.building.now, aud=f"{t.id}.app")},),
    "put_location_groups": (lambda t: {"groups": [{"id": t.ids["location group"], "name": "changed"}]},),
    "invite_staff": (
        lambda t: {"email": "new@staff.example", "group": "read_only", "location_id": t.ids["location"]},
        lambda t: {"email": "new@staff.example", "group": "read_only", "location_group": t.ids["location group"]},
    ),
    "change_staff": (
        lambda t: {"group": "read_only", "location_group": t.ids["location group"], "sign_out": True, "reset_mfa": True},
        lambda t: {"status": "disabled"},
        lambda t: {"status": "active", "everywhere": True},
    ),
    "import_items": (lambda t: {"csv": f"id,name\n{t.ids['item']},changed\n"},),
    "put_locations": (lambda t: {"locations": [{"id": t.ids["location"], "name": "changed"}]},),
    **{f"create_{kind}": (
        lambda t, kind=kind: {"id": t.ids[kind], "definition": _definition(t, kind)},
        lambda t, kind=kind: {"id": "walk", "definition": _definition(t, kind)},
    ) for kind in KINDS},
    **{f"replace_{kind}": (lambda t, kind=kind: {"definition": _definition(t, kind)},) for kind in KINDS},
    **{f"publish_{kind}": (lambda _t: {},) for kind in KINDS},
    "approve_campaign": (lambda _t: {"version": 1},),
    "preview_campaign": (lambda t: {"member_id": t.ids["member"], "step": "tell", "channel": "email"},),
    "test_campaign": (lambda t: {"member_id": t.ids["member"], "step": "tell", "channels": ["email"]},),
    "trigger_campaign": (lambda t: {"key": "walk", "recipients": [{"member_id": t.ids["member"], "data": {"table": "9"}}]},),
    "install_campaign": (lambda t: {"prefix": "walk"},),
    "upload_media": (_picture,),
    **{each: (lambda t: {"rule": _rule(t)},) for each in ("preview_segment", "search_members", "export_members")},
    "unsubscribe": (lambda _t: "List-Unsubscribe=One-Click",),
    "confirm_consent": (lambda _t: "confirm=yes",),
}
