"""What a case of tests/cases/lint.json is about, and what the engine says of a finding's example."""

from __future__ import annotations

from typing import Any

from shared.coupons.model import OfferBody
from shared.kernel.instants import DAY, parse_rfc3339
from shared.programmes.compiled import Programme
from shared.programmes.lint.linter import lint
from shared.programmes.lint.model import Finding
from shared.programmes.lint.spending import payment_of
from shared.programmes.lint.subject import Subject
from shared.programmes.lint.tiers import metric
from shared.programmes.model import ProgrammeBody
from shared.tenants.model import WalletSettings
from shared.wallet.expiry import lot_instants
from tests.unit.programmes.builders import EARNING

AT = parse_rfc3339("2026-11-21T10:00:00Z")
"""A Saturday."""
ZONE = "Europe/Berlin"
SHADOWS = {"shadowed_by_stop": "stopped", "shadowed_by_best": "lower_than_best"}


def subject(case: dict[str, Any]) -> Subject:
    """A programme ``points`` of a point for each 1.00, unless the case says otherwise."""
    return Subject(
        body(case["body"]),
        wallets={name: WalletSettings(**settings) for name, settings in case.get("wallets", {}).items()},
        offers={name: OfferBody.model_validate(offer) for name, offer in case.get("offers", {}).items()},
        others=tuple(Programme(id_, 1, body(other)) for id_, other in case.get("others", {}).items()),
        prices=case.get("prices", {}),
        at=AT,
        zone=ZONE,
        id="points",
        locations={name: frozenset(groups) for name, groups in case.get("locations", {}).items()},
    )


def body(given: dict[str, Any]) -> ProgrammeBody:
    """A valid body."""
    return ProgrammeBody.model_validate({"name": "Points", "earning": EARNING} | given)


def linted(about: Subject) -> tuple[Finding, ...]:
    """The findings."""
    return lint(
        about.body,
        wallets=about.wallets,
        offers=about.offers,
        others=about.others,
        prices=about.prices,
        at=about.at,
        zone=about.zone,
        id=about.id,
        locations=about.locations,
    )


def confirm(about: Subject, finding: Finding) -> None:
    """The engine gives for the example what the finding says that it gives, and that is what is wrong."""
    example, code = finding.example, finding.code
    earned = about.run(example)
    assert example.earned == earned.points
    assert example.worth == int(earned.points * about.value)
    place = finding.pointer.split("/")
    steps = {step.rule: step for step in earned.steps}
    if code.startswith("dead_"):
        rule = about.body.earning[int(place[3])].id
        assert rule not in steps or steps[rule].points == 0
        assert rule not in steps or steps[rule].reason not in ("amount_too_small", "below_minimum")
    elif code in SHADOWS:
        assert steps[about.body.earning[int(place[3])].id].reason == SHADOWS[code]
    elif code in ("pays_more_than_spent", "fixed_below_worth", "item_below_worth", "generous"):
        assert example.spent > 0
        assert earned.points * about.value * (2 if code == "generous" else 1) >= example.spent
    elif code == "multipliers_above_bound":
        multiplying = {rule.id for rule in about.body.earning if rule.kind == "multiplier"}
        plain = sum(step.points for step in earned.steps if step.rule not in multiplying and not step.rule.startswith("tier:"))
        assert earned.points > 5 * plain > 0
    else:
        confirm_terms(about, finding)


def confirm_terms(about: Subject, finding: Finding) -> None:
    """The rest of them."""
    example, body, place = finding.example, about.body, finding.pointer.split("/")
    if finding.code == "points_loop":
        assert example.earned * about.value >= example.pays_value == example.spent > 0
    elif finding.code == "reward_loop":
        assert example.spent == example.pays_voucher
        assert example.earned >= body.conversions[int(place[3])].points
    elif finding.code == "expires_before_available":
        at, expiry = parse_rfc3339(example.at), body.expiry
        kind = "after_days" if expiry.kind == "inactivity" else expiry.kind
        instants = lot_instants(body.pending.days, "", kind, expiry.days, expiry.periods, expiry.end_of_day, at, about.zone)
        assert (parse_rfc3339(example.available_at or ""), parse_rfc3339(example.expires_at or "")) == instants
        assert instants[1] - instants[0] < DAY
    elif finding.code in ("tier_gap", "unreachable_tier"):
        assert body.tiers is not None
        threshold = body.tiers.levels[int(place[4])].threshold
        counted = metric(body.tiers, example) * example.baskets
        assert counted >= threshold if finding.code == "tier_gap" and counted > 0 else counted < threshold
    elif finding.code == "second_tiers":
        first = min((each for each in about.others if each.body.tiers is not None), key=lambda each: (-each.body.priority, each.id))
        assert first.body.tiers is not None
        assert example.tier == first.body.tiers.levels[-1].id
    elif finding.code.startswith("spending_"):
        assert payment_of(about, example) == {"pays_value": example.pays_value, "refused": example.refused}
        assert example.pays_value == 0
    elif finding.code == "unbounded_bonus":
        assert example.bonus * example.baskets >= 1000
    else:
        assert finding.code == "referral_below_worth"
        assert body.referral is not None
        assert example.spent >= body.referral.minimum
        assert example.bonus * about.value >= example.spent or body.referral.minimum <= 1
