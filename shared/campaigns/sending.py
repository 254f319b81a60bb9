"""Working off an order: each member goes through the campaign's steps from where the order stands; each for herself.

At most once: what is claimed is handed to the provider in the same breath, by nobody else, and never a second time
(``shared.campaigns.delivering``). Whoever must wait is brought back by her state, whoever must be tried again by a new message.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from shared.campaigns.deliveries import DeliveryRepository
from shared.campaigns.delivering import LOST_AFTER, MAX_ATTEMPTS, in_flight, retry_delay
from shared.campaigns.messages import Order, Queue
from shared.campaigns.model import SENDABLE, CampaignBody
from shared.campaigns.participant import Participant
from shared.campaigns.repository import CampaignRepository
from shared.campaigns.running import TIME_TO_STOP_MS, Tools, Walked, Walker, put_back
from shared.campaigns.throttling import Pacer
from shared.campaigns.versions import body_of, version_of
from shared.campaigns.writing import Keys
from shared.kernel.errors import AppError, Gone, NotFound
from shared.messaging.port import Senders
from shared.observability.logs import logger
from shared.observability.measures import count_late
from shared.tenants.scope import TenantScope

__all__ = ["LOST_AFTER", "MAX_ATTEMPTS", "TIME_TO_STOP_MS", "Means", "send"]
_LONGEST_SQS_DELAY: Final = 900


@dataclass(frozen=True, slots=True)
class Means:
    """What sending works with."""

    senders: Senders
    own: Queue
    keys: Keys


@dataclass(slots=True)
class _Outcome:
    """What came of one member. ``rest``: her part of a new message, and its delay in seconds."""

    what: list[str] = field(default_factory=list)
    rest: Order | None = None
    delay: int = 0
    error: Exception | None = None
    """Why she is not tried again in a message of ours: the whole order comes again, or ends in the dead-letter queue."""


def send(scope: TenantScope, order: Order, means: Means) -> Counter[str]:
    """Lead an order's members through their steps; answers how many steps came to what.

    Members who must be tried again, and those for whom time is too short, go into new messages. Raises only if somebody cannot
    be reached ``MAX_ATTEMPTS`` times in a row, or the queue cannot. Cost: see ``Walker.go``; two reads an order.
    """
    found = _body(scope, order)
    if isinstance(found, str):
        return _drop(scope, order, means, found)
    tools = Tools(means.senders, means.keys, Pacer(scope, order.campaign, found, len(order.members)))
    outcomes: list[_Outcome] = []
    for index, member in enumerate(order.members):
        if scope.effort().time_left_ms() < TIME_TO_STOP_MS:
            means.own.send(replace(order, members=order.members[index:]).message())
            break
        if scope.definitions.stops.messages:
            # Set while this order was worked off: the rest is as if it had come after it.
            outcomes.append(_Outcome([*_drop(scope, replace(order, members=order.members[index:]), means, "stopped").elements()]))
            break
        outcomes.append(_one(scope, order, found, member, tools))
    _rest(outcomes, means.own)
    counts = Counter(what for outcome in outcomes for what in outcome.what)
    logger().info("order", extra={"campaign": order.campaign, "step": order.step, "attempt": order.attempt, "outcomes": dict(counts)})
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return counts


def _body(scope: TenantScope, order: Order) -> CampaignBody | str:
    """The campaign to send, or why there is nothing to send: ``paused``, ``stopped``, or ``dropped`` for good. One read."""
    now, definition = scope.clock(), version_of(scope, order.campaign, order.version)
    run = CampaignRepository(scope.tenant, scope.table).run(order.campaign)
    settings = scope.definitions.settings
    too_late = order.expires is not None and now > order.expires
    was_retired = definition is not None and definition.retired_from is not None and definition.retired_from <= now
    if definition is None or run is None or too_late or was_retired or settings.status != "active":
        return "dropped"
    body = body_of(scope.tenant, definition)
    if body.step(order.step) is None:
        return "dropped"
    if scope.definitions.stops.messages:
        return "stopped"
    if run.state not in SENDABLE:
        return "paused" if run.state == "paused" else "dropped"
    return body


def _drop(scope: TenantScope, order: Order, means: Means, why: str) -> Counter[str]:
    """Nothing of it is sent now; but what was claimed before must not be forgotten, and what had waited goes on waiting while the campaign
    is paused. A Query for each member, and one more and a write for each who waits on.
    """
    deliveries, now = DeliveryRepository(scope.tenant, scope.table, scope.effort), scope.clock()
    # Of every step: whoever claimed it and died may have come further than the order says.
    hers = (row for member in order.members for row in deliveries.of_member(member, order.campaign) if row.occurrence == order.occurrence)
    outcomes: list[_Outcome] = []
    for delivery in hers:
        no_order_of_its_own = delivery.step == order.step or why == "dropped"
        if delivery.state == "waiting" and no_order_of_its_own:
            deliveries.move(delivery, "failed", now, "no_longer_sent")
        elif delivery.state == "claimed":
            found = in_flight(deliveries, delivery, now)
            if found.again is not None:
                rest = replace(order, members=(delivery.member,), attempt=order.attempt + 1)
                outcomes.append(_Outcome(rest=rest, delay=found.again))
    _rest(outcomes, means.own)
    waits_on = order.outcome and why in ("paused", "stopped")
    if not waits_on:
        return Counter({"stopped" if why == "stopped" else "dropped": len(order.members)})
    return Counter(_put_back(scope, order, member) for member in order.members)


def _put_back(scope: TenantScope, order: Order, member: str) -> str:
    definition = version_of(scope, order.campaign, order.version)
    if definition is None:
        return "dropped"
    try:
        return put_back(Participant(scope, order, body_of(scope.tenant, definition), member))
    except (Gone, NotFound) as nobody:
        return _gone(nobody)


def _one(scope: TenantScope, order: Order, body: CampaignBody, member: str, tools: Tools) -> _Outcome:
    """One member. Whatever goes wrong with her is hers alone."""
    her: Participant | None = None
    try:
        her = Participant(scope, order, body, member)
        walked = Walker(her, tools).go()
        return _Outcome([*walked.outcomes, *_waits_on(scope, her, walked)], walked.rest, walked.delay)
    except (Gone, NotFound) as nobody:
        return _Outcome([_gone(nobody)])
    except Exception as error:  # the outermost frame of one member: logged, tried again, and the next one goes on
        reason = error.code if isinstance(error, AppError) else type(error).__name__
        logger().warning("not sent", extra={"member": member, "campaign": order.campaign, "reason": reason})
        here = her.order if her is not None else order
        if here.attempt >= MAX_ATTEMPTS:
            return _Outcome(["error"], error=error)
        return _Outcome(["error"], replace(here, members=(member,), attempt=here.attempt + 1), retry_delay(here.attempt))


def _gone(nobody: Exception) -> str:
    if isinstance(nobody, Gone):
        count_late("message")
    return "gone"


def _waits_on(scope: TenantScope, her: Participant, walked: Walked) -> list[str]:
    """Her gate closed while she was on the way: if the campaign is paused, and not cancelled, she waits where she has come to.

    Who had done nothing yet is not kept: what triggers while a campaign is paused triggers nothing.
    """
    has_begun = her.order.outcome or len(walked.outcomes) > 1
    if not walked.stopped or not has_begun:
        return []
    run = CampaignRepository(scope.tenant, scope.table).run(her.order.campaign)
    return [put_back(her)] if run is not None and run.state == "paused" else []


def _rest(outcomes: list[_Outcome], own: Queue) -> None:
    """One message for all who go on at the same place after the same time."""
    together: dict[tuple[Order, int], list[str]] = {}
    for outcome in outcomes:
        if outcome.rest is not None:
            place = (replace(outcome.rest, members=()), min(outcome.delay, _LONGEST_SQS_DELAY))
            together.setdefault(place, []).extend(outcome.rest.members)
    for (order, delay), members in together.items():
        own.send(replace(order, members=tuple(members)).message(), delay)
