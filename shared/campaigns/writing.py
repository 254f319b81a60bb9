"""A claimed message as the provider gets it: texts, links, how long it is good for, whose it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.campaigns.content import APP_CHANNELS, Attached, Expiring, Values, asked_for, blanks, needs_person, write
from shared.campaigns.deliveries import delivery_id
from shared.campaigns.model import Channel, DateTrigger, Delivery
from shared.campaigns.participant import Participant
from shared.campaigns.steps import SendStep, WebhookStep
from shared.kernel.instants import DAY, NEVER, SECOND, Instant, format_day, local_day
from shared.member_state.model import MemberState
from shared.members.form_links import Invitation, seal_invitation
from shared.messaging.email import unsubscribe_headers
from shared.messaging.links import link_address, pixel_address, seal_link, seal_unsubscribe, unsubscribe_address
from shared.messaging.look import Look, look_of
from shared.messaging.payloads import sns_message
from shared.messaging.port import Message, provider_settings
from shared.messaging.tracking import Tracking
from shared.privacy.keyring import MemberCipher
from shared.wallet.lots import true_expiry
from shared.wallet.model import Wallet
from shared.wallet.rules import spendable

FORM_LINK_LIFE: Final = 30 * DAY
_TRACKED: Final = APP_CHANNELS | {"email", "sms"}
LINKS: Final = "links"
"""The group that a delivery's links are sealed as: they may say something of her."""
Secret = Callable[[str, int], bytes]
"""Name and version of a webhook -> its signing secret."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What links and webhooks are signed with, asked for only where a step needs it. ``public_url``: where the stage answers links; without
    it nothing is tracked, and there is no link to unsubscribe.
    """

    form: Callable[[], bytes]
    webhook: Secret
    links: Callable[[], bytes]
    public_url: str = ""
    tracked: bool = True
    """Not so of what is only looked at."""


@dataclass(frozen=True, slots=True)
class Written:
    """A message, its language, and the links that it leads to by number."""

    message: Message
    language: str | None = None
    links: tuple[str, ...] = ()


