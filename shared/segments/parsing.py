"""Rules as stored, read leaf by leaf: only the leaves that a tenant uses are imported, and only their models are built.

What is stored was checked whole when it was written (``shared.segments.model``), so that here a leaf is checked by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.segments.language.base import Leaf
from shared.segments.language.tree import AllOf, AnyOf, Not, SegmentOf

Rule = AllOf | AnyOf | Not | Leaf


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A version of a segment as it is evaluated. ``SegmentDefinition`` has the same three."""

    id: str
    version: int
    rule: Rule


def stored_segment(id_: str, version: int, body: Mapping[str, Any]) -> StoredSegment:
    """A version as stored."""
    return StoredSegment(id_, version, rule_of(body["rule"]))


def rule_of(raw: Mapping[str, Any]) -> Rule:
    """A rule, or a part of one, as parsed from JSON. ``KeyError`` for a kind that there is not."""
    kind = raw["kind"]
    if kind in ("all", "any"):
        children = tuple(rule_of(child) for child in raw["rules"])
        return AllOf.model_construct(kind="all", rules=children) if kind == "all" else AnyOf.model_construct(kind="any", rules=children)
    if kind == "not":
        return Not.model_construct(kind="not", rule=rule_of(raw["rule"]))
    return leaf_class(kind).model_validate(raw)


def leaf_class(kind: str) -> type[Leaf]:
    """The model of a kind of leaf."""
    return _SUBJECTS[kind](kind)


def _of_person(kind: str) -> type[Leaf]:
    from shared.segments.language import person

    found: dict[str, type[Leaf]] = {
        "attribute": person.Attribute, "consent": person.ConsentGiven, "has": person.Presence, "identifier": person.Identifier,
        "member_tag": person.MemberTag, "list": person.StaticList, "fact": person.Fact, "joined": person.Joined,
        "birthday": person.Birthday, "age": person.Age, "radius": person.Radius, "bucket": person.Bucket,
    }  # fmt: skip
    return found[kind]


def _of_purchases(kind: str) -> type[Leaf]:
    from shared.segments.language import purchases

    found: dict[str, type[Leaf]] = {
        "purchases": purchases.Purchases, "since_last_purchase": purchases.SinceLastPurchase,
        "since_first_purchase": purchases.SinceFirstPurchase, "tag_share": purchases.TagShare, "favourite": purchases.Favourite,
    }  # fmt: skip
    return found[kind]


def _of_habits(kind: str) -> type[Leaf]:
    from shared.segments.language import habits

    found: dict[str, type[Leaf]] = {
        "tag_strength": habits.TagStrength, "prefers": habits.Prefers, "lifecycle": habits.Lifecycle,
        "usual_interval": habits.UsualInterval, "rfm": habits.Rfm,
    }  # fmt: skip
    return found[kind]


def _of_responses(kind: str) -> type[Leaf]:
    from shared.segments.language import responses

    found: dict[str, type[Leaf]] = {
        "event": responses.Event, "since_last_event": responses.SinceLastEvent, "campaign": responses.CampaignResponse,
    }  # fmt: skip
    return found[kind]


def _of_holdings(kind: str) -> type[Leaf]:
    from shared.segments.language import holdings

    found: dict[str, type[Leaf]] = {
        "tier": holdings.TierHeld, "balance": holdings.Balance, "points": holdings.Points,
        "points_expiring": holdings.PointsExpiring, "coupon": holdings.CouponHeld, "challenge": holdings.ChallengeState,
    }  # fmt: skip
    return found[kind]


def _of_tree(_kind: str) -> type[Leaf]:
    return SegmentOf


PERSON: Final = (
    "attribute", "consent", "has", "identifier", "member_tag", "list", "fact", "joined", "birthday", "age", "radius", "bucket",
)  # fmt: skip
PURCHASES: Final = ("purchases", "since_last_purchase", "since_first_purchase", "tag_share", "favourite")
HABITS: Final = ("tag_strength", "prefers", "lifecycle", "usual_interval", "rfm")
RESPONSES: Final = ("event", "since_last_event", "campaign")
HOLDINGS: Final = ("tier", "balance", "points", "points_expiring", "coupon", "challenge")
_SUBJECTS: Final[Mapping[str, Callable[[str], type[Leaf]]]] = {
    **dict.fromkeys(PERSON, _of_person),
    **dict.fromkeys(PURCHASES, _of_purchases),
    **dict.fromkeys(HABITS, _of_habits),
    **dict.fromkeys(RESPONSES, _of_responses),
    **dict.fromkeys(HOLDINGS, _of_holdings),
    "segment": _of_tree,
}
