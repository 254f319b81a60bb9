"""Refresh tokens as texts and as decisions: one line of succession lives, and whoever steps out of it ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import DAY, SECOND
from shared.tenants.links import seal_token
from shared.tenants.refresh import (
    ABSOLUTE,
    GRACE,
    IDLE,
    PREFIX,
    InvalidRefreshToken,
    Refresh,
    RefreshKeys,
    Session,
    SessionEnded,
)

NOW = 1_795_255_200_000
MEMBER = "mbr_01ARZ3NDEKTSV4RRFFQ69G5FAV"
KEYS = RefreshKeys(b"a master secret of the tests")
SECRET = bytes(range(32))


def session(secret: bytes = SECRET, **changes: object) -> Session:
    made = Session(MEMBER, "family", KEYS.digest(secret), 1, NOW, NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


def sent(generation: int, secret: bytes) -> Refresh:
    return Refresh("demo", MEMBER, "family", generation, secret)


def test_a_token_says_its_place_and_its_secret() -> None:
    assert KEYS.open(KEYS.seal("demo", session(), SECRET), NOW) == Refresh("demo", MEMBER, "family", 1, SECRET)


def test_neither_what_is_stored_nor_what_is_shown_is_the_secret() -> None:
    assert SECRET not in KEYS.digest(SECRET)
    assert "secret" not in repr(sent(1, SECRET))
    assert KEYS.successor(SECRET) != SECRET
    assert RefreshKeys(b"the master secret of another").successor(SECRET) != KEYS.successor(SECRET)


def test_the_successor_is_always_the_same_text() -> None:
    after = session(KEYS.successor(SECRET), generation=2, rotated_at=NOW + SECOND)
    texts = {KEYS.seal("demo", after, KEYS.successor(SECRET)) for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_a_changed_character_makes_it_none_of_ours(place: int) -> None:
    token = KEYS.seal("demo", session(), SECRET)
    place = 4 + place % (len(token) - 4)
    changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    with pytest.raises(InvalidRefreshToken):
        KEYS.open(changed, NOW)


@given(st.text() | st.from_regex(r"lyr_[A-Za-z0-9_-]{1,300}", fullmatch=True))
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(InvalidRefreshToken):
        KEYS.open(text, NOW)


@pytest.mark.parametrize(
    "payload", [{}, {"t": "demo", "m": "m", "f": "f", "n": 1}, {"t": "No tenant", "m": "m", "f": "f", "n": 1, "s": "AA"}]
)
def test_a_genuine_tag_over_something_else_is_refused(payload: dict[str, object]) -> None:
    with pytest.raises(InvalidRefreshToken):
        KEYS.open(PREFIX + seal_token(KEYS._tag, "refresh-token", payload, NOW + DAY), NOW)


def test_it_ends_when_it_is_not_used_and_ends_for_good() -> None:
    token = KEYS.seal("demo", session(), SECRET)
    assert KEYS.open(token, NOW + IDLE - 1)
    with pytest.raises(SessionEnded):
        KEYS.open(token, NOW + IDLE)
    used_to_the_end = session(rotated_at=NOW + ABSOLUTE - DAY)
    assert used_to_the_end.ends_at == NOW + ABSOLUTE


@pytest.mark.parametrize(
    ("stored", "token", "at", "verdict"),
    [
        (session(), sent(1, SECRET), NOW, "rotate"),
        (session(), sent(1, SECRET), NOW + IDLE - 1, "rotate"),
        (session(), sent(1, SECRET), NOW + IDLE, "ended"),
        (session(rotated_at=NOW + ABSOLUTE - 1), sent(1, SECRET), NOW + ABSOLUTE - 1, "rotate"),
        (session(rotated_at=NOW + ABSOLUTE - 1), sent(1, SECRET), NOW + ABSOLUTE, "ended"),
        (session(ended="reused"), sent(1, SECRET), NOW, "ended"),
        (None, sent(1, SECRET), NOW, "ended"),
        (session(), sent(1, bytes(32)), NOW, "reused"),
        (session(), sent(2, SECRET), NOW, "reused"),
    ],
)
def test_what_becomes_of_a_token(stored: Session | None, token: Refresh, at: int, verdict: str) -> None:
    assert KEYS.judge(token, stored, at) == verdict


@pytest.mark.parametrize(("later", "verdict"), [(0, "repeat"), (GRACE - 1, "repeat"), (GRACE, "reused")])
def test_a_lost_answer_is_given_again_for_some_seconds(later: int, verdict: str) -> None:
    after = session(KEYS.successor(SECRET), generation=2, previous=KEYS.digest(SECRET))
    assert KEYS.judge(sent(1, SECRET), after, NOW + later) == verdict


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=30))
def test_only_the_newest_token_or_for_a_moment_the_one_before_goes_on(uses: list[tuple[int, int]]) -> None:
    """Whatever is sent when: ``back`` counts from the newest token that anybody was given."""
    held, stored, now = [SECRET], session(), NOW
    for seconds, back in uses:
        now += seconds * SECOND
        number = max(0, len(held) - 1 - back)
        verdict = KEYS.judge(sent(number + 1, held[number]), stored, now)
        is_newest, was_newest = number == len(held) - 1, number == len(held) - 2
        if is_newest:
            assert verdict == "rotate"
            following = KEYS.successor(held[number])
            stored = replace(
                stored, digest=KEYS.digest(following), previous=stored.digest, generation=stored.generation + 1, rotated_at=now
            )
            held.append(following)
        elif was_newest and now < stored.rotated_at + GRACE:
            assert verdict == "repeat"
            assert KEYS.successor(held[number]) == held[-1]
        else:
            assert verdict == "reused"
            return
