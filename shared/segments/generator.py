"""The source of the fused function: one pass over the trees that writes Python with generated names only.

Every (sub)tree becomes an expression or a variable that holds a signed instant. Leaves that cost no more than a look-up
are written in place (``shared.segments.lookups``), or once at the head if they are shared; windows are computed over layouts that all
of them share; the others are asked of the plain reading, each where it is first needed, and kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

from shared.kernel.instants import NEVER, local_day
from shared.segments.bounds import COUNT, QUANTITY, VALUE, VISITS, others_of
from shared.segments.context import Context
from shared.segments.expanding import children_of
from shared.segments.language.base import COMPARE, Leaf
from shared.segments.language.tree import AllOf, AnyOf, Not
from shared.segments.leaves import Moment, reader
from shared.segments.lookups import LookUps, Side, is_look_up
from shared.segments.parsing import Rule
from shared.segments.series import Series, day_starts, judge_lead, judge_ratio

SIDES: Final[tuple[Side, ...]] = ("surely", "perhaps")
_COLUMNS: Final = {"count": COUNT, "value": VALUE, "quantity": QUANTITY, "visits": VISITS}
_LETTERS: Final = {"location": "l", "category": "c", "channel": "h", "tag": "t", "item": "i", "hour": "o", "weekday": "w"}
_RANKS: Final = {
    "purchases": 1, "event": 1, "tag_share": 3, "favourite": 3, "tag_strength": 4, "lifecycle": 4, "usual_interval": 4, "rfm": 4,
}  # fmt: skip
_LOOK_UP: Final = 0


class Generator(LookUps):
    """Writes one function for some expanded trees; ``constants`` are its globals."""

    def __init__(self, rules: Sequence[Rule], context: Context, sides: Sequence[Side]) -> None:
        super().__init__(context)
        self._rules = rules
        self._sides = sides
        self._body: list[str] = []
        self._wanted: set[str] = set()
        self._asks_plainly = False
        self._uses = Counter(_key(leaf, side) for rule in rules for side in sides for leaf, side in _leaves(rule, side))
        zone = context.zone
        self.constants |= {"HIGH": NEVER, "LOW": -NEVER, "ZONE": zone, "Series": Series, "local_day": local_day}

    def source(self, *, objectors: bool = False) -> str:
        """``fused(state, facts, now)`` answers the sides of every rule in order, as one flat list.

        ``objectors``: who objects to profiling is asked about by the global ``objected`` instead.
        """
        results = []
        for index, rule in enumerate(self._rules):
            for side in self._sides:
                expression = self._tree(rule, side, 1, 0)
                self._write(1, f"r{index}{side[0]} = {expression}")
                results.append(f"r{index}{side[0]}")
        self.constants["WANTED"] = frozenset(self._wanted)
        head = ["def fused(state, facts, now):"]
        if objectors:
            head.append("    if not state.profiled: return objected(state, facts, now)")
        head += ["    profile = state.profile", "    today = local_day(now, ZONE)", "    series = Series(profile, today, WANTED)"]
        if self._asks_plainly:
            head.append("    moment = Moment(state, facts, now, CONTEXT)")
            self.constants |= {"Moment": Moment, "CONTEXT": self._context}
        return "\n".join([*head, *self._head, *self._body, f"    return [{', '.join(results)}]", ""])

    def _write(self, indent: int, text: str) -> None:
        self._body.append("    " * indent + text)

    def _global(self, name: str, value: object) -> str:
        self.constants[name] = value
        return name

    def _tree(self, rule: Rule, side: Side, indent: int, depth: int) -> str:
        if isinstance(rule, Not):
            return f"-{self._tree(rule.rule, _other(side), indent, depth)}"
        if isinstance(rule, Leaf):
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
        if is_look_up(leaf):
            expression = f"({self.look_up(leaf, key[1])})"
            return self._at_head("v", key, expression) if is_shared else expression
        if not is_shared:
            self._compute(leaf, key[1], "y", indent)
            return "y"
        name = self._at_head("v", key, "None")
        self._write(indent, f"if {name} is None:")
        self._compute(leaf, key[1], name, indent + 1)
        return name

    def _compute(self, leaf: Any, side: Side, name: str, indent: int) -> None:
        """Statements that leave the leaf's signed instant in the variable."""
        if _is_window(leaf):
            self._window(leaf, side, name, indent)
            return
        layout = self._judged(leaf, indent)
        if layout is None:
            self._write(indent, f"t, u = {self._call(leaf, indent)}")
        else:
            kept, call = layout
            self._write(indent, f"if {kept} is None: t, u = {self._plainly(leaf)}")
            self._write(indent, f"else: t, u = {call}")
        self._write(indent, f"{name} = {'u if t else -u' if side == 'surely' else '-u if t is False else u'}")

    def _plainly(self, leaf: Leaf) -> str:
        """What the plain reading of the leaf alone answers."""
        self._asks_plainly = True
        return f"{self._constant(reader(leaf.kind), 'reader', leaf.kind)}({self._this(leaf)}, moment)[:2]"

    def _this(self, leaf: Leaf) -> str:
        return self._constant(leaf, leaf.model_dump_json())

    def _call(self, leaf: Any, indent: int) -> str:
        """An expression for (truth, until): of what several leaves look at, that is computed once."""
        if leaf.kind in ("balance", "points"):
            from shared.segments.reading.holdings import balance_steps, compare_steps, held_steps, pending_steps

            state = "available" if leaf.kind == "balance" else leaf.state
            steps_of = {"available": balance_steps, "pending": pending_steps, "held": held_steps}[state]
            steps = self._kept("w", f"{self._global(f'{state}_steps', steps_of)}(state, {self._constant(leaf.wallet)}, now)", indent)
            compare = self._global("compare_steps", compare_steps)
            return f"{compare}({self._constant(leaf.op)}, {self._constant(leaf.value)}, {steps})"
        if leaf.kind == "coupon":
            from shared.segments.reading.holdings import coupon

            return f"{self._global('coupon', coupon)}({self._this(leaf)}, state, now)"
        if leaf.kind in ("age", "birthday") and leaf.time_zone is None:
            from shared.segments import birthdays

            born = self._at_head("d", "born", "facts.birth_date if facts is not None else None")
            return f"{self._global(leaf.kind, getattr(birthdays, leaf.kind))}({self._this(leaf)}, {born}, today, ZONE)"
        return self._plainly(leaf)

    # -- windows ----------------------------------------------------------------------------------------------------

    def _judged(self, leaf: Any, indent: int) -> tuple[str, str] | None:
        """The variable of a layout (None: the plain reading decides), and the call that judges it; for ratios and leads only."""
        if leaf.kind == "favourite":
            kept, (days, leading) = self._layout("f", f"series.leads({self._constant(_LETTERS[leaf.of])})", 2, indent)
            names, length, judge = self._constant(leaf.names), self._constant(leaf.days), self._global("judge_lead", judge_lead)
            return kept, f"{judge}({days}, {leading}, {length}, today, {names}, {self._starts()})"
        if leaf.kind == "tag_share":
            key = self._dimension(f"t:{leaf.tag}")
            kept, parts = self._layout("s", f"series.share({key})", 3, indent)
            judge = self._constant(_ratio_judge(COMPARE[leaf.op], 100, leaf.percent), "ratio", leaf.op, 100, leaf.percent)
        elif leaf.kind == "purchases" and leaf.weekdays is None and len(leaf.keys) < 2:
            key = self._dimension(leaf.keys[0]) if leaf.keys else "None"
            kept, parts = self._layout("g", f"series.average({key})", 3, indent)
            judge = self._constant(_ratio_judge(COMPARE[leaf.op], 1, leaf.value), "ratio", leaf.op, 1, leaf.value)
        else:
            return None
        call = self._global("judge_ratio", judge_ratio)
        return kept, f"{call}({', '.join(parts)}, {self._constant(leaf.days)}, today, {judge}, {self._starts()})"

    def _starts(self) -> str:
        return self._global("STARTS", day_starts(self._context.zone))

    def _window(self, leaf: Any, side: Side, name: str, indent: int) -> None:
        """Sums only shrink while days pass (see ``series``), so every comparison is "at least n", negated or not, or two of them.

        What is surely at least n is so by the sums of what has the name; what perhaps is, by those of what may have it.
        """
        self._global("bisect_left", bisect_left)
        at_least, negated = _as_at_least(leaf)
        yes, no, plus, minus = ("LOW", "HIGH", "-", "") if negated else ("HIGH", "LOW", "", "-")
        if at_least is not None and at_least <= 0:
            self._write(indent, f"{name} = {yes}")
            return
        starts, length = self._starts(), self._constant(leaf.days)
        upper = not leaf.is_certain and (side == "perhaps") is not negated
        days, sums = self._sums(leaf, indent, upper=upper)
        wanted = self._constant(leaf.value if at_least is None else at_least)
        self._write(indent, f"e = {days}[bisect_left({sums}, {wanted})] + {length}")
        if at_least is not None:
            self._write(indent, f"{name} = {plus}{starts}[e] if e > today else {no}")
            return
        # Equal: at least n (until day e) and not at least n + 1 (until day f, which of the same sums is not after e).
        if not leaf.is_certain:
            days, sums = self._sums(leaf, indent, upper=not upper)
        self._write(indent, f"f = {days}[bisect_left({sums}, {self._constant(leaf.value + 1)})] + {length}")
        too_many = f"({minus}{starts}[f] if e > f else {no})"
        if not leaf.is_certain:
            too_many = f"({minus}{starts}[f] if e > f and e > today else {no})"
        self._write(indent, f"{name} = {too_many} if f > today else {plus}{starts}[e] if e > today else {no}")

    def _sums(self, leaf: Any, indent: int, *, upper: bool) -> tuple[str, str]:
        """The variables of the days and running sums of a window's amounts; irregular, and the plain reading answers for all."""
        column, keys = _COLUMNS[leaf.metric], leaf.keys
        weekdays = leaf.weekday_numbers if getattr(leaf, "weekdays", None) is not None else None
        if not keys and weekdays is None:
            kept, call = self._at_head("p", ("whole", column), "None"), f"series.whole({column})"
        elif len(keys) == 1 and weekdays is None:
            key = self._dimension(keys[0])
            kept, call = self._at_head("p", (key, column), "None"), f"series.sums({key}, {column})"
            if upper:
                others = others_of(keys[0])
                self._lay_out(kept, call, indent)
                call = f"series.at_most({key}, {self._constant(others)}, {column}, {kept})"
                kept = self._at_head("q", (key, column), "None")
        else:
            arguments = f"{self._constant(keys)}, {column}, {self._constant(weekdays)}, upper={upper}"
            kept, call = self._at_head("p", arguments, "None"), f"series.group({arguments})"
        self._lay_out(kept, call, indent)
        return f"{kept}_d", f"{kept}_s"

    def _lay_out(self, kept: str, call: str, indent: int) -> None:
        self._write(indent, f"if {kept} is None:")
        self._write(indent + 1, f"{kept} = {call}")
        self._write(indent + 1, f"if {kept} is None: return plain(state, facts, now)")
        self._write(indent + 1, f"{kept}_d, {kept}_s = {kept}")

    def _dimension(self, key: str) -> str:
        """A name that is laid out with the others, and where its purchases may be summed as well."""
        self._wanted.update(each for each in (key, others_of(key)) if each is not None)
        return self._constant(key)

    def _layout(self, prefix: str, call: str, parts: int, indent: int) -> tuple[str, tuple[str, ...]]:
        """The variable of a layout, None where the plain reading decides, and those of its parts."""
        kept = self._at_head(prefix, call, "None")
        self._write(indent, f"if {kept} is None: {kept} = {call}")
        return kept, tuple(f"{kept}[{part}]" for part in range(parts))

    def _kept(self, prefix: str, call: str, indent: int) -> str:
        kept = self._at_head(prefix, call, "None")
        self._write(indent, f"if {kept} is None: {kept} = {call}")
        return kept


def _is_window(leaf: Any) -> bool:
    """Whether it compares a sum that has one bound on each side."""
    if leaf.kind == "event":
        return leaf.by is None or cast(bool, leaf.metric == "count")
    return leaf.kind == "purchases" and cast(bool, leaf.metric != "average")


def _as_at_least(leaf: Any) -> tuple[int | None, bool]:
    """The comparison as (n, negated) of "at least n"; n is None where it takes two of them."""
    value: int = leaf.value
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
    if not isinstance(rule, Leaf):
        return max(_rank(child) for child in children_of(rule))
    if is_look_up(rule):
        return _LOOK_UP
    return 3 if getattr(rule, "metric", "") == "average" else _RANKS.get(rule.kind, 2)


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


def _key(leaf: Leaf, side: Side) -> tuple[str, Side]:
    """What makes two leaves the same. Their JSON, since 1 == True in Python."""
    return leaf.model_dump_json(), "surely" if leaf.is_certain else side
