"""Pools of codes: ordered once, made in parts that may come twice, used like any coupon, withdrawn as a whole."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from functions.coupon_redemption import handler
from shared.coupons import baskets, pools
from shared.coupons.api import RedeemCouponRequest
from shared.coupons.code_space import CodeSpace
from shared.coupons.pool_jobs import ReserveUsedUp, make_part
from shared.coupons.pools import PART
from shared.kernel.errors import AppError
from shared.kernel.instants import DAY
from shared.relay.envelope import of_record
from shared.storage import keys
from shared.storage.items import CodeItem
from shared.transactions.errors import SaleRefused
from shared.transactions.service import record
from tests.builders.front import FakeAws
from tests.builders.house import FRIES, House, sale
from tests.builders.office import Office
from tests.fakes.faulty import FaultyTable, Killed

ORDER: dict[str, Any] = {"count": 60, "pattern": "SUMMER-####-#####", "request_id": "p1"}


@dataclass
class Aws(FakeAws):
    """With batches of messages and links."""

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        self.messages += request["Entries"]
        return {}

    def generate_presigned_url(self, operation: str, **request: Any) -> str:
        return f"{operation}:{request['Params']['Bucket']}/{request['Params']['Key']}?{request['ExpiresIn']}"


class Printer:
    """The function coupon_redemption with its queue and bucket."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.office, self.house, self.aws = Office(house, monkeypatch), house, Aws()
        handler.runtime().client = lambda _service: self.aws  # type: ignore[assignment,method-assign]
        monkeypatch.setattr(handler, "settings", lambda: SimpleNamespace(queue_url="queue", dead_letter_url="dead", bucket="bucket"))

    def ordered(self, **more: Any) -> Any:
        said = self.office.call("order_pool", ORDER | more, offer_id="fries")
        assert said.status == 202, said.body
        return said.body

    def work(self) -> list[str]:
        """Let the worker do what waits; answers the messages, which may be given to it again."""
        bodies = [each["MessageBody"] for each in self.aws.messages]
        self.aws.messages.clear()
        assert self.deliver(bodies) == {"batchItemFailures": []}
        return bodies

    def deliver(self, bodies: list[str]) -> Any:
        records = [{"messageId": str(place), "body": body} for place, body in enumerate(bodies)]
        return handler.lambda_handler({"Records": records})

    def codes(self) -> list[str]:
        """What the files say."""
        files = [body.decode().split("\r\n") for name, body in sorted(self.aws.objects.items())]
        assert all(lines[0] == "code" and lines[-1] == "" for lines in files)
        return [line for lines in files for line in lines[1:-1]]

    def get(self, pool: Any) -> Any:
        return self.office.call("get_pool", offer_id="fries", pool_id=pool["pool_id"]).body

    def call(self, operation: str, code: str, **more: Any) -> Any:
        return self.office.call(operation, {"code": code, **more})

    def rows(self) -> list[Any]:
        rows = (row for row in self.office.rows() if "#AUDIT#" not in row["PK"]["S"])
        return sorted(rows, key=lambda row: (row["PK"]["S"], row["SK"]["S"]))


@pytest.fixture
def printer(house: House, monkeypatch: pytest.MonkeyPatch) -> Printer:
    return Printer(house, monkeypatch)


# -- order and make -------------------------------------------------------------------------------------------------


