from __future__ import annotations

import base64
import hashlib
import hmac
import json
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from shared.tenants.jwks import JwkSet
from shared.tenants.oidc import IdentityTokenRefused, VerifiedIdentity, apple, google, signing_key_id, verify_identity

NOW = 1_795_255_200_000
SECONDS = NOW // 1000
APPLE = apple(("com.example.app", "com.example.web"))
GOOGLE = google(("123.apps.example",), nonce_required=False)


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**algorithm.to_jwk(key, as_dict=True), "kid": kid, **more}


@cache
def keys() -> JwkSet:
    return JwkSet.of({"keys": [jwk(rsa_key().public_key(), "r1", use="sig", alg="RS256"), jwk(ec_key().public_key(), "e1")]})


def claims(**changes: Any) -> dict[str, Any]:
    made = {
        "iss": "https://appleid.apple.com",
        "aud": "com.example.app",
        "sub": "000544.abc.1321",
        "iat": SECONDS,
        "exp": SECONDS + 600,
        "nonce": "raw-nonce",
        "email": "x@privaterelay.appleid.com",
        "email_verified": "true",
        "is_private_email": "true",
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def signed(algorithm: str = "RS256", kid: str | None = "r1", key: Any = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key or rsa_key(), algorithm=algorithm, headers={"kid": kid} if kid else None)


def signed_by_secret(secret: str, kid: str) -> str:
    """HS256 by hand: PyJWT itself refuses to sign with a public key."""
    head, body, _ = jwt.encode(claims(), "x" * 32, algorithm="HS256", headers={"kid": kid}).split(".")
    tag = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"


def refusal(token: str, provider: Any = APPLE, nonce: str | None = "raw-nonce", now: int = NOW) -> str:
    with pytest.raises(IdentityTokenRefused) as refused:
        verify_identity(provider, token, keys(), now, nonce)
    error = refused.value
    assert (error.status, error.code, error.errors[0].code) == (401, "invalid_identity_token", error.reason)
    return error.reason


def test_apples_token_is_taken() -> None:
    found = verify_identity(APPLE, signed(), keys(), NOW, "raw-nonce")
    assert found == VerifiedIdentity("apple", "000544.abc.1321", "x@privaterelay.appleid.com", True, True)


def test_the_native_sdk_hashes_the_nonce() -> None:
    hashed = hashlib.sha256(b"raw-nonce").hexdigest()
    for nonce in (hashed, hashed.upper()):
        assert verify_identity(APPLE, signed(nonce=nonce), keys(), NOW, "raw-nonce").subject == "000544.abc.1321"
    # The hash is of the raw value: sending the hash itself proves nothing.
    assert refusal(signed(nonce=hashlib.sha256(hashed.encode()).hexdigest()), nonce="raw-nonce") == "wrong_nonce"


def test_googles_token_is_taken() -> None:
    token = signed(iss="accounts.google.com", aud="123.apps.example", nonce=None, email_verified=True, is_private_email=None, sub="1101")
    assert verify_identity(GOOGLE, token, keys(), NOW, None) == VerifiedIdentity(
        "google", "1101", "x@privaterelay.appleid.com", True, False
    )


def test_an_elliptic_key_is_taken() -> None:
    assert verify_identity(APPLE, signed("ES256", "e1", ec_key()), keys(), NOW, "raw-nonce").provider == "apple"


def test_a_token_without_an_address() -> None:
    found = verify_identity(APPLE, signed(email=None), keys(), NOW, "raw-nonce")
    assert (found.email, found.email_verified) == (None, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://accounts.google.com"}, "wrong_issuer"),
        ({"iss": None}, "wrong_issuer"),
        ({"aud": "com.other.app"}, "wrong_audience"),
        ({"aud": None}, "wrong_audience"),
        ({"aud": []}, "wrong_audience"),
        ({"aud": ["com.example.app", "com.other.app"]}, "wrong_audience"),
        ({"aud": ["com.example.app", "com.other.app"], "azp": "com.other.app"}, "wrong_audience"),
        ({"aud": {"com.example.app": 1}}, "wrong_audience"),
        ({"exp": SECONDS - 60}, "expired_identity_token"),
        ({"exp": None}, "malformed_token"),
        ({"exp": "soon"}, "malformed_token"),
        ({"iat": None}, "malformed_token"),
        ({"iat": SECONDS + 61}, "not_yet_valid"),
        ({"nbf": SECONDS + 61}, "not_yet_valid"),
        ({"nonce": "other"}, "wrong_nonce"),
        ({"nonce": None}, "wrong_nonce"),
        ({"nonce": 5}, "wrong_nonce"),
        ({"sub": None}, "missing_subject"),
        ({"sub": ""}, "missing_subject"),
    ],
)
def test_claims_that_prove_nothing(changes: dict[str, Any], reason: str) -> None:
    assert refusal(signed(**changes)) == reason


