"""The catalogue of domain events, in one table. ``events/*.json`` (a JSON Schema per type) and the samples are generated from it.

Types are in the past tense; data holds ids, numbers and names that the tenant chose, never anything personal. Fields are
only ever added. Instants are milliseconds since 1970-01-01T00:00Z.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Schema = Mapping[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
COMMITTED: Final = 1795255200000
"""Instant of the samples: 2026-11-21T10:00:00Z."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event's data. ``sample`` is in the sample payload."""

    schema: Schema
    sample: Any
    required: bool = True


@dataclass(frozen=True, slots=True)
class EventType:
    """One type. ``more``: what fields beyond the listed ones are (``None``: there are none now)."""

    type: str
    aggregate: str
    summary: str
    data: Mapping[str, Field] = field(default_factory=dict)
    more: Schema | None = None
    pattern: str | None = None
    """Where the type is a family: what its names match."""


def _text(sample: str, description: str = "", *, required: bool = True) -> Field:
    return Field({"type": "string", **_described(description)}, sample, required)


def _whole(sample: int, description: str = "") -> Field:
    return Field({"type": "integer", **_described(description)}, sample)


def _described(description: str) -> dict[str, str]:
    return {"description": description} if description else {}


_MEMBER: Final = "member:mbr_01KAJ5XW0000000000000000AA"
_COUPON_ID: Final = "cpn_01KAJ5XW0000000000000000CC"
_SALE_ID: Final = "txn_dGlsbHxtaXR0ZXwyMDI2LTExLTIxfHwx"
_SALE: Final = {"transaction": _text(_SALE_ID), "value": _whole(1250, "minor units, after discounts")}
_REVERSED: Final = {**_SALE, "whole": Field({"type": "boolean", "description": "nothing of it is left"}, True)}
_PLACE: Final = {"location": _text("mitte"), "channel": _text("pos")}
_PER_WALLET: Final = {"type": "object", "additionalProperties": {"type": "integer"}, "description": "wallet -> points"}
_COUPON: Final = {"coupon": _text(_COUPON_ID), "offer": _text("welcome", "empty where the member's copy was gone already")}
_CHOICE_SCHEMA: Final = {
    "type": "object",
    "description": "why this offer of several, or none",
    "properties": {
        "kind": {"enum": ["best", "explored", "fallback", "holdout", "none"]},
        "offer": {"type": ["string", "null"]},
        "experiment": {"type": "string"},
        "scores": {
            "type": "array",
            "description": "the three highest, best first",
            "items": {"type": "object", "properties": {"offer": {"type": "string"}, "score": {"type": "integer"}}},
        },
        "dropped": {"type": "object", "additionalProperties": {"type": "string"}, "description": "offer -> why it was not available"},
    },
}
_CHOICE: Final = {
    "kind": "best", "offer": "welcome", "experiment": "winter", "scores": [{"offer": "welcome", "score": 4200}],
    "dropped": {"free-fries": "too_many_coupons"},
}  # fmt: skip
_POOL_ID: Final = "pol_01KAJ5XW0000000000000000DD"
_EXPORT_ID: Final = "exp_01KAJ5XW0000000000000000EE"
_POOL: Final = {"pool": _text(_POOL_ID), "offer": _text("welcome"), "count": _whole(1000, "codes")}
_FORCED: Final = {"actor": _text("demo-aaaaaaaaaaaa", "the credential that ended the hold by force", required=False)}
_HOLD: Final = {"hold": _text("hold_dGlsbHxiMQ"), "points": _whole(20)}
_MESSAGE: Final = {"campaign": _text("welcome"), "step": _text("hello"), "channel": _text("push")}
_RESPONSE: Final = {"campaign": _text("welcome", required=False), "step": Field({"type": ["string", "null"]}, "hello", required=False)}
_PROPERTIES: Final = {"type": ["string", "integer", "boolean"], "description": "properties that the caller sent"}
_REFERRAL: Final = {"referrer": _text("mbr_01K"), "programme": _text("points"), "transaction": _text("txn_dGlsbHxtaXR0ZQ")}
_CHALLENGE: Final = {"challenge": _text("ten-in-a-week"), "instance": _text("chl_01K", "one receipt of it")}
_COMPLETED: Final = {
    **_CHALLENGE,
    "times": _whole(1, "completions by this purchase"),
    "wallet": _text("points"),
    "points": _whole(50, "in all; 0: it gives none"),
    "coupons": Field({"type": "array", "items": {"type": "string"}}, [_COUPON_ID]),
    "badge": _text("champion", required=False),
}
_FLIP: Final = {"segment": _text("regulars"), "segment_version": _whole(1)}
_TIER: Final = {"type": ["string", "null"], "description": "null: none"}
_DEFINITION: Final = {
    "kind": Field({"enum": ["programme", "offer", "promotion", "segment", "campaign", "challenge"]}, "segment"),
    "id": _text("regulars"),
    "version": _whole(2),
    "epoch": _whole(COMMITTED + 120_000, "segments: the instant of the switch; 0 for other kinds"),
}
_CAMPAIGN: Final = {"campaign": _text("welcome")}
_OCCURRENCE: Final = {**_CAMPAIGN, "version": _whole(3, "of the campaign"), "occurrence": _text("birthday:2026")}
_CHANNEL: Final = {"channel": _text("email"), "reason": _text("bounce")}
_CAMPAIGN_MORE: Final = {"description": "version and instants of the campaign's state"}
_CLAIM: Final = {"claim": _text("rwd_01K"), "reward": _text("mug")}

