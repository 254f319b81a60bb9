"""What a step says to one member: which language, which variables, and the finished texts. Pure.

Variables, each of them empty where there is nothing to show:

* ``member.id``, ``member.first_name``, ``member.last_name``, ``member.language``; ``location.name`` of what it is sent for
* ``tenant.name``, ``tenant.color``, ``tenant.on_color`` and ``tenant.logo`` (its address), as the tenant's branding has them
* ``coupon.title``, ``.text``, ``.code``, ``.id``, ``.expires_on`` (the last day, ISO) with a coupon attached, and what the offer makes
  personal by its word (``coupon.minimum_basket``, ``coupon.item``, ...)
* ``balance.<wallet>.points`` (a number) and ``.value`` (with the currency); ``expiring.points``, ``expiring.expires_on``
* ``tier.id``, ``tier.title``
* ``link`` where there is a form or a deep link; ``unsubscribe_link``
* ``data.<name>`` as the trigger declares it

``{{ coupon.expires_on | date: "%d.%m.%Y" }}`` writes a day as one reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.campaigns.errors import UnusableContent
from shared.campaigns.model import CampaignBody, SendStep
from shared.campaigns.texts import Content, texts_for
from shared.campaigns.triggers import ApiTrigger
from shared.coupons.model import Coupon, OfferBody
from shared.coupons.personal import WORDS
from shared.kernel.errors import FieldError
from shared.kernel.instants import format_day, local_day
from shared.kernel.money import format_money
from shared.messaging.look import Look, letter
from shared.messaging.payloads import MessageTooLarge, sns_message
from shared.messaging.port import Message
from shared.messaging.rendering import InvalidTemplate, RenderingFailed, render, unknown_variables, variables
from shared.messaging.sms import too_large
from shared.messaging.tracking import LinkList, Tracking
from shared.tenants.branding import Branding
from shared.tenants.content import Content as GuestContent
from shared.tenants.content import in_language
from shared.tenants.messaging import Channel
from shared.tenants.model import TenantSettings, WalletSettings

PERSON: Final = frozenset({"member.first_name", "member.last_name", "member.language"})
"""What takes her sealed fields."""
GENERAL: Final = PERSON | {
    "member.id", "tenant.name", "tenant.color", "tenant.on_color", "tenant.logo",
    "location.name", "expiring.points", "expiring.expires_on", "tier.id", "tier.title", "unsubscribe_link",
}  # fmt: skip
PERSONAL: Final = frozenset(f"coupon.{word}" for word in WORDS)
"""Of these only those that the offer makes personal have a value; publishing a campaign asks for no other."""
COUPON: Final = frozenset({"coupon.title", "coupon.text", "coupon.code", "coupon.id", "coupon.expires_on"}) | PERSONAL
LINK: Final = "link"
APP_CHANNELS: Final = frozenset({"push", "inbox"})
"""Channels whose messages have one link, which a tap follows; links in their texts are text."""
MAX_TITLE: Final = 200
MAX_BODY: Final = 1500
"""Of a push message; more is cut."""


class TextFailed(MessageTooLarge):
    """The text cannot be written with the values of this member."""

    code, title = "text_failed", "Text cannot be written"


@dataclass(frozen=True, slots=True)
class Attached:
    """The coupon of a message, with its offer, and its personal parameters as texts show them, by word."""

    coupon: Coupon
    offer: OfferBody
    personal: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expiring:
    """Points that expire next: how many, and their last day (ISO)."""

    points: int
    expires_on: str


@dataclass(frozen=True, slots=True)
class Values:
    """What is known of the member, as texts show it; what no text of the step asks for (``asked_for``) may be left out."""

    member: str = ""
    person: Mapping[str, str] = field(default_factory=dict)
    """``first_name``, ``last_name``, ``language``."""
    attached: Attached | None = None
    balances: Mapping[str, int] = field(default_factory=dict)
    """Points that she may spend, by wallet."""
    expiring: Expiring | None = None
    tier: str = ""
    tier_title: str = ""
    location: str = ""
    """Its name."""
    data: Mapping[str, Any] = field(default_factory=dict)
    form_link: str | None = None
    unsubscribe_link: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Finished texts. ``links``: those that were replaced by tracked ones, by number."""

    title: str
    body: str
    html: str
    deep_link: str
    language: str
    links: tuple[str, ...] = ()