def test_clocks_may_differ_by_a_minute() -> None:
    token = signed(exp=SECONDS - 59, iat=SECONDS + 60)
    assert verify_identity(APPLE, token, keys(), NOW, "raw-nonce").provider == "apple"


def test_one_of_several_audiences_with_us_as_the_party() -> None:
    token = signed(aud=["com.other.app", "com.example.app"], azp="com.example.app")
    assert verify_identity(APPLE, token, keys(), NOW, "raw-nonce").provider == "apple"


def test_a_tenant_without_audiences_takes_no_token() -> None:
    assert refusal(signed(), provider=apple(())) == "wrong_audience"


def test_a_missing_nonce() -> None:
    assert refusal(signed(), nonce=None) == "missing_nonce"
    assert refusal(signed(), nonce="") == "missing_nonce"
    google_token = signed(iss="accounts.google.com", aud="123.apps.example")
    assert refusal(google_token, provider=GOOGLE, nonce="another") == "wrong_nonce"


def test_algorithms_and_keys_that_are_refused() -> None:
    public = json.dumps(jwk(rsa_key().public_key(), "r1"))
    assert refusal(jwt.encode(claims(), "", algorithm="none", headers={"kid": "r1"})) == "unsupported_algorithm"
    assert refusal(signed_by_secret(public, "r1")) == "unsupported_algorithm"
    assert refusal(signed("RS512")) == "unsupported_algorithm"
    assert refusal(signed("RS256", "e1")) == "unsupported_algorithm"
    assert refusal(signed("ES256", "r1", ec_key())) == "unsupported_algorithm"
    assert refusal(signed(kid="r2")) == "unknown_signing_key"
    assert refusal(signed(kid=None)) == "malformed_token"
    assert refusal(signed("ES256", "e1", ec.generate_private_key(ec.SECP256R1()))) == "bad_signature"


def test_a_changed_payload_is_refused() -> None:
    head, _, signature = signed().split(".")
    body = signed(sub="another").split(".")[1]
    assert refusal(f"{head}.{body}.{signature}") == "bad_signature"


@given(st.text() | st.from_regex(r"\A[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\Z"))
def test_any_text_is_refused(text: str) -> None:
    assert refusal(text) in {"malformed_token", "unsupported_algorithm"}


def test_the_key_id_is_read_before_the_keys_are_known() -> None:
    assert signing_key_id(signed()) == "r1"
    for token in ("", "a.b.c", signed(kid=None), "x" * 20_000):
        with pytest.raises(IdentityTokenRefused):
            signing_key_id(token)


def test_no_refusal_repeats_the_token() -> None:
    token = signed(email="anna@example.com", aud="com.other.app")
    with pytest.raises(IdentityTokenRefused) as refused:
        verify_identity(APPLE, token, keys(), NOW, "raw-nonce")
    assert "anna" not in f"{refused.value} {refused.value.errors}"
    assert refused.value.__cause__ is None
