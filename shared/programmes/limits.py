"""What limits leave of points. Pure."""

from __future__ import annotations

from shared.programmes.conditions import Usage
from shared.programmes.model import Limits


def cut(points: int, limits: Limits, usage: Usage, *, exhausted: bool) -> tuple[int, str | None]:
    """The points that may be given, and the limit that decided it: ``None`` if all of them may.

    ``usage`` is what the member has had before; ``exhausted`` says that nothing is left of the budget. Of several limits that cut,
    the tightest is named (the first in the order of ``Limits``, if equal). More than a whole budget is never given; whether
    the rest of it suffices is for whoever books it to say.
    """
    left, named = points, None
    for name, bound in (
        ("per_transaction", limits.per_transaction),
        ("per_day", _rest(limits.per_day, usage.points_today)),
        ("per_member", _rest(limits.per_member, usage.points)),
        ("times_per_day", _all_or_nothing(limits.times_per_day, usage.times_today, points)),
        ("times_per_member", _all_or_nothing(limits.times_per_member, usage.times, points)),
        ("budget", 0 if exhausted and limits.budget is not None else limits.budget),
    ):
        if bound is not None and bound < left:
            left, named = bound, name
    return left, named


def reason_of(limit: str) -> str:
    """The reason code of a limit that left nothing."""
    return "budget_exhausted" if limit == "budget" else f"limit_{limit}"


def _rest(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(limit - used, 0)


def _all_or_nothing(times: int | None, used: int, points: int) -> int | None:
    return None if times is None else points if used < times else 0