# -- before it is published -----------------------------------------------------------------------------------------------


def check_content(body: CampaignBody, wallets: Collection[str] | None = None) -> None:
    """``UnusableContent`` unless every variable of every text will have a value's place and the text fits its channels; pointers start at
    ``/definition``. ``wallets``: the tenant's (not given: any).
    """
    declared = body.trigger.data if isinstance(body.trigger, ApiTrigger) else ()
    known = GENERAL | {name for each in declared for name in (f"data.{each}", f"data.{each}.*")}
    known |= {"balance.*"} if wallets is None else {f"balance.{each}.{part}" for each in wallets for part in ("points", "value")}
    steps = ((index, step) for index, step in enumerate(body.steps) if isinstance(step, SendStep))
    problems = tuple(problem for index, step in steps for problem in _problems(step, f"/definition/steps/{index}", known))
    if problems:
        raise UnusableContent("A text cannot be used as it is; see errors.", errors=problems)


def asked_for(step: SendStep) -> frozenset[str]:
    """The variables of all texts of a step: what need not be read may be left out of ``Values``."""
    contents = [content for texts in (step.content, *step.by_channel.values()) for content in texts.values()]
    return frozenset(each.name for content in contents for name, text in _texts(content) for each in variables(text, html=name == "html"))


def needs_person(step: SendStep) -> bool:
    """Whether writing it takes personal fields: her name, or her language where there is a choice."""
    return any(len(texts) > 1 for texts in (step.content, *step.by_channel.values())) or not PERSON.isdisjoint(asked_for(step))


def _texts(content: Content) -> list[tuple[str, str]]:
    given = (("title", content.title), ("body", content.body), ("html", content.html), ("deep_link", content.deep_link))
    return [(name, text) for name, text in given if text]


def _problems(step: SendStep, pointer: str, known: Collection[str]) -> Iterator[FieldError]:
    known = frozenset(known) | (COUPON if step.offer is not None else frozenset())
    places = [("content", step.content, tuple(each for each in step.channels if each not in step.by_channel))]
    places += [(f"by_channel/{channel}", texts, (channel,)) for channel, texts in step.by_channel.items()]
    for place, texts, channels in places:
        for language, content in texts.items():
            where = f"{pointer}/{place}/{language}"
            found = list(_unusable(content, where, known, has_form=step.form is not None))
            yield from found or _too_large(content, where, channels)


def _unusable(content: Content, pointer: str, known: frozenset[str], *, has_form: bool) -> Iterator[FieldError]:
    for name, text in _texts(content):
        has_link = name != "deep_link" and (has_form or content.deep_link is not None)
        allowed = known | {LINK} if has_link else known
        try:
            unknown = unknown_variables(text, allowed, html=name == "html")
        except InvalidTemplate as error:
            yield FieldError(f"{pointer}/{name}", "invalid_template", str(error))
            continue
        if unknown:
            named = ", ".join(f"{each.name[:60]} (line {each.line})" for each in unknown[:5])
            yield FieldError(f"{pointer}/{name}", "unknown_variable", f"{named}; here are known: {', '.join(sorted(allowed))}")


def _too_large(content: Content, pointer: str, channels: Sequence[Channel]) -> Iterator[FieldError]:
    """What no member's values can make fit."""
    is_plain = not variables(content.body)
    reason = too_large(content.body) if is_plain and "sms" in channels else None
    if reason is not None:
        yield FieldError(f"{pointer}/body", "message_too_large", reason)
    if is_plain and "push" in channels:
        try:
            sns_message(Message(content.title[:MAX_TITLE], content.body[:MAX_BODY]))
        except MessageTooLarge as error:
            yield FieldError(f"{pointer}/body", "message_too_large", error.errors[0].detail)


# -- for one member -------------------------------------------------------------------------------------------------------


