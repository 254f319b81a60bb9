"""From cells to a report: sums, uplift, cost. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from shared.campaigns.model import CampaignState
from shared.reports.api import Budget, Numbers, Part, ReportAnswer, UpliftAnswer
from shared.reports.cells import SUPPRESSED, Cells, Place, by, total
from shared.reports.uplift import MILLION, Group, Uplift, uplift

NUMBERS: Final = tuple(name for name in Numbers.model_fields if name != "cost")
_CUTS: Final[Mapping[str, Callable[[Place], str]]] = {
    "steps": lambda place: place.step,
    "variants": lambda place: place.variant,
    "channels": lambda place: place.channel,
    "languages": lambda place: place.language,
}
CSV_COLUMNS: Final = ("part", "name", *NUMBERS, "cost", "cost_per_conversion")


def report_of(campaign: str, state: CampaignState, cells: Cells, budget: int | None = None) -> ReportAnswer:
    """The whole report. Parts without a name (no split, nothing written) are in the totals only."""
    sums = total(cells)
    cuts = {name: tuple(_part(each, numbers) for each, numbers in by(cells, part).items() if each) for name, part in _CUTS.items()}
    reasons = {name.removeprefix(SUPPRESSED): sums[name] for name in sorted(sums) if name.startswith(SUPPRESSED)}
    return ReportAnswer(
        campaign_id=campaign,
        state=state,
        suppressed_by_reason={reason: number for reason, number in reasons.items() if number},
        uplift=_uplift(sums, sums),
        uplift_by_variant=_by_variant(cells, sums),
        budget=_budget(sums, budget) if budget is not None else None,
        **_numbers(sums),
        **cuts,
    )


def spent(sums: Mapping[str, int]) -> int:
    """What messages and discount have cost, minor units, rounded up."""
    return _cost(sums) + sums.get("discount", 0)


def to_csv(report: ReportAnswer) -> str:
    """A row for the whole and for each part (RFC 4180). Names that a spreadsheet would take for a formula get an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for part, name, row in _rows(report):
        numbers = row.model_dump()
        writer.writerow([part, _text(name), *(numbers.get(column) for column in CSV_COLUMNS[2:])])
    return out.getvalue()


def _rows(report: ReportAnswer) -> Iterator[tuple[str, str, Numbers]]:
    yield "all", report.campaign_id, report
    for cut in _CUTS:
        for row in getattr(report, cut):
            yield cut.removesuffix("s"), row.name, row


def _text(name: str) -> str:
    return f"'{name}" if name[:1] in "=+-@\t\r" else name


def _part(name: str, sums: Mapping[str, int]) -> Part:
    converted = sums.get("converted", 0)
    return Part(name=name, cost_per_conversion=-(-spent(sums) // converted) if converted > 0 else None, **_numbers(sums))


def _numbers(sums: Mapping[str, int]) -> dict[str, Any]:
    return {**{name: sums.get(name, 0) for name in NUMBERS}, "cost": _cost(sums)}


def _cost(sums: Mapping[str, int]) -> int:
    return -(-sums.get("cost_e6", 0) // MILLION)


def _budget(sums: Mapping[str, int], amount: int) -> Budget:
    so_far = spent(sums)
    return Budget(amount=amount, spent=so_far, percent=so_far * 100 // amount)


def _by_variant(cells: Cells, sums: Mapping[str, int]) -> dict[str, UpliftAnswer]:
    found = {name: _uplift(numbers, sums) for name, numbers in by(cells, lambda place: place.variant).items() if name}
    return {name: answer for name, answer in found.items() if answer is not None}


def _uplift(reached: Mapping[str, int], held: Mapping[str, int]) -> UpliftAnswer | None:
    got = Group(*(reached.get(name, 0) for name in ("exposed", "converted", "revenue", "revenue_squared")))
    without = Group(*(held.get(f"held_{name}", 0) for name in ("exposed", "converted", "revenue", "revenue_squared")))
    found = uplift(got, without)
    return None if found is None else _answer(found, got, without)


def _answer(found: Uplift, got: Group, without: Group) -> UpliftAnswer:
    verdict: Any = found.verdict
    return UpliftAnswer(
        members=got.members,
        held_out=without.members,
        rate=found.rate.value,
        rate_low=found.rate.low,
        rate_high=found.rate.high,
        revenue=found.revenue.value,
        revenue_low=found.revenue.low,
        revenue_high=found.revenue.high,
        verdict=verdict,
        sample_too_small=found.sample_too_small,
    )
