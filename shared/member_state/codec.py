"""The state as compact JSON and back. The first element is the format; old formats decode for ever.

Cells have a format of their own (``shared.member_state.cells_codec``), because the history is stored by itself. A guest with two or three
purchases a day stays within two write units (docs/benchmarks.md).
"""

from __future__ import annotations

from typing import Any, Final

from shared.challenges.model import Base, Given, Instance, Part
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import NEVER
from shared.member_state.cells_codec import decode_cells, encode_cells
from shared.member_state.model import (
    Consent,
    CounterSale,
    HeldCoupon,
    Inactivity,
    Journey,
    MemberState,
    Pending,
    RecentVisit,
    Referred,
    Restriction,
    RuleUsage,
    Tier,
    TierSpan,
    Touch,
)
from shared.profile.model import EventTrack, Profile
from shared.wallet.model import SLIDING, Hold, Lot, Posting, Wallet

FORMAT: Final = 3


def encode_state(state: MemberState) -> list[Any]:
    """Everything but key, version, status, history and facts, which have places of their own."""
    return [
        FORMAT,
        [state.merged_into, state.joined_at, state.join_source, state.join_location, state.as_of, state.epoch, state.timer],
        {
            name: [
                wallet.earned, wallet.spent, wallet.expired, wallet.reversed, wallet.debt, _until(wallet.idle_until),
                *_encode_lots(wallet.lots),
            ]
            for name, wallet in state.wallets.items()
        },
        {hold_id: [hold.wallet, hold.points, hold.until, *hold.coupons] for hold_id, hold in state.holds.items()},
        [state.tier.id, state.tier.since, _until(state.tier.until)] if state.tier else 0,
        _encode_totals(state.profile),
        encode_cells(state.profile.cells),
        {
            coupon_id: [each.offer, each.state, each.active_from, _until(each.expires_at), *_encode_origin(each)]
            for coupon_id, each in state.coupons.items()
        },
        state.redeemed,
        state.segments,
        {key: [int(consent.granted), consent.at, consent.version] for key, consent in state.consents.items()},
        state.suppressed,
        state.devices,
        state.identifier_kinds,
        state.known,
        state.attributes,
        [_encode_touch(touch) for touch in state.touches],
        [int(not state.profiled), state.lists] if state.lists or not state.profiled else 0,
        _encode_programmes(state),
        *_encode_last(state),
    ]


def decode_state(tenant: str, member: str, body: list[Any]) -> MemberState:
    """The state without key attributes and history: the caller sets version, status and history."""
    if body[0] == 1:
        body = _from_format_1(body)
    if body[0] == 2:
        body = _from_format_2(body)
    if body[0] != FORMAT:
        raise InvalidValue(f"unknown format {body[0]} of a member's state")
    (_, head, wallets, holds, tier, totals, cells, coupons, redeemed, segments, consents, suppressed, devices, kinds, known, attributes,
     touches, choices, programmes, *campaigns) = body
    merged_into, joined_at, join_source, join_location, as_of, epoch, timer = head
    state = MemberState(
        tenant=tenant,
        member=member,
        merged_into=merged_into,
        joined_at=joined_at,
        join_source=join_source,
        join_location=join_location,
        as_of=as_of,
        epoch=epoch,
        timer=timer,
        wallets={name: _decode_wallet(numbers) for name, numbers in wallets.items()},
        holds={hold_id: Hold(values[0], values[1], values[2], tuple(values[3:])) for hold_id, values in holds.items()},
        tier=Tier(tier[0], tier[1], tier[2] or NEVER) if tier else None,
        profile=_decode_profile(totals, cells),
        coupons={coupon_id: _decode_coupon(row) for coupon_id, row in coupons.items()},
        redeemed=redeemed,
        segments=segments,
        consents={key: Consent(bool(granted), at, version) for key, (granted, at, version) in consents.items()},
        suppressed=suppressed,
        devices=devices,
        identifier_kinds=kinds,
        known=known,
        attributes=attributes,
        touches=[_decode_touch(row) for row in touches],
    )
    if programmes:
        _decode_programmes(state, programmes)
    for zone, *rows in campaigns[:1]:
        state.zone, state.journeys = zone, [_decode_journey(row) for row in rows]
    for rows in campaigns[1:2]:
        state.counter_sales = _decode_counter(rows)
    for rows in campaigns[2:3]:
        _decode_rights(state, rows)
    for rows in campaigns[3:]:
        state.former = rows
    if choices:
        state.profiled, state.lists = not choices[0], choices[1]
    return state


def _encode_last(state: MemberState) -> list[Any]:
    """What few members have, at the end: what is empty there is left out."""
    campaigns = [state.zone, *map(_encode_journey, state.journeys)] if state.zone or state.journeys else []
    counter, rights = _encode_counter(state.counter_sales), _encode_rights(state)
    if counter or rights or state.former:
        return _without_zeros([campaigns or [""], counter, rights, state.former])
    return [campaigns] if campaigns else []


