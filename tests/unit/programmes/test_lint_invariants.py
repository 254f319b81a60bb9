"""What holds of the linter for every programme: it answers, the engine confirms it, and what it lets pass pays less than is spent."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.coupons.model import OfferBody
from shared.programmes.base import Payment
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts
from shared.programmes.earning import earn
from shared.programmes.lines import Line
from shared.programmes.lint.model import MOST_FINDINGS
from shared.programmes.lint.subject import Subject
from shared.programmes.model import ProgrammeBody
from shared.tenants.model import WalletSettings
from tests.unit.programmes import worlds
from tests.unit.programmes.builders import scene
from tests.unit.programmes.linting import AT, ZONE, confirm, linted

DAYS = st.sampled_from(("0001-01-01", "2026-11-20", "2026-11-21", "2026-11-22", "2027-03-28", "9999-12-31"))
PARTS = (("02:00", "03:00"), ("22:00", "02:00"), ("11:00", "14:00"), ("23:59", "00:00"))
HOURS = st.sampled_from([{"start": start, "end": end} for start, end in PARTS])
SELECTORS: tuple[dict[str, Any], ...] = ({}, {"items": ["a"]}, {"tags": ["new"]}, {"categories": ["x"]})
PLACES = st.dictionaries(st.sampled_from(("mitte", "nord", "ost")), st.frozensets(st.sampled_from(("city", "north", "brand"))))
PRICES = st.dictionaries(st.sampled_from(worlds.ITEMS), st.integers(0, 500))


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    """Any of them, such that they are valid alone."""
    made: dict[str, Any] = {}
    if draw(st.booleans()):
        made["hours"] = draw(HOURS)
    if draw(st.booleans()):
        made["weekdays"] = draw(st.lists(st.sampled_from(("mon", "fri", "sat", "sun")), unique=True))
    for name in ("date", "joined"):
        if draw(st.integers(0, 3)) == 0:
            made[f"{name}_from"], made[f"{name}_until"] = sorted((draw(DAYS), draw(DAYS)))
    made |= {"tiers": draw(worlds.few(worlds.TIERS)), "segments": draw(worlds.few(("vip", "new")))}
    made["locations"] = draw(worlds.few(("mitte", "nord")))
    made["location_groups"] = draw(worlds.few(("city", "north", "empty")))
    made["first_purchase"] = draw(st.sampled_from((None, None, True, False)))
    return made


@st.composite
def terms(draw: st.DrawFn) -> dict[str, Any]:
    """Expiry, payment, tiers, bonuses, referral, conversions."""
    kind = draw(st.sampled_from(("never", "after_days", "end_of_month", "end_of_quarter", "end_of_year", "inactivity")))
    expiry: dict[str, Any] = {"kind": kind}
    if kind in ("after_days", "inactivity"):
        expiry |= {"days": draw(st.integers(1, 3650)), "end_of_day": draw(st.booleans())}
    elif kind.startswith("end_of"):
        expiry["periods"] = draw(st.integers(0, 40))
    window = draw(st.sampled_from(("rolling", "month", "quarter", "year", "lifetime")))
    thresholds = sorted(draw(st.lists(st.integers(0, 10**12), min_size=1, max_size=3, unique=True)))
    levels = [{"id": f"l{n}", "name": "L", "threshold": each, "multiplier_percent": 100 + 50 * n} for n, each in enumerate(thresholds)]
    by = draw(st.sampled_from(("points", "spend", "visits")))
    event = {"id": "b", "on": "event", "event": "e", "points": 5, "times": draw(st.sampled_from((1, 1000))), "when": draw(conditions())}
    return {
        "pending": {"days": draw(st.integers(0, 365)), "until_event": draw(st.sampled_from((None, "e")))},
        "expiry": expiry,
        "tiers": {"by": by, "window": window, "days": draw(st.integers(1, 400)), "levels": levels},
        "spending": draw(st.sampled_from((None, {}, {"points": 3, "value": 2, "minimum": 7, "step": 5}, {"excluded": {"items": ["a"]}}))),
        "bonuses": [event],
        "referral": draw(st.sampled_from((None, {"friend_points": 5}))),
        "conversions": [{"id": "c", "points": draw(st.integers(1, 50)), "offer": draw(st.sampled_from(("o", "percent", "gone")))}],
        "applies": draw(conditions()),
    }


@st.composite
def subjects(draw: st.DrawFn) -> Subject:
    """Any programme in any company, at any time."""
    body = draw(worlds.programmes()).body
    given: dict[str, Any] = body.model_dump(mode="json") | draw(terms())
    for rule in given["earning"]:
        if draw(st.booleans()):
            rule["when"] = draw(conditions())
    effects = ({"kind": "amount", "amount": 50}, {"kind": "unit_price", "price": 0}, {"kind": "voucher", "value": 9, "counts_as": "tender"})
    case = {"name": "O", "effect": draw(st.sampled_from(effects)), "scope": draw(worlds.selectors)}
    offers = {"o": case, "percent": {"name": "P", "effect": {"kind": "percent", "percent": 100}}}
    wallets = {"points": WalletSettings(points=draw(st.integers(1, 9)), value=draw(st.integers(0, 9)))}
    others = tuple(draw(st.lists(worlds.programmes("other"), max_size=1)))
    at = draw(st.sampled_from((0, AT, 253402300799000)))
    parsed = {name: OfferBody.model_validate(offer) for name, offer in offers.items()}
    return Subject(ProgrammeBody.model_validate(given), wallets, parsed, others, draw(PRICES), at, ZONE, "p", draw(PLACES))


@settings(max_examples=settings().max_examples // 2)
@given(subjects())
def test_every_finding_is_confirmed_and_the_same_every_time(about: Subject) -> None:
    findings = linted(about)
    assert findings == linted(about)
    assert len(findings) <= MOST_FINDINGS
    for finding in findings:
        confirm(about, finding)
    assert [each.severity for each in findings] == sorted(each.severity for each in findings)


@st.composite
def judged(draw: st.DrawFn) -> ProgrammeBody:
    """What the linter claims to judge: rules about any lines, rounded down, with multipliers and tiers, whatever they come to."""
    earning: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 5))):
        rule = draw(worlds.rules(f"r{number}", [each["id"] for each in earning if each["kind"] != "multiplier"]))
        if rule["kind"] == "per_item":
            continue
        rule |= {"limits": {}, "combine": "add", "on": draw(st.sampled_from(SELECTORS))}
        if rule["kind"] == "multiplier":
            rule["percent"] = draw(st.sampled_from((120, 200)))
        if "rounding" in rule:
            rule["rounding"] = "floor"
        if rule["kind"] == "per_amount":
            rule |= {"points": draw(st.integers(1, 5)), "per": draw(st.integers(1, 60))}
        if rule["kind"] == "cashback":
            rule |= {"percent_e2": draw(st.integers(0, 6000)), "by_tier": {"gold": draw(st.integers(0, 6000))}}
        if rule["kind"] == "fixed":
            rule |= {"points": draw(st.integers(1, 50)), "minimum": draw(st.integers(0, 200)), "on": {}}
        rule["when"].pop("first_purchase", None)
        earning.append(rule)
    earning.append({"kind": "per_amount", "id": "base", "points": 1, "per": draw(st.integers(2, 100))})
    levels = [{"id": "gold", "name": "Gold", "threshold": 1, "multiplier_percent": draw(st.sampled_from((100, 150)))}]
    levels += [{"id": "silver", "name": "Silver", "threshold": 2}]
    body = {"name": "x", "earning": earning, "tiers": {"levels": levels}, "multipliers": draw(st.sampled_from(("add", "multiply", "best")))}
    return ProgrammeBody.model_validate(body)


@st.composite
def plain_baskets(draw: st.DrawFn) -> list[Line]:
    """Positive lines at their price."""
    amounts = draw(st.lists(st.one_of(st.integers(1, 300), st.integers(1, 10**6)), min_size=1, max_size=4))
    names = st.tuples(
        st.sampled_from((*worlds.ITEMS, None)), st.sampled_from((*worlds.CATEGORIES, None)), st.frozensets(st.sampled_from(worlds.TAGS))
    )
    return [Line(str(n), "item", *draw(names), 1000, amount, amount, unit_price=amount) for n, amount in enumerate(amounts)]


@given(judged(), st.lists(st.tuples(plain_baskets(), st.sampled_from((None, *worlds.TIERS))), min_size=5, max_size=10))
def test_what_passes_never_pays_more_than_is_spent(body: ProgrammeBody, baskets: list[tuple[list[Line], str | None]]) -> None:
    about = Subject(body, at=AT, zone=ZONE)
    if any(finding.severity == "error" for finding in linted(about)):
        return
    for lines, tier in baskets:
        earned = earn((Programme("p", 1, body),), lines, Payment(), MemberFacts(tier=tier, purchases=1), scene({}), {})
        assert earned.points * about.value <= sum(line.net for line in lines)
