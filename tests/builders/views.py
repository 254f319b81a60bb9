"""Definitions for the pure fold, without storage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from shared.kernel.instants import DAY, Instant
from shared.member_state.view import FoldView, Promise, fold_view
from shared.programmes.compiled import Programme
from shared.programmes.model import ProgrammeBody
from shared.segments.context import Context
from shared.segments.live import LiveSegments

ZONE = "Europe/Berlin"


def programme(id_: str = "main", version: int = 1, **body: Any) -> Programme:
    """A programme that at least earns a point a euro."""
    plain = {"name": id_, "earning": [{"id": "base", "kind": "per_amount", "points": 1, "per": 100}]}
    return Programme(id_, version, ProgrammeBody.model_validate(plain | body))


def views(
    *rules: dict[str, Any],
    zone: str = ZONE,
    programmes: Iterable[Programme] = (),
    offers: dict[str, int] | None = None,
    offer_days: int = 1000,
    epoch: int = 0,
    gifts: bool = True,
) -> Callable[[Instant], FoldView]:
    """The same view at every instant: one segment per rule, named s1, s2, ...; ``offers`` are in force, with so many per member."""
    stored = [(f"s{index}", 1, {"name": f"S{index}", "rule": rule}) for index, rule in enumerate(rules, 1)]
    per_member = offers or {}

    def promise(offer: str, at: Instant) -> Promise | None:
        return Promise(offer, 1, at, at + offer_days * DAY, per_member[offer]) if offer in per_member else None

    view = fold_view(zone, epoch, LiveSegments.compile(stored, Context(zone)), tuple(programmes), None, promise, gifts=gifts)
    return lambda _at: view
