"""What the fold may know of the tenant's definitions at an instant. Built by ``shared.definitions``; pure data here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from shared.challenges.model import Challenge
from shared.kernel.instants import Instant
from shared.member_state.model import Facts, MemberState, Parameters
from shared.programmes.compiled import Programme
from shared.programmes.terms import Bonus, Conversion, TierScheme
from shared.tenants.model import EventSettings, WalletSettings
from shared.tenants.rights import RetentionSettings


class Flips(Protocol):
    """Segments entered and left at an instant, and when the answer may change by time alone."""

    @property
    def entered(self) -> Sequence[str]:
        """Keys ``segment@version`` that she is in now and was not."""

    @property
    def left(self) -> Sequence[str]:
        """Keys that she was in and is not."""

    @property
    def next_change(self) -> Instant:
        """No membership changes before it without an event."""


class SegmentEvaluator(Protocol):
    """All live segment versions of a tenant, compiled."""

    @property
    def needs_facts(self) -> bool:
        """Whether any of them asks for personal facts."""

    def evaluate(self, state: MemberState, facts: Facts | None, now: Instant) -> Flips:
        """Compare the truth now with ``state.segments``; the state is not changed."""


def _nothing_personal(_state: MemberState, _at: Instant) -> Parameters:
    return ()


@dataclass(frozen=True, slots=True)
class Promise:
    """What a coupon of an offer would be, if it were given at an instant."""

    offer: str
    version: int
    active_from: Instant
    expires_at: Instant
    per_member: int
    parameters: Callable[[MemberState, Instant], Parameters] = _nothing_personal
    """Her state, instant -> what the offer's personal parameters are for her."""


def _no_promise(_offer: str, _at: Instant) -> Promise | None:
    return None


def _no_challenge(_id: str, _version: int) -> Challenge | None:
    return None


@dataclass(frozen=True, slots=True)
class Challenges:
    """The tenant's challenges: those in force by id, those that everybody has, and any version that somebody may have received."""

    in_force: Mapping[str, Challenge] = field(default_factory=dict)
    automatic: tuple[Challenge, ...] = ()
    version: Callable[[str, int], Challenge | None] = _no_challenge


NO_CHALLENGES = Challenges()


@dataclass(frozen=True, slots=True)
class DateRule:
    """A campaign in force that begins on a date of the member's own: ``shared.member_state.dates`` says when that is."""

    campaign: str
    version: int
    of: Literal["birthday", "lot_expiry", "coupon_expiry", "anniversary", "no_visit"]
    days: int
    """Before it; of ``no_visit`` after her last visit."""
    minute: int
    """Of her local day."""
    wallet: str | None = None
    """``lot_expiry``: of this wallet only."""
    offer: str | None = None
    """``coupon_expiry``: of this offer's coupons only."""


KEEPS_EVERYBODY = RetentionSettings()


def _no_groups(_location: str) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class FoldView:
    """The definitions that hold at one instant."""

    zone: str
    epoch: int
    segments: SegmentEvaluator
    programmes: tuple[Programme, ...] = ()
    """By falling priority, then id."""
    wallets: Mapping[str, WalletSettings] = field(default_factory=dict)
    promise: Callable[[str, Instant], Promise | None] = _no_promise
    """Offer, instant -> what its coupon would be; ``None`` if it is not in force."""
    gifts: bool = True
    """Whether bonuses, tier gifts and automatic conversions are given: imported history gives none."""
    tiered: Programme | None = None
    """The programme whose tiers hold: the first that has any."""
    birthdays: bool = False
    """Whether a programme gives something on a birthday."""
    bonuses: Mapping[str, tuple[tuple[Programme, Bonus], ...]] = field(default_factory=dict)
    """What triggers bonuses (see ``trigger_of``) -> those bonuses, in the order of their programmes."""
    automatic: tuple[tuple[Programme, Conversion], ...] = ()
    """Conversions made without being asked for, most points first."""
    challenges: Challenges = NO_CHALLENGES
    events: Mapping[str, EventSettings] = field(default_factory=dict)
    """Custom events that the profile counts, by type without ``event.``."""
    switches: tuple[Instant, ...] = ()
    """Every epoch so far, ascending: the instants at which members' definitions switched. The last is ``epoch``."""
    dates: tuple[DateRule, ...] = ()
    """Campaigns that begin on dates of members."""
    retention: RetentionSettings = KEEPS_EVERYBODY
    groups_of: Callable[[str], frozenset[str]] = _no_groups
    """Location -> every group that it is in."""

    @property
    def scheme(self) -> TierScheme | None:
        """The tiers."""
        return self.tiered.body.tiers if self.tiered is not None else None

    def wallet(self, name: str) -> WalletSettings:
        """The wallet's settings."""
        return self.wallets.get(name, PLAIN_WALLET)


PLAIN_WALLET = WalletSettings()
Views = Callable[[Instant], FoldView]
"""The instant of a decision selects the version, so that all functions switch together."""


def trigger_of(bonus: Bonus) -> str:
    """The key of ``FoldView.bonuses``: what the bonus is for, and for a custom event its type as members have it."""
    return f"event.{bonus.event}" if bonus.event is not None else bonus.on


def fold_view(
    zone: str,
    epoch: int,
    segments: SegmentEvaluator,
    programmes: Sequence[Programme] = (),
    wallets: Mapping[str, WalletSettings] | None = None,
    promise: Callable[[str, Instant], Promise | None] = _no_promise,
    *,
    gifts: bool = True,
    challenges: Challenges = NO_CHALLENGES,
    events: Mapping[str, EventSettings] | None = None,
    switches: tuple[Instant, ...] = (),
    dates: tuple[DateRule, ...] = (),
    retention: RetentionSettings = KEEPS_EVERYBODY,
    groups_of: Callable[[str], frozenset[str]] = _no_groups,
) -> FoldView:
    """The view with everything that it derives from the programmes: made once per switch of definitions."""
    ordered = tuple(sorted(programmes, key=lambda each: (-each.body.priority, each.id)))
    bonuses: dict[str, tuple[tuple[Programme, Bonus], ...]] = {}
    for programme in ordered:
        for bonus in programme.body.bonuses:
            bonuses[trigger_of(bonus)] = (*bonuses.get(trigger_of(bonus), ()), (programme, bonus))
    automatic = [(programme, each) for programme in ordered for each in programme.body.conversions if each.automatic]
    return FoldView(
        zone=zone,
        epoch=epoch,
        segments=segments,
        programmes=ordered,
        wallets=wallets if wallets is not None else {},
        promise=promise,
        gifts=gifts,
        tiered=next((each for each in ordered if each.body.tiers is not None), None),
        birthdays="birthday" in bonuses,
        bonuses=bonuses,
        automatic=tuple(sorted(automatic, key=lambda pair: -pair[1].points)),
        challenges=challenges,
        events=events if events is not None else {},
        switches=switches,
        dates=dates,
        retention=retention,
        groups_of=groups_of,
    )
