"""The interface against its own document: whatever is sent, by whomever, the answer is one that docs/openapi.json describes, never a 5xx.

Requests are made by Schemathesis from the document: such that fit it, and such that break it in one place. Ids in most paths are real ones
of a tenant, so that requests get past the first look-up. `make test-nightly` sends thirty times as many.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.isolation.building import BY_OPERATION, Said, wrote
from tests.isolation.conftest import Street
from tests.isolation.filling import THE_OPERATOR
from tests.isolation.walking import calls, credential_of, document, operations

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 100 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 3
"""Requests of a kind for an operation by whom it is for."""
FITS, BREAKS = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@cache
def described() -> Mapping[str, Any]:
    """Every operation of the document, as Schemathesis reads it."""
    found = (each.ok() for each in schemathesis.openapi.from_dict(document()).get_all_operations())
    return {each.definition.raw["operationId"]: each for each in found}


def ask(street: Street, name: str, credential: str | None, mode: GenerationMode, count: int, path: Mapping[str, str] | None = None) -> None:
    """Send requests that are made from the document, and look at each answer; what they change is undone."""
    made = described()[name].as_strategy(generation_mode=mode, path_parameters=dict(path) if path else None)
    # Found failures are shown as they came: making them smaller would take minutes.
    thoroughness = settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )

    @seed(20261122)
    @thoroughness
    @given(made)
    def run(case: Any) -> None:
        prepared = requests.Request(**case.as_transport_kwargs(base_url="http://api.example")).prepare()
        body = prepared.body.decode("utf-8", "surrogateescape") if isinstance(prepared.body, bytes) else prepared.body
        headers = {key.lower(): value for key, value in prepared.headers.items() if isinstance(value, str)}
        query = {key: str(value) for key, value in (case.query or {}).items()}
        given_path = {key: str(value) for key, value in (case.path_parameters or {}).items()}
        said = street.building.call(name, credential, body, path=given_path, query=query, headers=headers)
        if wrote(said.asked):
            street.clean()
        case.validate_response(_response(said, prepared), checks=CHECKS)

    with suppress(Unsatisfiable):  # nothing of it can be broken
        run()


def _response(said: Said, prepared: requests.PreparedRequest) -> Response:
    headers = {key.lower(): [value] for key, value in said.headers.items()}
    is_binary = "image" in said.headers.get("content-type", "")
    return Response(said.status, headers, said.text.encode("latin-1" if is_binary else "utf-8"), prepared, elapsed=0.001, verify=False)


@pytest.mark.parametrize("name", sorted(operations()))
def test_every_answer_is_one_of_the_document(street: Street, name: str) -> None:
    credential, path = credential_of(name, street.bob), next(calls(name, street.bob)).parts["path"]
    for mode in (FITS, BREAKS):
        ask(street, name, credential, mode, EXAMPLES, path)
    if path:
        ask(street, name, credential, FITS, 1)


@pytest.mark.parametrize("name", sorted(operations()))
def test_whoever_may_not_is_answered_by_the_document_too(street: Street, name: str) -> None:
    """No credential, one of nobody, and each kind that the route is not for."""
    own = credential_of(name, street.bob)
    if BY_OPERATION[name].public:
        return
    for credential in {None, "lyk_nobody", street.bob.key, street.bob.tokens["member"], THE_OPERATOR} - {own}:
        ask(street, name, credential, FITS, 1)
