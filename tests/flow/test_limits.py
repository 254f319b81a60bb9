"""A tenant that floods is refused, and one beside it is not: through gateway, authorizer, functions and the tenant's own sessions."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from local.client import Client, Refused
from shared.storage import keys_limits
from tests.benchmarks.flooding import flood
from tests.flow.conftest import DeployedStack

SCOPES = ["transactions:write", "transactions:read"]
JOB = "/v1/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV"


def tenant(stack: DeployedStack, name: str, plan: dict[str, Any]) -> str:
    """A tenant's key."""
    operator = Client(stack.api_url, stack.operator_key)
    settings = {"name": name, "currency": "EUR", "time_zone": "Europe/Berlin", "plan": plan}
    operator.post("/v1/tenants", {"id": name, "settings": settings})
    return str(operator.post(f"/v1/tenants/{name}/keys", {"scopes": SCOPES, "label": "till"})["key"])


def test_who_floods_is_refused_and_the_neighbour_is_not(stack: DeployedStack) -> None:
    slow = {"per_second": 2, "burst": 2}
    normal, noisy = tenant(stack, "quietone", {}), tenant(stack, "noisyone", {"tenant_rate": slow, "key_rate": slow})
    quoted, asked = Client(stack.api_url, normal), Client(stack.api_url, noisy)
    with pytest.raises(Refused, match="404"):
        asked.get(JOB)
    answers: Counter[int] = Counter()
    flooding = threading.Thread(target=lambda: answers.update(flood(stack.api_url + JOB, noisy, 6, 1, patient=False)))
    flooding.start()
    line = {"id": "1", "item_id": "x", "unit_price": 500}
    basket = {"source": "pos", "location_id": "mitte", "currency": "EUR", "lines": [line], "occurred_at": "2026-01-02T10:00:00Z"}
    headers = []
    while flooding.is_alive():
        headers.append(quoted.call("POST", "/v1/quotes", basket).headers)
    flooding.join()
    assert answers[404] > 0
    assert answers[429] > answers[404]
    assert set(answers) == {404, 429}
    assert all(each["ratelimit-policy"] == '"tenant";q=400;w=2, "credential";q=300;w=2' for each in headers)
    table = stack.client("dynamodb")
    key = keys_limits.rate("noisyone", "tenant")
    stored = table.get_item(TableName=stack.outputs["TableName"], Key={"PK": {"S": key.pk}, "SK": {"S": key.sk}})
    assert int(stored["Item"]["level"]["N"]) > 0
