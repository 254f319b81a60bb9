"""Leaves that cost no more than a look-up, as expressions of the fused function. No text of a definition reaches the source."""

from __future__ import annotations

from typing import Any, Final, Literal

from shared.segments.context import Context

Side = Literal["surely", "perhaps"]
_SYMBOLS: Final = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "in": "in"}
_BUILT_IN_SOURCE: Final = {
    "tier": "state.tier.id if state.tier is not None else None",
    "status": "state.status",
    "join_source": "state.join_source or None",
    "join_location": "state.join_location or None",
    "has_device": "bool(state.devices)",
    "lifetime_purchases": "profile.count",
    "lifetime_value": "profile.value",
}
_INSTANTS: Final = {
    "since_last_purchase": "profile.last_at", "since_first_purchase": "profile.first_at", "joined": "state.joined_at or None",
}  # fmt: skip
_SINCE: Final = frozenset((*_INSTANTS, "since_last_event"))
_ALWAYS: Final = frozenset(("attribute", "consent", "has", "identifier", "member_tag", "list", "bucket", "segment"))


def is_look_up(leaf: Any) -> bool:
    """Whether ``LookUps`` writes it."""
    kind = leaf.kind
    if kind in _SINCE:
        return bool(leaf.day == "rolling")
    if kind == "tier":
        return leaf.at_least is None and leaf.days is None
    return kind in _ALWAYS or (kind == "radius" and bool(leaf.of == "last_location"))


class LookUps:
    """Constants under generated names, variables at the head of the function, and the expressions of look-ups."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._head: list[str] = []
        self._names: dict[tuple[object, ...], str] = {}
        self.constants: dict[str, object] = {}

    def _constant(self, value: object, *identity: object) -> str:
        key = ("constant", *identity) if identity else ("constant", type(value), value)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"k{len(self._names)}"
            self.constants[name] = value
        return name

    def _at_head(self, prefix: str, identity: object, expression: str) -> str:
        """A variable computed once before everything else."""
        key = (prefix, identity)
        if key not in self._names:
            self._names[key] = f"{prefix}{len(self._names)}"
            self._head.append(f"    {self._names[key]} = {expression}")
        return self._names[key]

    def look_up(self, leaf: Any, side: Side) -> str:
        """An expression for a side's signed instant."""
        kind = leaf.kind
        if kind == "attribute":
            return self._attribute(leaf, side)
        if kind == "consent":
            key = self._constant(f"{leaf.purpose}:{leaf.channel}")
            consent = self._at_head("c", key, f"state.consents.get({key})")
            if side == "surely":
                return f"HIGH if {consent} is not None and {consent}.granted is {leaf.granted} else LOW"
            return f"LOW if {consent} is not None and {consent}.granted is not {leaf.granted} else HIGH"
        if kind in _SINCE:
            return self._since(leaf, side)
        if kind == "segment":
            return _unknown(side)
        if kind == "radius":
            return self._last_location(leaf, side)
        return f"HIGH if {self._yes_or_no(leaf)} else LOW"

    def _since(self, leaf: Any, side: Side) -> str:
        source = _INSTANTS.get(leaf.kind)
        if source is None:
            event = self._constant(leaf.event)
            source = f"profile.events[{event}].last_at if {event} in profile.events else None"
        last, far = self._at_head("l", source, source), self._constant(leaf.milliseconds)
        passed, coming = ("HIGH", "-") if leaf.op == "at_least" else ("LOW", "")
        return f"{_unknown(side)} if {last} is None else {passed} if now >= {last} + {far} else {coming}({last} + {far})"

    def _yes_or_no(self, leaf: Any) -> str:
        kind = leaf.kind
        if kind == "has":
            from shared.segments.language.person import BOT_KINDS, WALLET_CARD_KINDS

            if leaf.of == "device":
                return "state.devices"
            kinds = self._constant(frozenset(WALLET_CARD_KINDS if leaf.of == "wallet_card" else BOT_KINDS))
            return f"not {kinds}.isdisjoint(state.identifier_kinds)"
        if kind == "tier":
            held = self._at_head("a", "tier", _BUILT_IN_SOURCE["tier"])
            return f"{held} in {self._constant(leaf.names)}"
        if kind == "bucket":
            from shared.segments.reading.person import bucket_of

            self.constants["bucket_of"] = bucket_of
            bucket = self._at_head("o", leaf.salt, f"bucket_of({self._constant(leaf.salt)}, state.member)")
            return f"{self._constant(leaf.from_)} <= {bucket} < {self._constant(leaf.until)}"
        where = {"identifier": "identifier_kinds", "member_tag": "tags", "list": "lists"}[kind]
        name = {"identifier": "identifier", "member_tag": "tag", "list": "list"}[kind]
        return f"{self._constant(getattr(leaf, name))} in state.{where}"

    def _last_location(self, leaf: Any, side: Side) -> str:
        from shared.segments.geometry import locations_within

        within = locations_within(leaf, self._context)
        if side == "surely":
            inside = self._constant(frozenset(name for name, is_inside in within.items() if is_inside))
            return f"HIGH if profile.last_location in {inside} else LOW"
        outside = self._constant(frozenset(name for name, is_inside in within.items() if not is_inside))
        return f"LOW if profile.last_location in {outside} else HIGH"

    def _attribute(self, leaf: Any, side: Side) -> str:
        value = self._attribute_value(leaf.name)
        if leaf.op in {"exists", "missing"}:
            return f"HIGH if {value} is {'not ' if leaf.op == 'exists' else ''}None else LOW"
        choices = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
        literal = self._constant(frozenset(choices) if leaf.op == "in" else leaf.value, leaf.op == "in", type(choices[0]), choices)
        kind = self._constant(type(choices[0]))
        test = f"{value} {_SYMBOLS[leaf.op]} {literal}"
        if side == "surely":
            return f"HIGH if type({value}) is {kind} and {test} else LOW"
        return f"LOW if type({value}) is {kind} and not {test} else HIGH"

    def _attribute_value(self, name: str) -> str:
        prefix, colon, rest = name.partition(":")
        if colon:
            kinds = "identifier_kinds" if prefix == "has_identifier" else "known"
            return self._at_head("a", name, f"{self._constant(rest)} in state.{kinds}")
        if name in _BUILT_IN_SOURCE:
            return self._at_head("a", name, _BUILT_IN_SOURCE[name])
        raw = self._at_head("b", name, f"state.attributes.get({self._constant(name)})")
        return self._at_head("a", name, f'None if {raw} == "" else {raw}')


def _unknown(side: Side) -> str:
    return "LOW" if side == "surely" else "HIGH"