def message_of(
    her: Participant,
    step: SendStep,
    delivery: Delivery,
    attached: Attached | None,
    state: MemberState,
    signing: Keys,
    known: Sequence[str] | None = None,
) -> Written:
    """The message for her. ``known``: its links if it was written before, since those alone are kept with the delivery.

    ``MessageTooLarge`` if its channel does not take as much, or if it cannot be written.
    """
    settings, id_ = her.view.settings, delivery_id(delivery)
    channel: Channel = delivery.channel  # type: ignore[assignment]
    base = settings.messaging.link_base or signing.public_url
    unsubscribe = _unsubscribe_link(her, channel, id_, base, signing)
    values = _values(her, step, attached, state, _form_link(her, step, channel, base, signing))
    tracking = _tracking(her, id_, channel, base, signing)
    if tracking is not None:
        tracking = replace(tracking, untouched=(unsubscribe,), known=known)
    text = write(step, channel, replace(values, unsubscribe_link=unsubscribe), settings, tracking, _look(her, channel))
    data = {"campaign_id": delivery.campaign, "step": delivery.step, "delivery_id": id_, "deep_link": text.deep_link}
    ttl = DAY // SECOND
    if attached is not None:
        data["coupon_id"] = attached.coupon.id
        ttl = min(ttl, (attached.coupon.expires_at - her.now) // SECOND)
    message = Message(
        title=text.title,
        body=text.body,
        data=data,
        ttl_seconds=ttl,
        origin=_origin(her, delivery),
        html=text.html,
        headers=unsubscribe_headers(unsubscribe) if channel == "email" and unsubscribe else {},
        service=her.body.message_class == "service",
        settings=provider_settings(channel, settings.messaging, "", _no_secret),
        at=her.now,
    )
    if channel == "push":
        sns_message(message)
    return Written(message, text.language, text.links)


def blanks_of(
    her: Participant, step: SendStep, channel: Channel, attached: Attached | None, state: MemberState, language: str, signing: Keys
) -> tuple[str, ...]:
    """The values that her text asks for and that she has not, by name."""
    settings = her.view.settings
    base = settings.messaging.link_base or signing.public_url
    values = _values(her, step, attached, state, None)
    return blanks(step, channel, replace(values, unsubscribe_link=base), settings, language, _look(her, channel))


def _look(her: Participant, channel: Channel) -> Look | None:
    """The tenant's look, which e-mails alone have."""
    return look_of(her.view.settings, her.scope.tenant, her.scope.media_url) if channel == "email" else None


def sealed_links(her: Participant, links: Sequence[str]) -> bytes | None:
    """A message's links as they are kept with its delivery."""
    return her.scope.cipher(her.member).seal_json(LINKS, list(links)) if links else None


def kept_links(cipher: MemberCipher, sealed: bytes | None) -> tuple[str, ...]:
    """The links of a delivery, by number; ``Undecipherable`` if they are another's."""
    return tuple(cipher.open_json(LINKS, sealed)) if sealed is not None else ()


def _values(her: Participant, step: SendStep, attached: Attached | None, state: MemberState, form_link: str | None) -> Values:
    """What the step's texts ask for; the rest is left out, and not read."""
    asked = asked_for(step)
    wallets = {name.split(".")[1] for name in asked if name.startswith("balance.")}
    location = her.view.locations.get(state.profile.last_location)
    tier = state.tier.id if state.tier is not None else ""
    return Values(
        member=her.member,
        person=her.person if needs_person(step) else {},
        attached=attached,
        balances={name: spendable(state.wallets.get(name, Wallet()), state.holds, name) for name in wallets},
        expiring=_expiring(her, state) if any(name.startswith("expiring.") for name in asked) else None,
        tier=tier,
        tier_title=_tier_title(her, tier) if "tier.title" in asked else "",
        location=location.name if location is not None else "",
        data=her.data if any(name.startswith("data.") for name in asked) else {},
        form_link=form_link,
    )


def _unsubscribe_link(her: Participant, channel: Channel, delivery: str, base: str, signing: Keys) -> str:
    """Where she says no to more of this kind over this channel; of a service message to service messages."""
    if not base:
        return ""
    purpose = her.body.purpose if her.body.message_class == "marketing" else "service"
    token = seal_unsubscribe(signing.links(), her.scope.tenant, her.member, channel, purpose, delivery)
    return unsubscribe_address(base, her.scope.tenant, token)


def _tracking(her: Participant, delivery: str, channel: Channel, base: str, signing: Keys) -> Tracking | None:
    """Clicks of every channel with links that can be opened in a browser, opens of e-mail."""
    if not base or not signing.tracked or channel not in _TRACKED:
        return None
    tenant, member, key = her.scope.tenant, her.member, signing.links()
    pixel = pixel_address(base, tenant, seal_link(key, "open", tenant, member, delivery))

    def link_of(number: int) -> str:
        return link_address(base, tenant, seal_link(key, "click", tenant, member, delivery, number))

    return Tracking(link_of, pixel if channel == "email" else None)


def _expiring(her: Participant, state: MemberState) -> Expiring | None:
    """The points that expire next, of the trigger's wallet if it names one: all that end at the same instant."""
    only = her.body.trigger.wallet if isinstance(her.body.trigger, DateTrigger) else None
    ends = [
        (true_expiry(wallet, lot.expires_at), lot.points)
        for name, wallet in state.wallets.items()
        for lot in wallet.lots
        if only in (None, name) and lot.points > 0
    ]
    first = min((at for at, _ in ends), default=NEVER)
    if first >= NEVER:
        return None
    return Expiring(sum(points for at, points in ends if at == first), format_day(local_day(first - 1, her.zone)))


def _tier_title(her: Participant, tier: str) -> str:
    scheme = her.view.fold.scheme
    level = next((each for each in scheme.levels if each.id == tier), None) if scheme is not None else None
    if level is None:
        return ""
    return her.scope.reader(her.person.get("language")).title(level.content, level.name)


def _no_secret(_name: str, _version: int) -> bytes:
    return b""


def webhook_of(her: Participant, step: WebhookStep, delivery: Delivery, secret: Secret) -> Message:
    """What a system of the tenant is told: ids, and what the step says."""
    ids = {
        "member_id": her.member,
        "campaign_id": delivery.campaign,
        "step": delivery.step,
        "occurrence": delivery.occurrence,
        "delivery_id": delivery_id(delivery),
    }
    settings = provider_settings("webhook", her.view.settings.messaging, step.endpoint, secret)
    return Message("", "", {**step.data, **ids}, origin=_origin(her, delivery), settings=settings, at=her.now)


def _origin(her: Participant, delivery: Delivery) -> dict[str, str]:
    return {
        "tenant": her.scope.tenant,
        "member": her.member,
        "delivery": delivery_id(delivery),
        "campaign": delivery.campaign,
        "step": delivery.step,
    }


def _form_link(her: Participant, step: SendStep, channel: Channel, base: str, signing: Keys) -> str | None:
    """Into the app where the message arrives in it; elsewhere the same form as a page, for whoever has no app."""
    form = step.form
    if form is None:
        return None
    expires: Instant = her.now + FORM_LINK_LIFE
    invitation = Invitation(her.scope.tenant, her.member, her.order.campaign, step.id, form.fields, form.offer, expires)
    by_page = bool(base) and channel not in APP_CHANNELS
    start = f"{base}/v1/" if by_page else her.view.settings.app_link
    return f"{start}forms/{seal_invitation(signing.form(), invitation)}"
