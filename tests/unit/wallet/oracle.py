"""A wallet as a bag of single points. Slow, and too simple to be wrong in the same way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from shared.kernel.instants import NEVER, Instant, parse_rfc3339
from shared.wallet.model import SLIDING, Posting

NOW: Instant = parse_rfc3339("2026-11-21T10:00:00Z")
Place = tuple[Instant, Instant, str]
"""Where a point is: ``(expires_at, available_at, awaits)``."""


@dataclass
class Point:
    """One point: when it may be spent, and until when."""

    available_at: Instant
    expires_at: Instant
    awaits: str = ""

    @property
    def waits(self) -> bool:
        return bool(self.available_at or self.awaits)

    @property
    def place(self) -> Place:
        return self.expires_at, self.available_at, self.awaits


class Oracle:
    """Every function of the rules once more, point by point and instant by instant."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.earned = self.spent = self.expired = self.reversed = self.debt = 0
        self.idle_until: Instant = NEVER

    def expiry(self, point: Point) -> Instant:
        return self.idle_until if point.expires_at == SLIDING else point.expires_at

    def in_order(self, *, matured_only: bool) -> list[Point]:
        """Those that are drawn first come first: the soonest to expire, the soonest available, the fixed before the sliding."""

        def order(each: Point) -> tuple[Instant, Instant, Instant, str]:
            latest = NEVER if each.awaits and not each.available_at else each.available_at
            return self.expiry(each), latest, each.expires_at, each.awaits

        return sorted((each for each in self.points if not (matured_only and each.waits)), key=order)

    def earn(self, posting: Posting, now: Instant) -> None:
        self.earned += posting.points
        if posting.expires_at == SLIDING and self.idle_until <= now:
            self.idle_until = NEVER
        over = posting.available_at <= now if posting.available_at else not posting.awaits
        self._arrive([Point(0 if over else posting.available_at, posting.expires_at, "" if over else posting.awaits)] * posting.points)

    def spend(self, points: int) -> Counter[Instant]:
        """Answers how many of each expiry were drawn; 0 is what was owed."""
        drawn = self.in_order(matured_only=True)[:points]
        self._take(drawn)
        self.spent += len(drawn)
        self.debt += points - len(drawn)
        return Counter([each.expires_at for each in drawn] + [0] * (points - len(drawn)))

    def give_back(self, points: int, expires_at: Instant, now: Instant) -> None:
        for _ in range(points):
            if expires_at == 0 and self.debt:
                self.debt -= 1
            elif expires_at == 0:
                self.reversed -= 1
                self.points.append(Point(0, NEVER))
            else:
                self.spent -= 1
                back = Point(0, expires_at)
                if self.expiry(back) <= now:
                    self.expired += 1
                else:
                    self._arrive([back])

    def reverse(self, postings: list[Posting], policy: str, floor: int | None) -> int:
        """From where each went to; then, by policy, from any; then as debt. Answers how many were taken or are owed."""
        taken = missing = 0
        for posting in postings:
            was_pending = bool(posting.available_at or posting.awaits)
            for _ in range(posting.points):
                places = [(posting.expires_at, posting.available_at, posting.awaits), (posting.expires_at, 0, "")]
                if policy == "pending_only":
                    places = places[:1] if was_pending else []
                own = next((each for place in places for each in self.points if each.place == place), None)
                if own is None:
                    missing += 1
                else:
                    self._take([own])
                    taken += 1
        if policy != "pending_only":
            others = self.in_order(matured_only=False)[:missing]
            self._take(others)
            taken, missing = taken + len(others), missing - len(others)
        self.reversed += taken
        while policy == "negative" and missing and (floor is None or self.debt < -floor):
            self.debt, missing, taken = self.debt + 1, missing - 1, taken + 1
        return taken

    def settle(self, now: Instant) -> tuple[int, Counter[Place]]:
        """Through every instant on the way. Answers how many became available, and how many expired of where."""
        became, gone = 0, Counter[Place]()
        instants = {each.available_at for each in self.points} | {self.expiry(each) for each in self.points}
        for instant in sorted(each for each in instants if each <= now):
            dead = [each for each in self.points if self.expiry(each) <= instant]
            self._take(dead)
            self.expired += len(dead)
            gone.update(each.place for each in dead)
            became += self._mature([each for each in self.points if 0 < each.available_at <= instant])
        return became, gone

    def release(self, event: str) -> int:
        return self._mature([each for each in self.points if each.awaits == event])

    def lots(self) -> Counter[Place]:
        return Counter(each.place for each in self.points)

    def _mature(self, due: list[Point]) -> int:
        due = sorted(due, key=lambda each: (self.expiry(each), each.expires_at))
        self._take(due)
        return self._arrive([Point(0, each.expires_at) for each in due])

    def _arrive(self, points: list[Point]) -> int:
        """What is owed is paid before anything is had. Answers how many are had."""
        paid = min(self.debt, len(points))
        self.debt -= paid
        self.reversed += paid
        self.points += [Point(each.available_at, each.expires_at, each.awaits) for each in points[paid:]]
        return len(points) - paid

    def _take(self, points: list[Point]) -> None:
        gone = {id(each) for each in points}
        self.points = [each for each in self.points if id(each) not in gone]
