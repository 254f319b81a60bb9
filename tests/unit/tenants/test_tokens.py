from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.tenants.principal import AUTH_ERRORS
from shared.tenants.tokens import InvalidToken, MemberToken, TokenExpired, TokenSigner

NOW = 1_795_255_200_000
MINUTE = 60_000
SIGNER = TokenSigner(b"m" * 32)
OTHER = TokenSigner(b"n" * 32)


def forged(claims: dict[str, Any], signer: TokenSigner = SIGNER, **headers: Any) -> str:
    """A token with any claims, signed by the signer's own key."""
    pair = signer._current
    return jwt.encode(claims, pair.private, algorithm="ES256", headers={"kid": pair.kid, **headers})


def signed_by_secret(secret: str, kid: str) -> str:
    """HS256 by hand: PyJWT itself refuses to sign with a public key."""
    head, body, _ = jwt.encode(good_claims(), "x" * 32, algorithm="HS256", headers={"kid": kid}).split(".")
    tag = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"


def good_claims(**changes: Any) -> dict[str, Any]:
    claims = {"iss": "regulars", "aud": "regulars:acme", "sub": "mbr_1", "iat": NOW // 1000, "exp": NOW // 1000 + 900}
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


@given(
    st.from_regex(r"\A[a-z0-9]{4,26}\Z"),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.integers(0, 899_999),
)
def test_a_token_says_who_and_for_how_long(tenant: str, member: str, later: int) -> None:
    token = SIGNER.issue(tenant, member, NOW)
    assert SIGNER.verify(token, NOW + later) == MemberToken(tenant, member, NOW, NOW + 15 * MINUTE)


def test_a_token_ends_with_its_time() -> None:
    token = SIGNER.issue("acme", "mbr_1", NOW, lifetime=MINUTE)
    SIGNER.verify(token, NOW + MINUTE - 1)
    with pytest.raises(TokenExpired):
        SIGNER.verify(token, NOW + MINUTE)


def test_a_token_from_the_future_is_refused() -> None:
    token = SIGNER.issue("acme", "mbr_1", NOW)
    SIGNER.verify(token, NOW - MINUTE)
    with pytest.raises(InvalidToken):
        SIGNER.verify(token, NOW - MINUTE - 1000)


def test_the_key_is_the_same_in_every_process_and_another_for_another_master() -> None:
    assert TokenSigner(b"m" * 32).jwks() == SIGNER.jwks()
    assert OTHER.jwks() != SIGNER.jwks()
    with pytest.raises(InvalidToken):
        OTHER.verify(SIGNER.issue("acme", "mbr_1", NOW), NOW)


def test_rotation_keeps_the_previous_tokens_good() -> None:
    rotated = TokenSigner(b"n" * 32, previous=b"m" * 32)
    assert rotated.verify(SIGNER.issue("acme", "mbr_1", NOW), NOW).member == "mbr_1"
    assert [key["kid"] for key in rotated.jwks()["keys"]] == [OTHER._current.kid, SIGNER._current.kid]
    with pytest.raises(InvalidToken):
        SIGNER.verify(rotated.issue("acme", "mbr_1", NOW), NOW)


def test_the_published_key_verifies_and_its_id_is_its_thumbprint() -> None:
    (key,) = SIGNER.jwks()["keys"]
    claims = jwt.decode(
        SIGNER.issue("acme", "mbr_1", NOW),
        jwt.PyJWK(key),
        algorithms=["ES256"],
        audience="regulars:acme",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["sub"] == "mbr_1"
    required = json.dumps({name: key[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    assert key["kid"] == base64.urlsafe_b64encode(hashlib.sha256(required.encode()).digest()).decode().rstrip("=")
    assert "d" not in key


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "someone"},
        {"iss": None},
        {"aud": "regulars:"},
        {"aud": "regulars:a#b"},
        {"aud": "acme"},
        {"aud": ["regulars:acme"]},
        {"aud": None},
        {"sub": ""},
        {"sub": None},
        {"iat": None},
        {"iat": "1"},
        {"exp": None},
        {"exp": True},
        {"exp": 1e12},
    ],
)
def test_claims_that_we_do_not_make_are_refused(changes: dict[str, Any]) -> None:
    SIGNER.verify(forged(good_claims()), NOW)
    with pytest.raises(InvalidToken):
        SIGNER.verify(forged(good_claims(**changes)), NOW)


def test_other_algorithms_are_refused() -> None:
    kid = SIGNER._current.kid
    (public,) = SIGNER.jwks()["keys"]
    for token in (
        jwt.encode(good_claims(), "", algorithm="none", headers={"kid": kid}),
        signed_by_secret(json.dumps(public), kid),
        jwt.encode(good_claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": kid}),
        forged(good_claims(), kid="unknown"),
        jwt.encode(good_claims(), SIGNER._current.private, algorithm="ES256"),
    ):
        with pytest.raises(InvalidToken):
            SIGNER.verify(token, NOW)


def test_a_changed_token_is_refused() -> None:
    head, body, signature = SIGNER.issue("acme", "mbr_1", NOW).split(".")
    other_body = SIGNER.issue("acme", "mbr_2", NOW).split(".")[1]
    for token in (f"{head}.{other_body}.{signature}", f"{head}.{body}.", f"{head}.{body}", body, token_of_length(5000)):
        with pytest.raises(InvalidToken):
            SIGNER.verify(token, NOW)


def token_of_length(length: int) -> str:
    return SIGNER.issue("acme", "m" * length, NOW)


@given(st.text() | st.from_regex(r"\A[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\Z"))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        SIGNER.verify(text, NOW)


@pytest.mark.parametrize(("tenant", "member", "lifetime"), [("a#b", "mbr_1", MINUTE), ("acme", "", MINUTE), ("acme", "mbr_1", 999)])
def test_tokens_that_are_not_issued(tenant: str, member: str, lifetime: int) -> None:
    with pytest.raises(InvalidValue):
        SIGNER.issue(tenant, member, NOW, lifetime)


def test_the_authorizer_can_answer_these_refusals() -> None:
    assert {InvalidToken.code, TokenExpired.code} <= AUTH_ERRORS.keys()