def test_a_pool_is_ordered_made_and_read(printer: Printer) -> None:
    pool = printer.ordered()
    assert (pool["status"], pool["made"], pool["count"], pool["expires_at"]) == ("making", 0, 60, "2026-12-21T23:00:00Z")
    assert (pool["space"], pool["one_guess_in"], pool["shortest_pattern"]) == (str(30**8), str(30**8 // 60), "SUMMER-####-###")
    printer.work()
    ready = printer.get(pool)
    assert ready == pool | {"status": "ready", "made": 60}
    codes = printer.codes()
    assert len(set(codes)) == 60
    assert all(CodeSpace(ORDER["pattern"]).fits(code) for code in codes)


def test_a_code_is_one_item_and_is_stored_nowhere(printer: Printer) -> None:
    before = len(printer.rows())
    printer.ordered()
    printer.work()
    rows = printer.rows()
    of_pool = [row["SK"]["S"] for row in rows if row["PK"]["S"].split("#")[2] in ("CODE", "CPN")]
    assert of_pool == ["CODE"] * 60
    # Beside them the pool, its job with one part, and the request.
    assert len(rows) - before == 60 + 4
    stored = str(rows)
    assert not any(code in stored for code in printer.codes())


def test_ordering_again_answers_the_same_pool_and_sends_what_is_not_made(printer: Printer) -> None:
    pool = printer.ordered(count=PART + 1)
    first, second = printer.aws.messages
    printer.deliver([first["MessageBody"]])
    printer.aws.messages.clear()
    again = printer.office.call("order_pool", ORDER | {"count": PART + 1}, offer_id="fries")
    assert (again.status, again.headers["idempotent-replayed"]) == (202, "true")
    assert again.body == pool | {"made": PART}
    assert [each["MessageBody"] for each in printer.aws.messages] == [second["MessageBody"]]
    other = printer.office.call("order_pool", ORDER, offer_id="fries")
    assert (other.status, other.body["code"]) == (422, "request_reused")


def test_a_part_that_comes_twice_makes_nothing_twice_and_undoes_nothing(printer: Printer) -> None:
    pool = printer.ordered()
    messages = printer.work()
    codes = printer.codes()
    assert printer.call("redeem_coupon", codes[7], basket_id="b1").status == 200
    before = printer.rows()
    printer.deliver(messages)
    assert printer.codes() == codes
    changed = [row["PK"]["S"] for row, old in zip(printer.rows(), before, strict=True) if row != old]
    assert changed == [keys.job("demo", pool["job_id"]).pk]
    assert printer.get(pool)["made"] == 60
    assert printer.call("redeem_coupon", codes[7], basket_id="b2").body["code"] == "coupon_redeemed"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_anywhere_is_made_good_by_the_next(printer: Printer, dynamodb: str, when: Literal["before", "after"]) -> None:
    pool = printer.ordered()
    message, table, deaths = json.loads(printer.aws.messages[0]["MessageBody"]), FaultyTable(dynamodb, printer.house.table.name), 0
    scope = printer.house.scope()
    scope.table = table
    for at in range(1, 40):
        table.arm(at, when, "kill")
        try:
            make_part(scope, message, handler._files())
        except Killed:
            deaths += 1
            continue
        break
    # The pool, three writes of codes, those of them that found theirs there already once more, the outcome.
    assert deaths >= 5
    codes = printer.codes()
    assert len(set(codes)) == 60
    assert printer.get(pool)["made"] == 60
    assert all(printer.call("lookup_coupon", code).body["state"] == "active" for code in codes)
    assert sum(row["SK"]["S"] == "CODE" for row in printer.rows()) == 60


def test_a_code_that_is_somebody_elses_is_replaced_the_same_way_every_time(printer: Printer) -> None:
    printer.ordered()
    messages = [each["MessageBody"] for each in printer.aws.messages]
    printer.work()
    first = printer.codes()
    for row in printer.rows():
        if row["SK"]["S"] == "CODE":
            printer.house.table.delete(keys.Key(row["PK"]["S"], "CODE"))
    taken = [first[3], first[30]]
    blinds = [printer.house.scope().blind("code", code) for code in taken]
    for blind in blinds:
        printer.house.table.put(CodeItem.at(keys.code("demo", blind), coupon="cpn_of_somebody"))
    for _ in range(2):
        printer.deliver(messages)
        codes = printer.codes()
        assert [place for place in range(60) if codes[place] != first[place]] == [3, 30]
        assert len(set(codes)) == 60
    assert sum(row["SK"]["S"] == "CODE" for row in printer.rows()) == 62
    assert printer.house.table.get(keys.code("demo", blinds[0]))["coupon"]["S"] == "cpn_of_somebody"  # type: ignore[index]


def test_a_reserve_that_is_used_up_is_told(printer: Printer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "RESERVE", 1)
    printer.ordered(count=3)
    message = json.loads(printer.aws.messages[0]["MessageBody"])
    scope = printer.house.scope()
    pool = pools.load(scope, "fries", "pol" + message["job"].removeprefix("job"))
    monkeypatch.setattr(pools.Pool, "reserve", lambda self, part: self.span(part))
    printer.deliver([json.dumps(message)])
    for row in printer.rows():
        if row["SK"]["S"] == "CODE":
            printer.house.table.put(CodeItem.at(keys.Key(row["PK"]["S"], "CODE"), coupon="cpn_of_somebody"))
    with pytest.raises(ReserveUsedUp):
        make_part(scope, message, handler._files())
    assert pool.parts == 1


# -- use ------------------------------------------------------------------------------------------------------------


def test_a_code_is_held_released_and_redeemed_like_any_coupon(printer: Printer) -> None:
    printer.ordered()
    printer.work()
    code = printer.codes()[0]
    found = printer.call("lookup_coupon", code.lower()).body
    assert (found["state"], found["offer_id"], "code" in found) == ("active", "fries", False)
    assert printer.call("hold_coupon", code, basket_id="b1").body["state"] == "held"
    assert printer.call("redeem_coupon", code, basket_id="b2").body["code"] == "coupon_held"
    assert printer.call("release_coupon", code, basket_id="b1").body["state"] == "active"
    used = printer.call("redeem_coupon", code, basket_id="b2").body
    assert (used["state"], used["id"]) == ("redeemed", found["id"])
    by_id = printer.office.call("redeem_coupon", {"id": found["id"], "basket_id": "b3"})
    assert (by_id.status, by_id.body["code"]) == (409, "coupon_redeemed")


def test_its_events_are_those_of_a_coupon(printer: Printer) -> None:
    pool = printer.ordered()
    printer.work()
    code = printer.codes()[0]
    used = printer.call("redeem_coupon", code, basket_id="b1").body
    told = {}
    for row in printer.rows():
        envelope = of_record({"dynamodb": {"NewImage": row}}) if row["PK"]["S"].split("#")[2] in ("CODE", "POOL") else None
        if envelope is not None:
            told[envelope.aggregate] = [each["type"] for each in envelope.events]
    assert told == {f"pool:{pool['pool_id']}": ["pool.ordered"], f"coupon:{used['id']}": ["coupon.redeemed"]}


def test_a_code_works_in_a_sale_once(printer: Printer) -> None:
    printer.ordered()
    printer.work()
    code, member = printer.codes()[0], printer.house.join()
    lines = (("fries", 350),)
    first = record(printer.house.scope(), sale(member, lines=lines, coupons=[{"code": code}])).answer
    assert first["totals"]["discount"] == 250
    assert printer.call("lookup_coupon", code).body["state"] == "redeemed"
    with pytest.raises(SaleRefused) as refused:
        record(printer.house.scope(), sale(None, lines=lines, coupons=[{"code": code}]))
    assert [each.code for each in refused.value.errors] == ["redeemed"]


def test_sixteen_tills_redeem_a_code_once(printer: Printer) -> None:
    printer.ordered()
    printer.work()
    code = printer.codes()[0]

    def redeem(number: int) -> str:
        try:
            return baskets.redeem(printer.house.scope(), RedeemCouponRequest(code=code, basket_id=f"b{number}")).state
        except AppError as refusal:
            return refusal.code

    with ThreadPoolExecutor(16) as tills:
        ends = list(tills.map(redeem, range(16)))
    assert ends.count("redeemed") == 1
    assert set(ends) <= {"redeemed", "coupon_redeemed", "concurrent_update"}


# -- void -----------------------------------------------------------------------------------------------------------


def test_a_pool_is_withdrawn_at_once_but_what_was_used_stays_used(printer: Printer) -> None:
    pool = printer.ordered()
    printer.work()
    used, held, unused, *_ = printer.codes()
    printer.call("redeem_coupon", used, basket_id="b1")
    printer.call("hold_coupon", held, basket_id="b2")
    before = len(printer.rows())
    for _ in range(2):
        said = printer.office.call("void_pool", offer_id="fries", pool_id=pool["pool_id"])
        assert (said.status, said.body["status"]) == (200, "void")
    assert len(printer.rows()) == before
    for code in (held, unused):
        assert printer.call("redeem_coupon", code, basket_id="b2").body["code"] == "coupon_void"
        assert printer.call("lookup_coupon", code).body["state"] == "void"
    assert printer.call("lookup_coupon", used).body["state"] == "redeemed"
    with pytest.raises(SaleRefused) as refused:
        record(printer.house.scope(), sale(None, lines=(("fries", 350),), coupons=[{"code": unused}]))
    assert [each.code for each in refused.value.errors] == ["void"]


def test_a_voided_pool_is_made_no_further(printer: Printer) -> None:
    pool = printer.ordered()
    printer.office.call("void_pool", offer_id="fries", pool_id=pool["pool_id"])
    printer.work()
    assert printer.aws.objects == {}
    assert (printer.get(pool)["status"], printer.get(pool)["made"]) == ("void", 0)


# -- files ----------------------------------------------------------------------------------------------------------


def test_files_are_linked_for_ten_minutes_once_they_are_made(printer: Printer) -> None:
    pool = printer.ordered(count=PART + 1)
    path = {"offer_id": "fries", "pool_id": pool["pool_id"]}
    assert printer.office.call("list_pool_files", **path).body["files"] == []
    printer.deliver([printer.aws.messages[1]["MessageBody"]])
    (file,) = printer.office.call("list_pool_files", **path).body["files"]
    assert (file["part"], file["codes"], file["url_expires_at"]) == (1, 1, "2026-11-21T10:10:00Z")
    assert file["url"] == f"get_object:bucket/bulk/demo/{pool['pool_id']}/0001.csv?600"


# -- refusals -------------------------------------------------------------------------------------------------------


def test_a_space_that_guessing_pays_in_is_refused_with_its_odds(printer: Printer) -> None:
    before = printer.rows()
    said = printer.office.call("order_pool", ORDER | {"pattern": "SUMMER-####"}, offer_id="fries")
    assert (said.status, said.body["code"], said.errors) == (422, "guessable", [("/pattern", "guessable")])
    assert said.body["errors"][0]["detail"] == (
        "27000 codes, 60 of them good: one guess in 450 hits, 1000000 guesses 2222 times; "
        "the shortest pattern that would do is SUMMER-#######"
    )
    long = printer.office.call("order_pool", ORDER | {"prefix": "A" * 30, "pattern": "B" * 30 + "####"}, offer_id="fries")
    assert "no pattern" in long.body["errors"][0]["detail"]
    assert printer.rows() == before


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"count": 0}, 422, "invalid_request"),
        ({"count": 1_000_001}, 422, "invalid_request"),
        ({"count": True}, 422, "invalid_request"),
        ({"pattern": "summer-####-#####"}, 422, "invalid_request"),
        ({"pattern": "NOTHING"}, 422, "invalid_request"),
        ({"alphabet": "AB"}, 422, "invalid_request"),
        ({"pattern": "#" * 64, "prefix": "A"}, 422, "invalid_request"),
        ({"request_id": None}, 422, "idempotency_key_required"),
    ],
)
def test_wrong_orders_store_and_send_nothing(printer: Printer, change: dict[str, Any], status: int, code: str) -> None:
    before = printer.rows()
    said = printer.office.call("order_pool", ORDER | change, offer_id="fries")
    assert (said.status, said.body["code"]) == (status, code)
    assert (printer.rows(), printer.aws.messages) == (before, [])


