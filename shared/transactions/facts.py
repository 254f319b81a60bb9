"""What a decision about a basket may know: the definitions of its instant and the member's numbers as of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.definitions.model import TenantView
from shared.kernel.instants import Instant, local_day
from shared.member_state.model import MemberState
from shared.member_state.purchases import payments_key, same_visit
from shared.member_state.tiers import tier_at
from shared.member_state.usage import usage_of
from shared.programmes.conditions import MemberFacts, Scene, When
from shared.tenants.model import CatalogueItem
from shared.transactions.api import Basket
from shared.transactions.model import NOBODY, Circumstances
from shared.wallet.rules import spendable


def circumstances(
    view: TenantView,
    now: Instant,
    at: Instant,
    basket: Basket,
    catalogue: Mapping[str, CatalogueItem],
    state: MemberState | None,
    *,
    hold: str | None = None,
    offers: Sequence[When] = (),
    counted: Sequence[str] = (),
) -> Circumstances:
    """``view`` is that of the sale's instant. ``hold`` is the one whose points and coupons this basket may use, ``offers`` are the
    conditions of its coupons, ``counted`` the keys of those with limits per member.
    """
    return Circumstances(
        now=now,
        scene=scene_of(view, at, basket.location_id, basket.channel),
        programmes=view.programmes,
        wallets=view.settings.wallets,
        catalogue=catalogue,
        known_location=basket.location_id in view.locations,
        member=state.member if state is not None else None,
        facts=facts_of(state, view, basket, at, hold, offers, counted) if state is not None else NOBODY,
        basket=hold,
        counts_visits=view.asked.counts_visits,
        asked_groups=view.asked.location_groups,
        coupons_together=view.settings.coupons_together,
        promotions=view.promotions,
        languages=view.settings.languages if basket.language is None else (basket.language, *view.settings.languages),
    )


def scene_of(view: TenantView, at: Instant, location: str, channel: str) -> Scene:
    """Where and when, with the wall clock of the location and the groups that it is in."""
    known, zone = view.locations.get(location), view.settings.time_zone
    local_zone = (known.time_zone or zone) if known is not None else zone
    return Scene(at, zone, local_zone, location, channel, view.settings.currency, view.groups_of(location))


def who(state: MemberState, at: Instant, segments: frozenset[str], tags: frozenset[str]) -> MemberFacts:
    """The member as conditions see her: of segments and tags only those that are asked for.

    A late sale has the tier of its own instant. Of segments it is known which ones she is in now and since when: a late sale
    counts those that she had entered by then, and not those that she has left since.
    """
    inside = (key.rpartition("@")[0] for key, since in state.segments.items() if since <= at) if segments else ()
    return MemberFacts(
        tier=tier_at(state, at),
        segments=segments.intersection(inside),
        tags=tags.intersection(state.tags),
        joined_at=state.joined_at,
        purchases=state.profile.count,
        former=frozenset(state.former),
    )


def facts_of(
    state: MemberState,
    view: TenantView,
    basket: Basket,
    at: Instant,
    hold: str | None = None,
    offers: Sequence[When] = (),
    counted: Sequence[str] = (),
) -> MemberFacts:
    """What the rules and the basket's coupons may know of the member, as of the sale: only what they ask."""
    asked, day = view.asked, local_day(at, view.settings.time_zone)
    segments = asked.segments.union(segment for when in offers for segment in when.segments)
    tags = asked.tags.union(tag for when in offers for tag in when.tags)
    balances = drawable(state, view, hold) if basket.points_to_spend else {}
    paid = {name: usage_of(state, payments_key(name), day).times_today for name in balances if payments_key(name) in state.usage}
    return replace(
        who(state, at, segments, tags),
        same_visit=asked.visit_minutes > 0 and same_visit(state, basket.location_id, at, asked.visit_minutes),
        usage={key: usage_of(state, key, day) for key in (*asked.usage, *counted) if key in state.usage},
        balances=balances,
        payments_today=paid,
    )


def drawable(state: MemberState, view: TenantView, hold: str | None = None) -> dict[str, int]:
    """Wallet -> points that may leave it: what is available, what the hold has set aside for this basket, and the overdraft."""
    found: dict[str, int] = {}
    for name in {*state.wallets, *(programme.body.wallet for programme in view.programmes)}:
        settings = view.settings.wallets.get(name)
        floor = -settings.overdraft if settings is not None else 0
        found[name] = spendable(state.wallets[name], state.holds, name, floor) if name in state.wallets else -floor
    if hold is not None and hold in state.holds:
        # A hold of coupons alone names a wallet that she may not have yet.
        wallet = state.holds[hold].wallet
        found[wallet] = found.get(wallet, 0) + state.holds[hold].points
    return found
