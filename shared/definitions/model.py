"""Definitions as stored, and ``TenantView``: everything that holds for a tenant at one instant. Pure.

A published version has ``effective_from`` at least two cache times ahead, and the decision's instant selects the
version, so that all functions switch together although each caches for itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

from shared.challenges.model import Challenge, ChallengeBody
from shared.coupons.model import OfferBody, Promotion, PromotionBody
from shared.coupons.personal import resolve
from shared.coupons.promotions import Promotions
from shared.coupons.rules import validity
from shared.kernel.instants import NEVER, Instant
from shared.member_state.dates import date_rule
from shared.member_state.model import MemberState, Parameters
from shared.member_state.view import Challenges, DateRule, FoldView, Promise, SegmentEvaluator, fold_view
from shared.profile.statistics import Statistics, from_body
from shared.programmes.asking import Asked, asked_by
from shared.programmes.compiled import Programme
from shared.programmes.model import ProgrammeBody
from shared.rewards.model import RewardBody
from shared.segments.context import Context
from shared.segments.live import LiveSegments
from shared.segments.parsing import StoredSegment, stored_segment
from shared.tenants.location_groups import LocationGroup, with_ancestors
from shared.tenants.model import Location, TenantSettings
from shared.tenants.stops import NO_STOPS, Stops

ParsedT = TypeVar("ParsedT")
Kind = Literal["programme", "offer", "promotion", "reward", "segment", "campaign", "challenge", "statistics"]
"""``statistics`` are published by a scheduled job, not by people: one definition, ``STATISTICS``."""
Status = Literal["draft", "published", "retired"]
KINDS: tuple[Kind, ...] = ("programme", "offer", "promotion", "reward", "segment", "campaign", "challenge")
NO_GROUPS: frozenset[str] = frozenset()
STATISTICS = "profile"
"""The id of the statistics that profiles are measured by (``shared.profile.statistics``)."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of one definition."""

    kind: Kind
    id: str
    version: int
    status: Status
    body: Mapping[str, Any]
    revision: int = 1
    changed_at: Instant = 0
    effective_from: Instant | None = None
    retired_from: Instant | None = None
    epoch: int = 0
    """Segments: the tenant's epoch from ``effective_from`` on."""
    retired_epoch: int = 0
    served_at: Instant | None = None
    """Segments: from when on listings are served from this version; until then the one before is evaluated too."""
    published_by: str = ""
    """Which principal published it."""
    approved_by: str = ""
    """Campaigns: which other principal approved exactly this version."""
    wanted_from: Instant | None = None
    """Campaigns: it was published for this instant and waits for approval; until then it holds from none."""

    @property
    def etag(self) -> str:
        """Changes with every write."""
        return f"{self.version}.{self.revision}"

    @property
    def swap(self) -> int:
        """The epoch of its swap with the version before it; 0 where there is none."""
        replaced_another = self.epoch and self.served_at is not None and self.served_at > (self.effective_from or 0)
        return (self.served_at or 0) if replaced_another else 0

    def holds_at(self, at: Instant) -> bool:
        """Whether it is published and in force."""
        return self.effective_from is not None and self.effective_from <= at < (self.retired_from or NEVER)


