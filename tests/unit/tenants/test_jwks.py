from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shared.kernel.instants import HOUR, MINUTE, SECOND
from shared.tenants.jwks import JwkSet, JwksSource, ProviderUnavailable
from tests.unit.tenants.test_oidc import ec_key, jwk, rsa_key

URL = "https://provider.example/keys"


def document(*kids: str) -> bytes:
    return json.dumps({"keys": [jwk(ec_key().public_key(), kid) for kid in kids]}).encode()


class Provider:
    """A provider on a stopped clock; what it answers is an exception or a body."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.now = 0
        self.fetched: list[str] = []
        self.source = JwksSource(self.fetch, lambda: self.now)

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def knows(self, kid: str) -> bool:
        return self.source.keys_for(URL, kid).get(kid) is not None


def test_keys_are_fetched_once_and_kept() -> None:
    provider = Provider(document("a"))
    for _ in range(5):
        assert provider.knows("a")
        provider.now += 10 * MINUTE
    assert provider.fetched == [URL]


def test_old_keys_are_fetched_again() -> None:
    provider = Provider(document("a"))
    assert provider.knows("a")
    provider.now = HOUR
    assert provider.knows("a")
    assert len(provider.fetched) == 2


def test_an_unknown_key_causes_one_fetch_per_five_minutes() -> None:
    provider = Provider(document("a"))
    assert provider.knows("a")
    provider.answer = document("a", "b")
    for _ in range(100):
        assert not provider.knows("b")
    assert len(provider.fetched) == 1
    provider.now = 5 * MINUTE
    assert provider.knows("b")
    for _ in range(100):
        assert not provider.knows("c")
    assert len(provider.fetched) == 2


@pytest.mark.parametrize("failure", [OSError("unreachable"), b"<html>", b"[]", b'{"keys": 1}', b"\xff"])
def test_a_failed_fetch_leaves_the_keys_that_are_there(failure: Any) -> None:
    provider = Provider(document("a"))
    assert provider.knows("a")
    provider.answer, provider.now = failure, 2 * HOUR
    assert provider.knows("a")
    assert provider.knows("a")
    assert len(provider.fetched) == 2


def test_without_any_keys_the_caller_is_told_to_repeat() -> None:
    provider = Provider(OSError("unreachable"))
    for _ in range(3):
        with pytest.raises(ProviderUnavailable):
            provider.knows("a")
    assert len(provider.fetched) == 1
    provider.answer, provider.now = document("a"), 10 * SECOND
    assert provider.knows("a")


def test_a_mistake_in_the_fetcher_is_not_swallowed() -> None:
    provider = Provider(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        provider.knows("a")


def test_keys_that_are_left_out() -> None:
    good = jwk(ec_key().public_key(), "good")
    entries = [
        good,
        jwk(rsa_key(1024).public_key(), "weak"),
        jwk(ec_key(), "private"),
        jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), "p384"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"},
        {**good, "kid": "encrypts", "use": "enc"},
        {**good, "kid": "another", "alg": "ES512"},
        {**good, "kid": "broken", "x": "AA"},
        {**good, "kid": 7},
        {key: value for key, value in good.items() if key != "kid"},
        {"kid": "empty"},
        {"kid": "odd", "kty": ["RSA"]},
        "text",
    ]
    assert set(JwkSet.of({"keys": entries}).keys) == {"good"}


@pytest.mark.parametrize("broken", [None, [], "keys", {}, {"keys": {}}])
def test_what_is_no_set_is_refused(broken: Any) -> None:
    with pytest.raises(ValueError, match="not a JWK set"):
        JwkSet.of(broken)
