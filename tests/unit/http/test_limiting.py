"""Rates in the dispatcher: headers, refusals, the reserve, and a table that does not answer."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from shared.http.app import Answer, HttpApp
from shared.http.limiting import FINISHING
from shared.http.routes import ROUTES, Route
from shared.kernel.instants import Instant
from shared.limits import leases
from shared.limits.rates import Rates
from shared.limits.rules import Payment, Rate
from shared.storage.errors import OutcomeUnknown
from shared.storage.keys import Key
from tests.unit.http.events import event_for, principal_for
from tests.unit.limits.simulation import WIDE, Memory

BY_NAME = {route.operation: route for route in ROUTES}
NARROW = Rate(2, 4)


@dataclass
class Home:
    """What calls are counted with."""

    memory: Any = field(default_factory=Memory)
    now: Instant = 1_800_000_000_000
    tenants: list[str] = field(default_factory=list)

    def buckets(self, tenant: str) -> Any:
        self.tenants.append(tenant)
        return self.memory

    def real_now(self) -> Instant:
        return self.now


@dataclass
class Silent:
    """A table that does not answer, or refuses."""

    error: Exception = field(default_factory=lambda: OutcomeUnknown("ReadTimeoutError"))

    def move(self, key: Key, wanted: Payment, now: Instant) -> tuple[bool, int | None]:
        raise self.error


class Till:
    """One environment of the function transaction_ingestion."""

    def __init__(self, home: Home) -> None:
        self.home, self.app, self.handled = home, HttpApp("transaction_ingestion"), 0
        for operation in ("quote", "release_hold", "get_job", "create_hold"):
            self.app.operation(operation)(self._handler)
        self.app.limit(lambda: home)

    def _handler(self, _: object) -> Answer:
        self.handled += 1
        return Answer(body={})

    def call(self, operation: str, rates: Rates | None, **caller: Any) -> dict[str, Any]:
        route: Route = BY_NAME[operation]
        return self.app.handle(event_for(route, replace(principal_for(route), rates=rates, **caller)))




def until_refused(till: Till, operation: str, rates: Rates, **caller: Any) -> dict[str, Any]:
    for _ in range(500):
        answer = till.call(operation, rates, **caller)
        if answer["statusCode"] == 429:
            return answer
    raise AssertionError("never refused")


def test_every_answer_says_what_is_left() -> None:
    till = Till(Home())
    answers = [till.call("quote", Rates(Rate(200, 400), Rate(150, 300))) for _ in range(3)]
    assert {answer["headers"]["ratelimit-policy"] for answer in answers} == {'"tenant";q=400;w=2, "credential";q=300;w=2'}
    assert [answer["headers"]["ratelimit"] for answer in answers] == [
        f'"tenant";r={399 - number};t=1, "credential";r={299 - number};t=1' for number in range(3)
    ]


def test_no_rates_no_headers_and_no_counting() -> None:
    till = Till(Home(Silent()))
    assert "ratelimit" not in till.call("quote", None)["headers"]
    assert till.home.tenants == []


@pytest.mark.parametrize(("rates", "policy"), [(Rates(NARROW, WIDE), "tenant"), (Rates(WIDE, NARROW), "credential")])
def test_the_refusal_names_its_policy_and_when_to_come_back(rates: Rates, policy: str) -> None:
    till = Till(Home())
    refused = until_refused(till, "quote", rates)
    handled = till.handled
    body = json.loads(refused["body"])
    assert (body["code"], body["status"], body["policy"]) == ("rate_limited", 429, policy)
    assert refused["headers"]["content-type"] == "application/problem+json"
    assert int(refused["headers"]["retry-after"]) >= 1
    assert f'"{policy}";r=0;t=' in refused["headers"]["ratelimit"]
    assert f'"{policy}";q=4;w=2' in refused["headers"]["ratelimit-policy"]
    assert till.call("quote", rates)["statusCode"] == 429
    assert till.handled == handled


def test_who_waits_as_long_as_told_is_answered() -> None:
    till, rates = Till(Home()), Rates(NARROW, WIDE)
    refused = until_refused(till, "quote", rates)
    till.home.now += 1000 * int(refused["headers"]["retry-after"])
    assert till.call("quote", rates)["statusCode"] == 200


def test_a_sale_that_was_begun_can_be_finished_when_new_ones_are_refused() -> None:
    till, rates = Till(Home()), Rates(NARROW, WIDE)
    until_refused(till, "create_hold", rates)
    assert till.call("get_job", rates)["statusCode"] == 429
    released = [till.call("release_hold", rates)["statusCode"] for _ in range(NARROW.block + 1)]
    assert (released[0], released[-1]) == (204, 429)


def test_one_credential_does_not_spend_anothers_rate() -> None:
    till, rates = Till(Home()), Rates(WIDE, NARROW)
    until_refused(till, "quote", rates, id="acme-first")
    assert till.call("quote", rates, id="acme-second")["statusCode"] == 200


def test_one_tenant_does_not_spend_anothers_rate() -> None:
    till, rates = Till(Home()), Rates(NARROW, WIDE)
    until_refused(till, "quote", rates)
    assert till.call("quote", rates, tenant="other")["statusCode"] == 200


def test_a_refusal_for_the_scope_counts_too() -> None:
    till, rates = Till(Home()), Rates(NARROW, WIDE)
    refused = until_refused(till, "quote", rates, scopes=frozenset({"members:read"}))
    assert json.loads(refused["body"])["code"] == "rate_limited"
    assert till.handled == 0


@pytest.mark.parametrize("error", [OutcomeUnknown("ReadTimeoutError"), RuntimeError("AccessDenied")])
def test_a_table_that_does_not_answer_closes_nobody_and_is_counted(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    till, rates = Till(Home(Silent(error))), Rates(NARROW, WIDE)
    assert {till.call("quote", rates)["statusCode"] for _ in range(3 * NARROW.block + 1)} == {200}
    counted = [line for line in capsys.readouterr().out.splitlines() if '"limits_unavailable"' in line]
    assert len(counted) == 3


def test_calls_of_guests_are_counted_by_tenant_and_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "PUBLIC_RATE", Rate(20, 100))
    home = Home()
    app = HttpApp("registration")

    @app.operation("get_form")
    def form(request: Any) -> Answer:
        request.admit_guest(request.path["token"], by_address=True)
        return Answer(body={})

    app.limit(lambda: home)

    def ask(tenant: str, address: str) -> int:
        event = event_for(BY_NAME["get_form"], pathParameters={"token": tenant})
        event["requestContext"]["http"]["sourceIp"] = address
        return int(app.handle(event)["statusCode"])

    seen = [ask("flood", "192.0.2.1") for _ in range(100)]
    assert (seen[0], seen[-1], seen.count(200)) == (200, 429, 60)
    assert ask("flood", "192.0.2.2") == 200
    assert ask("quiet", "192.0.2.1") == 200
    flooded = [ask("flood", f"198.51.100.{number % 250}") for number in range(600)]
    assert flooded[-1] == 429
    assert ask("quiet", "192.0.2.3") == 200


def test_what_finishes_a_sale_is_a_route() -> None:
    assert {route.operation for route in ROUTES if route.function in ("transaction_ingestion", "coupon_redemption")} >= FINISHING


@pytest.mark.parametrize("function", sorted({route.function for route in ROUTES}))
def test_every_function_behind_the_gateway_limits_its_calls(function: str) -> None:
    assert importlib.import_module(f"functions.{function}.handler").app._gate is not None