class TenantView:
    """What holds for a tenant at one instant. Parsed when first asked for, then kept."""

    def __init__(self, whole: DefinitionSet, at: Instant) -> None:
        self._whole = whole
        self._at = at
        self.settings: TenantSettings = whole.settings
        self.locations: Mapping[str, Location] = whole.locations

    def groups_of(self, location: str) -> frozenset[str]:
        """As ``DefinitionSet.groups_of``."""
        return self._whole.groups_of(location)

    @cached_property
    def programmes(self) -> tuple[Programme, ...]:
        """Programmes in force, by falling priority, then id."""
        found = [self._whole.programme(each.id, each.version) for each in self._whole.in_force("programme", self._at).values()]
        return tuple(sorted((each for each in found if each is not None), key=lambda each: (-each.body.priority, each.id)))

    @cached_property
    def asked(self) -> Asked:
        """What the programmes and promotions ask about a member."""
        return asked_by(
            self.programmes,
            visits=self._whole.challenges_count_visits,
            asked_again=[body.when for body in self._whole.published_challenges],
            whens=[each.body.when for each in self.promotions],
            counted=[each.key for each in self.promotions if each.body.limits.of_member],
        )

    @cached_property
    def promotions(self) -> Promotions:
        """Promotions in force, by falling priority, then id."""
        found = [self._whole.promotion(each.id, each.version) for each in self._whole.in_force("promotion", self._at).values()]
        in_force = (each for each in found if each is not None)
        return Promotions(sorted(in_force, key=lambda each: (-each.body.stacking.priority, each.id)))

    @cached_property
    def offers(self) -> Mapping[str, Definition]:
        """Offers in force, by id; ``offer()`` parses."""
        return self._whole.in_force("offer", self._at)

    @cached_property
    def rewards(self) -> Mapping[str, tuple[str, int, RewardBody]]:
        """Rewards in force, by id: id, version, body."""
        found = ((each, self._whole.reward(each.id, each.version)) for each in self._whole.in_force("reward", self._at).values())
        return {each.id: (each.id, each.version, body) for each, body in found if body is not None}

    @cached_property
    def campaigns(self) -> Mapping[str, Definition]:
        """Campaigns in force, by id, unparsed."""
        return self._whole.in_force("campaign", self._at)

    @cached_property
    def challenges(self) -> Challenges:
        """Challenges in force by id, and any version that somebody may have received."""
        whole = self._whole
        found = (whole.challenge(each.id, each.version) for each in whole.in_force("challenge", self._at).values())
        in_force = {each.id: each for each in found if each is not None}
        return Challenges(in_force, tuple(each for each in in_force.values() if each.body.automatic), whole.challenge)

    @cached_property
    def live_segments(self) -> tuple[Definition, ...]:
        """Every segment version that is evaluated: the newest in force and, until the swap, the one still served."""
        return tuple(each for found in self._segments.values() for each in found)

    @cached_property
    def served_segments(self) -> Mapping[str, Definition]:
        """Segment -> the version that listings and audiences read."""
        return {id_: min(found, key=lambda each: each.version) for id_, found in self._segments.items()}

    @cached_property
    def _segments(self) -> dict[str, list[Definition]]:
        found: dict[str, list[Definition]] = {}
        for each in self._whole.definitions:
            if each.kind == "segment" and each.holds_at(self._at):
                found.setdefault(each.id, []).append(each)
        for versions in found.values():
            versions.sort(key=lambda each: -each.version)
            served = next((i for i, each in enumerate(versions) if each.served_at is not None and each.served_at <= self._at), None)
            del versions[(served if served is not None else 1) + 1 :]
        return found

    @cached_property
    def statistics(self) -> Statistics:
        """What the tenant's members are like together; as long as nothing was computed, what is assumed of any."""
        found = self._whole.in_force("statistics", self._at).get(STATISTICS)
        return from_body(found.body) if found is not None else Statistics()

    @cached_property
    def segment_context(self) -> Context:
        """What the rules of segments mean, beside what they say."""
        scheme = next((each.body.tiers for each in self.programmes if each.body.tiers is not None), None)
        segments = [self._whole.segment(each.id, each.version) for each in self._whole.in_force("segment", self._at).values()]
        points = {name: (each.latitude_e6, each.longitude_e6) for name, each in self.locations.items()}
        return Context(
            zone=self.settings.time_zone,
            statistics=self.statistics,
            profile=self.settings.profile,
            locations={name: (north, east) for name, (north, east) in points.items() if north is not None and east is not None},
            segments={each.id: each.rule for each in segments if each is not None},
            tiers=tuple(level.id for level in scheme.levels) if scheme is not None else (),
        )

    @cached_property
    def fold(self) -> FoldView:
        """What the fold needs."""
        live = (self._whole.segment(each.id, each.version) for each in self.live_segments)
        evaluator: SegmentEvaluator = LiveSegments.of([each for each in live if each is not None], self.segment_context)
        return fold_view(
            zone=self.settings.time_zone,
            epoch=self._whole.epoch_at(self._at),
            segments=evaluator,
            programmes=self.programmes,
            wallets=self.settings.wallets,
            promise=self.promise,
            challenges=self.challenges,
            events=self.settings.events,
            switches=self._whole.epochs_until(self._at),
            dates=self.dates,
            retention=self.settings.retention,
            groups_of=self.groups_of,
        )

    @cached_property
    def dates(self) -> tuple[DateRule, ...]:
        """Campaigns in force that begin on dates of members, by id."""
        triggers = ((id_, each.version, each.body.get("trigger") or {}) for id_, each in sorted(self.campaigns.items()))
        return tuple(date_rule(id_, version, trigger) for id_, version, trigger in triggers if trigger.get("kind") == "date")

    @cached_property
    def fold_of_history(self) -> FoldView:
        """The same for imported history: nothing is given for what lies behind."""
        return replace(self.fold, gifts=False)

    def promise(self, offer: str, at: Instant) -> Promise | None:
        """What a coupon of an offer would be if it were given at that instant; ``None`` if it is not in force, has ended, or is stopped."""
        definition = self.offers.get(offer)
        body = self._whole.offer(offer, definition.version) if definition is not None else None
        if definition is None or body is None or offer in self._whole.stops.offers:
            return None
        active_from, expires_at = validity(body, at, self.settings.time_zone)
        if expires_at <= at:
            return None
        promise = Promise(offer, definition.version, active_from, expires_at, body.per_member)
        if not body.personal:
            return promise
        return replace(promise, parameters=self._parameters(body))

    def _parameters(self, body: OfferBody) -> Callable[[MemberState, Instant], Parameters]:
        zone, goes_with = self.settings.time_zone, self._whole.goes_with
        return lambda state, when: resolve(body.personal, state, when, zone, goes_with)

    def offer(self, id_: str, version: int) -> OfferBody | None:
        """An offer's version, in force or not: a coupon keeps the version that it was issued with."""
        return self._whole.offer(id_, version)


