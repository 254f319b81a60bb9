"""Who is to get what: triggers, the holdout, and the checks at the moment of sending. Pure."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any, Final

from shared.campaigns.model import CampaignBody, EventTrigger, Step
from shared.kernel.instants import DAY, Instant
from shared.member_state.model import MemberState, segment_key

MAX_OCCURRENCE: Final = 60
"""Of an event's id in a delivery's key; a longer one is hashed."""
REGISTERED: Final = "registered"
"""The occurrence of a registration: there is one in a member's life, however often it is told."""
_FLIPS: Final = ("segment.entered", "segment.left")


def triggered(body: CampaignBody, event: Mapping[str, Any], served: Mapping[str, int], now: Instant) -> bool:
    """Whether an event of the bus is one that the campaign waits for, and fresh enough.

    ``served``: segment -> the version that is served. While two versions of a segment live both tell what they see; only
    the served one triggers, so that one change of a member is one occurrence.
    """
    trigger = body.trigger
    if not isinstance(trigger, EventTrigger) or event["type"] not in trigger.types:
        return False
    if event["type"] in _FLIPS:
        data = event["data"]
        of_the_served_version = served.get(data["segment"]) == data["segment_version"]
        # Cause "version": she was in the segment all the time, by another of its versions.
        by_definition = event.get("cause") == "version" or (event.get("cause") == "definition" and not trigger.on_definition_change)
        if not of_the_served_version or by_definition or trigger.segment not in (None, data["segment"]):
            return False
    return now - int(event["occurred_at"]) <= body.max_event_age


def occurrence_of(event: Mapping[str, Any]) -> str:
    """What names the occurrence in a delivery's key: the same however often the event is told."""
    if event["type"] == "member.registered":
        return REGISTERED
    id_ = str(event["id"])
    return id_ if len(id_) <= MAX_OCCURRENCE and id_.isascii() else hashlib.sha256(id_.encode()).hexdigest()


def held_out(campaign: str, member: str, percent: int) -> bool:
    """Whether the member is in the campaign's holdout: by crc32, so always the same members, and other ones for each campaign."""
    return zlib.crc32(f"{campaign}|{member}".encode()) % 100 < percent


def not_hers(body: CampaignBody, step: Step, state: MemberState, served: Mapping[str, int]) -> str | None:
    """Why she is not to get it, whatever was planned, or ``None``. Asked at the moment of sending, in the order of the reasons.

    The last consent, the last bounce and the last purchase count, because the write that claims the message is conditional on
    the very state that is asked here.
    """
    if state.status != "active":
        return "not_active"
    segment = body.audience.segment
    if segment is not None and not (segment in served and segment_key(segment, served[segment]) in state.segments):
        return "not_in_segment"
    consent = state.consents.get(f"{body.purpose}:{step.channel}")
    needs_consent = body.message_class == "marketing"
    if needs_consent and (consent is None or not consent.granted):
        return "no_consent"
    if step.channel in state.suppressed:
        return "suppressed"
    return None if state.devices else "no_device"


def over_cap(body: CampaignBody, state: MemberState, now: Instant) -> bool:
    """Whether one more message would be more than the campaign's cap allows. Touches of all campaigns count."""
    cap = body.cap
    return cap is not None and sum(1 for touch in state.touches if not touch.held and touch.at > now - cap.days * DAY) >= cap.max
