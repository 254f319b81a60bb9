"""Snapshots kept fresh from the events of members: whatever fails, repeats or comes late, asking them is asking the table."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shared.kernel.ids import ulid_millis
from shared.kernel.instants import DAY, MINUTE, SECOND, date_of, day_number, local_day
from shared.member_state.model import Facts
from shared.member_state.repository import seal_facts
from shared.segments.parsing import rule_of
from shared.snapshots import loading, merging, model, rebuilding
from shared.snapshots.checking import differences
from shared.snapshots.files import Files
from shared.snapshots.marking import MERGE_EVERY
from shared.snapshots.repository import SnapshotRepository
from shared.storage import keys
from shared.storage.expressions import Path
from shared.transactions.service import record
from tests.builders.asking import members_in
from tests.builders.house import PROGRAMME, House, sale
from tests.builders.snapshots import CONTEXT, RULES, Snapshots, crowd
from tests.builders.stream import Stream
from tests.fakes.faulty import FaultyTable, Killed

pytestmark = pytest.mark.stream

@pytest.fixture
def snapshots(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Snapshots:
    bare_house.create()
    bare_house.publish("programme", "points", PROGRAMME)
    return Snapshots(bare_house, Stream(dynamodb, bare_house.table.name), monkeypatch)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of three members, and bases made again after two changes."""
    for module in (model, rebuilding, merging):
        monkeypatch.setattr(module, "ROWS_PER_SHARD", 3)
    monkeypatch.setattr(model, "LEAST_YOUNG", 2)


def test_the_first_commits_make_a_snapshot_that_says_what_the_table_says(snapshots: Snapshots) -> None:
    crowd(snapshots)
    assert snapshots.ask() == snapshots.truth()
    snapshots.settle()
    manifest = snapshots.repository.manifest()
    assert manifest is not None
    assert [shard.rows for shard in manifest.shards] == [5]
    assert snapshots.ask() == snapshots.truth()
    assert members_in(snapshots.house.scope(), snapshots.store, RULES, snapshots.house.now) == snapshots.truth()
    assert any(snapshots.truth())
    assert {name.split("/")[1] for name in snapshots.s3.objects} == {"demo"}
    assert not any(member.removeprefix("mbr_") in name for name in snapshots.s3.objects for member in snapshots.members)


def test_unchanged_members_are_not_read_and_changed_ones_are(snapshots: Snapshots) -> None:
    members = crowd(snapshots)
    snapshots.settle()
    snapshots.house.now += 2 * MINUTE
    assert snapshots.merge()
    consumed: list[dict[str, Any]] = []
    snapshots.house.table.consumed = consumed
    rule = [RULES[0]]
    members_in(snapshots.house.scope(), snapshots.store, rule, snapshots.house.now, CONTEXT)
    before = len(consumed)
    snapshots.buy(members[0])
    snapshots.mark()
    consumed.clear()
    (found,) = members_in(snapshots.house.scope(), snapshots.store, rule, snapshots.house.now, CONTEXT)
    snapshots.house.table.consumed = None
    assert found == set(members)
    assert len(consumed) == before + 1


def test_a_personal_fact_is_asked_of_the_table(snapshots: Snapshots) -> None:
    born, unknown = snapshots.join(), snapshots.join()
    scope = snapshots.house.scope()
    today = local_day(snapshots.house.now, CONTEXT.zone)
    sealed = seal_facts(Facts(birth_date=day_number(date_of(today).replace(year=1990))), scope.new_cipher(born))
    snapshots.house.table.update(keys.state("demo", born), [Path("f").set(sealed)])
    snapshots.settle()
    rules = [rule_of({"kind": "birthday", "today": True}), rule_of({"kind": "not", "rule": {"kind": "birthday", "today": True}})]
    found = members_in(snapshots.house.scope(), snapshots.store, rules, snapshots.house.now, CONTEXT)
    assert found == [{born}, set()]
    assert unknown in loading.load_members(scope, [unknown])


def test_a_tier_that_has_run_out_unsettled_is_read_and_advanced(snapshots: Snapshots) -> None:
    tiers = {"days": 30, "valid_days": 30, "levels": [{"id": "silver", "name": "Silver", "threshold": 5}]}
    snapshots.house.publish("programme", "points", PROGRAMME | {"tiers": tiers}, version=2)
    member = snapshots.join()
    snapshots.buy(member)
    snapshots.settle()
    silver = [rule_of({"kind": "tier", "is": "silver"})]

    def asked() -> set[str]:
        (found,) = members_in(snapshots.house.scope(), snapshots.store, silver, snapshots.house.now, wall=settled)
        return found

    settled = snapshots.house.now
    assert asked() == {member}
    snapshots.house.now += 70 * DAY
    assert snapshots.house.state(member).tier is not None
    assert asked() == set()