@dataclass(frozen=True)
class DefinitionSet:
    """All definitions of a tenant as read together."""

    tenant: str
    settings: TenantSettings
    locations: Mapping[str, Location]
    definitions: tuple[Definition, ...]
    goes_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What is often bought together, if an offer that is given by itself asks for it."""
    stops: Stops = NO_STOPS
    groups: Mapping[str, LocationGroup] = field(default_factory=dict)
    """Groups of locations, by id."""
    _groups_of: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)
    _views: dict[int, TenantView] = field(default_factory=dict, compare=False, repr=False)
    _parsed: dict[tuple[Kind, str, int], Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _by_version(self) -> dict[tuple[Kind, str, int], Definition]:
        return {(each.kind, each.id, each.version): each for each in self.definitions}

    @cached_property
    def _switches(self) -> list[Instant]:
        """The instants at which something changes, in order."""
        found: set[Instant] = set()
        for each in self.definitions:
            found.update(instant for instant in (each.effective_from, each.retired_from, each.served_at) if instant is not None)
        return sorted(found)

    def groups_of(self, location: str) -> frozenset[str]:
        """Every group that a location is in, those above included; none of one that there is not. Worked out once a location."""
        kept = self._groups_of.get(location)
        if kept is not None:
            return kept
        found = self.locations.get(location)
        if found is None:
            return NO_GROUPS
        self._groups_of[location] = with_ancestors(found.groups, self.groups) if found.groups else NO_GROUPS
        return self._groups_of[location]

    def at(self, instant: Instant) -> TenantView:
        """The view that holds at the instant; one object between two switches, so that its parts are made once."""
        index = bisect_right(self._switches, instant)
        if index not in self._views:
            self._views[index] = TenantView(self, self._switches[index - 1] if index else 0)
        return self._views[index]

    def fold_at(self, instant: Instant) -> FoldView:
        """``Views`` of the fold."""
        return self.at(instant).fold

    def in_force(self, kind: Kind, at: Instant) -> dict[str, Definition]:
        """Id -> the newest version in force; a newer version ends the one before."""
        found: dict[str, Definition] = {}
        for each in self.definitions:
            if each.kind == kind and each.holds_at(at) and (each.id not in found or found[each.id].version < each.version):
                found[each.id] = each
        return found

    def epoch_at(self, at: Instant) -> int:
        """The definitions epoch: the greatest that has come into force."""
        return max(self.epochs_until(at), default=0)

    def epochs_until(self, at: Instant) -> tuple[int, ...]:
        """Every epoch that has come into force, ascending. A swap is one too: the version that was served so far ends with it."""
        found: set[int] = set()
        for each in self.definitions:
            found.update(
                epoch
                for epoch, since in ((each.epoch, each.effective_from), (each.retired_epoch, each.retired_from), (each.swap, each.swap))
                if epoch and since is not None and since <= at
            )
        return tuple(sorted(found))

    def newest(self, kind: Kind, id_: str) -> Definition | None:
        """The newest version, whatever its status."""
        versions = [each for each in self.definitions if each.kind == kind and each.id == id_]
        return max(versions, key=lambda each: each.version, default=None)

    def offer(self, id_: str, version: int) -> OfferBody | None:
        """An offer's version, parsed once."""
        return self._once("offer", id_, version, lambda found: OfferBody.model_validate(found.body))

    def reward(self, id_: str, version: int) -> RewardBody | None:
        """A reward's version, in force or not, parsed once."""
        return self._once("reward", id_, version, lambda found: RewardBody.model_validate(found.body))

    def promotion(self, id_: str, version: int) -> Promotion | None:
        """A promotion's version, in force or not, parsed once: a hold keeps the version that it promised."""
        return self._once("promotion", id_, version, lambda found: Promotion(id_, version, PromotionBody.model_validate(found.body)))

    def programme(self, id_: str, version: int) -> Programme | None:
        """A programme's version, in force or not, parsed once: sales and returns keep the version that they were decided with."""
        return self._once("programme", id_, version, lambda found: Programme(id_, version, ProgrammeBody.model_validate(found.body)))

    def segment(self, id_: str, version: int) -> StoredSegment | None:
        """A segment's version, in force or not, parsed once."""
        return self._once("segment", id_, version, lambda found: stored_segment(id_, version, found.body))

    def challenge(self, id_: str, version: int) -> Challenge | None:
        """A challenge's version, in force or not, parsed once: whoever received it goes on with it."""

        def parsed(found: Definition) -> Challenge:
            versions = (each for each in self.definitions if (each.kind, each.id) == ("challenge", id_))
            since = min((each.effective_from for each in versions if each.effective_from is not None), default=0)
            return Challenge(id_, version, ChallengeBody.model_validate(found.body), since)

        return self._once("challenge", id_, version, parsed)

    @cached_property
    def published_challenges(self) -> tuple[ChallengeBody, ...]:
        """Every version of every challenge: whoever received one goes on with it."""
        published = (each for each in self.definitions if each.kind == "challenge" and each.effective_from is not None)
        return tuple(ChallengeBody.model_validate(each.body) for each in published)

    @cached_property
    def challenges_count_visits(self) -> bool:
        """Whether any challenge, of whatever version, tells visits from receipts."""
        return any(each.counts_visits for each in self.published_challenges)

    def _once(self, kind: Kind, id_: str, version: int, parse: Callable[[Definition], ParsedT]) -> ParsedT | None:
        """What a version is parsed to; ``None`` where there is no such version."""
        where = (kind, id_, version)
        if where not in self._parsed:
            found = self._by_version.get(where)
            if found is None:
                return None
            self._parsed[where] = parse(found)
        kept: ParsedT = self._parsed[where]
        return kept
