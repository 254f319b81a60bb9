"""What rules mean for a tenant at an instant, beside the rules themselves. Made by ``shared.definitions`` once per switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.profile.statistics import Statistics
from shared.segments.parsing import Rule
from shared.tenants.model import ProfileSettings

Point = tuple[int, int]
"""Latitude and longitude, millionths of a degree."""


@dataclass(frozen=True, slots=True)
class Context:
    """``zone`` is the tenant's. Locations without coordinates are not among ``locations``."""

    zone: str
    statistics: Statistics = field(default_factory=Statistics)
    profile: ProfileSettings = field(default_factory=ProfileSettings)
    locations: Mapping[str, Point] = field(default_factory=dict)
    segments: Mapping[str, Rule] = field(default_factory=dict)
    """The segments in force, by id: what a leaf that names one stands for."""
    tiers: tuple[str, ...] = ()
    """The levels of the tier scheme in force, lowest first."""
