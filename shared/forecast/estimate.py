"""The estimate before a launch: whom a campaign reaches over what, what stands against it, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from shared.audiences.sampling import Interval, interval
from shared.campaigns.model import CampaignBody
from shared.campaigns.policies import price_of, rungs_of
from shared.campaigns.steps import ChosenOffer, IssueStep, SendStep, Step
from shared.coupons.model import OfferBody
from shared.forecast import api
from shared.forecast.audience import Asked, Drawn, Source, asked_about, audience_rule, draw
from shared.forecast.costs import Worth, cost_of, seconds_to_send, worth, worth_of_points
from shared.forecast.flow import DAYS, Flow, flow_of
from shared.forecast.reach import Fate, Person, comes_to, fates, is_held_out
from shared.forecast.warnings import Facts, warnings_of
from shared.kernel.instants import Instant, format_rfc3339
from shared.tenants.messaging import Channel
from shared.tenants.model import TenantSettings, WalletSettings
from shared.tenants.scope import TenantScope

Scale = Callable[[int], api.Figure]


@dataclass(slots=True)
class Tally:
    """What became of the sampled members at one step."""

    step: SendStep
    comes: int = 0
    sure: bool = True
    reachable: Counter[Channel] = field(default_factory=Counter)
    first: Counter[Channel] = field(default_factory=Counter)
    at_most: Counter[Channel] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    later: Counter[str] = field(default_factory=Counter)
    given: int = 0
    """Members who get a message, over one channel or several."""

    def add(self, found: Sequence[Fate]) -> None:
        """One member's fate, or fates where it goes over all channels."""
        goes_on = self.step.ladder is not None and self.step.ladder.next_after_minutes is not None
        for each in found:
            self.reachable.update(each.usable)
            if each.channel is not None and not each.held_out:
                self.first[each.channel] += 1
                later_rungs = each.usable[each.usable.index(each.channel) :] if goes_on else (each.channel,)
                self.at_most.update(later_rungs)
        gets = [each for each in found if each.channel is not None]
        chosen = gets[0] if gets else found[0]
        if chosen.held_out:
            self.reasons["held_out"] += 1
        elif chosen.reason is not None:
            self.reasons[chosen.reason] += 1
        else:
            self.given += 1
            self.later.update([chosen.later] if chosen.later is not None else [])


def estimate(scope: TenantScope, campaign: str, request: api.EstimateRequest, source: Source) -> api.EstimateAnswer:
    """What it would do now; nothing is written. Cost: a preview's, and one read of each sampled member's state, history and key."""
    asked = asked_about(scope, campaign, request.version)
    rule, seed = audience_rule(asked.body, asked.context), asked.body.audience.model_dump_json()
    drawn = draw(scope, rule, asked.context, source, request.size, seed=seed, exact=request.mode == "exact")
    now, settings = scope.clock(), asked.known.settings
    scale = _scale(drawn)
    tallies = tally(campaign, asked.body, drawn.people, settings, now)
    steps = tuple(_step(each, settings, scale) for each in tallies)
    coupons = _coupons(scope, asked, drawn, tallies, scale, request.redemption_percent, now)
    points, points_value = _points(asked, drawn, scale)
    sent = Counter[Channel]()
    for step in steps:
        sent.update({each.channel: each.first.count for each in step.channels})
    cost, at_most = (sum(getattr(each, name) for step in steps for each in step.channels) for name in ("cost", "cost_at_most"))
    highest, expected = _sum(each.highest for each in coupons), _sum(each.expected for each in coupons)
    flow = flow_of(campaign, asked.body, drawn.people, settings, _served(asked, now), now)
    budget = _budget(asked.body, cost, at_most, highest, sum(each.expected or 0 for each in coupons))
    return api.EstimateAnswer(
        campaign_id=campaign,
        version=asked.definition.version,
        mode=request.mode,
        audience=_figure(drawn.audience),
        population=drawn.population,
        looked_at=len(drawn.people),
        source="table" if drawn.from_table else "snapshot",
        whole=drawn.whole,
        as_of=format_rfc3339(now),
        steps=steps,
        messages=scale(sum(sum(each.first.values()) for each in tallies)),
        message_cost=cost,
        message_cost_at_most=at_most,
        coupons=coupons,
        coupon_liability_highest=highest,
        coupon_liability_expected=expected,
        points=points,
        points_value=points_value,
        sending_seconds=seconds_to_send(sent, settings.messaging.per_second, asked.body.per_second),
        flow=_flow(flow, drawn, cost) if flow is not None else None,
        budget=budget,
        warnings=warnings_of(Facts(asked.body, settings, drawn.people, budget, coupons, drawn.audience.high)),
    )


