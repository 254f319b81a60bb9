"""The language of segments: a JSON tree of ``all``, ``any`` and ``not`` over leaves, told apart by ``kind``.

Answers are three-valued (S. C. Kleene, Introduction to Metamathematics, 1952, section 64): what a leaf asks for may be
unknown, ``not`` of unknown is unknown, and unknown is not a member.

Days: a window of ``days`` days is that many whole local days of the tenant's time zone, today included. Instants
(since a purchase, until a coupon expires) count rolling days of 24 hours, exact to the millisecond, unless calendar days are asked for.

``SegmentDefinition`` and ``schema`` are for those who write definitions; what is stored is read leaf by leaf by
``shared.segments.parsing``, which imports and builds only what a tenant uses.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictInt, StrictStr, StringConstraints, field_validator

from shared.segments.language import tree
from shared.segments.language.base import COMPARE, Key, Leaf, Node, not_empty
from shared.segments.language.habits import Lifecycle, Prefers, Rfm, TagStrength, UsualInterval
from shared.segments.language.holdings import Balance, ChallengeState, CouponHeld, Points, PointsExpiring, TierHeld
from shared.segments.language.person import (
    Age,
    Attribute,
    Birthday,
    Bucket,
    ConsentGiven,
    Fact,
    Identifier,
    Joined,
    MemberTag,
    Presence,
    Radius,
    StaticList,
)
from shared.segments.language.purchases import Favourite, Filter, Purchases, SinceFirstPurchase, SinceLastPurchase, TagShare
from shared.segments.language.responses import CampaignResponse, Event, SinceLastEvent
from shared.segments.language.tree import AllOf, AnyOf, Not, SegmentOf
from shared.segments.sizes import MAX_DEPTH, MAX_EXPANDED, MAX_LEAVES, SegmentTooLarge, check_size

AnyLeaf = (
    Attribute | Purchases | SinceLastPurchase | SinceFirstPurchase | TagShare | Favourite
    | TagStrength | Prefers | Lifecycle | UsualInterval | Rfm
    | Event | SinceLastEvent | CampaignResponse
    | ConsentGiven | Presence | Identifier | MemberTag | StaticList | Fact | Joined | Birthday | Age | Radius | Bucket
    | TierHeld | Balance | Points | PointsExpiring | CouponHeld | ChallengeState
    | SegmentOf
)  # fmt: skip
Rule = Annotated[AllOf | AnyOf | Not | AnyLeaf, Field(discriminator="kind")]
Rules = Annotated[tuple[Rule, ...], AfterValidator(not_empty), Field(json_schema_extra={"minItems": 1})]
# The nodes' annotations are resolved in their own module, when the first definition is parsed: importing builds nothing.
vars(tree).update(Rule=Rule, Rules=Rules)


class SegmentDefinition(Node):
    """One version of a segment. ``SegmentTooLarge`` points at the first node beyond ``MAX_LEAVES`` or ``MAX_DEPTH``."""

    id: Key
    version: Annotated[StrictInt, Field(ge=1)] = 1
    name: Annotated[StrictStr, StringConstraints(min_length=1, max_length=120)]
    description: Annotated[StrictStr, StringConstraints(max_length=2000)] = ""
    rule: Rule

    @field_validator("rule", mode="before")
    @classmethod
    def _bounded(cls, raw: Any) -> Any:
        check_size(raw, "/rule")
        return raw


def schema() -> dict[str, Any]:
    """``SegmentDefinition`` as JSON Schema (2020-12), as it is published."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **SegmentDefinition.model_json_schema()}


__all__ = [
    "COMPARE", "MAX_DEPTH", "MAX_EXPANDED", "MAX_LEAVES",
    "Age", "AllOf", "AnyLeaf", "AnyOf", "Attribute", "Balance", "Birthday", "Bucket", "CampaignResponse", "ChallengeState",
    "ConsentGiven", "CouponHeld", "Event", "Fact", "Favourite", "Filter", "Identifier", "Joined", "Leaf", "Lifecycle", "MemberTag",
    "Not", "Points", "PointsExpiring", "Prefers", "Presence", "Purchases", "Radius", "Rfm", "Rule", "Rules", "SegmentDefinition",
    "SegmentOf", "SegmentTooLarge", "SinceFirstPurchase", "SinceLastEvent", "SinceLastPurchase", "StaticList", "TagShare",
    "TagStrength", "TierHeld", "UsualInterval", "check_size", "schema",
]  # fmt: skip
