"""Whether a message may go out now, over which channel, or from when. Pure.

Consent, suppression, frequency caps, blackout dates, quiet hours and priority. Asked inside the claim, with the very state that the
claim's write is conditional on. Time is the member's own: quiet hours in her zone, rolling windows of 24 hours for caps, the tenant's
local days for blackouts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.kernel.instants import DAY, HOUR, Instant, day_start, local_day, wall_instant, wall_minute
from shared.member_state.model import GIFT, MemberState
from shared.tenants.messaging import Channel

SILENT: Final[frozenset[Channel]] = frozenset({"inbox", "webhook"})
"""Nothing rings where these arrive, so quiet hours do not hold them back."""
NO_PERSON: Final[frozenset[Channel]] = frozenset({"webhook"})
"""Goes to a system of the tenant, not to her: neither consent nor a cap is about it."""
UNCOUNTED: Final[frozenset[str]] = NO_PERSON | {GIFT}
"""Touches on these are no messages to her: no cap counts them."""
DEFERRED: Final = ("quiet_hours", "cap", "blackout")
"""Why a message waits that may have gone out: what a lower priority leaves room for."""
_LONGEST_SEARCH: Final = 500
"""Moves of the instant until it fits: each leaves a blackout, a night or a touch behind, and of these a state has fewer."""
Reason = Literal["no_consent", "suppressed", "unreachable", "over_cap", "quiet_hours", "blackout", "deferred_too_long"]


@dataclass(frozen=True, slots=True)
class CapRule:
    """At most ``most`` messages in the ``span`` milliseconds up to and including this one; over one channel, or all together."""

    most: int
    span: int
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What campaign, step and tenant together say. ``quiet``: minutes of the local day, from and to; from > to passes midnight."""

    marketing: bool
    purpose: str
    rungs: tuple[Channel, ...]
    tenant_zone: str
    caps: tuple[CapRule, ...] = ()
    quiet: tuple[int, int] | None = None
    blackouts: tuple[tuple[int, int], ...] = ()
    """First and last local day of the tenant, both inclusive, ascending."""
    priority: int = 50
    drops: frozenset[str] = frozenset()
    """Of ``quiet_hours``, ``cap``, ``blackout`` those that drop the message instead of deferring it."""
    age_required: bool = False
    """No marketing to members whose age is not known."""
    patience: int = 48 * HOUR
    """Milliseconds that it may be deferred in all."""

    def only(self, channel: Channel) -> Policy:
        """The same for one channel, as where it goes over all of them."""
        return replace(self, rungs=(channel,))


