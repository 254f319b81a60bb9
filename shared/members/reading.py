"""Reading a member. Time is advanced in memory up to now, so that no answer shows what has run out; nothing is written."""

from __future__ import annotations

from typing import Final

from shared.coupons.issuing import printable_code
from shared.coupons.model import Coupon, OfferBody
from shared.coupons.personal import shown
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import Instant, format_rfc3339
from shared.kernel.pages import open_cursor, seal_cursor
from shared.member_state.effects import LedgerEntry
from shared.member_state.model import CouponState, MemberState, segment_key
from shared.member_state.repository import StateRepository
from shared.member_state.service import view_member
from shared.member_state.tiers import progress
from shared.member_state.view import FoldView
from shared.members import api, showing_api
from shared.members.answers import member_answer, tier_views, wallet_balances, when
from shared.members.repository import read_fields
from shared.storage import keys
from shared.tenants.content import Reader
from shared.tenants.scope import TenantScope

MAX_COUPONS_LISTED: Final = 200


def get_member(scope: TenantScope, member: str) -> api.MemberAnswer:
    """A member with her personal fields. 3 reads."""
    now = scope.clock()
    state = view_member(scope, member, now)
    fields = read_fields(scope, state.member)
    held = _held_tier(scope, state, now, fields.get("language"))
    return member_answer(state, fields, held.title if held is not None else None)


def get_wallet(scope: TenantScope, member: str) -> api.WalletAnswer:
    """Balances, what expires when, and her tier. 1 Query; with a tier 2 reads for her language."""
    now, definitions = scope.clock(), scope.definitions
    state = view_member(scope, member, now)
    language = read_fields(scope, state.member, "identity").get("language") if state.tier is not None else None
    tier = _held_tier(scope, state, now, language)
    balances = wallet_balances(state, definitions, now)
    return api.WalletAnswer(member_id=state.member, currency=definitions.settings.currency, tier=tier, wallets=balances)


def list_ledger(scope: TenantScope, member: str, limit: int, cursor: str | None, cursor_key: bytes) -> api.LedgerPage:
    """A page of entries, newest first. ``limit`` counts commits. 2 Queries, and one for each member who turned out to be her."""
    repository = StateRepository(scope.tenant, scope.table)
    state = repository.load(member).state
    member = state.member
    context = f"{scope.tenant}|{member}|ledger"
    start = open_cursor(cursor_key, context, cursor)["s"] if cursor is not None else None
    rows, last = repository.ledger_of(state, limit, start)
    entries = [
        _entry(f"{ulid}.{number}", committed_at, entry)
        for ulid, committed_at, booked in rows
        for number, entry in reversed(list(enumerate(booked)))
    ]
    return api.LedgerPage(data=tuple(entries), next_cursor=seal_cursor(cursor_key, context, {"s": last}) if last else None)


def list_coupons(scope: TenantScope, member: str) -> api.CouponsAnswer:
    """Her coupons with their state as of now, by their offers' order. 1 Query of the state, 1 of the index, 1 batch a
    hundred coupons, and one of their offers where these are not cached."""
    now = scope.clock()
    state = view_member(scope, member, now)
    rows, _ = scope.table.query(keys.coupons_of(scope.tenant, state.member), index="GSI2", limit=MAX_COUPONS_LISTED, forward=False)
    # The index may be a moment behind; the state names every coupon that she can use.
    ids = dict.fromkeys([*(row["GSI2SK"]["S"] for row in rows), *state.coupons])
    coupons = CouponRepository(scope.tenant, scope.table).get_many(list(ids))
    hers = [each for each in coupons.values() if state.was(each.member)]
    language = read_fields(scope, state.member, "identity").get("language") if hers else None
    newest_first = sorted(hers, key=lambda each: each.id, reverse=True)[:MAX_COUPONS_LISTED]
    offers = scope.offers({(each.offer, each.offer_version) for each in newest_first})
    reader, bodies = scope.reader(language), [offers.get((each.offer, each.offer_version)) for each in newest_first]
    listed = sorted(zip(newest_first, bodies, strict=True), key=lambda each: each[1].sort_order if each[1] is not None else 0)
    return api.CouponsAnswer(member_id=state.member, data=tuple(_coupon(scope, each, body, reader, now) for each, body in listed))


