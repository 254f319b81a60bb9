"""What a marketer should look at before a launch. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.campaigns.model import CampaignBody
from shared.campaigns.steps import IssueStep, SendStep
from shared.campaigns.texts import texts_for
from shared.forecast import api
from shared.forecast.reach import Person
from shared.messaging.port import configured
from shared.tenants.model import TenantSettings

NOTABLE_PERCENT: Final = 1
"""A language that so many of the sample speak should have a text."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known. ``audience``: how many it has at most."""

    body: CampaignBody
    settings: TenantSettings
    people: Sequence[Person]
    budget: api.BudgetEstimate | None
    coupons: Sequence[api.OfferEstimate]
    audience: int


def warnings_of(facts: Facts) -> tuple[api.WarningAnswer, ...]:
    """Everything that is worth a look, in the order of the campaign's fields."""
    return tuple(
        api.WarningAnswer(code=code, pointer=f"/definition{pointer}", detail=detail)
        for check in (_nobody, _languages, _channels, _goal, _offers, _budget)
        for code, pointer, detail in check(facts)
    )


Found = Iterator[tuple[api.WarningCode, str, str]]


def _nobody(facts: Facts) -> Found:
    if facts.audience == 0:
        yield "nobody", "/audience", "nobody is in the audience now"


def _languages(facts: Facts) -> Found:
    """By base language, as texts are chosen; who has not said hers is read to in the tenant's first."""
    first = facts.settings.languages[0]
    spoken = Counter(_base((each.facts.language if each.facts is not None else None) or first) for each in facts.people)
    notable = {language: count for language, count in spoken.items() if count * 100 >= len(facts.people) * NOTABLE_PERCENT}
    for index, step in enumerate(facts.body.steps):
        if not isinstance(step, SendStep):
            continue
        missing = [
            language
            for language in sorted(notable)
            if any(language not in map(_base, texts_for(step.content, step.by_channel, each)) for each in step.channels)
        ]
        for language in missing:
            share = notable[language] * 100 // len(facts.people)
            yield "missing_language", f"/steps/{index}/content", f"{share} per cent read {language}, and there is no text in it"


def _channels(facts: Facts) -> Found:
    settings = facts.settings
    for index, step in enumerate(facts.body.steps):
        for channel in step.channels if isinstance(step, SendStep) else ():
            is_set_up = bool(settings.push) if channel == "push" else configured(channel, settings.messaging)
            if not is_set_up:
                yield "channel_not_set_up", f"/steps/{index}", f"the tenant has not set up {channel}: it cannot be launched"
            elif channel == "sms" and channel not in settings.messaging.prices:
                yield "cost_not_known", f"/steps/{index}", f"the tenant has set no price for {channel}: it counts as free here"


def _goal(facts: Facts) -> Found:
    goal, steps = facts.body.goal.of, facts.body.steps
    gives = any(isinstance(step, SendStep | IssueStep) and step.offer is not None for step in steps)
    has_form = any(isinstance(step, SendStep) and step.form is not None for step in steps)
    reminds = getattr(facts.body.trigger, "of", None) == "coupon_expiry"
    if goal == "coupon_redeemed" and not (gives or reminds or any(_form_gives(step) for step in steps)):
        yield "goal_not_measurable", "/goal/of", "no step gives a coupon that could be redeemed"
    if goal == "form_submitted" and not has_form:
        yield "goal_not_measurable", "/goal/of", "no message leads to a form"
    name = goal.removeprefix("event.")
    if goal.startswith("event.") and name not in facts.settings.events:
        yield "goal_not_measurable", "/goal/of", f"the tenant has not declared the event {name}"
    nobody_buys = bool(facts.people) and not any(each.state.profile.count for each in facts.people)
    if goal == "purchase" and nobody_buys:
        yield "goal_not_measurable", "/goal/of", "none of the members looked at has a recorded purchase"


def _form_gives(step: object) -> bool:
    return isinstance(step, SendStep) and step.form is not None and step.form.offer is not None


def _offers(facts: Facts) -> Found:
    for each in facts.coupons:
        if each.highest_each is None:
            yield "cost_not_known", "/steps", f"the terms of {each.offer} do not tell what a coupon costs at most: set maximum_discount"


def _budget(facts: Facts) -> Found:
    if facts.budget is not None and facts.budget.amount < facts.budget.expected:
        yield "budget_too_small", "/budget/amount", f"it is expected to cost {facts.budget.expected}"


def _base(language: str) -> str:
    return language.partition("-")[0]
