"""What providers tell of messages afterwards: one of three bodies in, one ``Feedback`` out. Pure.

* SNS, the event DeliveryFailure of a platform application:
  https://docs.aws.amazon.com/sns/latest/dg/application-event-notifications.html. It names the endpoint, and neither member nor delivery.
* SES, by EventBridge (source ``aws.ses``): https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html, whose
  object is the ``detail``. ``mail.tags`` has what ``email.tags`` gave.
* AWS End User Messaging SMS, from a topic: https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-types.html,
  with the ``context`` that ``sms_request`` gave; and of two-way numbers what guests write:
  https://docs.aws.amazon.com/sms-voice/latest/userguide/phone-numbers-two-way-sms-payload.html.

What comes from a topic may still be in SNS's own envelope.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Instant, parse_rfc3339
from shared.messaging.email import origin_of
from shared.tenants.messaging import Channel

Kind = Literal["delivered", "bounced", "complained", "dead", "opened", "clicked", "opted_out"]
_ENDPOINT: Final = re.compile(
    r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{1,12}:endpoint/(APNS|APNS_SANDBOX|GCM)/([A-Za-z0-9_.-]{1,256})/[A-Za-z0-9-]{1,64}"
)
_APPLICATION: Final = re.compile(r"regulars-([a-z0-9]+)-([a-z0-9]+(?:-test[0-9]*)?)-(apns|apns_sandbox|gcm)")
_DEAD: Final = frozenset({"InvalidPlatformToken", "EndpointNotFound", "EndpointDisabled", "NoLongerRegistered", "Unregistered"})
"""Failures of which a device does not recover without a new token."""
_EMAIL: Final[Mapping[str, Kind]] = {
    "Bounce": "bounced", "Complaint": "complained", "Delivery": "delivered", "Open": "opened", "Click": "clicked", "Reject": "bounced",
    "Rendering Failure": "bounced",
}  # fmt: skip
_EMAIL_UNUSED: Final = frozenset({"Send", "DeliveryDelay", "Subscription"})
_SMS_BOUNCES: Final = frozenset(
    {
        "TEXT_INVALID", "TEXT_INVALID_MESSAGE", "TEXT_UNREACHABLE", "TEXT_CARRIER_UNREACHABLE", "TEXT_BLOCKED", "TEXT_CARRIER_BLOCKED",
        "TEXT_SPAM", "TEXT_UNKNOWN", "TEXT_TTL_EXPIRED", "TEXT_PROTECT_BLOCKED",
    }
)  # fmt: skip
_SMS_UNUSED: Final = frozenset({"TEXT_SENT", "TEXT_PENDING", "TEXT_QUEUED", "TEXT_SUCCESSFUL"})
"""On the way; TEXT_SUCCESSFUL: a carrier took it, of which not every one says more."""
_STOP_WORDS: Final = frozenset(
    {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "arret", "opt-out", "optout", "remove", "stopp", "abmelden", "стоп"}
)
_MAX_REASON: Final = 60
_FINE: Final = re.compile(r"[^a-z0-9_]+")


class NoFeedback(InvalidValue):
    """Not one of the bodies that come from our providers, or of none of our messages. The text says why, without values."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What became of a message. ``member`` and ``delivery`` are empty where the provider knows only the address."""

    kind: Kind
    channel: Channel
    tenant: str
    at: Instant
    member: str = ""
    delivery: str = ""
    permanent: bool = False
    reason: str = ""
    address: str = ""
    """Of a bounce or complaint the mailbox; of a push the endpoint; of an opt-out the guest's number."""
    platform: str = ""
    """Of a push: apns, apns_sandbox or gcm."""
    origination: str = ""
    """Which of our numbers a guest wrote to; the tenant is found by it."""


def feedback_of(body: Mapping[str, Any], stage: str) -> Feedback | None:
    """What a message of the queue says; ``None`` for what changes nothing (sent, queued, delayed). ``NoFeedback`` for anything else.

    ``stage``: ours. Another one's messages are not ours.
    """
    try:
        if body.get("Type") == "Notification" and isinstance(body.get("Message"), str):
            inner = json.loads(body["Message"])
            body = inner if isinstance(inner, dict) else {}
        if body.get("source") == "aws.ses":
            return _email(body["detail"])
        if body.get("Service") == "SNS":
            return _push(body, stage)
        if "inboundMessageId" in body:
            return _written(body)
        if isinstance(body.get("eventType"), str) and "messageId" in body:
            return _sms(body)
    except NoFeedback:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        # Without its text, which may quote an address.
        raise NoFeedback(f"not as the provider writes it ({type(error).__name__})") from None
    raise NoFeedback("of no provider that we know")


