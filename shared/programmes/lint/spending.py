"""Terms of points: expiry that comes before they may be spent, and payment that nobody can make. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.kernel.instants import DAY, Instant, date_of, day_start, format_rfc3339, local_day
from shared.programmes.lint.circumstances import anytime, circumstances
from shared.programmes.lint.goods import goods
from shared.programmes.lint.model import Code, Example, ExampleLine, Finding
from shared.programmes.lint.subject import Subject, lines_of
from shared.programmes.lots import lot_of
from shared.programmes.spending import rate_of, refusal, spending_limit
from shared.wallet.expiry import idle_until

BILL: Final = 10**9
"""Minor units: a bill that is never too small."""
_YEAR: Final = 366


def terms(subject: Subject) -> Iterator[Finding]:
    """Expiry and payment. Cost: a lot for each day of a year, and a decision per finding."""
    yield from _expiry(subject)
    yield from _payment(subject)


def plain_basket(subject: Subject, amount: int) -> Example:
    """A basket of that amount that earns by as much of the programme as any: its first rule that is not dead."""
    body = subject.body
    for rule in body.earning:
        scene, what = circumstances((body.applies, rule.when), subject), goods(body, (rule.on,))
        if rule.kind != "multiplier" and scene is not None and what is not None:
            return scene.model_copy(update={"lines": (what.line(amount),)})
    scene = circumstances((body.applies,), subject) or anytime(subject)
    return scene.model_copy(update={"lines": (ExampleLine(id="1", unit_price=amount, amount=amount),)})


def _expiry(subject: Subject) -> Iterator[Finding]:
    pending, expiry = subject.body.pending, subject.body.expiry
    if pending.days == 0 or expiry.kind == "never":
        return
    # Within a year every end of a period comes by, and every change of the clocks.
    first = local_day(subject.at, subject.zone) + 1
    moments = (day_start(day, subject.zone) + DAY // 2 for day in range(first, first + _YEAR))
    worst = min(moments, key=lambda moment: _life(subject, moment))
    if _life(subject, worst) >= DAY:
        return
    # A custom event may let them be spent sooner.
    surely = pending.until_event is None
    basket = plain_basket(subject, BILL).model_copy(update={"at": format_rfc3339(worst)})
    available_at, expires_at = _instants(subject, worst)
    times = {"available_at": format_rfc3339(available_at), "expires_at": format_rfc3339(expires_at)}
    on = date_of(local_day(worst, subject.zone)).isoformat()
    yield Finding(
        code="expires_before_available",
        severity="error" if surely else "warning",
        pointer="/definition/expiry",
        message=f"Points earned on {on} expire less than a day after they may be spent: let them wait shorter, or live longer.",
        example=subject.shown(basket).model_copy(update=times),
    )


def _instants(subject: Subject, at: Instant) -> tuple[Instant, Instant]:
    lot, expiry = lot_of(subject.body, "earn", 1, at, subject.zone), subject.body.expiry
    if expiry.kind == "inactivity" and expiry.days is not None:
        return lot.available_at, idle_until(at, expiry.days, expiry.end_of_day, subject.zone)
    return lot.available_at, lot.expires_at


def _life(subject: Subject, at: Instant) -> int:
    """Milliseconds between the first instant at which points earned then may be spent and their end; below zero: never."""
    available_at, expires_at = _instants(subject, at)
    return expires_at - available_at


def _payment(subject: Subject) -> Iterator[Finding]:
    spending = subject.body.spending
    if spending is None:
        return
    rate = rate_of(spending, subject.wallet)
    least = -(-spending.minimum // spending.step) * spending.step
    reach = _reach(subject)
    if rate.value == 0 or rate.worth(least) == 0:
        text = "The smallest payment with points is worth nothing: give points a value, or raise the minimum."
        yield _refused(subject, "spending_worthless", "/definition/spending", text, least)
    if spending.excluded is not None and spending.excluded.everything:
        text = "Every line is excluded from payment with points: name the lines that cannot be paid so."
        yield _refused(subject, "spending_excludes_all", "/definition/spending/excluded", text, least)
    if spending.minimum % spending.step:
        text = f"The minimum is no multiple of the step, so that the least is {least} points: make them fit."
        yield _refused(subject, "spending_not_in_steps", "/definition/spending/minimum", text, spending.minimum)
    if reach is not None and reach < least:
        text = f"A member never has more than {reach} points of this programme, and pays with {least} at least: lower minimum and step."
        yield _refused(subject, "spending_out_of_reach", "/definition/spending/minimum", text, reach)


def _reach(subject: Subject) -> int | None:
    """The most points that a member can ever have had in the wallet, where that is known."""
    body = subject.body
    if body.bonuses or body.referral is not None or subject.sharing or subject.wallet.transfers or subject.wallet.overdraft:
        return None
    return min((each for each in (body.limits.per_member, body.limits.budget) if each is not None), default=None)


def _refused(subject: Subject, code: Code, pointer: str, message: str, points: int) -> Finding:
    """The finding with a bill on which so many points are refused, or pay nothing."""
    example = subject.shown(plain_basket(subject, BILL)).model_copy(update={"pays_points": points})
    return Finding(
        code=code, severity="warning", pointer=pointer, message=message, example=example.model_copy(update=payment_of(subject, example))
    )


def payment_of(subject: Subject, example: Example) -> dict[str, int | str | None]:
    """What the engine says of paying the example with its points, by somebody who has just as many."""
    spending, points = subject.body.spending, example.pays_points
    limit = spending_limit(spending, subject.wallet, lines_of(example), points, 0)
    reason = limit.reason if spending is None else refusal(spending, limit, points, points)
    value = rate_of(spending, subject.wallet).worth(points) if spending is not None and reason is None else 0
    return {"pays_value": value, "refused": reason}
