"""One member goes through the steps of a campaign, until she has to wait, must be tried again, or is through.

Whatever a step does is done at most once, by its row; so going through steps again that are done only meets their rows. Where she waits
a journey of her state brings her back, in the same transaction that made it wait.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import Final

from shared.campaigns.actions import Acted, Action, OnTime, Waits, act, await_turn, begin, come_back, wait
from shared.campaigns.claiming import HELD_OUT, STOPPED, Claimer, Met, Skipped
from shared.campaigns.delivering import Outcome, deliver
from shared.campaigns.messages import Order
from shared.campaigns.model import CampaignBody, Delivery, RecurringTrigger
from shared.campaigns.participant import Participant
from shared.campaigns.rules import variant_of
from shared.campaigns.steps import (
    BranchStep,
    ChallengeStep,
    EndStep,
    IssueStep,
    Response,
    SendStep,
    SplitStep,
    Step,
    TagStep,
    WaitStep,
    WebhookStep,
)
from shared.campaigns.throttling import Pacer
from shared.campaigns.writing import Keys
from shared.kernel.instants import HOUR
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Done
from shared.messaging.port import Senders
from shared.storage import keys
from shared.storage.commit import Stale
from shared.tenants.messaging import CHANNELS

TIME_TO_STOP_MS: Final = 8_000
"""With less left than this the rest is a new message, so that no claim is cut short."""
PAUSED_FOR: Final = HOUR
"""What waited in a campaign that is paused looks again so often whether it goes on."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What steps work with."""

    senders: Senders
    keys: Keys
    pacer: Pacer


@dataclass(slots=True)
class Walked:
    """What came of a member: one outcome per step that had any, and where she goes on in a new message, after so many seconds."""

    outcomes: list[str] = field(default_factory=list)
    rest: Order | None = None
    delay: int = 0
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class _On:
    """The step is done with; where to go on (``None``: the end)."""

    to: Step | None
    what: str = ""


@dataclass(frozen=True, slots=True)
class _Stay:
    """She stays: a journey brings her back, or she is through."""

    what: str = ""


@dataclass(frozen=True, slots=True)
class _Again:
    """The same once more, in a new message."""

    what: str
    seconds: int
    rung: int
    waited: bool = False
    """It was no failure, only not the time yet."""


def place_of(body: CampaignBody, order: Order) -> tuple[Step | None, int]:
    """The step and rung that an order stands for; behind a wait that is over it is the step that its outcome leads to."""
    step = body.step(order.step)
    if isinstance(step, WaitStep) and order.rung:
        timed_out = step.for_ is not None and order.outcome != "event"
        return body.following(step, step.otherwise if timed_out else step.then), 0
    return step, order.rung


