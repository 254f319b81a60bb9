"""Random members with something of everything that a leaf may ask, and random leaves of every kind over the same few names."""

from __future__ import annotations

import random
from typing import Any

from shared.challenges.model import Instance
from shared.kernel.instants import DAY, HOUR, NEVER, local_day
from shared.member_state.model import Consent, HeldCoupon, MemberState, Tier, Touch
from shared.profile.model import Cell, EventTrack
from shared.profile.statistics import Statistics
from shared.segments.context import Context
from shared.segments.parsing import rule_of
from shared.wallet.model import SLIDING, Hold, Lot, Wallet

NAMES = ("a", "b", "c")
OPS = ("eq", "ne", "lt", "le", "gt", "ge")
WINDOWS = (1, 2, 7, 30, 90, 400)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def context(zone: str) -> Context:
    """A tenant with locations, levels, and segments that name one another."""
    named = {"big": rule_of({"kind": "purchases", "metric": "value", "days": 30, "op": "ge", "value": 3})}
    named["bigger"] = rule_of({"kind": "not", "rule": {"kind": "segment", "segment": "big"}})
    fifths = Statistics(recency=(1, 3, 3, 20), frequency=(1, 2, 4, 4), monetary=(0, 3, 5, 9))
    places = {"a": (52_000_000, 13_000_000), "b": (53_000_000, 13_000_000)}
    return Context(zone, statistics=fifths, locations=places, segments=named, tiers=("silver", "gold"))


