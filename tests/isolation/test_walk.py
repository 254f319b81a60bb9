"""Every operation of the interface with two tenants' credentials and ids crossed: nothing tells, and nothing changes, the other's data.

Generated from docs/openapi.json. A new route is walked without being added here; where it names something that the walk has never seen,
the failure says what is missing (tests/isolation/examples.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.isolation import examples
from tests.isolation.building import BY_OPERATION, Said, wrote
from tests.isolation.conftest import Street
from tests.isolation.filling import Tenant
from tests.isolation.walking import Call, Where, calls, credential_of, id_like_names, operations, seen

QUEUES = {
    "members_queue_url": "registration", "transactions_queue_url": "transaction_ingestion", "coupons_queue_url": "coupon_redemption",
    "exports_queue_url": "audiences", "segments_queue_url": "segment_evaluation", "snapshots_queue_url": "segment_snapshots",
    "planning_queue_url": "campaign_planning", "sending_queue_url": "campaign_sending", "rights_queue_url": "member_rights",
    "removals_queue_url": "tenant_removal", "audit_queue_url": "audit_sealing",
}  # fmt: skip
_OF_ITS_STATE = {"request_reused"}
"""Refusals with 422 that say something of what is stored, and not of the body alone."""
_OF_THE_OPERATOR = {"list_tenants"}
"""Lists of no tenant."""
LISTS = sorted(name for name, spec in operations().items() if any(each["name"] == "cursor" for each in spec.get("parameters", ())))


def test_the_document_and_the_walk_know_the_same_operations() -> None:
    assert operations().keys() == BY_OPERATION.keys()
    unknown = examples.BODIES.keys() - operations().keys()
    assert not unknown, f"bodies of operations that are gone: {unknown}"


def test_every_name_of_an_id_in_a_body_is_known() -> None:
    unknown = id_like_names() - examples.IDS_IN_BODIES.keys() - examples.NOT_OF_OURS.keys()
    assert not unknown, f"{sorted(unknown)}: say in tests/isolation/examples.py what they are ids of (IDS_IN_BODIES), or of none of ours"


@pytest.mark.parametrize("operation", sorted(operations()))
def test_another_tenants_ids_are_as_good_as_none(street: Street, operation: str) -> None:
    for call in calls(operation, street.bob):
        credential = credential_of(operation, street.bob)
        own = street.send(call, credential)
        assert own.status < 500, own.text
        for wheres in _places(call):
            foreign = _crossed(street, call, wheres, street.ann, credential)
            nowhere = _crossed(street, call, wheres, street.nobody, credential)
            what = f"{operation}: {wheres} of another tenant"
            assert seen(foreign, *_sent(call, wheres, street.ann)) == seen(nowhere, *_sent(call, wheres, street.nobody)), what
            assert foreign.reads == nowhere.reads, f"{what} takes other requests to storage than one that is nowhere"


@pytest.mark.parametrize("operation", sorted(operations()))
def test_each_place_of_a_call_leads_to_something(street: Street, operation: str) -> None:
    """Else the walk would prove nothing: an owner's good call must answer otherwise than the same with an id that is nowhere."""
    credential = credential_of(operation, street.ann)
    base = operation.removesuffix("_of_me")
    looked_at: dict[tuple[Where, str], bool] = {}
    for call in calls(operation, street.ann):
        own = street.send(call, credential)
        is_good = own.status not in (400, 401, 422, 500) or own.code in _OF_ITS_STATE
        assert is_good, f"{operation}: write a body into tests/isolation/examples.py: {own.text}"
        for where, kind in call.slots.items():
            lost = street.send(call.with_(where, street.nobody.ids[kind]), credential)
            differs = seen(own, street.ann.ids[kind]) != seen(lost, street.nobody.ids[kind])
            looked_at[where, kind] = looked_at.get((where, kind), False) or differs
    for (where, kind), differs in looked_at.items():
        if (base, kind) not in examples.SAME_ANSWER:
            assert differs, f"{operation}: {where} is not looked at by these calls"