class Walker:
    """Leads one member through."""

    def __init__(self, her: Participant, tools: Tools) -> None:
        self.her, self.tools = her, tools
        self.body = her.body
        self.walked = Walked()

    def go(self) -> Walked:
        """From where the order stands. Cost per message sent: 2 to 5 reads, a transaction of 4 to 7 items, one call of the provider an
        address, a write of the row; per other step a transaction of 3 or 4 items, or none for a branch or split.
        """
        her, walked = self.her, self.walked
        step, rung = place_of(self.body, her.order)
        if step is not None and (step.id, rung) != (her.order.step, her.order.rung):
            self._stand(step)
        if step is self.body.steps[0] and rung == 0 and not self._begun():
            return walked
        first = True
        while step is not None:
            if not first and her.scope.effort().time_left_ms() < TIME_TO_STOP_MS:
                walked.rest = replace(her.order, attempt=0)
                return walked
            first = False
            found = self._at(step, rung)
            if found.what:
                walked.outcomes.append(found.what)
            if isinstance(found, _Again):
                attempt = her.order.attempt + (0 if found.waited else 1)
                walked.rest, walked.delay = replace(her.order, rung=found.rung, attempt=attempt), found.seconds
                return walked
            if isinstance(found, _Stay):
                walked.stopped = found.what == STOPPED
                return walked
            step, rung = found.to, 0
            if step is not None:
                self._stand(step)
        return walked

    def _stand(self, step: Step) -> None:
        """She stands at another step now: its waiting, rungs and attempts begin anew."""
        self.her.order = replace(self.her.order, step=step.id, rung=0, since=0, attempt=0)

    def _begun(self) -> bool:
        """Begin the occurrence, where that is more than taking the first step; ``False`` if she does not, or not yet."""
        her, trigger = self.her, self.body.trigger
        if isinstance(trigger, RecurringTrigger) and trigger.in_ == "member" and not her.order.outcome:
            turn = await_turn(her)
            if not isinstance(turn, Acted):
                self._end(turn)
                return False
        if self.body.reentry.mode == "always" and not her.order.data:
            return True
        found = begin(her, base64.b64decode(her.order.data) if her.order.data else None)
        if isinstance(found, Skipped):
            self._end(found)
        return not isinstance(found, Skipped)

    def _end(self, found: Action | Waits) -> None:
        what = found.reason if isinstance(found, Skipped) else "waits"
        self.walked.outcomes.append(what)
        self.walked.stopped = what == STOPPED

    # -- step by step -----------------------------------------------------------------------------------------------------

    def _at(self, step: Step, rung: int) -> _On | _Stay | _Again:
        match step:
            case SendStep():
                return self._send(step, rung)
            case WebhookStep():
                found = self._deliver(Claimer(self.her, step, self.tools.keys), 0)
                return _On(self.body.following(step, step.then), found.what) if isinstance(found, _On) else found
            case IssueStep() | TagStep() | ChallengeStep():
                return self._done(act(self.her, step), step)
            case WaitStep():
                return self._wait(step)
            case BranchStep():
                return _On(self.body.following(step, step.then if self._is_so(step) else step.otherwise))
            case SplitStep():
                variant = step.variants[variant_of(step, self.her.order.campaign, self.her.member)]
                return _On(self.body.following(step, variant.then))
            case EndStep():
                return _Stay()

    def _send(self, step: SendStep, rung: int) -> _On | _Stay | _Again:
        onward = self.body.following(step, step.then)
        if step.ladder is None or step.ladder.mode != "all":
            if rung and self._answered(step):
                return _On(onward, "answered")
            found = self._deliver(Claimer(self.her, step, self.tools.keys, rung), rung)
            return _On(onward, found.what) if isinstance(found, _On) else found
        for index, channel in enumerate(step.ladder.channels[rung:], rung):
            found = self._deliver(Claimer(self.her, step, self.tools.keys, index, only=channel), index)
            if not isinstance(found, _On):
                return found
            self.walked.outcomes.append(found.what)
        return _On(onward)

    def _deliver(self, claimer: Claimer, rung: int) -> _On | _Stay | _Again:
        """One message. What it says of where to go on is for the step to say: ``to`` is not set."""
        seconds = self.tools.pacer.ready(claimer.policy.rungs[min(rung, len(claimer.policy.rungs) - 1)])
        if seconds is not None:
            return _Again("throttled", seconds, rung, waited=True)
        found = deliver(claimer, self.tools.senders)
        if found.again is not None:
            return _Again(found.what, found.again, rung)
        if found.what in (STOPPED, "deferred"):
            return _Stay(found.what)
        was_held = found.delivery is not None and found.delivery.state == HELD_OUT
        if self.her.held_out and (found.what == HELD_OUT or was_held):
            # From here on there is nothing to compare: what follows is done for the others alone.
            return _Stay(found.what)
        return _Stay(found.what) if self._has_next(claimer, found) else _On(None, found.what)

    def _has_next(self, claimer: Claimer, found: Outcome) -> bool:
        """Whether the next rung of the ladder comes, by the journey that was made with the claim."""
        delivery = found.delivery
        return delivery is not None and delivery.state != HELD_OUT and claimer.next_due(delivery.rung) is not None

    def _done(self, found: Action, step: IssueStep | TagStep | ChallengeStep) -> _On | _Stay:
        what = {Acted: "done", Met: "already"}.get(type(found)) or (found.reason if isinstance(found, Skipped) else "")
        held = isinstance(found, Met) and found.delivery.state == HELD_OUT
        if what == STOPPED or (self.her.held_out and (what == HELD_OUT or held)):
            return _Stay(what)
        return _On(self.body.following(step, step.then), what)

    def _wait(self, step: WaitStep) -> _On | _Stay:
        found = wait(self.her, step)
        if isinstance(found, OnTime):
            return _On(self.body.following(step, step.then))
        return _Stay(found.reason if isinstance(found, Skipped) else "waits" if isinstance(found, Waits) else "already")

    # -- questions --------------------------------------------------------------------------------------------------------

    def _answered(self, step: SendStep) -> bool:
        """Whether an earlier rung of this step arrived, or was opened."""
        return any(each.responded & {"delivered", "opened"} for each in self._rows(step.id))

    def _is_so(self, step: BranchStep) -> bool:
        if step.if_.response is not None and step.if_.response.of != "purchased":
            return self._responded(step.if_.response)
        rows = self._rows(step.if_.response.step) if step.if_.response is not None else []

        def decide(state: MemberState, _stale: Stale) -> Change[bool] | Done[bool]:
            if step.if_.response is None:
                return Done(self.her.holds(step.if_, state))
            last = state.profile.last_at
            return Done(last is not None and any(each.claimed_at <= last for each in rows))

        return self.her.change(decide)

    def _responded(self, asked: Response) -> bool:
        rows = self._rows(asked.step)
        if asked.of == "sent":
            return any(each.state == "sent" for each in rows)
        return any(asked.of in each.responded for each in rows)

    def _rows(self, step: str) -> list[Delivery]:
        """Her deliveries of a step of this occurrence, one read each channel."""
        order, her = self.her.order, self.her
        parts = (order.campaign, step, order.occurrence)
        return her.deliveries.get_many(keys.delivery(her.scope.tenant, her.member, *parts, channel) for channel in CHANNELS)


def put_back(her: Participant) -> str:
    """The campaign is paused, and she waited: she waits on, before the step that is next. Answers what came of her."""
    step, rung = place_of(her.body, her.order)
    if step is None:
        return "through"
    found = come_back(her, step, rung, her.now + PAUSED_FOR)
    return found.reason if isinstance(found, Skipped) else "paused"
