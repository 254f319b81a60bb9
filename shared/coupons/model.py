"""An offer says what a coupon is worth and when; a coupon is one promise to one bearer or member; a promotion needs none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from shared.coupons.effects import GIVES_POINTS, Effect, Voucher
from shared.coupons.limits import UNLIMITED, UseLimits
from shared.coupons.personal import Personal, changed, problem
from shared.kernel.instants import Instant, parse_rfc3339
from shared.member_state.model import CouponState, Parameters
from shared.programmes.conditions import ALWAYS, When
from shared.programmes.selectors import Selector
from shared.tenants.content import Contents, SortOrder, title_in
from shared.tenants.model import Frozen, Label, Name

CODE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No look-alikes (0 O, 1 I L U)."""


class Stacking(Frozen):
    """What an offer may stand beside. Of a ``group`` only one is used; ``combines_with`` names the groups that it goes with (none: all)."""

    priority: int = Field(default=0, ge=-1000, le=1000, description="the higher works first")
    group: Name | None = None
    exclusive: bool = Field(default=False, description="not together with any other")
    combines_with: tuple[Name, ...] | None = Field(default=None, max_length=20)


ANY: Final = Stacking()


class OfferTerms(Frozen):
    """What is taken off or given, and when: the part that coupons' offers and automatic promotions have alike."""

    name: Label
    effect: Effect
    scope: Selector = Selector()
    minimum_basket: int = Field(default=0, ge=0, le=10**9, description="minor units, before this coupon's discount")
    minimum_quantity: int = Field(default=0, ge=0, le=10**6, description="whole units")
    minimum_of: Selector = Field(default=Selector(), description="the lines that the minimum is about")
    minimum_counts: Literal["before_discounts", "after_discounts"] = Field(
        default="after_discounts", description="of the coupons that were applied before it"
    )
    maximum_discount: int | None = Field(default=None, ge=1, le=10**9)
    when: When = ALWAYS
    limit: int | None = Field(default=None, ge=1, le=100_000_000, description="redemptions in all")
    limits: UseLimits = UNLIMITED
    stacking: Stacking = ANY
    on_return: Literal["reissue", "keep"] = Field(
        default="reissue", description="reissue: active again when everything it discounted came back; keep: it stays redeemed"
    )
    content: Contents = Field(default_factory=dict)
    sort_order: SortOrder = 0

    @model_validator(mode="after")
    def _takes_off_what_it_caps(self) -> Self:
        gives_points = isinstance(self.effect, GIVES_POINTS)
        if gives_points and self.maximum_discount is not None:
            raise ValueError("maximum_discount: an effect that gives points takes nothing off")
        return self

    def title_in(self, languages: Iterable[str]) -> str:
        """What guests read as its name (``shared.tenants.content``)."""
        return title_in(self.content, languages, self.name)


class OfferBody(OfferTerms):
    """One version of an offer: its terms, and how long a coupon of it lives."""

    starts_after_days: int = Field(default=0, ge=0, le=365, description="activation delay after issue")
    valid_days: int = Field(default=30, ge=1, le=3650, description="days from activation, to the end of the last local day")
    valid_until: str | None = Field(default=None, max_length=40, description="RFC 3339; whatever is earlier holds")
    per_member: int = Field(default=1, ge=1, le=100, description="coupons of this offer that a member may hold or have used")
    personal: Personal = Field(
        default_factory=dict, description="place in the terms (minimum_basket, effect.amount, ...) -> what it is for the member who gets it"
    )

    @model_validator(mode="after")
    def _valid_until_is_a_time(self) -> OfferBody:
        if self.valid_until is not None:
            parse_rfc3339(self.valid_until)
        return self

    @model_validator(mode="after")
    def _stays_an_offer_whatever_a_parameter_is(self) -> OfferBody:
        for place, expression in self.personal.items():
            head, _, tail = place.partition(".")
            wrong = problem(place, expression)
            if wrong is None and tail and tail not in type(getattr(self, head)).model_fields:
                wrong = f"the {head} of this offer has no {tail}"
            if wrong is not None:
                raise ValueError(f"personal: {wrong}")
            for value in expression.extremes:
                try:
                    OfferTerms.model_validate(self.fixed(((place, value),)).model_dump(include=set(OfferTerms.model_fields)))
                except ValueError:
                    raise ValueError(f"personal: {place} cannot be {value} with these terms") from None
        return self

    def fixed(self, parameters: Parameters) -> OfferBody:
        """The terms as they are for the member whose coupon these parameters were fixed for."""
        if not parameters:
            return self
        return self.model_copy(update=dict(changed(self.__dict__, parameters)))


class PromotionBody(OfferTerms):
    """One version of an automatic promotion: terms that every basket is asked about, without a coupon."""

    @model_validator(mode="after")
    def _is_no_voucher(self) -> PromotionBody:
        is_voucher = isinstance(self.effect, Voucher)
        if is_voucher:
            raise ValueError("this effect needs a code: take an amount off instead")
        return self


ChoiceKind = Literal["best", "explored", "fallback", "holdout", "none"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Why a member got this offer of several, or none (``shared.coupons.next_best``)."""

    kind: ChoiceKind
    offer: str | None
    experiment: str
    scores: tuple[tuple[str, int], ...] = ()
    """The highest (offer, score), best first."""
    dropped: tuple[tuple[str, str], ...] = ()
    """(offer, why it was not available)."""

    def data(self) -> dict[str, object]:
        """As events and answers tell it."""
        scores = [{"offer": offer, "score": score} for offer, score in self.scores]
        return {"kind": self.kind, "offer": self.offer, "experiment": self.experiment, "scores": scores, "dropped": dict(self.dropped)}


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon as its item says. ``version`` grows with every change."""

    id: str
    offer: str
    offer_version: int
    state: CouponState
    member: str | None
    active_from: Instant
    expires_at: Instant
    version: int = 1
    hold_until: Instant | None = None
    hold_basket: str | None = None
    redeemed_basket: str | None = None
    quota_shard: int | None = None
    left: int | None = None
    """What is left of a voucher that was used in part, minor units; none: all of it."""
    code: str | None = None
    """The printable code at its issue; it is stored nowhere (``shared.coupons.issuing.printable_code``)."""
    issued_by: str | None = None
    parameters: Parameters = ()
    """The offer's personal parameters, as they were fixed when it was issued."""
    choice: Choice | None = None
    """Why this offer, where it was chosen among several."""

    def terms(self, body: OfferBody | None) -> OfferBody | None:
        """What it is decided by: its version of the offer, with the parameters that were fixed for it."""
        return body.fixed(self.parameters) if body is not None else None

    @property
    def key(self) -> str:
        """What its uses are counted under, and the rule that a trace names: ``offer:<id>``."""
        return f"offer:{self.offer}"


@dataclass(frozen=True, slots=True)
class Promotion:
    """A published version of an automatic promotion."""

    id: str
    version: int
    body: PromotionBody

    @property
    def key(self) -> str:
        """What its uses are counted under, and the rule that a trace names: ``promotion:<id>``."""
        return f"promotion:{self.id}"
