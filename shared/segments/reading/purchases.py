"""How leaves about purchases are read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

from shared.kernel.instants import NEVER, Instant, day_start, format_day, format_rfc3339, local_day
from shared.profile.model import KEPT_DAYS, OTHERS, Cell
from shared.profile.rules import all_cells
from shared.segments.bounds import COUNT, QUANTITY, VALUE, VISITS, between, least, most, ratio_between, whole
from shared.segments.language.base import WEEKDAYS, Since
from shared.segments.language.purchases import LETTERS, Favourite, Purchases, SinceFirstPurchase, SinceLastPurchase, TagShare
from shared.segments.leaves import Answer, Moment, Reader, Truth
from shared.segments.reading.windows import Amounts, first_difference, look_ahead

COLUMNS: Final = {"count": COUNT, "value": VALUE, "quantity": QUANTITY, "visits": VISITS}
Score = tuple[int, int]


def _purchases(leaf: Purchases, moment: Moment) -> Answer:
    keys, weekdays = leaf.keys, leaf.weekday_numbers

    def amounts(day: int, cell: Cell) -> Amounts:
        if weekday(day) not in weekdays:
            return {}
        if not keys:
            return {(name, high): whole(cell, column) for name, column in COLUMNS.items() for high in (False, True)}
        found: dict[Hashable, int] = {(name, False): least(cell, keys, column) for name, column in COLUMNS.items()}
        return found | {(name, True): most(cell, keys, column) for name, column in COLUMNS.items()}

    def judge(sums: Amounts) -> Truth:
        if leaf.metric == "average":
            return ratio_between(leaf.op, _range(sums, "value"), _range(sums, "count"), leaf.value)
        return between(leaf.op, *_range(sums, leaf.metric), leaf.value)

    truth, until, sums = look_ahead(moment.state.profile, leaf.days, moment, amounts, judge)
    return Answer(truth, until, shown(sums, COLUMNS))


def weekday(day: int) -> int:
    """Monday is 0. Day 0, 1970-01-01, was a Thursday."""
    return (day + 3) % 7


def _range(sums: Amounts, name: str) -> tuple[int, int]:
    return sums.get((name, False), 0), sums.get((name, True), 0)


def shown(sums: Amounts, names: Mapping[str, int]) -> dict[str, Any]:
    """The sums, and where a part has no name what they are at most."""
    surely, perhaps = ({name: sums.get((name, high), 0) for name in names} for high in (False, True))
    return surely if surely == perhaps else {**surely, "at_most": perhaps}


def _tag_share(leaf: TagShare, moment: Moment) -> Answer:
    keys = (f"t:{leaf.tag}",)

    def amounts(_day: int, cell: Cell) -> Amounts:
        return {"tagged": least(cell, keys, VALUE), "at_most": most(cell, keys, VALUE), "total": cell.value}

    def judge(sums: Amounts) -> Truth:
        total = sums.get("total", 0)
        return ratio_between(leaf.op, (100 * sums["tagged"], 100 * sums["at_most"]), (total, total), leaf.percent) if total > 0 else None

    truth, until, sums = look_ahead(moment.state.profile, leaf.days, moment, amounts, judge)
    found = dict(sums)
    if found.get("tagged") == found.get("at_most"):
        found.pop("at_most", None)
    return Answer(truth, until, found)


def _favourite(leaf: Favourite, moment: Moment) -> Answer:
    letter, asked = LETTERS.get(leaf.of), leaf.names

    def amounts(day: int, cell: Cell) -> Amounts:
        if letter is None:
            return {(WEEKDAYS[weekday(day)], COUNT): cell.count, (WEEKDAYS[weekday(day)], VALUE): cell.value}
        mine = [(key[2:], row) for key, row in cell.by.items() if key[0] == letter]
        return {(name, column): row[column] for name, row in mine for column in (COUNT, VALUE)}

    def judge(sums: Amounts) -> Truth:
        scores = _scores(sums)
        return leads(asked, scores, scores.pop(OTHERS, (0, 0)) if letter is not None else (0, 0))

    truth, until, sums = look_ahead(moment.state.profile, leaf.days, moment, amounts, judge)
    named = {name: score for name, score in _scores(sums).items() if score[0] > 0 and name != OTHERS}
    best = max(named.values(), default=None)
    return Answer(truth, until, tuple(sorted(name for name, score in named.items() if score == best)))


def _scores(sums: Mapping[Any, int]) -> dict[str, Score]:
    return {name: (sums[name, COUNT], sums[name, VALUE]) for name, column in sums if column == COUNT}


def leads(asked: frozenset[str], scores: Mapping[str, Score], unnamed: Score) -> Truth:
    """Whether one of the names asked for has the most purchases, then the most value; unknown where nobody has any.

    What has no name may be anybody's, a stranger's too: it is surely a name's lead only if it stands against all of that.
    """
    running = {name: score for name, score in scores.items() if score[0] > 0}
    hidden = unnamed if unnamed[0] > 0 or unnamed[1] > 0 else (0, 0)
    if not running and hidden == (0, 0):
        return None
    mine = max((score for name, score in running.items() if name in asked), default=(0, 0))
    theirs = max((score for name, score in running.items() if name not in asked), default=(0, 0))
    if mine[0] > 0 and mine >= _plus(theirs, hidden):
        return True
    return False if theirs[0] > 0 and theirs > _plus(mine, hidden) else None


def _plus(score: Score, more: Score) -> Score:
    return score[0] + more[0], score[1] + more[1]


# -- since ----------------------------------------------------------------------------------------------------------


def since(leaf: Since, instant: Instant | None, moment: Moment, time_zone: str | None = None) -> Answer:
    """How long ago an instant was, by rolling time or by local days of the zone (none: the tenant's)."""
    if instant is None:
        return Answer(None, NEVER)
    due = instant + leaf.milliseconds
    if leaf.day == "calendar":
        zone = time_zone or moment.zone
        due = day_start(local_day(instant, zone) + (leaf.days or 0), zone)
    passed = moment.now >= due
    return Answer(passed == (leaf.op == "at_least"), NEVER if passed else due, format_rfc3339(instant))


def _since_last(leaf: SinceLastPurchase, moment: Moment) -> Answer:
    if leaf.filter is None:
        return since(leaf, moment.state.profile.last_at, moment, leaf.time_zone)
    keys, length = leaf.keys, leaf.days or 0
    known, perhaps = (
        [day for day, cell in all_cells(moment.state.profile) if amount(cell, keys, COUNT) > 0] for amount in (least, most)
    )

    def last(days: list[int], today: int) -> int | None:
        return max((day for day in days if today - KEPT_DAYS < day <= today), default=None)

    def judge(today: int) -> Truth:
        surely = last(known, today)
        if surely is None:
            return None
        newest = max(surely, last(perhaps, today) or surely)
        passed = between("ge", today - newest, today - surely, length)
        return passed if passed is None or leaf.op == "at_least" else not passed

    changes = (day + later for day in perhaps for later in (0, length, KEPT_DAYS))
    truth, until = first_difference(judge, moment.today, changes, moment.zone)
    found = last(known, moment.today)
    return Answer(truth, until, format_day(found) if found is not None else None)


def _since_first(leaf: SinceFirstPurchase, moment: Moment) -> Answer:
    return since(leaf, moment.state.profile.first_at, moment, leaf.time_zone)


READERS: Final[Mapping[str, Reader]] = {
    "purchases": _purchases, "since_last_purchase": _since_last, "since_first_purchase": _since_first,
    "tag_share": _tag_share, "favourite": _favourite,
}  # fmt: skip
