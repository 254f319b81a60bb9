"""Distances on the globe, and which locations lie within one."""

from __future__ import annotations

from collections.abc import Mapping
from math import asin, cos, radians, sin, sqrt
from typing import Final

from shared.segments.context import Context, Point
from shared.segments.language.person import Radius

EARTH_METRES: Final = 6_371_008.8
"""The mean radius of the earth (International Union of Geodesy and Geophysics, 1980)."""


def metres_between(one: Point, other: Point) -> float:
    """Along the great circle, by the haversine formula (R. W. Sinnott, Virtues of the Haversine, 1984); within 0.6 % of the ellipsoid."""
    latitudes = radians(one[0] / 1e6), radians(other[0] / 1e6)
    height, width = latitudes[1] - latitudes[0], radians((other[1] - one[1]) / 1e6)
    haversine = sin(height / 2) ** 2 + cos(latitudes[0]) * cos(latitudes[1]) * sin(width / 2) ** 2
    return 2 * EARTH_METRES * asin(min(1.0, sqrt(haversine)))


def centre_of(leaf: Radius, context: Context) -> Point | None:
    """The point that it is measured from; None for a location without coordinates."""
    if leaf.location is not None:
        return context.locations.get(leaf.location)
    return (leaf.latitude_e6 or 0, leaf.longitude_e6 or 0)


def locations_within(leaf: Radius, context: Context) -> Mapping[str, bool]:
    """Of every location with coordinates, whether it lies inside."""
    centre = centre_of(leaf, context)
    if centre is None:
        return {}
    return {name: metres_between(centre, at) <= leaf.metres for name, at in context.locations.items()}
