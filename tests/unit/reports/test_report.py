"""From cells to the report that a marketer reads, and to the table that she exports."""

from __future__ import annotations

import csv
import io

from shared.reports.cells import Cells, Place
from shared.reports.rules import CSV_COLUMNS, report_of, to_csv

CELLS: Cells = {
    Place("gift", "a", "push", "de"): {
        "planned": 600, "claimed": 500, "sent": 490, "failed": 10, "opened": 200, "suppressed": 100, "discount": 40_000,
        "suppressed:no_consent": 70, "suppressed:over_cap": 30, "cost_e6": 1_500_001,
        "exposed": 500, "converted": 100, "revenue": 150_000, "revenue_squared": 300_000_000,
    },
    Place("gift", "b", "sms", "en"): {
        "planned": 400, "claimed": 400, "sent": 400, "exposed": 400, "converted": 120, "revenue": 160_000, "revenue_squared": 280_000_000,
        "cost_e6": 2_800_000_000,
    },
    Place("gift", "", "push", ""): {
        "planned": 200, "held_out": 200, "held_exposed": 200, "held_converted": 20,
        "held_revenue": 20_000, "held_revenue_squared": 30_000_000,
    },
}  # fmt: skip


def test_the_whole_is_the_sum_and_says_what_it_cost() -> None:
    report = report_of("summer", "completed", CELLS, budget=100_000)
    assert (report.planned, report.claimed, report.held_out, report.suppressed) == (1200, 900, 200, 100)
    assert report.planned == report.claimed + report.held_out + report.suppressed + report.deferred
    assert report.suppressed_by_reason == {"no_consent": 70, "over_cap": 30}
    assert report.cost == 2802, "1.500001 and 2800 minor units, rounded up once"
    assert report.budget is not None
    assert (report.budget.spent, report.budget.percent) == (42_802, 42)


def test_uplift_compares_each_variant_with_all_who_were_held_out() -> None:
    report = report_of("summer", "completed", CELLS)
    assert report.uplift is not None
    assert report.uplift.rate == 144_444, "220 of 900 less 20 of 200"
    assert report.uplift.verdict == "more"
    assert report.uplift.rate_low < 144_444 < report.uplift.rate_high
    assert {name: each.rate for name, each in report.uplift_by_variant.items()} == {"a": 100_000, "b": 200_000}
    assert report.uplift.revenue == (310_000 * 1000 // 900) - 100_000


def test_nobody_held_out_is_no_uplift_and_no_budget_is_none() -> None:
    report = report_of("summer", "sending", {place: cell for place, cell in CELLS.items() if place.variant})
    assert report.uplift is None
    assert report.uplift_by_variant == {}
    assert report.budget is None
    assert report_of("summer", "draft", {}).planned == 0


def test_parts_are_by_step_variant_channel_and_language() -> None:
    report = report_of("summer", "completed", CELLS)
    assert [part.name for part in report.variants] == ["a", "b"]
    assert {part.name: part.converted for part in report.channels} == {"push": 100, "sms": 120}
    assert {part.name: part.cost_per_conversion for part in report.channels} == {"push": 401, "sms": 24}
    assert report.steps[0].planned == 1200


def test_the_table_has_a_row_for_the_whole_and_for_each_part() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(report_of("=summer", "completed", CELLS)))))
    assert [(row["part"], row["name"]) for row in rows] == [
        ("all", "'=summer"), ("step", "gift"), ("variant", "a"), ("variant", "b"), ("channel", "push"), ("channel", "sms"),
        ("language", "de"), ("language", "en"),
    ]  # fmt: skip
    assert set(rows[0]) == set(CSV_COLUMNS)
    assert rows[0]["converted"] == "220"
    assert rows[0]["cost_per_conversion"] == ""
    assert rows[4]["cost_per_conversion"] == "401"
