"""One member while an order is worked off: her state, what she is reached by, and what is known of her, each read when it is needed."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

from shared.campaigns.deliveries import DeliveryRepository
from shared.campaigns.messages import Order
from shared.campaigns.model import ACTION, Audience, CampaignBody, Channel, Condition
from shared.campaigns.repository import CampaignRepository
from shared.campaigns.rules import held_out, in_segment
from shared.campaigns.steps import Bringing, Step
from shared.definitions.model import TenantView
from shared.kernel.errors import ConcurrentUpdate
from shared.member_state.model import Facts, MemberState
from shared.member_state.repository import Loaded, StateRepository
from shared.member_state.service import Change, Decide, Done, MemberSession, Occasion
from shared.members.repository import Device, MemberRepository
from shared.messaging.port import configured
from shared.privacy.crypto import Undecipherable
from shared.segments.expanding import expanded, is_behavioural, leaves_of
from shared.segments.leaves import Moment, signed
from shared.segments.parsing import rule_of
from shared.storage import keys
from shared.storage.commit import Stale
from shared.tenants.scope import TenantScope

T = TypeVar("T")
IDENTITY: Final = "identity"
CONTACT: Final = "contact"
CALL: Final = "call"
"""Groups of personal fields: what texts use, where she is reached, and what a call gave for her."""
NAMED: Final[Mapping[Channel, str]] = {"email": "email", "sms": "phone"}
"""Channels whose address is a personal field."""
EVERYBODY: Final = "*"
"""In place of a campaign: the tenant's global holdout."""


class Address(NamedTuple):
    """Where a message goes. ``device``: whose endpoint it is, if it is one's."""

    to: str
    device: Device | None = None


