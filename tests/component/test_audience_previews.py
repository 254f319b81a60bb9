"""Previews over a real engine, through the handler as the gateway calls it; what every route refuses."""

from __future__ import annotations

from typing import Any

import pytest

from shared.audiences import preview
from shared.kernel.instants import SECOND, format_rfc3339
from shared.member_state.model import Facts
from shared.snapshots.repository import SnapshotRepository
from tests.builders.audiences import BUYERS, EVERYBODY, RICH, ZONE, Desk


def test_an_exact_preview_counts_everybody_with_and_without_a_snapshot(desk: Desk) -> None:
    desk.crowd(120)
    expected = desk.truth(BUYERS)
    without = desk.call("preview_segment", {"rule": BUYERS, "mode": "exact", "sample": 50}).body
    assert (without["count"], without["from"], without["population"], without["undecided_read"]) == (len(expected), "table", 120, 120)
    assert desk.sqs.of["snapshots"].take() == [{"kind": "rebuild", "tenant": "demo"}]
    desk.snapshot()
    said = desk.call("preview_segment", {"rule": BUYERS, "mode": "exact", "sample": 50}).body
    assert (said["count"], said["low"], said["high"], said["from"]) == (len(expected), len(expected), len(expected), "snapshot")
    assert (said["population"], said["undecided_read"], said["leaves"], said["time_zone"]) == (120, 0, 1, ZONE)
    assert said["as_of"] == format_rfc3339(desk.house.now)
    assert len(said["sample"]) == min(50, len(expected))
    assert set(said["sample"]) <= expected
    assert desk.sqs.of["snapshots"].take() == []


def test_an_exact_preview_reads_whom_the_columns_leave_open(desk: Desk) -> None:
    states = desk.crowd(20)
    desk.give_profile(states[3].member, {}, Facts(gender="female"))
    desk.snapshot()
    SnapshotRepository(desk.scope()).mark([states[5].member, "mbr_gone"], desk.house.now)
    personal = {"kind": "fact", "of": "gender", "is": "female"}
    said = desk.call("preview_segment", {"rule": {"kind": "all", "rules": [personal, EVERYBODY]}, "mode": "exact"}).body
    assert (said["count"], said["sample"], said["undecided_read"], said["population"]) == (1, [states[3].member], 21, 20)
    said = desk.call("preview_segment", {"rule": EVERYBODY, "mode": "exact"}).body
    assert (said["count"], said["undecided_read"]) == (20, 2)
    said = desk.call("preview_segment", {"rule": EVERYBODY}).body
    assert (said["count"], said["high"], said["population"], said["looked_at"]) == (20, 20, 20, 20)


def test_an_estimate_says_its_sample_and_a_repeat_agrees(desk: Desk) -> None:
    desk.crowd(400)
    expected = len(desk.truth(BUYERS))
    for source in ("table", "snapshot"):
        said = desk.call("preview_segment", {"rule": BUYERS, "size": 150, "sample": 50}).body
        assert (said["from"], said["looked_at"], said["population"], said["whole"]) == (source, 150, 400, True)
        assert said["low"] <= said["count"] <= said["high"]
        # Five standard deviations: whom is drawn depends on the ids, which are new each time (the interval: tests/unit/audiences).
        assert abs(said["count"] - expected) < 80
        assert said["high"] - said["low"] < 80
        assert said["undecided_read"] == (150 if source == "table" else 0)
        drawn = said["count"] * 150 / 400
        assert abs(len(said["sample"]) - min(50, drawn)) <= 1, "of those drawn who are in, 50 at most"
        desk.house.now += SECOND
        again = desk.call("preview_segment", {"rule": BUYERS, "size": 150, "sample": 50}).body
        assert {**again, "as_of": 0} == {**said, "as_of": 0}
        desk.snapshot()


def test_an_estimate_of_fewer_members_than_its_sample_is_exact(desk: Desk) -> None:
    desk.crowd(60)
    desk.snapshot()
    said = desk.call("preview_segment", {"rule": BUYERS}).body
    assert (said["count"], said["low"], said["high"], said["looked_at"]) == (*[len(desk.truth(BUYERS))] * 3, 60)


def test_an_estimate_reads_only_the_undecided_of_its_sample(desk: Desk) -> None:
    desk.crowd(300)
    desk.snapshot()
    said = desk.call("preview_segment", {"rule": {"kind": "fact", "of": "gender", "is": "female"}, "size": 100}).body
    assert (said["count"], said["undecided_read"], said["looked_at"]) == (0, 100, 100)
    assert said["high"] > 0


