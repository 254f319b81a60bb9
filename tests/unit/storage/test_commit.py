"""The one function that commits, against a table that answers as a test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.kernel.errors import ConcurrentUpdate
from shared.storage.commit import MAX_ATTEMPTS, Effort, Plan, Stale, commit
from shared.storage.errors import OutcomeUnknown, StorageConflict, StorageThrottled, StorageUnavailable, TransactionCancelled
from shared.storage.table import WriteBatch

RECORD = {"PK": {"S": "stored"}}


class ScriptedTable:
    """Answers each request with the next of its script: an exception, or ``None`` for written."""

    def __init__(self, *script: Exception | None) -> None:
        self.script = list(script)
        self.tokens: list[str] = []

    def transact(self, _batch: WriteBatch, token: str) -> None:
        """One request."""
        self.tokens.append(token)
        answer = self.script.pop(0)
        if answer is not None:
            raise answer


def effort(**more: Any) -> Effort:
    """An effort with countable tokens and no waiting."""
    numbers = iter(range(100))
    return Effort(token=lambda: f"token{next(numbers)}", jitter=lambda low, _high: low, **more)


def plans(seen: list[Stale]) -> Callable[[Stale], Plan[str]]:
    """Decisions that note what they were told."""

    def decide(stale: Stale) -> Plan[str]:
        seen.append(stale)
        batch = WriteBatch()
        batch.put_raw("request", RECORD)
        return Plan(batch, f"decision {len(seen)}", "request")

    return decide


def test_a_decision_is_written_and_answered() -> None:
    seen: list[Stale] = []
    assert commit(ScriptedTable(None), plans(seen), effort=effort()) == "decision 1"
    assert seen == [{}]


@pytest.mark.parametrize("trouble", [StorageConflict(), StorageThrottled(), OutcomeUnknown()])
def test_trouble_sends_the_same_request_with_the_same_token(trouble: Exception) -> None:
    seen: list[Stale] = []
    table = ScriptedTable(trouble, trouble, None)
    assert commit(table, plans(seen), effort=effort()) == "decision 1"
    assert table.tokens == ["token0"] * 3
    assert len(seen) == 1


def test_a_failed_condition_decides_again_from_what_stood_in_the_way() -> None:
    seen: list[Stale] = []
    table = ScriptedTable(TransactionCancelled({"state": RECORD}), None)
    assert commit(table, plans(seen), effort=effort()) == "decision 2"
    assert seen == [{}, {"state": RECORD}]
    assert table.tokens == ["token0", "token1"]


def test_the_request_record_answers_whatever_failed_beside_it() -> None:
    table = ScriptedTable(TransactionCancelled({"state": None, "request": RECORD, "coupon:1": RECORD}))
    assert commit(table, plans([]), effort=effort(), replay=lambda raw: f"replay of {raw['PK']['S']}") == "replay of stored"


def test_a_lost_answer_is_found_by_the_request_record() -> None:
    table = ScriptedTable(OutcomeUnknown(), TransactionCancelled({"request": RECORD}))
    assert commit(table, plans([]), effort=effort(), replay=lambda _raw: "it was written") == "it was written"


def test_attempts_are_bounded() -> None:
    used = effort()
    with pytest.raises(ConcurrentUpdate) as refused:
        commit(ScriptedTable(*[TransactionCancelled({"state": RECORD})] * 9), plans([]), effort=used)
    assert used.attempts == MAX_ATTEMPTS
    assert refused.value.retry_after == 1


def test_no_attempt_is_begun_without_time() -> None:
    used = effort(time_left_ms=lambda: 100)
    with pytest.raises(ConcurrentUpdate):
        commit(ScriptedTable(StorageConflict(), None), plans([]), effort=used)
    assert used.attempts == 1


def test_an_outcome_that_stays_unknown_is_not_called_a_refusal() -> None:
    with pytest.raises(StorageUnavailable):
        commit(ScriptedTable(*[OutcomeUnknown()] * 9), plans([]), effort=effort())


def test_waits_are_full_jitter_within_bounds() -> None:
    waits: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        waits.append((low, high))
        return high

    slept: list[float] = []
    used = Effort(token=lambda: "t", jitter=jitter, sleep=slept.append)
    with pytest.raises(ConcurrentUpdate):
        commit(ScriptedTable(*[StorageThrottled()] * 9), plans([]), effort=used)
    assert waits == [(10, 20), (10, 40), (10, 80), (10, 160)]
    assert max(slept) <= 0.2


def test_nothing_to_write_sends_nothing() -> None:
    table = ScriptedTable()
    assert commit(table, lambda _stale: Plan(WriteBatch(), "unchanged"), effort=effort()) == "unchanged"
    assert table.tokens == []
