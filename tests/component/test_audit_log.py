"""The audit log through the functions: what is noted, exactly once, at which cost; asking for it; verifying it with a bucket."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local import audit, console
from shared.audit import notes
from shared.audit.model import Actor, Entry, entry_of
from shared.audit.repository import AuditRepository
from shared.audit.sealing import Sealer, name_of
from shared.aws.objects import S3Store
from shared.erasure.service import ask
from shared.kernel.ids import new_ulid
from shared.kernel.instants import DAY, HOUR, MINUTE, format_rfc3339
from shared.merging.api import MergeRequest
from shared.merging.service import merge
from shared.storage import keys_audit, noting
from shared.storage.commit import Effort, Plan, commit
from shared.storage.errors import ConditionFailed, OutcomeUnknown, RawItem
from shared.storage.expressions import Path
from shared.storage.items import SettingsItem
from shared.storage.keys import Key
from shared.storage.table import NOT_THERE_YET, WriteBatch
from tests.builders.front import Front
from tests.builders.house import NOW, House
from tests.builders.office import Office
from tests.fakes.faulty import FaultyTable

AUDITOR = frozenset({"audit:read"})
OFFER = {"id": "fries", "definition": {"name": {"en": "Fries"}, "benefit": {"kind": "free_item", "item_ids": ["fries"]}}}


@pytest.fixture
def office(house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    noting.set_clock(lambda: house.now)
    return Office(house, monkeypatch, cache_seconds=0)


def entries(office: Office) -> list[Entry]:
    """All that is noted, oldest first."""
    found = [entry_of(row["body"]["S"]) for row in office.everything() if "#AUDIT#" in row["PK"]["S"]]
    return sorted(found, key=lambda each: each.id)


def _entry(tenant: str, ulid: str, _written: Any) -> RawItem:
    return notes.item_of(Entry(ulid, tenant, Actor("key", "demo-1"), "put_items", "changed"))


def _item(name: str) -> SettingsItem:
    return SettingsItem.at(Key("T#demo#DEF", name), version=1, body=b"")


def _notes(house: House) -> int:
    return len(list(AuditRepository("demo", house.table).entries(NOW - DAY, NOW + DAY)))


# -- one entry, with its change -------------------------------------------------------------------------------------------


@pytest.fixture
def clocked(bare_house: House) -> House:
    noting.set_clock(lambda: NOW)
    return bare_house


def test_of_several_writes_the_first_has_the_entry(clocked: House) -> None:
    with noting.noting(_entry) as note:
        clocked.table.put(_item("A"))
        clocked.table.consumed = []
        clocked.table.put(_item("B"))
    assert [each["CapacityUnits"] for each in clocked.table.consumed] == [1]
    assert (note.written, _notes(clocked)) == (True, 1)


def test_a_refused_write_leaves_neither(clocked: House) -> None:
    clocked.table.put(_item("A"))
    with noting.noting(_entry), pytest.raises(ConditionFailed) as refused:
        clocked.table.put(_item("A"), NOT_THERE_YET, old=True)
    assert refused.value.old is not None
    assert _notes(clocked) == 0


def test_updates_and_deletes_are_noted_too_and_an_update_answers_what_is_there(clocked: House) -> None:
    clocked.table.put(_item("A"))
    with noting.noting(_entry):
        assert clocked.table.update(Key("T#demo#DEF", "A"), [Path("version").set(2)])["version"] == {"N": "2"}
    with noting.noting(_entry):
        clocked.table.delete(Key("T#demo#DEF", "A"))
    assert (_notes(clocked), clocked.table.get(Key("T#demo#DEF", "A"))) == (2, None)


def test_what_prepares_a_change_is_not_noted(clocked: House) -> None:
    with noting.noting(_entry) as note:
        with noting.aside():
            clocked.table.put(_item("A"))
        assert not note.written
        clocked.table.put(_item("B"))
    assert _notes(clocked) == 1


def test_without_a_call_nothing_is_noted(clocked: House) -> None:
    clocked.table.put(_item("A"))
    assert _notes(clocked) == 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_write_whose_answer_got_lost_is_repeated_with_the_same_entry(clocked: House, dynamodb: str, when: Any) -> None:
    table = FaultyTable(dynamodb, clocked.table.name)

    def plan(_stale: Any) -> Plan[str]:
        batch = WriteBatch()
        batch.put("it", _item("A"), NOT_THERE_YET)
        return Plan(batch, "done")

    table.arm(1, when, "lose")
    with noting.noting(_entry):
        assert commit(table, plan, effort=Effort()) == "done"
    assert _notes(clocked) == 1


def test_an_entry_that_is_put_alone_needs_no_second_try(clocked: House, dynamodb: str) -> None:
    table = FaultyTable(dynamodb, clocked.table.name)
    with noting.noting(_entry, wanted=True, aside=True) as note:
        note.offer("demo", table)
        table.arm(1, "after", "lose")
        with pytest.raises(OutcomeUnknown):
            note.put_alone("demo")
        note.put_alone("demo")
    assert _notes(clocked) == 1


def test_what_an_entry_costs(clocked: House) -> None:
    table, spent = clocked.table, []

    def two(name: str) -> WriteBatch:
        batch = WriteBatch()
        batch.put("one", _item(name))
        batch.put("two", _item(name + "2"))
        return batch

    for number, noted in enumerate((False, True)):
        table.consumed = []
        if noted:
            with noting.noting(_entry):
                table.transact(two(f"A{number}"), f"token{number}")
        else:
            table.transact(two(f"A{number}"), f"token{number}")
        spent.append(sum(each["CapacityUnits"] for each in table.consumed))
    assert spent == [4, 6]


# -- through the functions ------------------------------------------------------------------------------------------------


def test_an_entry_says_who_did_what_and_nothing_that_was_sent(office: Office) -> None:
    office.call("put_items", {"items": [{"id": "tea", "name": "A name nobody may see", "category": "c", "price": 1}]}, location="mitte")
    (entry,) = entries(office)
    caller, fields = Actor("key", "demo-aaaaaaaaaaaa", "mitte"), ("items",)
    assert entry == Entry(entry.id, "demo", caller, "put_items", "changed", entry.target, None, fields, "request-of-a-test")
    assert entry.target is not None
    assert (entry.target.kind, entry.target.id, entry.at) == ("item", None, office.house.now)
    assert not any("nobody may see" in str(row["body"]["S"]) for row in office.everything() if "#AUDIT#" in row["PK"]["S"])


def test_what_changes_nothing_leaves_nothing(office: Office) -> None:
    office.call("create_segment", {"id": "all", "definition": {"name": "All", "rule": {"all": []}}})
    before = entries(office)
    assert office.call("create_segment", {"id": "all", "definition": {"name": "All", "rule": {"all": []}}}).status >= 400
    assert office.call("list_segments").status == 200
    assert entries(office) == before


@pytest.fixture
def filled(office: Office) -> Office:
    """Thirty days with an entry a day; every third by another key."""
    for day in range(30):
        office.house.now = NOW - (29 - day) * DAY
        who = "demo-bbbbbbbbbbbb" if day % 3 == 0 else "demo-aaaaaaaaaaaa"
        assert office.call("put_locations", {"locations": [{"id": f"place{day}", "name": "P"}]}, who=who).status == 200
    return office


def _pages(office: Office, operation: str = "list_audit", /, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        said = office.call(operation, scopes=AUDITOR, query=query)
        assert said.status == 200, said.body
        assert len(said.body["data"]) <= int(query.get("limit", "50"))
        found += said.body["data"]
        if "next_cursor" not in said.body:
            return found
        query = {**query, "cursor": said.body["next_cursor"]}


def test_the_last_seven_days_are_shown_the_newest_first(filled: Office) -> None:
    found = _pages(filled, limit="3")
    assert [each["at"] for each in found] == [format_rfc3339(NOW - day * DAY) for day in range(7)]


def test_filters_and_bounds(filled: Office) -> None:
    everything = {"from": format_rfc3339(NOW - 40 * DAY)}
    assert len(_pages(filled, **everything)) == 30
    assert len(_pages(filled, **everything, limit="7", actor="demo-bbbbbbbbbbbb")) == 10
    assert len(_pages(filled, **everything, operation="put_locations")) == 30
    assert _pages(filled, **everything, operation="put_items") == []
    assert _pages(filled, **everything, member_id="mbr_nobody") == []
    bounds = {"from": format_rfc3339(NOW - 3 * DAY), "until": format_rfc3339(NOW - DAY)}
    assert [each["at"] for each in _pages(filled, **bounds)] == [format_rfc3339(NOW - 2 * DAY), format_rfc3339(NOW - 3 * DAY)]


def test_a_person_is_found_by_every_id_of_hers_also_after_her_erasure(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    house, front = office.house, Front(office.house, monkeypatch)
    kept, gone, other = (front.register(identifiers=[{"kind": "card", "value": f"4711-{number}"}]) for number in range(3))
    for member in (kept, gone, other):
        house.table.put_raw(notes.item_of(Entry(new_ulid(house.now), "demo", Actor("key", "k"), "get_member", "read", member=member)))
    by_id = {id_: {each["member_id"] for each in _pages(office, member_id=id_)} for id_ in (kept, gone)}
    assert by_id == {kept: {kept}, gone: {gone}}
    merge(house.scope(), kept, MergeRequest(from_member_id=gone, reason="same_person"), "k")
    assert [{each["member_id"] for each in _pages(office, member_id=id_)} for id_ in (kept, gone)] == [{kept, gone}] * 2
    ask(house.scope(), gone, "k")
    assert [{each["member_id"] for each in _pages(office, member_id=id_)} for id_ in (kept, gone)] == [{kept, gone}] * 2
    assert {each["member_id"] for each in _pages(office, member_id=other)} == {other}


def test_a_year_is_walked_in_several_pages(filled: Office) -> None:
    """No page looks at more than 31 days, however few there are to show."""
    assert len(_pages(filled, **{"from": format_rfc3339(NOW - 390 * DAY), "until": format_rfc3339(NOW + HOUR)})) == 30


def test_many_of_one_instant_are_each_shown_once(office: Office) -> None:
    for number in range(130):
        office.call("put_locations", {"locations": [{"id": f"place{number}", "name": "P"}]})
    found = _pages(office, limit="30")
    assert len({each["id"] for each in found}) == len(found) == 130


@pytest.mark.parametrize(
    "query", [{"from": "yesterday"}, {"until": "2026-11-21"}, {"from": "2026-11-21T10:00:00Z", "until": "2026-11-21T10:00:00Z"}]
)
def test_a_query_that_makes_no_sense_is_refused(office: Office, query: dict[str, str]) -> None:
    assert office.call("list_audit", scopes=AUDITOR, query=query).status == 422


def test_it_takes_its_own_scope(office: Office) -> None:
    everything_else = frozenset({"tenant:admin", "members:read", "members:personal"})
    assert [office.call(each, scopes=everything_else).status for each in ("list_audit", "list_seals")] == [403, 403]


def test_the_operators_own_entries_lie_with_the_operator(office: Office) -> None:
    assert office.call("rotate_signing_keys").status == 200
    assert _pages(office) == []
    said = office.call("list_audit_of_tenant", tenant_id="operator")
    assert [each["operation"] for each in said.body["data"]] == ["rotate_signing_keys"]


# -- with a bucket --------------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket() -> Iterator[Any]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        s3.create_bucket(Bucket="seals", ObjectLockEnabledForBucket=True)
        yield s3


@pytest.fixture
def sealed(filled: Office, bucket: Any) -> audit.Place:
    """Thirty entries in three seals."""
    table, now = filled.house.table, NOW - 20 * DAY
    for _ in range(3):
        Sealer(AuditRepository("demo", table), S3Store(bucket, "seals"), now + 5 * MINUTE).work()
        now += 10 * DAY
    return audit.Place(table, bucket, "seals", NOW + 6 * MINUTE)


def test_what_nobody_changed_agrees(sealed: audit.Place) -> None:
    report, seals = audit.check(sealed, "demo")
    assert (report.findings, report.entries, report.locked, len(seals)) == ([], 30, 3, 3)


def test_a_tenant_that_there_is_not_does_not_agree(sealed: audit.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in the id must not read as a proof."""
    monkeypatch.setattr(audit, "_place", lambda _options: sealed)
    options = argparse.Namespace(work="verify", tenant="demo", entry=None, table=None)
    assert audit.run(options) == 0
    options.tenant = "operator"
    assert audit.run(options) == 0, "nothing was done to the stage yet"
    options.tenant = "dmeo"
    with pytest.raises(console.Failure, match="no audit log of dmeo"):
        audit.run(options)