def test_what_cannot_be_counted_at_once_is_told_with_when_to_come_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.crowd(30)
    monkeypatch.setattr(preview, "SMALL", 29)
    said = desk.call("preview_segment", {"rule": BUYERS, "mode": "exact"})
    assert (said.status, said.body["code"], said.headers["retry-after"]) == (503, "snapshot_not_ready", "60")
    desk.snapshot()
    monkeypatch.setattr(preview, "MOST_READ", 29)
    said = desk.call("preview_segment", {"rule": {"kind": "fact", "of": "gender", "is": "female"}, "mode": "exact"})
    assert (said.status, said.body["code"]) == (422, "too_many_undecided")
    desk.s3.objects.clear()
    said = desk.call("preview_segment", {"rule": BUYERS, "mode": "exact"})
    assert (said.status, said.body["code"]) == (503, "snapshot_not_ready")
    assert desk.call("preview_segment", {"rule": BUYERS}).status == 200


def test_without_a_snapshot_an_estimate_reads_a_bounded_list_and_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.crowd(30)
    monkeypatch.setattr(preview, "MOST_LISTED", 20)
    said = desk.call("preview_segment", {"rule": BUYERS}).body
    assert (said["population"], said["whole"], said["looked_at"]) == (20, False, 20)


def test_a_segment_is_previewed_as_it_is_written_and_in_any_version(desk: Desk) -> None:
    desk.crowd(40)
    desk.house.publish("segment", "buyers", {"name": "B", "rule": BUYERS})
    desk.house.publish("segment", "buyers", {"name": "B", "rule": {"kind": "any", "rules": [BUYERS, RICH]}}, version=2)
    counts = {}
    for version in (None, 1, 2):
        body = {"segment": "buyers", "mode": "exact"} | ({"version": version} if version else {})
        counts[version] = desk.call("preview_segment", body).body["count"]
    assert counts[None] == counts[2] > counts[1] == len(desk.truth(BUYERS))
    assert desk.call("preview_segment", {"rule": {"kind": "segment", "segment": "buyers"}, "mode": "exact"}).body["leaves"] == 2
    assert desk.call("preview_segment", {"segment": "buyers", "version": 9}).status == 404
    assert desk.call("preview_segment", {"segment": "nobody"}).body["code"] == "unknown_segment"


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "balance", "wallet": "miles", "op": "ge", "value": 1}, "/rule/wallet", "unknown_wallet"),
    ({"kind": "all", "rules": [BUYERS, {"kind": "segment", "segment": "none"}]}, "/rule/rules/1/segment", "unknown_segment"),
    ({"kind": "coupon", "offer": "none", "state": "active"}, "/rule/offer", "unknown_offer"),
    ({"kind": "purchases", "metric": "count", "days": 401, "op": "ge", "value": 1}, "/rule/days", "invalid_value"),
    ({"kind": "nonsense"}, "/rule/kind", "invalid_value"),
    ({"kind": "any", "rules": [BUYERS] * 201}, "/rule/rules/200", "too_many_leaves"),
]


@pytest.mark.parametrize(("rule", "pointer", "code"), WRONG)
@pytest.mark.parametrize("operation", ["preview_segment", "search_members", "export_members"])
def test_a_wrong_rule_is_refused_as_publishing_refuses(desk: Desk, operation: str, rule: dict[str, Any], pointer: str, code: str) -> None:
    said = desk.call(operation, {"rule": rule})
    assert said.status == 422
    assert (pointer, code) in said.errors
    assert desk.sqs.of["own"].sent == []


@pytest.mark.parametrize("body", [{}, {"rule": BUYERS, "segment": "x"}, {"rule": BUYERS, "version": 1}, {"rule": BUYERS, "sample": 51}])
def test_a_preview_asks_one_thing(desk: Desk, body: dict[str, Any]) -> None:
    assert desk.call("preview_segment", body).status == 422


@pytest.mark.parametrize("operation", ["preview_segment", "search_members", "export_segment", "export_members", "get_export"])
def test_every_route_needs_its_scope(desk: Desk, operation: str) -> None:
    said = desk.call(operation, {}, scopes=frozenset({"definitions:read"}), segment_id="x", export_id="x")
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")
