"""What a step would say to one member: shown, or sent to a member who tests. Of drafts, too. Nothing is written, and nobody is counted.

Links prove nothing here: a form or unsubscribing that somebody tries in a preview changes nobody. A coupon is a sample that no till takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.campaigns.content import Attached
from shared.campaigns.deliveries import delivery_id
from shared.campaigns.eligibility import allowed
from shared.campaigns.errors import UnknownCampaign
from shared.campaigns.gifts import attach
from shared.campaigns.messages import Order
from shared.campaigns.model import CampaignBody, Delivery
from shared.campaigns.participant import Participant
from shared.campaigns.policies import policy_of
from shared.campaigns.preview_api import PreviewAnswer, PreviewRequest, SendTestRequest, TestResult, TestSendAnswer, Warned
from shared.campaigns.steps import SendStep
from shared.campaigns.writing import Keys, Written, blanks_of, message_of
from shared.coupons.errors import NoOffer, TooManyCoupons, UnknownOffer
from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.ids import is_id, new_ulid
from shared.member_state.errors import UnknownMember
from shared.member_state.model import MemberState
from shared.member_state.service import peek
from shared.messaging.payloads import MessageTooLarge
from shared.messaging.port import Message, Result, Senders, Sent, Throttled, Unclear, Unreachable, Withheld
from shared.tenants.messaging import Channel
from shared.tenants.scope import TenantScope

SAMPLE_CODE: Final = "SAMPLE"
SAMPLE_COUPON: Final = "cpn_sample"
MARK: Final = "[Test] "
_NO_KEY: Final = bytes(32)


@dataclass(slots=True)
class _Sheet:
    """A step, and the member as she is now."""

    her: Participant
    step: SendStep
    state: MemberState
    version: int
    attached: Attached | None
    lacks: str | None
    """Why there is no coupon, although the step gives one."""

    def write(self, channel: Channel, keys: Keys) -> tuple[Written, Delivery]:
        """The message over a channel."""
        order = self.her.order
        delivery = Delivery(
            campaign=order.campaign, campaign_version=self.version, step=self.step.id, occurrence=order.occurrence, member=self.her.member,
            channel=channel, state="claimed", claimed_at=self.her.now,
        )  # fmt: skip
        return message_of(self.her, self.step, delivery, self.attached, self.state, keys), delivery


def preview(scope: TenantScope, campaign: str, request: PreviewRequest, public_url: str) -> PreviewAnswer:
    """The finished texts over a channel, with what is missing. About four reads, no write. ``Unprocessable`` with pointers."""
    sheet = _sheet(scope, campaign, request.member_id, request.step, request.data)
    _check_channels(sheet.step, [request.channel], "/channel", indexed=False)
    if request.language is not None:
        sheet.her.person = {**sheet.her.person, "language": request.language}
    keys = _sham(public_url)
    try:
        written, _ = sheet.write(request.channel, keys)
    except MessageTooLarge as error:
        raise Unprocessable("The text cannot be written for her.", errors=(FieldError("/step", error.code, str(error)),)) from None
    message = written.message
    return PreviewAnswer(
        campaign_version=sheet.version,
        language=written.language,
        title=message.title,
        body=message.body,
        html=message.html or None,
        deep_link=message.data.get("deep_link"),
        headers=dict(message.headers),
        warnings=tuple(_warnings(sheet, request.channel, written, keys)),
    )


def send_test(scope: TenantScope, campaign: str, request: SendTestRequest, senders: Senders, public_url: str) -> TestSendAnswer:
    """Really send it to a member who tests, marked as a test. No delivery, no coupon, no cap. About four reads and a call an address."""
    if request.member_id not in scope.definitions.settings.messaging.test_members:
        hint = FieldError("/member_id", "not_a_test_member", "settings.messaging.test_members lists who gets tests")
        raise Unprocessable("Tests go to the tenant's own test members.", errors=(hint,))
    sheet = _sheet(scope, campaign, request.member_id, request.step, request.data)
    _check_channels(sheet.step, request.channels, "/channels")
    channels = tuple(dict.fromkeys(request.channels))
    return TestSendAnswer(campaign_version=sheet.version, results=tuple(_sent(sheet, each, senders, public_url) for each in channels))


def _sent(sheet: _Sheet, channel: Channel, senders: Senders, public_url: str) -> TestResult:
    addresses, sender = sheet.her.addresses(channel, sheet.state), senders.get(channel)
    if not addresses or sender is None:
        return TestResult(channel=channel, result="refused", reason="unreachable" if sender is not None else "not_configured")
    try:
        written, delivery = sheet.write(channel, _sham(public_url))
    except MessageTooLarge as error:
        return TestResult(channel=channel, result="refused", reason=error.code)
    message = _marked(written.message, channel, delivery)
    results = [sender.send(address.to, message) for address in addresses]
    best = min(results, key=_rank)
    match best:
        case Sent(id_):
            return TestResult(channel=channel, result="sent", id=id_)
        case Unreachable(reason) | Withheld(reason):
            return TestResult(channel=channel, result="refused", reason=reason)
        case Throttled():
            return TestResult(channel=channel, result="busy")
        case Unclear():
            return TestResult(channel=channel, result="unclear")


def _rank(result: Result) -> int:
    return (Sent, Unclear, Throttled, Unreachable, Withheld).index(type(result))


def _marked(message: Message, channel: Channel, delivery: Delivery) -> Message:
    origin = {**message.origin, "delivery": delivery_id(delivery)}
    if channel == "sms":
        return replace(message, body=MARK + message.body, origin=origin)
    return replace(message, title=MARK + message.title, origin=origin)


def _sheet(scope: TenantScope, campaign: str, member: str, step: str, data: dict[str, object]) -> _Sheet:
    """The newest version, draft or not. ``UnknownCampaign``, ``UnknownMember``; ``Unprocessable`` for a step that sends nothing."""
    definition = scope.repository.newest("campaign", campaign)
    if definition is None:
        raise UnknownCampaign
    if not is_id("mbr", member):
        raise UnknownMember
    body = CampaignBody.model_validate(definition.body)
    found = body.step(step)
    if not isinstance(found, SendStep):
        raise Unprocessable("No such step.", errors=(FieldError("/step", "unknown_step", "a step of the campaign that sends a text"),))
    order = Order(scope.tenant, campaign, definition.version, step, f"test-{new_ulid(scope.clock())}", (member,))
    her = Participant(scope, order, body, member)
    her.data = data
    state = peek(scope, her.load(), her.now)
    attached, lacks = _sample(her, found, state)
    return _Sheet(her, found, state, definition.version, attached, lacks)


def _sample(her: Participant, step: SendStep, state: MemberState) -> tuple[Attached | None, str | None]:
    try:
        attached = attach(her, step.offer, state, her.order.occurrence)
    except NoOffer as none:
        return None, none.code
    except (UnknownOffer, TooManyCoupons) as error:
        return None, error.code
    if attached is None:
        return None, None
    return replace(attached, coupon=replace(attached.coupon, id=SAMPLE_COUPON, code=SAMPLE_CODE)), None


def _warnings(sheet: _Sheet, channel: Channel, written: Written, keys: Keys) -> list[Warned]:
    her, state = sheet.her, sheet.state
    reason = allowed(policy_of(her.body, sheet.step, her.view.settings), state, channel)
    reason = reason or (None if her.reachable([channel], state) else "unreachable")
    found = [Warned(code=each) for each in (reason, sheet.lacks) if each is not None]
    blanks = blanks_of(her, sheet.step, channel, sheet.attached, state, written.language or "", keys)
    return found + [Warned(code="missing_value", name=name) for name in blanks]


def _check_channels(step: SendStep, channels: Sequence[Channel], pointer: str, *, indexed: bool = True) -> None:
    wrong = [
        FieldError(f"{pointer}/{index}" if indexed else pointer, "unknown_channel", "the step does not send over it")
        for index, each in enumerate(channels)
        if each not in step.channels
    ]
    if wrong:
        raise Unprocessable("The step sends over other channels.", errors=tuple(wrong))


def _sham(public_url: str) -> Keys:
    """Keys that prove nothing."""
    return Keys(lambda: _NO_KEY, lambda _name, _version: _NO_KEY, lambda: _NO_KEY, public_url, tracked=False)
