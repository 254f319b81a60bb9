"""Every operation leaves in the audit log what the route table says: one entry in the transaction of its change, or one by itself, or none.

Walked over all routes as in test_walk.py, so that a new route is covered without being added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from shared.audit.model import Entry, Target, entry_of, text_of
from shared.aws.runtime import NamedTenant
from shared.kernel.instants import HOUR
from shared.members.repository import MemberRepository
from shared.storage.noting import COUNTS
from shared.storage.table import WriteBatch
from tests.isolation.building import BY_OPERATION, Said
from tests.isolation.conftest import Street
from tests.isolation.filling import THE_OPERATOR
from tests.isolation.walking import calls, credential_of, operations

KINDS = ("programme", "offer", "promotion", "reward", "segment", "challenge", "campaign")
_UNCHANGED = {
    **dict.fromkeys((f"publish_{kind}" for kind in KINDS), "is published already: test_publishing_is_noted_with_the_version"),
    "resume_campaign": "runs already: the same test",
    "add_device": "is registered already: the same test", "add_device_of_me": "the same",
    "launch_campaign": "is over: test_launching_and_approving_are_noted", "approve_campaign": "her own work: the same test",
    "remove_tenant": "is active: test_a_tenants_removal_lies_with_the_operator",
    "lift_suppression": "nothing is suppressed: test_what_the_walk_finds_done_already",
    "unblock_identifier": "nothing is blocked: the same test",
    "remove_identifiers_of_me": "she signs in with neither: the same test",
}  # fmt: skip
"""Operations whose good calls in the walk change nothing, and where what they leave is tested."""
Noted = tuple[Entry, list[dict[str, Any]]]


def noted(said: Said) -> list[Noted]:
    """Each entry that a call put, with the other writes of its transaction."""
    found: list[Noted] = []
    for each in (asked.request for asked in said.asked if asked.operation in ("put_item", "transact_write_items")):
        actions: list[dict[str, Any]] = list(each.get("TransactItems", ({"Put": each},)))
        notes = [action for action in actions if "#AUDIT#" in action.get("Put", {}).get("Item", {}).get("PK", {}).get("S", "")]
        found += [(entry_of(note["Put"]["Item"]["body"]["S"]), [other for other in actions if other is not note]) for note in notes]
    return found


def _partition(action: dict[str, Any]) -> str:
    (request,) = action.values()
    return str((request.get("Item") or request["Key"])["PK"]["S"])


@pytest.mark.parametrize("operation", sorted(operations()))
def test_a_call_leaves_what_the_route_table_says(street: Street, operation: str) -> None:
    kind, left = BY_OPERATION[operation].audited, 0
    for call in calls(operation, street.ann):
        said = street.send(call, credential_of(operation, street.ann))
        entries = noted(said) if said.status < 400 else []
        left += len(entries)
        assert len(entries) <= 1, "one entry a call"
        for entry, written in entries:
            assert entry.operation == operation
            assert bool(written) == (entry.outcome == "changed") or kind == "order"
            partitions = [_partition(action).split("#") for action in written]
            assert {tenant for _, tenant, *_ in partitions} <= {entry.tenant}
            assert not partitions or {kind for _, _, kind, *_ in partitions} - COUNTS, "an entry lies with its change, not with a count"
    is_due = kind in ("change", "order", "read") and operation not in _UNCHANGED
    assert left == 0 if not is_due else left >= 1, f"{operation} is {kind!r} in the route table, and left {left} entries"


@pytest.mark.parametrize("operation", sorted(name for name, route in BY_OPERATION.items() if route.audited in ("change", "order", "read")))
def test_a_call_that_is_refused_leaves_nothing(street: Street, operation: str) -> None:
    before = _stored(street)
    for good in (each for each in calls(operation, street.ann) if each.slots):
        call = good
        for where, kind in good.slots.items():
            call = call.with_(where, street.nobody.ids[kind])
        said = call.send(street.building, credential_of(operation, street.ann))
        if said.status >= 400:
            assert _stored(street) == before, said.text
        street.clean()


def _stored(street: Street) -> set[tuple[str, str]]:
    return {(pk, sk) for table, pk, sk in street.building.image() if "#AUDIT#" in pk}


@contextmanager
def one_after_the_other(street: Street) -> Iterator[Any]:
    """Calls of Ann's tenant that build on each other."""

    def call(operation: str, **parts: Any) -> Said:
        made = next(calls(operation, street.ann))
        for name, value in parts.items():
            made = made.with_((name,), {**(made.parts[name] or {}), **value} if isinstance(value, Mapping) else value)
        said = made.send(street.building, credential_of(operation, street.ann))
        assert said.status < 400, said.text
        return said

    yield call
    street.clean()


