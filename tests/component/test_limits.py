"""Rates over a real table: what a payment writes, environments that race for the last of a bucket, and a table that is not there."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.aws.runtime import Runtime, session_policy
from shared.aws.settings import Settings
from shared.kernel.instants import SECOND
from shared.limits import leases
from shared.limits.buckets import TableBuckets
from shared.limits.leases import Limits, Policy, RateLimited
from shared.limits.rates import Rates
from shared.limits.rules import LATE, SKEW, WINDOW, Count, Rate
from shared.storage import keys_limits
from shared.storage.table import HASTE, Table
from tests.builders.house import House
from tests.fakes import engine
from tests.unit.limits.simulation import WIDE

NOW = 1_800_000_000_000
NARROW = Rate(20, 40)


def policy(rate: Rate = NARROW) -> Policy:
    return Policy("tenant", keys_limits.rate("demo", "tenant"), rate)


def level_of(house: House) -> int:
    raw = house.table.get(policy().key)
    assert raw is not None
    return int(raw["level"]["N"])


def test_a_payment_is_one_write_and_moves_the_level_by_its_cost(bare_house: House) -> None:
    table = bare_house.table
    table.consumed = []
    first = leases.pay(TableBuckets(table), policy(), Count(NOW, 10), NOW)
    floor = NOW * 1000 - NARROW.depth
    assert (len(table.consumed), level_of(bare_house), first.calls, first.closed_until) == (1, floor + 500_000, 0, 0)


def test_a_flow_above_the_rate_adds_to_the_level_and_costs_one_write_a_block(bare_house: House) -> None:
    buckets = TableBuckets(bare_house.table)
    count = leases.pay(buckets, policy(), Count(NOW, 20), NOW)
    count = leases.pay(buckets, policy(), Count(NOW, 20, lifted=count.lifted), NOW)
    bare_house.table.consumed = []
    before = level_of(bare_house)
    for _ in range(3):
        count = leases.pay(buckets, policy(), Count(NOW, 20, lifted=count.lifted), NOW)
    written = [each for each in bare_house.table.consumed if each["CapacityUnits"] >= 1]
    assert level_of(bare_house) == before + 3_000_000
    assert len(written) == 3 + 1, "the level that the test reads is the fourth"


def test_a_payment_that_does_not_fit_changes_nothing_and_says_until_when(bare_house: House) -> None:
    buckets = TableBuckets(bare_house.table)
    count = Count(NOW, 20)
    while count.closed_until == 0:
        count = leases.pay(buckets, policy(), Count(NOW, 20, lifted=count.lifted), NOW)
    stopped = level_of(bare_house)
    again = leases.pay(buckets, policy(), Count(NOW, 20, lifted=False), NOW)
    assert (level_of(bare_house), again.calls) == (stopped, 20)
    assert again.closed_until == max(NOW + 500, (stopped + 1_000_000) // 1000)
    opened = leases.pay(buckets, policy(), again, again.closed_until)
    assert (opened.calls, opened.closed_until, level_of(bare_house)) == (0, 0, stopped + 1_000_000)


def test_sixteen_environments_at_once_get_the_bucket_and_the_bound(bare_house: House) -> None:
    """Nobody's clock moves, so nothing is worked off: what is answered is the full bucket and two blocks each at most."""
    answered, lock, environments = [0], threading.Lock(), 16
    start = threading.Barrier(environments)

    def environment(number: int) -> None:
        table = engine.table(str(bare_house.table.endpoint), bare_house.table.name)
        limits = Limits.fresh(lambda: NOW)
        start.wait()
        mine = 0
        for _ in range(120):
            try:
                limits.admit("demo", f"key-{number}", Rates(NARROW, WIDE), lambda: TableBuckets(table), finishes=number % 2 == 0)
            except RateLimited:
                continue
            mine += 1
        with lock:
            answered[0] += mine

    with ThreadPoolExecutor(environments) as pool:
        for each in [pool.submit(environment, number) for number in range(environments)]:
            each.result()
    bucket = NARROW.burst + NARROW.per_second * (WINDOW + LATE + 2 * SKEW) // SECOND
    paid = (level_of(bare_house) - (NOW * 1000 - NARROW.depth)) * NARROW.per_second // 10**6
    assert bucket - NARROW.block < paid <= bucket
    assert paid <= answered[0] <= paid + environments * 2 * NARROW.block


def test_a_table_that_does_not_answer_is_given_up_soon_and_lets_calls_through(capsys: pytest.CaptureFixture[str]) -> None:
    gone = Table("main", "eu-central-1", "http://127.0.0.1:9").hasty
    assert gone._client.meta.config.read_timeout == gone._client.meta.config.connect_timeout == HASTE <= 0.3
    assert gone._client.meta.config.retries["total_max_attempts"] == 1
    limits = Limits.fresh(lambda: NOW)
    for _ in range(2 * NARROW.block + 2):
        limits.admit("demo", "key", Rates(NARROW, WIDE), lambda: TableBuckets(gone), finishes=False)
    counted = [line for line in capsys.readouterr().out.splitlines() if '"limits_unavailable"' in line]
    assert len(counted) == 2


def test_buckets_lie_in_the_tenants_own_partitions(bare_house: House) -> None:
    """What a session policy lets through: the tenant's prefix. Key ids cannot leave it."""
    prefix = "T#demo#"
    assert f'"{prefix}*"' in session_policy("demo", ["arn:aws:dynamodb:eu-central-1:1:table/main"])
    for key in (
        keys_limits.rate("demo", "tenant"), keys_limits.rate("demo", "credential", "x#T#other#"), keys_limits.rate("demo", "public"),
        keys_limits.lookups("demo", "x#T#other#", 1),
    ):  # fmt: skip
        assert key.pk.startswith(prefix)
        assert key.pk.count("#") == 4 or key.pk.count("#") == 3


def test_the_operators_calls_are_counted_under_the_functions_own_role(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    role = "arn:aws:iam::000000000000:role/tenant"
    runtime = Runtime(Settings("test", "eu-central-1", None, "main", "keys", "", "", role, 60.0, local_clock=False))
    runtime.table = bare_house.table
    buckets = runtime.buckets("operator")
    assert buckets.table is bare_house.table.hasty
    leases.pay(buckets, Policy("tenant", keys_limits.rate("operator", "tenant"), NARROW), Count(NOW, 1), NOW)
    assert bare_house.table.get(keys_limits.rate("operator", "tenant")) is not None
