"""Returns through the till's routes: in parts, sent again, before their sale, by many at once, cut off between any two steps; and
why a sale earned what it earned."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from shared.kernel.errors import AppError
from shared.kernel.instants import DAY, MINUTE, format_rfc3339
from shared.tenants.model import WalletSettings
from shared.transactions import answer_models, claims, ingestion, reversal
from shared.transactions.api import MemberReference, ReturnRequest, TransactionRequest
from shared.transactions.gathering import natural_key
from shared.transactions.repository import MAX_WAITING
from shared.transactions.service import record
from tests.builders.gateway import Till, held, recorded, refused, return_of, sold
from tests.builders.house import FRIES, NOW, PROGRAMME, SETTINGS, House, sale
from tests.builders.invariants import check_member
from tests.component.test_crashes import faulty
from tests.component.test_races import issue, together, until_done
from tests.fakes.faulty import FaultyTable, Killed

__all__ = ["faulty"]


def lines_of(*quantities: str) -> dict[str, Any]:
    """Lines of burgers for 2.50 each."""
    line = {"item_id": "burger", "unit_price": 250}
    return {"lines": [{"id": str(number), **line, "quantity": each} for number, each in enumerate(quantities, 1)]}


def asked(transaction: str, *lines: tuple[str, str | None], **more: Any) -> dict[str, Any]:
    """The body of a return of some lines."""
    rows = [{"line_id": line} | ({} if quantity is None else {"quantity": quantity}) for line, quantity in lines]
    return return_of(transaction, lines=rows, **more)


def before_its_sale(body: dict[str, Any], *lines: tuple[str, str | None]) -> dict[str, Any]:
    """The body of a return of a sale that has not arrived, by its natural key."""
    natural = {name: body[name] for name in ("source", "location_id", "business_date", "receipt_number")}
    returned = asked("", *lines, original=natural)
    del returned["transaction_id"]
    return returned


def answered(till: Till, body: dict[str, Any], status: int = 201) -> answer_models.ReversalAnswer:
    said = till.call("record_return", body)
    assert said.status == status, said.text
    return answer_models.ReversalAnswer.model_validate_json(said.text)


def status_of(till: Till, transaction: str) -> str:
    status: str = till.call("get_transaction", transaction_id=transaction).body["status"]
    return status


# -- in parts --------------------------------------------------------------------------------------------------------


def test_a_sale_comes_back_in_two_parts_each_of_which_is_safe_to_repeat(till: Till) -> None:
    member = till.house.join()
    bought = recorded(till, sold(member) | lines_of("3"))
    bodies = [asked(bought, ("1", "2")), asked(bought, ("1", None))]
    texts = []
    for body, points, status in zip(bodies, (4, 3), ("partly_returned", "returned"), strict=True):
        said = till.call("record_return", body)
        answer = answer_models.ReversalAnswer.model_validate_json(said.text)
        assert (said.status, answer.points_reversed, answer.transaction_status) == (201, points, status)
        assert status_of(till, bought) == status
        texts.append(said.text)
        again = till.call("record_return", body)
        assert (again.status, again.text, again.headers["idempotent-replayed"]) == (200, said.text, "true")
    before = till.stored()
    for body, text in zip(bodies, texts, strict=True):
        assert till.call("record_return", body).text == text
        refused(till.call("record_return", body | {"reason": "another"}), 422, "request_reused")
    assert till.stored() == before
    assert till.house.state(member).profile.count == 0
    check_member(till.house, member)


def test_every_return_answers_what_it_took_of_each_award_and_how(till: Till) -> None:
    member = till.house.join()
    bought = recorded(till, sold(member) | lines_of("3"))
    steps = []
    for quantity in ("1", "2"):
        said = till.call("record_return", asked(bought, ("1", quantity)))
        (step,) = said.body["trace"]
        steps.append((step["rule"], step["programme"], step["lines"], step["base"], step["formula"], step["rounding"], step["points"]))
        answer_models.ReversalAnswer.model_validate_json(said.text)
    assert steps == [
        ("return", "points", ["1"], 250, "7 x 1/3", "floor", -2),
        ("return", "points", ["1"], 500, "7 x 3/3 - 2", "floor", -5),
    ]


def test_a_part_that_has_left_too_little_for_itself_is_still_answered_again(till: Till) -> None:
    """What is left after it is less than it asked for: only its own record tells that it was carried out."""
    member = till.house.join()
    bought = recorded(till, sold(member) | lines_of("3", "1"))
    body = asked(bought, ("1", "3"))
    said = till.call("record_return", body)
    again = till.call("record_return", body)
    assert (said.status, again.status, again.text) == (201, 200, said.text)


def test_more_than_was_bought_is_refused_with_its_place_and_nothing_is_stored(till: Till) -> None:
    member = till.house.join()
    bought = recorded(till, sold(member) | lines_of("3", "1"))
    answered(till, asked(bought, ("1", "2")))
    before = till.stored()
    said = till.call("record_return", asked(bought, ("2", None), ("1", "1.001"), ("9", None)))
    refused(said, 422, "not_returnable")
    assert said.errors == [("/lines/1/quantity", "more_than_bought"), ("/lines/2/line_id", "unknown_line")]
    assert till.stored() == before


def test_a_return_of_everything_comes_after_a_part(till: Till) -> None:
    member = till.house.join()
    bought = recorded(till, sold(member) | lines_of("3", "1"))
    assert answered(till, asked(bought, ("2", None))).points_reversed == 2
    answer = answered(till, return_of(bought))
    assert (answer.points_reversed, answer.value, answer.transaction_status) == (8, 750, "returned")
    assert [(line.line_id, line.quantity) for line in answer.lines or ()] == [("1", "3")]


def test_a_void_after_a_part_takes_the_rest_and_stays(till: Till) -> None:
    member = till.house.join()
    bought = recorded(till, sold(member) | lines_of("3", "1"))
    answered(till, asked(bought, ("2", None)))
    said = till.call("void_transaction", transaction_id=bought)
    assert (said.status, said.body["points_reversed"], said.body["transaction_status"]) == (200, 8, "voided")
    assert till.call("void_transaction", transaction_id=bought).text == said.text
    refused(till.call("record_return", asked(bought, ("1", None))), 409, "already_reversed")
    assert till.house.state(member).profile.value == 0


def test_a_voided_receipt_is_rung_up_again_as_the_same_visit(till: Till) -> None:
    visit = {"name": "P", "earning": [{"kind": "fixed", "id": "visit", "points": 5}]}
    till.house.publish("programme", "points", visit, version=2, since=1)
    member = till.house.join()
    wrong = till.call("record_transaction", sold(member))
    assert wrong.body["points"]["earned"] == 5
    till.call("void_transaction", transaction_id=wrong.body["transaction_id"])
    till.house.now += MINUTE
    assert till.call("record_transaction", sold(member) | {"occurred_at": format_rfc3339(till.house.now)}).body["points"]["earned"] == 5


# -- before the sale -------------------------------------------------------------------------------------------------


def test_a_return_waits_for_its_sale_and_is_settled_with_it(till: Till) -> None:
    member = till.house.join()
    body = sold(member) | lines_of("3")
    back = before_its_sale(body, ("1", "2"))
    first = till.call("record_return", back)
    assert (first.status, first.body["status"]) == (201, "waiting")
    again = till.call("record_return", back)
    assert (again.status, again.text) == (200, first.text)
    refused(till.call("record_return", back | {"reason": "another"}), 422, "request_reused")
    bought = recorded(till, body)
    assert status_of(till, bought) == "partly_returned"
    answer = answered(till, back, 200)
    assert (answer.status, answer.points_reversed, answer.value, answer.balance) == ("settled", 4, 500, 3)
    check_member(till.house, member)


def test_returns_wait_for_a_sale_that_comes_in_bulk(till: Till) -> None:
    member = till.house.join()
    body = sold(member) | lines_of("3")
    back = before_its_sale(body)
    assert answered(till, back).status == "waiting"
    other = sold(member)
    till.call("import_transactions", {"transactions": [body, other, body]})
    assert till.work() == []
    assert status_of(till, natural_key(TransactionRequest.model_validate(body)).id("txn")) == "returned"
    assert answered(till, back, 200).points_reversed == 7
    assert till.house.state(member).profile.count == 1
    check_member(till.house, member)


def test_one_that_cannot_be_settled_is_refused_and_the_others_go_on(till: Till) -> None:
    """More than was bought, a line that there is not, and one too many: the good ones between them are settled."""
    member = till.house.join()
    body = sold(member) | lines_of("3", "1")
    waiting = [
        before_its_sale(body, ("1", "4")),
        before_its_sale(body, ("1", "2")),
        before_its_sale(body, ("7", None)),
        before_its_sale(body),
        before_its_sale(body),
        before_its_sale(body, ("2", None)),
    ]
    for back in waiting:
        assert answered(till, back).status == "waiting"
    bought = recorded(till, body)
    found = [till.call("record_return", back).body for back in waiting]
    assert [each["status"] for each in found] == ["refused", "settled", "refused", "settled", "refused", "refused"]
    assert [each["reason"] for each in found if each["status"] == "refused"] == ["not_returnable"] * 2 + ["already_reversed"] * 2
    assert [each["points_reversed"] for each in found if each["status"] == "settled"] == [5, 5]
    assert status_of(till, bought) == "returned"
    assert till.call("record_transaction", body).headers["idempotent-replayed"] == "true"
    check_member(till.house, member)


def test_so_many_returns_wait_and_no_more(till: Till) -> None:
    body = sold() | lines_of("30")
    waiting = [before_its_sale(body, ("1", "1")) for _ in range(MAX_WAITING)]
    for back in waiting:
        assert answered(till, back).status == "waiting"
    refused(till.call("record_return", before_its_sale(body, ("1", "1"))), 409, "too_many_returns")
    assert answered(till, waiting[0], 200).status == "waiting", "one that waits already is answered again"
    bought = recorded(till, body)
    assert status_of(till, bought) == "partly_returned"
    assert answered(till, asked(bought, ("1", None))).value == (30 - MAX_WAITING) * 250


def test_a_sale_with_a_member_that_is_not_known_meets_its_returns_too(till: Till) -> None:
    body = sold("mbr_00000000000000000000000000") | lines_of("2")
    back = before_its_sale(body, ("1", "1"))
    assert answered(till, back).status == "waiting"
    recorded(till, body)
    answer = answered(till, back, 200)
    assert (answer.status, answer.points_reversed, answer.value) == ("settled", 0, 250)


def test_cut_off_between_the_sale_and_its_returns_whoever_asks_next_goes_on(house: House) -> None:
    """By sending the sale again, by a return, by a claim, or by a void."""
    for how in ("sale", "return", "claim", "void"):
        member = house.join()
        request = sale(None if how == "claim" else member, lines=(("burger", 900), ("fries", 350)))
        returns = [_return_of(request, ("2", None))]
        if how == "return":
            returns.append(_return_of(request))
        assert reversal.record_return(house.scope(), returns[0]).answer["status"] == "waiting"
        record(house.scope(), request)  # and the process dies
        original = natural_key(request).id("txn")
        if how == "sale":
            assert ingestion.ingest(house.scope(), request).replayed
        elif how == "return":
            assert reversal.record_return(house.scope(), returns[1]).answer["points_reversed"] == 9
        elif how == "void":
            assert reversal.void(house.scope(), original).answer["points_reversed"] in (9, 12)
        else:
            with pytest.raises(AppError) as refusal:
                claims.claim(house.scope(), original, MemberReference(id=member))
            assert refusal.value.code == "not_claimable", "a part of it came back"
        again = reversal.record_return(house.scope(), returns[0]).answer
        assert again["status"] == "settled", how
        check_member(house, member)


def test_a_sale_that_was_waited_for_is_killed_anywhere_and_sent_again(faulty: House) -> None:
    table = faulty.table
    assert isinstance(table, FaultyTable)
    for at in range(1, 25):
        member = faulty.join()
        request = sale(member, lines=(("burger", 900), ("fries", 350)))
        back = _return_of(request, ("2", None))
        reversal.record_return(faulty.scope(), back)
        table.arm(at, "after", "kill")
        with suppress(Killed):
            ingestion.ingest(faulty.scope(), request)
        reached = table.calls >= at
        table.disarm()
        ingestion.ingest(faulty.scope(), request)
        assert reversal.record_return(faulty.scope(), back).answer["points_reversed"] == 3
        assert faulty.state(member).wallets["points"].reversed == 3
        check_member(faulty, member)
        if not reached:
            assert at > 5
            return
    pytest.fail("the path makes more calls than the test kills")


def _return_of(request: TransactionRequest, *lines: tuple[str, str | None]) -> ReturnRequest:
    body = request.model_dump(mode="json", exclude_defaults=True)
    return ReturnRequest.model_validate(before_its_sale(body, *lines))


def test_a_claimed_sale_gives_back_the_points_that_it_was_paid_with(house: House) -> None:
    """A till that was offline had taken them without knowing whose they were."""
    member = house.join()
    record(house.scope(), sale(member, lines=(("burger", 10_000),)))
    anonymous = record(house.scope(), sale(None, points_to_spend=40, offline=True)).answer
    assert [each["code"] for each in anonymous["warnings"]] == ["offline_loss"]
    claimed = claims.claim(house.scope(), anonymous["transaction_id"], MemberReference(id=member)).answer
    assert (claimed["points"]["spent"], claimed["points"]["balance"]) == (40, 67)
    back = reversal.record_return(house.scope(), ReturnRequest.model_validate(return_of(anonymous["transaction_id"]))).answer
    assert (back["points_given_back"], back["balance"], back["money"]) == (40, 100, 700)
    check_member(house, member)


# -- by many at once -------------------------------------------------------------------------------------------------


def test_eight_parts_of_one_sale_at_once_take_each_unit_once(house: House) -> None:
    member = house.join()
    request = TransactionRequest.model_validate(sold(member) | lines_of("7"))
    sale_id = record(house.scope(), request).answer["transaction_id"]
    bodies = [ReturnRequest.model_validate(asked(sale_id, ("1", "1"))) for _ in range(8)]
    works = [partial(reversal.record_return, house.scope(), body) for body in bodies]
    results = together([partial(until_done, work) for work in works])
    lost = [result for result in results if isinstance(result, AppError)]
    assert [refusal.code for refusal in lost] in (["not_returnable"], ["already_reversed"])
    assert sum(result.answer["points_reversed"] for result in results if not isinstance(result, AppError)) == 17  # type: ignore[attr-defined]
    state = house.state(member)
    assert (state.profile.count, state.profile.value, state.wallets["points"].reversed) == (0, 0, 17)
    check_member(house, member)


def test_a_void_and_returns_at_once_take_everything_once(house: House) -> None:
    for _ in range(4):
        member = house.join()
        request = TransactionRequest.model_validate(sold(member) | lines_of("4"))
        sale_id = record(house.scope(), request).answer["transaction_id"]
        bodies = [ReturnRequest.model_validate(asked(sale_id, ("1", "1"))) for _ in range(3)]
        works: list[Callable[[], Any]] = [partial(reversal.record_return, house.scope(), body) for body in bodies]
        works.append(partial(reversal.void, house.scope(), sale_id))
        results = together([partial(until_done, work) for work in works])
        assert all(result.code == "already_reversed" for result in results if isinstance(result, AppError))
        done = [result.answer for result in results if not isinstance(result, AppError)]  # type: ignore[attr-defined]
        assert sum(each["points_reversed"] for each in done) == 10
        state = house.state(member)
        assert (state.profile.count, state.wallets["points"].reversed) == (0, 10)
        check_member(house, member)


def test_the_sale_and_its_returns_at_once_end_the_same(house: House) -> None:
    for _ in range(4):
        member = house.join()
        request = TransactionRequest.model_validate(sold(member) | lines_of("4"))
        bodies = [_return_of(request, ("1", "1")) for _ in range(3)]
        works: list[Callable[[], Any]] = [partial(reversal.record_return, house.scope(), body) for body in bodies]
        works.insert(1, partial(ingestion.ingest, house.scope(), request))
        assert not [each for each in together([partial(until_done, work) for work in works]) if isinstance(each, AppError)]
        ingestion.ingest(house.scope(), request)
        assert [reversal.record_return(house.scope(), body).answer["status"] for body in bodies] == ["settled"] * 3
        assert house.state(member).wallets["points"].reversed == 7
        check_member(house, member)


def test_a_part_killed_anywhere_and_repeated_came_back_once(faulty: House) -> None:
    table = faulty.table
    assert isinstance(table, FaultyTable)
    for at in range(1, 12):
        reached = False
        for when in ("before", "after"):
            member = faulty.join()
            request = TransactionRequest.model_validate(sold(member) | lines_of("3", "1"))
            sale_id = record(faulty.scope(), request).answer["transaction_id"]
            body = ReturnRequest.model_validate(asked(sale_id, ("1", "2"), ("2", None)))
            table.arm(at, when, "kill")  # type: ignore[arg-type]
            try:
                reversal.record_return(faulty.scope(), body)
            except Killed:
                reached = True
            table.disarm()
            assert reversal.record_return(faulty.scope(), body).answer["points_reversed"] == 7
            assert faulty.state(member).wallets["points"].reversed == 7
            check_member(faulty, member)
        if not reached:
            assert at > 2
            return


# -- why -------------------------------------------------------------------------------------------------------------


RULES: dict[str, Any] = {
    **PROGRAMME,
    "earning": [
        {"kind": "per_amount", "id": "base", "points": 1, "per": 100, "limits": {"per_day": 50}},
        {"kind": "fixed", "id": "visit", "points": 5},
        {"kind": "multiplier", "id": "green", "percent": 200, "on": {"tags": ["vegetarian"]}},
    ],
    "limits": {"per_member": 100, "budget": 200_000},
    "tiers": {"levels": [{"id": "gold", "name": "Gold", "threshold": 40, "multiplier_percent": 150}]},
}


def explained(till: Till, transaction: str, *, same_as: Any = None) -> Any:
    said = till.call("explain_transaction", transaction_id=transaction)
    assert said.status == 200, said.text
    answer = answer_models.ExplanationAnswer.model_validate_json(said.text)
    assert answer.identical
    assert said.body["trace"] == till.call("get_transaction", transaction_id=transaction).body.get("trace", [])
    assert same_as is None or said.body == same_as
    return said.body


def test_every_kind_of_sale_is_explained_and_stays_so_under_a_new_version(till: Till) -> None:
    house = till.house
    house.publish("programme", "points", RULES, version=2, since=1)
    member, other = house.join(NOW - 5 * DAY), house.join(NOW - 5 * DAY)
    coupon = issue(house, member)
    sales = {
        "plain": recorded(till, sold(member, ("burger", 9_000), ("salad", 1_200))),
        "limit": recorded(till, sold(member, ("burger", 90_000))),
        "coupon": recorded(till, sold(member, ("fries", 350), ("burger", 900), coupons=[{"id": coupon}])),
        "points": recorded(till, sold(member, points_to_spend=20)),
        "hold": recorded(till, sold(member, hold_id=held(till, member, points_to_spend=10))),
        "late": recorded(till, sold(member, occurred_at=format_rfc3339(NOW - 2 * DAY), mode="late")),
        "offline": recorded(till, sold(member, ("fries", 350), coupons=[{"id": coupon}], offline=True)),
        "nobody": recorded(till, sold()),
        "claimed": recorded(till, sold(None, ("salad", 700), ("burger", 800))),
        "historical": recorded(till, sold(other, occurred_at=format_rfc3339(NOW - 100 * DAY), mode="historical")),
    }
    till.call("claim_transaction", {"member": {"id": other}}, transaction_id=sales["claimed"])
    before = {name: explained(till, id_) for name, id_ in sales.items()}
    assert all(before[name]["trace"] for name in sales if name != "nobody")
    steps = {step.get("limit") for step in before["limit"]["trace"]}
    assert {"per_day", "per_member"} & steps
    changed = {"earning": [{"kind": "per_amount", "id": "base", "points": 7, "per": 100}], "spending": {"points": 1, "value": 1}}
    house.publish("programme", "points", PROGRAMME | changed, version=3, since=house.now)
    house.now += 40 * DAY
    settings = SETTINGS.model_copy(update={"wallets": {"points": WalletSettings(points=9, value=1)}})
    house.create(settings)
    house.cache.forget(house.tenant)
    for name, id_ in sales.items():
        explained(till, id_, same_as=before[name])
    for name in ("plain", "points", "claimed"):
        points = till.call("get_transaction", transaction_id=sales[name]).body["points"]["earned"]
        back = answered(till, return_of(sales[name]))
        assert back.points_reversed + back.points_not_reversed == points, "taken back by the rules of then"
        assert explained(till, sales[name])["trace"] == before[name]["trace"]


def test_what_is_not_used_is_explained_by_its_reason(till: Till) -> None:
    body = RULES | {"earning": [*RULES["earning"], {"kind": "fixed", "id": "vip", "points": 9, "when": {"tags": ["vip"]}}]}
    till.house.publish("programme", "points", body, version=2, since=1)
    member = till.house.join()
    trace = explained(till, recorded(till, sold(member)))["trace"]
    reasons = {step["rule"]: step.get("reason") for step in trace}
    assert reasons["base"] is None
    assert reasons["vip"]
    assert json.dumps(trace) == json.dumps(till.call("quote", _quote_of(till)).body.get("trace", [])) or trace


def _quote_of(till: Till) -> dict[str, Any]:
    body = sold(till.house.join())
    del body["business_date"], body["receipt_number"]
    return body


def test_a_return_of_a_sale_with_an_offer_of_many_lines(till: Till) -> None:
    """The coupon is usable again as soon as all that it discounted is back, and a second sale uses it."""
    till.house.publish("offer", "fries", FRIES | {"effect": {"kind": "unit_price", "price": 100, "units": 2}})
    member = till.house.join()
    coupon = issue(till.house, member)
    bought = recorded(till, sold(member, ("fries", 350), ("fries", 350), ("burger", 900), coupons=[{"id": coupon}]))
    assert answered(till, asked(bought, ("1", None))).coupons_reissued in ((), None)
    refused(till.call("record_transaction", sold(member, ("fries", 350), coupons=[{"id": coupon}])), 409, "not_redeemable")
    assert answered(till, asked(bought, ("2", None))).coupons_reissued == (coupon,)
    recorded(till, sold(member, ("fries", 350), coupons=[{"id": coupon}]))
    assert answered(till, asked(bought, ("3", None))).coupons_reissued in ((), None)
