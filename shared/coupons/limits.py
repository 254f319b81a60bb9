"""How often, and to what value, an offer or promotion is used: the limits, what they count by, and why one refuses. Pure.

What a member has used is counted in her state (``shared.member_state.usage``) by the local day of the sale, in the tenant's zone;
what all have used is in shards (``shared.coupons.quota``, ``shared.transactions.budgets``). Both under the key of the offer or
promotion (``offer:<id>``, ``promotion:<id>``); the value at one location under ``offer:<id>@<location>``, at the locations of a group
under ``offer:<id>@group:<group>``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from typing import Annotated, Final

from pydantic import Field

from shared.kernel.ids import NAME_PATTERN
from shared.member_state.model import CountedUse
from shared.programmes.conditions import Usage
from shared.tenants.model import Frozen, Name

QUOTA: Final = "quota:"
"""Before a key: its redemptions in all, among what is exhausted and what a sale has taken."""
NOTHING_USED: Final = Usage()
MOST_GROUPS: Final = 20
"""Groups of locations that one offer has budgets for: each that the location is in is a write of the sale's transaction."""
_NAME: Final = re.compile(NAME_PATTERN)


class UseLimits(Frozen):
    """How often a member may use it, and what it may cost. Days, weeks (from Monday) and months are those of the sale, in the tenant's
    zone. A use of which everything came back is free again, as the coupon is; a value when the whole sale came back.
    """

    per_member: int | None = Field(default=None, ge=1, le=10**6, description="uses by a member in all")
    per_day: int | None = Field(default=None, ge=1, le=10**6, description="uses by a member on a local day")
    per_week: int | None = Field(default=None, ge=1, le=10**6, description="uses by a member in a week from Monday")
    per_month: int | None = Field(default=None, ge=1, le=10**6, description="uses by a member in a calendar month")
    budget: int | None = Field(default=None, ge=1, le=10**12, description="minor units taken off in all; never exceeded")
    location_budget: int | None = Field(default=None, ge=1, le=10**12, description="minor units taken off at each location")
    group_budgets: dict[Name, Annotated[int, Field(ge=1, le=10**12)]] | None = Field(
        default=None, max_length=MOST_GROUPS, description="group of locations -> minor units taken off at all in it together"
    )

    @property
    def of_member(self) -> bool:
        """Whether any of them needs to know what the member has used."""
        return any(each is not None for each in (self.per_member, self.per_day, self.per_week, self.per_month))

    @property
    def of_value(self) -> bool:
        """Whether any of them needs to know what it takes off."""
        return self.budget is not None or self.location_budget is not None or bool(self.group_budgets)

    @property
    def of_place(self) -> bool:
        """Whether any of them needs to know where it is taken off."""
        return self.location_budget is not None or bool(self.group_budgets)


UNLIMITED: Final = UseLimits()


def location_key(key: str, location: str) -> str:
    """What its value at one location is counted by. A location that is no name of ours goes by a hash, so that every key is short."""
    if _NAME.fullmatch(location) is None:
        location = hashlib.sha256(location.encode()).hexdigest()[:40]
    return f"{key}@{location}"


def group_key(key: str, group: str) -> str:
    """What its value at the locations of a group is counted by. No location's key is the same: a name of ours has no colon."""
    return f"{key}@group:{group}"


def counted_use(key: str, limits: UseLimits) -> CountedUse | None:
    """How one use is counted for the member; ``None`` if nobody asks."""
    if not limits.of_member:
        return None
    return CountedUse(key, weekly=limits.per_week is not None, monthly=limits.per_month is not None)


def value_limits(key: str, limits: UseLimits, location: str, groups: frozenset[str]) -> dict[str, int]:
    """The budgets that its value is taken from: key -> limit, minor units. ``groups`` are those that the location is in."""
    found = {} if limits.budget is None else {key: limits.budget}
    if limits.location_budget is not None:
        found[location_key(key, location)] = limits.location_budget
    for group, limit in budgeted(limits, groups):
        found[group_key(key, group)] = limit
    return found


def budgeted(limits: UseLimits, groups: frozenset[str]) -> list[tuple[str, int]]:
    """Those of the location's groups that it has budgets for, with these, in the order in which it names them."""
    of_groups = limits.group_budgets
    return [(group, limit) for group, limit in of_groups.items() if group in groups] if of_groups else []


def refused_by(
    limits: UseLimits,
    key: str,
    usage: Usage | None,
    *,
    before: int = 0,
    exhausted: Collection[str] = (),
    location: str = "",
    groups: frozenset[str] = frozenset(),
) -> str | None:
    """The reason code of the first limit that leaves no room for one use more, in the order of ``UseLimits``; ``None``: none.

    ``usage`` is what the member has used, counted for the sale's day (``None``: nobody is named); ``before`` are uses by this very
    basket; ``exhausted`` the budgets and quotas that were found to have no room for what this basket takes; ``groups`` those that the
    location is in.
    """
    if limits is not UNLIMITED and limits.of_member:
        if usage is None:
            return "member_needed"
        counted = (
            (limits.per_member, usage.times, "limit_per_member"),
            (limits.per_day, usage.times_today, "limit_per_day"),
            (limits.per_week, usage.times_week, "limit_per_week"),
            (limits.per_month, usage.times_month, "limit_per_month"),
        )
        for limit, times, reason in counted:
            if limit is not None and times + before >= limit:
                return reason
    if not exhausted:
        return None
    return "exhausted" if QUOTA + key in exhausted else no_budget(limits, key, exhausted, location, groups)


def no_budget(limits: UseLimits, key: str, exhausted: Collection[str], location: str, groups: frozenset[str]) -> str | None:
    """The reason code of the first budget without room for what it takes off: in all, at the location, of a group; ``None``: none."""
    if key in exhausted:
        return "budget_exhausted"
    if location_key(key, location) in exhausted:
        return "location_budget_exhausted"
    group_exhausted = any(group_key(key, group) in exhausted for group, _ in budgeted(limits, groups))
    return "group_budget_exhausted" if group_exhausted else None