def write(
    step: SendStep, channel: Channel, values: Values, settings: TenantSettings, tracking: Tracking | None = None, look: Look | None = None
) -> Text:
    """The texts for one member over one channel. A form's link goes before the content's deep link, that before the coupon's (its offer's,
    or its place in the app), that before the app's. An e-mail without HTML of its own is a letter in the look of a tenant that has set
    one. ``TextFailed``, ``MessageTooLarge``.
    """
    hers = values.person.get("language")
    languages = (hers, *settings.languages) if hers else settings.languages
    texts = texts_for(step.content, step.by_channel, channel)
    chosen = in_language({language: (language, content) for language, content in texts.items()}, languages)
    if chosen is None:
        raise TextFailed("A step without content.")
    language, content = chosen
    shown = _values(values, settings, look)
    default_link = settings.app_link
    if values.attached is not None:
        words = in_language(values.attached.offer.content, languages)
        shown |= _coupon_values(values.attached, words, settings.time_zone)
        its_own = words.deep_link if words is not None else None
        default_link = its_own or f"{settings.app_link}coupons/{values.attached.coupon.id}"
    try:
        shown[LINK] = values.form_link or (render(content.deep_link, shown) if content.deep_link else default_link)
        title, body = render(content.title, shown), render(content.body, shown)
        page = render(content.html, shown, html=True) if content.html and channel == "email" else ""
        if not page and channel == "email" and look is not None and settings.branding != Branding():
            page = letter(title, body, look, quiet=(values.unsubscribe_link,), language=language)
    except RenderingFailed as error:
        raise TextFailed(str(error)) from None
    links: tuple[str, ...] = ()
    deep_link = shown[LINK]
    if tracking is not None:
        listed = LinkList(tracking)
        if channel in APP_CHANNELS:
            # What the app opens by itself stays its own; a page in a browser is counted on the way.
            deep_link = deep_link if deep_link.startswith(settings.app_link) else listed.in_text(deep_link)
        else:
            body, page = listed.in_text(body), listed.in_html(page) if page else ""
        links = tuple(listed.links)
    if channel == "push":
        title, body = title[:MAX_TITLE], body[:MAX_BODY]
    reason = too_large(body) if channel == "sms" else None
    if reason is not None:
        raise MessageTooLarge(reason)
    return Text(title, body, page, deep_link, language, links)


def blanks(
    step: SendStep, channel: Channel, values: Values, settings: TenantSettings, language: str, look: Look | None = None
) -> tuple[str, ...]:
    """The variables of a channel's text in a language that have no value, in order. ``look``: as it is written with."""
    content = texts_for(step.content, step.by_channel, channel).get(language)
    if content is None:
        return ()
    shown = _values(values, settings, look)
    if values.attached is not None:
        words = in_language(values.attached.offer.content, (language, *settings.languages))
        shown |= _coupon_values(values.attached, words, settings.time_zone)
    asked = {each.name for name, text in _texts(content) for each in variables(text, html=name == "html")}
    return tuple(sorted(name for name in asked if name != LINK and shown.get(name) in (None, "")))


def _values(values: Values, settings: TenantSettings, look: Look | None = None) -> dict[str, Any]:
    person = ((name, values.person.get(name)) for name in ("first_name", "last_name", "language"))
    shown: dict[str, Any] = {f"member.{name}": value for name, value in person if value is not None}
    shown |= {f"data.{name}": value for name, value in values.data.items()}
    shown |= {"member.id": values.member, "tier.id": values.tier, "tier.title": values.tier_title}
    brand = settings.branding
    shown |= {"tenant.name": brand.name or settings.name, "tenant.color": brand.color, "tenant.on_color": brand.on_color}
    shown |= {"tenant.logo": look.logo if look is not None else ""}
    shown |= {"location.name": values.location, "unsubscribe_link": values.unsubscribe_link}
    for wallet, points in values.balances.items():
        worth = settings.wallets.get(wallet) or WalletSettings()
        shown[f"balance.{wallet}.points"] = points
        shown[f"balance.{wallet}.value"] = format_money(points * worth.value // worth.points, settings.currency)
    if values.expiring is not None:
        shown |= {"expiring.points": values.expiring.points, "expiring.expires_on": values.expiring.expires_on}
    return shown


def _coupon_values(attached: Attached, words: GuestContent | None, zone: str) -> dict[str, str]:
    coupon = attached.coupon
    return {
        "coupon.title": words.title if words is not None else attached.offer.name,
        "coupon.text": words.text if words is not None else "",
        "coupon.code": coupon.code or "",
        "coupon.id": coupon.id,
        # It is valid up to, but without, this instant, which is the start of a local day.
        "coupon.expires_on": format_day(local_day(coupon.expires_at - 1, zone)),
        **{f"coupon.{word}": text for word, text in attached.personal.items()},
    }
