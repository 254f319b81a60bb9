"""Whatever text comes as a credential, a cursor, a link or a code: it is what we made, or it is refused as documented.

Texts are arbitrary, genuine ones that were changed a little, and ones that are rightly signed over contents that we never write. Many more
than of other properties: two thousand by default, a hundred thousand in the nightly run.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.coupons import qr
from shared.kernel.errors import AppError, Gone, NotFound, Unauthenticated
from shared.kernel.pages import InvalidCursor, open_cursor, seal_cursor
from shared.members.form_links import Invitation, open_invitation, seal_invitation
from shared.messaging.links import open_link, open_unsubscribe, seal_link, seal_unsubscribe
from shared.tenants.access import Access, StaffDoor
from shared.tenants.credentials import ParsedKey, new_api_key, parse_api_key
from shared.tenants.jwks import JwkSet
from shared.tenants.oidc import IdentityTokenRefused, apple, signing_key_id, verify_identity
from shared.tenants.principal import AUTH_ERRORS, AuthorizerUnavailable
from shared.tenants.refresh import RefreshKeys, Session
from shared.tenants.tokens import TokenSigner
from tests.builders.staff_tokens import KID, claims_of, signing_key, token_of, verifier

EXAMPLES = 100_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 2_000
NOW = 1_795_255_200_000
KEY, MASTER = bytes(range(32)), b"a master secret of the tests"
MEMBER = "mbr_01ARZ3NDEKTSV4RRFFQ69G5FAV"
STAFF = "demo.stf_aaaaaaaaaaaa"
many = settings(max_examples=EXAMPLES)


class NoTable:
    """Has nothing in it."""

    def get(self, _key: object, *, consistent: bool = True) -> None:
        return None


@cache
def signer() -> TokenSigner:
    return TokenSigner(MASTER)


@cache
def provider_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def provider_keys() -> JwkSet:
    return JwkSet.of({"keys": [{**jwt.algorithms.ECAlgorithm.to_jwk(provider_key().public_key(), as_dict=True), "kid": "k1"}]})


@cache
def access() -> Access:
    staff = StaffDoor(verifier(NOW), lambda: NOW)
    return Access(NoTable(), signer(), KEY, "o" * 43, lambda: NOW, lambda: 0.0, staff)  # type: ignore[arg-type]


@cache
def refresh_keys() -> RefreshKeys:
    return RefreshKeys(MASTER)


def identity(text: str) -> object:
    signing_key_id(text)
    return verify_identity(apple(("app",), nonce_required=False), text, provider_keys(), NOW, None)


@dataclass(frozen=True)
class Door:
    """One way in: how a text is read, what refusals are documented, and a text that is genuine."""

    read: Callable[[str], object]
    refusals: tuple[type[AppError], ...]
    genuine: str


@cache
def doors() -> dict[str, Door]:
    invitation = Invitation("demo", MEMBER, "birthdays", "ask", ("city",), None, NOW + 1000)
    claims = {"iss": "https://appleid.apple.com", "aud": "app", "sub": "s", "iat": NOW // 1000, "exp": NOW // 1000 + 600}
    token = jwt.encode(claims, provider_key(), algorithm="ES256", headers={"kid": "k1"})
    keys = JwkSet.of(signer().jwks())
    content = qr.QrContent("member", "demo", MEMBER, "123", NOW + 60_000)
    session = Session(MEMBER, "family", digest=b"", generation=1, created_at=NOW, rotated_at=NOW)
    return {
        "member's token": Door(lambda t: signer().verify(t, NOW), (Unauthenticated,), signer().issue("demo", MEMBER, NOW)),
        "staff's token": Door(lambda t: verifier(NOW).verify(t, NOW), (Unauthenticated,), token_of(claims_of(STAFF, NOW, "owner"))),
        "identity token": Door(identity, (IdentityTokenRefused,), token),
        "cursor": Door(lambda t: open_cursor(KEY, "demo|list", t), (InvalidCursor,), seal_cursor(KEY, "demo|list", {"sk": "x"})),
        "form": Door(lambda t: open_invitation(KEY, t, NOW), (NotFound, Gone), seal_invitation(KEY, invitation)),
        "click": Door(lambda t: open_link(KEY, "click", "demo", t), (NotFound,), seal_link(KEY, "click", "demo", MEMBER, "dlv_1", 3)),
        "unsubscribing": Door(
            lambda t: open_unsubscribe(KEY, "demo", t), (NotFound,), seal_unsubscribe(KEY, "demo", MEMBER, "email", "marketing", "dlv_1")
        ),
        "QR code": Door(lambda t: qr.verify(t, keys, "demo", NOW), (qr.InvalidQr, qr.ExpiredQr), signer().sign(content.text().encode())),
        "refresh token": Door(lambda t: refresh_keys().open(t, NOW), (Unauthenticated,), refresh_keys().seal("demo", session, bytes(32))),
    }


def _changed(text: str, place: int, kind: str, other: str) -> str:
    at = place % (len(text) + 1)
    return {
        "replace": text[:at] + other + text[at + len(other) :], "insert": text[:at] + other + text[at:], "cut": text[:at],
        "drop": text[at:], "double": text + other + text, "swap": text[at:] + text[:at], "case": text[:at] + text[at:].swapcase(),
    }[kind]  # fmt: skip


ODD = st.text(max_size=40) | st.text('abcXYZ019-_.=|{}[]"\\\x00é', max_size=60)
KINDS = st.sampled_from(["replace", "insert", "cut", "drop", "double", "swap", "case"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
CLAIMS = st.dictionaries(
    st.sampled_from(["iss", "aud", "sub", "iat", "exp", "nbf", "nonce", "scope", "t", "m", "kid", "email", "email_verified",
                     "username", "client_id", "token_use", "cognito:groups"]),
    JSON,
    max_size=8,
)  # fmt: skip


def check(door: Door, text: str) -> None:
    """It is refused as documented, or says what the genuine text says."""
    try:
        found = door.read(text)
    except door.refusals:
        return
    assert found == door.read(door.genuine), text


@many
@given(ODD, st.integers(0, 400), KINDS)
def test_no_text_is_more_than_refused(odd: str, place: int, kind: str) -> None:
    for door in doors().values():
        check(door, odd)
        check(door, _changed(door.genuine, place, kind, odd[:3]))


@many
@given(CLAIMS, st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jku", "x5u", "b64"]), JSON, max_size=4))
def test_what_is_rightly_signed_but_not_ours_in_content_is_refused(claims: dict[str, Any], header: dict[str, Any]) -> None:
    body = json.dumps(claims).encode()
    signed = signer().sign(body)
    check(doors()["member's token"], signed)
    check(doors()["QR code"], signed)
    token = jwt.api_jws.encode(body, provider_key(), algorithm="ES256", headers={"kid": "k1"})
    check(doors()["identity token"], token)
    check(doors()["staff's token"], jwt.api_jws.encode(body, signing_key(), algorithm="RS256", headers={"kid": KID}))
    unsigned = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)) + "."
    for door in doors().values():
        check(door, unsigned)


@many
@given(ODD, st.integers(0, 80), KINDS)
def test_no_header_makes_the_authorizer_fail_or_let_anybody_in(odd: str, place: int, kind: str) -> None:
    genuine = new_api_key("demo", bytes).printable
    staffs = _changed(doors()["staff's token"].genuine, place, kind, odd[:3])
    changed = (f"Bearer {_changed(genuine, place, kind, odd[:3])}", f"Bearer {staffs}")
    for text in (odd, f"Bearer {odd}", *changed, f"Bearer lyk_operator-root_{odd}"):
        found = access().context_of(text)
        assert found.keys() == {"auth_error"}, text
        assert found["auth_error"] in AUTH_ERRORS.keys() - {AuthorizerUnavailable.code}, text


@many
@given(ODD, st.integers(0, 80), KINDS)
def test_an_api_key_is_read_whole_or_not_at_all(odd: str, place: int, kind: str) -> None:
    genuine = new_api_key("demo", bytes).printable
    for text in (odd, _changed(genuine, place, kind, odd[:3])):
        parsed = parse_api_key(text)
        if isinstance(parsed, ParsedKey):
            assert text == f"lyk_{parsed.key_id}_{parsed.secret}"
            assert parsed.key_id.startswith(f"{parsed.tenant}-")
