"""Whether what a call spends was confirmed. Below the limits it costs nothing; above them one write in the call's own transaction.

Who was found by the rotating code of her app, or calls by herself, has proven enough. Everybody else sends the id of a confirmation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from shared.counter.errors import ConfirmationNotUsable, ConfirmationRequired, UnknownConfirmation
from shared.counter.identification import proves
from shared.counter.model import Spending, Way
from shared.counter.repository import LABEL, ConfirmationRepository, why_not
from shared.counter.rules import exceeds, limited
from shared.kernel.instants import Instant
from shared.member_state.model import MemberState
from shared.messaging.port import configured
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.model import TenantSettings
from shared.tenants.scope import TenantScope


@dataclass(frozen=True, slots=True)
class Proof:
    """What a call brings along: who calls, where, how she was identified, what she confirmed."""

    caller: str = ""
    location: str = ""
    identification: str | None = None
    confirmation: str | None = None


class Brings(Protocol):
    """A request that may bring its proof along."""

    @property
    def location_id(self) -> str | None: ...
    @property
    def identification(self) -> str | None: ...
    @property
    def confirmation_id(self) -> str | None: ...


def proof_of(request: Brings, caller: str) -> Proof:
    """What a request brings along."""
    return Proof(caller, request.location_id or "", request.identification, request.confirmation_id)


@dataclass(slots=True)
class StepUp:
    """The question for one call, asked again with every attempt of its commit. ``use`` says for what a confirmation was used."""

    scope: TenantScope
    proof: Proof
    now: Instant
    use: str
    _used: Spending | None = field(default=None, init=False)

    def check(self, state: MemberState, spending: Spending, stale: Stale) -> None:
        """``ConfirmationRequired`` or ``ConfirmationNotUsable`` unless she may spend this much here and now."""
        self._used = None
        settings = self.scope.definitions.settings
        if not exceeds(settings.counter, spending) or self.proof.caller == state.member:
            return
        proof = self.proof
        if proves(self.scope, proof.identification, state.member, proof.caller, proof.location, self.now):
            return
        if proof.confirmation is None:
            raise ConfirmationRequired(ways_of(state, settings))
        if LABEL in stale:
            raise ConfirmationNotUsable(why_not(stale[LABEL], proof.location, self.now))
        self._used = limited(settings.counter, spending)

    def add(self, batch: WriteBatch, member: str) -> None:
        """Use the confirmation up, if this attempt needs one."""
        if self._used is None or self.proof.confirmation is None:
            return
        repository = ConfirmationRepository(self.scope.tenant, self.scope.table)
        try:
            repository.add_use(batch, self.proof.confirmation, member, self._used, self.proof.location, self.now, self.use)
        except UnknownConfirmation:
            raise ConfirmationNotUsable("unknown") from None


def ways_of(state: MemberState, settings: TenantSettings) -> tuple[Way, ...]:
    """In which ways she can confirm: by kinds of what she has, without any of it."""
    ways: list[Way] = ["qr"]
    if state.devices:
        ways.append("app")
    if "phone" in state.identifier_kinds and configured("sms", settings.messaging):
        ways.append("sms")
    if "email" in state.identifier_kinds and configured("email", settings.messaging):
        ways.append("email")
    return tuple(ways)
