"""QR codes: signed by us, for one tenant, for some minutes; a clock may be ten minutes wrong, and no more."""

from __future__ import annotations

from dataclasses import replace

import jwt
import pytest

from shared.coupons.qr import MAX_TEXT, SKEW, ExpiredQr, InvalidQr, QrContent, verify
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import MINUTE, SECOND, parse_rfc3339
from shared.kernel.modes import nth_test_of
from shared.tenants.jwks import JwkSet
from shared.tenants.tokens import InvalidToken, TokenSigner

NOW = parse_rfc3339("2026-11-21T10:00:00Z")
SIGNER = TokenSigner(b"a master secret of the tests")
KEYS = JwkSet.of(SIGNER.jwks())
CONTENT = QrContent("coupon", "demo", "cpn_01KAJ5XW0000000000000000CC", "percent 10", NOW + 5 * MINUTE)


def signed(content: QrContent = CONTENT, signer: TokenSigner = SIGNER) -> str:
    return signer.sign(content.text().encode())


@pytest.mark.parametrize("content", [CONTENT, replace(CONTENT, kind="member", id="mbr_01KAJ5XW0000000000000000AA", value="")])
def test_a_till_reads_what_was_signed_without_asking_anybody(content: QrContent) -> None:
    assert verify(signed(content), KEYS, "demo", NOW) == content


def test_the_longest_code_is_short_enough() -> None:
    tenant = nth_test_of("t" * 26, 99)
    longest = replace(CONTENT, tenant=tenant, id="code_EYdn.UB_C07u43BfBhILpSfbzzA", value="v" * 13)
    # What the smaller of the two symbols that are meant holds (ISO/IEC 18004: version 11-L, byte mode).
    assert len(signed(longest)) < MAX_TEXT < 321
    assert verify(signed(longest), KEYS, tenant, NOW) == longest


@pytest.mark.parametrize("late", [-SKEW, 0, 5 * MINUTE, 5 * MINUTE + SKEW - SECOND])
def test_a_clock_may_be_ten_minutes_wrong(late: int) -> None:
    assert verify(signed(), KEYS, "demo", NOW + late).id == CONTENT.id


def test_an_old_code_shown_again_is_refused() -> None:
    with pytest.raises(ExpiredQr):
        verify(signed(), KEYS, "demo", CONTENT.expires_at + SKEW)


def test_both_keys_are_good_while_the_secret_is_changed_and_the_old_one_not_after() -> None:
    new = TokenSigner(b"another master secret of tests", previous=b"a master secret of the tests")
    both = JwkSet.of(new.jwks())
    assert verify(signed(), both, "demo", NOW) == verify(signed(signer=new), both, "demo", NOW) == CONTENT
    with pytest.raises(InvalidQr):
        verify(signed(), JwkSet.of(TokenSigner(b"another master secret of tests").jwks()), "demo", NOW)


def test_any_changed_character_is_noticed() -> None:
    text = signed()
    for place in range(0, len(text) - 1, 7):
        other = "A" if text[place] != "A" else "B"
        with pytest.raises(InvalidQr):
            verify(text[:place] + other + text[place + 1 :], KEYS, "demo", NOW)


@pytest.mark.parametrize(
    "text",
    ["", "x", "a.b.c", "x" * 301, SIGNER.issue("demo", "mbr_1", NOW), SIGNER.sign(b"q1|c|demo|cpn_1|10"),
     SIGNER.sign(b"q2|c|demo|cpn_1|v|9999999999"), SIGNER.sign(b"q1|x|demo|cpn_1|v|9999999999"),
     SIGNER.sign(b"q1|c|demo|cpn_1|v|soon"), SIGNER.sign(b"\xff|c|demo|cpn_1|v|1"),
     jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256", headers={"kid": next(iter(KEYS.keys))})],
)  # fmt: skip
def test_what_is_no_code_of_ours_is_refused(text: str) -> None:
    with pytest.raises(InvalidQr):
        verify(text, KEYS, "demo", NOW)


def test_another_tenants_code_is_refused() -> None:
    with pytest.raises(InvalidQr):
        verify(signed(replace(CONTENT, tenant="other")), KEYS, "demo", NOW)


def test_a_code_is_no_access_token() -> None:
    with pytest.raises(InvalidToken):
        SIGNER.verify(signed(), NOW)


@pytest.mark.parametrize(
    "change",
    [{"id": "a|b"}, {"value": "a|b"}, {"id": "x" * 33}, {"value": "v" * 14}, {"id": "ä"}, {"value": "ä"}, {"tenant": "A"}],
)
def test_what_does_not_fit_is_not_signed(change: dict[str, str]) -> None:
    with pytest.raises(InvalidValue):
        replace(CONTENT, **change).text()  # type: ignore[arg-type]
