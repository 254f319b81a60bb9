"""Everything that a replay holds in memory instead of a table, and the one way in which it changes a member. Pure but for its memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.coupons.model import Coupon
from shared.definitions.model import DefinitionSet
from shared.kernel.instants import Instant
from shared.member_state.effects import Effects
from shared.member_state.errors import UnknownMember
from shared.member_state.events import MemberEvent
from shared.member_state.model import Facts, MemberState
from shared.member_state.rules import advance, apply
from shared.tenants.model import CatalogueItem
from shared.transactions.api import MemberReference

Hear = Callable[[str, Effects], None]
"""Told of every change: the member's id, and what it led to."""


@dataclass(slots=True)
class Member:
    """A member, and the personal facts that the service keeps sealed beside her state."""

    state: MemberState
    facts: Facts | None = None


def nobody_listens(_member: str, _effects: Effects) -> None:
    """For who wants the states alone."""


@dataclass(slots=True)
class World:
    """The tenant in memory."""

    definitions: DefinitionSet
    catalogue: Mapping[str, CatalogueItem]
    hear: Hear = nobody_listens
    members: dict[str, Member] = field(default_factory=dict)
    identifiers: dict[tuple[str, str], str] = field(default_factory=dict)
    coupons: dict[str, Coupon] = field(default_factory=dict)
    budgets: Counter[str] = field(default_factory=Counter)
    """Points and values taken from each budget."""
    redemptions: Counter[str] = field(default_factory=Counter)
    """Uses of each offer and promotion that has a limit."""

    def member(self, id_: str) -> Member:
        """She, or ``UnknownMember``."""
        found = self.members.get(id_)
        if found is None:
            raise UnknownMember(f"{id_} has not registered yet.")
        return found

    def named(self, reference: MemberReference | None) -> Member | None:
        """Who a purchase names, by id or identifier; ``None`` if nobody known."""
        if reference is None:
            return None
        id_ = reference.id
        if id_ is None:
            id_ = self.identifiers.get((reference.kind or "", reference.value or ""), "")
        return self.members.get(id_)

    def change(self, member: Member, at: Instant, decide: Callable[[MemberState], Sequence[MemberEvent]]) -> Effects:
        """Let time pass up to the instant, decide, and fold, as one commit of the service does.

        Where ``decide`` refuses, nothing happens but that time has passed.
        """
        state, views, effects = member.state, self.definitions.fold_at, Effects()
        advance(state, at, views, member.facts, effects)
        try:
            for event in decide(state):
                apply(state, event, views, member.facts, effects)
            state.version += 1
        finally:
            self.tell(state.member, effects)
        return effects

    def tell(self, member: str, effects: Effects) -> None:
        """Keep the coupons that the fold gave and took, and pass on what happened."""
        for given in effects.promised:
            self.coupons[given.id] = Coupon(
                given.id, given.offer, given.offer_version, "active", member, given.active_from, given.expires_at,
                issued_by=given.issued_by, parameters=given.parameters,
            )  # fmt: skip
        for id_ in effects.withdrawn:
            self.coupons[id_] = replace(self.coupons[id_], state="void")
        if effects.events or effects.entries:
            self.hear(member, effects)
