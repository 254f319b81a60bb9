"""What guests read of an offer, a promotion, a reward, a challenge or a tier, and in which language. Pure.

There is one model of it and one choice of the language: ``in_language``. Images are named by id (``shared.media``); the names of
an image's files follow from the id, so that an answer with links reads nothing more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from shared.kernel.errors import FieldError
from shared.tenants.base import MEDIA_PATTERN
from shared.tenants.model import Frozen, Label, Language, TenantSettings

T = TypeVar("T")
MAX_TEXT: Final = 80_000
"""Characters of one definition's texts in all languages: so it fits into one item (400 KB) however badly it packs."""
WIDTHS: Final = (320, 640, 1280)
"""Pixels; an image that is narrower is as wide as it is."""
FALLBACK: Final = "fallback"
"""The file for whatever cannot show WebP: JPEG, or PNG where something is transparent."""
MediaId = Annotated[str, Field(pattern=MEDIA_PATTERN)]
Link = Annotated[str, Field(max_length=500, pattern=r"^[a-z][a-z0-9+.-]*://[\x21-\x7e]*$")]


class Content(Frozen):
    """What the guest reads, in one language. ``teaser`` is for those who cannot have it yet; ``image`` the id of an image."""

    title: Label
    text: str = Field(default="", max_length=2000, description="short")
    long_text: str = Field(default="", max_length=5000)
    terms: str = Field(default="", max_length=5000)
    image: MediaId | None = None
    deep_link: Link | None = Field(default=None, description="https, or a link of the tenant's app (app_link)")
    teaser: str = Field(default="", max_length=500)

    @property
    def characters(self) -> int:
        """How long all of it is."""
        return sum(map(len, (self.title, self.text, self.long_text, self.terms, self.teaser, self.deep_link or "")))


def fits(contents: Iterable[Mapping[str, Content]]) -> bool:
    """Whether the texts of one definition are no longer than ``MAX_TEXT`` together."""
    return sum(each.characters for content in contents for each in content.values()) <= MAX_TEXT


def _fitting(contents: dict[Language, Content]) -> dict[Language, Content]:
    if not fits([contents]):
        raise ValueError(f"the texts have more than {MAX_TEXT} characters together")
    return contents


Contents = Annotated[dict[Language, Content], Field(max_length=20), AfterValidator(_fitting)]
"""By language."""
SortOrder = Annotated[int, Field(ge=-(10**6), le=10**6, description="lower comes first", strict=True)]


class ImageLinks(Frozen):
    """Where the files of an image are: WebP of at most 320, 640 and 1280 pixels' width, and one that everything can show."""

    small: str
    medium: str
    large: str
    fallback: str


class GuestText(Frozen):
    """What a guest reads, in her language or else the tenant's first. ``teaser`` is there only while she cannot have it."""

    title: str
    text: str | None = None
    long_text: str | None = None
    terms: str | None = None
    image: ImageLinks | None = None
    deep_link: str | None = None
    teaser: str | None = None


def in_language(choices: Mapping[str, T], languages: Iterable[str]) -> T | None:
    """The entry in the first of the languages that there is (``de-AT``, then ``de``), else any; ``None`` if there is none."""
    wanted = (each for language in languages for each in (language, _base(language)))
    return next((choices[each] for each in wanted if each in choices), next(iter(choices.values()), None))


def title_in(contents: Mapping[str, Content], languages: Iterable[str], name: str) -> str:
    """The title in the first of the languages that there is; ``name`` where there is no content at all."""
    found = in_language(contents, languages)
    return found.title if found is not None else name


def file_name(tenant: str, media: str, variant: str | int) -> str:
    """The object of one file of an image: ``variant`` is one of ``WIDTHS``, or ``FALLBACK``."""
    return f"media/{tenant}/{media}/{variant if variant == FALLBACK else f'{variant}.webp'}"


def image_links(media_url: str, tenant: str, media: str) -> ImageLinks:
    """The links of an image below the address that the stage delivers images at."""
    small, medium, large, fallback = (f"{media_url}/{file_name(tenant, media, variant)}" for variant in (*WIDTHS, FALLBACK))
    return ImageLinks(small=small, medium=medium, large=large, fallback=fallback)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: her languages by preference, her own before the tenant's; and where the tenant's images are (nowhere: none is linked)."""

    languages: tuple[str, ...]
    tenant: str
    media_url: str = ""

    def title(self, contents: Mapping[str, Content], name: str) -> str:
        """The title alone; ``name`` where there is no content at all."""
        return title_in(contents, self.languages, name)

    def shown(self, contents: Mapping[str, Content], name: str, *, teased: bool = False) -> dict[str, Any]:
        """The fields of a ``GuestText``. ``teased``: she cannot have it yet."""
        found = in_language(contents, self.languages)
        if found is None:
            return {"title": name}
        has_image = found.image is not None and bool(self.media_url)
        return {
            "title": found.title,
            "text": found.text or None,
            "long_text": found.long_text or None,
            "terms": found.terms or None,
            "image": image_links(self.media_url, self.tenant, found.image or "") if has_image else None,
            "deep_link": found.deep_link,
            "teaser": found.teaser or None if teased else None,
        }


def content_problems(contents: Mapping[str, Mapping[str, Any]], settings: TenantSettings, pointer: str) -> Iterator[FieldError]:
    """What keeps contents (as stored) from being published: the tenant's first language must be there and no language may be one that
    it does not have (``de-AT`` is a ``de``); links lead to https or into its app.
    """
    first = settings.languages[0]
    if first not in contents and _base(first) not in contents:
        yield FieldError(pointer, "missing_language", f"guests may read {first}, the tenant's first language")
    spoken = {each for language in settings.languages for each in (language, _base(language))}
    schemes = {"https", urlsplit(settings.app_link).scheme.lower()} - {""}
    for language, content in contents.items():
        if language not in spoken and _base(language) not in spoken:
            yield FieldError(f"{pointer}/{language}", "unknown_language", f"the tenant has {', '.join(settings.languages)}")
        link = content.get("deep_link")
        if link is not None and not _leads_to(link, schemes):
            yield FieldError(f"{pointer}/{language}/deep_link", "unknown_scheme", f"one of {', '.join(sorted(schemes))}")


def _leads_to(link: str, schemes: Collection[str]) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in schemes and (parts.scheme != "https" or bool(parts.hostname))


def _base(language: str) -> str:
    return language.partition("-")[0]
