"""The document names the Idempotency-Key where an operation reads it, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.isolation.building import BY_OPERATION, Said
from tests.isolation.conftest import Street
from tests.isolation.walking import calls, credential_of, operations

POSTS = sorted(name for name, route in BY_OPERATION.items() if route.method == "POST")
NO_KEY = '"broken'


def reads_the_key(said: Said) -> bool:
    return said.status == 422 and any(each["pointer"] == "/Idempotency-Key" for each in said.body.get("errors", ()))


@pytest.mark.parametrize("operation", POSTS)
def test_a_key_that_is_none_is_refused_where_one_is_documented_and_only_there(street: Street, operation: str) -> None:
    documented = any(each["name"] == "Idempotency-Key" for each in operations()[operation].get("parameters", ()))
    answers = []
    for call in calls(operation, street.ann):
        broken = replace(call, headers={**call.headers, "idempotency-key": NO_KEY})
        answers.append(reads_the_key(broken.send(street.building, credential_of(operation, street.ann))))
        street.clean()
    assert any(answers) is documented


def test_some_take_one_and_some_do_not() -> None:
    keyed = {name for name in POSTS if BY_OPERATION[name].keyed}
    assert len(keyed) >= 11
    assert set(POSTS) - keyed
