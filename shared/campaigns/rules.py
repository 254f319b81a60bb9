"""Who is to get what: triggers, the holdout, variants, re-entry, and whether she is in the audience. Pure."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any, Final

from shared.campaigns.model import CampaignBody, Delivery, EventTrigger, Reentry, SplitStep, Step
from shared.campaigns.steps import targets
from shared.campaigns.triggers import FLIPS
from shared.kernel.instants import DAY, Instant
from shared.member_state.model import MemberState, segment_key

MAX_OCCURRENCE: Final = 60
"""Of an event's id in a delivery's key; a longer one is hashed."""
REGISTERED: Final = "registered"
"""The occurrence of a registration: there is one in a member's life, however often it is told."""
BY_CAMPAIGN: Final = "campaign:"
"""What the cause of an event begins with that a campaign caused."""
_TELLS_A_GIFT: Final = frozenset({"coupon.issued", "points.given"})


def triggered(body: CampaignBody, event: Mapping[str, Any], served: Mapping[str, int], now: Instant) -> bool:
    """Whether an event of the bus is one that the campaign waits for, and fresh enough.

    ``served``: segment -> the version that is served. While two versions of a segment live both tell what they see; only
    the served one triggers, so that one change of a member is one occurrence.
    """
    trigger = body.trigger
    if not isinstance(trigger, EventTrigger) or event["type"] not in trigger.types:
        return False
    if event["type"] in FLIPS:
        data = event["data"]
        of_the_served_version = served.get(data["segment"]) == data["segment_version"]
        # Cause "version": she was in the segment all the time, by another of its versions.
        by_definition = event.get("cause") == "version" or (event.get("cause") == "definition" and not trigger.on_definition_change)
        if not of_the_served_version or by_definition or trigger.segment not in (None, data["segment"]):
            return False
    if _of_a_campaign(event) and not (body.message_class == "service" and event["type"] in _TELLS_A_GIFT):
        # A campaign that another triggers could trigger that one. A service campaign gives nothing, so there it ends.
        return False
    return now - int(event["occurred_at"]) <= body.max_event_age and all(each.holds(event["data"]) for each in trigger.where)


def _of_a_campaign(event: Mapping[str, Any]) -> bool:
    """Whether a campaign did it to her: it says so, or it books points under a delivery's id."""
    return str(event.get("cause") or "").startswith(BY_CAMPAIGN) or str(event["data"].get("reference", "")).startswith("dlv_")


def occurrence_of(event: Mapping[str, Any]) -> str:
    """What names the occurrence in a delivery's key: the same however often the event is told."""
    return REGISTERED if event["type"] == "member.registered" else short(str(event["id"]))


def short(name: str) -> str:
    """A name that fits a key: itself, or its SHA-256."""
    return name if len(name) <= MAX_OCCURRENCE and name.isascii() else hashlib.sha256(name.encode()).hexdigest()


def held_out(campaign: str, member: str, percent: int) -> bool:
    """Whether the member is in the campaign's holdout: by crc32, so always the same members, and other ones for each campaign."""
    return zlib.crc32(f"{campaign}|{member}".encode()) % 100 < percent


def variant_of(step: SplitStep, campaign: str, member: str) -> int:
    """The place of her variant: always the same one. By SHA-256, so that it has nothing to do with who is held out (crc32 of two texts
    with the same end differs by a constant).
    """
    digest = hashlib.sha256(f"{campaign}|{step.id}|{member}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") % 100
    ends = accumulate(each.percent for each in step.variants)
    return next(place for place, end in enumerate(ends) if point < end)


def variant_at(body: CampaignBody, step: Step, campaign: str, member: str) -> str | None:
    """Which variant of which split has led her to a step, as ``split:variant``; of several splits the last. ``None``: none has."""
    found: str | None = None
    for split in body.steps[: body.steps.index(step)]:
        if isinstance(split, SplitStep):
            variant = split.variants[variant_of(split, campaign, member)]
            begin = body.following(split, variant.then)
            if begin is not None and _leads(body, begin, step):
                found = f"{split.id}:{variant.id}"
    return found


def _leads(body: CampaignBody, begin: Step, to: Step) -> bool:
    reached = {begin.id}
    for step in body.steps[body.steps.index(begin) :]:
        if step.id in reached:
            found = (body.following(step, target) for target in targets(step).values())
            reached.update(each.id for each in found if each is not None)
    return to.id in reached


def in_segment(segment: str, state: MemberState, served: Mapping[str, int]) -> bool:
    """Whether she is in a segment, by the version that is served."""
    return segment in served and segment_key(segment, served[segment]) in state.segments


def refused_again(reentry: Reentry, campaign: str, occurrence: str, begun: Iterable[Delivery], state: MemberState, now: Instant) -> bool:
    """Whether she may not go through the campaign again by this occurrence. ``begun``: the rows of its beginnings for her."""
    others = [each.claimed_at for each in begun if each.occurrence != occurrence]
    match reentry.mode:
        case "once":
            return bool(others)
        case "after":
            return max(others, default=-DAY * 10_000) > now - (reentry.days or 0) * DAY
        case "not_while_waiting":
            return any(each.campaign == campaign and each.occurrence != occurrence for each in state.journeys)
    return False
