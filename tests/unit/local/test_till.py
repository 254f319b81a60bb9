"""The reference till: what it gives offline, what it makes of answers, and that every sale arrives once whatever breaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.__main__ import main
from local.till.giving import Coupon
from local.till.journal import Journal
from local.till.memory import FileMemory, Known
from local.till.network import Reply
from shared.coupons.qr import ExpiredQr, InvalidQr, QrContent
from shared.kernel.instants import HOUR, MINUTE, SECOND, parse_rfc3339
from shared.tenants.allowances import Giving
from shared.tenants.tokens import TokenSigner
from tests.builders.tills import MOST, NOW, TODAY, Station, coupon, order
from tests.fakes.till import FATES

SIGNER = TokenSigner(b"a master secret of the tests")
LOCATION = {"id": "mitte", "name": "Mitte", "time_zone": "Europe/Berlin", "offline": MOST.model_dump(mode="json")}


class Books:
    """A server in memory: records a key once, answers it again, refuses another body, and knows what time it is."""

    def __init__(self) -> None:
        self.now = NOW
        self.stored: dict[str, Any] = {}
        self.refuse: Callable[[str, Any], Reply | None] = lambda _path, _body: None

    def __call__(self, method: str, path: str, body: Any) -> Reply:
        reply = self.refuse(path, body) or self._answer(path, body)
        date = format_datetime(datetime.fromtimestamp(self.now // SECOND, UTC), usegmt=True)
        return Reply(reply.status, reply.body, {"date": date, **reply.headers})

    def _answer(self, path: str, body: Any) -> Reply:
        if path.startswith("/.well-known"):
            return Reply(200, SIGNER.jwks())
        if path.startswith("/v1/locations"):
            more = {"next_cursor": "c2", "data": [LOCATION | {"id": "ost"}]}
            return Reply(200, {"data": [LOCATION]} if "cursor=c2" in path else more)
        if body and parse_rfc3339(body["occurred_at"]) > self.now + 5 * MINUTE:
            return Reply(422, {"code": "occurred_in_future"})
        if path == "/v1/quotes":
            return Reply(200, {"totals": {"discount": 1}})
        key = path if path.endswith("/void") else f"{path} {body['till_id']} {body['business_date']} {body['receipt_number']}"
        if path.endswith("/void") and not any(each.startswith("/v1/transactions ") for each in self.stored):
            return Reply(404, {"code": "unknown_transaction"})
        text = json.dumps(body, sort_keys=True)
        before = self.stored.setdefault(key, text)
        if before != text:
            return Reply(422, {"code": "request_reused"})
        return Reply(201 if before is text else 200, {"totals": {"discount": 0}})


@pytest.fixture
def books() -> Books:
    return Books()


def station(books: Books, fast: int = 0, **more: Any) -> Station:
    return Station("1", books, lambda: books.now, fast, **more)


# -- selling --------------------------------------------------------------------------------------------------------


def test_with_a_network_the_sale_is_priced_and_recorded_by_us(books: Books) -> None:
    one = station(books)
    sold = one.till.sell(order("1", Coupon(id="cpn_9")))
    assert (sold.taken, sold.offline, sold.answer) == (True, False, {"totals": {"discount": 0}})
    assert [path for path, _ in one.network.sent] == ["/v1/quotes", "/v1/transactions"]
    assert "given" not in one.network.sent[1][1]


def test_what_we_refuse_in_a_quote_is_not_sold(books: Books) -> None:
    refused = [{"subject": "coupons/0", "code": "expired", "detail": ""}]
    books.refuse = lambda path, _: Reply(200, {"refused": refused}) if path == "/v1/quotes" else None
    one = station(books)
    sold = one.till.sell(order("1", Coupon(id="cpn_9")))
    assert (sold.taken, sold.reason, sold.subject) == (False, "expired", "coupons/0")
    assert one.till.journal.entries == {}


def test_without_a_network_it_gives_within_the_allowance_and_settles_later(books: Books) -> None:
    one = station(books)
    assert one.till.refresh()
    one.network.cut = True
    content = SIGNER.sign(QrContent("coupon", "demo", "cpn_1", "percent 10", NOW + 5 * MINUTE).text().encode())
    shown = one.till.scan(content)
    sold = one.till.sell(order("1", Coupon(shown=shown), points=20, points_value=100))
    assert (sold.taken, sold.offline, sold.discount, sold.answer) == (True, True, 90, None)
    again = one.till.sell(order("2", Coupon(shown=shown)))
    assert (again.taken, again.reason) == (False, "taken_before")
    assert one.till.sell(order("3")).taken
    assert one.till.sell(order("1", Coupon(shown=shown), points=20, points_value=100)) == sold
    assert one.till.settle().reason == "no_answer"
    one.network.cut = False
    assert one.till.settle().done == 2
    body = json.loads(one.network.sent[-2][1])
    assert (body["coupons"], body["offline"], body["points_to_spend"]) == ([{"id": "cpn_1", "given": 90}], True, 20)
    assert body["tenders"] == [{"kind": "points", "amount": 100}]
    assert one.till.settle() == type(one.till.settle())()


def test_it_does_not_give_before_it_ever_had_contact_nor_too_long_after(books: Books) -> None:
    one = station(books)
    one.network.cut = True
    wanted = order("1", Coupon(shown=coupon()))
    assert one.till.sell(wanted).reason == "not_allowed"
    one.network.cut = False
    one.till.refresh()
    one.network.cut = True
    books.now += 73 * HOUR
    assert one.till.sell(wanted).reason == "offline_too_long"
    books.now -= 2 * HOUR
    assert one.till.sell(wanted).taken


def test_what_was_given_today_outlives_a_restart(books: Books) -> None:
    one = station(books)
    one.till.refresh()
    one.network.cut = True
    for receipt, taken in (("1", True), ("2", False)):
        one.plug.at = one.plug.steps + 1 if receipt == "2" else None
        sold = one.do(lambda till, receipt=receipt: till.sell(order(receipt, Coupon(shown=coupon("amount 450", receipt)))))
        assert sold.taken is taken
    assert (sold.reason, one.plug.pulled) == ("value_per_day", ["send"])


@pytest.mark.parametrize("fast", [10 * MINUTE, -10 * MINUTE])
@pytest.mark.parametrize("knows", [True, False])
def test_a_clock_that_is_ten_minutes_wrong_is_put_right(books: Books, fast: int, knows: bool) -> None:
    one = station(books, fast)
    if knows:
        one.till.refresh()
    one.network.cut = True
    assert one.till.sell(order("1")).taken
    books.now += 3 * HOUR
    one.network.cut = False
    one.do(lambda till: till.settle())
    (text,) = books.stored.values()
    assert abs(parse_rfc3339(json.loads(text)["occurred_at"]) - NOW) <= SECOND
    assert abs(one.till.now() - books.now) <= SECOND


def test_a_code_is_verified_with_ten_minutes_of_tolerance_and_new_keys_are_asked_for_once(books: Books) -> None:
    one = station(books, known=Known(jwks={"keys": []}, skew=0))
    text = SIGNER.sign(QrContent("member", "demo", "mbr_1", "", NOW).text().encode())
    assert one.till.scan(text).id == "mbr_1"
    books.now = NOW + 10 * MINUTE - SECOND
    assert one.till.scan(text).id == "mbr_1"
    books.now += 2 * SECOND
    with pytest.raises(ExpiredQr):
        one.till.scan(text)
    sent = len(one.network.sent)
    for _ in range(3):
        with pytest.raises(InvalidQr):
            one.till.scan(TokenSigner(b"another master secret").sign(b"q1|m|demo|mbr_1||9999999999"))
    assert len(one.network.sent) == sent + 1


# -- settling -------------------------------------------------------------------------------------------------------


def test_a_coupon_that_was_used_meanwhile_turns_the_sale_into_a_settled_one(books: Books) -> None:
    books.refuse = lambda path, body: (
        Reply(409, {"code": "not_redeemable"}) if path == "/v1/transactions" and not body.get("offline") else None
    )
    one = station(books)
    assert one.till.sell(order("1", Coupon(id="cpn_9"))).answer is not None
    (text,) = books.stored.values()
    assert json.loads(text)["offline"] is True


def test_what_is_refused_is_kept_for_a_person_and_holds_nothing_up(books: Books) -> None:
    books.refuse = lambda _, body: Reply(422, {"code": "unprocessable"}) if body and body.get("receipt_number") == "1" else None
    one = station(books)
    one.network.cut = True
    for receipt in ("1", "2"):
        one.till.sell(order(receipt))
    one.network.cut = False
    settled = one.till.settle()
    assert (settled.done, settled.refused, settled.waiting) == (1, 1, 0)
    assert [each.answer for each in Journal(one.disk).refused] == [{"code": "unprocessable"}]


def test_a_credential_that_is_refused_stops_and_keeps_everything(books: Books) -> None:
    books.refuse = lambda path, _: Reply(401, {"code": "unauthenticated"}) if path == "/v1/transactions" else None
    one = station(books)
    for receipt in ("1", "2"):
        one.till.sell(order(receipt))
    settled = one.till.settle()
    assert (settled.waiting, settled.reason) == (2, "credential")


def test_retry_after_is_respected(books: Books) -> None:
    books.refuse = lambda path, _: Reply(429, {}, {"retry-after": "7"}) if path == "/v1/transactions" else None
    one = station(books)
    one.till.sell(order("1"))
    assert one.till.settle().wait >= 7 * SECOND


def test_a_void_waits_for_its_sale_and_a_return_does_not(books: Books) -> None:
    one = station(books)
    one.network.cut = True
    one.till.sell(order("1"))
    one.till.void("1", TODAY)
    one.till.give_back("r1", "2", TODAY)
    busy = 0

    def once(path: str, _body: Any) -> Reply | None:
        nonlocal busy
        busy += path == "/v1/transactions"
        return Reply(503, {}) if path == "/v1/transactions" and busy == 1 else None

    books.refuse = once
    one.network.cut = False
    assert one.till.settle().done == 1
    assert [path for path, _ in one.network.sent[-2:]] == ["/v1/transactions", "/v1/returns"]
    assert one.till.settle().done == 2
    assert one.till.journal.refused == []


def test_the_cache_survives_and_a_broken_one_counts_as_none(tmp_path: Any) -> None:
    memory = FileMemory(tmp_path / "known.json")
    assert memory.load() == Known()
    memory.save(Known(skew=5, location=LOCATION))
    found = FileMemory(tmp_path / "known.json").load()
    assert (found.skew, found.allowance, found.zone) == (5, MOST, "Europe/Berlin")
    found.location = LOCATION | {"offline": {"hours": 5, "something_new": 1}}
    assert found.allowance is None
    (tmp_path / "known.json").write_text("{")
    assert memory.load() == Known()


def day(one: Station) -> None:
    """Four sales, a return and a void without a network; then everything is sent."""
    one.do(lambda till: till.refresh())
    one.network.cut = True
    for receipt in ("1", "2", "3", "4"):
        shown = Coupon(shown=coupon("amount 10", f"c{receipt}"))
        assert one.do(lambda till, receipt=receipt, shown=shown: till.sell(order(receipt, shown))).taken
    one.do(lambda till: till.give_back("r1", "2", TODAY))
    one.do(lambda till: till.void("3", TODAY))
    one.network.cut = False


def settled_once(books: Books, one: Station) -> None:
    """All of it arrived, once, with one body each."""
    one.do(lambda till: till.journal.compact(NOW))
    assert len(books.stored) == 6
    assert (one.till.journal.waiting, one.till.journal.refused) == ([], [])
    bodies: dict[str, set[str]] = {}
    for path, text in one.network.sent:
        if path in ("/v1/transactions", "/v1/returns"):
            bodies.setdefault(f"{path}{json.loads(text)['receipt_number']}", set()).add(text)
    assert all(len(each) == 1 for each in bodies.values())
    assert one.till.journal.given(TODAY) == Giving(0, 40)


def test_a_power_cut_at_any_step_of_a_day_changes_nothing() -> None:
    at, seen = 0, set()
    while True:
        at, books = at + 1, Books()
        one = station(books, 10 * MINUTE, seed=at)
        one.plug.at = at
        day(one)
        one.settle(lambda _ms: None)
        settled_once(books, one)
        seen.update(one.plug.pulled)
        if one.plug.steps < at:
            break
    assert seen == {"write", "write on", "fsync", "send", "receive", "write new", "fsync new", "rename", "fsync folder"}
    assert at > 60


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.floats(0, 0.08))
def test_nothing_is_lost_or_doubled_by_any_network_and_any_power_cuts(seed: int, often: float) -> None:
    books = Books()
    one = station(books, -10 * MINUTE, seed=seed)
    one.plug.often = often
    one.network.fates = ("ok",)
    day(one)
    one.network.fates = FATES

    def wait(ms: int) -> None:
        books.now += ms

    one.settle(wait)
    one.network.arrive()
    one.plug.often = 0
    settled_once(books, one)


# -- the command ----------------------------------------------------------------------------------------------------


def test_the_command_sells_without_a_network_and_says_what_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def till(action: str, *more: str) -> tuple[int, str]:
        where = ["--no-network", "--url", "http://127.0.0.1:9", "--key", "k", "--tenant", "demo", "--home", str(tmp_path)]
        code = main(["till", action, *more, *where])
        out = capsys.readouterr()
        return code, out.out + out.err

    assert till("sell", "burger=900x2", "fries=350") == (0, "receipt 1: offline, discount 0\n")
    assert till("sell", "burger=900", "--points", "5")[0] == 1
    assert till("return", "1", "--void", "--date", TODAY)[0] == 0
    code, text = till("status")
    assert code == 0
    assert "never" in text
    assert text.count("waiting  ") == 3
    assert till("settle") == (1, "0 recorded, 0 refused, 2 wait (no_answer)\n")
    code, text = till("scan", "nonsense")
    assert (code, "not valid" in text) == (1, True)
    with pytest.raises(SystemExit):
        till("fly")