_ABOUT_MEMBERS: Final = (
    EventType("member.registered", _MEMBER, "Somebody became a member.", {"source": _text("app"), "location": _text("", "empty: none")}),
    EventType(
        "member.updated", _MEMBER, "Fields of a profile, or attributes, changed.",
        {"fields": Field({"type": "array", "items": {"type": "string"}, "description": "names, never values"}, ["birth_date"])},
    ),
    EventType("member.erased", _MEMBER, "She is forgotten: nothing else is told of her any more. Forget her too.",
              {"erasure": _text("era_01KAJ5XW0000000000000000FF")}),
    EventType("member.merged", _MEMBER, "She turned out to be another member, who is left: nothing else is told of this id any more.",
              {"into": _text("mbr_01KAJ5XW0000000000000000GG"), "merge": _text("mrg_01KAJ5XW0000000000000000HH")}),
    EventType("member.united", _MEMBER, "Another member turned out to be this one, who has what was hers.",
              {"from": _text("mbr_01KAJ5XW0000000000000000FF"), "merge": _text("mrg_01KAJ5XW0000000000000000HH")}),
    EventType(
        "consent.changed", _MEMBER, "Consents were given or withdrawn.",
        {"consents": Field({"type": "object", "additionalProperties": {"type": "boolean"}}, {"marketing:push": True})},
    ),
    EventType("member.inactive", _MEMBER, "She has done nothing for so long that the tenant lets her go: she is warned.",
              {"months": _whole(24)}),
    EventType("member.inactivity_warned", _MEMBER, "The warning was handed over; the days to her erasure count from now."),
    EventType("member.inactivity_ended", _MEMBER, "The days are over, and she has done nothing: she is erased, unless it came too late."),
    EventType("consent.confirmation_asked", _MEMBER, "A consent waits for her confirmation by mail; until then it is a no.",
              {"consent": _text("marketing:email")}),
    EventType(
        "member.profiling_changed", _MEMBER, "She objected to profiling, or allowed it again.",
        {"allowed": Field({"type": "boolean"}, False)},
    ),
    EventType(
        "member.restriction_changed", _MEMBER, "Her data are restricted (Art. 18 GDPR): use them for nothing; or no longer.",
        {
            "restricted": Field({"type": "boolean"}, True),
            "stood": Field({"type": "boolean", "description": "whether they were before"}, False),
            "by_herself": Field({"type": "boolean"}, True),
        },
    ),
    EventType(
        "member.lists_changed", _MEMBER, "She was put on static lists, or taken off.",
        {
            "added": Field({"type": "array", "items": {"type": "string"}}, ["tasting-2026"]),
            "removed": Field({"type": "array", "items": {"type": "string"}}, []),
        },
    ),
    EventType("member.devices_changed", _MEMBER, "The devices that take push messages changed.", {"devices": _whole(1, "how many")}),
    EventType("member.identifier_added", _MEMBER, "A proven identifier was attached.", {"kind": _text("phone")}),
    *(EventType(f"member.identifier_{change}", _MEMBER, text, {"kind": _text("card"), "actor": _text("demo-aaaaaaaaaaaa", "who did it")})
      for change, text in (
          ("blocked", "A card or number was reported lost: nobody is found by it."),
          ("unblocked", "A blocked card or number is good again."),
          ("replaced", "A new identifier took the place of an old one, which is blocked."),
          ("removed", "Identifiers of a kind are hers no more."),
      )),
    EventType(
        "tier.changed", _MEMBER, "A tier was reached or has run out.",
        {"from": Field(_TIER, None), "to": Field(_TIER, "silver")},
    ),
    EventType("points.available", _MEMBER, "Pending points can be spent from now on.", {"wallet": _text("points"), "points": _whole(12)}),
    EventType("points.expired", _MEMBER, "Points ran out unspent.", {"wallet": _text("points"), "points": _whole(12)}),
    EventType("points.converted", _MEMBER, "Points became a coupon.",
              {"wallet": _text("points"), "points": _whole(100), "conversion": _text("voucher"), "coupon": _text("cpn_01K")}),
    EventType("reward.claimed", _MEMBER, "Points became a reward; one that is an item waits to be handed over.",
              {**_CLAIM, "wallet": _text("points"), "points": _whole(800)}),
    EventType("reward.cancelled", _MEMBER, "A claim was cancelled: its points are back. Cause: why.", {**_CLAIM, "actor": _text("key_1")}),
    EventType("reward.handed_over", _MEMBER, "She has got the item that she claimed.", {**_CLAIM, "actor": _text("key_1")}),
    EventType("bonus.given", _MEMBER, "A bonus for something other than a purchase.",
              {"programme": _text("points"), "bonus": _text("welcome"), "wallet": _text("points"), "points": _whole(50)}),
    *(EventType(type_, _MEMBER, text, {"reference": _text("adjustment/1"), "points": Field(_PER_WALLET, {"points": points})})
      for type_, text, points in (
          ("points.adjusted", "Points were given or taken by hand.", 50),
          ("points.given", "Points were given for a friend who came, or for coming.", 50),
          ("points.taken_back", "A friend's purchase came back, and with it what was given for it.", -50),
          ("points.transferred_out", "She gave points to another member.", -50),
          ("points.transferred_in", "She got points from another member.", 50),
      )),
    EventType("referral.rewarded", _MEMBER, "Her first purchase rewarded her and the member who brought her.", _REFERRAL),
    EventType("referral.reversed", _MEMBER, "That purchase came back: both rewards are taken back.", _REFERRAL),
    EventType("referral.refused", _MEMBER, "Nothing will come of her being referred.", {**_REFERRAL, "reason": _text("self_referral")}),
    EventType("segment.entered", _MEMBER, "She is in a segment now. Cause ``definition``: because the segment changed; ``version``: she "
              "was in it before, by another of its versions.", _FLIP),
    EventType("segment.left", _MEMBER, "She is in a segment no longer. Cause as with segment.entered.", _FLIP),
    EventType("hold.placed", _MEMBER, "Points or coupons are set aside for a basket.", _HOLD),
    EventType("hold.released", _MEMBER, "A hold was given up; by force with the reason as cause.", {**_HOLD, **_FORCED}),
    EventType("hold.expired", _MEMBER, "A hold has run out.", _HOLD),
    EventType("message.claimed", _MEMBER, "A message was claimed: it is about to be sent, and will not be again.", _MESSAGE),
    EventType("message.held_out", _MEMBER, "She would have got a message, and is held out of it.", _MESSAGE),
    EventType("channel.suppressed", _MEMBER, "Nothing may be sent to her over a channel any more.", _CHANNEL),
    EventType("channel.restored", _MEMBER, "What kept a channel from her is gone.", _CHANNEL),
    EventType("campaign.date_reached", _MEMBER, "A date of hers has come that a campaign begins on.", _OCCURRENCE),
    EventType(
        "campaign.step_due", _MEMBER, "A campaign that waited for her goes on: its time has come, or what it waited for happened.",
        {
            **_OCCURRENCE,
            "step": _text("remind"),
            "rung": _whole(0, "of the step's ladder"),
            "outcome": Field({"enum": ["time", "event"]}, "time"),
            "reason": _text("wait", "why it waited; may be empty"),
            "since": _whole(COMMITTED - 86_400_000, "when it began to wait at this step"),
        },
    ),
    EventType("campaign.journey_dropped", _MEMBER, "More campaigns waited for her than there is room for: this one will not go on.",
              {**_CAMPAIGN, "occurrence": _text("birthday:2026"), "step": _text("remind")}),
    EventType("message.opened", _MEMBER, "A message was opened.", _RESPONSE, _PROPERTIES),
    EventType("message.clicked", _MEMBER, "A message was tapped.", _RESPONSE, _PROPERTIES),
    EventType("form.submitted", _MEMBER, "The form of a message was submitted.", _RESPONSE, _PROPERTIES),
    EventType(
        "event.*", _MEMBER, "Something that the tenant declares happened.", _RESPONSE, _PROPERTIES, r"^event\.[a-z][a-z0-9_]{0,30}$"
    ),
)
_ABOUT_SALES: Final = (
    EventType(
        "transaction.recorded", _MEMBER, "A member's sale was recorded.",
        {
            **_SALE, "earned": Field(_PER_WALLET, {"points": 12}), "spent": Field(_PER_WALLET, {}), **_PLACE,
            "flags": Field(
                {"type": "array", "items": {"type": "string"}, "description": "why it is under review: what it earned waits"},
                ["purchases_in_shift"], required=False,
            ),
        },
    ),
    EventType(
        "transaction.reviewed", _MEMBER, "Somebody decided about a flagged sale. ``points``: what was taken back.",
        {
            "transaction": _text(_SALE_ID), "outcome": Field({"enum": ["approved", "rejected"]}, "approved"),
            "points": _whole(0), "actor": _text("demo-aaaaaaaaaaaa", "who decided"),
        },
    ),
    EventType(
        "counter.alert", "counter:2026-11-21:mitte:anna:claims", "A cashier did something more often than the tenant allows on one day.",
        {
            "rule": Field({"enum": ["claims", "returns", "adjustments", "after_hours"]}, "claims"),
            "business_date": _text("2026-11-21"),
            "location": _text("mitte", "``-``: none"),
            "cashier": _text("anna", "the till's own name for her, or the credential that adjusted"),
            "count": _whole(6),
            "points": _whole(0, "of adjustments, given and taken added up"),
        },
    ),
    EventType("transaction.returned", _MEMBER, "A member's sale, or a part of it, came back. ``value``: of what came back.", _REVERSED),
    EventType("transaction.voided", _MEMBER, "A member's sale was cancelled, as if it never was.", _REVERSED),
    EventType(
        "offline.loss", _MEMBER,
        "A sale made offline gave what does not hold (aggregate ``sale:`` without a member). Its void or whole return takes it back.",
        {
            "transaction": _text(_SALE_ID),
            "location": _text("mitte"),
            "business_date": _text("2026-11-21"),
            "subject": Field({"enum": ["coupon", "points"]}, "coupon"),
            "reason": _text("redeemed", "as in refusals; ``exhausted``, ``more_than_worth``"),
            "amount": Field({"type": "integer", "description": "minor units; absent: nobody knows"}, 250, required=False),
            "coupon": _text(_COUPON_ID, required=False),
            "offer": _text("welcome", required=False),
        },
    ),
    EventType("transaction.recorded_anonymously", f"sale:{_SALE_ID}", "A sale without a member was recorded.", {**_SALE, **_PLACE}),
    EventType("transaction.returned_anonymously", f"sale:{_SALE_ID}", "A sale without a member, or a part of it, came back.", _SALE),
    EventType("transaction.voided_anonymously", f"sale:{_SALE_ID}", "A sale without a member was cancelled.", _SALE),
)
_ABOUT_COUPONS: Final = (
    EventType(
        "coupon.issued", _MEMBER, "A coupon was given: to the member, or (aggregate ``coupon:``) to a bearer.",
        {**_COUPON, "choice": Field(_CHOICE_SCHEMA, _CHOICE, required=False)},
    ),
    EventType(
        "offer.withheld", _MEMBER, "A choice among offers gave her none: she is held out, or there was none for her.",
        {"choice": Field(_CHOICE_SCHEMA, _CHOICE | {"kind": "holdout", "offer": None})},
    ),
    EventType("coupon.held", _MEMBER, "A coupon is kept for a basket.", _COUPON),
    EventType("coupon.released", _MEMBER, "A coupon is free again; by force with the reason as cause.", {**_COUPON, **_FORCED}),
    EventType("coupon.redeemed", _MEMBER, "A coupon was used up.", _COUPON),
    EventType("coupon.voided", _MEMBER, "A coupon was withdrawn.", _COUPON),
    EventType("coupon.expired", _MEMBER, "A member's coupon ran out unused.", _COUPON),
    EventType("pool.ordered", f"pool:{_POOL_ID}", "A pool of codes is being made. Its coupons are not told one by one.", _POOL),
    EventType("pool.voided", f"pool:{_POOL_ID}", "A pool was withdrawn: its unused codes are void.", _POOL),
)
_ABOUT_CHALLENGES: Final = (
    EventType("challenge.given", _MEMBER, "She received a challenge.",
              {**_CHALLENGE, "starts_at": _whole(COMMITTED), "ends_at": _whole(COMMITTED + 604_800_001, "the first instant after it")}),
    EventType("challenge.completed", _MEMBER, "A purchase completed a challenge, once or several times.", _COMPLETED),
    EventType("challenge.reversed", _MEMBER, "A purchase that a completion needed came back, and with it what it gave.", _COMPLETED),
    EventType("challenge.expired", _MEMBER, "The window of a challenge ended without a completion.", _CHALLENGE),
    EventType("challenge.broken", _MEMBER, "A period passed that a streak needed.",
              {**_CHALLENGE, "periods": _whole(3, "in a row till then")}),
)
_ABOUT_DEFINITIONS: Final = (
    EventType(
        "definition.published", "definition:segment:regulars@2", "A version was published.",
        {**_DEFINITION, "effective_from": _whole(COMMITTED + 120_000, "instant from which on it holds")},
    ),
    EventType(
        "definition.retired", "definition:segment:regulars@2", "A definition ends.",
        {**_DEFINITION, "retired_from": _whole(COMMITTED + 120_000, "instant from which on it does not hold")},
    ),
    EventType(
        "definition.approval_requested", "definition:campaign:welcome@2", "A version was published that a second person has to approve.",
        {"kind": Field({"enum": ["campaign"]}, "campaign"), "id": _text("welcome"), "version": _whole(2),
         "actor": _text("demo-01KAJ5XW0000", "id of the key or person that published it, and may not approve it")},
    ),
    EventType(
        "campaign.approved", "definition:campaign:welcome@2", "A second person approved a version of a campaign.",
        {**_CAMPAIGN, "version": _whole(2), "actor": _text("demo-01KAJ5XW0000", "id of the key or person")},
    ),
    EventType(
        "tenant.stops_changed", "tenant:demo", "Somebody set the emergency stops, or lifted them.",
        {
            "messages": Field({"type": "boolean"}, False),
            "redemptions": Field({"type": "boolean"}, False),
            "offers": Field({"type": "array", "items": {"type": "string"}, "description": "nothing is issued or redeemed"}, ["welcome"]),
            "actor": _text("demo-01KAJ5XW0000", "id of the key, or of the operator's"),
        },
    ),
    EventType(
        "segment.backfilled", "fan_out:regulars@2", "Every member was evaluated with a version, and lists are served from it.",
        {**_FLIP, "members": _whole(2246, "evaluated")},
    ),
    EventType(
        "export.finished", f"export:{_EXPORT_ID}", "A file of members can be fetched.",
        {"export": _text(_EXPORT_ID), "rows": _whole(2246), "left_out": _whole(0, "members whose key is gone"),
         "segment": _text("regulars", "absent: of a rule", required=False),
         "segment_version": Field({"type": "integer"}, 1, required=False)},
    ),
    *(
        EventType(f"campaign.{what}", "campaign:welcome", f"A campaign was {what}.", _CAMPAIGN, _CAMPAIGN_MORE)
        for what in ("launched", "paused", "resumed", "completed", "cancelled", "fired", "skipped")
    ),
    EventType("campaign.budget_alert", "campaign:welcome", "A campaign has used up 80 % of its budget.", _CAMPAIGN, _CAMPAIGN_MORE),
    EventType("campaign.budget_spent", "campaign:welcome", "A campaign has used up its budget and was paused.", _CAMPAIGN, _CAMPAIGN_MORE),
    EventType(
        "delivery.counted", "delivery:mbr_01KAJ5XW0000000000000000AA:welcome#hello#registered#push",
        "What became of a delivery, as its campaign's report counts it. Goes to the reports, not over the bus.",
        {
            **_MESSAGE,
            "variant": _text("", "empty: no split"),
            "language": _text("en", "empty: nothing was written"),
            "counts": Field({"type": "object", "additionalProperties": {"type": "integer"}}, {"sent": 1, "cost_e6": 500_000}),
        },
    ),
)
CATALOGUE: Final[Mapping[str, EventType]] = {
    each.type: each for each in (*_ABOUT_MEMBERS, *_ABOUT_SALES, *_ABOUT_COUPONS, *_ABOUT_CHALLENGES, *_ABOUT_DEFINITIONS)
}


