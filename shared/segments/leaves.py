"""What each leaf answers: (truth, valid until), and the value that it looked at. The plain reading of the language.

``valid until`` is the first later instant at which the truth changes if nothing happens but time, ``NEVER`` if it never
does: it is exact, not merely early. ``explain`` shows these answers, and they decide for the leaves that have no compiled form and
for the few profiles that the compiled function hands back (see ``shared.segments.series``).

How each leaf is read is in ``shared.segments.reading``, by subject; a subject is imported when it is first asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from shared.kernel.instants import NEVER, Instant, local_day
from shared.member_state.model import Facts, MemberState
from shared.segments.context import Context
from shared.segments.language.base import Leaf
from shared.segments.language.tree import AllOf, AnyOf, Not
from shared.segments.parsing import HABITS, HOLDINGS, PERSON, PURCHASES, RESPONSES, Rule

Truth = bool | None


@dataclass(frozen=True, slots=True)
class Moment:
    """Whom is asked about, and when; ``context`` is the tenant's."""

    state: MemberState
    facts: Facts | None
    now: Instant
    context: Context

    @property
    def zone(self) -> str:
        """The tenant's time zone."""
        return self.context.zone

    @property
    def today(self) -> int:
        """The tenant's local day."""
        return local_day(self.now, self.context.zone)


class Answer(NamedTuple):
    """Unknown is None. ``value`` is what a person is shown."""

    truth: Truth
    until: Instant
    value: object = None


Reader = Callable[[Any, Moment], Answer]


def answer(leaf: Leaf, moment: Moment) -> Answer:
    """The answer of one leaf. A segment that is named must have been expanded before: as a leaf it is unknown."""
    return reader(leaf.kind)(leaf, moment)


class Signed(NamedTuple):
    """A three-valued answer as two yes/no answers, each the instant until which it holds: positive for yes, negative for no.

    With signs, ``all`` is the minimum, ``any`` the maximum and ``not`` the negation: if all are true the earliest instant
    counts, and if some are false the latest of those, as the least number. Unknown is (no, yes).
    """

    surely: int
    """Is it true?"""
    perhaps: int
    """Is it true or unknown?"""


OUT_FOR_EVER = Signed(-NEVER, -NEVER)


def signed(rule: Rule, moment: Moment) -> Signed:
    """The answer of an expanded tree. Sound: the truth does not change before the instant, though it may be the same after it."""
    if isinstance(rule, AllOf | AnyOf):
        pick = min if isinstance(rule, AllOf) else max
        parts = [signed(child, moment) for child in rule.rules]
        return Signed(pick(part.surely for part in parts), pick(part.perhaps for part in parts))
    if isinstance(rule, Not):
        inner = signed(rule.rule, moment)
        return Signed(-inner.perhaps, -inner.surely)
    return to_signed(*answer(rule, moment)[:2])


def to_signed(truth: Truth, until: Instant) -> Signed:
    """See ``Signed``."""
    return Signed(until if truth else -until, -until if truth is False else until)


def from_signed(surely: int, perhaps: int) -> tuple[Truth, Instant]:
    """The truth, and until when it stays: an unknown ends when it becomes true or false, whichever may come first."""
    if surely > 0:
        return True, surely
    if perhaps < 0:
        return False, -perhaps
    return None, min(-surely, perhaps)


@cache
def reader(kind: str) -> Reader:
    """What reads leaves of that kind."""
    return _readers_of(kind)[kind]


def _readers_of(kind: str) -> Mapping[str, Reader]:
    if kind in PURCHASES:
        from shared.segments.reading import purchases

        return purchases.READERS
    if kind in PERSON:
        from shared.segments.reading import person

        return person.READERS
    if kind in HOLDINGS:
        from shared.segments.reading import holdings

        return holdings.READERS
    if kind in HABITS:
        from shared.segments.reading import habits

        return habits.READERS
    if kind in RESPONSES:
        from shared.segments.reading import responses

        return responses.READERS
    return {"segment": _not_in_force}


def _not_in_force(_leaf: Leaf, _moment: Moment) -> Answer:
    return Answer(None, NEVER)