class Crowd:
    """Members at an instant."""

    def __init__(self, seed: int, size: int = 25) -> None:
        self.rng = rng = random.Random(seed)
        self.zone = rng.choice(ZONES)
        self.now = 1_830_000_000_000 + rng.randrange(500 * DAY)
        if rng.random() < 0.3:
            self.now -= self.now % HOUR
        self.today = local_day(self.now, self.zone)
        self.states = [self.member(f"mbr_{index:04d}") for index in range(size)]

    def near(self, back: int = 40, ahead: int = 40) -> int:
        """An instant about now, often exactly some whole days from it."""
        rng = self.rng
        whole = rng.randint(-back, ahead) * DAY
        return self.now + (whole if rng.random() < 0.3 else whole + rng.choice((-1, 0, 1, rng.randrange(DAY))))

    def member(self, name: str) -> MemberState:
        rng = self.rng
        state = MemberState("t", name, version=rng.randint(1, 9))
        state.joined_at = rng.choice((0, self.near(2000, -1)))
        state.timer = rng.choice((None, self.now + 1, self.now + DAY, self.now, self.now - DAY)) if rng.random() < 0.4 else self.now + DAY
        state.profiled = rng.random() < 0.9
        self._profile(state)
        state.attributes = {key: rng.choice((0, 1, 2, "p", "q", "", True, False, 1 << 70)) for key in "xyz" if rng.random() < 0.6}
        state.tags, state.lists = rng.sample(NAMES, rng.randint(0, 2)), dict.fromkeys(rng.sample(NAMES, rng.randint(0, 2)), 1)
        state.identifier_kinds = rng.sample(("phone", "email", "wallet_card", "telegram"), rng.randint(0, 2))
        state.known = rng.sample(("birth_date", "home"), rng.randint(0, 1))
        state.devices = ["d"] * rng.randint(0, 2)
        state.join_source, state.join_location = rng.choice(("", "app")), rng.choice(("", "a"))
        for key in ("news:push", "news:email"):
            if rng.random() < 0.6:
                state.consents[key] = Consent(rng.random() < 0.5, 1, "1")
        self._holdings(state)
        for _ in range(rng.randint(0, 3)):
            at = self.near(40, -1)
            answered = [rng.choice((None, at + HOUR)) for _ in range(3)]
            state.touches.append(Touch(rng.choice(NAMES), "s", "push", at, *answered, rng.random() < 0.3))
        return state

    def _profile(self, state: MemberState) -> None:
        rng, profile = self.rng, state.profile
        odd = rng.random() < 0.15
        for _ in range(rng.choice((0, 1, 3, 12))):
            day = self.today - rng.choice((rng.randint(0, 3), rng.randint(0, 40), rng.randint(0, 405)))
            day += rng.choice((0, 2)) if odd else 0
            cell = profile.cells[day] = self._cell(odd)
            if self.today - day > 35:
                profile.history[day] = profile.cells.pop(day)
            profile.count += cell.count
            profile.value += cell.value
        if profile.count > 0:
            profile.last_at, profile.first_at = self.near(40, 0), self.near(400, -40)
            profile.last_location, profile.last_channel = rng.choice(("", "a", "b", "c")), "h"
        for name in NAMES:
            if rng.random() < 0.4:
                profile.events[name] = EventTrack(2, self.near(90, -1), self.near(40, 0))

    def _cell(self, odd: bool) -> Cell:
        rng = self.rng
        least = -1 if odd else 0
        cell = Cell(rng.randint(least, 3), rng.randint(least, 6), rng.randint(least, 3000))
        for letter in "ctlhi":
            for name in (*NAMES, "~") if rng.random() < 0.1 else NAMES:
                if rng.random() < 0.4:
                    cell.by[f"{letter}:{name}"] = [rng.randint(least, 3), rng.randint(least, 6), rng.randint(least, 3000)]
        for hour in ("08", "12", "23"):
            if rng.random() < 0.4:
                cell.by[f"o:{hour}"] = [rng.randint(0, 3), rng.randint(0, 6), rng.randint(0, 3000)]
        for key in ("e:a", "e:a:red", "e:a:~", "e:b"):
            if rng.random() < 0.2:
                cell.by[key] = [rng.randint(0, 3), rng.randint(least, 6), 0]
        return cell

    def _holdings(self, state: MemberState) -> None:
        rng = self.rng
        state.tier = rng.choice((None, Tier("gold", self.near(40, -1)), Tier("silver", self.near(40, -1)), Tier("old", 1)))
        wallet = state.wallets["points"] = Wallet(debt=rng.choice((0, 0, 0, 2)), idle_until=rng.choice((NEVER, self.near())))
        for _ in range(rng.randint(0, 4)):
            opens = rng.choice((0, self.near()))
            awaits = "delivered" if rng.random() < 0.2 else ""
            wallet.lots.append(Lot(rng.randint(1, 4), opens, rng.choice((NEVER, SLIDING, self.near())), awaits))
        for number in range(rng.randint(0, 2)):
            state.holds[str(number)] = Hold("points", rng.randint(1, 3), self.near(3, 3))
        for number in range(rng.randint(0, 3)):
            start = self.near()
            ends = rng.choice((NEVER, start + rng.randint(0, 30) * DAY))
            state.coupons[str(number)] = HeldCoupon(rng.choice(NAMES), rng.choice(("active", "active", "held")), start, ends)
        state.redeemed = dict.fromkeys(rng.sample(NAMES, rng.randint(0, 2)), 1)
        for number in range(rng.randint(0, 2)):
            start = self.near(60, 0)
            times = rng.randint(0, 1)
            until = rng.choice((NEVER, start + rng.randint(1, 60) * DAY))
            done = start + HOUR if times else 0
            state.challenges.append(Instance(str(number), rng.choice(NAMES), 1, start, until, times=times, completed_at=done))

    # -- rules ------------------------------------------------------------------------------------------------------

    def rule(self, depth: int = 2) -> dict[str, Any]:
        rng = self.rng
        if depth == 0 or rng.random() < 0.3:
            return self.leaf()
        kind = rng.choice(("all", "any", "not"))
        if kind == "not":
            return {"kind": "not", "rule": self.rule(depth - 1)}
        return {"kind": kind, "rules": [self.rule(depth - 1) for _ in range(rng.randint(1, 3))]}

    def leaf(self) -> dict[str, Any]:
        rng = self.rng
        made: dict[str, Any] = getattr(self, f"_{rng.choice(LEAVES)}")()
        return made

    def _filter(self) -> dict[str, Any]:
        rng = self.rng
        dimension = rng.choice(("category", "tag", "item", "location", "channel", "hours"))
        return {dimension: {"from": rng.choice((8, 22)), "until": rng.choice((9, 13))} if dimension == "hours" else rng.choice(NAMES)}

    def _purchases(self) -> dict[str, Any]:
        rng = self.rng
        more: dict[str, Any] = {"filter": self._filter()} if rng.random() < 0.7 else {}
        if rng.random() < 0.3:
            more["weekdays"] = rng.sample(WEEKDAYS, rng.randint(1, 6))
        metric = rng.choice(("count", "value", "quantity", "average", "visits"))
        value = rng.randint(0, 6) * (1000 if metric == "quantity" else 1)
        return {"kind": "purchases", "metric": metric, "days": rng.choice(WINDOWS), "op": rng.choice(OPS), "value": value, **more}

    def _distance(self) -> dict[str, Any]:
        rng = self.rng
        far: dict[str, Any] = rng.choice(({"days": rng.randint(1, 40)}, {"hours": rng.randint(1, 80)}))
        if "days" in far and rng.random() < 0.5:
            far["day"] = "calendar"
        return {"op": rng.choice(("at_least", "less_than")), **far}

    def _since(self) -> dict[str, Any]:
        kind = self.rng.choice(("since_last_purchase", "since_first_purchase", "joined"))
        return {"kind": kind, **self._distance()}

    def _since_filtered(self) -> dict[str, Any]:
        return {"kind": "since_last_purchase", "op": "at_least", "days": 3, "day": "calendar", "filter": self._filter()}

    def _since_event(self) -> dict[str, Any]:
        return {"kind": "since_last_event", "event": self.rng.choice(NAMES), **self._distance()}

    def _event(self) -> dict[str, Any]:
        rng = self.rng
        more = {"by": "red"} if rng.random() < 0.3 else {}
        fields = {"metric": rng.choice(("count", "value")), "days": rng.choice(WINDOWS), "op": rng.choice(OPS), "value": rng.randint(0, 5)}
        return {"kind": "event", "event": rng.choice(NAMES), **fields, **more}

    def _share(self) -> dict[str, Any]:
        rng = self.rng
        percent = rng.choice((0, 25, 33, 50, 100))
        return {"kind": "tag_share", "tag": rng.choice(NAMES), "days": rng.choice(WINDOWS), "op": rng.choice(OPS), "percent": percent}

    def _favourite(self) -> dict[str, Any]:
        rng = self.rng
        of = rng.choice(("location", "category", "channel", "tag", "item", "hour", "weekday"))
        names = {"hour": ("08", "12"), "weekday": WEEKDAYS}.get(of, NAMES)
        which = {"is": rng.choice(names)} if rng.random() < 0.5 else {"in": rng.sample(names, 2)}
        return {"kind": "favourite", "of": of, "days": rng.choice(WINDOWS), **which}

    def _rfm(self) -> dict[str, Any]:
        rng = self.rng
        of = rng.choice(("recency", "frequency", "monetary"))
        return {"kind": "rfm", "of": of, "op": rng.choice(OPS), "value": rng.randint(1, 5)}

    def _attribute(self) -> dict[str, Any]:
        rng = self.rng
        which = rng.choice("xxxxtbfdl")
        if which == "x":
            name = rng.choice("xyz")
            if rng.random() < 0.2:
                return {"kind": "attribute", "name": name, "op": rng.choice(("exists", "missing"))}
            value = rng.choice((0, 1, 2, 1 << 65, "p", "q", "s", True, False))
            if not isinstance(value, bool) and rng.random() < 0.3:
                return {"kind": "attribute", "name": name, "op": "in", "value": [value]}
            return {"kind": "attribute", "name": name, "op": rng.choice(OPS[:2] if isinstance(value, bool) else OPS), "value": value}
        fixed: dict[str, dict[str, Any]] = {
            "t": {"name": "tier", "op": rng.choice(OPS), "value": "gold"},
            "b": {"name": rng.choice(("join_source", "join_location", "tier")), "op": rng.choice(("exists", "missing"))},
            "f": {"name": rng.choice(("has_identifier:phone", "known:home")), "op": rng.choice(OPS[:2]), "value": True},
            "d": {"name": "has_device", "op": "eq", "value": rng.random() < 0.5},
            "l": {"name": rng.choice(("lifetime_purchases", "lifetime_value")), "op": rng.choice(OPS), "value": rng.randint(0, 9)},
        }
        return {"kind": "attribute", **fixed[which]}

    def _person(self) -> dict[str, Any]:
        rng = self.rng
        chosen: dict[str, Any] = rng.choice((
            {"kind": "consent", "purpose": "news", "channel": rng.choice(("push", "email")), "granted": rng.random() < 0.5},
            {"kind": "has", "of": rng.choice(("device", "wallet_card", "bot"))},
            {"kind": "identifier", "identifier": rng.choice(("phone", "email"))},
            {"kind": "member_tag", "tag": rng.choice(NAMES)},
            {"kind": "list", "list": rng.choice(NAMES)},
            {"kind": "bucket", "salt": "s", "from": 0, "until": rng.randint(1, 100)},
            {"kind": "radius", "of": "last_location", "metres": rng.choice((1, 200_000)), "location": "a"},
            {"kind": "radius", "of": "home", "metres": 200_000, "location": "a"},
            {"kind": "segment", "segment": rng.choice(("big", "bigger", "none"))},
            {"kind": "birthday", "today": True},
            {"kind": "fact", "of": "gender", "is": "f"},
        ))  # fmt: skip
        return chosen

    def _held(self) -> dict[str, Any]:
        rng = self.rng
        state = rng.choice(("active", "held", "redeemed"))
        margin = {"expires_within_days": rng.randint(1, 20)} if state == "active" and rng.random() < 0.5 else {}
        within = {"within_days": rng.randint(1, 40)} if rng.random() < 0.5 else {}
        compared = {"wallet": rng.choice(("points", "none")), "op": rng.choice(OPS), "value": rng.randint(0, 6)}
        tier = rng.choice(({"is": "gold"}, {"in": ["gold", "old"]}, {"at_least": "silver"}, {"at_least": "none"}))
        far = {"op": rng.choice(("at_least", "less_than")), "days": rng.randint(1, 40)} if rng.random() < 0.5 else {}
        response = rng.choice(("received", "opened", "clicked", "redeemed", "held_out"))
        chosen: dict[str, Any] = rng.choice((
            {"kind": "tier", **tier, **far},
            {"kind": "balance", **compared},
            {"kind": "points", "state": rng.choice(("available", "pending", "held")), **compared},
            {"kind": "points_expiring", "within_days": rng.randint(1, 40), **compared},
            {"kind": "coupon", "offer": rng.choice(NAMES), "state": state, **margin},
            {"kind": "challenge", "challenge": rng.choice(NAMES), "state": rng.choice(("active", "completed", "ended")), **within},
            {"kind": "campaign", "campaign": rng.choice(NAMES), "response": response, **within},
        ))  # fmt: skip
        return chosen


LEAVES = (
    "purchases", "purchases", "purchases", "since", "since_filtered", "since_event", "event", "share", "favourite", "favourite",
    "attribute", "attribute", "person", "person", "held", "held", "held", "rfm",
)  # fmt: skip
