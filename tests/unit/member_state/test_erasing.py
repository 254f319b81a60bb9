"""Forgetting in the fold: everything but what proves the books goes, also what the state gets one day."""

from __future__ import annotations

from dataclasses import fields

from shared.kernel.instants import DAY
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.effects import Effects
from shared.member_state.erasing import KEPT, Erased
from shared.member_state.model import Inactivity, MemberState, Pending, Referred, Restriction, Tier
from shared.member_state.rules import advance, apply
from shared.wallet.model import Hold
from tests.builders.views import views
from tests.unit.member_state.stories import bought, joined, noon

VIEWS = views({"kind": "purchases", "metric": "count", "days": 30, "op": "le", "value": 1000})
"""Everybody is in its segment, also who has bought nothing."""


def full(at: int) -> MemberState:
    """A state with something in every field."""
    state = joined(VIEWS, at - DAY)
    apply(state, bought(1, at - DAY, 40), VIEWS)
    for each in fields(MemberState):
        value = getattr(state, each.name)
        if isinstance(value, list):
            value.append("something")
        elif isinstance(value, dict) and each.name not in ("wallets", "holds"):
            value["something"] = at
    state.pending = {"marketing:email": Pending(at, at)}
    state.holds = {"hold_1": Hold("points", 5, at + DAY)}
    state.tier = state.tier_floor = Tier("gold", at)
    state.referred, state.referrals, state.merged_into = Referred("mbr_2"), 2, None
    state.zone, state.profiled, state.timer = "Europe/Berlin", False, at + DAY
    state.active_at, state.inactivity = at, Inactivity(at)
    state.restriction = Restriction("legal_claims", at)
    state.join_location, state.visits_made, state.challenges_closed = "mitte", 3, at
    return state


def test_only_what_proves_the_books_is_left() -> None:
    at = noon("2026-11-21")
    state = full(at)
    untouched = {each.name for each in fields(MemberState) if getattr(state, each.name) == getattr(MemberState("demo", "mbr_1"), each.name)}
    assert untouched <= {"status", "merged_into", "tenant", "member", "epoch"}, "something of everything to begin with"
    apply(state, Erased(at, "era_1"), VIEWS)
    nobody = MemberState("demo", "mbr_1")
    left = [each.name for each in fields(MemberState) if getattr(state, each.name) != getattr(nobody, each.name)]
    assert set(left) <= {*KEPT, "status"}
    assert (state.status, state.timer) == ("erased", None)
    wallet = state.wallets["points"]
    assert (wallet.earned, wallet.expired, wallet.lots) == (40, 40, [])


def test_one_event_is_told_and_one_entry_booked() -> None:
    at = noon("2026-11-21")
    state, effects = full(at), Effects()
    apply(state, Erased(at, "era_1"), VIEWS, effects=effects)
    told = [(event.type, event.data) for event in effects.events]
    assert told == [("member.erased", {"erasure": "era_1"})]
    (entry,) = effects.entries
    assert (entry.kind, entry.reference, entry.reason, [posting.points for posting in entry.postings]) == (
        "expire", "era_1", "erasure", [-40],
    )  # fmt: skip


def test_time_and_segments_find_nobody() -> None:
    """Who has bought nothing is in such a segment; who is forgotten is in none."""
    at = noon("2026-11-21")
    state, effects = full(at), Effects()
    apply(state, Erased(at, "era_1"), VIEWS, effects=effects)
    assert state.segments == {}
    later = Effects()
    advance(state, at + 900 * DAY, VIEWS, None, later)
    assert later == Effects()


def test_what_is_left_is_stored_as_before() -> None:
    at = noon("2026-11-21")
    state = full(at)
    apply(state, Erased(at, "era_1"), VIEWS)
    again = decode_state("demo", "mbr_1", encode_state(state))
    again.version, again.status = state.version, state.status
    assert again == state
