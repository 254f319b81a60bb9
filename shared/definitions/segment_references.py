"""What a segment names must be there when it is published, and segments must not name one another in a circle. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from shared.definitions.model import DefinitionSet, Kind
from shared.kernel.errors import FieldError
from shared.kernel.instants import NEVER, Instant
from shared.segments.expanding import circle, named_segments, size
from shared.segments.parsing import Rule, rule_of
from shared.segments.sizes import MAX_EXPANDED, MAX_NESTED

Found = Iterator[FieldError]
_Leaf = Mapping[str, Any]


def segment_references(known: DefinitionSet, body: Mapping[str, Any], at: Instant) -> Found:
    """Every place of the body (as stored) that names something which is not there at the instant.

    Any offer, challenge and campaign that was ever written may be named, and of segments, tiers, events and locations those in force.
    """
    for leaf, pointer in nodes(body):
        check = _CHECKS.get(str(leaf.get("kind")))
        if check is not None:
            yield from check(known, leaf, pointer, at)


def nodes(body: Mapping[str, Any]) -> Iterator[tuple[_Leaf, str]]:
    """Every node of a segment's tree, with its pointer."""
    waiting: list[tuple[Any, str]] = [(body["rule"], "/rule")]
    while waiting:
        node, pointer = waiting.pop()
        waiting += [(child, f"{pointer}/rules/{index}") for index, child in enumerate(node.get("rules", ()))]
        if "rule" in node:
            waiting.append((node["rule"], f"{pointer}/rule"))
        yield node, pointer


def published(known: DefinitionSet, kind: Kind, id_: str, at: Instant) -> bool:
    """Whether a version is in force at the instant."""
    return any((each.kind, each.id) == (kind, id_) and each.holds_at(at) for each in known.definitions)


def missing(pointer: str, code: str, what: str) -> FieldError:
    """That there is no such thing."""
    return FieldError(f"/definition{pointer}", code, f"there is no such {what}")


def _written(kind: Kind, name: str) -> Callable[[DefinitionSet, _Leaf, str, Instant], Found]:
    def check(known: DefinitionSet, leaf: _Leaf, pointer: str, _at: Instant) -> Found:
        if known.newest(kind, leaf[name]) is None:
            yield missing(f"{pointer}/{name}", f"unknown_{kind}", kind)

    return check


def _wallet(known: DefinitionSet, leaf: _Leaf, pointer: str, _at: Instant) -> Found:
    wallets = {each.body.get("wallet", "points") for each in known.definitions if each.kind == "programme"}
    if leaf["wallet"] not in wallets:
        yield missing(f"{pointer}/wallet", "unknown_wallet", "programme with this wallet")


def _filter(known: DefinitionSet, leaf: _Leaf, pointer: str, _at: Instant) -> Found:
    location = (leaf.get("filter") or {}).get("location")
    if location is not None and location not in known.locations:
        yield missing(f"{pointer}/filter/location", "unknown_location", "location")


def _favourite(known: DefinitionSet, leaf: _Leaf, pointer: str, _at: Instant) -> Found:
    if leaf.get("of") == "location":
        yield from (missing(pointer + where, "unknown_location", "location") for where, name in _named(leaf) if name not in known.locations)


def _named(leaf: _Leaf) -> list[tuple[str, str]]:
    return [("/is", leaf["is"])] if leaf.get("is") else [(f"/in/{index}", name) for index, name in enumerate(leaf.get("in") or ())]


def _radius(known: DefinitionSet, leaf: _Leaf, pointer: str, _at: Instant) -> Found:
    if leaf.get("location") is None:
        return
    location = known.locations.get(leaf["location"])
    if location is None:
        yield missing(f"{pointer}/location", "unknown_location", "location")
    elif location.latitude_e6 is None or location.longitude_e6 is None:
        yield FieldError(f"/definition{pointer}/location", "location_without_coordinates", "the location has no coordinates")


def _tier(known: DefinitionSet, leaf: _Leaf, pointer: str, at: Instant) -> Found:
    schemes = (each.body.get("tiers") or {} for each in known.in_force("programme", at).values())
    levels = {level["id"] for scheme in schemes for level in scheme.get("levels") or ()}
    asked = [("/at_least", leaf["at_least"])] if leaf.get("at_least") else _named(leaf)
    yield from (missing(pointer + where, "unknown_tier", "level of a programme in force") for where, name in asked if name not in levels)


