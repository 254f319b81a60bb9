"""Leaves about who she is: attributes, consents, what she can be reached by, facts, birthday and age, where she lives, chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, StrictBool, StrictInt, StrictStr, StringConstraints, model_validator

from shared.segments.language.base import MAX_CHOICES, Comparison, DayMeaning, Key, Leaf, Name, OneOrSeveral, Since, Text
from shared.tenants.base import ZoneName

Scalar = Text | StrictInt | StrictBool

BUILT_IN: Final[Mapping[str, type]] = {
    "tier": str, "status": str, "join_source": str, "join_location": str,
    "has_device": bool, "lifetime_purchases": int, "lifetime_value": int,
}  # fmt: skip
"""Attributes that every member has, with their types. A tenant's own attribute of the same name is not seen."""
BUILT_IN_PREFIXES: Final = ("has_identifier:", "known:")
"""``has_identifier:phone``, ``known:birth_date``: whether there is one. Booleans."""
ALWAYS_THERE: Final = frozenset(("status", "has_device", "lifetime_purchases", "lifetime_value"))
OF_PURCHASES: Final = frozenset(("lifetime_purchases", "lifetime_value"))
WALLET_CARD_KINDS: Final = ("wallet_card",)
BOT_KINDS: Final = ("telegram", "whatsapp")
"""Kinds of identifiers that stand for a card in the phone's wallet, and for a chat with a bot."""


