"""What a step says to one member: which language, which variables, and the finished texts. Pure.

Variables: ``member.first_name``, ``member.last_name``; with a coupon attached ``coupon.title``, ``coupon.text``, ``coupon.code``,
``coupon.id`` and ``coupon.expires_on`` (the last day, ISO); ``link`` where there is a form or a deep link.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from shared.campaigns.errors import UnusableContent
from shared.campaigns.model import CampaignBody, Content, Step
from shared.coupons.model import Coupon, OfferBody
from shared.kernel.errors import FieldError
from shared.kernel.instants import format_day, local_day
from shared.messaging.rendering import InvalidTemplate, render, variables

T = TypeVar("T")
MEMBER: Final = frozenset({"member.first_name", "member.last_name"})
COUPON: Final = frozenset({"coupon.title", "coupon.text", "coupon.code", "coupon.id", "coupon.expires_on"})
LINK: Final = "link"
MAX_TITLE: Final = 200
MAX_BODY: Final = 1500


@dataclass(frozen=True, slots=True)
class Attached:
    """The coupon of a message, with its offer."""

    coupon: Coupon
    offer: OfferBody


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


def in_language(choices: Mapping[str, T], wanted: str | None, tenant: Sequence[str]) -> T | None:
    """The entry in her language (``de-AT``, then ``de``), else in the tenant's first, else any; ``None`` if there is none."""
    order = [*([wanted, wanted.partition("-")[0]] if wanted else []), *tenant]
    return next((choices[each] for each in order if each in choices), next(iter(choices.values()), None))


def write(
    step: Step, person: Mapping[str, str], attached: Attached | None, form_link: str | None, app_link: str, zone: str, tenant: Sequence[str]
) -> Text:
    """The texts for one member. A form's link goes before the content's deep link, that before the coupon's, that before the app's."""
    language = person.get("language")
    content = in_language(step.content, language, tenant)
    if content is None:
        raise UnusableContent("A step without content.")
    values = {f"member.{name}": person[name] for name in ("first_name", "last_name") if name in person}
    default_link = app_link
    if attached is not None:
        values |= _coupon_values(attached, language, zone, tenant)
        default_link = f"{app_link}coupons/{attached.coupon.id}"
    link = form_link or (render(content.deep_link, values) if content.deep_link else default_link)
    values[LINK] = link
    return Text(render(content.title, values)[:MAX_TITLE], render(content.body, values)[:MAX_BODY], link)


def _coupon_values(attached: Attached, language: str | None, zone: str, tenant: Sequence[str]) -> dict[str, str]:
    coupon, words = attached.coupon, in_language(attached.offer.content, language, tenant)
    return {
        "coupon.title": words.title if words is not None else attached.offer.name,
        "coupon.text": words.text if words is not None else "",
        "coupon.code": coupon.code or "",
        "coupon.id": coupon.id,
        # It is valid up to, but without, this instant, which is the start of a local day.
        "coupon.expires_on": format_day(local_day(coupon.expires_at - 1, zone)),
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
