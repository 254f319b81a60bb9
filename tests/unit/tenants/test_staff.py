"""Staff: what the groups may do, names that tell their tenant, and which tokens of which pool are taken."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shared.kernel.errors import InvalidValue
from shared.kernel.scopes import KEY_SCOPES
from shared.tenants.jwks import JwksSource, ProviderUnavailable
from shared.tenants.principal import ExpiredToken, InvalidCredential
from shared.tenants.staff import SCOPES_OF, STAFF_GROUPS, names_of, new_staff_id, parse_username, username
from shared.tenants.staff_tokens import StaffTokens, is_staff_token, staff_pool
from shared.tenants.tokens import TokenSigner
from tests.builders.staff_tokens import POOL, claims_of, signing_key, token_of, verifier

NOW = 1_795_255_200_000
ANNA = "demo.stf_aaaaaaaaaaaa"
AT_THE_TILL = {"transactions:write", "coupons:redeem"}


def refused(claims: dict[str, Any], **how: Any) -> type[Exception]:
    with pytest.raises((InvalidCredential, ExpiredToken)) as found:
        verifier(NOW).verify(token_of(claims, **how), NOW)
    return found.type


def test_every_group_has_scopes_that_keys_may_hold_and_only_owners_sell_or_give_rights() -> None:
    assert SCOPES_OF.keys() == set(STAFF_GROUPS)
    assert SCOPES_OF["owner"] == KEY_SCOPES
    for group in set(STAFF_GROUPS) - {"owner"}:
        assert SCOPES_OF[group] < KEY_SCOPES
        assert not SCOPES_OF[group] & (AT_THE_TILL | {"tenant:admin", "members:erase", "members:personal"}), group
    assert all(each.endswith(":read") for each in SCOPES_OF["read_only"])


def test_a_name_tells_its_tenant_and_no_tenants_names_begin_like_anothers() -> None:
    made = new_staff_id(lambda size: bytes(range(size)))
    assert parse_username(username("demo", made)) == ("demo", made)
    assert parse_username(username("demo-test", made)) == ("demo-test", made)
    for other in ("demoshop", "demo-test"):
        assert not username(other, made).startswith(names_of("demo"))
    for text in ("", "demo", f"demo.{made}.x", f"demo#{made}", f"x.{made}", "demo.stf_AAAAAAAAAAAA", f"demo.demo.{made}"):
        with pytest.raises(InvalidValue):
            parse_username(text)
    with pytest.raises(InvalidValue):
        username("demo", "owner")


def test_a_token_of_the_pool_says_who_and_which_groups() -> None:
    token = token_of(claims_of(ANNA, NOW, "owner", "somebody-elses-group"))
    found = verifier(NOW).verify(token, NOW)
    assert (found.tenant, found.staff_id, found.groups) == ("demo", "stf_aaaaaaaaaaaa", {"owner"})
    assert found.issued_at == NOW
    assert is_staff_token(token)
    assert not is_staff_token(TokenSigner(b"a master secret of the tests").issue("demo", "mbr_1", NOW))


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other"}, {"client_id": "another"}, {"token_use": "id"},
        {"username": "demo"}, {"username": None}, {"username": "demo." + "s" * 500}, {"iat": NOW // 1000 + 61}, {"exp": "tomorrow"},
        {"exp": True}, {"iat": None}, {"client_id": None, "aud": "client0123456789"},
    ],
)  # fmt: skip
def test_a_token_of_another_pool_or_client_or_kind_is_none(other: dict[str, Any]) -> None:
    assert refused(claims_of(ANNA, NOW, "owner", **other)) is InvalidCredential


def test_a_token_ends_to_the_second() -> None:
    assert refused(claims_of(ANNA, NOW, "owner", exp=NOW // 1000)) is ExpiredToken
    assert verifier(NOW).verify(token_of(claims_of(ANNA, NOW, exp=NOW // 1000 + 1)), NOW).groups == frozenset()


def test_what_another_key_signed_is_refused() -> None:
    claims = claims_of(ANNA, NOW, "owner")
    assert refused(claims, key=signing_key("another")) is InvalidCredential
    assert refused(claims, kid="unknown") is InvalidCredential
    assert refused(claims, key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256") is InvalidCredential
    with_secret = jwt.encode(claims, b"a secret of the tests, long enough", algorithm="HS256", headers={"kid": "pool-key-1"})
    for text in (with_secret, "", "a.b.c", token_of(claims)[:-2] + "AA", "x" * 9000):
        with pytest.raises(InvalidCredential):
            verifier(NOW).verify(text, NOW)


def test_without_the_pools_keys_nobody_is_refused_for_good() -> None:
    def unreachable(_url: str) -> bytes:
        raise OSError

    with pytest.raises(ProviderUnavailable):
        StaffTokens(POOL, JwksSource(unreachable, lambda: NOW)).verify(token_of(claims_of(ANNA, NOW)), NOW)


def test_a_local_pool_signs_as_aws_does_and_has_its_keys_here() -> None:
    here = staff_pool("us-east-1", "us-east-1_x", "c", "http://localhost:4566")
    assert here.issuer == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_x"
    assert here.jwks_url == "http://localhost:4566/us-east-1_x/.well-known/jwks.json"
    assert POOL.jwks_url == f"{POOL.issuer}/.well-known/jwks.json"
