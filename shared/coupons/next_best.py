"""Next best offer: which of a declared set a member gets, by affinity, availability and margin, and why. Pure.

    {"among": [{"offer": "free-fries", "margin": 180}, {"offer": "two-for-one", "margin": 420}], "explore_e2": 500, "holdout_percent": 10}

Of an available offer the score is ``(affinity + 100) * margin * weight / 10,000``, rounded down. Affinity is the share, in ten-thousandths,
of her value in the window that lies in the offer's goods; a day's value weighs ``days - age``, so that today counts ``days`` times the
window's first day. The hundred (one percent) lets margins decide for who never bought any of it, and for who objected to profiling: her
affinity is none. The highest score wins, of equal ones the first by id.

Chance is a hash, so that a decision made again is the same one: of ``explore_e2`` hundredths of a percent of decisions any available
offer is given, all alike; a holdout, the same members for ever, gets nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, Self

from pydantic import Field, StrictInt, model_validator

from shared.coupons.effects import BundlePrice, BuyGet, FreeItem
from shared.coupons.model import Choice, OfferBody
from shared.coupons.personal import Days
from shared.kernel.instants import Instant, local_day
from shared.member_state.model import MAX_COUPONS, MemberState
from shared.member_state.tiers import tier_at
from shared.member_state.usage import usage_of
from shared.profile.model import Profile
from shared.profile.rules import all_cells
from shared.programmes.conditions import MemberFacts, Scene, When, unmet
from shared.programmes.selectors import Selector
from shared.tenants.model import CatalogueItem, Frozen, Name

FLOOR: Final = 100
"""Affinity that every offer has, ten-thousandths."""
MOST_SHOWN: Final = 3
"""Scores that a choice keeps, the highest."""
_OF_10_000: Final = 10_000


class Contender(Frozen):
    """An offer, and what one redemption of it is expected to bring (minor units). ``weight`` is in percent: 200 counts twice."""

    offer: Name
    margin: Annotated[StrictInt, Field(ge=1, le=10**7)]
    weight: Annotated[StrictInt, Field(ge=1, le=1000)] = 100


class NextBest(Frozen):
    """A choice. ``experiment`` names the holdout: of one name it is always the same members (left out: the campaign, or ``api``).

    ``fallback`` is given where none of them is available, if it is itself.
    """

    among: tuple[Contender, ...] = Field(min_length=1, max_length=20)
    days: Days = Field(default=90, description="local days of the affinity, today included")
    explore_e2: Annotated[StrictInt, Field(ge=0, le=_OF_10_000, description="hundredths of a percent of decisions: 500 is 5 %")] = 0
    holdout_percent: Annotated[StrictInt, Field(ge=0, le=50)] = 0
    fallback: Name | None = None
    experiment: Name | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.offers)) != len(self.offers):
            raise ValueError("an offer is named twice")
        return self

    @property
    def offers(self) -> tuple[str, ...]:
        """All that are named."""
        named = tuple(each.offer for each in self.among)
        return named if self.fallback is None else (*named, self.fallback)


@dataclass(frozen=True, slots=True)
class Her:
    """What is known at the moment of the choice. ``offers`` are those in force, as they would be fixed for her."""

    state: MemberState
    at: Instant
    zone: str
    offers: Mapping[str, OfferBody]
    catalogue: Mapping[str, CatalogueItem]
    used_up: frozenset[str] = frozenset()
    """Offers of whose limit in all nothing is left."""


def choose(plan: NextBest, her: Her, tenant: str, experiment: str, decision: str) -> Choice:
    """The offer for her, and why. ``decision`` names the occasion (a campaign's occurrence, a request): the same one chooses the same."""
    reasons = {offer: unavailable(offer, her) for offer in plan.offers}
    open_ = [each for each in plan.among if reasons[each.offer] is None]
    scored = [(score(each, her.offers[each.offer], her, plan.days), each.offer) for each in open_]
    ranked = [(offer, points) for points, offer in sorted(scored, key=lambda each: (-each[0], each[1]))]
    dropped = tuple(sorted((offer, reason) for offer, reason in reasons.items() if reason is not None))
    nothing = Choice("none", None, experiment, tuple(ranked[:MOST_SHOWN]), dropped)
    member = her.state.member
    if is_held_out(tenant, experiment, member, plan.holdout_percent):
        return replace(nothing, kind="holdout")
    if not ranked:
        has_fallback = plan.fallback is not None and reasons[plan.fallback] is None
        return replace(nothing, kind="fallback", offer=plan.fallback) if has_fallback else nothing
    explores, place = draws(tenant, experiment, member, decision, len(ranked))
    if explores < plan.explore_e2:
        return replace(nothing, kind="explored", offer=sorted(offer for offer, _ in ranked)[place])
    return replace(nothing, kind="best", offer=ranked[0][0])


def score(contender: Contender, body: OfferBody, her: Her, days: int) -> int:
    """Hundredths of minor units, as the module says."""
    profiled = her.state.may_profile
    share = affinity(her.state.profile, goods(body, her.catalogue), days, local_day(her.at, her.zone)) if profiled else 0
    return (share + FLOOR) * contender.margin * contender.weight // _OF_10_000


# -- affinity ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Goods:
    """What an offer is about, by the names that a profile keeps. ``everything``: it names nothing."""

    everything: bool
    categories: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()


def goods(body: OfferBody, catalogue: Mapping[str, CatalogueItem]) -> Goods:
    """Categories and tags of what it is worth something on; of items their category in the catalogue."""
    named = [each for each in _selectors(body) if each.named]
    items = (catalogue[item] for each in named for item in each.items if item in catalogue)
    categories = {name for each in named for name in each.categories} | {item.category for item in items if item.category is not None}
    return Goods(not named, frozenset(categories), frozenset(name for each in named for name in each.tags))


def named_items(body: OfferBody) -> tuple[str, ...]:
    """The items that it names, for the catalogue."""
    return tuple(item for each in _selectors(body) for item in each.items)


def affinity(profile: Profile, what: Goods, days: int, today: int) -> int:
    """Ten-thousandths, 0 to 10,000: of tags, which overlap, the largest counts, or all categories together if that is more."""
    total, by_category, by_tag = 0, 0, dict.fromkeys(what.tags, 0)
    for day, cell in all_cells(profile):
        weight = days - (today - day)
        if not 0 < weight <= days:
            continue
        total += weight * cell.value
        by_category += weight * sum(cell.by.get(f"c:{name}", (0, 0))[1] for name in what.categories)
        for name in what.tags:
            by_tag[name] += weight * cell.by.get(f"t:{name}", (0, 0))[1]
    if total <= 0:
        return 0
    share = total if what.everything else max(by_category, *by_tag.values(), 0)
    return min(share * _OF_10_000 // total, _OF_10_000)


def _selectors(body: OfferBody) -> Iterator[Selector]:
    effect = body.effect
    if isinstance(effect, FreeItem):
        yield Selector(items=(effect.item,))
    elif body.scope.named:
        yield body.scope
    elif isinstance(effect, BuyGet):
        yield effect.get
    elif isinstance(effect, BundlePrice):
        yield from (part.on for part in effect.parts)


# -- availability -----------------------------------------------------------------------------------------------------


def unavailable(offer: str, her: Her) -> str | None:
    """Why she cannot have it now, or could not use it ever, in this order; ``None`` if she can.

    ``not_in_force``; a condition about her that she does not meet, or dates that are over; ``too_many_coupons`` and ``limit_per_member``,
    her own limits; ``exhausted``, everybody's; ``unknown_item`` where it is about items alone and the catalogue has none of them.
    """
    body, state = her.offers.get(offer), her.state
    if body is None:
        return "not_in_force"
    when = _of_member(body.when)
    reason = unmet(when, _facts(when, her), Scene(her.at, her.zone, her.zone, "", "", ""))
    if reason is not None:
        return reason
    held = sum(1 for each in state.coupons.values() if each.offer == offer) + (offer in state.redeemed)
    if held >= body.per_member or len(state.coupons) >= MAX_COUPONS:
        return "too_many_coupons"
    most = body.limits.per_member
    if most is not None and usage_of(state, f"offer:{offer}", local_day(her.at, her.zone)).times >= most:
        return "limit_per_member"
    if offer in her.used_up:
        return "exhausted"
    selectors, items = list(_selectors(body)), named_items(body)
    only_items = bool(items) and not any(each.categories or each.tags for each in selectors)
    return "unknown_item" if only_items and not any(item in her.catalogue for item in items) else None


def _of_member(when: When) -> When:
    """The conditions that do not depend on where and when she will be."""
    return when.model_copy(
        update={"locations": (), "location_groups": (), "channels": (), "weekdays": (), "hours": None, "date_from": None}
    )


def _facts(when: When, her: Her) -> MemberFacts:
    state = her.state
    inside = {key.rpartition("@")[0] for key in state.segments} if when.segments else set()
    return MemberFacts(
        tier=tier_at(state, her.at),
        segments=frozenset(inside),
        tags=frozenset(state.tags),
        joined_at=state.joined_at,
        purchases=state.profile.count,
    )


# -- chance -----------------------------------------------------------------------------------------------------------


def is_held_out(tenant: str, experiment: str, member: str, percent: int) -> bool:
    """Whether she is in the holdout: always the same members, and other ones for each experiment."""
    return _number(_digest("holdout", tenant, experiment, member)[:8]) % 100 < percent


def draws(tenant: str, experiment: str, member: str, decision: str, places: int) -> tuple[int, int]:
    """Two draws of a decision: out of 10,000, and of so many places."""
    digest = _digest("explore", tenant, experiment, member, decision)
    return _number(digest[:8]) % _OF_10_000, _number(digest[8:16]) % places


def _digest(*parts: str) -> bytes:
    # Each part with its length: ("a", "bc") and ("ab", "c") are different decisions.
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()


def _number(some: bytes) -> int:
    return int.from_bytes(some, "big")