@pytest.mark.parametrize("operation", LISTS)
def test_another_tenants_cursor_is_no_cursor(street: Street, operation: str) -> None:
    call, hers = next(calls(operation, street.bob)), next(calls(operation, street.ann))
    if operation in _OF_THE_OPERATOR:
        assert not hers.slots
        return
    page = street.send(hers.with_(("query", "limit"), "1"), credential_of(operation, street.ann))
    cursor = page.body["next_cursor"]
    credential = credential_of(operation, street.bob)
    own = street.send(call.with_(("query", "limit"), "1"), credential).body["next_cursor"]
    good = street.send(call.with_(("query", "cursor"), own), credential)
    assert good.status == 200, good.text
    tampered = own[:-2] + ("A" if own[-2] != "A" else "B") + own[-1]
    answers = [street.send(call.with_(("query", "cursor"), each), credential) for each in (cursor, tampered)]
    assert [(each.status, each.code) for each in answers] == [(422, "invalid_cursor")] * 2
    assert answers[0].reads == answers[1].reads


def test_nothing_is_left_changed(street: Street) -> None:
    """The walk undoes what Bob's own calls do; what it cannot undo would show here."""
    assert street.building.image() == street.image


# -- how a call is crossed ------------------------------------------------------------------------------------------------


def _places(call: Call) -> Iterator[list[Where]]:
    """Each place where it names something of a tenant, and all of them at once."""
    by_operator = BY_OPERATION[call.operation].scope == "operator"
    wheres = [
        where for where, kind in call.slots.items()
        if kind not in examples.OPENS and not (kind == "tenant" and by_operator)  # every tenant is the operator's
    ]  # fmt: skip
    yield from ([where] for where in wheres)
    link = BY_OPERATION[call.operation].public  # which opens what it names, whoever holds it
    if len(wheres) > 1 and not link:
        yield wheres


def _sent(call: Call, wheres: list[Where], tenant: Tenant) -> list[str]:
    kinds = {call.slots[where] for where in wheres}
    # A sale's id is made of what is printed on the receipt.
    made_of = ["transaction"] if kinds >= {"location", "receipt"} else []
    return [tenant.ids[kind] for kind in (*made_of, *(call.slots[where] for where in wheres))]


def _crossed(street: Street, call: Call, wheres: list[Where], tenant: Tenant, credential: str | None) -> Said:
    """Bob's call with that tenant's ids there, and all that comes of it; Ann's things are as they were."""
    for where in wheres:
        call = call.with_(where, tenant.ids[call.slots[where]])
    objects = dict(street.building.cloud.s3.objects)
    said = call.send(street.building, credential)
    what = f"{call.operation} with {wheres} of {tenant.id}"
    assert said.status < 500, f"{what}: {said.text}"
    asked = [*said.asked, *work_off(street)]
    _check_answer(street, said, _sent(call, wheres, tenant), what)
    if wrote(asked):
        hers = f"T#{street.ann.id}#"
        changed = {key for key, item in _differences(street.image, street.building.image()) if key[1].startswith(hers)}
        assert not changed, f"{what}: changed {changed}"
        of_hers = {name for name, body in _differences(objects, street.building.cloud.s3.objects) if f"/{street.ann.id}/" in name}
        assert not of_hers, f"{what}: changed objects {of_hers}"
        street.building.cloud.s3.objects = objects
        street.clean()
    street.building.cloud.sqs.sent.clear()
    return said


def _check_answer(street: Street, said: Said, sent: list[str], what: str) -> None:
    answer = f"{said.text} {dict(said.headers)}"
    for each in sorted(sent, key=len, reverse=True):
        answer = answer.replace(each, "")
    shown = [each for each in street.ann.planted() if each.lower() in answer.lower()]
    assert not shown, f"{what}: shows {shown}"


def work_off(street: Street) -> list[Any]:
    """Let every consumer do what the call put into its queue; none of it may be Ann's."""
    asked: list[Any] = []
    for _ in range(3):
        for queue, function in QUEUES.items():
            waiting = street.building.cloud.sqs.take(queue)
            if waiting:
                assert all(each.get("tenant") != street.ann.id for each in waiting), f"a message of {street.ann.id} in {queue}"
                asked += street.building.deliver(function, waiting)
    return asked


def _differences(before: Any, after: Any) -> Iterator[tuple[Any, Any]]:
    for key in itertools.chain(before, after.keys() - before.keys()):
        if before.get(key) != after.get(key):
            yield key, after.get(key)
