"""What every model of ours is made of: the base class and the names."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.kernel.ids import NAME_PATTERN

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""An id that people choose: lower case letters, digits, ``-`` and ``_``, at most 48."""
Label = Annotated[str, Field(min_length=1, max_length=200)]
Language = Annotated[str, Field(max_length=35, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


MEDIA_PATTERN: Final = r"^med_[0-9a-f]{32}$"
"""An image of the tenant's, by its content."""


class Frozen(BaseModel):
    """The base of every model: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Answer(Frozen):
    """An answer; null fields are left out."""
