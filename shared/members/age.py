"""The age limit: who is known to be too young is not registered, nor does a profile come to say so. Pure.

An age is reached on the tenant's local day of the birthday; who was born on 29 February reaches it on 1 March in common years, as the
day before is not over (§ 188 BGB; the strict reading where laws differ). A day of birth that is not known refuses nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.instants import Instant, date_of, day_of, local_day
from shared.tenants.model import TenantSettings


class TooYoung(Unprocessable):
    """By her day of birth she is younger than the tenant takes members. Nothing is stored."""

    code, title = "too_young", "Too young"


def age_on(born: int, day: int) -> int:
    """Whole years between two day numbers."""
    birth, today = date_of(born), date_of(day)
    is_before_the_birthday = (today.month, today.day) < (birth.month, birth.day)
    return today.year - birth.year - int(is_before_the_birthday)


def check_age(settings: TenantSettings, fields: Mapping[str, str], now: Instant, pointer: str) -> None:
    """``TooYoung``, pointing at the day of birth, if these fields say so of somebody."""
    limit, born = settings.age_limit.of(fields.get("country") or settings.country), fields.get("birth_date")
    if limit is None or born is None:
        return
    if age_on(day_of(born), local_day(now, settings.time_zone)) < limit:
        hint = FieldError(pointer, TooYoung.code, f"members are at least {limit} years old")
        raise TooYoung("She is younger than members of this tenant are.", errors=(hint,))
