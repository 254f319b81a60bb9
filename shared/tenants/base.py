"""What every model of ours is made of: the base class and the names."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import NAME_PATTERN
from shared.kernel.instants import zone
from shared.kernel.money import currency_exponent

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""An id that people choose: lower case letters, digits, ``-`` and ``_``, at most 48."""
Label = Annotated[str, Field(min_length=1, max_length=200)]
Language = Annotated[str, Field(max_length=35, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


def _known_zone(name: str) -> str:
    try:
        zone(name)
    except InvalidValue:
        raise ValueError("an IANA zone that there is, as Europe/Berlin") from None
    return name


def _known_currency(code: str) -> str:
    try:
        currency_exponent(code)
    except InvalidValue:
        raise ValueError("an ISO 4217 code in capitals, as EUR") from None
    return code


ZoneName = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]
"""An IANA zone that there is."""
Currency = Annotated[str, Field(max_length=3), AfterValidator(_known_currency)]
"""ISO 4217, of those whose smallest unit we know."""
MEDIA_PATTERN: Final = r"^med_[0-9a-f]{32}$"
"""An image of the tenant's, by its content."""


class Frozen(BaseModel):
    """The base of every model: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Answer(Frozen):
    """An answer; null fields are left out."""
