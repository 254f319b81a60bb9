"""State and personal fields -> what the members' routes answer. Pure."""

from __future__ import annotations

from typing import Any

from shared.definitions.model import DefinitionSet
from shared.kernel.instants import NEVER, Instant, format_rfc3339
from shared.member_state.model import HeldCoupon, MemberState
from shared.member_state.rights_events import CONFIRMABLE
from shared.members import api
from shared.members.model import Fields, home_of
from shared.programmes.spending import rate_of
from shared.programmes.terms import Spending, TierScheme
from shared.tenants.content import Reader
from shared.wallet import rules as lots
from shared.wallet.model import SLIDING


def when(instant: Instant | None) -> str | None:
    """An instant for an answer; absent for never and for none."""
    return None if instant is None or instant >= NEVER else format_rfc3339(instant)


def member_answer(state: MemberState, fields: Fields, tier_title: str | None = None) -> api.MemberAnswer:
    """The member."""
    kinds: Any = state.identifier_kinds
    return api.MemberAnswer(
        member_id=state.member,
        status=state.status,
        joined_at=format_rfc3339(state.joined_at),
        source=state.join_source,
        location_id=state.join_location or None,
        identifiers=tuple(kinds),
        profile=_shown(fields),
        attributes=dict(state.attributes),
        tags=tuple(state.tags),
        profiling_allowed=state.profiled,
        restricted=True if state.restriction is not None else None,
        lists=tuple(sorted(state.lists)),
        consents=consent_answers(state),
        devices=tuple(state.devices),
        tier=state.tier.id if state.tier is not None else None,
        tier_title=tier_title,
        time_zone=state.zone or None,
    )


def _shown(fields: Fields) -> dict[str, str | api.Home]:
    shown: dict[str, str | api.Home] = dict(fields)
    home = home_of(fields)
    if home is not None:
        shown["home"] = api.Home(latitude_e6=home[0], longitude_e6=home[1])
    return shown


def consent_answers(state: MemberState) -> tuple[api.ConsentAnswer, ...]:
    """The current answers, by purpose and channel."""
    rows = []
    for key, consent in sorted(state.consents.items()):
        purpose, _, channel = key.partition(":")
        at = format_rfc3339(consent.at)
        waits = state.pending.get(key)
        pending = True if waits is not None and state.as_of < waits.asked_at + CONFIRMABLE else None
        rows.append(
            api.ConsentAnswer(
                purpose=purpose, channel=channel, granted=consent.granted, document_version=consent.version, at=at, pending=pending
            )
        )
    return tuple(rows)


def spendable(state: MemberState, definitions: DefinitionSet, now: Instant) -> tuple[api.Spendable, ...]:
    """What each wallet pays now, by its programme's spending rule; nothing below the rule's minimum."""
    rows = []
    view = definitions.at(now)
    for programme in view.programmes:
        rule, name = programme.body.spending, programme.body.wallet
        if rule is None or name not in state.wallets:
            continue
        settings = view.fold.wallet(name)
        points = lots.spendable(state.wallets[name], state.holds, name, -settings.overdraft) // rule.step * rule.step
        points = points if points >= rule.minimum else 0
        value = rate_of(rule, settings).worth(points)
        rows.append(api.Spendable(wallet=name, points=points, value=value, currency=view.settings.currency))
    return tuple(rows)


def tier_views(state: MemberState, scheme: TierScheme | None, reader: Reader) -> tuple[api.TierView, ...]:
    """The levels as she may read them; the teaser of those that she does not hold."""
    levels = scheme.levels if scheme is not None else ()
    held = next((level.threshold for level in levels if state.tier is not None and level.id == state.tier.id), -1)
    return tuple(
        api.TierView(
            tier=level.id,
            reached=level.threshold <= held,
            benefits=level.benefits,
            **reader.shown(level.content, level.name, teased=level.threshold > held),
        )
        for level in sorted(levels, key=lambda each: (each.sort_order, each.threshold))
    )


def is_usable(coupon: HeldCoupon, now: Instant) -> bool:
    """Whether a basket may use it now."""
    return coupon.state == "active" and coupon.active_from <= now < coupon.expires_at


def wallet_balances(state: MemberState, definitions: DefinitionSet, now: Instant) -> tuple[api.WalletBalance, ...]:
    """Every wallet with its buckets and lots, and what its points are worth as payment, or else by the wallet's rate."""
    view = definitions.at(now).fold
    takers = {each.body.wallet: each.body.spending for each in reversed(view.programmes) if each.body.spending is not None}
    rows = []
    for name, wallet in sorted(state.wallets.items()):
        available, settings = lots.available(wallet, state.holds, name), view.wallet(name)
        rows.append(
            api.WalletBalance(
                wallet=name,
                name=settings.name,
                unit=settings.unit,
                available=available,
                pending=lots.pending(wallet),
                held=lots.held(state.holds, name),
                earned=wallet.earned,
                spent=wallet.spent,
                expired=wallet.expired,
                reversed=wallet.reversed,
                debt=wallet.debt,
                value=rate_of(takers.get(name, Spending()), settings).worth(max(available, 0)) or None,
                lots=tuple(
                    api.LotAnswer(
                        points=lot.points,
                        available_at=when(lot.available_at or None),
                        awaits=lot.awaits or None,
                        expires_at=when(wallet.idle_until if lot.expires_at == SLIDING else lot.expires_at),
                    )
                    for lot in wallet.lots
                ),
            )
        )
    return tuple(rows)