def list_segments(scope: TenantScope, member: str) -> showing_api.SegmentsAnswer:
    """Segments that she is in, in the versions that listings read. 1 Query."""
    now = scope.clock()
    state = view_member(scope, member, now)
    return showing_api.SegmentsAnswer(member_id=state.member, segments=memberships(scope, state, now))


def memberships(scope: TenantScope, state: MemberState, now: Instant) -> tuple[showing_api.MembershipAnswer, ...]:
    """The segments that she is in, in the versions that listings read."""
    served = scope.definitions.at(now).served_segments
    return tuple(
        showing_api.MembershipAnswer(
            segment_id=id_, version=each.version, name=str(each.body.get("name", id_)), entered_at=format_rfc3339(state.segments[key])
        )
        for id_, each in sorted(served.items())
        if (key := segment_key(id_, each.version)) in state.segments
    )


def _entry(entry_id: str, committed_at: Instant, entry: LedgerEntry) -> api.LedgerEntryAnswer:
    return api.LedgerEntryAnswer(
        entry_id=entry_id,
        kind=entry.kind,
        occurred_at=format_rfc3339(entry.at),
        committed_at=format_rfc3339(committed_at),
        reference=entry.reference,
        reason=entry.reason or None,
        actor=entry.actor or None,
        postings=tuple(
            api.PostingAnswer(
                wallet=each.wallet,
                kind=each.kind,
                points=each.points,
                available_at=when(each.available_at or None),
                expires_at=when(each.expires_at or None),
            )
            for each in entry.postings
        ),
    )


def _held_tier(scope: TenantScope, state: MemberState, now: Instant, language: str | None) -> api.TierView | None:
    levels = tier_views(state, scope.definitions.fold_at(now).scheme, scope.reader(language))
    return next((each for each in levels if state.tier is not None and each.tier == state.tier.id), None)


def _coupon(scope: TenantScope, coupon: Coupon, body: OfferBody | None, reader: Reader, now: Instant) -> api.CouponView:
    content, name = (body.content, body.name) if body is not None else ({}, coupon.offer)
    return api.CouponView(
        coupon_id=coupon.id,
        offer_id=coupon.offer,
        state=effective_state(coupon, now),
        code=printable_code(scope, coupon.id),
        active_from=format_rfc3339(coupon.active_from),
        expires_at=when(coupon.expires_at),
        parameters=shown(coupon.parameters, scope.definitions.settings.currency) if coupon.parameters else None,
        **reader.shown(content, name, teased=now < coupon.active_from),
    )


def effective_state(coupon: Coupon, now: Instant) -> CouponState:
    """The state that holds now: an expired coupon is expired and a hold that has run out is none, whatever the item says yet."""
    if coupon.state in ("redeemed", "void"):
        return coupon.state
    if coupon.expires_at <= now:
        return "expired"
    return "held" if coupon.state == "held" and (coupon.hold_until or 0) > now else "active"


def tier_answer(state: MemberState, view: FoldView, now: Instant, reader: Reader) -> api.TierAnswer:
    """The tier held, what counts towards it, and the next one."""
    standing, held, levels = progress(state, view, now), state.tier, tier_views(state, view.scheme, reader)
    ahead = standing.next
    aim = api.NextTier(tier=ahead.id, name=reader.title(ahead.content, ahead.name), missing=standing.missing) if ahead is not None else None
    return api.TierAnswer(
        tier=standing.tier,
        since=when(held.since) if held is not None else None,
        until=when(held.until) if held is not None else None,
        projected=standing.projected,
        counts=view.scheme.by if view.scheme is not None else None,
        counted=standing.metric,
        floor=state.tier_floor.id if state.tier_floor is not None else None,
        next=aim,
        levels=levels,
    )
