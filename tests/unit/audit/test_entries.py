"""What an entry says, and what it never says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audit import notes, seals
from shared.audit.model import KEPT, Actor, Entry, Target, entry_of, text_of
from shared.http.routes import ROUTES
from shared.kernel.ids import encode_ulid, new_ulid, ulid_bytes, ulid_of_bytes
from shared.kernel.instants import DAY, SECOND
from shared.storage import keys_audit

NOW = 1_795_255_200_000
NAMES = st.text(min_size=1, max_size=12)
ENTRIES = st.builds(
    Entry,
    id=st.builds(encode_ulid, st.integers(NOW, NOW + 400 * DAY), st.binary(min_size=10, max_size=10)),
    tenant=st.just("demo"),
    actor=st.builds(Actor, st.sampled_from(("key", "operator", "member", "staff")), NAMES, st.none() | NAMES),
    operation=NAMES,
    outcome=st.sampled_from(("changed", "ordered", "read")),
    target=st.none() | st.builds(Target, NAMES, st.none() | NAMES),
    member=st.none() | NAMES,
    fields=st.lists(NAMES, max_size=3).map(tuple),
    correlation_id=st.just("") | NAMES,
)


@given(ENTRIES)
def test_an_entrys_text_reads_back_and_has_one_spelling(entry: Entry) -> None:
    text = text_of(entry)
    assert entry_of(text) == entry
    assert text.isascii()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_the_text_that_is_documented() -> None:
    entry = Entry(
        "01KANFZD00000000000000000A", "demo", Actor("key", "demo-1", "mitte"), "adjust_points", "changed",
        Target("member", "mbr_1"), "mbr_1", ("points", "reason"), "c-12345678",
    )  # fmt: skip
    assert text_of(entry) == (
        '{"actor":{"id":"demo-1","kind":"key","location":"mitte"},"correlation_id":"c-12345678","fields":["points","reason"],"format":1,'
        '"id":"01KANFZD00000000000000000A","member":"mbr_1","operation":"adjust_points","outcome":"changed",'
        '"target":{"id":"mbr_1","kind":"member"},"tenant":"demo"}'
    )


def test_an_entry_expires_after_its_time_and_lies_in_the_partition_of_its_day() -> None:
    entry = Entry(new_ulid(NOW), "demo", Actor("key", "k"), "publish_offer", "changed")
    item = notes.item_of(entry)
    assert item["expires_at"] == {"N": str((NOW + KEPT) // SECOND)}
    assert item["PK"]["S"].startswith("T#demo#AUDIT#20261121#")
    assert item["SK"]["S"] == f"{NOW}#{entry.id}"


@given(st.binary(min_size=10, max_size=10))
def test_an_id_and_its_bytes_are_the_same(randomness: bytes) -> None:
    ulid = encode_ulid(NOW, randomness)
    assert ulid_of_bytes(ulid_bytes(ulid)) == ulid


@given(st.lists(st.binary(min_size=10, max_size=10), unique=True, max_size=30))
def test_leaves_are_packed_and_unpacked(all_randomness: list[bytes]) -> None:
    leaves = [seals.Leaf.of(encode_ulid(NOW, each), each.hex()) for each in all_randomness]
    assert seals.unpack_leaves(seals.pack_leaves(leaves)) == leaves
    assert sum(each.count for each in seals.shards_of(leaves)) == len(leaves)


@pytest.mark.parametrize(
    ("template", "path", "caller", "written", "target"),
    [
        ("/v1/offers/{definition_id}/retire", {"definition_id": "summer"}, None, [], Target("offer", "summer")),
        ("/v1/members/{member_id}/access/{access_id}", {"member_id": "m", "access_id": "acc_1"}, None, [], Target("access", "acc_1")),
        ("/v1/me/consents", {}, "mbr_1", [("T#d#M#mbr_1", "STATE")], Target("member", "mbr_1")),
        ("/v1/members", {}, None, [("T#d#REQ#register#x", "REQ"), ("T#d#M#mbr_1", "PROFILE")], Target("member", "mbr_1")),
        ("/v1/members/bulk", {}, None, [("T#d#JOB#job_1", "JOB")], Target("job", "job_1")),
        ("/v1/tenants/{tenant_id}/keys", {"tenant_id": "d"}, None, [("T#d#KEYS", "KEY#d-1")], Target("key", "d-1")),
        ("/v1/tenants/{tenant_id}", {"tenant_id": "d"}, None, [("T#d#DEF", "TENANT")], Target("tenant", "d")),
        ("/v1/members/{member_id}/referral-code", {"member_id": "m"}, None, [("T#d#ID#referral#h", "ID")], Target("member", "m")),
        ("/v1/signing-keys/rotate", {}, None, [("T#operator#SIGNING", "SIGNING")], Target("signing")),
        ("/v1/statistics/profile/run", {}, None, [], None),
    ],
)
def test_what_an_entry_says_it_was_done_to(
    template: str, path: dict[str, str], caller: str | None, written: list[tuple[str, str]], target: Target | None
) -> None:
    assert notes.target_of(template, path, caller, written) == target


def test_sales_and_what_a_till_does_with_them_cost_no_entry() -> None:
    audited = {route.operation: route.audited for route in ROUTES}
    at_the_till = {
        "quote", "create_hold", "extend_hold", "record_transaction", "record_return", "hold_coupon", "redeem_coupon", "release_coupon",
        "record_event", "lookup_coupon", "lookup_transaction", "identify_member",
    }  # fmt: skip
    assert {audited[name] for name in at_the_till} == {"books", "none", "counted"}
    assert audited["release_hold"] == "forced"


def test_every_change_that_is_in_no_entry_is_known() -> None:
    """A new route that changes something is noted unless somebody decides here that it is not."""
    unnoted = {route.operation for route in ROUTES if route.method not in ("GET", "HEAD") and route.audited in ("books", "none", "counted")}
    assert unnoted == {
        "quote", "create_hold", "extend_hold", "record_transaction", "record_return", "hold_coupon", "redeem_coupon", "release_coupon",
        "record_event", "lookup_coupon", "lookup_transaction", "identify_member", "send_code", "get_tokens", "submit_form", "unsubscribe",
        "receive_apple_notice", "confirm_consent",
        "read_message", "read_message_of_me", "lint_programme", "preview_segment", "estimate_campaign",
        "ask_confirmation", "type_confirmation_code", "decide_confirmation_of_me",
    }  # fmt: skip


def test_a_days_partitions() -> None:
    assert keys_audit.days(NOW, NOW + DAY) == ["20261121", "20261122"]


def test_whatever_shows_a_members_fields_is_noted() -> None:
    noted = {route.operation for route in ROUTES if route.audited in ("read", "personal")}
    hers = {"get_member", "get_access", "get_export", "search_members", "list_inbox", "explain_membership", "preview_campaign"}
    assert noted >= hers | {"list_pool_files"}
    assert not {name for name in noted if name.endswith("_of_me")}
