"""Programmes over a basket: the points with the lines that they came from, and a trace of every rule. Pure and total.

Programmes are asked by falling priority, then by id. One that does not apply answers with one step (rule ``*`` and the reason).

**Rules** are worked through by falling priority, then as listed. Those about none of the lines are one step together (rule ``*``,
``no_line_matched``, and how many they are); each other rule has a step of its own. In this order it is asked

1. whether its conditions hold (``conditions.unmet``);
2. which of its lines are open: not owned by an exclusive programme asked before (``owned_by_another``, if all are), not closed by
   an earlier ``stop`` rule of this programme (``stopped``);
3. what it gives for the open ones (``rules.give``);
4. what its limits leave (``limits.cut``): the step names the limit that cut, and has the reason ``limit_<name>`` or
   ``budget_exhausted`` if nothing is left.

A ``stop`` rule that gave points closes the lines that it worked on, those included whose share came to nothing. Of the ``best``
rules the one that gives most after its limits counts (the earlier, if equal), the others are ``lower_than_best``.

**Multipliers** come after all rules, then those of offers and promotions (step ``offer:<id>``), then the tier's (step
``tier:<level>``): see ``multipliers``. Extra points of offers and promotions come last: see ``extras``.

**The programme's limits** cut the sum: one step ``limit`` with the points taken, so that the points of a programme's steps always add up
to its award. The cut is spread over lines in proportion, and over rules likewise for their usage and budgets, to the last point.

An **exclusive** programme that gave points owns the lines that its rules worked on: later programmes do not see them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.kernel.money import allocate
from shared.programmes.base import Discounts, Payment, earning_base
from shared.programmes.compiled import Entry, Giver, Programme
from shared.programmes.conditions import ALWAYS, MemberFacts, Scene, Usage, unmet
from shared.programmes.extras import Extra, extra_points
from shared.programmes.limits import cut, reason_of
from shared.programmes.lines import Line
from shared.programmes.lots import lot_of
from shared.programmes.model import Limits, Multiplier
from shared.programmes.multipliers import Factor, Pot, extra
from shared.programmes.outcome import Award, Earned, ExtraGiven, Step
from shared.programmes.rules import Given, Match, give
from shared.tenants.model import WalletSettings

UNUSED: Final = Usage()
PLAIN: Final = WalletSettings()
"""A wallet that the tenant does not name: one point is worth one minor unit."""


def earn(
    programmes: Sequence[Programme],
    lines: list[Line],
    payment: Payment,
    facts: MemberFacts,
    scene: Scene,
    wallets: Mapping[str, WalletSettings],
    exhausted: frozenset[str] = frozenset(),
    extras: Sequence[Extra] = (),
) -> Earned:
    """What a purchase earns, at most one award a programme. Never raises for a valid definition and a basket of distinct line ids.

    ``facts`` are as of the purchase; ``exhausted`` are the budgets (``programme/rule`` or ``programme``) with nothing left, and
    ``Earned.budgets`` what is to be taken from others. ``extras`` are what offers and promotions give beside the rules.
    """
    earned = Earned(extras=[ExtraGiven(0, "programme_not_applying")] * len(extras))
    owned: set[str] = set()
    for programme in sorted(programmes, key=lambda each: (-each.body.priority, each.id)):
        reason = unmet(programme.body.applies, facts, scene)
        if reason is not None:
            earned.steps.append(Step(programme.id, programme.version, "*", reason=reason))
            continue
        wallet, mine = wallets.get(programme.body.wallet, PLAIN), [each for each in enumerate(extras) if each[1].programme == programme.id]
        _Decision(programme, lines, payment, facts, scene, wallet, exhausted, owned, mine).into(earned)
    return earned


@dataclass(slots=True)
class _Result:
    """What a rule came to. It counts while ``given.points`` is above zero."""

    rule: str
    ids: tuple[str, ...]
    given: Given
    limit: str | None = None
    entry: Entry[Giver] | Entry[Multiplier] | None = None
    extra: int | None = None
    """Which of the extras it is, if it is one."""

    def step(self, programme: Programme) -> Step:
        """As the trace says it."""
        id_, version, it = programme.id, programme.version, self.given
        return Step(id_, version, self.rule, self.ids, it.base, it.formula, it.rounding, it.points, it.reason, self.limit)

    def drop(self, reason: str) -> None:
        """It gives nothing after all."""
        self.given.points, self.given.parts, self.given.reason = 0, [], reason


class _Decision:
    """One programme over one basket."""

    def __init__(
        self, programme: Programme, lines: list[Line], payment: Payment, facts: MemberFacts, scene: Scene, wallet: WalletSettings,
        exhausted: frozenset[str], owned: set[str], extras: Sequence[tuple[int, Extra]],
    ) -> None:  # fmt: skip
        self.programme, self.body = programme, programme.body
        self.lines, self.payment, self.facts, self.scene, self.wallet = lines, payment, facts, scene, wallet
        self.exhausted, self.owned, self.extras = exhausted, owned, extras
        self.base = earning_base(self.body, lines, payment)
        self.earning = lines if len(self.base) == len(lines) else [line for line in lines if line.id in self.base]
        self.results: list[_Result] = []
        self.unmatched = 0
        self._other_base: dict[str, int] | None = None
        self._whole: Match | None = None

    def into(self, earned: Earned) -> None:
        """Decide, and add steps, award and budgets."""
        self._rules()
        self._multipliers()
        self._extra_points()
        programme, steps = self.programme, earned.steps
        for each in self.results:
            steps.append(each.step(programme))
            if each.extra is not None:
                earned.extras[each.extra] = ExtraGiven(0, each.given.reason)
        self._award(earned)
        if self.unmatched:
            counted = f"{self.unmatched} rule{'s' if self.unmatched > 1 else ''}"
            steps.append(Step(programme.id, programme.version, "*", formula=counted, reason="no_line_matched"))

    def _rules(self) -> None:
        """The rules that give points of their own."""
        stopped: set[str] = set()
        matched = self.programme.givers.matched(self.earning)
        self.unmatched = len(self.programme.givers) - len(matched)
        best: _Result | None = None
        for entry, lines in matched:
            rule = entry.rule
            match, reason = self._open(entry, lines, stopped)
            if reason is not None:
                self.results.append(_Result(rule.id, match.ids, Given(0, match.total, reason=reason)))
                continue
            result = _Result(rule.id, match.ids, give(rule, match, self.facts, self.wallet, self._base_with), None, entry)
            self._limit(result, entry)
            self.results.append(result)
            if result.given.points == 0:
                continue
            if rule.combine == "stop":
                stopped.update(match.ids)
            elif rule.combine == "best":
                loser = result if best is not None and result.given.points <= best.given.points else best
                best = best if loser is result else result
                if loser is not None:
                    loser.drop("lower_than_best")

    def _multipliers(self) -> None:
        """The multipliers and the tier's, on what the rules gave."""
        matched = self.programme.multipliers.matched(self.earning)
        self.unmatched += len(self.programme.multipliers) - len(matched)
        tier, extras = self._tier(), [each for each in self.extras if each[1].multiplies]
        if not matched and tier is None and not extras:
            return
        counted = [(each.rule, each.ids, each.given.parts) for each in self.results if each.given.points > 0]
        pot = Pot(counted, by_rule=any(entry.rule.of for entry, _ in matched) or any(each.of for _, each in extras))
        best: _Result | None = None
        for entry, lines in matched:
            match, reason = self._open(entry, lines, frozenset())
            if reason is not None:
                self.results.append(_Result(entry.rule.id, match.ids, Given(0, 0, reason=reason)))
                continue
            factor = Factor(entry.rule.percent, entry.rule.rounding, match.ids, entry.rule.of)
            best = self._multiply(_Result(entry.rule.id, match.ids, extra(factor, pot), None, entry), factor, pot, best)
        for place, each in extras:
            match, reason = self._of_extra(each)
            if reason is not None:
                self.results.append(_Result(each.rule, match.ids, Given(0, 0, reason=reason), extra=place))
                continue
            factor = Factor(each.percent, each.rounding, match.ids, each.of)
            best = self._multiply(_Result(each.rule, match.ids, extra(factor, pot), extra=place), factor, pot, best)
        if tier is not None:
            self._multiply(_Result(f"tier:{self.facts.tier}", tier.ids, extra(tier, pot)), tier, pot, best)

    def _multiply(self, result: _Result, factor: Factor, pot: Pot, best: _Result | None) -> _Result | None:
        """Take one multiplier's result, and answer the best so far."""
        if result.entry is not None:
            self._limit(result, result.entry)
        self.results.append(result)
        if result.given.points == 0 or self.body.multipliers == "add":
            return best
        if self.body.multipliers == "multiply":
            pot.add(factor, result.given.parts)
            return best
        loser = result if best is not None and result.given.points <= best.given.points else best
        if loser is not None:
            loser.drop("lower_than_best")
        return best if loser is result else result

    def _tier(self) -> Factor | None:
        """The multiplier of the member's level, if it multiplies."""
        levels = self.body.tiers.levels if self.body.tiers is not None else ()
        percent = next((level.multiplier_percent for level in levels if level.id == self.facts.tier), 100)
        ids = tuple([line.id for line in self.earning if line.id not in self.owned])
        return Factor(percent, "floor", ids) if percent > 100 and ids else None

    def _extra_points(self) -> None:
        """What offers and promotions give that does not multiply."""
        for place, each in self.extras:
            if not each.multiplies:
                match, reason = self._of_extra(each)
                given = extra_points(each, match) if reason is None else Given(0, 0, reason=reason)
                self.results.append(_Result(each.rule, match.ids, given, extra=place))

    def _of_extra(self, wanted: Extra) -> tuple[Match, str | None]:
        """The lines of an extra that earn here and that no exclusive programme owns, or why there are none."""
        lines = [line for line in self.earning if line.id in wanted.lines]
        opened = [line for line in lines if line.id not in self.owned]
        if opened:
            return Match(opened, self.base), None
        return Match([], self.base), "owned_by_another" if lines else "no_line_matched"

    def _open(
        self, entry: Entry[Giver] | Entry[Multiplier], lines: list[Line], stopped: set[str] | frozenset[str]
    ) -> tuple[Match, str | None]:
        """What the rule may work on, or everything that it matched and the reason why it gives nothing."""
        rule = entry.rule
        reason = None if rule.when is ALWAYS else unmet(rule.when, self.facts, self.scene)
        if reason is None and (stopped or self.owned):
            unowned = [line for line in lines if line.id not in self.owned]
            opened = [line for line in unowned if line.id not in stopped]
            if opened:
                return (Match(opened, self.base) if len(opened) < len(lines) else self._match(lines)), None
            reason = "stopped" if unowned else "owned_by_another"
        return self._match(lines), reason

    def _match(self, lines: list[Line]) -> Match:
        """Rules about every line share one match."""
        if lines is not self.earning:
            return Match(lines, self.base)
        if self._whole is None:
            self._whole = Match(lines, self.base)
        return self._whole

    def _limit(self, result: _Result, entry: Entry[Giver] | Entry[Multiplier]) -> None:
        """Cut what a rule gives to its own limits."""
        given = result.given
        if not entry.limited or given.points == 0:
            return
        left, result.limit = self._cut(given.points, entry.rule.limits, entry.key)
        if result.limit is None:
            return
        if left == 0:
            result.drop(reason_of(result.limit))
        else:
            given.points, given.parts = left, allocate(left, given.parts)

    def _cut(self, points: int, limits: Limits, key: str) -> tuple[int, str | None]:
        return cut(points, limits, self.facts.usage.get(key, UNUSED), exhausted=key in self.exhausted)

    def _base_with(self, discounts: Discounts) -> dict[str, int]:
        """The earning base with this choice of discounts; made at most once."""
        if discounts == self.body.base.discounts:
            return self.base
        if self._other_base is None:
            self._other_base = earning_base(self.body, self.lines, self.payment, discounts)
        return self._other_base

    def _award(self, earned: Earned) -> None:
        """What the programme's limits leave, as an award with usage and budgets."""
        counted = [each for each in self.results if each.given.points > 0]
        shares = [each.given.points for each in counted]
        total = sum(shares)
        if total == 0:
            return
        left, limit = self._cut(total, self.body.limits, self.programme.id)
        if limit is not None:
            why = reason_of(limit) if left == 0 else None
            step = Step(self.programme.id, self.programme.version, "limit", (), total, f"at most {left}", None, left - total, why, limit)
            earned.steps.append(step)
            shares = allocate(left, shares)
        for each, share in zip(counted, shares, strict=True):
            if each.extra is not None:
                earned.extras[each.extra] = ExtraGiven(share, None if share else "points_limit")
        if left == 0:
            return
        self._book(earned, left, self._parts(counted, left, total), counted, shares)
        if self.body.ownership == "exclusive":
            self.owned.update(id_ for each in counted for id_ in each.ids)

    def _parts(self, counted: list[_Result], left: int, total: int) -> tuple[tuple[str, int], ...]:
        """The points of every line that has any, in the basket's order."""
        by_line = dict.fromkeys(self.base, 0)
        for each in counted:
            for id_, part in zip(each.ids, each.given.parts, strict=True):
                by_line[id_] += part
        if left < total:
            by_line = dict(zip(by_line, allocate(left, list(by_line.values())), strict=True))
        return tuple([part for part in by_line.items() if part[1]])

    def _book(self, earned: Earned, points: int, parts: tuple[tuple[str, int], ...], counted: list[_Result], shares: list[int]) -> None:
        """The award. What a rule used of its limits and budget is its share of what is given in the end."""
        usage: list[tuple[str, int]] = []
        limited = [(each.entry, share) for each, share in zip(counted, shares, strict=True) if each.entry is not None and share > 0]
        for key, limits, share in (
            *((entry.key, entry.rule.limits, share) for entry, share in limited if entry.limited),
            (self.programme.id, self.body.limits, points),
        ):
            if limits.of_member:
                usage.append((key, share))
            if limits.budget is not None:
                earned.budgets[key] = share
        posting = lot_of(self.body, "earn", points, self.scene.at, self.scene.zone)
        earned.awards.append(Award(self.programme.id, self.programme.version, posting, parts, tuple(usage)))
