"""What programmes make of a basket: the trace, one step a rule, and the points with the lines that they came from."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.wallet.model import Posting


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule did. ``reason`` says why it gave nothing, ``limit`` which limit cut what it gave."""

    programme: str
    version: int
    rule: str
    lines: tuple[str, ...] = ()
    base: int = 0
    formula: str = ""
    rounding: str | None = None
    points: int = 0
    reason: str | None = None
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class Award:
    """The points that one programme gives for a basket.

    ``parts`` are (line id, points), in the basket's order, summing to the posting's points: what a return of a line takes back.
    ``usage`` are (``programme/rule`` or ``programme``, points) of everything that has limits per member.
    """

    programme: str
    version: int
    posting: Posting
    parts: tuple[tuple[str, int], ...]
    usage: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ExtraGiven:
    """What an offer or promotion gave beside the rules, after all limits; the ``reason``, if nothing."""

    points: int
    reason: str | None = None


@dataclass(slots=True)
class Earned:
    """All programmes over one basket. ``budgets``: (``programme/rule`` or ``programme``) -> points to be taken from it."""

    awards: list[Award] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    budgets: dict[str, int] = field(default_factory=dict)
    extras: list[ExtraGiven] = field(default_factory=list)
    """What each of the extras gave in the end, in their order."""

    @property
    def points(self) -> int:
        """Of all wallets together."""
        return sum(award.posting.points for award in self.awards)
