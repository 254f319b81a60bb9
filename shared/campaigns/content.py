"""What a step says to one member: which language, which variables, and the finished texts. Pure.

Variables: ``member.first_name``, ``member.last_name``; with a coupon attached ``coupon.title``, ``coupon.text``, ``coupon.code``,
``coupon.id`` and ``coupon.expires_on`` (the last day, ISO), and what the offer makes personal by its word (``coupon.minimum_basket``,
``coupon.item``, ...); ``link`` where there is a form or a deep link.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.campaigns.errors import UnusableContent
from shared.campaigns.model import CampaignBody, Content, Step
from shared.coupons.model import Coupon, OfferBody
from shared.coupons.personal import WORDS
from shared.kernel.errors import FieldError
from shared.kernel.instants import format_day, local_day
from shared.messaging.rendering import InvalidTemplate, render, variables
from shared.tenants.content import Content as GuestContent
from shared.tenants.content import in_language

MEMBER: Final = frozenset({"member.first_name", "member.last_name"})
PERSONAL: Final = frozenset(f"coupon.{word}" for word in WORDS)
"""Of these only those that the offer makes personal have a value; publishing a campaign asks for no other."""
COUPON: Final = frozenset({"coupon.title", "coupon.text", "coupon.code", "coupon.id", "coupon.expires_on"}) | PERSONAL
LINK: Final = "link"
MAX_TITLE: Final = 200
MAX_BODY: Final = 1500


@dataclass(frozen=True, slots=True)
class Attached:
    """The coupon of a message, with its offer, and its personal parameters as texts show them, by word."""

    coupon: Coupon
    offer: OfferBody
    personal: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    """Finished texts."""

    title: str
    body: str
    deep_link: str


def check_content(body: CampaignBody) -> None:
    """``UnusableContent`` unless every variable of every text will have a value's place; pointers start at ``/definition``."""
    problems = tuple(problem for index, step in enumerate(body.steps) for problem in _problems(step, f"/definition/steps/{index}"))
    if problems:
        raise UnusableContent("A text cannot be used as it is; see errors.", errors=problems)


def needs_person(step: Step) -> bool:
    """Whether writing it takes personal fields: her name, or her language where there is a choice."""
    texts = [text for content in step.content.values() for text in _texts(content).values()]
    return len(step.content) > 1 or any(variable.name in MEMBER for text in texts for variable in variables(text))


def write(
    step: Step, person: Mapping[str, str], attached: Attached | None, form_link: str | None, app_link: str, zone: str, tenant: Sequence[str]
) -> Text:
    """The texts for one member. A form's link goes before the content's deep link, that before the coupon's (its offer's, or its place in
    the app), that before the app's.
    """
    languages = (person["language"], *tenant) if person.get("language") else tuple(tenant)
    content = in_language(step.content, languages)
    if content is None:
        raise UnusableContent("A step without content.")
    values = {f"member.{name}": person[name] for name in ("first_name", "last_name") if name in person}
    default_link = app_link
    if attached is not None:
        words = in_language(attached.offer.content, languages)
        values |= _coupon_values(attached, words, zone)
        default_link = words.deep_link if words is not None and words.deep_link else f"{app_link}coupons/{attached.coupon.id}"
    link = form_link or (render(content.deep_link, values) if content.deep_link else default_link)
    values[LINK] = link
    return Text(render(content.title, values)[:MAX_TITLE], render(content.body, values)[:MAX_BODY], link)


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


def _texts(content: Content) -> dict[str, str]:
    return {"title": content.title, "body": content.body, **({"deep_link": content.deep_link} if content.deep_link else {})}


def _problems(step: Step, pointer: str) -> Iterator[FieldError]:
    for language, content in step.content.items():
        known = MEMBER | (COUPON if step.offer is not None else frozenset())
        for name, text in _texts(content).items():
            where = f"{pointer}/content/{language}/{name}"
            has_link = name != "deep_link" and (step.form is not None or content.deep_link is not None)
            allowed = known | {LINK} if has_link else known
            try:
                unknown = [variable.name for variable in variables(text) if variable.name not in allowed]
            except InvalidTemplate as error:
                yield FieldError(where, "invalid_template", str(error))
                continue
            if unknown:
                yield FieldError(where, "unknown_variable", f"here are known: {', '.join(sorted(allowed))}")
