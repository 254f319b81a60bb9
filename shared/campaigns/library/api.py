"""Bodies of the library's routes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt, StrictStr, StringConstraints

from shared.definitions.model import Kind
from shared.tenants.base import Answer, Frozen, Language, Name

GivenText = Annotated[StrictStr, StringConstraints(max_length=2000)]


class InstallRequest(Frozen):
    """What a ready campaign is installed with; everything may be left out."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,23}$")] | None = Field(
        default=None, description="in front of every id, with a hyphen: to install it once more beside the first"
    )
    parameters: dict[Name, StrictInt | GivenText | dict[Language, GivenText]] = Field(default_factory=dict, max_length=20)
    languages: tuple[Language, ...] | None = Field(
        default=None, min_length=1, max_length=20, description="of the tenant's languages, its first among them; none: all"
    )


class ParameterAnswer(Answer):
    """A parameter: of a number its bounds, of a text its length at most (``most``)."""

    kind: Literal["number", "text"]
    about: dict[str, str]
    default: int | dict[str, str]
    least: int
    most: int


class MadeAnswer(Answer):
    """A definition that it makes."""

    kind: Kind
    id: str


class EntryAnswer(Answer):
    """A ready campaign; texts by language. ``definitions`` in the order in which they are published."""

    name: str
    title: dict[str, str]
    about: dict[str, str]
    parameters: dict[str, ParameterAnswer]
    definitions: tuple[MadeAnswer, ...]


class LibraryAnswer(Answer):
    """The library."""

    data: tuple[EntryAnswer, ...]


class NoteAnswer(Answer):
    """Something to look at before it is published."""

    code: Literal["not_translated", "channel_left_out"]
    detail: str
    language: str | None = None
    channel: str | None = None


class InstalledAnswer(Answer):
    """The drafts, in the order in which they are published."""

    name: str
    definitions: tuple[MadeAnswer, ...]
    notes: tuple[NoteAnswer, ...] = ()
