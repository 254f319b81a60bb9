"""The source of the fused function: one pass over the trees that writes Python with generated names only.

Every (sub)tree becomes an expression or a variable that holds a signed instant. Leaves that cost no more than a look-up
are written in place, or once at the head if they are shared; the others are computed where they are first needed and kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal

from shared.kernel.instants import NEVER, local_day
from shared.segments.birthdays import age, birthday
from shared.segments.leaves import LETTERS, balance, balance_steps, coupon, distance
from shared.segments.model import (
    BUILT_IN_PREFIXES,
    COMPARE,
    AllOf,
    AnyOf,
    Attribute,
    Balance,
    ConsentGiven,
    CouponHeld,
    Favourite,
    Leaf,
    Not,
    Purchases,
    Rule,
    SinceLastPurchase,
    TagShare,
)
from shared.segments.series import COUNT, QUANTITY, VALUE, Series, day_starts, judge_lead, judge_ratio

Side = Literal["surely", "perhaps"]
SIDES: Final[tuple[Side, ...]] = ("surely", "perhaps")
_SYMBOLS: Final = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "in": "in"}
_COLUMNS: Final = {"count": COUNT, "value": VALUE, "quantity": QUANTITY}
_ALWAYS_THERE: Final = frozenset(("status", "has_device", "lifetime_purchases", "lifetime_value"))
_BUILT_IN_SOURCE: Final = {
    "tier": "state.tier.id if state.tier is not None else None",
    "status": "state.status",
    "join_source": "state.join_source or None",
    "join_location": "state.join_location or None",
    "has_device": "bool(state.devices)",
    "lifetime_purchases": "profile.count",
    "lifetime_value": "profile.value",
}
_RANKS: Final = {"attribute": 0, "consent": 0, "since_last_purchase": 0, "purchases": 1, "tag_share": 3, "favourite": 3}
_LOOK_UP: Final = 0


class Generator:
    """Writes one function for some trees; ``constants`` are its globals."""

    def __init__(self, rules: Sequence[Rule], zone: str, sides: Sequence[Side]) -> None:
        self._rules = rules
        self._sides = sides
        self._head: list[str] = []
        self._body: list[str] = []
        self._names: dict[tuple[object, ...], str] = {}
        self._wanted: set[str] = set()
        self._uses = Counter(_key(leaf, side) for rule in rules for side in sides for leaf, side in _leaves(rule, side))
        self.constants: dict[str, object] = {
            "HIGH": NEVER, "LOW": -NEVER, "ZONE": zone, "STARTS": day_starts(zone), "Series": Series, "bisect_left": bisect_left,
            "local_day": local_day, "judge_lead": judge_lead, "judge_ratio": judge_ratio, "balance_steps": balance_steps,
            "balance": balance, "coupon": coupon, "age": age, "birthday": birthday,
        }  # fmt: skip

    def source(self) -> str:
        """``fused(state, facts, now)`` answers the sides of every rule in order, as one flat list."""
        results = []
        for index, rule in enumerate(self._rules):
            for side in self._sides:
                expression = self._tree(rule, side, 1, 0)
                self._write(1, f"r{index}{side[0]} = {expression}")
                results.append(f"r{index}{side[0]}")
        self.constants["WANTED"] = frozenset(self._wanted)
        head = [
            "def fused(state, facts, now):",
            "    profile = state.profile",
            "    today = local_day(now, ZONE)",
            "    series = Series(profile, today, WANTED)",
        ]
        return "\n".join([*head, *self._head, *self._body, f"    return [{', '.join(results)}]", ""])

    def _write(self, indent: int, text: str) -> None:
        self._body.append("    " * indent + text)

    def _constant(self, value: object, *identity: object) -> str:
        key = ("constant", *identity) if identity else ("constant", type(value), value)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"k{len(self.constants)}"
            self.constants[name] = value
        return name

    def _at_head(self, prefix: str, identity: object, expression: str) -> str:
        """A variable computed once before everything else."""
        key = (prefix, identity)
        if key not in self._names:
            self._names[key] = f"{prefix}{len(self._names)}"
            self._head.append(f"    {self._names[key]} = {expression}")
        return self._names[key]

    def _tree(self, rule: Rule, side: Side, indent: int, depth: int) -> str:
        if isinstance(rule, Not):
            return f"-{self._tree(rule.rule, _other(side), indent, depth)}"
        if not isinstance(rule, AllOf | AnyOf):
            return self._leaf(rule, side, indent)
        closer, settled = ("<", "LOW") if isinstance(rule, AllOf) else (">", "HIGH")
        first, *rest = sorted(rule.rules, key=_rank)
        result = f"m{depth}"
        expression = self._tree(first, side, indent, depth + 1)
        self._write(indent, f"{result} = {expression}")
        for child in rest:
            inner = indent
            if _rank(child) > _LOOK_UP:
                self._write(indent, f"if {result} != {settled}:")
                inner += 1
            expression = self._tree(child, side, inner, depth + 1)
            self._write(inner, f"x = {expression}")
            self._write(inner, f"if x {closer} {result}: {result} = x")
        return result

    def _leaf(self, leaf: Leaf, side: Side, indent: int) -> str:
        key = _key(leaf, side)
        is_shared = self._uses[key] > 1
        if _rank(leaf) == _LOOK_UP:
            expression = f"({self._look_up(leaf, key[1])})"
            return self._at_head("v", key, expression) if is_shared else expression
        if not is_shared:
            self._compute(leaf, key[1], "y", indent)
            return "y"
        name = self._at_head("v", key, "None")
        self._write(indent, f"if {name} is None:")
        self._compute(leaf, key[1], name, indent + 1)
        return name

    def _look_up(self, leaf: Leaf, side: str) -> str:
        if isinstance(leaf, Attribute):
            return self._attribute(leaf, side)
        if isinstance(leaf, ConsentGiven):
            key = self._constant(f"{leaf.purpose}:{leaf.channel}")
            consent = self._at_head("c", key, f"state.consents.get({key})")
            if side == "surely":
                return f"HIGH if {consent} is not None and {consent}.granted is {leaf.granted} else LOW"
            return f"LOW if {consent} is not None and {consent}.granted is not {leaf.granted} else HIGH"
        if not isinstance(leaf, SinceLastPurchase):
            raise TypeError(leaf.kind)
        last, far = self._at_head("l", "last", "profile.last_at"), self._constant(distance(leaf))
        unknown = "LOW" if side == "surely" else "HIGH"
        passed, coming = ("HIGH", "-") if leaf.op == "at_least" else ("LOW", "")
        return f"{unknown} if {last} is None else {passed} if now >= {last} + {far} else {coming}({last} + {far})"

    def _attribute(self, leaf: Attribute, side: str) -> str:
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

    def _compute(self, leaf: Leaf, side: str, name: str, indent: int) -> None:
        """Statements that leave the leaf's signed instant in the variable."""
        if isinstance(leaf, Purchases) and leaf.metric != "average":
            self._purchases(leaf, name, indent)
            return
        self._write(indent, f"t, u = {self._call(leaf, indent)}")
        self._write(indent, f"{name} = {'u if t else -u' if side == 'surely' else '-u if t is False else u'}")

    def _call(self, leaf: Leaf, indent: int) -> str:
        if isinstance(leaf, Purchases | TagShare):
            return self._ratio(leaf, indent)
        this = self._constant(leaf, leaf.model_dump_json())
        if isinstance(leaf, Favourite):
            days, leading = self._layout("f", f"series.leads({self._constant(LETTERS[leaf.of])})", 2, indent)
            names, length = self._constant(leaf.names), self._constant(leaf.days)
            return f"judge_lead({days}, {leading}, {length}, today, {names}, STARTS)"
        if isinstance(leaf, Balance):
            steps = self._kept("w", f"balance_steps(state, {self._constant(leaf.wallet)}, now)", indent)
            return f"balance({this}, {steps})"
        if isinstance(leaf, CouponHeld):
            return f"coupon({this}, state, now)"
        born = self._at_head("d", "born", "facts.birth_date if facts is not None else None")
        return f"{leaf.kind}({this}, {born}, today, ZONE)"

    def _ratio(self, leaf: Purchases | TagShare, indent: int) -> str:
        compare = COMPARE[leaf.op]
        if isinstance(leaf, TagShare):
            percent = leaf.percent
            layout = self._layout("s", f"series.share({self._constant(f't:{leaf.tag}')})", 3, indent)
            judge = self._constant(_ratio_judge(compare, 100, percent), "ratio", leaf.op, 100, percent)
        else:
            (days, values), (_, counts) = (self._sums(leaf.dimension, column, indent) for column in (VALUE, COUNT))
            layout = (days, values, counts)
            judge = self._constant(_ratio_judge(compare, 1, leaf.value), "ratio", leaf.op, 1, leaf.value)
        return f"judge_ratio({', '.join(layout)}, {self._constant(leaf.days)}, today, {judge}, STARTS)"

    def _purchases(self, leaf: Purchases, name: str, indent: int) -> None:
        """Sums only shrink while days pass (see ``series``), so every comparison is "at least n", negated or not, or two of them."""
        at_least, negated = _as_at_least(leaf)
        yes, no, plus, minus = ("LOW", "HIGH", "-", "") if negated else ("HIGH", "LOW", "", "-")
        if at_least is not None and at_least <= 0:
            self._write(indent, f"{name} = {yes}")
            return
        days, sums = self._sums(leaf.dimension, _COLUMNS[leaf.metric], indent)
        length = self._constant(leaf.days)
        wanted = self._constant(leaf.value if at_least is None else at_least)
        self._write(indent, f"e = {days}[bisect_left({sums}, {wanted})] + {length}")
        if at_least is not None:
            self._write(indent, f"{name} = {plus}STARTS[e] if e > today else {no}")
            return
        # Equal: at least n (until day e) and not at least n + 1 (until day f, which is not after e).
        self._write(indent, f"f = {days}[bisect_left({sums}, {self._constant(leaf.value + 1)})] + {length}")
        too_many = f"({minus}STARTS[f] if e > f else {no})"
        self._write(indent, f"{name} = {too_many} if f > today else {plus}STARTS[e] if e > today else {no}")

    def _sums(self, dimension: str | None, column: int, indent: int) -> tuple[str, str]:
        if dimension is None:
            days, sums = self._layout("p", f"series.whole({column})", 2, indent)
            return days, sums
        self._wanted.add(dimension)
        parts = self._layout("p", f"series.part({self._constant(dimension)})", 3, indent)
        return parts[0], parts[1 + column]

    def _layout(self, prefix: str, call: str, parts: int, indent: int) -> tuple[str, ...]:
        """The parts of a layout of the profile; where it is irregular, the whole function hands over to the plain reading."""
        kept = self._at_head(prefix, call, "None")
        names = tuple(f"{kept}_{part}" for part in range(parts))
        self._write(indent, f"if {kept} is None:")
        self._write(indent + 1, f"{kept} = {call}")
        self._write(indent + 1, f"if {kept} is None: return plain(state, facts, now)")
        self._write(indent + 1, f"{', '.join(names)} = {kept}")
        return names

    def _kept(self, prefix: str, call: str, indent: int) -> str:
        kept = self._at_head(prefix, call, "None")
        self._write(indent, f"if {kept} is None: {kept} = {call}")
        return kept