# -- push ---------------------------------------------------------------------------------------------------------------


def _push(body: Mapping[str, Any], stage: str) -> Feedback | None:
    if body["EventType"] != "DeliveryFailure":
        return None
    endpoint = _ENDPOINT.fullmatch(body["EndpointArn"])
    application = _APPLICATION.fullmatch(endpoint[2]) if endpoint is not None else None
    if application is None or application[1] != stage:
        raise NoFeedback("an application that is not of this stage")
    reason, at = str(body.get("FailureType", "")), parse_rfc3339(body["Time"])
    if reason not in _DEAD:
        return None
    platform, address = application[3], body["EndpointArn"]
    return Feedback("dead", "push", application[2], at, permanent=True, reason=_word(reason), address=address, platform=platform)


# -- e-mail -------------------------------------------------------------------------------------------------------------


def _email(detail: Mapping[str, Any]) -> Feedback | None:
    type_, mail = detail["eventType"], detail["mail"]
    if type_ in _EMAIL_UNUSED:
        return None
    if type_ not in _EMAIL:
        raise NoFeedback("an event of SES that we do not know")
    tags = {name: values[0] for name, values in mail.get("tags", {}).items() if values}
    origin = origin_of(tags)
    if not origin.get("tenant"):
        raise NoFeedback("an e-mail that is not ours: it has no tags of ours")
    if not origin.get("member"):
        # A one-time code: it goes to whoever asks, and tells nothing about a member.
        return None
    kind, permanent, reason, address = _EMAIL[type_], False, "", ""
    part = detail.get(type_[0].lower() + type_[1:].replace(" ", ""), detail.get("failure", {}))
    if type_ == "Bounce":
        permanent = part["bounceType"] == "Permanent"
        reason, address = f"{part['bounceType']}_{part.get('bounceSubType', '')}", _recipient(part["bouncedRecipients"])
    elif type_ == "Complaint":
        if part.get("complaintFeedbackType") == "not-spam":
            return None
        permanent = True
        reason, address = part.get("complaintFeedbackType") or "", _recipient(part["complainedRecipients"])
    elif kind == "bounced":
        # SES refused the message, or could not make it: this says nothing about the address.
        reason = type_
    at = parse_rfc3339(part.get("timestamp") or mail["timestamp"])
    return Feedback(kind, "email", origin["tenant"], at, origin["member"], origin.get("delivery", ""), permanent, _word(reason), address)


def _recipient(recipients: list[Mapping[str, Any]]) -> str:
    """``Anna <anna@example.com>`` as SES may write it, without the name."""
    text = str(recipients[0]["emailAddress"])
    return text.rpartition("<")[2].rstrip(">").strip().lower()


# -- SMS ----------------------------------------------------------------------------------------------------------------


def _sms(body: Mapping[str, Any]) -> Feedback | None:
    type_ = body["eventType"]
    if type_ in _SMS_UNUSED:
        return None
    if type_ != "TEXT_DELIVERED" and type_ not in _SMS_BOUNCES:
        raise NoFeedback("an event of SMS that we do not know")
    context = body.get("context") or {}
    if not context.get("tenant"):
        raise NoFeedback("an SMS that is not ours: it has no context of ours")
    if not context.get("member"):
        return None  # a one-time code, as above
    kind: Kind = "delivered" if type_ == "TEXT_DELIVERED" else "bounced"
    permanent = type_ == "TEXT_INVALID"
    return Feedback(
        kind, "sms", context["tenant"], int(body["eventTimestamp"]), context["member"], context.get("delivery", ""), permanent,
        _word(type_.removeprefix("TEXT_")), str(body.get("destinationPhoneNumber", "")),
    )  # fmt: skip


def _written(body: Mapping[str, Any]) -> Feedback | None:
    """What a guest wrote to one of our numbers: a word that means no, or nothing for us. When is not in it: the queue knows."""
    word = str(body["messageBody"]).strip().lower().rstrip(".!")
    if word not in _STOP_WORDS:
        return None
    number = str(body["originationNumber"])
    return Feedback("opted_out", "sms", "", 0, permanent=True, reason="stop", address=number, origination=str(body["destinationNumber"]))


def _word(text: str) -> str:
    """A reason as one word: ``permanent_general``."""
    return _FINE.sub("_", text.lower()).strip("_")[:_MAX_REASON]
