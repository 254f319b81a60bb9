from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.routes import MEMBER, SCOPES
from shared.kernel.errors import AppError, Forbidden, InvalidValue, Unauthenticated
from shared.tenants.principal import (
    AUTH_ERRORS,
    InvalidCredential,
    MissingCredential,
    Principal,
    auth_error_to_context,
    principal_of,
    principal_to_context,
    require,
)

KEY_SCOPES = sorted(SCOPES.keys() - {MEMBER, "operator"})


def event(context: Any) -> dict[str, Any]:
    return {"requestContext": {"authorizer": {"lambda": context}}}


ids = st.from_regex(r"\A[a-z0-9_-]{1,30}\Z")
tenants = st.from_regex(r"\A[a-z0-9]{4,26}\Z")
keys = st.builds(
    Principal,
    kind=st.just("key"),
    tenant=tenants,
    id=ids,
    scopes=st.frozensets(st.sampled_from(KEY_SCOPES)),
    member=st.none(),
    location=st.none() | ids,
)
members = st.builds(lambda tenant, member: Principal("member", tenant, member, frozenset({MEMBER}), member), tenants, ids)
operators = st.just(Principal("operator", "operator", "operator-root", frozenset({"operator"})))
principals = keys | members | operators


@given(principals)
def test_a_principal_survives_the_authorizers_context(principal: Principal) -> None:
    context = principal_to_context(principal)
    assert all(isinstance(value, str) for value in context.values())
    assert principal_of(event(context)) == principal


@given(principals, st.sampled_from(sorted(SCOPES)))
def test_a_scope_is_for_its_kind_and_its_holder(principal: Principal, scope: str) -> None:
    if scope in principal.scopes:
        require(principal, scope)
        return
    with pytest.raises(Forbidden):
        require(principal, scope)


@pytest.mark.parametrize(
    ("kind", "scopes", "member"),
    [
        ("key", {MEMBER}, None),
        ("key", {"operator"}, None),
        ("key", {"members:read"}, "mbr_1"),
        ("member", {MEMBER, "members:read"}, "mbr_1"),
        ("member", {"members:read"}, "mbr_1"),
        ("member", {MEMBER}, None),
        ("operator", {"operator", "members:read"}, None),
        ("operator", {MEMBER}, None),
        ("root", set(), None),
    ],
)
def test_callers_that_no_authorizer_makes(kind: Any, scopes: set[str], member: str | None) -> None:
    with pytest.raises(InvalidValue):
        Principal(kind, "acme", "some-id", frozenset(scopes), member)
    context = {"kind": kind, "tenant": "acme", "id": "some-id", "scopes": " ".join(scopes)} | ({"member": member} if member else {})
    with pytest.raises(InvalidCredential):
        principal_of(event(context))


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"requestContext": None},
        {"requestContext": {}},
        {"requestContext": {"authorizer": None}},
        event(None),
        event({}),
        event("text"),
        event([1]),
    ],
)
def test_no_context_is_a_missing_credential(broken: dict[str, Any]) -> None:
    with pytest.raises(MissingCredential):
        principal_of(broken)


@given(
    st.dictionaries(
        st.sampled_from(["kind", "tenant", "id", "scopes", "member", "auth_error"]),
        st.none() | st.text(max_size=8) | st.integers(),
        min_size=1,
    )
)
def test_any_context_is_a_principal_or_a_refusal(context: dict[str, Any]) -> None:
    found = attempt(context)
    if isinstance(found, Principal):
        assert principal_of(event(principal_to_context(found))) == found
    else:
        assert found.code in AUTH_ERRORS


def attempt(context: dict[str, Any]) -> Principal | AppError:
    try:
        return principal_of(event(context))
    except AppError as refusal:
        return refusal


@pytest.mark.parametrize("code", sorted(AUTH_ERRORS))
def test_an_auth_error_is_raised_as_it_was_found(code: str) -> None:
    with pytest.raises(AUTH_ERRORS[code]) as refused:
        principal_of(event(auth_error_to_context(code)))
    assert refused.value.code == code
    assert isinstance(refused.value, Unauthenticated) == (code != "authorizer_unavailable")
    assert refused.value.status == (503 if code == "authorizer_unavailable" else 401)


def test_an_unknown_auth_error_is_still_refused() -> None:
    with pytest.raises(InvalidCredential):
        principal_of(event({"auth_error": "new_reason"}))
    with pytest.raises(InvalidValue):
        auth_error_to_context("new_reason")


def test_a_principal_beside_an_auth_error_is_not_believed() -> None:
    context = principal_to_context(Principal("key", "acme", "some-id", frozenset({"members:read"})))
    with pytest.raises(AUTH_ERRORS["revoked_key"]):
        principal_of(event({**context, "auth_error": "revoked_key"}))