def tally(campaign: str, body: CampaignBody, people: Iterable[Person], settings: TenantSettings, now: Instant) -> list[Tally]:
    """What becomes of members at each step that sends. Pure."""
    found = {each.id: Tally(each) for each in body.steps if isinstance(each, SendStep)}
    for person in people:
        for step, sure in comes_to(body, campaign, person.state.member).items():
            if step in found:
                each = found[step]
                each.comes, each.sure = each.comes + 1, each.sure and sure
                each.add(fates(campaign, body, each.step, person.state, settings, now))
    return list(found.values())


def _scale(drawn: Drawn) -> Scale:
    """From the sampled members to the audience. More messages than members (over several steps) are scaled alone by the estimate."""
    looked_at, audience = len(drawn.people), drawn.audience.estimate

    def scaled(count: int) -> api.Figure:
        if count <= looked_at:
            return _figure(interval(count, looked_at, max(audience, looked_at)) if audience else Interval(0, 0, 0))
        about = -(-count * audience // looked_at)
        return api.Figure(count=about, low=min(count, about), high=max(about, -(-count * drawn.audience.high // looked_at)))

    return scaled


def _figure(found: Interval) -> api.Figure:
    return api.Figure(count=found.estimate, low=found.low, high=found.high)


def _step(found: Tally, settings: TenantSettings, scale: Scale) -> api.StepEstimate:
    channels = []
    for rung, channel in enumerate(rungs_of(found.step, settings.messaging, settings.country)):
        price = price_of(settings.messaging.prices, channel, settings.country)
        first, at_most = scale(found.first[channel]), scale(found.at_most[channel])
        channels.append(
            api.ChannelEstimate(
                channel=channel,
                rung=rung,
                reachable=scale(found.reachable[channel]),
                first=first,
                at_most=at_most,
                cost=cost_of(first.count, price),
                cost_at_most=cost_of(at_most.high, price),
            )
        )
    names = ("no_consent", "suppressed", "unreachable", "held_out", "over_cap")
    reasons = {name: scale(found.reasons[name]) for name in names}
    later = {name: scale(found.later[name]) for name in ("quiet_hours", "blackout")}
    return api.StepEstimate(
        step=found.step.id, sure=found.sure, comes=scale(found.comes), channels=tuple(channels), **reasons, **later
    )


# -- coupons and points -----------------------------------------------------------------------------------------------


def _coupons(
    scope: TenantScope, asked: Asked, drawn: Drawn, tallies: Sequence[Tally], scale: Scale, percent: int, now: Instant
) -> tuple[api.OfferEstimate, ...]:
    """What each offer may cost. Of an offer that is chosen among several, everybody is counted for each of them."""
    recipients: Counter[str] = Counter()
    for each in tallies:
        for offer in (*_offers(each.step), *((each.step.form.offer,) if each.step.form is not None and each.step.form.offer else ())):
            recipients[offer] += each.given
    for step in asked.body.steps:
        if isinstance(step, IssueStep):
            recipients.update(dict.fromkeys(_offers(step), _who_gets(asked, drawn, step)))
    bodies = {id_: _worth(scope, asked, drawn, id_, now) for id_ in recipients}
    return tuple(_offer(id_, scale(count), bodies[id_], percent) for id_, count in recipients.items())


def _offers(step: Step) -> tuple[str, ...]:
    if not isinstance(step, SendStep | IssueStep) or step.offer is None:
        return ()
    if isinstance(step.offer, ChosenOffer):
        chosen = step.offer.next_best
        among = [each.offer for each in chosen.among]
        return tuple(dict.fromkeys([*among, *([chosen.fallback] if chosen.fallback is not None else [])]))
    return (step.offer,)


def _who_gets(asked: Asked, drawn: Drawn, step: Step) -> int:
    """Sampled members who come to a step that gives without a message."""
    campaign, body, settings = asked.definition.id, asked.body, asked.known.settings
    members = (each.state.member for each in drawn.people)
    return sum(step.id in comes_to(body, campaign, each) and not is_held_out(campaign, body, each, settings) for each in members)


def _worth(scope: TenantScope, asked: Asked, drawn: Drawn, offer: str, now: Instant) -> Worth | None:
    """By the version in force, else by the newest draft; ``None`` where there is no such offer."""
    known, settings = asked.known, asked.known.settings
    found = known.in_force("offer", now).get(offer) or scope.repository.newest("offer", offer)
    if found is None:
        return None
    count = sum(each.state.profile.count for each in drawn.people)
    average = sum(each.state.profile.value for each in drawn.people) // count if count else None
    programmes = {each.id: each.body.wallet for each in known.at(now).programmes}

    def price(item: str) -> int | None:
        there = scope.items([item]).get(item)
        return there.price if there is not None else None

    def points(programme: str, number: int) -> int | None:
        wallet = programmes.get(programme)
        return None if wallet is None else worth_of_points(number, settings.wallets.get(wallet) or WalletSettings())

    return worth(OfferBody.model_validate(found.body), average, price, points)


def _offer(id_: str, recipients: api.Figure, each: Worth | None, percent: int) -> api.OfferEstimate:
    highest, expected = (each.highest, each.expected) if each is not None else (None, None)
    return api.OfferEstimate(
        offer=id_,
        recipients=recipients,
        highest_each=highest,
        expected_each=expected,
        highest=recipients.high * highest if highest is not None else None,
        expected=-(-recipients.count * expected * percent // 100) if expected is not None else None,
    )


def _points(asked: Asked, drawn: Drawn, scale: Scale) -> tuple[int, int]:
    number, value = 0, 0
    for step in asked.body.steps:
        if isinstance(step, IssueStep) and step.points is not None:
            given = scale(_who_gets(asked, drawn, step)).high * step.points.points
            number += given
            value += worth_of_points(given, asked.known.settings.wallets.get(step.points.wallet) or WalletSettings())
    return number, value


# -- the whole --------------------------------------------------------------------------------------------------------


def _sum(values: Iterable[int | None]) -> int | None:
    """Together; ``None`` as soon as one is not known."""
    found = list(values)
    return None if any(each is None for each in found) else sum(each or 0 for each in found)


def _served(asked: Asked, now: Instant) -> dict[str, int]:
    return {id_: each.version for id_, each in asked.known.at(now).served_segments.items()}


def _budget(body: CampaignBody, cost: int, at_most: int, highest: int | None, expected: int) -> api.BudgetEstimate | None:
    if body.budget is None:
        return None
    most = at_most + highest if highest is not None else None
    return api.BudgetEstimate(amount=body.budget.amount, expected=cost + expected, at_most=most)


def _flow(found: Flow, drawn: Drawn, cost: int) -> api.FlowEstimate:
    if found.basis == "unknown":
        return api.FlowEstimate(basis="unknown", reason=found.reason)
    looked_at, audience = len(drawn.people), drawn.audience.estimate
    together = -(-found.occurrences * audience // looked_at) if looked_at else 0
    return api.FlowEstimate(
        basis=found.basis,
        in_28_days=together,
        per_day=-(-together // DAYS),
        bound=found.bound,
        message_cost_in_28_days=-(-cost * together // audience) if audience else 0,
    )