@dataclass(frozen=True, slots=True)
class Go:
    """It may go out now over this channel, which is the ladder's rung ``rung``."""

    channel: Channel
    rung: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before ``until``, as far as is known now. Then it is asked again."""

    until: Instant
    reason: Literal["quiet_hours", "cap", "blackout"]


@dataclass(frozen=True, slots=True)
class Drop:
    """It does not go out."""

    reason: Reason


Eligibility = Go | Wait | Drop


def decide(policy: Policy, state: MemberState, reachable: Collection[Channel], rung: int, since: Instant, now: Instant) -> Eligibility:
    """The first rung from ``rung`` on that she allows, and whose own cap has room; then whether now is the time.

    ``reachable``: channels that there is an address for. ``since``: when it was first deferred, else ``now``. Time does not move it
    to another rung: at night a push waits for the morning, it does not become an SMS.
    """
    usable, refused = _usable(policy, state, reachable, rung)
    if not usable:
        return Drop(refused or "unreachable")
    at, channel = next(((at, each) for at, each in usable if not _over(policy, state, each, now)), usable[0])
    blocked = _blocked(policy, state, channel, now)
    if blocked is None:
        return Go(channel, at)
    for reason in _all_blocked(policy, state, channel, now):
        if reason in policy.drops:
            return Drop("over_cap" if reason == "cap" else reason)
    until = _free_from(policy, state, channel, now)
    return Wait(until, blocked) if until is not None and until <= since + policy.patience else Drop("deferred_too_long")


def allowed(policy: Policy, state: MemberState, channel: Channel) -> Reason | None:
    """Why she may not be written to over a channel, whatever the time; ``None`` if she may."""
    if channel in NO_PERSON:
        return None
    asked_for = policy.purpose if policy.marketing else "service"
    consent = state.consents.get(f"{asked_for}:{channel}")
    said_no = consent is not None and not consent.granted
    # Who may be a child has not consented.
    may_be_a_child = policy.marketing and policy.age_required and "birth_date" not in state.known
    if said_no or may_be_a_child or (policy.marketing and consent is None):
        return "no_consent"
    return "suppressed" if channel in state.suppressed else None


def _usable(
    policy: Policy, state: MemberState, reachable: Collection[Channel], rung: int
) -> tuple[list[tuple[int, Channel]], Reason | None]:
    """Rungs that she allows and that lead to her; and why the first of the others does not."""
    usable: list[tuple[int, Channel]] = []
    refused: Reason | None = None
    for at, channel in enumerate(policy.rungs[rung:], rung):
        reason = allowed(policy, state, channel) or (None if channel in reachable else "unreachable")
        if reason is None:
            usable.append((at, channel))
        else:
            refused = refused or reason
    return usable, refused


def _all_blocked(policy: Policy, state: MemberState, channel: Channel, at: Instant) -> Iterator[Literal["quiet_hours", "cap", "blackout"]]:
    """Everything that stands against this instant: what drops it weighs more than what defers it."""
    if _over(policy, state, channel, at):
        yield "cap"
    if _blackout(policy, at) is not None:
        yield "blackout"
    if _quiet_until(policy, state, channel, at) is not None:
        yield "quiet_hours"


def _blocked(policy: Policy, state: MemberState, channel: Channel, at: Instant) -> Literal["quiet_hours", "cap", "blackout"] | None:
    return next(_all_blocked(policy, state, channel, at), None)


def _free_from(policy: Policy, state: MemberState, channel: Channel, now: Instant) -> Instant | None:
    """The first instant from now on that nothing known stands against; ``None`` beyond all that one can wait for."""
    at = now
    for _ in range(_LONGEST_SEARCH):
        moved = max(_room_from(policy, state, channel, at), at)
        moved = _blackout(policy, moved) or moved
        moved = _quiet_until(policy, state, channel, moved) or moved
        if moved == at:
            return at
        if moved > now + policy.patience:
            return None
        at = moved
    return None


# -- frequency caps ---------------------------------------------------------------------------------------------------


def _over(policy: Policy, state: MemberState, channel: Channel, at: Instant) -> bool:
    return _room_from(policy, state, channel, at) > at


def _room_from(policy: Policy, state: MemberState, channel: Channel, at: Instant) -> Instant:
    """From when every cap has room for one more, as far as touches of now tell."""
    if channel in NO_PERSON:
        return at
    return max((_room_of(rule, _counted(policy, rule, state), at) for rule in policy.caps if rule.channel in (None, channel)), default=at)


def _counted(policy: Policy, rule: CapRule, state: MemberState) -> list[Instant]:
    """Instants of the messages that a cap counts. Held-out, service and webhook messages and gifts are none. A message of a higher priority
    that is deferred has its place already (only under caps for all channels: which channel it will take is not known).
    """
    touches = [
        touch.at
        for touch in state.touches
        if not touch.held and not touch.service and touch.channel not in UNCOUNTED and rule.channel in (None, touch.channel)
    ]
    if rule.channel is None:
        touches += [each.due for each in state.journeys if each.reason in DEFERRED and each.priority > policy.priority]
    return touches


def _room_of(rule: CapRule, counted: list[Instant], at: Instant) -> Instant:
    """When so many have left the window that one more is within the cap. Touches ahead (kept places) count from now on."""
    inside = sorted(each for each in counted if each > at - rule.span)
    surplus = len(inside) - rule.most
    return inside[surplus] + rule.span if surplus >= 0 else at


# -- days and hours ---------------------------------------------------------------------------------------------------


def _blackout(policy: Policy, at: Instant) -> Instant | None:
    """The end of the blackout that an instant is in."""
    if not policy.blackouts:
        return None
    day = local_day(at, policy.tenant_zone)
    last = next((last for first, last in policy.blackouts if first <= day <= last), None)
    return None if last is None else day_start(last + 1, policy.tenant_zone)


def _quiet_until(policy: Policy, state: MemberState, channel: Channel, at: Instant) -> Instant | None:
    """The end of the quiet hours that an instant is in, on her wall clock."""
    if policy.quiet is None or channel in SILENT:
        return None
    zone, (start, end) = state.zone or policy.tenant_zone, policy.quiet
    minute = wall_minute(at, zone)
    quiet = start <= minute < end if start < end else minute >= start or minute < end
    if not quiet:
        return None
    today = local_day(at, zone)
    ends = wall_instant(today + int(start > end and minute >= start), end, zone)
    # Where the clocks go back across the end, its first pass may lie behind: then the second is meant.
    return ends if ends > at else _leaves(at, policy.quiet, zone)


def _leaves(at: Instant, quiet: tuple[int, int], zone: str) -> Instant:
    """The next full minute at which the wall clock is outside: for the repeated hour only, so a few steps."""
    start, end = quiet
    instant = at - at % 60_000
    for _ in range(DAY // 60_000):
        instant += 60_000
        minute = wall_minute(instant, zone)
        if not (start <= minute < end if start < end else minute >= start or minute < end):
            return instant
    return instant
