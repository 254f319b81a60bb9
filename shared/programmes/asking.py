"""What the programmes of a moment ask about a member: only that is gathered, and kept with the decision. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.programmes.compiled import Programme
from shared.programmes.conditions import When


@dataclass(frozen=True, slots=True)
class Asked:
    """See the module. ``usage`` are the keys of what has limits per member."""

    segments: frozenset[str]
    tags: frozenset[str]
    usage: tuple[str, ...]
    visit_minutes: int
    """The longest visit of any programme that gives something per visit, or counts visits for tiers; 0: nobody asks."""
    counts_visits: bool
    """Whether visits are counted: for tiers, or for challenges."""
    idle_days: tuple[tuple[str, int, bool], ...]
    """(wallet, days, to the end of the day) of wallets whose points expire with inactivity."""
    location_groups: frozenset[str] = frozenset()
    """Named by what a sale may be asked about once more after it was made: they are kept with it (``shared.transactions.given``)."""


VISIT_MINUTES: Final = 30
"""How long a visit is where no programme says it."""


def asked_by(
    programmes: Iterable[Programme],
    *,
    visits: bool = False,
    whens: Iterable[When] = (),
    counted: Iterable[str] = (),
    asked_again: Iterable[When] = (),
) -> Asked:
    """Once for the programmes in force between two switches. ``visits``: something else than they counts visits.

    ``whens`` and ``counted`` are the conditions of promotions, and the keys of those with limits per member. ``asked_again`` are the
    conditions of challenges: as those of programmes, they are asked once more when somebody claims a sale.
    """
    programmes = tuple(programmes)
    of_programmes = [when for programme in programmes for when in _conditions(programme)]
    conditions = [*of_programmes, *whens]
    of_tiers = any(each.body.tiers is not None and each.body.tiers.by == "visits" for each in programmes)
    counts_visits = of_tiers or visits
    minutes = max((each.body.visit_minutes for each in programmes if counts_visits or _per_visit(each)), default=0)
    return Asked(
        segments=frozenset(segment for when in conditions for segment in when.segments),
        tags=frozenset(tag for when in conditions for tag in when.tags),
        usage=(*(key for programme in programmes for key in _limited(programme)), *counted),
        visit_minutes=minutes or (VISIT_MINUTES if visits else 0),
        counts_visits=counts_visits,
        idle_days=tuple(
            (each.body.wallet, each.body.expiry.days, each.body.expiry.end_of_day)
            for each in programmes
            if each.body.expiry.kind == "inactivity" and each.body.expiry.days is not None
        ),
        location_groups=frozenset(group for when in (*of_programmes, *asked_again) for group in when.location_groups),
    )


def _conditions(programme: Programme) -> Iterable[When]:
    yield programme.body.applies
    for rule in programme.body.earning:
        yield rule.when


def _limited(programme: Programme) -> Iterable[str]:
    if programme.body.limits.of_member:
        yield programme.id
    for rule in programme.body.earning:
        if rule.limits.of_member:
            yield f"{programme.id}/{rule.id}"


def _per_visit(programme: Programme) -> bool:
    return any(rule.kind == "fixed" and rule.per == "visit" for rule in programme.body.earning)