class Attribute(Leaf):
    """Compare an attribute of the member. A missing value, or one of another type, is unknown; ``exists`` and ``missing`` never are."""

    kind: Literal["attribute"]
    name: Annotated[StrictStr, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}(:[a-z0-9_]{1,48})?$")]
    op: Comparison | Literal["in", "exists", "missing"]
    value: Scalar | Annotated[tuple[Scalar, ...], Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if ":" in self.name and not self.name.startswith(BUILT_IN_PREFIXES):
            raise ValueError(f"{self.name!r} is neither an attribute nor one of {', '.join(BUILT_IN_PREFIXES)}")
        if self.op in {"exists", "missing"}:
            if self.value is not None:
                raise ValueError(f"{self.op} takes no value")
            return self
        if (self.op == "in") != isinstance(self.value, tuple):
            raise ValueError("in takes a list of values, the other comparisons take one")
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        kinds = {type(value) for value in values}
        if self.value is None or len(kinds) != 1 or len(values) > MAX_CHOICES:
            raise ValueError(f"{self.op} needs one value, or for in 1 to {MAX_CHOICES} values of one type")
        if kinds == {bool} and self.op not in {"eq", "ne"}:
            raise ValueError("a boolean is compared with eq or ne")
        expected = built_in_type(self.name)
        if expected is not None and kinds != {expected}:
            raise ValueError(f"{self.name} is compared with a value of type {expected.__name__}")
        return self

    @property
    def is_behavioural(self) -> bool:
        return self.name in OF_PURCHASES

    @property
    def is_certain(self) -> bool:
        return self.op in {"exists", "missing"} or self.name in ALWAYS_THERE or self.name.startswith(BUILT_IN_PREFIXES)


def built_in_type(name: str) -> type | None:
    """The type of a built-in attribute, or None for one that the tenant declares."""
    return bool if name.startswith(BUILT_IN_PREFIXES) else BUILT_IN.get(name)


class ConsentGiven(Leaf):
    """The current answer for a purpose and channel. Unknown if she was never asked."""

    kind: Literal["consent"]
    purpose: Key
    channel: Key
    granted: StrictBool


class _YesOrNo(Leaf):
    """Never unknown."""

    @property
    def is_certain(self) -> bool:
        return True


class Presence(_YesOrNo):
    """Whether there is a device that takes push messages, a card in the phone's wallet, or a chat with a bot."""

    kind: Literal["has"]
    of: Literal["device", "wallet_card", "bot"]


class Identifier(_YesOrNo):
    """Whether she has a proven identifier of the kind: ``phone``, ``email``, ``card``, ``apple``, ``google``, ``external``."""

    kind: Literal["identifier"]
    identifier: Key


class MemberTag(_YesOrNo):
    """Whether she has the tag that the tenant gives to members."""

    kind: Literal["member_tag"]
    tag: Name


class StaticList(_YesOrNo):
    """Whether she is on the static list."""

    kind: Literal["list"]
    list: Key


class Fact(Leaf, OneOrSeveral):
    """Gender or language, as she gave it. Unknown where she did not."""

    personal: ClassVar[bool] = True
    kind: Literal["fact"]
    of: Literal["gender", "language"]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.check_one()
        return self


class Joined(Since):
    """How long ago she became a member."""

    kind: Literal["joined"]


class _OfBirth(Leaf):
    """Counted in local days, of the tenant's time zone or the one named."""

    personal: ClassVar[bool] = True
    time_zone: ZoneName | None = Field(default=None, description="IANA zone; none: the tenant's")

    @property
    def meaning_of_day(self) -> DayMeaning:
        return "calendar"

    @property
    def own_zone(self) -> str | None:
        return self.time_zone


class Birthday(_OfBirth):
    """Where today is relative to the birthday, in local days. Unknown without a birth date, or before the day of birth.

    Who was born on 29 February celebrates on the 28th in common years. Exactly one of: ``today``; ``month`` (``current``: the
    birthday is in this calendar month; 1 to 12: she was born in it); the window ``within_days_before`` and/or
    ``within_days_after`` (the birthday is at most so many days ahead, or ago; the day itself is included).
    """

    kind: Literal["birthday"]
    today: Literal[True] | None = None
    month: Literal["current"] | Annotated[StrictInt, Field(ge=1, le=12)] | None = None
    within_days_before: Annotated[StrictInt, Field(ge=0, le=180)] | None = None
    within_days_after: Annotated[StrictInt, Field(ge=0, le=180)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        windowed = self.within_days_before is not None or self.within_days_after is not None
        if (self.today is not None) + (self.month is not None) + windowed != 1:
            raise ValueError("give exactly one of today, month, or within_days_before and/or within_days_after")
        return self


class Age(_OfBirth):
    """Completed years, counted up on the birthday as ``birthday`` means it. Unknown without a birth date, or before the day of birth."""

    kind: Literal["age"]
    op: Comparison
    years: Annotated[StrictInt, Field(ge=0, le=150)]


class Radius(Leaf):
    """Whether her home, or the location of her last purchase, lies at most so many metres from a point or a location (great circle).

    Unknown where she has no home, no last location is known, or a location has no coordinates.
    """

    kind: Literal["radius"]
    of: Literal["home", "last_location"]
    metres: Annotated[StrictInt, Field(ge=1, le=20_100_000)]
    latitude_e6: Annotated[StrictInt, Field(ge=-90_000_000, le=90_000_000, description="millionths of a degree")] | None = None
    longitude_e6: Annotated[StrictInt, Field(ge=-180_000_000, le=180_000_000)] | None = None
    location: Key | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        at_a_point = self.latitude_e6 is not None and self.longitude_e6 is not None
        half_a_point = (self.latitude_e6 is None) != (self.longitude_e6 is None)
        if half_a_point or at_a_point == (self.location is not None):
            raise ValueError("give either location, or latitude_e6 and longitude_e6")
        return self

    @property
    def is_behavioural(self) -> bool:
        return self.of == "last_location"

    @property
    def is_personal(self) -> bool:
        return self.of == "home"


class Bucket(_YesOrNo):
    """Whether chance put her into one of a hundred buckets: ``from`` 0 ``until`` 10 is a tenth of the members.

    The same salt gives a member the same bucket for ever; another salt draws anew. crc32 of ``salt|member id`` modulo 100.
    """

    kind: Literal["bucket"]
    salt: Name
    from_: Annotated[StrictInt, Field(ge=0, le=99)] = Field(alias="from")
    until: Annotated[StrictInt, Field(ge=1, le=100)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.from_ >= self.until:
            raise ValueError("until is more than from")
        return self
