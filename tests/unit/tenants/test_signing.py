"""Generations of the signing key: whoever looks once a minute signs with what everybody else verifies."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.kernel.instants import MINUTE, SECOND
from shared.tenants.signing import CACHE_SECONDS, LEAD, REST, generations_at
from shared.tenants.tokens import LIFETIME, Generations, InvalidToken, TokenSigner

NOW = 1_795_255_200_000
MASTER = b"a master secret of the tests"


def signer(generations: Generations) -> TokenSigner:
    return TokenSigner(MASTER, generations=lambda: generations)


def test_at_the_beginning_there_is_one_key() -> None:
    assert generations_at(1, 0, NOW) == Generations(1, (1,))


@pytest.mark.parametrize(("at", "signing"), [(NOW - 1, 6), (NOW, 7)])
def test_a_new_key_is_shown_before_it_signs(at: int, signing: int) -> None:
    assert generations_at(7, NOW, at) == Generations(signing, (7, 6))


def test_each_generation_is_a_key_of_its_own_and_the_signing_one_is_shown_first() -> None:
    before, after = signer(Generations(1, (2, 1))), signer(Generations(2, (2, 1)))
    kids = [[each["kid"] for each in one.jwks()["keys"]] for one in (before, after)]
    assert kids[0] == list(reversed(kids[1]))
    assert len(set(kids[0])) == 2


def test_what_the_key_before_signed_is_good_and_what_the_one_before_that_signed_is_not() -> None:
    token = signer(Generations(1, (1,))).issue("acme", "mbr_1", NOW)
    assert signer(Generations(2, (2, 1))).verify(token, NOW)
    with pytest.raises(InvalidToken):
        signer(Generations(3, (3, 2))).verify(token, NOW)


@given(
    st.lists(st.integers(0, 30 * MINUTE), max_size=4),
    st.integers(0, 200 * MINUTE),
    st.integers(0, LIFETIME - SECOND),
    st.tuples(st.integers(0, CACHE_SECONDS), st.integers(0, CACHE_SECONDS)),
)
@example([0, 0], LEAD - SECOND, LIFETIME - SECOND, (0, 0))
def test_rotations_end_no_token_however_old_the_environments_knowledge(
    waits: list[int], issued: int, later: int, ages: tuple[int, int]
) -> None:
    rotations, at = [(NOW, 1, 0)], NOW
    for number, wait in enumerate(waits, 2):
        at += wait
        rotations.append((at, number, at + LEAD))
        at += LEAD + REST

    def known(instant: int, age: int) -> Generations:
        """As an environment knows it that looked so many seconds ago."""
        _, newest, since = [each for each in rotations if each[0] <= max(NOW, instant - age * SECOND)][-1]
        return generations_at(newest, since, instant)

    token = signer(known(NOW + issued, ages[0])).issue("acme", "mbr_1", NOW + issued)
    assert signer(known(NOW + issued + later, ages[1])).verify(token, NOW + issued + later)
