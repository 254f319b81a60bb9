"""What a member's profile says, as an answer: sums of any windows, habits, responses. Time is now; nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.instants import Instant, format_rfc3339, local_day
from shared.kernel.money import divide
from shared.member_state.model import MemberState, Touch
from shared.member_state.service import view_member
from shared.members import profile_api as api
from shared.members.answers import when
from shared.members.reading import memberships, tier_answer
from shared.members.repository import read_fields
from shared.profile.habits import lifecycle, prefers, rfm, tag_strength, usual_interval2
from shared.profile.model import KEPT_DAYS, OTHERS, Profile
from shared.profile.rules import Letter, Totals, leaders, totals_by, totals_by_weekday, window
from shared.profile.statistics import Statistics
from shared.statistics import complements
from shared.tenants.model import ProfileSettings
from shared.tenants.scope import TenantScope

WINDOWS: Final = (7, 30, 90, 365)
BY_DAYS: Final = 90
MAX_WINDOWS: Final = 10
TOP: Final = 20
"""Names listed of a dimension."""
YEAR: Final = 365
_LETTERS: Final[Mapping[str, Letter]] = {"category": "c", "tag": "t", "item": "i", "location": "l", "channel": "h", "hour": "o"}
_WHOLE: Final = frozenset(str(days) for days in range(1, KEPT_DAYS + 1))


@dataclass(frozen=True, slots=True)
class Asked:
    """The windows that are asked for, in days."""

    windows: tuple[int, ...] = WINDOWS
    by_days: int = BY_DAYS


def asked_for(query: Mapping[str, str]) -> Asked:
    """``days`` (several: as the gateway joins them, by commas) and ``by_days`` of a query; ``Unprocessable`` names what does not fit."""
    days = query["days"].split(",") if "days" in query else [str(each) for each in WINDOWS]
    by_days = query.get("by_days", str(BY_DAYS))
    problems = []
    if not 1 <= len(days) <= MAX_WINDOWS:
        problems.append(FieldError("/days", "invalid_value", f"at most {MAX_WINDOWS} windows"))
    wrong = [name for name, texts in (("days", days), ("by_days", [by_days])) if not _WHOLE.issuperset(texts)]
    problems += [FieldError(f"/{name}", "invalid_value", f"a whole number of days, 1 to {KEPT_DAYS}") for name in wrong]
    if problems:
        raise Unprocessable("The query does not fit; see errors.", errors=tuple(problems))
    return Asked(tuple(int(each) for each in dict.fromkeys(days)), int(by_days))


def get_profile(scope: TenantScope, member: str, asked: Asked = Asked()) -> api.ProfileAnswer:
    """What her purchases say. 1 Query; 2 reads for her language where there are tiers; 1 for what goes with her favourite item."""
    now, definitions = scope.clock(), scope.definitions
    state = view_member(scope, member, now)
    view, fold = definitions.at(now), definitions.fold_at(now)
    profile, today = state.profile, local_day(now, fold.zone)
    language = read_fields(scope, state.member, "identity").get("language") if fold.scheme is not None else None
    settings = view.settings.profile
    return api.ProfileAnswer(
        member_id=state.member,
        currency=view.settings.currency,
        profiling_allowed=state.profiled,
        windows=tuple(api.WindowAnswer(days=days, **_figures(window(profile, today - days + 1, today))) for days in asked.windows),
        by=_breakdown(profile, asked.by_days, today),
        purchases=profile.count,
        value=profile.value,
        first_purchase_at=when(profile.first_at),
        last_purchase_at=when(profile.last_at),
        last_location=profile.last_location or None,
        last_channel=profile.last_channel or None,
        source=state.join_source,
        habits=_with_complements(scope, _habits(profile, now, fold.zone, settings, view.statistics)) if state.may_profile else None,
        responses=_responses(state.touches),
        events=_events(state),
        tier=tier_answer(state, fold, now, scope.reader(language)),
        segments=len(memberships(scope, state, now)),
    )


def _with_complements(scope: TenantScope, habits: api.HabitsAnswer) -> api.HabitsAnswer:
    """What goes with the item that she likes best: half a read unit, if she has one."""
    item = habits.favourites.item
    found = complements.of_item(scope, item) if item is not None else ()
    return habits.model_copy(update={"complements": tuple(each.item for each in found)})


def _figures(totals: Totals) -> dict[str, int | None]:
    return {
        "count": totals.count,
        "value": totals.value,
        "average_basket": totals.average,
        "quantity": totals.quantity,
        "visits": totals.visits,
    }


def _breakdown(profile: Profile, days: int, today: int) -> api.BreakdownAnswer:
    first = today - days + 1
    found = {name: _named(totals_by(profile, letter, first, today)) for name, letter in _LETTERS.items()}
    return api.BreakdownAnswer(days=days, weekday=_named(totals_by_weekday(profile, first, today)), **found)


def _named(sums: Mapping[str, Totals]) -> tuple[api.NamedAnswer, ...]:
    ranked = sorted(sums.items(), key=lambda each: (-each[1].count, -each[1].value, each[0]))
    return tuple(api.NamedAnswer(name=name, **_figures(totals)) for name, totals in ranked[:TOP])


def _habits(profile: Profile, now: Instant, zone: str, settings: ProfileSettings, statistics: Statistics) -> api.HabitsAnswer:
    today = local_day(now, zone)
    interval2 = usual_interval2(profile, today)
    state, until = lifecycle(profile, now, zone, settings, statistics)
    fifths = rfm(profile, now, zone, settings, statistics)
    return api.HabitsAnswer(
        usual_interval_days_e1=5 * interval2 if interval2 is not None else None,
        lifecycle=state,
        lifecycle_until=when(until),
        rfm=api.RfmAnswer(recency=fifths[0], frequency=fifths[1], monetary=fifths[2]) if fifths is not None else None,
        favourites=_favourites(profile, today),
        tags=_tags(profile, today, settings),
    )


def _favourites(profile: Profile, today: int) -> api.Favourites:
    first = today - YEAR + 1
    sums = {name: totals_by(profile, letter, first, today) for name, letter in _LETTERS.items()}
    sums["weekday"] = totals_by_weekday(profile, first, today)
    lead = {name: leaders({each: (totals.count, totals.value) for each, totals in found.items()}) for name, found in sums.items()}
    tied = {name: several for name, several in lead.items() if len(several) > 1}
    return api.Favourites(**{name: one[0] for name, one in lead.items() if len(one) == 1}, tied=tied or None)


def _tags(profile: Profile, today: int, settings: ProfileSettings) -> tuple[api.TagAnswer, ...]:
    """Tags by value, most first, at most 20; those that a crowded day summed together have no name and are left out."""
    first = today - settings.tag_days + 1
    whole = window(profile, first, today).value
    sums = {tag: totals for tag, totals in totals_by(profile, "t", first, today).items() if totals.value > 0 and tag != OTHERS}
    ranked = sorted(sums.items(), key=lambda each: (-each[1].value, each[0]))[:TOP] if whole > 0 else []
    answers = []
    for tag, totals in ranked:
        tagged, weighed = tag_strength(profile, tag, today, settings)
        answers.append(
            api.TagAnswer(
                tag=tag,
                purchases=totals.count,
                value=totals.value,
                share_percent=divide(100 * totals.value, whole, "half_up"),
                strength_percent=divide(100 * tagged, weighed, "half_up") if weighed > 0 else 0,
                prefers=prefers(profile, tag, today, settings),
            )
        )
    return tuple(answers)


def _responses(touches: Iterable[Touch]) -> api.ResponsesAnswer:
    sent = [each for each in touches if not each.held]
    return api.ResponsesAnswer(
        received=len(sent),
        opened=sum(each.opened_at is not None for each in sent),
        clicked=sum(each.clicked_at is not None for each in sent),
        redeemed=sum(each.redeemed_at is not None for each in sent),
        held_out=sum(each.held for each in touches),
    )


def _events(state: MemberState) -> tuple[api.EventAnswer, ...]:
    return tuple(
        api.EventAnswer(event=type_, count=each.count, first_at=format_rfc3339(each.first_at), last_at=format_rfc3339(each.last_at))
        for type_, each in sorted(state.profile.events.items())
    )