def test_seals_are_listed_the_newest_first(filled: Office, sealed: audit.Place) -> None:
    found = _pages(filled, "list_seals", limit="2")
    assert [each["sequence"] for each in found] == [3, 2, 1]
    assert [each["previous"] for each in found[:2]] == [each["hash"] for each in found[1:]]
    assert sum(each["entries"] for each in found) == 30


def test_a_second_version_in_the_bucket_is_named_and_the_first_counts(sealed: audit.Place) -> None:
    name = name_of("demo", 2)
    body = json.loads(sealed.s3.get_object(Bucket="seals", Key=name)["Body"].read()) | {"hash": "0" * 64}
    sealed.s3.put_object(Bucket="seals", Key=name, Body=json.dumps(body))
    report, _ = audit.check(sealed, "demo")
    assert [(each.kind, each.what) for each in report.findings] == [("lock_overwritten", "seal 2")]


def test_a_head_that_is_hidden_by_a_delete_marker_still_counts(sealed: audit.Place) -> None:
    sealed.s3.delete_object(Bucket="seals", Key=name_of("demo", 3))
    report, _ = audit.check(sealed, "demo")
    assert [each.kind for each in report.findings] == ["lock_overwritten"]
    assert report.locked == 3


def test_the_command_names_what_it_finds_and_ends_with_1(
    sealed: audit.Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    audit.add_parser(parser.add_subparsers())
    monkeypatch.setattr(audit, "_place", lambda _options: sealed)
    options = parser.parse_args(["audit", "verify", "--tenant", "demo"])
    assert audit.run(options) == 0
    assert "30 entries, 3 seals and 3 locked heads agree" in capsys.readouterr().out
    victim = next(AuditRepository("demo", sealed.table).entries(NOW - 12 * DAY, NOW))
    options = parser.parse_args(["audit", "verify", "--tenant", "demo", "--entry", victim.id])
    assert audit.run(options) == 0
    assert "root" in capsys.readouterr().out
    sealed.table.delete(Key(victim.pk, victim.sk))
    assert audit.run(parser.parse_args(["audit", "verify", "--tenant", "demo"])) == 1
    assert f"entry_removed     {victim.id}" in capsys.readouterr().out
    with pytest.raises(console.Failure):
        audit.run(parser.parse_args(["audit", "verify", "--tenant", "demo", "--entry", keys_audit.since(NOW)]))
