"""Plans: named presets, a tenant's own numbers, and the text that rides in the authorizer's context."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.kernel.errors import InvalidValue
from shared.limits.plans import PLANS, Allowed, Plan, PlanLimit, RateLimit, check_size, rates_of
from shared.limits.rates import Rates, TenantRates
from shared.limits.rules import Rate
from shared.tenants.model import TenantSettings

rates = st.builds(Rate, st.integers(1, 20_000), st.integers(1, 100_000))


def test_a_tenant_without_a_plan_has_the_standard_one() -> None:
    settings = TenantSettings(name="Corner", currency="EUR", time_zone="Europe/Berlin")
    assert Allowed.of(settings.plan) == PLANS["standard"]
    assert TenantRates.parse(None) == rates_of(Plan())


def test_a_tenants_own_numbers_stand_in_place_of_the_plans() -> None:
    allowed = Allowed.of(Plan(name="small", key_rate=RateLimit(per_second=7, burst=9), locations=3))
    assert (allowed.key_rate, allowed.locations) == (Rate(7, 9), 3)
    assert (allowed.tenant_rate, allowed.definitions) == (PLANS["small"].tenant_rate, PLANS["small"].definitions)


def test_a_larger_plan_allows_no_less() -> None:
    for name in Allowed.__slots__:
        small, standard, large = (getattr(PLANS[plan], name) for plan in ("small", "standard", "large"))
        pairs = [(each.per_second, each.burst) if isinstance(each, Rate) else (each,) for each in (small, standard, large)]
        assert all(a <= b <= c for a, b, c in zip(*pairs, strict=True)), name


@given(rates, rates)
def test_rates_ride_as_text(tenant: Rate, credential: Rate) -> None:
    assert Rates.parse(Rates(tenant, credential).text()) == Rates(tenant, credential)


@given(rates, rates, rates)
def test_a_tenants_rates_are_kept_as_text(tenant: Rate, key: Rate, member: Rate) -> None:
    kept = TenantRates.parse(TenantRates(tenant, key, member).text())
    assert kept.for_credential("key") == Rates(tenant, key)
    assert kept.for_credential("member") == Rates(tenant, member)


@pytest.mark.parametrize("text", ["", "1/2", "1/2 3", "1/2 3/4 5/6", "0/1 1/1", "1/1 1/0", "a/b c/d", "1/2/3 4/5"])
def test_what_no_authorizer_writes_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        Rates.parse(text)


@pytest.mark.parametrize(
    "wrong", [{"name": "gold"}, {"locations": 0}, {"bulk_records": 501}, {"tenant_rate": {"per_second": 0, "burst": 1}}, {"x": 1}]
)
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Plan.model_validate(wrong)


def test_too_much_names_the_field_and_the_bound() -> None:
    check_size(3, 3, "/locations", "locations")
    with pytest.raises(PlanLimit) as refused:
        check_size(3, 4, "/locations", "locations")
    (error,) = refused.value.errors
    assert (refused.value.code, refused.value.status, error.pointer, error.code, error.detail) == (
        "plan_limit", 403, "/locations", "plan_limit", "at most 3",
    )  # fmt: skip
