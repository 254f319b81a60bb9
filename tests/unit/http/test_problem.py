from __future__ import annotations

import json

import pytest

from shared.http.problem import Problem, problem_body, problem_response
from shared.kernel import errors


def every_refusal(root: type[errors.AppError] = errors.AppError) -> list[type[errors.AppError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in every_refusal(child))]


def test_a_problem_as_rfc_9457_has_it() -> None:
    error = errors.Unprocessable("No such item.", errors=(errors.FieldError("/lines/0/item_id", "unknown_item", "not in the catalogue"),))
    response = problem_response(error, instance="/v1/quotes", request_id="r1")
    assert response["statusCode"] == 422
    assert response["headers"]["content-type"] == "application/problem+json"
    assert json.loads(response["body"]) == {
        "type": "urn:regulars:problem:invalid_request",
        "title": "Invalid request",
        "status": 422,
        "detail": "No such item.",
        "code": "invalid_request",
        "instance": "/v1/quotes",
        "request_id": "r1",
        "errors": [{"pointer": "/lines/0/item_id", "code": "unknown_item", "detail": "not in the catalogue"}],
    }


def test_members_that_are_empty_are_left_out() -> None:
    assert set(problem_body(errors.NotFound())) == {"type", "title", "status", "detail", "code"}


def test_retry_after_is_sent_where_a_repeat_helps() -> None:
    assert problem_response(errors.TooManyRequests(retry_after=7))["headers"]["retry-after"] == "7"
    assert problem_response(errors.Unavailable())["headers"]["retry-after"] == "1"
    assert "retry-after" not in problem_response(errors.NotFound())["headers"]


def test_a_401_says_how_to_authenticate() -> None:
    from shared.tenants.principal import ExpiredToken, MissingCredential

    assert problem_response(MissingCredential())["headers"]["www-authenticate"] == 'Bearer realm="regulars"'
    assert problem_response(ExpiredToken())["headers"]["www-authenticate"] == 'Bearer realm="regulars", error="invalid_token"'
    assert "www-authenticate" not in problem_response(errors.Forbidden())["headers"]


@pytest.mark.parametrize("kind", [kind for kind in every_refusal() if kind.__module__.startswith("shared.kernel")])
def test_every_refusal_fits_the_published_schema(kind: type[errors.AppError]) -> None:
    body = problem_body(kind(), instance="/v1/x", request_id="r1")
    assert Problem.model_validate(body, strict=True, extra="forbid").code == kind.code
    assert 400 <= kind.status <= 599
