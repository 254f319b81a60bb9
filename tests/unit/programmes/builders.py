"""Baskets, facts and programmes of the worked cases: what is not said is plain."""

from __future__ import annotations

from typing import Any

from shared.kernel.instants import parse_rfc3339
from shared.programmes.base import Payment
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts, Scene, Usage
from shared.programmes.earning import earn
from shared.programmes.lines import Line
from shared.programmes.model import ProgrammeBody
from shared.programmes.outcome import Earned
from shared.tenants.model import WalletSettings

CATALOGUE: dict[str, tuple[str | None, frozenset[str]]] = {
    "burger": ("mains", frozenset()),
    "fries": ("sides", frozenset({"vegetarian"})),
    "salad": ("sides", frozenset({"vegetarian"})),
    "coffee": ("drinks", frozenset()),
    "beer": ("drinks", frozenset({"alcohol"})),
}
EARNING = [{"kind": "per_amount", "id": "base", "points": 1, "per": 100}]
SCENE = {"at": "2026-11-21T10:00:00Z", "zone": "Europe/Berlin", "local_zone": "Europe/Berlin", "location": "mitte", "channel": "pos"}


def line(number: int, item: str, amount: int, more: dict[str, Any] | None = None) -> Line:
    """A line of one unit, with what the catalogue says of its item."""
    category, tags = CATALOGUE.get(item, (None, frozenset()))
    fields = {"kind": "item", "units": 1000, "net": amount, "unit_price": abs(amount), **(more or {})}
    return Line(str(number), item=item, category=category, tags=tags, amount=amount, **fields)


def basket(case: dict[str, Any]) -> list[Line]:
    """The lines of a case, numbered from 1; ``repeat`` is [times, line]."""
    times, repeated = case.get("repeat", (0, None))
    return [line(number, *each) for number, each in enumerate([*case["lines"], *([repeated] * times)], 1)]


def programme(id_: str, body: dict[str, Any]) -> Programme:
    """A programme with a point for each 1.00, unless it says otherwise."""
    return Programme(id_, 1, ProgrammeBody.model_validate({"name": "Points", "earning": EARNING} | body))


def programmes(case: dict[str, Any]) -> list[Programme]:
    """``programmes`` by id; or one, ``points``, of ``programme`` and its ``rules``."""
    one = case.get("programme", {}) | ({"earning": case["rules"]} if "rules" in case else {})
    return [programme(id_, body) for id_, body in case.get("programmes", {"points": one}).items()]


def facts(given: dict[str, Any]) -> MemberFacts:
    """A member without anything."""
    return MemberFacts(
        tier=given.get("tier"),
        segments=frozenset(given.get("segments", ())),
        tags=frozenset(given.get("tags", ())),
        joined_at=parse_rfc3339(given.get("joined", "2026-06-01T10:00:00Z")),
        purchases=given.get("purchases", 0),
        same_visit=given.get("same_visit", False),
        usage={key: Usage(**used) for key, used in given.get("usage", {}).items()},
        anonymous=given.get("anonymous", False),
    )


def scene(given: dict[str, Any]) -> Scene:
    """A Saturday morning in Berlin."""
    said = {"currency": "EUR", **SCENE, **given}
    return Scene(**{**said, "at": parse_rfc3339(said["at"])})


def payment(given: dict[str, Any]) -> Payment:
    """Nothing is known of the tenders."""
    return Payment(given.get("points_value", 0), tuple((kind, amount) for kind, amount in given.get("tenders", ())))


def decide(case: dict[str, Any]) -> Earned:
    """What the case earns."""
    return earn(
        programmes(case),
        basket(case),
        payment(case.get("payment", {})),
        facts(case.get("facts", {})),
        scene(case.get("scene", {})),
        {name: WalletSettings(**settings) for name, settings in case.get("wallets", {}).items()},
        frozenset(case.get("exhausted", ())),
    )