def _encode_rights(state: MemberState) -> list[Any]:
    """What she asked for by law, and what follows from it."""
    restriction = [state.restriction.reason, state.restriction.since] if state.restriction is not None else 0
    pending = {key: [each.since, each.asked_at - each.since, each.times] for key, each in state.pending.items()}
    idle = state.inactivity
    inactivity = [idle.told_at, idle.warned_at, int(idle.is_over)] if idle is not None else 0
    return _without_zeros([restriction, pending, state.active_at, inactivity])


def _decode_rights(state: MemberState, rows: list[Any]) -> None:
    defaults: list[Any] = [0, {}, 0, 0]
    restriction, pending, state.active_at, inactivity = rows + defaults[len(rows) :]
    state.restriction = Restriction(*restriction) if restriction else None
    state.inactivity = Inactivity(inactivity[0], inactivity[1], bool(inactivity[2])) if inactivity else None
    state.pending = {key: Pending(since, since + step, times) for key, (since, step, times) in pending.items()}


def _encode_counter(sales: list[CounterSale]) -> list[Any]:
    """Instants as steps back from the newest, business dates as steps from its own: small numbers."""
    if not sales:
        return []
    first = sales[0]
    rows = [[first.at - each.at, first.day - each.day, each.location, each.cashier] for each in sales]
    return [first.at, first.day, *rows]


def _decode_counter(body: list[Any]) -> list[CounterSale]:
    if not body:
        return []
    at, day, *rows = body
    return [CounterSale(at - back, day - days, location, cashier) for back, days, location, cashier in rows]


def _from_format_1(body: list[Any]) -> list[Any]:
    """Format 1 knew neither sliding expiries nor what programmes count: wallets get their place for it."""
    wallets = {name: [*numbers[:5], 0, *numbers[5:]] for name, numbers in body[2].items()}
    return [2, body[1], wallets, *body[3:], 0]


def _from_format_2(body: list[Any]) -> list[Any]:
    """Format 2 knew neither last places and events nor lists and objections; cells say of which format they are."""
    return [3, *body[1:-1], 0, body[-1]]


def _encode_totals(profile: Profile) -> list[Any]:
    """What outlives the cells."""
    events = {type_: [each.count, each.first_at, each.last_at - each.first_at] for type_, each in profile.events.items()}
    more = [profile.last_location, profile.last_channel, events]
    return [profile.first_at, profile.last_at, profile.count, profile.value, *_without_zeros(more)]


def _decode_profile(totals: list[Any], cells: list[Any]) -> Profile:
    first_at, last_at, count, value, location, channel, events = totals + [None, None, 0, 0, "", "", {}][len(totals) :]
    tracks = {type_: EventTrack(times, first, first + length) for type_, (times, first, length) in events.items()}
    return Profile(decode_cells(cells), {}, first_at, last_at, count, value, location, channel, tracks)


def _encode_origin(coupon: HeldCoupon) -> list[Any]:
    """Who gave it, a text where it was a campaign, and what was paid for it."""
    return [*([coupon.campaign] if coupon.campaign else []), *map(_posting_row, coupon.bought)]


def _decode_coupon(row: list[Any]) -> HeldCoupon:
    offer, state, active_from, expires_at, *origin = row
    campaign = origin.pop(0) if origin and isinstance(origin[0], str) else ""
    return HeldCoupon(offer, state, active_from, expires_at or NEVER, tuple(Posting(*each) for each in origin), campaign)


def _encode_touch(touch: Touch) -> list[Any]:
    times = [touch.opened_at, touch.clicked_at, touch.redeemed_at, int(touch.held), int(touch.service)]
    return [touch.campaign, touch.step, touch.channel, touch.at, *_without_zeros(times)]


def _decode_touch(row: list[Any]) -> Touch:
    campaign, step, channel, at, *more = row
    # What stands before something that is set is null or 0 where it is not set itself.
    opened_at, clicked_at, redeemed_at, held, service = more + [None, None, None, 0, 0][len(more) :]
    return Touch(campaign, step, channel, at, opened_at, clicked_at, redeemed_at, bool(held), bool(service))


def _encode_journey(each: Journey) -> list[Any]:
    """How long it has waited, instead of since when: a small number; what is at its default at the end is left out."""
    more = [each.due - each.since, each.priority, each.reason, each.rung, each.waits_for]
    return [each.campaign, each.version, each.occurrence, each.step, each.due, *_without_zeros(more)]


def _decode_journey(row: list[Any]) -> Journey:
    campaign, version, occurrence, step, due, *more = row
    defaults: list[Any] = [0, 0, "", 0, ""]
    length, priority, reason, rung, waits_for = more + defaults[len(more) :]
    return Journey(campaign, version, occurrence, step, due, waits_for, reason, priority, rung, due - length)


def _encode_programmes(state: MemberState) -> list[Any] | int:
    """What programmes count of her; 0 for the many of whom they count nothing."""
    rows = [
        state.tags,
        {key: _usage_row(each) for key, each in state.usage.items()},
        [[each.location, each.first, each.last - each.first] for each in state.visits],
        state.visits_made,
        [[each.id, each.since] for each in state.tier_spans],
        [state.tier_floor.id, state.tier_floor.since, _until(state.tier_floor.until)] if state.tier_floor else 0,
        [state.referred.by, state.referred.programme, state.referred.transaction, state.referred.ended] if state.referred else 0,
        state.referrals,
    ]
    if state.challenges or state.challenges_closed:
        rows.append([state.challenges_closed, *map(_encode_challenge, state.challenges)])
    return rows if any(rows) else 0


