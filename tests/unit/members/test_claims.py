from __future__ import annotations

import pytest

from shared.kernel.errors import Forbidden
from shared.members.api import IdentifierRequest
from shared.members.claims import claims_of, proven_claim
from shared.members.errors import ProofRequired
from shared.members.identifiers import InvalidIdentifier
from shared.tenants.model import TenantSettings
from shared.tenants.oidc import VerifiedIdentity

SETTINGS = TenantSettings(name="Fries", currency="EUR", time_zone="UTC", country="DE")


def ask(kind: str, value: str, proof: str | None = None) -> IdentifierRequest:
    return IdentifierRequest.model_validate({"kind": kind, "value": value, "proof": proof})


def kinds(claims: object) -> list[tuple[str, str, bool]]:
    return [(each.kind, each.value, each.optional) for each in claims.proven]  # type: ignore[attr-defined]


def test_having_a_card_proves_it_and_knowing_a_phone_does_not() -> None:
    claims = claims_of(SETTINGS, None, [ask("card", "77-88"), ask("phone", "0151 12345678"), ask("external", "x")], may_write=False)
    assert kinds(claims) == [("card", "7788", False), ("external", "x", False)]
    assert claims.contact == {"phone": "+4915112345678"}


def test_the_same_identifier_twice_is_claimed_once() -> None:
    claims = claims_of(SETTINGS, None, [ask("card", "77-88"), ask("card", "7788"), ask("card", "99 00")], may_write=False)
    assert kinds(claims) == [("card", "7788", False), ("card", "9900", False)]


def test_vouching_takes_the_right_to_write() -> None:
    with pytest.raises(Forbidden):
        claims_of(SETTINGS, None, [ask("email", "a@b.example", "otp")], may_write=False)
    claims = claims_of(SETTINGS, None, [ask("email", "A@b.example", "otp")], may_write=True)
    assert kinds(claims) == [("email", "a@b.example", False)]


def test_a_verified_address_is_claimed_only_if_it_is_free_unless_she_asks_for_it() -> None:
    identity = VerifiedIdentity("google", "s1", "A@b.example", email_verified=True, is_private_email=False)
    assert kinds(claims_of(SETTINGS, identity, [], may_write=False)) == [("google", "s1", False), ("email", "a@b.example", True)]
    asked = claims_of(SETTINGS, identity, [ask("email", "a@B.example", "otp")], may_write=True)
    assert kinds(asked) == [("google", "s1", False), ("email", "a@b.example", False)]


@pytest.mark.parametrize(
    ("verified", "private", "email"), [(False, False, "a@b.example"), (True, True, "a@b.example"), (True, False, "no address")]
)
def test_an_address_that_proves_nothing_is_not_claimed(verified: bool, private: bool, email: str) -> None:
    identity = VerifiedIdentity("apple", "s1", email, verified, private)
    assert kinds(claims_of(SETTINGS, identity, [], may_write=False)) == [("apple", "s1", False)]


def test_an_identifier_to_attach_is_proven_or_refused() -> None:
    assert proven_claim(SETTINGS, ask("phone", "0151 12345678", "till")).value == "+4915112345678"
    assert proven_claim(SETTINGS, ask("card", "77 88")).value == "7788"
    with pytest.raises(ProofRequired):
        proven_claim(SETTINGS, ask("phone", "0151 12345678"))
    with pytest.raises(InvalidIdentifier):
        proven_claim(SETTINGS, ask("phone", "12", "otp"))