def test_no_pool_of_an_offer_that_is_not_in_force(printer: Printer) -> None:
    printer.house.publish("offer", "over", FRIES | {"valid_until": "2026-11-20T00:00:00Z"})
    for offer in ("over", "nothing"):
        assert printer.office.call("order_pool", ORDER, offer_id=offer).body["code"] == "unknown_offer"


def test_pools_are_found_under_their_own_offer_and_tenant_only(printer: Printer) -> None:
    pool = printer.ordered()
    printer.work()
    printer.house.publish("offer", "other", FRIES)
    wrong: list[dict[str, Any]] = [
        {"offer_id": "other", "pool_id": pool["pool_id"]},
        {"offer_id": "fries", "pool_id": "pol_00000000000000000000000000"},
        {"offer_id": "fries", "pool_id": "../POOL"},
        {"offer_id": "fries", "pool_id": pool["pool_id"], "tenant": "other"},
    ]
    for operation in ("get_pool", "list_pool_files", "void_pool"):
        for each in wrong:
            assert printer.office.call(operation, **each).body["code"] == "unknown_pool"
    assert printer.get(pool)["status"] == "ready"


def test_a_pointer_at_no_pool_goes_to_the_dead_letters(printer: Printer) -> None:
    lost = {"tenant": "demo", "job": "job_00000000000000000000000000", "part": 0}
    assert printer.deliver([json.dumps(lost), "[]"]) == {"batchItemFailures": []}
    assert [each["QueueUrl"] for each in printer.aws.messages] == ["dead", "dead"]


def test_a_pointer_to_a_coupon_is_no_coupon(printer: Printer) -> None:
    blind = printer.house.scope().blind("code", "PLAIN")
    printer.house.table.put(CodeItem.at(keys.code("demo", blind), coupon="cpn_gone"))
    said = printer.office.call("lookup_coupon", {"id": f"code_{blind}"})
    assert (said.status, said.body["code"]) == (404, "unknown_coupon")


def test_an_expired_code_is_refused(printer: Printer) -> None:
    printer.ordered()
    printer.work()
    printer.house.now += 40 * DAY
    assert printer.call("redeem_coupon", printer.codes()[0], basket_id="b1").body["code"] == "coupon_expired"