@pytest.mark.parametrize("kind", KINDS)
def test_publishing_is_noted_with_the_version(street: Street, kind: str) -> None:
    with one_after_the_other(street) as call:
        call(f"replace_{kind}")
        ((entry, written),) = noted(call(f"publish_{kind}"))
        assert entry.target is not None
        assert (entry.target.kind, entry.target.id) == (kind, street.ann.ids[kind])
        assert any(action["Put"]["Item"]["SK"]["S"].startswith(kind.upper()) for action in written if "Put" in action)


def test_what_the_walk_finds_done_already(street: Street) -> None:
    with one_after_the_other(street) as call:
        call("pause_campaign")
        assert len(noted(call("resume_campaign"))) == 1
        body = next(calls("add_device", street.ann)).parts["body"]
        assert len(noted(call("add_device", body={"token": "0" * len(body["token"])}))) == 1
        street.building.deliver("delivery_feedback", [street.ann.told_bounce()])
        assert len(noted(call("lift_suppression", path={"channel": "email"}))) == 1
        blocked = next(calls("block_identifier", street.ann)).parts["body"]
        assert len(noted(call("block_identifier"))) == 1
        assert len(noted(call("unblock_identifier", body=blocked))) == 1
        sign_in_with(street, "google")
        ((entry, _),) = noted(call("remove_identifiers_of_me", path={"kind": "google"}))
        assert entry.member == street.ann.ids["member"]


def sign_in_with(street: Street, kind: str) -> None:
    """Ann's member has signed in with that provider."""
    scope, member = street.building.modules["registration"].runtime().scope(NamedTenant(street.ann.id)), street.ann.ids["member"]
    repository, batch = MemberRepository(scope.tenant, scope.table), WriteBatch()
    repository.add_identifier(batch, "identifier", kind, "hers", member)
    repository.add_held(batch, member, [(kind, "hers")])
    scope.table.transact(batch, "sign-in-of-a-test")


def test_launching_and_approving_are_noted(street: Street) -> None:
    with one_after_the_other(street) as call:
        found = call("get_tenant")
        path, settings = {"tenant_id": street.ann.id}, found.body["settings"]
        body = {"settings": settings | {"messaging": settings.get("messaging", {}) | {"approval": True}}}
        changed = street.building.call(
            "replace_tenant", THE_OPERATOR, body, path=path, headers={"if-match": found.headers["etag"]}
        )
        assert changed.status == 200, changed.text
        makers = list(calls("create_campaign", street.ann))
        made = makers[-1].send(street.building, street.ann.key)
        assert made.status == 201, made.text
        walk = {"definition_id": made.body["id"]}
        published = call("publish_campaign", path=walk)
        assert len(noted(published)) == 1
        second = call("create_own_key", body={"scopes": ["campaigns:run"], "location_id": None}).body["key"]
        approved = street.building.call("approve_campaign", second, {"version": 1}, path={"campaign_id": made.body["id"]})
        assert approved.status == 200, approved.text
        ((entry, _),) = noted(approved)
        assert entry.fields == ("version",)
        street.building.now += HOUR
        ((entry, _),) = noted(call("launch_campaign", path={"campaign_id": made.body["id"]}))
        assert entry.target == Target("campaign", made.body["id"])
    street.building.now -= HOUR


def test_a_hold_that_is_ended_by_force_is_noted(street: Street) -> None:
    with one_after_the_other(street) as call:
        ((entry, _),) = noted(call("release_hold", query={"force": "true", "reason": "till-broken"}))
        assert entry.operation == "release_hold"
        assert "till-broken" not in text_of(entry)


def test_a_tenants_removal_lies_with_the_operator(street: Street) -> None:
    with one_after_the_other(street) as call:
        found = call("get_tenant")
        path, headers = {"tenant_id": street.ann.id}, {"if-match": found.headers["etag"]}
        body = {"settings": found.body["settings"] | {"status": "suspended"}}
        suspended = street.building.call("replace_tenant", THE_OPERATOR, body, path=path, headers=headers)
        ((entry, _),) = noted(suspended)
        assert (entry.tenant, entry.actor.kind, entry.fields) == (street.ann.id, "operator", ("settings",))
        ((entry, _),) = noted(call("remove_tenant"))
        assert (entry.tenant, entry.target and entry.target.id) == ("operator", street.ann.id)


def test_personal_columns_of_a_search_are_noted_and_others_are_not(street: Street) -> None:
    with one_after_the_other(street) as call:
        columns = next(calls("search_members", street.ann)).parts["body"]
        assert noted(call("search_members")) == []
        ((entry, _),) = noted(call("search_members", body=columns | {"columns": ["member_id", "email"]}))
        assert (entry.outcome, entry.operation) == ("read", "search_members")