def schema_of(event: EventType) -> dict[str, Any]:
    """The JSON Schema of one event inside an envelope."""
    data: dict[str, Any] = {
        "type": "object",
        "properties": {name: dict(each.schema) for name, each in event.data.items()},
        "required": [name for name, each in event.data.items() if each.required],
    }
    if event.more is not None:
        data["additionalProperties"] = dict(event.more)
    named = {"pattern": event.pattern} if event.pattern else {"const": event.type}
    return {
        "$schema": DIALECT,
        "title": event.type,
        "description": event.summary,
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "<aggregate>:<seq>:<i>: the same however often it is delivered"},
            "type": {"type": "string", **named},
            "occurred_at": {"type": "integer", "description": "milliseconds since 1970-01-01T00:00Z"},
            "data": data,
            "cause": {"type": "string", "description": "the type, or the kind of change, that led to it"},
        },
        "required": ["id", "type", "occurred_at", "data"],
    }


def envelope_schema() -> dict[str, Any]:
    """The JSON Schema of an envelope: ``detail`` of every entry on the bus."""
    text, number = {"type": "string"}, {"type": "integer"}
    required = "id tenant key aggregate seq committed_at correlation_id mode types events part parts"
    return {
        "$schema": DIALECT,
        "title": "envelope",
        "description": "The events of one commit about one aggregate. Source regulars, detail-type commit.",
        "type": "object",
        "properties": {
            "id": text,
            "tenant": text,
            "key": {**text, "description": "partition key of the commit: its tenant must be the envelope's"},
            "aggregate": {**text, "description": "member:, coupon:, pool:, sale:, definition:, campaign:, tenant:, fan_out:, export: + id"},
            "member": {**text, "description": "absent where the commit is about no member"},
            "seq": {**number, "description": "orders the envelopes of one aggregate"},
            "committed_at": number,
            "correlation_id": text,
            "mode": {"enum": ["live", "late", "historical"]},
            "types": {"type": "array", "items": text, "description": "what rules match on"},
            "events": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["id", "type", "occurred_at", "data"]}},
            "part": {**number, "description": "an envelope too large for one entry comes in parts"},
            "parts": number,
            "touched": {
                "type": "array",
                "items": text,
                "description": "campaigns that touched the member, or held her out, in the 30 days before; only with what they may aim at",
            },
        },
        "required": required.split(),
    }
