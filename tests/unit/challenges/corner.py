"""A corner shop for one member: her challenges over purchases, returns and time, through the fold, with everything that was told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from shared.challenges.model import Challenge, ChallengeBody
from shared.kernel.instants import Instant, local_datetime, zone
from shared.member_state.challenges import counts_of, returned_counts
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.effects import Effects
from shared.member_state.events import ChallengeGiven, MemberEvent, Purchased, Registered, Reversed, TimePassed
from shared.member_state.model import MemberState
from shared.member_state.purchases import same_visit
from shared.member_state.rules import advance, apply
from shared.member_state.view import Challenges, FoldView
from shared.programmes.compiled import Programme
from shared.programmes.conditions import Scene
from shared.programmes.lines import Line
from shared.transactions.returning import Sold, plan_return, returned_lines
from shared.transactions.rules import visit_of
from tests.builders.views import ZONE, views

PLACE = "mitte"
Bought = Sequence[tuple[str, int, int]]
"""(category, whole units, minor units in all) a line."""


def at(text: str) -> Instant:
    """``2026-03-02 10:00`` on the shop's clock, with seconds if need be."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone(ZONE)).timestamp() * 1000)


def stamp(instant: Instant) -> str:
    """The same the other way round; milliseconds only where there are any."""
    moment = local_datetime(instant, ZONE)
    return moment.strftime("%Y-%m-%d %H:%M") if not instant % 60_000 else moment.isoformat(sep=" ", timespec="milliseconds")[:23]


def body_of(**body: Any) -> ChallengeBody:
    """A challenge that gives 10 points, unless told otherwise."""
    return ChallengeBody.model_validate({"name": "Challenge", "reward": {"points": 10}} | body)


def challenges(bodies: Mapping[str, ChallengeBody], since: Instant = 0, in_force: Iterable[str] | None = None) -> Challenges:
    """Version 1 of each; in force, unless named otherwise."""
    known = {id_: Challenge(id_, 1, body, since) for id_, body in bodies.items()}
    live = {id_: each for id_, each in known.items() if in_force is None or id_ in in_force}
    return Challenges(live, tuple(each for each in live.values() if each.body.automatic), lambda id_, _version: known.get(id_))


@dataclass
class Corner:
    """See the module. Every event goes through the codec and back, as a stored member does."""

    bodies: Mapping[str, ChallengeBody]
    joined: Instant
    programmes: Sequence[Programme] = ()
    offers: dict[str, int] | None = None
    known: Challenges | None = None
    gifts: bool = True
    told: Effects = field(default_factory=Effects)
    sold: dict[str, Sold] = field(default_factory=dict)
    returned: dict[str, dict[str, int]] = field(default_factory=dict)
    given: int = 0

    def __post_init__(self) -> None:
        self.state = MemberState("demo", "mbr_1", as_of=self.joined)
        self.happens(Registered(self.joined, "app", ""))

    @property
    def view(self) -> FoldView:
        """What holds."""
        plain = views(programmes=self.programmes, offers=self.offers, gifts=self.gifts)(0)
        return replace(plain, challenges=self.known or challenges(self.bodies))

    def happens(self, event: MemberEvent) -> None:
        """One event, and the state stored and read again."""
        view = self.view
        advance(self.state, event.at, lambda _at: view, None, self.told)
        apply(self.state, event, lambda _at: view, None, self.told)
        stored, version = json.loads(json.dumps(encode_state(self.state))), self.state.version + 1
        before, self.state = self.state, decode_state("demo", "mbr_1", stored)
        self.state.version, self.state.profile.history = before.version, before.profile.history
        assert self.state == before
        self.state.version = version

    def give(self, challenge: str, when: Instant) -> str:
        """One receipt; answers the instance."""
        self.given += 1
        self.happens(ChallengeGiven(when, f"chl_{self.given}", challenge, 1))
        return f"chl_{self.given}"

    def buy(self, receipt: str, when: Instant, bought: Bought, location: str = PLACE, channel: str = "pos") -> None:
        """A purchase, as the till decides it."""
        view = self.view
        advance(self.state, when, lambda _at: view, None, self.told)
        lines = [
            Line(str(number), "item", None, category, frozenset(), units * 1000, cents, cents)
            for number, (category, units, cents) in enumerate(bought)
        ]
        opens = not same_visit(self.state, location, when, 30)
        scene = Scene(when, ZONE, ZONE, location, channel, "EUR")
        visit = visit_of(lines, location, channel, when, opens_visit=opens)
        self.sold[receipt] = Sold(when, location, channel, lines, opened_visit=opens)
        self.returned[receipt] = {}
        counts = counts_of(self.state, view, lines, scene)
        self.happens(Purchased(when, receipt, visit, location=location, channel=channel, counts=counts))

    def bring_back(self, receipt: str, when: Instant, wanted: Sequence[tuple[int, int]] = (), *, void: bool = False) -> None:
        """(line, whole units) come back; nothing named: all that is left."""
        sold, view = self.sold[receipt], self.view
        advance(self.state, when, lambda _at: view, None, self.told)
        plan = plan_return(sold, self.returned[receipt], [(str(line), 1000 * units) for line, units in wanted], {}, voided=void)
        self.returned[receipt] = plan.returned
        counts = returned_counts(self.state, view, returned_lines(sold, plan), sold.at)
        kind: Literal["return", "void"] = "void" if void else "return"
        self.happens(Reversed(when, receipt, kind, plan.visit, whole=plan.whole, location=sold.location, counts=counts))

    def wait(self, until: Instant) -> None:
        """Time passes."""
        self.happens(TimePassed(until))

    @property
    def points(self) -> int:
        """What she has."""
        return sum(lot.points for wallet in self.state.wallets.values() for lot in wallet.lots) - sum(
            wallet.debt for wallet in self.state.wallets.values()
        )

    def events(self, *types: str) -> list[tuple[str, str, int]]:
        """(when, what, times or periods in a row) of what was told about challenges."""
        found = []
        for each in self.told.events:
            prefix, _, what = each.type.partition(".")
            if prefix == "challenge" and (not types or what in types):
                number = each.data.get("times", each.data.get("periods", 0))
                assert isinstance(number, int)
                found.append((stamp(each.occurred_at), what, number))
        return found
