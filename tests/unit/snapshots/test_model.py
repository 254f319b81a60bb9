"""Which shard a member belongs to, when changes are folded in, and what is stored of a manifest."""

from __future__ import annotations

import json

from shared.snapshots.model import LAST_MARK, LEAST_YOUNG, Build, Manifest, Shard, build_of, manifest_of, mark_before, object_name

SHARDS = (Shard("", "b1", 2, 1), Shard("mbr_5", "b2", 3, 1, "y2", 1), Shard("mbr_7", "b3", 1, 1))
MANIFEST = Manifest(4, "build", "w", 9, SHARDS, ("old",))


def test_a_member_belongs_to_the_last_shard_that_begins_with_or_before_her() -> None:
    assert [MANIFEST.shard_of(member) for member in ("mbr_0", "mbr_5", "mbr_6", "mbr_7", "mbr_9")] == [0, 1, 1, 2, 2]
    assert MANIFEST.spread(["mbr_6", "mbr_0", "mbr_5"]) == {0: {"mbr_0"}, 1: {"mbr_5", "mbr_6"}}
    assert MANIFEST.objects == {"b1", "b2", "y2", "b3"}


def test_manifests_and_builds_come_back_as_they_were_stored() -> None:
    assert manifest_of(4, json.loads(json.dumps(MANIFEST.body()))) == MANIFEST
    build = Build("id", "w", 5, "mbr_5", True, list(SHARDS), 3)
    assert build_of(3, json.loads(json.dumps(build.body()))) == build


def test_a_shard_is_ripe_with_more_than_a_thousand_changes_and_an_eighth_of_its_rows() -> None:
    assert not Shard("", "b", 100, 1, "y", LEAST_YOUNG).is_ripe
    assert Shard("", "b", 100, 1, "y", LEAST_YOUNG + 1).is_ripe
    assert not Shard("", "b", 50_000, 1, "y", 6_250).is_ripe
    assert Shard("", "b", 50_000, 1, "y", 6_251).is_ripe


def test_marks_of_an_instant_sort_between_its_bounds_and_objects_lie_below_their_tenant() -> None:
    name = object_name("demo", 1_800_000_000_000)
    ulid = name.removeprefix("snapshots/demo/")
    assert mark_before(1_800_000_000_000) <= ulid < mark_before(1_800_000_000_001) < LAST_MARK
