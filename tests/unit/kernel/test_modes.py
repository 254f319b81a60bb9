"""Live and test: what a tenant's id says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import check_tenant
from shared.kernel.modes import MAX_TESTS, live_of, mode_of, nth_test_of

live_tenants = st.from_regex(r"\A[a-z0-9]{4,26}\Z")
numbers = st.integers(1, MAX_TESTS)


@given(live_tenants, numbers)
def test_an_environment_is_a_tenant_and_leads_to_its_own(tenant: str, number: int) -> None:
    made = check_tenant(nth_test_of(tenant, number))
    assert (mode_of(tenant), mode_of(made)) == ("live", "test")
    assert (live_of(tenant), live_of(made)) == (tenant, tenant)


@given(st.tuples(live_tenants, numbers), st.tuples(live_tenants, numbers))
def test_no_two_have_the_same_id(one: tuple[str, int], other: tuple[str, int]) -> None:
    assert (nth_test_of(*one) == nth_test_of(*other)) == (one == other)


def test_the_first_has_no_number() -> None:
    assert [nth_test_of("corner", number) for number in (1, 2, 10)] == ["corner-test", "corner-test2", "corner-test10"]


@pytest.mark.parametrize("tenant", ["contest", "test", "latest2", "a1test"])
def test_a_word_that_ends_so_is_a_live_tenant(tenant: str) -> None:
    assert mode_of(check_tenant(tenant)) == "live"


@pytest.mark.parametrize(("tenant", "number"), [("corner", 0), ("corner", MAX_TESTS + 1), ("corner-test", 1)])
def test_there_is_no_other_environment(tenant: str, number: int) -> None:
    with pytest.raises(InvalidValue):
        nth_test_of(tenant, number)


@pytest.mark.parametrize(
    "text",
    [
        "corner-test1", "corner-test0", "corner-test02", "corner-test100", "corner-tes", "corner-live", "corner-test-test", "-test",
        "abc-test", "corner-test\n", "corner-", "corner--test",
    ],
)  # fmt: skip
def test_nothing_else_with_a_hyphen_is_a_tenant(text: str) -> None:
    with pytest.raises(InvalidValue):
        check_tenant(text)