class Participant:
    """One member and the order that she is in."""

    def __init__(self, scope: TenantScope, order: Order, body: CampaignBody, member: str) -> None:
        """One Query; a merged member leads to her survivor, who is meant from here on."""
        self.scope, self.order, self.body = scope, replace(order, members=(member,)), body
        self.now = scope.clock()
        self._states = StateRepository(scope.tenant, scope.table)
        loaded = self._states.load(member)
        self.member = loaded.state.member
        self._session: MemberSession | None = MemberSession(scope, self.member, loaded)
        self.deliveries = DeliveryRepository(scope.tenant, scope.table, scope.effort)
        self.gates = CampaignRepository(scope.tenant, scope.table)
        self._members = MemberRepository(scope.tenant, scope.table)
        self._devices: dict[tuple[str, ...], tuple[Device, ...]] = {}
        self._facts: tuple[int, Facts] | None = None

    def change(self, decide: Decide[T]) -> T:
        """Carry out one change of her, or find that there is none to make. The state is read anew after whatever wrote nothing: what was
        decided about then has been advanced in memory only.
        """
        wrote = False

        def noted(state: MemberState, stale: Stale) -> Change[T] | Done[T]:
            nonlocal wrote
            if state.member != self.member:
                raise ConcurrentUpdate("She was merged into another member meanwhile.")
            found = decide(state, stale)
            wrote = isinstance(found, Change)
            return found

        session, self._session = self._session or MemberSession(self.scope, self.member), None
        result = session.change(Occasion(self.now), noted)
        self._session = session if wrote else None
        return result

    def load(self) -> Loaded:
        """Her state as stored. One Query."""
        return self._states.load(self.member)

    @cached_property
    def view(self) -> TenantView:
        """The definitions that hold now."""
        return self.scope.definitions.at(self.now)

    @property
    def held_out(self) -> bool:
        """Whether she is in the campaign's holdout, or in the global one of marketing."""
        percent = self.view.settings.messaging.global_holdout_percent if self.body.message_class == "marketing" else 0
        return held_out(self.order.campaign, self.member, self.body.holdout_percent) or held_out(EVERYBODY, self.member, percent)

    def is_first(self, step: Step, rung: int = 0) -> bool:
        """Whether this is the first that the occurrence brings her, where its results are counted from. One Query where it need not be."""
        if not isinstance(step, Bringing):
            return False
        above = self.body.steps[: self.body.steps.index(step)]
        if rung == 0 and not any(isinstance(each, Bringing) for each in above):
            return True
        rows = self.deliveries.with_results(self.member, self.order.campaign)
        return not any(row.exposure and row.occurrence == self.order.occurrence for row in rows)

    # -- who she is -----------------------------------------------------------------------------------------------------

    def outside(self, state: MemberState) -> str | None:
        """Why she is not in the audience, or ``None``. The last purchase counts: what claims is conditional on the state asked here."""
        if state.status != "active":
            return "not_active"
        if state.restriction is not None:
            return "restricted"
        audience: Audience = self.body.audience
        if audience.segment is not None and not in_segment(audience.segment, state, self._served):
            return "not_in_segment"
        if audience.filter is not None and not self.matches(audience.filter, state):
            return "not_in_audience"
        return None

    def holds(self, condition: Condition, state: MemberState) -> bool:
        """Whether a condition about her segment, or a rule, is true."""
        if condition.segment is not None:
            return in_segment(condition.segment, state, self._served)
        return condition.filter is not None and self.matches(condition.filter, state)

    def matches(self, raw: Mapping[str, object], state: MemberState) -> bool:
        """Whether a rule of the language of segments is surely true of her. Personal facts are opened only where it asks for them."""
        context = self.view.segment_context
        rule = expanded(rule_of(raw), context)
        if not state.profiled and is_behavioural(rule, context):
            return False
        facts = self._facts_of(state) if any(leaf.is_personal for leaf in leaves_of(rule)) else None
        return signed(rule, Moment(state, facts, self.now, context)).surely > 0

    def _facts_of(self, state: MemberState) -> Facts:
        if self._facts is None or self._facts[0] != state.version:
            loaded = self.load()
            if loaded.state.version != state.version:
                raise ConcurrentUpdate("She changes at this very moment.")
            self._facts = (state.version, loaded.facts(self.scope.cipher(self.member)))
        return self._facts[1]

    @cached_property
    def _served(self) -> Mapping[str, int]:
        return {id_: definition.version for id_, definition in self.view.served_segments.items()}

    # -- where she is reached -------------------------------------------------------------------------------------------

    def reachable(self, channels: Collection[Channel], state: MemberState) -> set[Channel]:
        """Of the channels those that lead to her. A read for each device; none for the others: the state knows what she has given."""
        settings = self.view.settings.messaging
        return {each for each in channels if configured(each, settings) and self._leads(each, state)}

    def _leads(self, channel: Channel, state: MemberState) -> bool:
        if channel == "push":
            return bool(self.devices(state))
        return channel not in NAMED or NAMED[channel] in state.known

    def addresses(self, channel: Channel, state: MemberState) -> tuple[Address, ...]:
        """Where a message over a channel goes. An e-mail address or number is opened only now."""
        if channel == "push":
            return tuple(Address(device.endpoint, device) for device in self.devices(state))
        if channel in NAMED:
            found = self.person.get(NAMED[channel])
            return (Address(found),) if found else ()
        return (Address(self.member),)

    def devices(self, state: MemberState) -> tuple[Device, ...]:
        """Her devices with an endpoint. Read once; again only if her devices changed meanwhile."""
        ids = tuple(state.devices)
        if ids not in self._devices:
            found = (self._members.device(self.member, id_) for id_ in ids)
            self._devices[ids] = tuple(device for device in found if device is not None and device.endpoint and device.status == "active")
        return self._devices[ids]

    @cached_property
    def person(self) -> Mapping[str, str]:
        """Her personal fields, opened: two reads, once."""
        profile = self._members.profile(self.member)
        return profile.fields(self.scope.cipher(self.member), IDENTITY, CONTACT) if profile.sealed else {}

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """What a call gave for her: with the order, else kept by the occurrence's beginning; opened with her key."""
        order = self.order
        sealed = base64.b64decode(order.data) if order.data else None
        if sealed is None:
            key = keys.delivery(self.scope.tenant, self.member, order.campaign, keys.BEGINNING, order.occurrence, ACTION)
            begun = self.deliveries.get(key)
            sealed = begun.data if begun is not None else None
        if sealed is None:
            return {}
        try:
            found: Mapping[str, Any] = self.scope.cipher(self.member).open_json(CALL, sealed)
        except Undecipherable:
            # Sealed for a member who was merged into her meanwhile.
            return {}
        return found

    @property
    def zone(self) -> str:
        """The tenant's time zone; hers is in the state."""
        return self.view.settings.time_zone
