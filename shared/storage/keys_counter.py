"""Keys of the counter: confirmations of spending, what cashiers do often, purchases under review. The rules of ``shared.storage.keys``
hold here too.
"""

from __future__ import annotations

from typing import Final

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Instant
from shared.storage.keys import Key, member, prefix, text

CONFIRMATION_PREFIX: Final = "CONFIRM#"
COUNT_PREFIX: Final = "COUNT#"
_NEVER: Final = "9" * 15
_LONG: Final = 40
"""Bytes of a cashier in a sort key, and of a location: longer ones cannot be counted apart."""


def confirmation(tenant: str, member_id: str, ulid: str) -> Key:
    """A confirmation that was asked of a member."""
    return Key(member(tenant, member_id), f"{CONFIRMATION_PREFIX}{text(ulid)}")


def counts(tenant: str, business_date: str) -> str:
    """The partition of what cashiers did often on one business date: one Query reports a day."""
    return f"{prefix(tenant)}COUNTER#{text(business_date)}"


def count(tenant: str, business_date: str, location: str, cashier: str, rule: str) -> Key:
    """How often a cashier did what a rule counts on a business date: an item of its own for each, so that no two tills share one."""
    return Key(counts(tenant, business_date), f"{COUNT_PREFIX}{_part(location)}#{_part(cashier)}#{rule}")


def counts_of(location: str) -> str:
    """What the sort keys of a location's counts begin with."""
    return f"{COUNT_PREFIX}{_part(location)}#"


def reviews(tenant: str) -> str:
    """The index partition of purchases under review. Flags are rare, so it is one."""
    return f"{prefix(tenant)}REVIEW"


def review(until: Instant, at: Instant, transaction: str) -> str:
    """Where in it: by when time approves (0: it does not), then by age, so that what is waiting still is one range."""
    return f"{review_from(until)}#{at:015d}#{transaction}"


def review_from(until: Instant) -> str:
    """The beginning of the places from that instant on."""
    return f"{until:015d}" if until else _NEVER


def _part(value: str) -> str:
    """Client text of any length; ``-`` stands for none."""
    if not value:
        return "-"
    try:
        return text(value)
    except InvalidValue:
        return text(value[:_LONG].encode("ascii", "ignore").decode() or "-")