def _decode_programmes(state: MemberState, rows: list[Any]) -> None:
    tags, usage, visits, made, spans, floor, referred, referrals, *challenges = rows
    for closed, *hers in challenges:
        state.challenges_closed, state.challenges = closed, [_decode_challenge(row) for row in hers]
    state.tags, state.visits_made, state.referrals = tags, made, referrals
    state.usage = {key: _usage_of(row) for key, row in usage.items()}
    state.visits = [RecentVisit(location, first, first + length) for location, first, length in visits]
    state.tier_spans = [TierSpan(id_, since) for id_, since in spans]
    state.tier_floor = Tier(floor[0], floor[1], floor[2] or NEVER) if floor else None
    state.referred = Referred(*referred) if referred else None


def _usage_row(each: RuleUsage) -> list[Any]:
    """Weeks and months only where a limit asked for them; rows from before they were counted have none."""
    return [each.points, each.times, each.days, *([each.weeks, each.months] if each.weeks or each.months else [])]


def _usage_of(row: list[Any]) -> RuleUsage:
    points, times, days, *periods = row
    weeks, months = periods or ({}, {})
    return RuleUsage(points, times, _by_number(days), _by_number(weeks), _by_number(months))


def _by_number(counts: dict[str, Any]) -> dict[int, Any]:
    return {int(number): each for number, each in counts.items()}


def _encode_challenge(each: Instance) -> list[Any]:
    """Instants as steps from the start; what is at its default at the end of a row is left out."""
    base = [each.base.done, each.base.times, each.base.last, each.base.period, each.base.count]
    given = [
        [one.wallet, one.points, one.times, one.available_at, _until(one.expires_at), one.awaits, *one.coupons] for one in each.given
    ]
    return [
        each.id, each.challenge, each.version, each.start, 0 if each.until >= NEVER else each.until - each.start,
        *_without_zeros([
            [value for part in each.parts for value in (part.at - each.start, part.amount, part.transaction)],
            each.times, int(each.ended), each.completed_at and each.completed_at - each.start + 1, given, _without_zeros(base), each.broken,
        ]),
    ]  # fmt: skip


def _decode_challenge(row: list[Any]) -> Instance:
    id_, challenge, version, start, length, *more = row
    defaults: list[Any] = [[], 0, 0, 0, [], [], 0]
    parts, times, ended, completed, given, base, broken = more + defaults[len(more) :]
    return Instance(
        id=id_,
        challenge=challenge,
        version=version,
        start=start,
        until=start + length if length else NEVER,
        base=Base(*base),
        parts=[Part(parts[i + 2], start + parts[i], parts[i + 1]) for i in range(0, len(parts), 3)],
        times=times,
        ended=bool(ended),
        completed_at=completed and start + completed - 1,
        given=[Given(one[0], one[1], one[2], one[3], one[4] or NEVER, one[5], one[6:]) for one in given],
        broken=broken,
    )


def _without_zeros(values: list[Any]) -> list[Any]:
    while values and not values[-1]:
        values = values[:-1]
    return values


def _decode_wallet(numbers: list[Any]) -> Wallet:
    earned, spent, expired, reversed_, debt, idle, *rows = numbers
    return Wallet(_decode_lots(rows), earned, spent, expired, reversed_, debt, idle_until=idle or NEVER)


def _encode_lots(lots: list[Lot]) -> list[list[Any]]:
    """``[points, expiry, available at, awaits]``, the last two only where pending: expiries as steps from the one before, 0 for never,
    -1 for sliding.

    Lots are kept by expiry, and a guest's are mostly whole days apart: equal steps deflate to almost nothing.
    """
    rows: list[list[Any]] = []
    previous = 0
    for lot in lots:
        # The offset keeps 0 free for never where two lots expire together.
        mark = -1 if lot.expires_at == SLIDING else 0 if lot.expires_at >= NEVER else lot.expires_at - previous + 1
        previous += max(mark - 1, 0) if mark > 0 else 0
        waits = [lot.available_at, lot.awaits] if lot.awaits else [lot.available_at] if lot.available_at else []
        rows.append([lot.points, mark, *waits])
    return rows


def _decode_lots(rows: list[list[Any]]) -> list[Lot]:
    lots: list[Lot] = []
    previous = 0
    for row in rows:
        mark = row[1]
        previous += mark - 1 if mark > 0 else 0
        expires_at = SLIDING if mark == -1 else NEVER if mark == 0 else previous
        lots.append(Lot(row[0], row[2] if len(row) > 2 else 0, expires_at, row[3] if len(row) > 3 else ""))
    return lots


def _posting_row(posting: Posting) -> list[Any]:
    return [posting.wallet, posting.kind, posting.points, posting.available_at, posting.expires_at]


def _until(instant: int) -> int:
    """0 stands for never: one byte instead of fifteen."""
    return 0 if instant >= NEVER else instant
