"""Walking through phone numbers at the till: what is counted, refused, and told to nobody."""

from __future__ import annotations

import pytest

from shared.aws.queues import SqsQueue
from shared.kernel.instants import HOUR, MINUTE
from shared.limits.lookups import FOUND, MISSED
from shared.members.api import IdentifyRequest
from shared.members.lookup_limits import LookupLimits, TooManyLookups
from shared.storage import keys_limits
from shared.storage.errors import OutcomeUnknown
from shared.storage.items_limits import LookupsItem
from shared.storage.table import Table
from tests.builders.house import House

KEY = "demo-aaaaaaaaaaaa"


def phone(number: int) -> IdentifyRequest:
    return IdentifyRequest(kind="phone", value=f"+4930{number:07d}")


@pytest.fixture
def walked(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house whose hasty table is the test's own, with its cost."""
    monkeypatch.setattr(Table, "hasty", property(lambda table: table))
    return house


def sums(house: House, key: str = KEY) -> tuple[int, int]:
    raw = house.table.get(keys_limits.lookups("demo", key, house.now // HOUR))
    item = LookupsItem.read(raw) if raw is not None else LookupsItem()
    return int(item.missed), int(item.found)


def walk(limits: LookupLimits, house: House, numbers: range, *, known: bool) -> int:
    """How many were answered before the first refusal."""
    scope = house.scope()
    for count, number in enumerate(numbers):
        try:
            limits.admit(scope, KEY, phone(number))
        except TooManyLookups:
            return count
        limits.note(scope, KEY, phone(number), known=known)
    return len(numbers)


def test_misses_are_refused_above_the_bound_until_the_hour_is_over(walked: House) -> None:
    limits, scope = LookupLimits(), walked.scope()
    walked.now = walked.now // HOUR * HOUR + 20 * MINUTE
    assert walk(limits, walked, range(5000), known=False) == 600
    assert sums(walked) == (600, 0)
    with pytest.raises(TooManyLookups) as refused:
        limits.admit(scope, KEY, phone(0))
    assert (refused.value.code, refused.value.status, refused.value.retry_after) == ("too_many_lookups", 429, 2400)
    walked.now += 40 * MINUTE
    limits.admit(walked.scope(), KEY, phone(0))


def test_another_credential_and_an_id_in_hand_are_let_through(walked: House) -> None:
    limits = LookupLimits()
    walk(limits, walked, range(5000), known=False)
    limits.admit(walked.scope(), "demo-bbbbbbbbbbbb", phone(0))
    limits.admit(walked.scope(), KEY, IdentifyRequest(id="mbr_01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    limits.admit(walked.scope(), KEY, None)


def test_a_new_environment_learns_it_within_a_block(walked: House) -> None:
    walk(LookupLimits(), walked, range(5000), known=False)
    assert walk(LookupLimits(), walked, range(5000, 6000), known=False) == MISSED
    assert walk(LookupLimits(), walked, range(5000, 6000), known=True) == FOUND


def test_known_and_unknown_cost_no_request_but_one_write_a_block(walked: House) -> None:
    limits = LookupLimits()
    _ = walked.scope().definitions.settings
    for known, block in ((False, MISSED), (True, FOUND)):
        walked.table.consumed = []
        assert walk(limits, walked, range(3 * block), known=known) == 3 * block
        assert [each["CapacityUnits"] for each in walked.table.consumed] == [1.0] * 3
        walked.table.consumed = None


def test_guests_who_come_again_are_not_counted_twice(walked: House) -> None:
    limits = LookupLimits()
    for _ in range(50):
        assert walk(limits, walked, range(FOUND), known=True) == FOUND
    assert sums(walked) == (0, FOUND)


def test_what_was_looked_for_is_stored_nowhere(walked: House) -> None:
    walk(LookupLimits(), walked, range(100), known=False)
    raw = walked.table.get(keys_limits.lookups("demo", KEY, walked.now // HOUR))
    assert set(raw or {}) == {"PK", "SK", "missed", "found", "expires_at"}
    assert "4930" not in str({name: value for name, value in (raw or {}).items() if name != "expires_at"})


def test_a_silent_table_stops_no_till(walked: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    limits = LookupLimits()
    scope = walked.scope()
    _ = scope.definitions.settings

    def silent(*_: object, **__: object) -> None:
        raise OutcomeUnknown("ReadTimeoutError")

    monkeypatch.setattr(scope.table, "update", silent)
    for number in range(MISSED):
        limits.note(scope, KEY, phone(number), known=False)
    limits.admit(scope, KEY, phone(0))
    assert '"limits_unavailable"' in capsys.readouterr().out


class Recorder:
    """What was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []

    def send_message(self, **message: object) -> None:
        self.sent.append(message)

    def send_message_batch(self, **batch: list[dict[str, object]]) -> dict[str, object]:
        self.sent += batch["Entries"]
        return {}


def test_messages_are_grouped_by_tenant() -> None:
    client = Recorder()
    queue = SqsQueue(client, "url")
    queue.send({"tenant": "demo", "job": "1"}, 5)
    queue.send_all([{"tenant": "acme"}, {"kind": "for nobody"}])
    assert [each.get("MessageGroupId") for each in client.sent] == ["demo", "acme", None]
