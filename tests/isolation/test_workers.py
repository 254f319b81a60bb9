"""Consumers of queues: whatever a message says, it reaches the things of the tenant that it names, and of no other."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.isolation.building import FUNCTIONS, wrote
from tests.isolation.conftest import Street

NO_QUEUE = {"authorizer", "event_relay", "guest_links", "tenancy", "administration", "media", "sign_in"}
"""Functions that consume none."""
CONSUMERS = sorted(set(FUNCTIONS) - NO_QUEUE)


def kinds(street: Street, function: str) -> dict[str, Mapping[str, Any]]:
    """One message of each kind that the function got of Ann's while she was filled."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, body in street.building.delivered:
        if name == function and street.ann.id in json.dumps(body):
            detail = body.get("detail")
            kind = "+".join(detail.get("types", ["feedback"])) if isinstance(detail, dict) else str(body.get("kind", sorted(body)))
            found.setdefault(kind, body)
    return found


def renamed(body: Any, old: str, new: str) -> Any:
    """The message with another tenant in every field ``tenant``, and all else as it was."""
    if isinstance(body, dict):
        tenants: dict[str, Any] = {"tenant": new} if body.get("tenant") == old else {"tenant": [new]} if body.get("tenant") == [old] else {}
        return {name: renamed(value, old, new) for name, value in body.items()} | tenants
    return [renamed(each, old, new) for each in body] if isinstance(body, list) else body


def with_bobs_key(body: Any, street: Street) -> Iterator[Any]:
    """The envelope with a key of Bob's, its tenant being Ann."""
    if _is_envelope(body):
        other = copy.deepcopy(body)
        other["detail"]["key"] = other["detail"]["key"].replace(f"T#{street.ann.id}#", f"T#{street.bob.id}#")
        yield other


def _is_envelope(body: Any) -> bool:
    return isinstance(body.get("detail"), dict) and "key" in body["detail"]


@pytest.mark.parametrize("function", CONSUMERS)
def test_a_message_whose_tenant_and_keys_disagree_changes_nothing(street: Street, function: str) -> None:
    messages = extra(street).get(function, []) + list(kinds(street, function).values())
    assert messages, f"{function}: no message of it is known: fill a tenant so that it works (tests/isolation/filling.py)"
    for body in messages:
        for wrong in (renamed(body, street.ann.id, street.bob.id), *with_bobs_key(body, street)):
            street.building.cloud.sqs.sent.clear()
            objects = dict(street.building.cloud.s3.objects)
            asked = street.building.deliver(function, [wrong], may_fail=True, MessageGroupId=street.bob.id)
            refused = street.building.refused()
            after = street.building.image() if wrote(asked) else street.image
            changed = {key for key in after.keys() | street.image.keys() if after.get(key) != street.image.get(key)}
            if _is_envelope(wrong):
                assert refused == [wrong], f"{function}: not put aside: {wrong}"
                assert [each for each in asked if each.service == "dynamodb"] == [], f"{function}: looked at the table for {wrong}"
                assert not changed
            of_ann = {key for key in changed if f"T#{street.ann.id}#" in key[1] or _names(street, after.get(key))}
            assert not of_ann, f"{function}: {wrong} changed {of_ann}"
            written = {name for name, value in street.building.cloud.s3.objects.items() if objects.get(name) != value}
            assert not {name for name in written if street.ann.id in name}
            street.building.cloud.s3.objects = objects
            if changed:
                street.clean()


def _names(street: Street, item: Any) -> bool:
    """Whether something of Bob's now has Ann's ids in it."""
    ids = {street.ann.ids[kind] for kind in ("member", "friend", "coupon", "transaction", "job", "export", "pool")}
    return item is not None and any(each in str(item) for each in ids)


@pytest.mark.parametrize("function", CONSUMERS)
def test_what_names_no_tenant_is_put_aside(street: Street, function: str) -> None:
    messages = extra(street).get(function, []) + list(kinds(street, function).values())
    for body in messages:
        for tenant in ("", "T#x", "operator#", "*", "../anton"):
            wrong = renamed(body, street.ann.id, tenant)
            street.building.deliver(function, [wrong], MessageGroupId="x")
            assert street.building.refused() == [wrong], f"{function}: {tenant!r} was taken"
    assert street.building.image() == street.image


def extra(street: Street) -> dict[str, list[dict[str, Any]]]:
    """Messages of functions that filling does not wake."""
    ann = street.ann
    return {
        "member_rights": [{"kind": "erasure", "tenant": ann.id, "member": ann.ids["member"]}],
        "tenant_removal": [{"kind": "remove_tenant", "tenant": ann.id}],
    }