def _event(known: DefinitionSet, leaf: _Leaf, pointer: str, _at: Instant) -> Found:
    declared = known.settings.events.get(leaf["event"])
    if declared is None:
        yield missing(f"{pointer}/event", "unknown_event", "event among the tenant's settings")
        return
    if leaf.get("metric") == "value" and declared.value is None:
        yield FieldError(f"/definition{pointer}/metric", "unknown_property", "the event declares no value")
    if leaf.get("by") is not None and declared.by is None:
        yield FieldError(f"/definition{pointer}/by", "unknown_property", "the event declares no property to split by")


def _segment(known: DefinitionSet, leaf: _Leaf, pointer: str, at: Instant) -> Found:
    if not published(known, "segment", leaf["segment"], at):
        yield missing(f"{pointer}/segment", "unknown_segment", "published segment")


_CHECKS: Final[Mapping[str, Callable[[DefinitionSet, _Leaf, str, Instant], Found]]] = {
    "coupon": _written("offer", "offer"),
    "challenge": _written("challenge", "challenge"),
    "campaign": _written("campaign", "campaign"),
    "balance": _wallet,
    "points": _wallet,
    "points_expiring": _wallet,
    "purchases": _filter,
    "since_last_purchase": _filter,
    "favourite": _favourite,
    "radius": _radius,
    "tier": _tier,
    "event": _event,
    "since_last_event": _event,
    "segment": _segment,
}


# -- segments that name segments ------------------------------------------------------------------------------------


def nesting_problems(known: DefinitionSet, id_: str, body: Mapping[str, Any], at: Instant) -> tuple[FieldError, ...]:
    """Circles that publishing the body as this segment would close, and what would become too large: itself, or one that names it."""
    rules = {each: rule for each, rule in _planned(known, at).items() if each != id_} | {id_: rule_of(body["rule"])}
    way = circle(id_, rules)
    if way:
        pointer = next(at_ for leaf, at_ in nodes(body) if leaf.get("kind") == "segment" and leaf["segment"] == way[1])
        return (FieldError(f"/definition{pointer}/segment", "segment_circle", f"segments name one another: {' -> '.join(way)}"),)
    return tuple(_too_large(id_, body, rules))


def _planned(known: DefinitionSet, at: Instant) -> dict[str, Rule]:
    """The segments in force at the instant, and those that will be later, each in its newest version."""
    newest: dict[str, int] = {}
    for each in known.definitions:
        if each.kind == "segment" and each.effective_from is not None and at < (each.retired_from or NEVER):
            newest[each.id] = max(newest.get(each.id, 0), each.version)
    found = {id_: known.segment(id_, version) for id_, version in newest.items()}
    return {id_: segment.rule for id_, segment in found.items() if segment is not None}


def _too_large(id_: str, body: Mapping[str, Any], rules: Mapping[str, Rule]) -> Found:
    for other in (id_, *sorted(_naming(id_, rules))):
        leaves, nested = size(rules[other], rules)
        whose = "" if other == id_ else f" of {other}, which names it"
        named = [pointer for leaf, pointer in nodes(body) if leaf.get("kind") == "segment"]
        pointer = f"{named[-1]}/segment" if named and other == id_ else "/rule"
        if leaves > MAX_EXPANDED:
            detail = f"{leaves} leaves{whose} with those of the segments that are named; at most {MAX_EXPANDED}"
            yield FieldError(f"/definition{pointer}", "too_many_leaves_expanded", detail)
        if nested > MAX_NESTED:
            detail = f"{nested} segments{whose} name one another in a row; at most {MAX_NESTED}"
            yield FieldError(f"/definition{pointer}", "nested_too_deep", detail)


def _naming(id_: str, rules: Mapping[str, Rule]) -> set[str]:
    """The segments that name it, directly or by way of others."""
    found: set[str] = set()
    waiting = [id_]
    while waiting:
        name = waiting.pop()
        more = {other for other, rule in rules.items() if name in named_segments(rule)} - found
        found |= more
        waiting += more
    return found
