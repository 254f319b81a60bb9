"""Rates are enforced here: what an environment has answered and paid for, policy by policy, in its memory.

Cost: nothing for most calls; 1 write unit for each block of calls of a policy (``rules``), at most ``MAX_TRIES`` where environments meet.
If the table does not answer in ``HASTE`` (``shared.storage.table``) the calls are let through unpaid, and the metric
``limits_unavailable`` counts it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from shared.kernel.errors import TooManyRequests
from shared.kernel.instants import SECOND, Instant
from shared.limits import rules
from shared.limits.rates import ADDRESS_RATE, PUBLIC_RATE, Rates
from shared.limits.rules import Count, Payment, Rate
from shared.observability.logs import logger
from shared.observability.measures import count_limits_unavailable
from shared.storage import keys_limits
from shared.storage.keys import Key

MAX_TRIES: Final = 3
MAX_COUNTS: Final = 10_000
"""Policies that an environment remembers; the one that was asked for longest ago is forgotten with what it owes."""


class RateLimited(TooManyRequests):
    """More calls than the plan of the tenant, or of this kind of credential, allows. ``policy`` says which; ``headers`` what is left."""

    def __init__(self, policy: str, retry_after: int, headers: Mapping[str, str]) -> None:
        whose = {"tenant": "all credentials of this tenant", "credential": "this credential", "public": "this tenant's guests"}
        super().__init__(f"Too many calls of {whose.get(policy, 'this address')}.", retry_after=retry_after)
        self.policy = policy
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Policy:
    """One rate that a call is under: its name in headers, where its bucket lies, and how much it lets through."""

    name: str
    key: Key
    rate: Rate


class Buckets(Protocol):
    """Where levels lie: the table, or a test's memory."""

    def move(self, key: Key, wanted: Payment, now: Instant) -> tuple[bool, int | None]:
        """Whether the payment was made, and the level afterwards; if it was not, the level that stood in its way."""


@dataclass(slots=True)
class Limits:
    """The counts of one execution environment. ``now``: real time, which no test clock of a local stage moves."""

    now: Callable[[], Instant]
    counts: OrderedDict[Key, Count]
    levels: OrderedDict[str, int]

    @classmethod
    def fresh(cls, now: Callable[[], Instant]) -> Limits:
        """Of an environment that has answered nothing."""
        return cls(now, OrderedDict(), OrderedDict())

    def admit(self, tenant: str, credential: str, rates: Rates, buckets: Callable[[], Buckets], *, finishes: bool) -> dict[str, str]:
        """Count a call with a credential; the RateLimit headers of its answer. ``RateLimited`` if it must wait.

        ``finishes``: the call ends what a till began, and may use the reserve.
        """
        policies = (
            Policy("tenant", keys_limits.rate(tenant, "tenant"), rates.tenant),
            Policy("credential", keys_limits.rate(tenant, "credential", credential), rates.credential),
        )
        return self._admit(policies, buckets, finishes=finishes)

    def admit_guest(self, tenant: str, address: str, buckets: Callable[[], Buckets]) -> dict[str, str]:
        """The same for a call without a credential. ``address`` is empty where many guests come from one: links that mailers open."""
        if address:
            self._admit_address(f"{tenant} {address}")
        return self._admit((Policy("public", keys_limits.rate(tenant, "public"), PUBLIC_RATE),), buckets, finishes=False)

    def _admit(self, policies: tuple[Policy, ...], buckets: Callable[[], Buckets], *, finishes: bool) -> dict[str, str]:
        now = self.now()
        found = {policy: self._looked_up(policy, buckets, now) for policy in policies}
        for policy, count in found.items():
            is_closed = count.closed_until > now
            reserved = finishes and rules.has_reserve(count, policy.rate)
            if is_closed and not reserved:
                raise RateLimited(policy.name, rules.seconds_until(count.closed_until, now), _headers(found, now))
        for policy, count in found.items():
            self.counts[policy.key] = rules.taken(count, now)
        return _headers({policy: self.counts[policy.key] for policy in policies}, now)

    def _looked_up(self, policy: Policy, buckets: Callable[[], Buckets], now: Instant) -> Count:
        outlook, count = rules.outlook(self.counts.get(policy.key, Count()), policy.rate, now)
        if outlook == "pay":
            count = self._paid(policy, count, buckets, now)
        self.counts[policy.key] = count
        self.counts.move_to_end(policy.key)
        if len(self.counts) > MAX_COUNTS:
            self.counts.popitem(last=False)
        return count

    def _paid(self, policy: Policy, count: Count, buckets: Callable[[], Buckets], now: Instant) -> Count:
        """The count after a payment, taken or refused. An unanswered one is let pass: a bucket must not close a till."""
        try:
            return pay(buckets(), policy, count, now)
        except Exception as error:  # whatever it is: counting must not close a till that could be answered
            logger().warning("rates not counted", extra={"policy": policy.name, "reason": type(error).__name__})
            count_limits_unavailable(policy.name)
            return rules.paid(count.level, now)

    def _admit_address(self, subject: str) -> None:
        now = self.now()
        level = rules.local_level(self.levels.get(subject, 0), ADDRESS_RATE, now)
        if level is None:
            raise RateLimited("address", 1, {})
        self.levels[subject] = level
        self.levels.move_to_end(subject)
        if len(self.levels) > MAX_COUNTS:
            self.levels.popitem(last=False)


def pay(buckets: Buckets, policy: Policy, count: Count, now: Instant) -> Count:
    """Pay for the calls of a count: 1 write, 2 where the flow changed from below the rate to above it, or back."""
    wanted = rules.payment(count, policy.rate, now)
    for _ in range(MAX_TRIES):
        done, level = buckets.move(policy.key, wanted, now)
        if done:
            return rules.paid(level or 0, now, lifted=wanted.lift)
        fitting = rules.fitting(wanted, level)
        if fitting is None:
            return rules.refused(count, policy.rate, level or 0, now)
        wanted = fitting
    # Others were first each time: what they paid is counted, this block is not.
    count_limits_unavailable(policy.name)
    return rules.paid(count.level, now)


def _headers(counts: Mapping[Policy, Count], now: Instant) -> dict[str, str]:
    """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-10), as structured fields: a burst and the seconds in
    which it comes back; what is left of it, as far as this environment knows, and when all of it is back.
    """
    quotas, left = [], []
    for policy, count in counts.items():
        rate = policy.rate
        window = -(-rate.burst // rate.per_second)
        rest = 0 if count.closed_until > now else rules.remaining(count, rate, now)
        back = max(-(-(rate.burst - rest) // rate.per_second), -(-(count.closed_until - now) // SECOND), 0)
        quotas.append(f'"{policy.name}";q={rate.burst};w={window}')
        left.append(f'"{policy.name}";r={rest};t={back}')
    return {"ratelimit-policy": ", ".join(quotas), "ratelimit": ", ".join(left)}