def test_one_batch_is_one_mark_and_asks_for_one_merge_in_five_minutes(snapshots: Snapshots) -> None:
    crowd(snapshots)
    snapshots.mark()
    raws = snapshots.house.table.query_all(keys.snapshot("demo"), begins=keys.MARK_PREFIX)
    assert len(raws) == 1
    assert int(raws[0]["expires_at"]["N"]) == (snapshots.house.now + model.KEPT) // SECOND
    assert snapshots.sqs.own.sent == [({"kind": "merge", "tenant": "demo"}, MERGE_EVERY // SECOND)]
    snapshots.buy(snapshots.members[0])
    snapshots.mark()
    assert len(snapshots.sqs.own.sent) == 1
    snapshots.house.now += MERGE_EVERY
    snapshots.buy(snapshots.members[0])
    snapshots.mark()
    assert len(snapshots.sqs.own.sent) == 2


@pytest.mark.usefixtures("small")
def test_over_many_merges_with_duplicates_and_shuffles_it_stays_the_table(snapshots: Snapshots) -> None:
    rng = random.Random(5)
    crowd(snapshots, 8)
    snapshots.settle()
    for _ in range(12):
        for member in rng.sample(snapshots.members, 2):
            snapshots.buy(member)
        if rng.random() < 0.5:
            snapshots.join()
        bodies = snapshots.events() * rng.randint(1, 2)
        rng.shuffle(bodies)
        assert snapshots.deliver(*bodies) == []
        assert snapshots.ask() == snapshots.truth()
        snapshots.house.now += rng.choice((SECOND, 2 * MINUTE, DAY))
        assert snapshots.merge()
        assert snapshots.ask() == snapshots.truth()
    manifest = snapshots.repository.manifest()
    assert manifest is not None
    assert len(manifest.shards) > 2
    assert sum(shard.rows for shard in manifest.shards) > 8
    assert set(snapshots.s3.objects) == manifest.objects | set(manifest.garbage)


def test_who_is_erased_is_gone_with_the_next_merge_also_from_the_objects(snapshots: Snapshots) -> None:
    members = crowd(snapshots)
    snapshots.settle()
    snapshots.erase(members[1])
    assert snapshots.ask() == snapshots.truth()
    snapshots.house.now += 2 * MINUTE
    assert snapshots.merge()
    assert snapshots.ask() == snapshots.truth()
    manifest = snapshots.repository.manifest()
    assert manifest is not None
    files = Files("demo", snapshots.store)
    ids = {member for name in manifest.objects for member in files.read(name).ids.tolist()}
    assert members[1].encode() not in ids


def test_the_watermark_never_passes_the_last_minute(snapshots: Snapshots) -> None:
    crowd(snapshots)
    snapshots.settle()
    snapshots.buy(snapshots.members[0])
    snapshots.mark()
    late = snapshots.house.now - 59 * SECOND
    snapshots.house.now += SECOND
    assert snapshots.merge()
    manifest = snapshots.repository.manifest()
    assert manifest is not None
    assert ulid_millis(manifest.watermark) <= snapshots.house.now - 60 * SECOND
    # A slow function's mark that sorts before those that were merged.
    record(snapshots.house.scope(), sale(snapshots.members[0], snapshots.house.now, (("fries", 9000),)))
    snapshots.repository.mark([snapshots.members[0]], late)
    assert snapshots.ask() == snapshots.truth()


def test_a_snapshot_whose_marks_may_be_gone_is_not_believed_and_is_made_again(snapshots: Snapshots) -> None:
    crowd(snapshots)
    snapshots.settle()
    snapshots.house.now += model.TRUSTED + 10 * MINUTE
    record(snapshots.house.scope(), sale(snapshots.members[0], snapshots.house.now))
    snapshots.events()
    asked: list[int] = []
    assert snapshots.ask(lambda: asked.append(1)) == snapshots.truth()
    assert asked == [1]
    assert not snapshots.merge()
    assert snapshots.sqs.own.take() == [{"kind": "rebuild", "tenant": "demo"}]


@pytest.mark.parametrize("damage", ["lost", "cut", "changed", "foreign"])
def test_a_damaged_object_costs_time_and_is_made_again(snapshots: Snapshots, small: None, damage: str) -> None:
    members = sorted(crowd(snapshots, 7))
    snapshots.settle()
    manifest = snapshots.repository.manifest()
    assert manifest is not None
    name = manifest.shards[1].base
    body = snapshots.s3.objects[name]
    if damage == "foreign":
        columns = Files("demo", snapshots.store).read(name)
        snapshots.s3.objects[name] = columns.encode({"tenant": "other"})
    elif damage == "lost":
        del snapshots.s3.objects[name]
    else:
        snapshots.s3.objects[name] = body[:-40] if damage == "cut" else body[:50] + bytes([body[50] ^ 1]) + body[51:]
    asked: list[int] = []
    assert snapshots.ask(lambda: asked.append(1)) == snapshots.truth()
    assert asked == [1]
    for member in members[3:6]:
        snapshots.buy(member)
    snapshots.mark()
    snapshots.house.now += 2 * MINUTE
    snapshots.merge()
    snapshots.settle()
    asked.clear()
    assert snapshots.ask(lambda: asked.append(1)) == snapshots.truth()
    assert asked == []


def test_of_two_merges_at_once_the_loser_starts_over(snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(snapshots)
    snapshots.settle()
    snapshots.buy(snapshots.members[0])
    snapshots.mark()
    snapshots.house.now += 2 * MINUTE
    swap, others = SnapshotRepository.swap, [snapshots.members[1]]

    def disturbed(self: SnapshotRepository, *arguments: Any) -> bool:
        if others:
            snapshots.buy(others.pop())
            snapshots.mark()
            assert snapshots.merge()
        return swap(self, *arguments)

    monkeypatch.setattr(SnapshotRepository, "swap", disturbed)
    before = snapshots.repository.manifest()
    assert snapshots.merge()
    after = snapshots.repository.manifest()
    assert before is not None
    assert after is not None
    assert after.generation == before.generation + 2
    assert set(snapshots.s3.objects) == after.objects | set(after.garbage)
    assert snapshots.ask() == snapshots.truth()


def test_a_rebuild_goes_on_where_time_was_short(snapshots: Snapshots, small: None) -> None:
    crowd(snapshots, 8)
    left = iter([60_000])
    snapshots.house.time_left = lambda: next(left, 1_000)
    assert snapshots.deliver({"kind": "rebuild", "tenant": "demo"}) == []
    (again,) = snapshots.sqs.own.take()
    build = snapshots.repository.build()
    assert build is not None
    assert (again["build"], len(build.shards), build.exhausted) == (build.id, 1, False)
    # Who asks meanwhile changes nothing.
    assert snapshots.deliver({"kind": "rebuild", "tenant": "demo"}) == []
    snapshots.house.time_left = lambda: 60_000
    assert snapshots.deliver(again, again) == []
    manifest = snapshots.repository.manifest()
    assert manifest is not None
    assert [shard.rows for shard in manifest.shards] == [3, 3, 2]
    assert manifest.shards[0].first == ""
    assert snapshots.repository.build() is None
    assert snapshots.ask() == snapshots.truth()


def test_a_rebuild_that_died_after_its_swap_does_not_bring_old_objects_back(
    snapshots: Snapshots, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = crowd(snapshots, 4)

    def die(*_arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as deadly:
        deadly.setattr(SnapshotRepository, "end", die)
        assert snapshots.deliver({"kind": "rebuild", "tenant": "demo"}) == ["0"]
    build = snapshots.repository.build()
    assert build is not None
    for _ in range(2):
        for member in members:
            snapshots.buy(member)
        snapshots.mark()
        snapshots.house.now += 2 * MINUTE
        assert snapshots.merge()
    before = snapshots.repository.manifest()
    assert snapshots.deliver({"kind": "rebuild", "tenant": "demo", "build": build.id}) == []
    assert snapshots.repository.manifest() == before
    assert snapshots.repository.build() is None


def test_what_changes_during_a_rebuild_is_not_lost(snapshots: Snapshots, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    members = crowd(snapshots, 7)
    snapshots.mark()
    write, turn = Files.write, iter(range(100))

    def slowly(self: Files, *arguments: Any) -> str:
        snapshots.house.now += MINUTE
        snapshots.buy(members[next(turn) % 7])
        snapshots.mark()
        return write(self, *arguments)

    monkeypatch.setattr(Files, "write", slowly)
    assert snapshots.deliver({"kind": "rebuild", "tenant": "demo"}) == []
    assert snapshots.repository.manifest() is not None
    assert snapshots.ask() == snapshots.truth()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["merge", "rebuild"])
def test_killed_at_any_step_it_is_the_table_again(snapshots: Snapshots, dynamodb: str, small: None, what: str, when: Any) -> None:
    members = crowd(snapshots, 7)
    snapshots.settle()
    house, calm = snapshots.house, snapshots.house.table
    faulty = FaultyTable(dynamodb, calm.name)
    killed: set[tuple[str, int]] = set()
    for target, step in [("table", at) for at in range(1, 30)] + [("s3", at) for at in range(1, 15)]:
        for member in random.Random(step).sample(members, 3):
            snapshots.buy(member)
        snapshots.mark()
        snapshots.sqs.own.take()
        house.now += model.ABANDONED + MINUTE
        house.table = faulty
        if target == "table":
            faulty.arm(step, when, "kill")
        else:
            faulty.disarm()
            snapshots.s3.arm(step, when)
        try:
            again = snapshots.deliver({"kind": what, "tenant": "demo"})
        except Killed:
            again = ["0"]
        hit = bool(again)
        killed |= {(target, step)} if hit else set()
        faulty.disarm()
        snapshots.s3.disarm()
        house.table = calm
        assert snapshots.ask() == snapshots.truth(), (target, step)
        if hit:
            house.now += model.ABANDONED + MINUTE
            for body in [{"kind": what, "tenant": "demo"}, *snapshots.sqs.own.take()]:
                assert snapshots.deliver(body) == []
            assert snapshots.ask() == snapshots.truth(), (target, step)
    assert {("table", 1), ("table", 2), ("table", 3), ("s3", 1), ("s3", 2)} <= killed, "these are there wherever the members fall"


def test_a_mark_that_cannot_be_written_brings_that_tenants_messages_again(snapshots: Snapshots, dynamodb: str) -> None:
    crowd(snapshots, 2)
    bodies = snapshots.events()
    calm = snapshots.house.table
    snapshots.house.table = faulty = FaultyTable(dynamodb, calm.name)
    faulty.arm(1, "before", "lose")
    assert snapshots.deliver(*bodies) == [str(index) for index in range(len(bodies))]
    snapshots.house.table = calm
    assert snapshots.deliver(*bodies) == []
    assert snapshots.ask() == snapshots.truth()


def test_what_is_not_ours_is_put_aside_with_its_reason(snapshots: Snapshots) -> None:
    foreign = {"detail": {"id": "x", "tenant": "demo", "key": "T#other#M#m", "aggregate": "member:m", "member": "m", "seq": 1}}
    foreign["detail"] |= {"committed_at": 1, "correlation_id": "", "mode": "live", "events": [{"type": "x"}]}
    bad = ["no json", {"kind": "merge"}, {"kind": "other", "tenant": "demo"}, {"kind": "merge", "tenant": "NO"}, foreign]
    assert snapshots.deliver(*bad, {"kind": "rebuild", "tenant": "demo", "build": 5}) == []
    assert len(snapshots.sqs.reasons) == 6
    assert all(reason.startswith("Poison") for reason in snapshots.sqs.reasons)
    assert not snapshots.house.table.query_all(keys.snapshot("demo"))


def test_a_check_names_what_the_snapshot_does_not_know(snapshots: Snapshots, small: None) -> None:
    members = sorted(crowd(snapshots, 5))
    assert list(differences(snapshots.house.scope(), snapshots.store, snapshots.house.now)) == ["there is no snapshot to trust"]
    snapshots.settle()
    assert list(differences(snapshots.house.scope(), snapshots.store, snapshots.house.now)) == []
    snapshots.buy(members[0])
    missing = snapshots.join()
    lost = snapshots.events()
    found = list(differences(snapshots.house.scope(), snapshots.store, snapshots.house.now))
    assert {line.partition(":")[0] for line in found} == {members[0], missing}
    assert f"{missing}: not in the snapshot" in found
    snapshots.deliver(*lost)
    assert list(differences(snapshots.house.scope(), snapshots.store, snapshots.house.now)) == []
    del snapshots.s3.objects[next(iter(snapshots.repository.manifest().objects))]  # type: ignore[union-attr]
    assert any("not there" in line for line in differences(snapshots.house.scope(), snapshots.store, snapshots.house.now))


def test_load_members_reads_the_active_ones(snapshots: Snapshots) -> None:
    members = crowd(snapshots, 3)
    snapshots.erase(members[0])
    found = loading.load_members(snapshots.house.scope(), [*members, "mbr_00000000000000000000000000"])
    assert {member: state.version for member, state in found.items()} == {
        member: snapshots.house.state(member).version for member in members[1:]
    }