def _as_at_least(leaf: Purchases) -> tuple[int | None, bool]:
    """The comparison as (n, negated) of "at least n"; n is None where it takes two of them."""
    value = leaf.value
    simple = {"ge": (value, False), "gt": (value + 1, False), "lt": (value, True), "le": (value + 1, True)}
    if leaf.op in simple:
        return simple[leaf.op]
    if value == 0:
        return 1, leaf.op == "eq"
    return None, leaf.op == "ne"


def _ratio_judge(compare: Callable[[Any, Any], bool], scale: int, target: int) -> Callable[[int, int], bool]:
    return lambda part, whole: compare(scale * part, target * whole)


def _rank(rule: Rule) -> int:
    """What it costs, roughly: the cheap ones are asked first."""
    if isinstance(rule, AllOf | AnyOf):
        return max(_rank(child) for child in rule.rules)
    if isinstance(rule, Not):
        return _rank(rule.rule)
    return 3 if isinstance(rule, Purchases) and rule.metric == "average" else _RANKS.get(rule.kind, 2)


def _other(side: Side) -> Side:
    return "perhaps" if side == "surely" else "surely"


def _leaves(rule: Rule, side: Side) -> Iterator[tuple[Leaf, Side]]:
    if isinstance(rule, AllOf | AnyOf):
        for child in rule.rules:
            yield from _leaves(child, side)
    elif isinstance(rule, Not):
        yield from _leaves(rule.rule, _other(side))
    else:
        yield rule, side


def _is_certain(leaf: Leaf) -> bool:
    """Whether it can never be unknown, so that both sides are the same."""
    if isinstance(leaf, Attribute):
        return leaf.op in {"exists", "missing"} or leaf.name in _ALWAYS_THERE or leaf.name.startswith(BUILT_IN_PREFIXES)
    return isinstance(leaf, Balance | CouponHeld) or (isinstance(leaf, Purchases) and leaf.metric != "average")


def _key(leaf: Leaf, side: Side) -> tuple[str, str]:
    """What makes two leaves the same. Their JSON, since 1 == True in Python."""
    return leaf.model_dump_json(), "surely" if _is_certain(leaf) else side
