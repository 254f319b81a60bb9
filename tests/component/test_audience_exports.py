"""Exports over a real engine, through the handler as the gateway and the queue call it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from shared.audiences import model
from shared.aws.objects import S3Store
from shared.kernel.ids import new_id
from shared.kernel.instants import DAY, HOUR, format_rfc3339, local_day
from shared.member_state.model import MemberState
from tests.builders.audiences import EVERYBODY, FULL, RICH, ZONE, Desk
from tests.builders.gateway import Cloud
from tests.builders.house import House
from tests.builders.stream import BusOfTest, Stream

COLUMNS = [
    "member_id", "balance:points", "value", "attribute:city", "tag:staff", "tags", "window:value:30:category=mains", "last_purchase_at",
]  # fmt: skip


def straight(desk: Desk, states: list[MemberState]) -> list[dict[str, Any]]:
    """The rows of RICH members, computed plainly."""
    rows, now = [], desk.house.now
    today = local_day(now, ZONE)
    for state in states:
        held = sum(hold.points for hold in state.holds.values() if hold.until > now)
        points = max(sum(lot.points for lot in state.wallets["points"].lots) - held, 0)
        if points < 50:
            continue
        profile, seen = state.profile, state.profiled
        window = sum(cell.value for day, cell in profile.cells.items() if today - 30 < day <= today)
        last = format_rfc3339(profile.last_at) if profile.last_at is not None else None
        rows.append({
            "member_id": state.member, "balance:points": points, "value": profile.value if seen else None,
            "attribute:city": state.attributes["city"], "tag:staff": "staff" in state.tags, "tags": sorted(state.tags),
            "window:value:30:category=mains": window if seen else None, "last_purchase_at": last if seen else None,
        })  # fmt: skip
    return rows


def test_an_export_of_a_thousand_members_is_a_straight_computation(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    states = desk.crowd(1000)
    desk.snapshot()
    monkeypatch.setattr(model, "PART_BYTES", 16_000)
    expected = straight(desk, states)
    done, text = desk.exported({"rule": RICH, "format": "jsonl", "columns": COLUMNS})
    assert [json.loads(line) for line in text.splitlines()] == [
        {name: value for name, value in row.items() if value is not None} for row in expected
    ]
    assert (done["rows"], done["left_out"]) == (len(expected), 0)
    assert desk.s3.made == 1
    assert done["link"] == f"https://objects.example/exports/demo/{done['export_id']}.jsonl?expires=900"
    assert (done["finished_at"], done["kept_until"]) == (format_rfc3339(desk.house.now), format_rfc3339(desk.house.now + 7 * DAY))
    assert desk.s3.types[f"exports/demo/{done['export_id']}.jsonl"].startswith("application/jsonl")


def test_a_csv_file_has_a_header_and_every_value_of_every_row(desk: Desk) -> None:
    expected = straight(desk, desk.crowd(60))
    _, text = desk.exported({"rule": RICH, "columns": COLUMNS})
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["member_id"] for row in rows] == [row["member_id"] for row in expected]
    assert all(row["attribute:city"].lstrip("'") == want["attribute:city"] for row, want in zip(rows, expected, strict=True))
    assert not any(row["attribute:city"].startswith("=") for row in rows)
    assert [row["value"] for row in rows] == ["" if want["value"] is None else str(want["value"]) for want in expected]


def test_a_segment_is_exported_in_the_version_that_is_served(desk: Desk) -> None:
    states = desk.crowd(30, segments={"rich@1": desk.house.now - DAY})
    desk.house.publish("segment", "rich", {"name": "R", "rule": RICH})
    done, text = desk.exported({"columns": ["member_id", "entered_at", "segments"]}, segment_id="rich")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert (done["segment"], done["version"], done["columns"]) == ("rich", 1, ["member_id", "entered_at", "segments"])
    assert rows[0] == ["member_id", "entered_at", "segments"]
    assert [row[0] for row in rows[1:]] == [row["member_id"] for row in straight(desk, states)]
    assert {row[2] for row in rows[1:]} == {"rich"}
    assert {row[1] for row in rows[1:]} == {format_rfc3339(desk.house.now - DAY)}
    assert desk.call("export_segment", {}, segment_id="none").body["code"] == "unknown_segment"
    assert desk.call("export_members", {"rule": RICH, "columns": ["entered_at"]}).errors == [("/columns/0", "unknown_column")]


def test_an_export_of_nobody_is_a_header(desk: Desk) -> None:
    nobody = {"kind": "list", "list": "none"}
    assert desk.exported({"rule": nobody, "columns": ["member_id", "tier"]})[1] == "member_id,tier\r\n"
    assert desk.exported({"rule": nobody, "format": "jsonl"})[1] == ""


def test_personal_columns_are_opened_and_who_has_no_key_is_left_out_and_counted(desk: Desk) -> None:
    states = desk.crowd(4)
    for number, state in enumerate(states[:3]):
        desk.give_profile(state.member, {"first_name": f"N{number}", "phone": "+4930123456"})
    body = {"rule": EVERYBODY, "columns": ["member_id", "first_name", "phone"]}
    said = desk.call("export_members", body)
    assert (said.status, [pointer for pointer, _ in said.errors]) == (403, ["/columns/1", "/columns/2"])
    done, text = desk.exported(body, scopes=FULL)
    assert text.split("\r\n")[1] == f"{states[0].member},N0,'+4930123456"
    assert (done["rows"], done["left_out"]) == (3, 1)
    # Who may not see personal data gets no link to them.
    said = desk.call("get_export", export_id=done["export_id"])
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")


def test_an_export_is_its_tenants_own(desk: Desk) -> None:
    House(desk.house.table, desk.house.key_table, tenant="other").create()
    desk.crowd(3)
    done, _ = desk.exported({"rule": EVERYBODY})
    for export in (done["export_id"], "exp_nothing", "x"):
        said = desk.call("get_export", tenant="other", export_id=export)
        assert (said.status, said.body["code"]) == (404, "unknown_export")


def test_the_status_tells_how_far_it_is_and_what_was_abandoned(desk: Desk) -> None:
    desk.crowd(3)
    export = desk.call("export_members", {"rule": EVERYBODY}).body["export_id"]
    assert desk.call("get_export", export_id=export).body["status"] == "queued"
    desk.house.now += 2 * HOUR
    said = desk.call("get_export", export_id=export).body
    assert (said["status"], said["reason"]) == ("failed", "abandoned")
    desk.settle()
    said = desk.call("get_export", export_id=export).body
    assert said["status"] == "done"
    desk.house.now += 7 * DAY
    assert "link" not in desk.call("get_export", export_id=export).body


@pytest.mark.stream
def test_a_finished_export_is_told_once_without_anything_personal(desk: Desk) -> None:
    stream, bus = Stream(desk.address, desk.house.table.name), BusOfTest()
    desk.crowd(5)
    bus.relay(stream)
    done, _ = desk.exported({"rule": EVERYBODY})
    desk.deliver({"kind": "export", "tenant": "demo", "export": done["export_id"]})
    told = [each for each in bus.relay(stream) if each["aggregate"].startswith("export:")]
    assert [(each["aggregate"], each["types"], each["events"][0]["data"]) for each in told] == [
        (f"export:{done['export_id']}", ["export.finished"], {"export": done["export_id"], "rows": 5, "left_out": 0})
    ]


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "export"},
        {"kind": "other", "tenant": "demo", "export": "exp_" + "0" * 26},
        {"kind": "export", "tenant": "DEMO", "export": "exp_" + "0" * 26},
    ],
)
def test_what_is_no_message_of_ours_goes_to_the_dead_letters(desk: Desk, message: dict[str, Any]) -> None:
    assert desk.deliver(message) == []
    assert desk.sqs.of["dead"].take() == [message]


def test_a_message_of_an_export_that_there_is_not_ends_at_once(desk: Desk) -> None:
    assert desk.deliver({"kind": "export", "tenant": "demo", "export": new_id("exp", desk.house.now)}) == []
    assert len(desk.sqs.of["dead"].take()) == 1


def test_the_bucket_takes_a_file_in_parts_and_refuses_one_of_another_tag(cloud: Cloud) -> None:
    cloud.s3.create_bucket(Bucket="exports-of-a-test")
    store, name, part = S3Store(cloud.s3, "exports-of-a-test"), "exports/demo/x.csv", bytes(range(256)) * (5 * 4096)
    assert not store.exists(name)
    upload = store.begin(name, "text/csv")
    assert store.add_part(name, upload, 1, b"replaced" * 1_000_000) is not None
    tags = [store.add_part(name, upload, number, body) for number, body in ((1, part), (2, b"end"))]
    assert None not in tags
    assert not store.complete(name, upload, ['"0123456789abcdef0123456789abcdef"', str(tags[1])])
    assert store.complete(name, upload, [str(tag) for tag in tags])
    assert store.get(name) == part + b"end"
    assert store.exists(name)
